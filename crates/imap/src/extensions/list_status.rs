//! LIST-STATUS (RFC 5819): STATUS of each mailbox that LIST tells of, in the same answer.

use mailbox::store::Status;
use mailbox::{MailboxName, mutf7};

use super::Extension;
use crate::session::Session;
use crate::wire::command::StatusItem;
use crate::wire::encode;

pub(crate) const EXTENSION: Extension = Extension::of_words(&["LIST-STATUS"]);

impl Session {
    /// Tells the counters of a mailbox that LIST has just told of. One that cannot be opened has none (RFC 5819 §2).
    pub(crate) fn list_status(&mut self, name: &MailboxName, items: &[StatusItem]) {
        if items.is_empty() {
            return;
        }
        let opened = self.store.open(name);
        if let Ok(status) = opened.and_then(|opened| self.store.status(&opened.id)) {
            self.status_line(mutf7::encode(name.as_str()).as_bytes(), &status, items);
        }
    }

    /// Writes `* STATUS`. `name` is as on the wire.
    pub(crate) fn status_line(&mut self, name: &[u8], status: &Status, items: &[StatusItem]) {
        let texts: Vec<String> = items
            .iter()
            .map(|item| match item {
                StatusItem::Messages => format!("MESSAGES {}", status.messages),
                StatusItem::Recent => format!("RECENT {}", status.recent),
                StatusItem::UidNext => format!("UIDNEXT {}", status.uid_next),
                StatusItem::UidValidity => format!("UIDVALIDITY {}", status.uid_validity),
                StatusItem::Unseen => format!("UNSEEN {}", status.unseen),
                StatusItem::HighestModSeq => format!("HIGHESTMODSEQ {}", status.highest_modseq),
                StatusItem::Size => format!("SIZE {}", status.size_bytes),
                StatusItem::Deleted => format!("DELETED {}", status.deleted),
            })
            .collect();
        if items.contains(&StatusItem::HighestModSeq) {
            self.enable_condstore();
        }
        self.output.extend_from_slice(b"* STATUS ");
        // As the client wrote it, so that it finds its answer: INBOX has no case.
        encode::astring(&mut self.output, name);
        self.say(&format!(" ({})", texts.join(" ")));
    }
}
