//! LIST-STATUS (RFC 5819): STATUS of each mailbox that LIST tells of, in the same answer.

use mailbox::store::Status;
use mailbox::{MailboxName, SystemFlags};

use super::Extension;
use super::objectid;
use crate::session::Session;
use crate::wire::command::StatusItem;

pub(crate) const EXTENSION: Extension = Extension::of_words(&["LIST-STATUS"]);

/// What STATUS can tell.
pub(crate) struct Counters {
    status: Status,
    object_id: u64,
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
            let name = self.written(name);
            self.status_line(&name, &counters, items);
        }
    }

    /// The counters of a mailbox.
    pub(crate) fn counters(&self, name: &MailboxName, items: &[StatusItem]) -> mailbox::Result<Counters> {
        let opened = self.store.open(name)?;
        let id = opened.id;
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
            object_id: opened.object_id,
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
                StatusItem::MailboxId => format!("MAILBOXID ({})", objectid::mailbox_id(counters.object_id)),
                StatusItem::AppendLimit => {
                    format!("APPENDLIMIT {}", self.settings.offered.append_bytes_max)
                }
                StatusItem::Deleted => format!("DELETED {}", status.deleted),
                StatusItem::DeletedStorage => format!("DELETED-STORAGE {}", counters.deleted_bytes),
            })
            .collect();
        if items.contains(&StatusItem::HighestModSeq) {
            self.enable_condstore();
        }
        self.output.extend_from_slice(b"* STATUS ");
        self.push_as_written(name);
        self.say(&format!(" ({})", texts.join(" ")));
    }
}
