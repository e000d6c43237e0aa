//! CREATE, DELETE, RENAME, SUBSCRIBE, STATUS: the mailboxes as a whole (RFC 3501 §6.3).

use mailbox::{Error as StoreError, MailboxName, SpecialUse};

use super::Session;
use super::reply::Context;
use crate::extensions::objectid;
use crate::wire::command::StatusItem;

impl Session {
    pub(crate) fn create(&mut self, tag: &str, raw: &[u8], special_use: Option<SpecialUse>) {
        // A separator at the end only announces that names are to be made below (RFC 3501 §6.3.3).
        let separator = self.separator();
        let (raw, is_node) = match raw.strip_suffix(&[separator as u8]) {
            Some(raw) => (raw, true),
            None => (raw, false),
        };
        let Some(name) = self.new_name(tag, raw) else {
            return;
        };
        if name.is_inbox() {
            return self.tagged(tag, "NO [ALREADYEXISTS] Mailbox already exists");
        }
        let created = match (is_node, special_use) {
            (true, None) => self.store.create_node(&name),
            (_, special_use) => self.store.create(&name, special_use),
        };
        match created {
            Ok(()) => {
                // A node that holds no messages has no name for good.
                let code = self.store.open(&name).map_or_else(
                    |_| String::new(),
                    |opened| format!("[MAILBOXID ({})] ", objectid::mailbox_id(opened.object_id)),
                );
                self.tagged(tag, &format!("OK {code}Create completed."));
            }
            Err(error) => self.store_failed(tag, &error, Context::Other),
        }
    }

    /// A name that a mailbox is to get; says NO and gives nothing when none could have it.
    fn new_name(&mut self, tag: &str, raw: &[u8]) -> Option<MailboxName> {
        let name = self.name(tag, raw)?;
        let separator = self.separator();
        let levels: Vec<&str> = name.as_str().split(separator).collect();
        let why = if name.as_str().is_empty() {
            "Name is empty"
        } else if levels.first() == Some(&"") {
            "Begins with hierarchy separator"
        } else if levels.last() == Some(&"") {
            "Ends with hierarchy separator"
        } else if levels.contains(&"") {
            "Has adjacent hierarchy separators"
        } else if name.as_str().len() > mailbox::name::NAME_BYTES_MAX {
            "Mailbox name too long"
        } else if name.as_str().chars().any(char::is_control) {
            "Name must not have control characters"
        } else {
            return Some(name);
        };
        self.tagged(tag, &format!("NO [CANNOT] Invalid mailbox name: {why}"));
        None
    }

    pub(crate) fn delete(&mut self, tag: &str, raw: &[u8]) {
        let Some(name) = self.name(tag, raw) else { return };
        if name.is_inbox() {
            return self.tagged(tag, "NO INBOX can't be deleted");
        }
        match self.store.delete(&name) {
            Ok(()) => {
                if self.view.as_ref().is_some_and(|view| view.name == name) {
                    self.view = None;
                }
                self.tagged(tag, "OK Delete completed.");
            }
            Err(error) => self.store_failed(tag, &error, Context::Managing),
        }
    }

    pub(crate) fn rename(&mut self, tag: &str, from: &[u8], to: &[u8]) {
        let Some(from) = self.name(tag, from) else { return };
        let Some(to) = self.new_name(tag, to) else { return };
        match self.store.rename(&from, &to) {
            // The selected mailbox is gone under its name, which the next command is told, not this one.
            Ok(()) if self.is_selected_below(&from) => self.tagged(tag, "OK Rename completed."),
            Ok(()) => self.tagged(tag, "OK Rename completed."),
            Err(StoreError::MailboxExists(_)) => {
                self.tagged(tag, "NO [ALREADYEXISTS] Target mailbox already exists");
            }
            Err(StoreError::InvalidName(..)) if is_below(&to, &from, self.separator()) => {
                self.tagged(tag, "NO Can't rename mailbox under its own child");
            }
            Err(error) => self.store_failed(tag, &error, Context::Managing),
        }
    }

    /// Whether the selected mailbox is this one or below it.
    fn is_selected_below(&self, name: &MailboxName) -> bool {
        let selected = self.view.as_ref().map(|view| &view.name);
        selected.is_some_and(|selected| selected == name || is_below(selected, name, self.separator()))
    }

    pub(crate) fn subscribe(&mut self, tag: &str, raw: &[u8], subscribed: bool) {
        let Some(name) = self.name(tag, raw) else { return };
        let result = self.store.list().and_then(|list| {
            // What is not there may be unsubscribed from, and not subscribed to.
            if subscribed && !name.is_inbox() && !list.iter().any(|entry| entry.name == name) {
                return Err(StoreError::NoSuchMailbox(name.as_str().to_owned()));
            }
            self.store.subscribe(&name, subscribed)
        });
        let verb = if subscribed { "Subscribe" } else { "Unsubscribe" };
        match result {
            Ok(()) => self.tagged(tag, &format!("OK {verb} completed.")),
            Err(error) => self.store_failed(tag, &error, Context::Other),
        }
    }

    pub(crate) fn status(&mut self, tag: &str, raw: &[u8], items: &[StatusItem]) {
        let Some(name) = self.name(tag, raw) else { return };
        let counters = match self.counters(&name, items) {
            Ok(counters) => counters,
            Err(error) => return self.store_failed(tag, &error, Context::Other),
        };
        self.status_line(raw, &counters, items);
        if self.view.as_ref().is_some_and(|view| view.name == name) {
            self.tagged(tag, "OK [CLIENTBUG] Status on selected mailbox completed.");
        } else {
            self.tagged(tag, "OK Status completed.");
        }
    }
}

fn is_below(name: &MailboxName, parent: &MailboxName, separator: char) -> bool {
    let rest = name.as_str().strip_prefix(parent.as_str());
    rest.is_some_and(|rest| rest.starts_with(separator))
}
