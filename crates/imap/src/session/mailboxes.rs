//! CREATE, DELETE, RENAME, SUBSCRIBE, LIST, LSUB, STATUS: the mailboxes as a whole (RFC 3501 §6.3).

use std::collections::BTreeSet;

use mailbox::{Error as StoreError, MailboxName, mutf7};

use super::Session;
use super::reply::Context;
use crate::extensions::objectid;
use crate::extensions::{children, namespace::push_separator, special_use};
use crate::wire::command::StatusItem;
use crate::wire::encode;

impl Session {
    pub(crate) fn create(&mut self, tag: &str, raw: &[u8]) {
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
            return self.complete(tag, "NO [ALREADYEXISTS] Mailbox already exists");
        }
        let created = match is_node {
            true => self.store.create_node(&name),
            false => self.store.create(&name, None),
        };
        match created {
            Ok(()) => {
                // A node that holds no messages has no name for good.
                let code = self.store.open(&name).map_or_else(
                    |_| String::new(),
                    |opened| format!("[MAILBOXID ({})] ", objectid::mailbox_id(opened.object_id)),
                );
                self.complete(tag, &format!("OK {code}Create completed."));
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
        self.complete(tag, &format!("NO [CANNOT] Invalid mailbox name: {why}"));
        None
    }

    pub(crate) fn delete(&mut self, tag: &str, raw: &[u8]) {
        let Some(name) = self.name(tag, raw) else { return };
        if name.is_inbox() {
            return self.complete(tag, "NO INBOX can't be deleted");
        }
        match self.store.delete(&name) {
            Ok(()) => {
                if self.view.as_ref().is_some_and(|view| view.name == name) {
                    self.view = None;
                }
                self.complete(tag, "OK Delete completed.");
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
            Ok(()) => self.complete(tag, "OK Rename completed."),
            Err(StoreError::MailboxExists(_)) => {
                self.complete(tag, "NO [ALREADYEXISTS] Target mailbox already exists");
            }
            Err(error) => self.store_failed(tag, &error, Context::Managing),
        }
    }

    /// Whether the selected mailbox is this one or below it.
    fn is_selected_below(&self, name: &MailboxName) -> bool {
        let selected = self.view.as_ref().map(|view| view.name.as_str());
        let below = selected.and_then(|selected| selected.strip_prefix(name.as_str()));
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with(self.separator()))
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
            Ok(()) => self.complete(tag, &format!("OK {verb} completed.")),
            Err(error) => self.store_failed(tag, &error, Context::Other),
        }
    }

    pub(crate) fn list(&mut self, tag: &str, reference: &[u8], pattern: &[u8]) {
        let separator = self.separator();
        if pattern.is_empty() {
            self.list_line("LIST", &["\\Noselect"], "");
            return self.complete(tag, "OK List completed.");
        }
        let list = match self.store.list() {
            Ok(list) => list,
            Err(error) => return self.store_failed(tag, &error, Context::Other),
        };
        let mut names: Vec<&str> = list.iter().map(|entry| entry.name.as_str()).collect();
        names.sort_unstable();
        let Some(wanted) = whole_pattern(reference, pattern, self.utf8) else {
            return self.complete(tag, "OK List completed.");
        };
        for entry in &list {
            let name = entry.name.as_str();
            if !matches_name(&wanted, name, separator) {
                continue;
            }
            let mut attributes = Vec::new();
            if !entry.selectable {
                attributes.push("\\Noselect");
            }
            if entry.no_inferiors {
                attributes.push("\\NoInferiors");
            } else {
                attributes.push(children::attribute(name, separator, &names));
            }
            attributes.extend(entry.special_use.map(special_use::attribute));
            self.list_line("LIST", &attributes, name);
        }
        self.complete(tag, "OK List completed.");
    }

    pub(crate) fn lsub(&mut self, tag: &str, reference: &[u8], pattern: &[u8]) {
        let separator = self.separator();
        let subscribed = match self.store.subscriptions() {
            Ok(subscribed) => subscribed,
            Err(error) => return self.store_failed(tag, &error, Context::Other),
        };
        let wanted = whole_pattern(reference, pattern, self.utf8).unwrap_or_default();
        let mut told = BTreeSet::new();
        for name in &subscribed {
            let name = name.as_str();
            if matches_name(&wanted, name, separator) {
                if told.insert(name) {
                    self.list_line("LSUB", &[], name);
                }
                continue;
            }
            // A parent that matches stands for subscribed children that do not (RFC 3501 §6.3.9).
            for (at, _) in name.match_indices(separator) {
                let parent = &name[..at];
                let is_subscribed = subscribed.iter().any(|other| other.as_str() == parent);
                if !is_subscribed && matches_name(&wanted, parent, separator) && told.insert(parent) {
                    self.list_line("LSUB", &["\\Noselect"], parent);
                }
            }
        }
        self.complete(tag, "OK Lsub completed.");
    }

    fn list_line(&mut self, word: &str, attributes: &[&str], name: &str) {
        let separator = self.separator();
        let name = self.encoded_name(name);
        let out = &mut self.output;
        out.extend_from_slice(format!("* {word} ({}) ", attributes.join(" ")).as_bytes());
        push_separator(out, separator);
        out.push(b' ');
        out.extend_from_slice(&name);
        out.extend_from_slice(b"\r\n");
    }

    pub(crate) fn status(&mut self, tag: &str, raw: &[u8], items: &[StatusItem]) {
        let Some(name) = self.name(tag, raw) else { return };
        let opened = self.store.open(&name);
        let (status, object_id) =
            match opened.and_then(|opened| Ok((self.store.status(&opened.id)?, opened.object_id))) {
                Ok(found) => found,
                Err(error) => return self.store_failed(tag, &error, Context::Other),
            };
        let texts: Vec<String> = items
            .iter()
            .map(|item| match item {
                StatusItem::Messages => format!("MESSAGES {}", status.messages),
                StatusItem::Recent => format!("RECENT {}", status.recent),
                StatusItem::UidNext => format!("UIDNEXT {}", status.uid_next),
                StatusItem::UidValidity => format!("UIDVALIDITY {}", status.uid_validity),
                StatusItem::Unseen => format!("UNSEEN {}", status.unseen),
                StatusItem::HighestModSeq => format!("HIGHESTMODSEQ {}", status.highest_modseq),
                StatusItem::MailboxId => format!("MAILBOXID ({})", objectid::mailbox_id(object_id)),
                StatusItem::Size => format!("SIZE {}", status.size_bytes),
                StatusItem::AppendLimit => {
                    format!("APPENDLIMIT {}", self.settings.offered.append_bytes_max)
                }
            })
            .collect();
        if items.contains(&StatusItem::HighestModSeq) {
            self.enable_condstore();
        }
        self.output.extend_from_slice(b"* STATUS ");
        // As the client wrote it, so that it finds its answer: INBOX has no case.
        match std::str::from_utf8(raw) {
            Ok(raw) if self.utf8 => encode::utf8_astring(&mut self.output, raw),
            _ => encode::astring(&mut self.output, raw),
        }
        self.say(&format!(" ({})", texts.join(" ")));
        if self.view.as_ref().is_some_and(|view| view.name == name) {
            self.complete(tag, "OK [CLIENTBUG] Status on selected mailbox completed.");
        } else {
            self.complete(tag, "OK Status completed.");
        }
    }
}

/// Reference and pattern as one pattern in UTF-8; nothing when no name can match it.
fn whole_pattern(reference: &[u8], pattern: &[u8], is_utf8: bool) -> Option<String> {
    let whole = [reference, pattern].concat();
    match is_utf8 {
        true => String::from_utf8(whole).ok(),
        false => mutf7::decode(&whole),
    }
}

/// Whether a name matches a pattern: `*` is anything, `%` anything but the separator. INBOX has no case.
fn matches_name(pattern: &str, name: &str, separator: char) -> bool {
    let first = name.split(separator).next().unwrap_or_default();
    let caseless = if first == "INBOX" { first.len() } else { 0 };
    matches_pattern(pattern.as_bytes(), name.as_bytes(), separator as u8, caseless)
}

/// One pass with one set of reachable positions: no pattern makes it take more than pattern × name steps. The first
/// `caseless` octets of the name have no case.
fn matches_pattern(pattern: &[u8], name: &[u8], separator: u8, caseless: usize) -> bool {
    let mut reachable = vec![false; name.len() + 1];
    reachable[0] = true;
    for &octet in pattern {
        if matches!(octet, b'*' | b'%') {
            for at in 0..name.len() {
                if reachable[at] && (octet == b'*' || name[at] != separator) {
                    reachable[at + 1] = true;
                }
            }
        } else {
            for at in (0..name.len()).rev() {
                let same = match at < caseless {
                    true => name[at].eq_ignore_ascii_case(&octet),
                    false => name[at] == octet,
                };
                reachable[at + 1] = reachable[at] && same;
            }
            reachable[0] = false;
        }
    }
    reachable[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "a/b", true),
            ("%", "a/b", false),
            ("%/%", "a/b", true),
            ("a%", "a", true),
            ("a*b", "a/x/b", true),
            ("a*b*", "a/x/c", false),
            ("inbox", "INBOX", true),
            ("in%", "INBOX", true),
            ("inbox/*", "INBOX/sub", true),
            ("*x/sub", "INBOX/sub", true),
            ("inbox/SUB", "INBOX/sub", false),
            ("inboxes", "INBOXES", false),
            ("", "a", false),
        ] {
            assert_eq!(matches_name(pattern, name, '/'), expected, "{pattern} {name}");
        }
        assert!(!matches_name(&"*a".repeat(200), &"a".repeat(199), '/'));
    }
}
