//! The expunge history: which UIDs went away at which modseq, as far back as its limit allows.

use mailbox::{ModSeq, Uid, UidSet};

/// How many ranges of UIDs are remembered. Asked about older times, the index answers with every UID that is not a
/// message, which [`mailbox::Changes::expunged`] allows.
pub const RANGES_MAX: usize = 4096;

/// The history, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct History {
    /// Modseq, first and last UID of each range.
    pub(crate) ranges: Vec<(ModSeq, Uid, Uid)>,
    /// What happened up to this modseq is not all here.
    pub(crate) incomplete_until: ModSeq,
}

impl History {
    pub(crate) fn add(&mut self, modseq: ModSeq, uid: Uid) {
        match self.ranges.last_mut() {
            Some((at, _, last)) if *at == modseq && *last + 1 == uid => *last = uid,
            _ => self.ranges.push((modseq, uid, uid)),
        }
        if self.ranges.len() > RANGES_MAX {
            let forgotten = self.ranges.drain(..RANGES_MAX / 2).next_back();
            self.incomplete_until = forgotten.map_or(self.incomplete_until, |(at, _, _)| at);
        }
    }

    /// What was expunged after `since`; `None` when that is forgotten.
    pub(crate) fn since(&self, since: ModSeq) -> Option<UidSet> {
        if since < self.incomplete_until {
            return None;
        }
        let from = self.ranges.partition_point(|&(at, _, _)| at <= since);
        let mut set = UidSet::new();
        self.ranges[from..]
            .iter()
            .for_each(|&(_, first, last)| set.insert_range(first, last));
        Some(set)
    }
}
