//! QRESYNC (RFC 7162 §3.2): a client that comes back is told in one answer what changed and what vanished.
//!
//! What vanished is known exactly as far back as the store's record of expunges goes. Beyond that every UID that is no message
//! is told, less what the client's own words exclude (`known-uids`, and what its samples of sequence numbers show it to know):
//! a superset that does no harm.

use mailbox::{Changes, ModSeq, Uid, UidSet};

use super::Extension;
use crate::session::{Event, Session};
use crate::wire::select::Known;
use crate::wire::sequence::{STAR, SequenceSet};

pub(crate) const EXTENSION: Extension = Extension::of_words(&["QRESYNC"]);

impl Session {
    /// From here on expunged messages are told by VANISHED.
    pub(crate) fn enable_qresync(&mut self) {
        self.enable_condstore();
        self.qresync = true;
    }

    /// The mailbox was selected by a client that knew it: says what vanished since. What changed is told by the FETCH that
    /// [`Session::changed_since`] starts.
    pub(crate) fn tell_what_vanished(&mut self, known: &Known) {
        let Some(changes) = self.changes_since(known.modseq) else {
            return;
        };
        let Some(view) = &self.view else { return };
        let mut vanished = changes.expunged;
        if let Some(uids) = &known.uids {
            vanished = vanished.intersection(uids);
        }
        if !changes.exact
            && let Some((numbers, uids)) = &known.samples
        {
            let uid_at = |number: Uid| view.rows.get(number as usize - 1).map(|row| row.state.uid);
            let settled = settled_up_to(numbers, uids, uid_at);
            vanished = vanished.intersection(&range(settled.saturating_add(1), Uid::MAX));
        }
        self.say_vanished(&vanished);
    }

    /// Says which of the messages that a UID FETCH names vanished after a modseq.
    pub(crate) fn tell_vanished_of(&mut self, messages: &SequenceSet, modseq: ModSeq) {
        let Some(changes) = self.changes_since(modseq) else {
            return;
        };
        let last = changes.uid_next.saturating_sub(1);
        let mut named = UidSet::new();
        for &range in &messages.0 {
            match range {
                // The last message is there.
                (STAR, STAR) => {}
                (first, STAR) | (STAR, first) if first <= last => named.insert_range(first, last),
                (_, STAR) | (STAR, _) => {}
                (first, last) => named.insert_range(first, last),
            }
        }
        self.say_vanished(&changes.expunged.intersection(&named));
    }

    fn changes_since(&mut self, modseq: ModSeq) -> Option<Changes> {
        let view = self.view.as_ref()?;
        // Every mailbox begins with modseq 1; 0 would ask for the messages instead.
        match self.store.changes(&view.id, modseq.max(1)) {
            Ok(changes) if changes.uid_validity == view.uid_validity => Some(changes),
            Ok(_) => None,
            Err(error) => {
                let text = format!("Looking for what vanished: {error}");
                self.events.push_back(Event::Problem(text));
                None
            }
        }
    }

    /// Whatever the client will be told as VANISHED without EARLIER is left out: its numbers still count it.
    fn say_vanished(&mut self, vanished: &UidSet) {
        let Some(view) = &self.view else { return };
        let rows: UidSet = view.rows.iter().map(|row| row.state.uid).collect();
        let vanished = vanished.difference(&rows);
        if !vanished.is_empty() {
            self.say(&format!("* VANISHED (EARLIER) {vanished}"));
        }
    }
}

/// The highest of the sampled UIDs that still has its sequence number: as UIDs only go, the client knows just the messages that
/// there are below it.
fn settled_up_to(numbers: &UidSet, uids: &UidSet, uid_at: impl Fn(u32) -> Option<Uid>) -> Uid {
    let samples = numbers.iter().zip(uids.iter());
    let known = samples.map_while(|(number, uid)| uid_at(number).map(|now| (now, uid)));
    known
        .filter(|(now, uid)| now == uid)
        .map(|(_, uid)| uid)
        .last()
        .unwrap_or(0)
}

fn range(first: Uid, last: Uid) -> UidSet {
    let mut set = UidSet::new();
    set.insert_range(first, last);
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_show_what_a_client_knows() {
        let now = [1, 3, 4, 9];
        let uid_at = |number: u32| now.get(number as usize - 1).copied();
        let set = |numbers: &[u32]| numbers.iter().copied().collect::<UidSet>();
        assert_eq!(settled_up_to(&set(&[1, 3]), &set(&[1, 4]), uid_at), 4);
        assert_eq!(settled_up_to(&set(&[1, 3]), &set(&[1, 3]), uid_at), 1);
        assert_eq!(
            settled_up_to(&set(&[2, 900_000_000]), &set(&[2, 900_000_000]), uid_at),
            0
        );
    }
}
