//! COPY: messages from the selected mailbox into another (RFC 3501 §6.4.7).

use super::Session;
use super::reply::Context;
use crate::extensions::uidplus;
use crate::wire::sequence::SequenceSet;
use mailbox::UidSet;

/// The answer when messages are to be copied or moved that another session has expunged: then none is.
pub(crate) const SOME_GONE: &str = "NO [EXPUNGEISSUED] Some of the requested messages no longer exist.";

impl Session {
    /// Whether messages that the client may name still have been expunged meanwhile. The client is not told here.
    pub(crate) fn some_are_gone(&mut self, uids: &UidSet) -> bool {
        let Some(view) = &mut self.view else { return false };
        match self.store.changes(&view.id, view.modseq) {
            Ok(changes) if changes.uid_validity == view.uid_validity => view.forget_all(&changes.expunged),
            // Whoever acts next finds it out, and says it.
            Ok(_) | Err(_) => {}
        }
        view.gone
            .ranges()
            .iter()
            .any(|&(first, last)| (first..=last).any(|uid| uids.contains(uid)))
    }

    pub(crate) fn copy(&mut self, tag: &str, by_uid: bool, messages: &SequenceSet, mailbox: &[u8]) {
        let Some(ranges) = self.rows_named(tag, "COPY", messages, by_uid) else {
            return;
        };
        let Some(name) = self.name(tag, mailbox) else {
            return;
        };
        let Some(view) = &self.view else { return };
        if ranges.is_empty() {
            return self.complete(tag, "OK No messages found.");
        }
        let uids = view.uids_of(&ranges);
        if self.some_are_gone(&uids) {
            return self.complete(tag, SOME_GONE);
        }
        let Some(view) = &self.view else { return };
        let copied = self
            .store
            .open(&name)
            .and_then(|to| self.store.copy(&view.id, &uids, &to.id));
        match copied {
            Ok(copied)
                if (copied.pairs.len() as u64) < uids.count() && !by_uid && copied.pairs.is_empty() =>
            {
                self.complete(tag, SOME_GONE);
            }
            Ok(copied) => {
                let code = uidplus::copy_code(&copied);
                self.complete(tag, &format!("OK {code}Copy completed."));
            }
            Err(error) => self.store_failed(tag, &error, Context::Destination),
        }
    }
}
