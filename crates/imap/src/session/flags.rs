//! STORE and EXPUNGE, and which messages a command names.

use mailbox::{FlagChange, Flags, SystemFlags, Uid, UidSet};

use super::Session;
use super::reply::Context;
use super::view::View;
use crate::wire::command::StoreFlags;
use crate::wire::sequence::SequenceSet;

impl View {
    /// The rows that a set names, as ascending ranges of indexes `from..to`. `None`: a sequence number that is
    /// no message, which is an error of the client (a UID that is no message is none).
    pub(crate) fn rows_named(&self, messages: &SequenceSet, by_uid: bool) -> Option<Vec<(usize, usize)>> {
        let count = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        if by_uid || messages.is_saved_result() {
            let last = self.rows.last().map_or(1, |row| row.state.uid);
            let named = match messages.is_saved_result() {
                true => self.saved.clone(),
                false => messages.resolved(last),
            };
            return Some(self.rows_among(&named));
        }
        if count == 0 {
            return None;
        }
        let set = messages.resolved(count);
        if set.ranges().last().is_some_and(|&(_, last)| last > count) {
            return None;
        }
        Some(
            set.ranges()
                .iter()
                .map(|&(first, last)| (first as usize - 1, last as usize))
                .collect(),
        )
    }

    /// The rows whose UIDs are in the set.
    pub(crate) fn rows_among(&self, uids: &UidSet) -> Vec<(usize, usize)> {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for &(first, last) in uids.ranges() {
            let from = self.rows.partition_point(|row| row.state.uid < first);
            let to = self.rows.partition_point(|row| row.state.uid <= last);
            match ranges.last_mut() {
                Some(before) if before.1 == from => before.1 = to,
                _ if from < to => ranges.push((from, to)),
                _ => {}
            }
        }
        ranges
    }

    /// The UIDs of rows.
    pub(crate) fn uids_of(&self, ranges: &[(usize, usize)]) -> UidSet {
        let mut uids = UidSet::new();
        for &(from, to) in ranges {
            for row in &self.rows[from..to] {
                uids.insert(row.state.uid);
            }
        }
        uids
    }

    /// The sequence set that names these UIDs in this view's numbers.
    pub(crate) fn numbers_of(&self, uids: &UidSet) -> UidSet {
        uids.iter()
            .filter_map(|uid| self.index_of(uid))
            .map(|index| index as u32 + 1)
            .collect()
    }
}

impl Session {
    /// The rows that a command names; answers BAD and gives nothing when there are none such.
    pub(crate) fn rows_named(
        &mut self,
        tag: &str,
        name: &str,
        messages: &SequenceSet,
        by_uid: bool,
    ) -> Option<Vec<(usize, usize)>> {
        let ranges = self
            .view
            .as_ref()
            .and_then(|view| view.rows_named(messages, by_uid));
        if ranges.is_none() {
            self.bad(tag, &format!("Error in IMAP command {name}: Invalid messageset"));
        }
        ranges
    }

    pub(crate) fn store_flags(&mut self, tag: &str, command: &StoreFlags) {
        let Some(ranges) = self.rows_named(tag, "STORE", &command.messages, command.by_uid) else {
            return;
        };
        if command.unchanged_since.is_some() {
            self.enable_condstore();
        }
        let Some(view) = &mut self.view else { return };
        if view.read_only {
            return self.complete(tag, "OK Store ignored with read-only mailbox.");
        }
        let uids = view.uids_of(&ranges);
        let stored = match self
            .store
            .store_flags(&view.id, &uids, &command.change, command.unchanged_since)
        {
            Ok(stored) => stored,
            Err(error) => return self.store_failed(tag, &error, Context::Other),
        };
        let mut seen = 0;
        for state in stored.messages {
            seen += 1;
            let Some(index) = view.index_of(state.uid) else {
                continue;
            };
            let before = &view.rows[index].state.flags;
            let added = state.flags.system.without(before.system);
            self.traffic.deleted += u64::from(added.contains(SystemFlags::DELETED));
            // Silence covers what the client asked for, not what others changed meanwhile (RFC 3501 §6.4.6).
            let expected = same_flags(&before.changed(&command.change), &state.flags);
            view.learn(state, command.silent && expected, self.condstore);
        }
        let missing = uids.count() > seen + stored.modified.count();
        let modified = if command.by_uid {
            stored.modified
        } else {
            view.numbers_of(&stored.modified)
        };
        let modseq = self.sync(command.by_uid, command.by_uid);
        if !modified.is_empty() {
            self.tagged(
                tag,
                &format!("OK [MODIFIED {modified}] Conditional store failed."),
            );
        } else if missing && !command.by_uid {
            self.tagged(tag, "NO [EXPUNGEISSUED] Some of the messages no longer exist.");
        } else {
            self.tagged_with(tag, modseq, "OK Store completed.");
        }
    }

    /// EXPUNGE, and UID EXPUNGE with the messages it is limited to.
    pub(crate) fn expunge(&mut self, tag: &str, only: Option<&SequenceSet>) {
        let Some(view) = &mut self.view else { return };
        if view.read_only {
            return self.complete(tag, "OK Expunge completed.");
        }
        let ranges = match only {
            Some(messages) => view.rows_named(messages, true).unwrap_or_default(),
            None => vec![(0, view.rows.len())],
        };
        let uids = view.uids_of(&ranges);
        if view.may_not_expunge() {
            return self.complete(tag, "OK Expunge ignored: Permission denied.");
        }
        if !uids.is_empty() {
            match self.store.expunge(&view.id, &uids) {
                Ok(expunged) => {
                    self.traffic.expunged += expunged.count();
                    view.forget_all(&expunged);
                }
                Err(error) => return self.store_failed(tag, &error, Context::Other),
            }
        }
        self.complete(tag, "OK Expunge completed.");
    }

    /// Sets `\Seen` on messages whose text is about to be fetched; returns the UIDs that changed.
    pub(crate) fn mark_seen(&mut self, ranges: &[(usize, usize)]) -> Vec<Uid> {
        let Some(view) = &mut self.view else {
            return Vec::new();
        };
        if view.read_only {
            return Vec::new();
        }
        let mut unseen = UidSet::new();
        for row in ranges.iter().flat_map(|&(from, to)| &view.rows[from..to]) {
            if !row.state.flags.system.contains(SystemFlags::SEEN) {
                unseen.insert(row.state.uid);
            }
        }
        if unseen.is_empty() {
            return Vec::new();
        }
        let change = FlagChange::Add(Flags::system(SystemFlags::SEEN));
        match self.store.store_flags(&view.id, &unseen, &change, None) {
            Ok(stored) => {
                let uids = stored.messages.iter().map(|state| state.uid).collect();
                stored
                    .messages
                    .into_iter()
                    .for_each(|state| view.learn(state, true, false));
                uids
            }
            Err(error) => {
                self.events
                    .push_back(super::Event::Problem(format!("Marking messages seen: {error}")));
                Vec::new()
            }
        }
    }
}

/// Whether two sets of flags are the same, in whatever order their keywords are.
fn same_flags(left: &Flags, right: &Flags) -> bool {
    left.system == right.system
        && left.keywords.len() == right.keywords.len()
        && left.keywords.iter().all(|keyword| right.has_keyword(keyword))
}
