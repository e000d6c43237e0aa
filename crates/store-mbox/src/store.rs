//! The store: every mailbox of one account, each a file.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailbox::{
    Append, Appended, Body, Cache, Changes, Copied, Error, FlagChange, Flags, ListEntry, MailboxId,
    MailboxName, MessageState, ModSeq, Namespace, Opened, Report, Result, SpecialUse, Status, Store, Stored,
    SystemFlags, Uid, UidSet, Wake, Watch,
};
use mailbox_index::{Durability, Lock};

use crate::file::{MailboxFile, create_empty};
use crate::folders::{Folders, Kind, check_name};
use crate::keeper::Kept;
use crate::locking::Locks;
use crate::naming::Naming;
use crate::spool::Spool;

/// How much of a message is copied at once, in octets.
const PIECE_BYTES: usize = 32 * 1024;

/// One account's mbox files. Dropping it writes changed flags into the files (`Status:`, `X-Status:`).
pub struct MboxStore {
    shared: Arc<Shared>,
}

struct Shared {
    folders: Folders,
    locks: Locks,
    /// Who makes files beside INBOX where this process may not.
    kept: Option<Kept>,
    naming: Naming,
    special_use: Vec<(String, SpecialUse)>,
    report: Report,
    open: Mutex<HashMap<MailboxName, Arc<Mutex<MailboxFile>>>>,
}

impl MboxStore {
    /// The account whose folders are in `root` (made, mode 0700, when missing) and whose INBOX is the file `inbox`.
    ///
    /// # Errors
    /// [`Error::Io`] when `root` cannot be made.
    pub fn new(root: PathBuf, inbox: PathBuf, locks: Locks) -> Result<MboxStore> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&root)
            .map_err(crate::Error::io("create", &root))?;
        let shared = Shared {
            folders: Folders { root, inbox },
            locks,
            kept: None,
            naming: Naming::default(),
            special_use: Vec::new(),
            report: Arc::new(|_| {}),
            open: Mutex::default(),
        };
        Ok(MboxStore {
            shared: Arc::new(shared),
        })
    }

    /// The same store, as a namespace shows it: what every name but INBOX starts with, the separator, and what mailboxes are
    /// for by configuration (by their full name).
    pub fn shown(
        mut self,
        prefix: &str,
        separator: char,
        special_use: Vec<(String, SpecialUse)>,
    ) -> MboxStore {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            let prefix = prefix.to_owned();
            shared.naming = Naming { prefix, separator };
            shared.special_use = special_use;
        }
        self
    }

    /// The same store, whose INBOX lies in a mail spool that somebody else keeps.
    pub fn kept_by(mut self, kept: Kept) -> MboxStore {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.kept = Some(kept);
        }
        self
    }

    /// The same store, which tells `report` what it finds damaged.
    pub fn reporting(mut self, report: Report) -> MboxStore {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.report = report;
        }
        self
    }
}

impl Drop for MboxStore {
    fn drop(&mut self) {
        // Flags are safe in the index; the file is told for the sake of other programs.
        for mailbox in lock(&self.shared.open).values() {
            let _ = lock(mailbox).write_back();
        }
    }
}

impl Shared {
    /// The mailbox as an open file. `id` is its name.
    fn mailbox(&self, id: &MailboxId) -> Result<Arc<Mutex<MailboxFile>>> {
        let name = MailboxName::new(&id.0, '/');
        if let Some(mailbox) = lock(&self.open).get(&name) {
            return Ok(mailbox.clone());
        }
        match self.folders.kind(&name) {
            Kind::Folder => return Err(Error::NotSelectable(name.to_string())),
            Kind::Nothing if !name.is_inbox() => return Err(Error::NoSuchMailbox(name.to_string())),
            Kind::Other => return Err(not_regular(&self.folders.paths(&name).file)),
            Kind::Mailbox | Kind::Nothing => {}
        }
        let folders = &self.folders;
        let kept = self.kept.clone().filter(|_| name.is_inbox());
        let opened = MailboxFile::open(folders.paths(&name), (self.locks.clone(), kept), || {
            folders.new_validity(now_secs())
        })?;
        if let Some(damage) = opened.damage() {
            (self.report)(&damage);
        }
        let opened = Arc::new(Mutex::new(opened));
        Ok(lock(&self.open).entry(name).or_insert(opened).clone())
    }

    /// Runs `work` on a mailbox under its lock, after looking for changes. One that was deleted and made again is
    /// opened anew.
    fn with<R>(&self, id: &MailboxId, work: impl FnOnce(&mut MailboxFile, &Lock) -> Result<R>) -> Result<R> {
        let mut known = None;
        for last in [false, true] {
            let mailbox = self.mailbox(id)?;
            let mut mailbox = lock(&mailbox);
            let uid_validity = mailbox.index.uid_validity();
            if known
                .replace(uid_validity)
                .is_some_and(|known| known != uid_validity)
            {
                // What the caller means by a UID is another message by now.
                return Err(Error::UidValidityChanged);
            }
            match mailbox.lock() {
                Ok(held) => return work(&mut mailbox, &held),
                Err(error @ (Error::NoSuchMailbox(_) | Error::UidValidityChanged)) => {
                    self.forget(&MailboxName::new(&id.0, '/'));
                    if last {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::NoSuchMailbox(id.0.to_string()))
    }

    fn forget(&self, name: &MailboxName) {
        lock(&self.open).retain(|open, _| open != name && !is_below(open, name));
    }

    fn append(&self, id: &MailboxId, spool: &Spool) -> Result<Appended> {
        self.with(id, |mailbox, held| {
            let uids = mailbox.append(held, spool)?;
            Ok(Appended {
                uid_validity: mailbox.index.uid_validity(),
                uids,
            })
        })
    }

    fn spool(&self, id: &MailboxId) -> Result<Spool> {
        let name = MailboxName::new(&id.0, '/');
        self.mailbox(id)?;
        Ok(Spool::new(&self.folders.paths(&name).index)?)
    }

    fn rename_inbox(&self, store: &MboxStore, to: &MailboxName) -> Result<()> {
        store.create(to, None)?;
        let mut all = UidSet::new();
        all.insert_range(1, Uid::MAX);
        let (inbox, to) = (store.open(&MailboxName::inbox())?, store.open(to)?);
        store.move_messages(&inbox.id, &all, &to.id).map(|_| ())
    }
}

impl Store for MboxStore {
    fn namespaces(&self) -> Vec<Namespace> {
        let naming = &self.shared.naming;
        vec![Namespace::personal(&naming.prefix, naming.separator)]
    }

    fn list(&self) -> Result<Vec<ListEntry>> {
        let special_use = &self.shared.special_use;
        let entries = self.shared.folders.list()?.into_iter().filter_map(|mut entry| {
            entry.special_use = self.shared.folders.special_use(&entry.name);
            entry.name = self.shared.naming.outer(&entry.name)?;
            if entry.special_use.is_empty() {
                let configured = special_use
                    .iter()
                    .filter(|(name, _)| *name == entry.name.as_str());
                entry.special_use = configured.map(|(_, special_use)| *special_use).collect();
            }
            Some(entry)
        });
        Ok(entries.collect())
    }

    fn open(&self, name: &MailboxName) -> Result<Opened> {
        let name = &self.shared.naming.inner(name)?;
        if !name.is_inbox() {
            match self.shared.folders.kind(name) {
                Kind::Mailbox => {}
                Kind::Folder => return Err(Error::NotSelectable(name.to_string())),
                Kind::Other => return Err(not_regular(&self.shared.folders.paths(name).file)),
                Kind::Nothing => return Err(Error::NoSuchMailbox(name.to_string())),
            }
        }
        let id = MailboxId(Arc::from(name.as_str()));
        let look = || {
            self.shared.with(&id, |mailbox, _| {
                let index = &mailbox.index;
                Ok((index.uid_validity(), index.object_id(), mailbox.is_read_only()))
            })
        };
        let (uid_validity, object_id, read_only) = match look() {
            Err(Error::UidValidityChanged) => look()?,
            result => result?,
        };
        Ok(Opened {
            id,
            uid_validity,
            object_id,
            read_only,
        })
    }

    fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<()> {
        let name = &self.shared.naming.inner(name)?;
        check_name(name)?;
        match self.shared.folders.kind(name) {
            Kind::Nothing if !name.is_inbox() => {}
            _ => return Err(Error::MailboxExists(name.to_string())),
        }
        self.shared.folders.create_parents(name)?;
        let paths = self.shared.folders.paths(name);
        // What is left of an index here belonged to a file that somebody else removed.
        let _ = std::fs::remove_dir_all(&paths.index);
        create_empty(&paths.file)?;
        match special_use {
            Some(special_use) => self.shared.folders.note_special_use(name, special_use),
            None => Ok(()),
        }
    }

    fn create_node(&self, name: &MailboxName) -> Result<()> {
        let name = &self.shared.naming.inner(name)?;
        check_name(name)?;
        match self.shared.folders.kind(name) {
            Kind::Nothing if !name.is_inbox() => self.shared.folders.create_directory(name),
            _ => Err(Error::MailboxExists(name.to_string())),
        }
    }

    fn delete(&self, name: &MailboxName) -> Result<()> {
        let name = &self.shared.naming.inner(name)?;
        if name.is_inbox() {
            return Err(Error::InvalidName(name.to_string(), "INBOX can't be deleted."));
        }
        match self.shared.folders.kind(name) {
            Kind::Mailbox => {}
            Kind::Folder => return self.shared.folders.remove_directory(name),
            Kind::Other => return Err(not_regular(&self.shared.folders.paths(name).file)),
            Kind::Nothing => return Err(Error::NoSuchMailbox(name.to_string())),
        }
        let paths = self.shared.folders.paths(name);
        std::fs::remove_file(&paths.file).map_err(crate::Error::io("remove", &paths.file))?;
        let _ = std::fs::remove_dir_all(&paths.index);
        self.shared.forget(name);
        Ok(())
    }

    fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<()> {
        let (outer_to, from) = (to, &self.shared.naming.inner(from)?);
        let to = &self.shared.naming.inner(to)?;
        check_name(to)?;
        let folders = &self.shared.folders;
        if to.is_inbox() || folders.kind(to) != Kind::Nothing {
            return Err(Error::MailboxExists(to.to_string()));
        }
        if from.is_inbox() {
            return self.shared.rename_inbox(self, outer_to);
        }
        if folders.kind(from) == Kind::Nothing {
            return Err(Error::NoSuchMailbox(from.to_string()));
        }
        if is_below(to, from) {
            return Err(Error::InvalidName(
                to.to_string(),
                "a mailbox can't be moved below itself",
            ));
        }
        folders.create_parents(to)?;
        let (old, new) = (folders.paths(from), folders.paths(to));
        let said = crate::Error::io("rename", &old.file);
        // The index first: a mailbox without its index would get new UIDs.
        if let Some(parent) = new.index.parent() {
            std::fs::create_dir_all(parent).map_err(crate::Error::io("create", parent))?;
        }
        let _ = std::fs::remove_dir_all(&new.index);
        let _ = std::fs::rename(&old.index, &new.index);
        if let Err(error) = std::fs::rename(&old.file, &new.file) {
            let _ = std::fs::rename(&new.index, &old.index);
            return Err(said(error).into());
        }
        self.shared.forget(from);
        Ok(())
    }

    fn subscriptions(&self) -> Result<Vec<MailboxName>> {
        let names = self.shared.folders.subscriptions()?;
        let mut names: Vec<_> = names
            .iter()
            .filter_map(|name| self.shared.naming.outer(name))
            .collect();
        names.sort();
        Ok(names)
    }

    fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Result<()> {
        let name = &self.shared.naming.inner(name)?;
        if subscribed {
            check_name(name)?;
        }
        let _one_at_a_time = lock(&self.shared.open);
        let mut names = self.shared.folders.subscriptions()?;
        match (names.binary_search(name), subscribed) {
            (Err(at), true) => names.insert(at, name.clone()),
            (Ok(at), false) => drop(names.remove(at)),
            _ => return Ok(()),
        }
        Ok(self.shared.folders.write_subscriptions(&names)?)
    }

    fn directory(&self, name: &MailboxName) -> Result<Option<PathBuf>> {
        let name = self.shared.naming.inner(name)?;
        check_name(&name)?;
        Ok(Some(self.shared.folders.paths(&name).index))
    }

    fn status(&self, mailbox: &MailboxId) -> Result<Status> {
        self.shared.with(mailbox, |mailbox, _| {
            let index = &mailbox.index;
            let count = |wanted: &dyn Fn(&mailbox_index::Record) -> bool| {
                u32::try_from(index.records().iter().filter(|r| wanted(r)).count()).unwrap_or(u32::MAX)
            };
            Ok(Status {
                uid_validity: index.uid_validity(),
                uid_next: index.uid_next(),
                highest_modseq: index.highest_modseq(),
                messages: count(&|_| true),
                recent: count(&|r| r.uid >= index.first_recent()),
                unseen: count(&|r| !r.system.contains(SystemFlags::SEEN)),
                deleted: count(&|r| r.system.contains(SystemFlags::DELETED)),
                size_bytes: index.records().iter().map(|r| r.size_bytes).sum(),
            })
        })
    }

    fn changes(&self, mailbox: &MailboxId, since: ModSeq) -> Result<Changes> {
        self.shared
            .with(mailbox, |mailbox, _| Ok(mailbox.index.changes(since)))
    }

    fn claim_recent(&self, mailbox: &MailboxId) -> Result<UidSet> {
        self.shared.with(mailbox, |mailbox, held| {
            let first = mailbox.index.first_recent();
            let claimed = mailbox
                .index
                .records()
                .iter()
                .map(|r| r.uid)
                .filter(|uid| *uid >= first)
                .collect();
            if mailbox.index.uid_next() > first {
                let mut change = mailbox.index.change(held);
                change.set_first_recent(mailbox.index.uid_next());
                mailbox.index.commit(held, change, Durability::Cached)?;
            }
            Ok(claimed)
        })
    }

    fn append(&self, mailbox: &MailboxId) -> Result<Box<dyn Append>> {
        let spool = self.shared.spool(mailbox)?;
        Ok(Box::new(Appending {
            shared: self.shared.clone(),
            mailbox: mailbox.clone(),
            spool,
        }))
    }

    fn copy(&self, from: &MailboxId, uids: &UidSet, to: &MailboxId) -> Result<Copied> {
        let mut spool = self.shared.spool(to)?;
        let sources = self.shared.with(from, |mailbox, _| {
            let states: Vec<MessageState> = mailbox
                .index
                .records_in(uids)
                .map(|r| mailbox.index.message_state(r))
                .collect();
            for state in &states {
                spool.start(state.flags.clone(), state.internal_date_secs)?;
                spool.is_copy_of(state.email_id);
                copy_body(&*mailbox.body(state.uid)?, &mut spool)?;
            }
            Ok(states.iter().map(|state| state.uid).collect::<Vec<Uid>>())
        })?;
        spool.finish()?;
        let appended = self.shared.append(to, &spool)?;
        Ok(Copied {
            uid_validity: appended.uid_validity,
            pairs: sources.into_iter().zip(appended.uids).collect(),
        })
    }

    fn move_messages(&self, from: &MailboxId, uids: &UidSet, to: &MailboxId) -> Result<Copied> {
        let copied = self.copy(from, uids, to)?;
        let gone: UidSet = copied.pairs.iter().map(|(old, _)| *old).collect();
        self.shared
            .with(from, |mailbox, held| mailbox.expunge(held, &gone))?;
        Ok(copied)
    }

    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored> {
        self.shared.with(mailbox, |mailbox, held| {
            let mut stored = Stored::default();
            let mut changes = mailbox.index.change(held);
            let mut told: Vec<Uid> = Vec::new();
            for record in mailbox.index.records_in(uids) {
                told.push(record.uid);
                if unchanged_since.is_some_and(|since| record.modseq > since) {
                    stored.modified.insert(record.uid);
                    continue;
                }
                let before = mailbox.index.flags(record);
                let after = Flags::default().changed(&FlagChange::Add(before.changed(change)));
                if !same_flags(&before, &after) {
                    changes.set_flags(record.uid, &after)?;
                }
            }
            mailbox.index.commit(held, changes, Durability::Synced)?;
            let state = |uid: &Uid| mailbox.index.record(*uid).map(|r| mailbox.index.message_state(r));
            stored.messages = told.iter().filter_map(state).collect();
            Ok(stored)
        })
    }

    fn expunge(&self, mailbox: &MailboxId, uids: &UidSet) -> Result<UidSet> {
        self.shared.with(mailbox, |mailbox, held| {
            let deleted = |r: &&mailbox_index::Record| r.system.contains(SystemFlags::DELETED);
            let gone: UidSet = mailbox
                .index
                .records_in(uids)
                .filter(deleted)
                .map(|r| r.uid)
                .collect();
            mailbox.expunge(held, &gone)?;
            let records = mailbox.index.records().iter();
            mailbox.cache.clean(|| records.map(|r| r.uid).collect());
            Ok(gone)
        })
    }

    fn body(&self, mailbox: &MailboxId, uid: Uid) -> Result<Arc<dyn Body>> {
        self.shared.with(mailbox, |mailbox, _| mailbox.body(uid))
    }

    fn cache(&self, mailbox: &MailboxId) -> Option<Arc<dyn Cache>> {
        let mailbox = self.shared.mailbox(mailbox).ok()?;
        let cache = Arc::clone(&lock(&mailbox).cache);
        Some(cache)
    }

    fn watch(&self, mailbox: &MailboxId, wake: Wake) -> Result<Watch> {
        let name = MailboxName::new(&mailbox.0, '/');
        let paths = self.shared.folders.paths(&name);
        self.shared.mailbox(mailbox)?;
        let watch = |path: &std::path::Path| os::watch::watch(path, wake.clone()).map_err(crate::Error::from);
        // A missing INBOX is watched for by its directory.
        let parent = paths.file.parent().unwrap_or(&paths.file);
        let file = watch(if paths.file.exists() { &paths.file } else { parent })?;
        // Other sessions' flags are in the index only.
        let index = watch(&paths.index)?;
        Ok(Watch(Box::new((file, index))))
    }

    fn watch_names(&self, wake: Wake) -> Result<Watch> {
        let folders = &self.shared.folders;
        let watch = |path: &std::path::Path| os::watch::watch(path, wake.clone()).map_err(crate::Error::from);
        // Directories that are made later are noticed by what is done above them, their mailboxes by the next change.
        let mut watches = vec![watch(&folders.root)?];
        for entry in folders.list()? {
            let path = folders.paths(&entry.name).file;
            if !entry.name.is_inbox() && path.is_dir() {
                watches.push(watch(&path)?);
            }
        }
        Ok(Watch(Box::new(watches)))
    }
}

struct Appending {
    shared: Arc<Shared>,
    mailbox: MailboxId,
    spool: Spool,
}

impl Append for Appending {
    fn start(&mut self, flags: Flags, internal_date_secs: i64) -> Result<()> {
        let flags = Flags::default().changed(&FlagChange::Add(flags));
        Ok(self.spool.start(flags, internal_date_secs)?)
    }

    fn write(&mut self, content: &[u8]) -> Result<()> {
        Ok(self.spool.write(content)?)
    }

    fn commit(mut self: Box<Self>) -> Result<Appended> {
        self.spool.finish()?;
        self.shared.append(&self.mailbox, &self.spool)
    }
}

fn not_regular(path: &std::path::Path) -> Error {
    crate::Error::NotAMailbox(path.to_owned(), "it is not a regular file").into()
}

fn copy_body(body: &dyn Body, spool: &mut Spool) -> Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut offset = 0;
    loop {
        let count = body.read_at(offset, &mut piece)?;
        if count == 0 {
            return Ok(());
        }
        spool.write(&piece[..count])?;
        offset += count as u64;
    }
}

fn same_flags(a: &Flags, b: &Flags) -> bool {
    a.system == b.system
        && a.keywords.len() == b.keywords.len()
        && a.keywords.iter().all(|k| b.has_keyword(k))
}

fn is_below(name: &MailboxName, parent: &MailboxName) -> bool {
    name.as_str()
        .strip_prefix(parent.as_str())
        .is_some_and(|rest| rest.starts_with('/'))
}

pub(crate) fn now_secs() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
