//! The in-memory store: the specification of [`Store`] that every other store is compared with.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use message::lines::ToCrlf;

use crate::cache::MemoryCache;
use crate::flags::KEYWORDS_MAX;
use crate::name::NAME_BYTES_MAX;
use crate::{
    Append, Appended, Body, Cache, Changes, Copied, Error, FlagChange, Flags, Keyword, ListEntry, MailboxId,
    MailboxName, MessageState, ModSeq, Namespace, Opened, Pop3Note, Result, SpecialUse, Status, Store,
    Stored, SystemFlags, Uid, UidSet, UidValidity, Wake, Watch,
};

/// One account's mail in memory. A clone is another handle on the same mail, as another session has it.
///
/// # Limits
/// [`KEYWORDS_MAX`] keywords a mailbox, [`NAME_BYTES_MAX`]; messages as memory allows.
#[derive(Clone)]
pub struct MemoryStore {
    account: Arc<Account>,
    separator: char,
}

struct Account {
    mail: Mutex<Mail>,
    watchers: Mutex<Watchers>,
    caches: Mutex<HashMap<MailboxId, Arc<MemoryCache>>>,
}

#[derive(Default)]
struct Watchers {
    next_token: u64,
    /// Without a mailbox: for changes of the names.
    waiting: BTreeMap<u64, (Option<MailboxId>, Wake)>,
}

struct Mail {
    mailboxes: BTreeMap<MailboxName, Mailbox>,
    subscriptions: BTreeSet<MailboxName>,
    next_id: u64,
    next_validity: UidValidity,
    next_email_id: u64,
}

#[derive(Clone)]
struct Mailbox {
    id: MailboxId,
    object_id: u64,
    uid_validity: UidValidity,
    uid_next: Uid,
    highest_modseq: ModSeq,
    messages: BTreeMap<Uid, Message>,
    expunged: Vec<(ModSeq, Uid)>,
    /// Messages with this UID or a higher one have not been claimed as recent.
    recent_from: Uid,
    keywords: Vec<Keyword>,
    special_use: Option<SpecialUse>,
}

#[derive(Clone)]
struct Message {
    modseq: ModSeq,
    flags: Flags,
    internal_date_secs: i64,
    email_id: u64,
    content: Arc<Vec<u8>>,
    uidl: Option<String>,
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new()
    }
}

impl MemoryStore {
    /// An account with an empty INBOX, hierarchy by `/`.
    pub fn new() -> MemoryStore {
        MemoryStore::with_separator('/')
    }

    /// An account with an empty INBOX and a separator of the caller's choice.
    pub fn with_separator(separator: char) -> MemoryStore {
        let mut mail = Mail {
            mailboxes: BTreeMap::new(),
            subscriptions: BTreeSet::new(),
            next_id: 1,
            next_validity: 1,
            next_email_id: 1,
        };
        mail.add(MailboxName::inbox(), None);
        let account = Account {
            mail: Mutex::new(mail),
            watchers: Mutex::default(),
            caches: Mutex::default(),
        };
        MemoryStore {
            account: Arc::new(account),
            separator,
        }
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        lock(&self.account.mail)
    }

    fn check_name(&self, name: &MailboxName) -> Result<()> {
        let text = name.as_str();
        let complaint = if text.is_empty() {
            "it is empty"
        } else if text.len() > NAME_BYTES_MAX {
            "it is too long"
        } else if text.split(self.separator).any(str::is_empty) {
            "a level of it is empty"
        } else if text.chars().any(char::is_control) {
            "it holds a control character"
        } else {
            return Ok(());
        };
        Err(Error::InvalidName(text.to_owned(), complaint))
    }

    fn is_below(&self, name: &MailboxName, parent: &MailboxName) -> bool {
        name.as_str()
            .strip_prefix(parent.as_str())
            .is_some_and(|rest| rest.starts_with(self.separator))
    }

    fn has_children(&self, mail: &Mail, name: &MailboxName) -> bool {
        mail.mailboxes.keys().any(|other| self.is_below(other, name))
    }

    /// The INBOX stays; its messages go to a new mailbox (RFC 9051 §6.3.6).
    fn rename_inbox(&self, mail: &mut Mail, to: &MailboxName) -> MailboxId {
        let inbox = mail
            .mailboxes
            .get(&MailboxName::inbox())
            .map(|m| (m.id.clone(), m.uids()));
        mail.add(to.clone(), None);
        let (id, uids) = inbox.expect("INBOX is never removed");
        let target = mail.mailboxes[to].id.clone();
        mail.transfer(&id, &uids, &target, true)
            .expect("both mailboxes were just there");
        id
    }
}

impl Mail {
    fn add(&mut self, name: MailboxName, special_use: Option<SpecialUse>) {
        let mailbox = Mailbox {
            id: MailboxId(Arc::from(format!("m{}", self.next_id))),
            object_id: self.next_id,
            uid_validity: self.next_validity,
            uid_next: 1,
            highest_modseq: 1,
            messages: BTreeMap::new(),
            expunged: Vec::new(),
            recent_from: 1,
            keywords: Vec::new(),
            special_use,
        };
        self.next_id += 1;
        self.next_validity += 1;
        self.mailboxes.insert(name, mailbox);
    }

    fn mailbox(&self, id: &MailboxId) -> Result<&Mailbox> {
        self.mailboxes
            .values()
            .find(|m| m.id == *id)
            .ok_or_else(|| Error::NoSuchMailbox(id.0.to_string()))
    }

    fn mailbox_mut(&mut self, id: &MailboxId) -> Result<&mut Mailbox> {
        self.mailboxes
            .values_mut()
            .find(|m| m.id == *id)
            .ok_or_else(|| Error::NoSuchMailbox(id.0.to_string()))
    }

    /// Copies messages, or moves them.
    fn transfer(&mut self, from: &MailboxId, uids: &UidSet, to: &MailboxId, remove: bool) -> Result<Copied> {
        let source = self.mailbox(from)?;
        let messages: Vec<(Uid, Message)> = source
            .messages
            .iter()
            .filter(|(uid, _)| uids.contains(**uid))
            .map(|(u, m)| (*u, m.clone()))
            .collect();
        let target = self.mailbox_mut(to)?;
        let uid_validity = target.uid_validity;
        let (old, content): (Vec<Uid>, Vec<Message>) = messages.into_iter().unzip();
        let new = target.add_all(content)?;
        if remove {
            self.mailbox_mut(from)?.remove_all(&old);
        }
        Ok(Copied {
            uid_validity,
            pairs: old.into_iter().zip(new).collect(),
        })
    }
}

impl Mailbox {
    fn uids(&self) -> UidSet {
        self.messages.keys().copied().collect()
    }

    /// Learns the keywords, or refuses all of them.
    fn learn_keywords<'a>(&mut self, flags: impl Iterator<Item = &'a Flags>) -> Result<()> {
        let mut known = self.keywords.clone();
        for keyword in flags.flat_map(|f| &f.keywords) {
            if !known.contains(keyword) {
                known.push(keyword.clone());
            }
        }
        if known.len() > KEYWORDS_MAX {
            return Err(Error::OverLimit(format!(
                "A mailbox can know {KEYWORDS_MAX} keywords"
            )));
        }
        self.keywords = known;
        Ok(())
    }

    /// Adds messages under one modseq; all or none.
    fn add_all(&mut self, messages: Vec<Message>) -> Result<Vec<Uid>> {
        self.learn_keywords(messages.iter().map(|m| &m.flags))?;
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        self.highest_modseq += 1;
        let mut uids = Vec::with_capacity(messages.len());
        for message in messages {
            self.messages.insert(
                self.uid_next,
                Message {
                    modseq: self.highest_modseq,
                    ..message
                },
            );
            uids.push(self.uid_next);
            self.uid_next += 1;
        }
        Ok(uids)
    }

    fn remove_all(&mut self, uids: &[Uid]) {
        if uids.is_empty() {
            return;
        }
        self.highest_modseq += 1;
        for uid in uids {
            self.messages.remove(uid);
            self.expunged.push((self.highest_modseq, *uid));
        }
    }

    fn change_flags(
        &mut self,
        uids: &UidSet,
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Stored {
        let mut stored = Stored::default();
        let modseq = self.highest_modseq + 1;
        for (&uid, message) in self.messages.iter_mut().filter(|(uid, _)| uids.contains(**uid)) {
            if unchanged_since.is_some_and(|since| message.modseq > since) {
                stored.modified.insert(uid);
            } else {
                let flags = without_repetition(message.flags.changed(change));
                if !same_flags(&flags, &message.flags) {
                    message.flags = flags;
                    message.modseq = modseq;
                    self.highest_modseq = modseq;
                }
            }
            stored.messages.push(message.state(uid));
        }
        stored
    }

    fn status(&self) -> Status {
        let having = |flag| count(self.messages.values().filter(|m| m.flags.system.contains(flag)));
        Status {
            uid_validity: self.uid_validity,
            uid_next: self.uid_next,
            highest_modseq: self.highest_modseq,
            messages: count(self.messages.values()),
            recent: count(self.messages.range(self.recent_from..)),
            unseen: count(self.messages.values()) - having(SystemFlags::SEEN),
            deleted: having(SystemFlags::DELETED),
            size_bytes: self.messages.values().map(|m| m.content.len() as u64).sum(),
        }
    }
}

impl Message {
    fn state(&self, uid: Uid) -> MessageState {
        MessageState {
            uid,
            modseq: self.modseq,
            flags: self.flags.clone(),
            size_bytes: self.content.len() as u64,
            internal_date_secs: self.internal_date_secs,
            // There is no clock in this layer.
            save_date_secs: None,
            email_id: self.email_id,
        }
    }
}

impl Account {
    /// Wakes those who watch one of the mailboxes; no lock of ours is held meanwhile.
    fn wake(&self, mailboxes: &[&MailboxId]) {
        let wakes: Vec<Wake> = lock(&self.watchers)
            .waiting
            .values()
            .filter(|(id, _)| id.as_ref().is_some_and(|id| mailboxes.contains(&id)))
            .map(|(_, wake)| wake.clone())
            .collect();
        wakes.iter().for_each(|wake| wake());
    }

    /// Wakes those who watch the names; no lock of ours is held meanwhile.
    fn wake_for_names(&self) {
        let watchers = lock(&self.watchers);
        let waiting = watchers.waiting.values().filter(|(id, _)| id.is_none());
        let wakes: Vec<Wake> = waiting.map(|(_, wake)| wake.clone()).collect();
        drop(watchers);
        wakes.iter().for_each(|wake| wake());
    }

    fn watch(self: &Arc<Account>, mailbox: Option<MailboxId>, wake: Wake) -> Watch {
        let mut watchers = lock(&self.watchers);
        let token = watchers.next_token;
        watchers.next_token += 1;
        watchers.waiting.insert(token, (mailbox, wake));
        Watch(Box::new(Watching {
            account: Arc::clone(self),
            token,
        }))
    }
}

impl Store for MemoryStore {
    fn namespaces(&self) -> Vec<Namespace> {
        vec![Namespace::personal("", self.separator)]
    }

    fn list(&self) -> Result<Vec<ListEntry>> {
        let mail = self.mail();
        let mut entries = BTreeMap::new();
        for (name, mailbox) in &mail.mailboxes {
            for (at, _) in name.as_str().match_indices(self.separator) {
                let node = MailboxName::new(&name.as_str()[..at], self.separator);
                entries.entry(node.clone()).or_insert(ListEntry {
                    name: node,
                    selectable: false,
                    no_inferiors: false,
                    exists: false,
                    special_use: Vec::new(),
                });
            }
            let entry = ListEntry {
                name: name.clone(),
                selectable: true,
                no_inferiors: false,
                exists: true,
                special_use: mailbox.special_use.into_iter().collect(),
            };
            entries.insert(name.clone(), entry);
        }
        let inbox = entries.remove(&MailboxName::inbox());
        Ok(inbox.into_iter().chain(entries.into_values()).collect())
    }

    fn open(&self, name: &MailboxName) -> Result<Opened> {
        let mail = self.mail();
        match mail.mailboxes.get(name) {
            Some(mailbox) => Ok(Opened {
                id: mailbox.id.clone(),
                uid_validity: mailbox.uid_validity,
                object_id: mailbox.object_id,
                read_only: false,
            }),
            None => Err(Error::NoSuchMailbox(name.to_string())),
        }
    }

    fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<()> {
        self.check_name(name)?;
        let mut mail = self.mail();
        if mail.mailboxes.contains_key(name) {
            return Err(Error::MailboxExists(name.to_string()));
        }
        mail.add(name.clone(), special_use);
        drop(mail);
        self.account.wake_for_names();
        Ok(())
    }

    fn delete(&self, name: &MailboxName) -> Result<()> {
        if name.is_inbox() {
            return Err(Error::InvalidName(name.to_string(), "INBOX can't be deleted."));
        }
        let mut mail = self.mail();
        match mail.mailboxes.remove(name) {
            Some(mailbox) => {
                drop(mail);
                self.account.wake(&[&mailbox.id]);
                self.account.wake_for_names();
                Ok(())
            }
            None => Err(Error::NoSuchMailbox(name.to_string())),
        }
    }

    fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<()> {
        self.check_name(to)?;
        let mut mail = self.mail();
        if mail.mailboxes.contains_key(to) || (self.has_children(&mail, to) && from != to) {
            return Err(Error::MailboxExists(to.to_string()));
        }
        if from.is_inbox() {
            let id = self.rename_inbox(&mut mail, to);
            drop(mail);
            self.account.wake(&[&id]);
            self.account.wake_for_names();
            return Ok(());
        }
        let moving: Vec<MailboxName> = mail
            .mailboxes
            .keys()
            .filter(|name| *name == from || self.is_below(name, from))
            .cloned()
            .collect();
        if moving.is_empty() {
            return Err(Error::NoSuchMailbox(from.to_string()));
        }
        if self.is_below(to, from) {
            return Err(Error::InvalidName(
                to.to_string(),
                "a mailbox can't be moved below itself",
            ));
        }
        for name in moving {
            let new = format!("{to}{}", &name.as_str()[from.as_str().len()..]);
            if let Some(mailbox) = mail.mailboxes.remove(&name) {
                mail.mailboxes
                    .insert(MailboxName::new(&new, self.separator), mailbox);
            }
        }
        drop(mail);
        self.account.wake_for_names();
        Ok(())
    }

    fn subscriptions(&self) -> Result<Vec<MailboxName>> {
        Ok(self.mail().subscriptions.iter().cloned().collect())
    }

    fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Result<()> {
        let mut mail = self.mail();
        if subscribed {
            self.check_name(name)?;
            mail.subscriptions.insert(name.clone());
        } else {
            mail.subscriptions.remove(name);
        }
        drop(mail);
        self.account.wake_for_names();
        Ok(())
    }

    fn status(&self, mailbox: &MailboxId) -> Result<Status> {
        Ok(self.mail().mailbox(mailbox)?.status())
    }

    fn changes(&self, mailbox: &MailboxId, since: ModSeq) -> Result<Changes> {
        let mail = self.mail();
        let mailbox = mail.mailbox(mailbox)?;
        let messages = mailbox
            .messages
            .iter()
            .filter(|(_, m)| m.modseq > since)
            .map(|(uid, m)| m.state(*uid))
            .collect();
        let mut expunged: Vec<Uid> = Vec::new();
        if since > 0 {
            expunged.extend(
                mailbox
                    .expunged
                    .iter()
                    .filter(|(modseq, _)| *modseq > since)
                    .map(|(_, uid)| *uid),
            );
            expunged.sort_unstable();
        }
        Ok(Changes {
            uid_validity: mailbox.uid_validity,
            uid_next: mailbox.uid_next,
            highest_modseq: mailbox.highest_modseq,
            messages,
            expunged: expunged.into_iter().collect(),
            exact: true,
        })
    }

    fn claim_recent(&self, mailbox: &MailboxId) -> Result<UidSet> {
        let mut mail = self.mail();
        let mailbox = mail.mailbox_mut(mailbox)?;
        let claimed = mailbox
            .messages
            .range(mailbox.recent_from..)
            .map(|(uid, _)| *uid)
            .collect();
        mailbox.recent_from = mailbox.uid_next;
        Ok(claimed)
    }

    fn append(&self, mailbox: &MailboxId) -> Result<Box<dyn Append>> {
        self.mail().mailbox(mailbox)?;
        Ok(Box::new(Appending {
            account: self.account.clone(),
            mailbox: mailbox.clone(),
            messages: Vec::new(),
            lines: ToCrlf::new(),
        }))
    }

    fn copy(&self, from: &MailboxId, uids: &UidSet, to: &MailboxId) -> Result<Copied> {
        let copied = self.mail().transfer(from, uids, to, false)?;
        self.account.wake(&[to]);
        Ok(copied)
    }

    fn move_messages(&self, from: &MailboxId, uids: &UidSet, to: &MailboxId) -> Result<Copied> {
        let moved = self.mail().transfer(from, uids, to, true)?;
        self.account.wake(&[from, to]);
        Ok(moved)
    }

    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored> {
        let mut mail = self.mail();
        let found = mail.mailbox_mut(mailbox)?;
        if let FlagChange::Set(flags) | FlagChange::Add(flags) = change {
            found.learn_keywords(std::iter::once(flags))?;
        }
        let stored = found.change_flags(uids, change, unchanged_since);
        drop(mail);
        self.account.wake(&[mailbox]);
        Ok(stored)
    }

    fn expunge(&self, mailbox: &MailboxId, uids: &UidSet) -> Result<UidSet> {
        let mut mail = self.mail();
        let found = mail.mailbox_mut(mailbox)?;
        let gone: Vec<Uid> = found
            .messages
            .iter()
            .filter(|(uid, m)| uids.contains(**uid) && m.flags.system.contains(SystemFlags::DELETED))
            .map(|(uid, _)| *uid)
            .collect();
        found.remove_all(&gone);
        drop(mail);
        self.account.wake(&[mailbox]);
        Ok(gone.into_iter().collect())
    }

    fn body(&self, mailbox: &MailboxId, uid: Uid) -> Result<Arc<dyn Body>> {
        let mail = self.mail();
        let message = mail
            .mailbox(mailbox)?
            .messages
            .get(&uid)
            .ok_or(Error::NoSuchMessage(uid))?;
        Ok(Arc::new(Content(message.content.clone())))
    }

    fn pop3_notes(&self, mailbox: &MailboxId) -> Result<HashMap<Uid, Pop3Note>> {
        let mail = self.mail();
        let messages = mail.mailbox(mailbox)?.messages.iter();
        let noted = messages.filter_map(|(uid, message)| {
            let uidl = Some(message.uidl.clone()?);
            Some((*uid, Pop3Note { uidl, order: None }))
        });
        Ok(noted.collect())
    }

    fn save_uidls(&self, mailbox: &MailboxId, uidls: &[(Uid, String)]) -> Result<()> {
        let mut mail = self.mail();
        let messages = &mut mail.mailbox_mut(mailbox)?.messages;
        for (uid, uidl) in uidls {
            if let Some(message) = messages.get_mut(uid) {
                message.uidl = Some(uidl.clone());
            }
        }
        Ok(())
    }

    fn cache(&self, mailbox: &MailboxId) -> Option<Arc<dyn Cache>> {
        let mut caches = lock(&self.account.caches);
        let cache = caches.entry(mailbox.clone()).or_default();
        Some(Arc::clone(cache) as Arc<dyn Cache>)
    }

    fn watch(&self, mailbox: &MailboxId, wake: Wake) -> Result<Watch> {
        self.mail().mailbox(mailbox)?;
        Ok(self.account.watch(Some(mailbox.clone()), wake))
    }

    fn watch_names(&self, wake: Wake) -> Result<Watch> {
        Ok(self.account.watch(None, wake))
    }
}

struct Watching {
    account: Arc<Account>,
    token: u64,
}

impl Drop for Watching {
    fn drop(&mut self) {
        lock(&self.account.watchers).waiting.remove(&self.token);
    }
}

struct Appending {
    account: Arc<Account>,
    mailbox: MailboxId,
    messages: Vec<(Flags, i64, Vec<u8>)>,
    lines: ToCrlf,
}

impl Append for Appending {
    fn start(&mut self, flags: Flags, internal_date_secs: i64) -> Result<()> {
        self.messages.push((flags, internal_date_secs, Vec::new()));
        self.lines = ToCrlf::new();
        Ok(())
    }

    fn write(&mut self, content: &[u8]) -> Result<()> {
        let (_, _, message) = self.messages.last_mut().expect("start() comes before write()");
        self.lines.feed(content, message);
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<Appended> {
        let mut mail = lock(&self.account.mail);
        let first_email_id = mail.next_email_id;
        mail.next_email_id += self.messages.len() as u64;
        let messages = (first_email_id..)
            .zip(self.messages)
            .map(|(email_id, (flags, internal_date_secs, content))| Message {
                modseq: 0,
                email_id,
                flags: without_repetition(flags),
                internal_date_secs,
                content: Arc::new(content),
                uidl: None,
            })
            .collect();
        let mailbox = mail.mailbox_mut(&self.mailbox)?;
        let appended = Appended {
            uid_validity: mailbox.uid_validity,
            uids: mailbox.add_all(messages)?,
        };
        drop(mail);
        self.account.wake(&[&self.mailbox]);
        Ok(appended)
    }
}

struct Content(Arc<Vec<u8>>);

impl Body for Content {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let count = into.len().min(self.0.len() - start);
        into[..count].copy_from_slice(&self.0[start..start + count]);
        Ok(count)
    }
}

/// Whether two messages have the same flags; the order of keywords means nothing.
fn same_flags(a: &Flags, b: &Flags) -> bool {
    a.system == b.system
        && a.keywords.len() == b.keywords.len()
        && a.keywords.iter().all(|k| b.has_keyword(k))
}

/// The flags with every keyword once.
fn without_repetition(flags: Flags) -> Flags {
    Flags::default().changed(&FlagChange::Add(flags))
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

/// A panic of another thread does not make mail unreadable: nothing here is left half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
