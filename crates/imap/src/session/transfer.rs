//! COPY: messages from the selected mailbox into another (RFC 3501 §6.4.7).

use super::Session;
use super::reply::Context;
use crate::extensions::uidplus;
use crate::wire::sequence::SequenceSet;

impl Session {
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
        let copied = self
            .store
            .open(&name)
            .and_then(|to| self.store.copy(&view.id, &uids, &to.id));
        match copied {
            Ok(copied)
                if (copied.pairs.len() as u64) < uids.count() && !by_uid && copied.pairs.is_empty() =>
            {
                self.complete(
                    tag,
                    "NO [EXPUNGEISSUED] Some of the requested messages no longer exist.",
                );
            }
            Ok(copied) => {
                let code = uidplus::copy_code(&copied);
                self.complete(tag, &format!("OK {code}Copy completed."));
            }
            Err(error) => self.store_failed(tag, &error, Context::Destination),
        }
    }
}
