//! The index of one mailbox: opening, locking, reading, committing, folding the log into a new base.

use std::fs::File;
use std::num::NonZeroI64;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mailbox::{Changes, Flags, Keyword, MessageState, ModSeq, Uid, UidSet, UidValidity};
use os::locks::{self, Mode};

use crate::base::{self, Facts, Found};
use crate::change::{Change, Durability};
use crate::log::{Header, Log};
use crate::record::Record;
use crate::{Error, Result, object_id};

/// The log is folded into a new base after this many operations, or an eighth of the messages when that is more.
pub const FOLD_AFTER_OPERATIONS: usize = 2000;

/// How long another process may keep the lock: longer than reading the largest mailbox takes.
pub const LOCK_WAIT_MAX: Duration = Duration::from_secs(60);

/// How often opening starts anew when the files are replaced under it.
const OPEN_TRIES_MAX: usize = 5;

/// What is known about one mailbox, and what keeps it on disk.
#[derive(Debug)]
pub struct Index {
    directory: PathBuf,
    facts: Facts,
    log: Log,
    operations_in_log: usize,
    /// Whether there may be UIDs that are not on disk.
    unsettled: bool,
    created: bool,
    damage: Option<String>,
    out_of_use: bool,
}

/// The mailbox's lock: nobody else, in this process or another, changes the index or holds this lock. Not reentrant:
/// the same [`Index`] must not be locked twice at once.
#[derive(Debug)]
pub struct Lock {
    file: Arc<File>,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = locks::unlock_flock(&self.file, &self.path);
    }
}

impl Index {
    /// Opens the index in `directory`, which is made (mode 0700) when it is missing. A new or damaged index starts
    /// empty, with the UIDVALIDITY that `new_uid_validity` gives.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Gone`] when others keep removing it.
    pub fn open(directory: &Path, mut new_uid_validity: impl FnMut() -> UidValidity) -> Result<Index> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| Error::io("create", directory, error))?;
        for _ in 0..OPEN_TRIES_MAX {
            let log = Log::open(directory)?;
            let lock = wait_for_lock(&log)?;
            if !log.is_in_place() {
                continue;
            }
            let mut index = Index {
                directory: directory.to_owned(),
                facts: Facts::default(),
                log,
                operations_in_log: 0,
                unsettled: false,
                created: false,
                damage: None,
                out_of_use: false,
            };
            index.load(&mut new_uid_validity)?;
            drop(lock);
            return Ok(index);
        }
        Err(Error::Gone(directory.to_owned()))
    }

    /// Whether this call of [`Index::open`] made the index (also after damage): the store fills it.
    pub fn is_new(&self) -> bool {
        self.created
    }

    /// What was found damaged and replaced when the index was opened.
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Takes the lock, waiting for it, and reads what others have committed.
    ///
    /// # Errors
    /// [`Error::Gone`] when the mailbox was deleted or renamed; [`Error::Locked`] after [`LOCK_WAIT_MAX`];
    /// [`Error::Io`]; [`Error::OutOfUse`].
    pub fn lock(&mut self) -> Result<Lock> {
        if self.out_of_use {
            return Err(Error::OutOfUse(self.directory.clone()));
        }
        let lock = wait_for_lock(&self.log)?;
        if !self.log.is_in_place() {
            return Err(Error::Gone(self.directory.clone()));
        }
        let generation = self.facts.generation;
        let intact = match self.log.header()? {
            Some(header) if header.generation == generation => self.read_log(&header)?.is_none(),
            _ => false,
        };
        if !intact {
            // Folded by another process; or damaged, which opening the index anew mends.
            self.load(&mut || 0)?;
            if self.facts.uid_validity == 0 {
                return Err(Error::Gone(self.directory.clone()));
            }
        }
        Ok(lock)
    }

    /// UIDVALIDITY.
    pub fn uid_validity(&self) -> UidValidity {
        self.facts.uid_validity
    }

    /// What the mailbox is called for good, also when it is renamed ([`mailbox::Opened::object_id`]).
    pub fn object_id(&self) -> u64 {
        match self.facts.object_id {
            0 => u64::from(self.facts.uid_validity),
            object_id => object_id,
        }
    }

    /// What the content of a message is called for good ([`mailbox::MessageState::email_id`]).
    pub fn email_id(&self, record: &Record) -> u64 {
        match record.email_id {
            0 => object_id::mixed(self.object_id() ^ u64::from(record.uid).rotate_left(32)),
            email_id => email_id,
        }
    }

    /// The UID of the next message.
    pub fn uid_next(&self) -> Uid {
        self.facts.uid_next
    }

    /// The modseq of the newest change; at least 1.
    pub fn highest_modseq(&self) -> ModSeq {
        self.facts.highest_modseq
    }

    /// Messages from this UID on were not claimed as recent.
    pub fn first_recent(&self) -> Uid {
        self.facts.first_recent
    }

    /// What the store last remembered with [`Change::set_state`].
    pub fn state(&self) -> &[u8] {
        &self.facts.state
    }

    /// The keywords ever used here; their place is their bit in [`Record::keyword_bits`].
    pub fn keywords(&self) -> &[Keyword] {
        &self.facts.keywords
    }

    /// Every message, ascending by UID.
    pub fn records(&self) -> &[Record] {
        &self.facts.records
    }

    /// The message with this UID.
    pub fn record(&self, uid: Uid) -> Option<&Record> {
        let at = self
            .facts
            .records
            .binary_search_by_key(&uid, |record| record.uid)
            .ok()?;
        self.facts.records.get(at)
    }

    /// The messages whose UID is in `uids`, ascending; cheap for sets that span more than the mailbox.
    pub fn records_in<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = &'a Record> + 'a {
        uids.ranges().iter().flat_map(|&(first, last)| {
            let from = self.facts.records.partition_point(|record| record.uid < first);
            let to = self.facts.records.partition_point(|record| record.uid <= last);
            &self.facts.records[from..to]
        })
    }

    /// The key the store gave a message.
    pub fn key(&self, record: &Record) -> &[u8] {
        let at = record.key_at as usize;
        self.facts
            .keys
            .get(at..at + record.key_bytes as usize)
            .unwrap_or_default()
    }

    /// The flags of a message with the keywords' names.
    pub fn flags(&self, record: &Record) -> Flags {
        let mut keywords = Vec::new();
        let mut bits = record.keyword_bits;
        while bits != 0 {
            if let Some(keyword) = self.facts.keywords.get(bits.trailing_zeros() as usize) {
                keywords.push(keyword.clone());
            }
            bits &= bits - 1;
        }
        Flags {
            system: record.system,
            keywords,
        }
    }

    /// The message as a listing shows it.
    pub fn message_state(&self, record: &Record) -> MessageState {
        MessageState {
            uid: record.uid,
            modseq: record.modseq,
            flags: self.flags(record),
            size_bytes: record.size_bytes,
            internal_date_secs: record.internal_date_secs,
            save_date_secs: NonZeroI64::new(record.save_date_secs),
            email_id: self.email_id(record),
        }
    }

    /// What happened after `since`, as [`mailbox::Store::changes`] says it.
    pub fn changes(&self, since: ModSeq) -> Changes {
        let facts = &self.facts;
        let nothing_new = since >= facts.highest_modseq;
        let messages = match nothing_new {
            true => Vec::new(),
            false => facts
                .records
                .iter()
                .filter(|r| r.modseq > since)
                .map(|r| self.message_state(r))
                .collect(),
        };
        let history = match since {
            _ if nothing_new || since == 0 => Some(UidSet::new()),
            _ => facts.history.since(since),
        };
        let exact = history.is_some();
        let expunged = history.unwrap_or_else(|| self.not_messages());
        Changes {
            uid_validity: facts.uid_validity,
            uid_next: facts.uid_next,
            highest_modseq: facts.highest_modseq,
            messages,
            expunged,
            exact,
        }
    }

    /// Every UID below the next one that is not a message.
    fn not_messages(&self) -> UidSet {
        let mut set = UidSet::new();
        let mut free_from = 1;
        for record in &self.facts.records {
            if free_from < record.uid {
                set.insert_range(free_from, record.uid - 1);
            }
            free_from = record.uid + 1;
        }
        if free_from < self.facts.uid_next {
            set.insert_range(free_from, self.facts.uid_next - 1);
        }
        set
    }

    /// Begins a change, under the lock.
    pub fn change(&self, _lock: &Lock) -> Change {
        Change::new(&self.facts)
    }

    /// Carries out a change that was begun under the same lock. An empty one costs nothing. On an error nothing has
    /// changed.
    ///
    /// # Errors
    /// [`Error::Io`]; after a failed sync this index is [`Error::OutOfUse`].
    pub fn commit(&mut self, _lock: &Lock, change: Change, durability: Durability) -> Result<()> {
        if change.is_empty() {
            return Ok(());
        }
        if self.out_of_use {
            return Err(Error::OutOfUse(self.directory.clone()));
        }
        let fold_after = FOLD_AFTER_OPERATIONS.max(self.facts.records.len() / 8);
        if change.operations > fold_after {
            // Too large for the log: the new base is the commit.
            let mut facts = self.facts.clone();
            facts.apply(&change.payload).ok_or_else(malformed)?;
            return self.fold(facts);
        }
        let place = self.log.append(&change.payload)?;
        match durability {
            Durability::Synced => {
                if let Err(error) = self.sync_log() {
                    self.log.take_back(&place);
                    return Err(error);
                }
            }
            Durability::Unshown => self.unsettled = true,
            Durability::Cached => {}
        }
        self.operations_in_log += self.facts.apply(&change.payload).ok_or_else(malformed)?;
        if self.operations_in_log > fold_after {
            // The commit is done; a fold that fails is tried again at the next one.
            let _ = self.fold(self.facts.clone());
        }
        Ok(())
    }

    /// Waits until the UIDs of all messages are on disk, if they are not yet.
    ///
    /// # Errors
    /// [`Error::Io`]; after a failed sync this index is [`Error::OutOfUse`].
    pub fn settle(&mut self, _lock: &Lock) -> Result<()> {
        match self.unsettled {
            true => self.sync_log(),
            false => Ok(()),
        }
    }

    fn sync_log(&mut self) -> Result<()> {
        if let Err(error) = self.log.sync() {
            self.out_of_use = true;
            return Err(Error::io("sync", &self.log.path, error));
        }
        self.unsettled = false;
        // Without its mark a record is as durable; only damage to it would not be recognised.
        let _ = self.log.mark();
        Ok(())
    }

    /// Writes `facts` as the new base and starts the log anew.
    fn fold(&mut self, mut facts: Facts) -> Result<()> {
        facts.generation = self.facts.generation + 1;
        facts.compact_keys();
        let new = base::prepare(&self.directory, &facts)?;
        // Said before the base is in place: whoever reads the log meanwhile reads the base again, old or new.
        self.log.announce(facts.generation)?;
        if let Err(error) = base::put_in_place(&self.directory, &new) {
            self.out_of_use = true;
            return Err(error);
        }
        self.log.rewind(facts.generation);
        let _ = self.log.mark();
        self.operations_in_log = 0;
        self.unsettled = false;
        self.facts = facts;
        Ok(())
    }

    /// Reads base and log anew, making them when they are missing or damaged. Under the lock.
    fn load(&mut self, new_uid_validity: &mut dyn FnMut() -> UidValidity) -> Result<()> {
        let header = self.log.header()?;
        let log = self.log.path.display();
        let found = base::read(&self.directory)?;
        let (facts, header) = match (found, header) {
            (Found::Facts(facts), Some(header)) if header.fits(facts.generation) => (*facts, header),
            (Found::Facts(_), Some(_)) => {
                let base = base::path(&self.directory);
                return self.replace(
                    format!("{log} does not belong to {}", base.display()),
                    new_uid_validity,
                );
            }
            (Found::Facts(_), None) => {
                return self.replace(format!("{log} is missing or damaged"), new_uid_validity);
            }
            (Found::Damaged(what), _) => return self.replace(what, new_uid_validity),
            (Found::Nothing, Some(header)) if !header.was_in_use() => return self.create(new_uid_validity()),
            (Found::Nothing, None) if self.log.is_blank()? => return self.create(new_uid_validity()),
            (Found::Nothing, _) => {
                let base = base::path(&self.directory);
                return self.replace(format!("{} is missing", base.display()), new_uid_validity);
            }
        };
        self.facts = facts;
        if header.generation != self.facts.generation {
            // A crash between the announcement of a new base and its arrival.
            self.log.announce(self.facts.generation)?;
        }
        self.log.rewind(self.facts.generation);
        self.operations_in_log = 0;
        match self.read_log(&header)? {
            Some(damage) => self.replace(damage, new_uid_validity),
            None => Ok(()),
        }
    }

    /// What is there cannot be trusted: starts with nothing, under a new UIDVALIDITY.
    fn replace(&mut self, damage: String, new_uid_validity: &mut dyn FnMut() -> UidValidity) -> Result<()> {
        self.damage = Some(damage);
        self.create(new_uid_validity())
    }

    fn create(&mut self, uid_validity: UidValidity) -> Result<()> {
        if uid_validity == 0 {
            self.facts.uid_validity = 0;
            return Ok(());
        }
        // A generation that nothing left in an old log can have.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let facts = Facts::empty(since_epoch.as_nanos() as u64, uid_validity);
        self.log.prepare(facts.generation)?;
        let new = base::prepare(&self.directory, &facts)?;
        base::put_in_place(&self.directory, &new)?;
        self.log.rewind(facts.generation);
        self.log.mark()?;
        self.operations_in_log = 0;
        self.created = true;
        self.facts = facts;
        Ok(())
    }

    /// Carries out what the log holds beyond what was read; says what is damaged in it.
    fn read_log(&mut self, header: &Header) -> Result<Option<String>> {
        debug_assert_eq!(self.log.generation(), self.facts.generation);
        while let Some(payload) = self.log.next()? {
            self.operations_in_log += self.facts.apply(&payload).ok_or_else(malformed)?;
            // Another process may have left it to us to wait for the disk.
            self.unsettled |= !self.log.is_marked(header);
        }
        Ok(self.log.damage(header))
    }
}

fn wait_for_lock(log: &Log) -> Result<Lock> {
    locks::wait_flock(&log.file, &log.path, Mode::Exclusive, LOCK_WAIT_MAX).map_err(|error| match error {
        os::Error::Locked(path) => Error::Locked(path),
        error => Error::io("lock", &log.path, std::io::Error::other(error)),
    })?;
    Ok(Lock {
        file: Arc::clone(&log.file),
        path: log.path.clone(),
    })
}

/// A record that checks out but makes no sense: written by a version to come.
fn malformed() -> Error {
    Error::OverLimit("the index holds a change that this version does not know".to_owned())
}
