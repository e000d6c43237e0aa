//! INBOX as it was when the session began (RFC 1939 §4): which messages there are, what they are called, what becomes of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mailbox::{
    FlagChange, Flags, Keyword, MailboxId, MailboxName, MessageState, Pop3Note, Store, SystemFlags, Uid,
    UidSet, UidValidity,
};

use crate::digest;
use crate::session::{Delete, Duplicates, Settings};
use crate::uidl::{Parts, UidlFormat};

/// A message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) uid: Uid,
    pub(crate) size_bytes: u64,
    was_seen: bool,
    /// Retrieved in this session.
    pub(crate) seen: bool,
    pub(crate) deleted: bool,
}

/// The messages of a session, in its order.
pub(crate) struct Maildrop {
    store: Arc<dyn Store>,
    id: MailboxId,
    uid_validity: UidValidity,
    pub(crate) entries: Vec<Entry>,
    format: UidlFormat,
    /// What messages are called where they lie, when identifiers show that.
    names: Option<HashMap<Uid, String>>,
    notes: HashMap<Uid, Pop3Note>,
    /// The identifiers, where they are not made as they are asked for.
    uidls: Option<Vec<String>>,
}

impl Maildrop {
    /// Opens INBOX. Also what the administrator should be told.
    pub(crate) fn open(
        store: &Arc<dyn Store>,
        settings: &Settings,
    ) -> mailbox::Result<(Maildrop, Option<String>)> {
        let opened = store.open(&MailboxName::inbox())?;
        let changes = store.changes(&opened.id, 0)?;
        let notes = store.pop3_notes(&opened.id)?;
        let mut messages: Vec<&MessageState> = changes
            .messages
            .iter()
            .filter(|message| !is_hidden(message, settings.deleted_flag.as_ref()))
            .collect();
        let order = |message: &MessageState| notes.get(&message.uid).and_then(|note| note.order);
        // Stable: without a noted order the UIDs decide.
        messages.sort_by_key(|message| order(message).unwrap_or(u32::MAX));
        let mut maildrop = Maildrop {
            store: Arc::clone(store),
            entries: messages.into_iter().map(Entry::of).collect(),
            uid_validity: changes.uid_validity,
            format: settings.uidl.clone(),
            names: None,
            notes,
            uidls: None,
            id: opened.id,
        };
        let mut problem = None;
        if maildrop.format.uses_name() {
            maildrop.names = store.storage_names(&maildrop.id)?;
            if maildrop.names.is_none() && maildrop.format.needs_name() {
                let text =
                    "pop3_uidl_format: messages of this mailbox have no names for %f; %08Xu%08Xv is used";
                problem = Some(text.to_owned());
                maildrop.format = UidlFormat::default();
            }
        }
        Ok((maildrop, problem))
    }

    /// The messages that are not marked as deleted: how many, how many octets.
    pub(crate) fn left(&self) -> (usize, u64) {
        let left = self.entries.iter().filter(|m| !m.deleted);
        left.fold((0, 0), |(count, size), m| (count + 1, size + m.size_bytes))
    }

    /// The number of the last message that was seen before (RFC 1460: LAST), 0 without one.
    pub(crate) fn last_seen(&self) -> usize {
        let last = self.entries.iter().rposition(|m| m.was_seen);
        last.map_or(0, |at| at + 1)
    }

    /// The content of a message.
    pub(crate) fn body(&self, at: usize) -> mailbox::Result<Arc<dyn mailbox::Body>> {
        self.store.body(&self.id, self.entries[at].uid)
    }

    /// Makes all identifiers, if they cannot be made one by one; notes them where that is wanted.
    ///
    /// # Errors
    /// When a message cannot be read.
    pub(crate) fn identify(&mut self, settings: &Settings) -> mailbox::Result<()> {
        let is_simple = self.notes.is_empty()
            && !settings.reuse_xuidl
            && !settings.save_uidl
            && !settings.logout.uses_uidls()
            && settings.duplicates == Duplicates::Allow
            && !self.format.uses_digest(self.names.is_some());
        if is_simple || self.uidls.is_some() {
            return Ok(());
        }
        let mut given = HashSet::new();
        let mut uidls = Vec::with_capacity(self.entries.len());
        let mut unsaved = Vec::new();
        for at in 0..self.entries.len() {
            let (mut uidl, is_saved) = self.make(at, settings)?;
            if settings.duplicates == Duplicates::Rename {
                uidl = until_new(&mut given, uidl);
            }
            if settings.save_uidl && !is_saved {
                unsaved.push((self.entries[at].uid, uidl.clone()));
            }
            uidls.push(uidl);
        }
        if !unsaved.is_empty() {
            self.store.save_uidls(&self.id, &unsaved)?;
        }
        self.uidls = Some(uidls);
        Ok(())
    }

    /// The identifier of a message, and whether it was noted before.
    fn make(&self, at: usize, settings: &Settings) -> mailbox::Result<(String, bool)> {
        let uid = self.entries[at].uid;
        let noted = self.notes.get(&uid).and_then(|note| note.uidl.as_ref());
        if let Some(noted) = noted {
            return Ok((noted.clone(), true));
        }
        let mut header = Vec::new();
        let uses_digest = self.format.uses_digest(self.names.is_some());
        if settings.reuse_xuidl || uses_digest {
            header = match self.body(at) {
                Ok(body) => digest::header(body.as_ref())?,
                // Others were faster.
                Err(mailbox::Error::NoSuchMessage(_)) => Vec::new(),
                Err(error) => return Err(error),
            };
        }
        let reused = settings.reuse_xuidl.then(|| digest::field(&header, "x-uidl"));
        if let Some(uidl) = reused.flatten().filter(|uidl| !uidl.is_empty()) {
            return Ok((uidl, false));
        }
        let digest = match uses_digest {
            true => digest::of_header(&header, settings.digest),
            false => String::new(),
        };
        Ok((self.formatted(at, &digest), false))
    }

    fn formatted(&self, at: usize, digest: &str) -> String {
        let uid = self.entries[at].uid;
        let name = self
            .names
            .as_ref()
            .map(|names| names.get(&uid).map_or("", String::as_str));
        self.format.show(Parts {
            uid,
            uid_validity: self.uid_validity,
            name,
            digest,
        })
    }

    /// The identifier of a message, after [`Maildrop::identify`].
    pub(crate) fn uidl(&self, at: usize) -> String {
        match &self.uidls {
            Some(uidls) => uidls[at].clone(),
            None => self.formatted(at, ""),
        }
    }

    /// The identifiers, and which messages were deleted; `None` when nobody asked for them.
    pub(crate) fn identified(&self) -> Option<Vec<(String, bool)>> {
        let uidls = self.uidls.as_ref()?;
        let deleted = self.entries.iter().map(|entry| entry.deleted);
        Some(uidls.iter().cloned().zip(deleted).collect())
    }

    /// Forgets what was marked in this session.
    pub(crate) fn reset(&mut self) {
        for entry in &mut self.entries {
            entry.deleted = false;
            entry.seen = false;
        }
    }

    /// Makes all messages unseen (RFC 1460, where LAST is known).
    pub(crate) fn forget_seen(&mut self) -> mailbox::Result<()> {
        let seen: UidSet = self.uids(|m| m.was_seen);
        if !seen.is_empty() {
            let change = FlagChange::Remove(Flags::system(SystemFlags::SEEN));
            self.store.store_flags(&self.id, &seen, &change, None)?;
        }
        self.entries.iter_mut().for_each(|entry| entry.was_seen = false);
        Ok(())
    }

    /// What was retrieved is seen.
    pub(crate) fn update_seen(&self) -> mailbox::Result<()> {
        let seen: UidSet = self.uids(|m| m.seen && !m.was_seen && !m.deleted);
        if !seen.is_empty() {
            let change = FlagChange::Add(Flags::system(SystemFlags::SEEN));
            self.store.store_flags(&self.id, &seen, &change, None)?;
        }
        Ok(())
    }

    /// Removes, or hides, what was marked as deleted; returns how many messages were, and their octets.
    pub(crate) fn delete(&self, settings: &Settings) -> mailbox::Result<(u64, u64)> {
        let deleted: UidSet = self.uids(|m| m.deleted);
        if deleted.is_empty() {
            return Ok((0, 0));
        }
        match (settings.delete, &settings.deleted_flag) {
            (Delete::Hide, Some(keyword)) => {
                let change = FlagChange::Add(Flags {
                    keywords: vec![keyword.clone()],
                    ..Flags::default()
                });
                self.store.store_flags(&self.id, &deleted, &change, None)?;
            }
            _ => {
                let change = FlagChange::Add(Flags::system(SystemFlags::DELETED));
                self.store.store_flags(&self.id, &deleted, &change, None)?;
                self.store.expunge(&self.id, &deleted)?;
            }
        }
        let bytes = self.entries.iter().filter(|m| m.deleted).map(|m| m.size_bytes);
        Ok((deleted.count(), bytes.sum()))
    }

    fn uids(&self, wanted: impl Fn(&Entry) -> bool) -> UidSet {
        let entries = self.entries.iter().filter(|entry| wanted(entry));
        entries.map(|entry| entry.uid).collect()
    }
}

impl Entry {
    fn of(message: &MessageState) -> Entry {
        Entry {
            uid: message.uid,
            size_bytes: message.size_bytes,
            was_seen: message.flags.system.contains(SystemFlags::SEEN),
            seen: false,
            deleted: false,
        }
    }
}

fn is_hidden(message: &MessageState, deleted_flag: Option<&Keyword>) -> bool {
    deleted_flag.is_some_and(|flag| message.flags.has_keyword(flag))
}

/// The identifier, with a number behind it if another message has it.
fn until_new(given: &mut HashSet<String>, uidl: String) -> String {
    let mut new = uidl.clone();
    let mut number = 2;
    while !given.insert(new.clone()) {
        new = format!("{uidl}-{number}");
        number += 1;
    }
    new
}
