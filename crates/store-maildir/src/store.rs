//! The store: one account's maildir behind [`mailbox::Store`].

use std::cell::LazyCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailbox::{
    Append, Body, Cache, Changes, Copied, Error, FlagChange, ListEntry, MailboxId, MailboxName, ModSeq,
    Namespace, Opened, Pop3Note, Report, Result, SpecialUse, Status, Store, Stored, SystemFlags, Uid, UidSet,
    UidValidity, Wake, Watch,
};
use mailbox_index::{Durability, Lock, Record};

use crate::append::MaildirAppend;
use crate::folder::Folder;
use crate::names::Naming;
use crate::open_folders::OpenFolders;
use crate::{file_name, flags, folders, paths, subscriptions, transfer, uidlist, uidls};

/// How an account's maildir is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The hierarchy separator that clients see (Dovecot's `separator`); on disk it is a full stop.
    pub separator: char,
    /// What every name but INBOX starts with (Dovecot's `prefix`), ending in the separator, or empty.
    pub prefix: String,
    /// This host's name, for the names of new files.
    pub host: String,
    /// What mailboxes are for by configuration (Dovecot's `special_use`), by their full name.
    pub special_use: Vec<(String, SpecialUse)>,
}

impl Default for Options {
    /// As Dovecot without a `namespace` setting: no prefix, levels parted by full stops.
    fn default() -> Options {
        Options {
            separator: '.',
            prefix: String::new(),
            host: os::hostname::hostname(),
            special_use: Vec::new(),
        }
    }
}

/// One account's mail in a Maildir++ directory. Any number of them, in any number of processes, may be open on the same
/// directory at once.
pub struct MaildirStore {
    account: Arc<Account>,
}

/// What the parts of a store share.
pub(crate) struct Account {
    root: PathBuf,
    naming: Naming,
    pub(crate) host: String,
    special_use: Vec<(String, SpecialUse)>,
    report: Report,
    folders: Mutex<OpenFolders>,
}

impl MaildirStore {
    /// The account whose INBOX is the maildir at `root`; it need not exist yet.
    pub fn new(root: &Path, options: Options) -> MaildirStore {
        let naming = Naming {
            prefix: options.prefix,
            separator: options.separator,
        };
        MaildirStore {
            account: Arc::new(Account {
                root: root.to_owned(),
                naming,
                host: options.host,
                special_use: options.special_use,
                report: Arc::new(|_| {}),
                folders: Mutex::default(),
            }),
        }
    }

    /// The same store, which tells `report` what it finds damaged.
    pub fn reporting(mut self, report: Report) -> MaildirStore {
        if let Some(account) = Arc::get_mut(&mut self.account) {
            account.report = report;
        }
        self
    }
}

impl Account {
    fn folder_at(&self, directory: &str) -> Result<Arc<Mutex<Folder>>> {
        let mut folders = lock(&self.folders);
        if let Some(folder) = folders.get(directory) {
            return Ok(folder);
        }
        let folder = Arc::new(Mutex::new(self.open_folder(self.root.join(directory))?));
        folders.insert(directory, Arc::clone(&folder));
        Ok(folder)
    }

    /// Opens a mailbox; what was damaged is reported.
    fn open_folder(&self, path: PathBuf) -> Result<Folder> {
        let mut failure = None;
        let folder = Folder::open(path, || {
            folders::new_uid_validity(&self.root).unwrap_or_else(|error| {
                failure = Some(error);
                1
            })
        })?;
        if let Some(error) = failure {
            // Without a UIDVALIDITY of its own the mailbox must not be used.
            let _ = std::fs::remove_file(folder.path.join("yubin.index"));
            return Err(error);
        }
        if let Some(damage) = folder.damage() {
            (self.report)(&damage);
        }
        Ok(folder)
    }

    /// The open mailbox behind an id. Not yet locked, so it may be gone.
    fn folder(&self, id: &MailboxId) -> Result<Arc<Mutex<Folder>>> {
        let (_, directory) = parse_id(id)?;
        if !paths::is_maildir(&self.root.join(directory)) {
            lock(&self.folders).remove(directory);
            return Err(Error::NoSuchMailbox(self.name_of(directory)));
        }
        self.folder_at(directory)
    }

    /// Locks a mailbox's folder against other processes; one that is gone is forgotten.
    fn take_lock(&self, id: &MailboxId, folder: &mut Folder) -> Result<Lock> {
        let (uid_validity, directory) = parse_id(id)?;
        let taken = match folder.lock() {
            Err(Error::NoSuchMailbox(_)) => {
                // The open index is no longer the mailbox's; perhaps there is another by now.
                let path = self.root.join(directory);
                *folder = match paths::is_maildir(&path) {
                    true => self.open_folder(path)?,
                    false => return Err(Error::NoSuchMailbox(self.name_of(directory))),
                };
                folder.lock()?
            }
            result => result?,
        };
        match folder.index.uid_validity() == uid_validity {
            true => Ok(taken),
            false => Err(Error::UidValidityChanged),
        }
    }

    /// The content of a message of a mailbox that is open, without looking for what others did to it.
    fn body_as_seen(&self, id: &MailboxId, uid: Uid) -> Option<Arc<dyn Body>> {
        let (uid_validity, directory) = parse_id(id).ok()?;
        let folder = lock(&self.folders).get(directory)?;
        let folder = lock(&folder);
        match folder.index.uid_validity() == uid_validity {
            true => folder.body_as_seen(uid),
            false => None,
        }
    }

    /// Does something with a mailbox, alone.
    pub(crate) fn with_folder<T>(
        &self,
        id: &MailboxId,
        act: impl FnOnce(&mut Folder, &Lock) -> Result<T>,
    ) -> Result<T> {
        let folder = self.folder(id)?;
        let mut folder = lock(&folder);
        let taken = self.take_lock(id, &mut folder)?;
        act(&mut folder, &taken)
    }

    /// Copies, and afterwards removes the originals if that is wanted. Mailboxes are locked in the order of their
    /// directories, so that two who copy in opposite directions do not wait for each other.
    fn transfer(&self, from: &MailboxId, uids: &UidSet, to: &MailboxId, moving: bool) -> Result<Copied> {
        let originals = |copied: &Copied| -> UidSet { copied.pairs.iter().map(|pair| pair.0).collect() };
        let (from_directory, to_directory) = (parse_id(from)?.1, parse_id(to)?.1);
        if from_directory == to_directory {
            return self.with_folder(from, |folder, taken| {
                let copied = transfer::copy_within(folder, taken, uids, &self.host)?;
                if moving {
                    transfer::remove(folder, taken, &originals(&copied), |_| true)?;
                }
                Ok(copied)
            });
        }
        let (source, target) = (self.folder(from)?, self.folder(to)?);
        let (mut source, mut target) = if from_directory < to_directory {
            let source = lock(&source);
            (source, lock(&target))
        } else {
            let target = lock(&target);
            (lock(&source), target)
        };
        let (source_lock, target_lock) = if from_directory < to_directory {
            let source_lock = self.take_lock(from, &mut source)?;
            (source_lock, self.take_lock(to, &mut target)?)
        } else {
            let target_lock = self.take_lock(to, &mut target)?;
            (self.take_lock(from, &mut source)?, target_lock)
        };
        let copied = transfer::copy(
            (&mut source, &source_lock),
            (&mut target, &target_lock),
            uids,
            &self.host,
        )?;
        if moving {
            transfer::remove(&mut source, &source_lock, &originals(&copied), |_| true)?;
        }
        Ok(copied)
    }

    fn name_of(&self, directory: &str) -> String {
        let name = self.naming.mailbox(directory);
        name.map_or_else(|| "INBOX".to_owned(), |name| name.to_string())
    }

    /// The directory of a mailbox that must exist.
    fn existing(&self, name: &MailboxName) -> Result<String> {
        let directory = self.naming.directory(name)?;
        if name.is_inbox() || paths::is_maildir(&self.root.join(&directory)) {
            return Ok(directory);
        }
        match self.has_children(name)? {
            true => Err(Error::NotSelectable(name.to_string())),
            false => Err(Error::NoSuchMailbox(name.to_string())),
        }
    }

    /// As [`Account::existing`]; a name that others below it only imply is no mailbox.
    fn real(&self, name: &MailboxName) -> Result<String> {
        self.existing(name).map_err(|error| match error {
            Error::NotSelectable(name) => Error::NoSuchMailbox(name),
            error => error,
        })
    }

    fn has_children(&self, name: &MailboxName) -> Result<bool> {
        let entries = folders::list(&self.root, &self.naming)?;
        Ok(entries
            .iter()
            .any(|entry| self.naming.parents(&entry.name).any(|parent| parent == *name)))
    }

    fn open(&self, name: &MailboxName) -> Result<Opened> {
        let directory = self.real(name)?;
        if name.is_inbox() {
            paths::create_maildir(&self.root)?;
        }
        // Twice, for a mailbox that was deleted and made again since it was last open here.
        for _ in 0..2 {
            let folder = self.folder_at(&directory)?;
            let mut folder = lock(&folder);
            match folder.lock() {
                Ok(_) => {
                    let uid_validity = folder.index.uid_validity();
                    let id = MailboxId(format!("{uid_validity:010}{directory}").into());
                    return Ok(Opened {
                        id,
                        uid_validity,
                        object_id: folder.index.object_id(),
                        read_only: false,
                    });
                }
                Err(Error::NoSuchMailbox(_)) => lock(&self.folders).remove(&directory),
                Err(error) => return Err(error),
            };
        }
        Err(Error::NoSuchMailbox(name.to_string()))
    }

    fn rename_inbox(&self, to: &MailboxName, directory: &str) -> Result<()> {
        folders::create(&self.root, to, directory, None)?;
        let (inbox, target) = (self.open(&MailboxName::inbox())?, self.open(to)?);
        let mut all = UidSet::new();
        all.insert_range(1, Uid::MAX);
        self.transfer(&inbox.id, &all, &target.id, true).map(drop)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The messages by the bases of their names.
fn bases(folder: &Folder) -> HashMap<&[u8], Uid> {
    let records = folder.index.records().iter();
    records
        .map(|record| (file_name::base(folder.index.key(record)), record.uid))
        .collect()
}

/// An id is the UIDVALIDITY in ten digits and the directory.
fn parse_id(id: &MailboxId) -> Result<(UidValidity, &str)> {
    let parsed =
        id.0.split_at_checked(10)
            .and_then(|(number, rest)| Some((number.parse().ok()?, rest)));
    parsed.ok_or_else(|| Error::NoSuchMailbox(id.0.to_string()))
}

impl Store for MaildirStore {
    fn namespaces(&self) -> Vec<Namespace> {
        let naming = &self.account.naming;
        vec![Namespace::personal(&naming.prefix, naming.separator)]
    }

    fn list(&self) -> Result<Vec<ListEntry>> {
        let mut entries = folders::list(&self.account.root, &self.account.naming)?;
        for entry in &mut entries {
            let configured = self.account.special_use.iter();
            let configured = configured.filter(|(name, _)| *name == entry.name.as_str());
            if entry.special_use.is_empty() {
                entry.special_use = configured.map(|(_, special_use)| *special_use).collect();
            }
        }
        Ok(entries)
    }

    fn open(&self, name: &MailboxName) -> Result<Opened> {
        self.account.open(name)
    }

    fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<()> {
        let directory = self.account.naming.directory(name)?;
        paths::create_maildir(&self.account.root)?;
        folders::create(&self.account.root, name, &directory, special_use).map(drop)
    }

    fn delete(&self, name: &MailboxName) -> Result<()> {
        if name.is_inbox() {
            return Err(Error::InvalidName(name.to_string(), "INBOX can't be deleted"));
        }
        let directory = self.account.real(name)?;
        self.account.open(name)?;
        let folder = self.account.folder_at(&directory)?;
        lock(&self.account.folders).remove(&directory);
        // Under the lock: whoever is appending finishes before, whoever comes later finds the mailbox gone.
        let mut folder = lock(&folder);
        let taken = folder.lock()?;
        folders::delete(&self.account.root, &directory, &self.account.host)?;
        drop(taken);
        Ok(())
    }

    fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<()> {
        let account = &self.account;
        let target = account.naming.directory(to)?;
        if to.is_inbox() || paths::is_maildir(&account.root.join(&target)) || account.has_children(to)? {
            return Err(Error::MailboxExists(to.to_string()));
        }
        if from.is_inbox() {
            return account.rename_inbox(to, &target);
        }
        let source = match account.existing(from) {
            Err(Error::NotSelectable(_)) => account.naming.directory(from)?,
            other => other?,
        };
        if account.naming.parents(to).any(|parent| parent == *from) {
            return Err(Error::InvalidName(
                to.to_string(),
                "a mailbox cannot be moved below itself",
            ));
        }
        let mut open = lock(&account.folders);
        folders::rename(&account.root, &source, &target)?;
        open.remove_tree(&source);
        Ok(())
    }

    fn subscriptions(&self) -> Result<Vec<MailboxName>> {
        subscriptions::read(&self.account.root, &self.account.naming)
    }

    fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Result<()> {
        paths::create_maildir(&self.account.root)?;
        subscriptions::change(&self.account.root, &self.account.naming, name, subscribed)
    }

    fn directory(&self, name: &MailboxName) -> Result<Option<PathBuf>> {
        let directory = self.account.naming.directory(name)?;
        Ok(Some(self.account.root.join(directory)))
    }

    fn status(&self, mailbox: &MailboxId) -> Result<Status> {
        self.account.with_folder(mailbox, |folder, taken| {
            folder.sync(taken)?;
            let (index, records) = (&folder.index, folder.index.records());
            let count = |test: &dyn Fn(&Record) -> bool| records.iter().filter(|r| test(r)).count() as u32;
            Ok(Status {
                uid_validity: index.uid_validity(),
                uid_next: index.uid_next(),
                highest_modseq: index.highest_modseq(),
                messages: records.len() as u32,
                recent: count(&|r| r.uid >= index.first_recent()),
                unseen: count(&|r| !r.system.contains(SystemFlags::SEEN)),
                deleted: count(&|r| r.system.contains(SystemFlags::DELETED)),
                size_bytes: records.iter().map(|r| r.size_bytes).sum(),
            })
        })
    }

    fn changes(&self, mailbox: &MailboxId, since: ModSeq) -> Result<Changes> {
        self.account.with_folder(mailbox, |folder, taken| {
            folder.sync(taken)?;
            Ok(folder.index.changes(since))
        })
    }

    fn claim_recent(&self, mailbox: &MailboxId) -> Result<UidSet> {
        self.account.with_folder(mailbox, |folder, taken| {
            folder.sync(taken)?;
            let (first, next) = (folder.index.first_recent(), folder.index.uid_next());
            if first >= next {
                return Ok(UidSet::new());
            }
            let mut range = UidSet::new();
            range.insert_range(first, next - 1);
            let claimed = folder.index.records_in(&range).map(|record| record.uid).collect();
            let mut change = folder.index.change(taken);
            change.set_first_recent(next);
            folder.index.commit(taken, change, Durability::Cached)?;
            Ok(claimed)
        })
    }

    fn append(&self, mailbox: &MailboxId) -> Result<Box<dyn Append>> {
        let account = &self.account;
        let maildir = account.root.join(parse_id(mailbox)?.1);
        account.folder(mailbox)?;
        Ok(Box::new(MaildirAppend {
            account: Arc::clone(account),
            mailbox: mailbox.clone(),
            maildir,
            messages: Vec::new(),
        }))
    }

    fn copy(&self, from: &MailboxId, uids: &UidSet, to: &MailboxId) -> Result<Copied> {
        self.account.transfer(from, uids, to, false)
    }

    fn move_messages(&self, from: &MailboxId, uids: &UidSet, to: &MailboxId) -> Result<Copied> {
        self.account.transfer(from, uids, to, true)
    }

    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored> {
        self.account.with_folder(mailbox, |folder, taken| {
            folder.sync(taken)?;
            flags::change(folder, taken, uids, (change, unchanged_since))
        })
    }

    fn expunge(&self, mailbox: &MailboxId, uids: &UidSet) -> Result<UidSet> {
        self.account.with_folder(mailbox, |folder, taken| {
            let removed = transfer::remove(folder, taken, uids, |record| {
                record.system.contains(SystemFlags::DELETED)
            })?;
            folder.clean_cache();
            Ok(removed)
        })
    }

    fn body(&self, mailbox: &MailboxId, uid: Uid) -> Result<Arc<dyn Body>> {
        if let Some(body) = self.account.body_as_seen(mailbox, uid) {
            return Ok(body);
        }
        self.account
            .with_folder(mailbox, |folder, taken| folder.body(taken, uid))
    }

    fn storage_names(&self, mailbox: &MailboxId) -> Result<Option<HashMap<Uid, String>>> {
        self.account.with_folder(mailbox, |folder, taken| {
            folder.sync(taken)?;
            let name = |record: &Record| {
                let base = file_name::base(folder.index.key(record));
                (record.uid, String::from_utf8_lossy(base).into_owned())
            };
            Ok(Some(folder.index.records().iter().map(name).collect()))
        })
    }

    fn pop3_notes(&self, mailbox: &MailboxId) -> Result<HashMap<Uid, Pop3Note>> {
        self.account.with_folder(mailbox, |folder, taken| {
            folder.sync(taken)?;
            // Made only if there is a note: most mailboxes have none.
            let bases = LazyCell::new(|| bases(folder));
            let notes = uidls::read(&folder.path, |base| bases.contains_key(base))?;
            let noted = notes
                .into_iter()
                .filter_map(|(base, note)| Some((*bases.get(base.as_slice())?, note)));
            Ok(noted.collect())
        })
    }

    fn save_uidls(&self, mailbox: &MailboxId, uidls: &[(Uid, String)]) -> Result<()> {
        self.account.with_folder(mailbox, |folder, taken| {
            folder.sync(taken)?;
            let bases = bases(folder);
            let named = uidls.iter().filter_map(|(uid, uidl)| {
                let record = folder.index.record(*uid)?;
                let base = file_name::base(folder.index.key(record)).to_vec();
                Some((base, uidl.clone()))
            });
            uidls::save(&folder.path, |base| bases.contains_key(base), named)
        })
    }

    fn guid(&self, mailbox: &MailboxId) -> Result<Option<[u8; 16]>> {
        self.account
            .with_folder(mailbox, |folder, _| Ok(uidlist::guid(&folder.path)))
    }

    fn rescan(&self, mailbox: &MailboxId) -> Result<()> {
        self.account.with_folder(mailbox, |folder, taken| {
            folder.sync_reading(taken, true)?;
            folder.sync(taken)
        })
    }

    fn cache(&self, mailbox: &MailboxId) -> Option<Arc<dyn Cache>> {
        let folder = self.account.folder(mailbox).ok()?;
        let cache = Arc::clone(&lock(&folder).cache);
        Some(cache)
    }

    fn watch(&self, mailbox: &MailboxId, wake: Wake) -> Result<Watch> {
        let maildir = self.account.root.join(parse_id(mailbox)?.1);
        self.account.folder(mailbox)?;
        let mut watches = Vec::new();
        // The log tells of what needs no renaming: keywords without a letter.
        for part in ["new", "cur", "yubin.index.log"] {
            let path = maildir.join(part);
            let watching = os::watch::watch(&path, Arc::clone(&wake))
                .map_err(|error| paths::failed("watch", &path)(std::io::Error::other(error)))?;
            watches.push(watching);
        }
        Ok(Watch(Box::new(watches)))
    }

    fn watch_names(&self, wake: Wake) -> Result<Watch> {
        // Folders and the file of subscriptions are entries of the root.
        let root = &self.account.root;
        paths::create_maildir(root)?;
        let watching = os::watch::watch(root, wake)
            .map_err(|error| paths::failed("watch", root)(std::io::Error::other(error)))?;
        Ok(Watch(Box::new(watching)))
    }
}
