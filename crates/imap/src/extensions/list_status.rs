//! LIST-STATUS (RFC 5819): STATUS of each mailbox that LIST tells of, in the same answer.

use mailbox::store::Status;
use mailbox::{MailboxName, SystemFlags, mutf7};

use super::Extension;
use crate::session::Session;
use crate::wire::command::StatusItem;
use crate::wire::encode;

pub(crate) const EXTENSION: Extension = Extension::of_words(&["LIST-STATUS"]);

/// What STATUS can tell.
pub(crate) struct Counters {
    status: Status,
    /// Sum of the sizes of messages with `\Deleted`, in octets; counted only when it is asked for.
    deleted_bytes: u64,
}

impl Session {
    /// Tells the counters of a mailbox that LIST has just told of. One that cannot be opened has none (RFC 5819 §2).
    pub(crate) fn list_status(&mut self, name: &MailboxName, items: &[StatusItem]) {
        if items.is_empty() {
            return;
        }
        if let Ok(counters) = self.counters(name, items) {
            self.status_line(mutf7::encode(name.as_str()).as_bytes(), &counters, items);
        }
    }

    /// The counters of a mailbox.
    pub(crate) fn counters(&self, name: &MailboxName, items: &[StatusItem]) -> mailbox::Result<Counters> {
        let id = self.store.open(name)?.id;
        let status = self.store.status(&id)?;
        let mut deleted_bytes = 0;
        if items.contains(&StatusItem::DeletedStorage) && status.deleted > 0 {
            let messages = self.store.changes(&id, 0)?.messages;
            let deleted = messages
                .iter()
                .filter(|message| message.flags.system.contains(SystemFlags::DELETED));
            deleted_bytes = deleted.map(|message| message.size_bytes).sum();
        }
        Ok(Counters {
            status,
            deleted_bytes,
        })
    }

    /// Writes `* STATUS`. `name` is as on the wire.
    pub(crate) fn status_line(&mut self, name: &[u8], counters: &Counters, items: &[StatusItem]) {
        let status = &counters.status;
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
                StatusItem::DeletedStorage => format!("DELETED-STORAGE {}", counters.deleted_bytes),
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
