//! The durable spool: what a message is on disk from the 250 to the last outcome.
//!
//! Below the queue directory: `lock` (flock by the daemon, holds its process id), `log/` (the journal's segments),
//! `large/` (contents above the inline limit, one file each, named after the queue id), `maildrop/` ([`crate::maildrop`]).
//! Every legal state, who makes it, what recovery does, and what a crash just then costs:
//!
//! state | made by | recovery | cost
//! ---|---|---|---
//! file in `large/`, no record of that id | `Incoming::write` | removes it | the client, never answered 250, repeats
//! message record | `Incoming::commit`, compaction | the message is there, in the queue and state that it says | nothing
//! a second record of the same id | compaction | the later one counts | nothing
//! outcome record | `Spool::record` | those recipients are not tried again | without it: a delivery twice
//! move record | `defer`, `move_to` | the queue and next try it names | without it: an earlier try, or a hold forgotten (so it may be while the disk is full)
//! expiry record | `force_expire` | the message is returned at its next try | without it: an administrator asks again
//! removed record, file in `large/` still there | `remove` | removes the file | without it: the message's end again
//! outcome, move, removed record of an id that is not there | the same, its message long void | ignores it | nothing
//! stopped record, the last one | `Spool::finish` | no delivery was under way | without it: a warning that some may be repeated
//! message record without its file, or with one of another size | a damaged disk | reports it, moves it to `corrupt` | -
//!
//! What became of messages is never refused for want of room: it is reserved when they are accepted (`unwritten.rs`).
//! `active` is never on disk. Records of one message are appended in the order of its changes, because each is
//! appended while the index is locked.

mod compact;
mod content;
mod entry;
mod incoming;
mod index;
mod unwritten;

use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use envelope::{Envelope, Outcome, QueueId};
use journal::{Journal, Pinned, Position, Reader, Record, Room};
use world::{DiskLock, OpenMode, World};

pub use content::{Content, ContentReader};
pub use incoming::{Committed, Incoming};

use self::index::Index;
use self::unwritten::Change;
use crate::{Error, QueueName, Result};

/// The default of [`SpoolOptions::inline_bytes_max`].
pub const INLINE_BYTES_MAX: usize = 128 * 1024;

/// How a spool is laid out.
#[derive(Debug, Clone)]
pub struct SpoolOptions {
    /// The size of a log segment; at least 4 times `inline_bytes_max`.
    pub segment_bytes: u64,
    /// Content above this size streams into a file of its own while it arrives.
    pub inline_bytes_max: usize,
    /// Long queue ids (`enable_long_queue_ids`).
    pub long_queue_ids: bool,
    /// Own threads for writing and preparing (the daemon), or everything in the caller's thread (tests, tools). Without
    /// threads, [`Spool::record`] and the like are only durable after [`Spool::flush`] or the next commit.
    pub background: bool,
}

impl Default for SpoolOptions {
    fn default() -> SpoolOptions {
        SpoolOptions {
            segment_bytes: 64 * 1024 * 1024,
            inline_bytes_max: INLINE_BYTES_MAX,
            long_queue_ids: false,
            background: true,
        }
    }
}

/// What is known about a message besides envelope and content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// When it arrived: microseconds since the Unix epoch.
    pub arrival_micros: i64,
    /// Put it on hold instead of into the incoming queue. Not kept; the message's queue says it.
    pub hold: bool,
    /// Postfix's named attributes: `log_client_name`, `log_client_address`, `log_protocol_name`, `sasl_username`,
    /// `log_message_origin`, `message_id` … in the order in which `postcat` shows them.
    pub attributes: Vec<(String, String)>,
}

impl Facts {
    /// The value of the named attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A message of the queue without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its queue id.
    pub queue_id: QueueId,
    /// Where it is.
    pub queue: QueueName,
    /// Sender, recipients, options.
    pub envelope: Envelope,
    /// What else is known.
    pub facts: Facts,
    /// The content's size in octets.
    pub size_bytes: u64,
    /// When to try next: microseconds since the Unix epoch; 0 is now.
    pub next_try_micros: i64,
    /// What became of each recipient so far, in the order of `envelope.recipients`; `None` was not tried yet.
    pub outcomes: Vec<Option<Outcome>>,
    /// An administrator wants it returned at its next try (`postsuper -e`).
    pub forced_expire: bool,
}

/// A message as the scheduler must know it after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its queue id.
    pub queue_id: QueueId,
    /// Incoming, deferred, hold or corrupt.
    pub queue: QueueName,
    /// When it arrived.
    pub arrival_micros: i64,
    /// When to try next.
    pub next_try_micros: i64,
}

/// What opening a spool found.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// Every message, oldest first.
    pub messages: Vec<Known>,
    /// What is damaged, for the log; nothing of it was removed.
    pub damage: Vec<String>,
    /// Content files that belonged to no accepted message and were removed.
    pub orphans_removed: usize,
    /// The spool was not closed by [`Spool::finish`] the last time: deliveries may have been under way.
    pub unclean: bool,
}

/// What somebody should read in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something about messages cannot be written for now, because of this. It is remembered and tried again.
    Unwritten(String),
    /// All of it is written now.
    Written,
}

type Watcher = Box<dyn Fn(&Notice) + Send + Sync>;

/// The spool. Clones are the same spool.
#[derive(Clone)]
pub struct Spool {
    inner: Arc<Handle>,
}

/// What the clones share. When the last one goes, everything recorded is written, the threads end and the lock is
/// released, before its drop returns (unless an [`Incoming`] is still there).
struct Handle {
    inner: Arc<Inner>,
    tidy: Option<JoinHandle<()>>,
}

impl std::ops::Deref for Handle {
    type Target = Arc<Inner>;

    fn deref(&self) -> &Arc<Inner> {
        &self.inner
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.wake.tell(Tidy::Stop);
        if self.log().is_ok_and(Journal::is_committer) {
            // The last handle went inside an `on_done`, which cannot wait for its own thread; the rest ends by itself.
            return;
        }
        if let Some(thread) = self.tidy.take() {
            // A panic of that thread was reported where it happened.
            let _ = thread.join();
        }
        if let Ok(log) = self.log() {
            // A log that failed has told those who were waiting. Behind this, no callback holds the spool any more.
            if self.write_again().is_ok() && self.mark_at_end.load(Ordering::Relaxed) {
                let _ = self.mark(entry::KIND_STOPPED);
            }
            let _ = log.sync();
        }
    }
}

struct Inner {
    dir: PathBuf,
    options: SpoolOptions,
    world: World,
    index: Mutex<Index>,
    log: Log,
    serial: AtomicU64,
    long_queue_ids: AtomicBool,
    /// Who is told what should be in the log.
    watcher: Mutex<Option<Watcher>>,
    /// Something could not be written, and that was told.
    troubled: AtomicBool,
    /// The log ended with the mark of a clean end, and shall again: nobody delivers from this spool.
    mark_at_end: AtomicBool,
    wake: Arc<Wake>,
    _lock: Option<DiskLock>,
}

enum Log {
    Open(Box<Journal>),
    ReadOnly(Reader),
}

/// Wakes the maintaining thread.
#[derive(Default)]
struct Wake {
    tidy: Mutex<Tidy>,
    changed: Condvar,
}

/// What the maintaining thread shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Tidy {
    #[default]
    Sleep,
    Look,
    Stop,
}

impl Wake {
    fn tell(&self, what: Tidy) {
        let mut tidy = self.tidy.lock().unwrap_or_else(PoisonError::into_inner);
        if *tidy != Tidy::Stop {
            *tidy = what;
        }
        self.changed.notify_one();
    }
}

impl Spool {
    /// Opens the spool in `dir` (made when missing), locks it against other daemons and recovers what is in it.
    ///
    /// # Errors
    /// [`Error::InUse`] when another daemon has it; [`Error::Disk`], [`Error::Full`] when it cannot be read or written.
    pub fn open(dir: &Path, options: &SpoolOptions, world: &World) -> Result<(Spool, Recovered)> {
        let disk = &world.disk;
        for made in [dir.to_owned(), dir.join("large"), dir.join("log")] {
            disk.create_dir(&made)?;
        }
        let lock = disk.lock(&dir.join("lock")).map_err(|error| in_use(dir, error))?;
        disk.sync_dir(dir)?;
        let mut index = Index::default();
        let mut recovered = Recovered::default();
        let log_options = journal::Options {
            segment_bytes: options.segment_bytes.max(4 * options.inline_bytes_max as u64),
            background: options.background,
            ..journal::Options::default()
        };
        let (journal, report) = Journal::open(&dir.join("log"), &log_options, world, &mut |found| {
            recovered.damage.extend(index.replay(&found).err());
        })?;
        recovered.damage.extend(report.damage);
        recovered.unclean = !index.stopped && report.records > 0;
        journal.reserve(index.reserve_all());
        if let Some((generation, _)) = journal.segments().last() {
            index.confirm(Position {
                generation: *generation,
                offset: 0,
            });
        }
        let wake = Arc::new(Wake::default());
        let inner = Arc::new(Inner {
            dir: dir.to_owned(),
            options: options.clone(),
            world: world.clone(),
            index: Mutex::new(index),
            log: Log::Open(Box::new(journal)),
            // Short ids should look like Postfix's, whose number is an inode.
            serial: AtomicU64::new(world.random.next_u64() % 0x0fff_ffff),
            long_queue_ids: AtomicBool::new(options.long_queue_ids),
            watcher: Mutex::default(),
            troubled: AtomicBool::new(false),
            mark_at_end: AtomicBool::new(!recovered.unclean),
            wake: Arc::clone(&wake),
            _lock: Some(lock),
        });
        inner.check_large_files(&mut recovered)?;
        recovered.messages = inner.known();
        inner.release();
        let tidy = if options.background {
            let tidied = Arc::clone(&inner);
            let spawned = std::thread::Builder::new()
                .name("spool-tidy".into())
                .spawn(move || compact::run(&tidied, &wake));
            Some(spawned.map_err(|e| world::Error::from_io("start a thread for", dir, e))?)
        } else {
            None
        };
        Ok((
            Spool {
                inner: Arc::new(Handle { inner, tidy }),
            },
            recovered,
        ))
    }

    /// Whether nobody has the spool in `dir`: to be asked early, for a clear answer. [`Spool::open`] is what decides.
    ///
    /// # Errors
    /// [`Error::InUse`].
    pub fn check_unused(dir: &Path, world: &World) -> Result<()> {
        let lock = dir.join("lock");
        // Not made here: whoever asks may not be who will own it.
        if world.disk.open(&lock, OpenMode::Read).is_err() {
            return Ok(());
        }
        match world.disk.lock(&lock).map_err(|error| in_use(dir, error)) {
            Err(error @ Error::InUse { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    /// Looks at the spool in `dir` without locking or changing anything, while the daemon is down. What changes a message
    /// fails with [`Error::Stopped`].
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn open_read_only(dir: &Path, world: &World) -> Result<(Spool, Recovered)> {
        let mut index = Index::default();
        let mut recovered = Recovered::default();
        let (reader, report) = journal::inspect(&dir.join("log"), world, &mut |found| {
            recovered.damage.extend(index.replay(&found).err());
        })?;
        recovered.damage.extend(report.damage);
        let inner = Arc::new(Inner {
            dir: dir.to_owned(),
            options: SpoolOptions::default(),
            world: world.clone(),
            index: Mutex::new(index),
            log: Log::ReadOnly(reader),
            serial: AtomicU64::new(0),
            long_queue_ids: AtomicBool::new(false),
            watcher: Mutex::default(),
            troubled: AtomicBool::new(false),
            mark_at_end: AtomicBool::new(false),
            wake: Arc::default(),
            _lock: None,
        });
        recovered.messages = inner.known();
        Ok((
            Spool {
                inner: Arc::new(Handle { inner, tidy: None }),
            },
            recovered,
        ))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// Starts a message and gives it its queue id. Nothing is on disk yet. `now_micros`: since the Unix epoch.
    pub fn begin(&self, now_micros: i64) -> Incoming {
        let inner: &Arc<Inner> = &self.inner;
        loop {
            let serial = inner.serial.fetch_add(1, Ordering::Relaxed);
            let make = if inner.long_queue_ids.load(Ordering::Relaxed) {
                QueueId::long
            } else {
                QueueId::short
            };
            let id = make(now_micros, serial);
            let index = inner.lock_index();
            if !index.messages.contains_key(&id) && !index.unwritten.contains_key(&id) {
                drop(index);
                return Incoming::new(Arc::clone(inner), id);
            }
        }
    }

    /// A message without its content.
    ///
    /// # Errors
    /// [`Error::NoSuchMessage`], [`Error::Damaged`], [`Error::Disk`].
    pub fn message(&self, id: &QueueId) -> Result<Message> {
        let (found, pinned) = self.inner.find(id)?;
        let mut meta = vec![0; found.meta_bytes as usize];
        let n = pinned.read_at(&mut meta, entry::META_AT as u64)?;
        let decoded = entry::decode_meta(&meta[..n]).and_then(|(_, _, fixed)| entry::decode_fixed(fixed));
        let (envelope, attributes) =
            decoded.ok_or_else(|| Error::Damaged(format!("{id}: unreadable envelope")))?;
        let state = found.state;
        let outcomes = state.outcomes_in_order(envelope.recipients.len());
        Ok(Message {
            queue_id: id.clone(),
            queue: state.queue,
            envelope,
            facts: Facts {
                arrival_micros: state.arrival_micros,
                hold: state.queue == QueueName::Hold,
                attributes,
            },
            size_bytes: state.size_bytes,
            next_try_micros: state.next_try_micros,
            outcomes,
            forced_expire: state.forced_expire,
        })
    }

    /// What became of each recipient of a message so far: [`Message::outcomes`] of now, without reading the rest.
    ///
    /// # Errors
    /// [`Error::NoSuchMessage`].
    pub fn outcomes(&self, id: &QueueId) -> Result<Vec<Option<Outcome>>> {
        let index = self.inner.lock_index();
        let state = &index.messages.get(id).ok_or_else(|| no_such(id))?.state;
        Ok(state.outcomes_in_order(state.recipients as usize))
    }

    /// A message's content.
    ///
    /// # Errors
    /// [`Error::NoSuchMessage`], [`Error::Damaged`], [`Error::Disk`].
    pub fn content(&self, id: &QueueId) -> Result<Content> {
        let (found, pinned) = self.inner.find(id)?;
        if !found.is_in_file() {
            return Ok(Content::in_log(pinned, found.content_at()));
        }
        let file = self
            .inner
            .world
            .disk
            .open(&self.inner.large_path(id), OpenMode::Read)?;
        Ok(Content::in_file(file, found.state.size_bytes))
    }

    /// Records what became of some recipients (`(index in the envelope, outcome)`). Returns at once; durable with
    /// the next commit, at the latest after a moment. A crash before that repeats the delivery, never loses one.
    ///
    /// # Errors
    /// [`Error::NoSuchMessage`], [`Error::Stopped`].
    pub fn record(&self, id: &QueueId, outcomes: Vec<(u32, Outcome)>) -> Result<()> {
        let mut index = self.inner.lock_index();
        let message = index.messages.get_mut(id).ok_or_else(|| no_such(id))?;
        let change = Change {
            recipients: outcomes.iter().map(|(recipient, _)| *recipient).collect(),
            ..Change::default()
        };
        message.take_outcomes(outcomes);
        self.inner.note(&index, id, change)
    }

    /// Moves a message to another queue, to be tried at once when it is released. `Active` is not written to disk.
    ///
    /// # Errors
    /// [`Error::NoSuchMessage`], [`Error::Stopped`].
    pub fn move_to(&self, id: &QueueId, queue: QueueName) -> Result<()> {
        if queue != QueueName::Active {
            return self.put_into(id, queue, 0);
        }
        let mut index = self.inner.lock_index();
        index.messages.get_mut(id).ok_or_else(|| no_such(id))?.state.queue = queue;
        Ok(())
    }

    /// Moves a message to the deferred queue until `next_try_micros`.
    ///
    /// # Errors
    /// [`Error::NoSuchMessage`], [`Error::Stopped`].
    pub fn defer(&self, id: &QueueId, next_try_micros: i64) -> Result<()> {
        self.put_into(id, QueueName::Deferred, next_try_micros)
    }

    fn put_into(&self, id: &QueueId, queue: QueueName, next_try_micros: i64) -> Result<()> {
        let mut index = self.inner.lock_index();
        let message = index.messages.get_mut(id).ok_or_else(|| no_such(id))?;
        message.state.queue = queue;
        message.state.next_try_micros = next_try_micros;
        let change = Change {
            moved: true,
            ..Change::default()
        };
        self.inner.note(&index, id, change)
    }

    /// Marks a message as one that an administrator wants returned at its next try; `false` when it was so already.
    ///
    /// # Errors
    /// [`Error::NoSuchMessage`], [`Error::Stopped`].
    pub fn force_expire(&self, id: &QueueId) -> Result<bool> {
        let mut index = self.inner.lock_index();
        let state = &mut index.messages.get_mut(id).ok_or_else(|| no_such(id))?.state;
        if std::mem::replace(&mut state.forced_expire, true) {
            return Ok(false);
        }
        let change = Change {
            expired: true,
            ..Change::default()
        };
        self.inner.note(&index, id, change).map(|()| true)
    }

    /// Forgets a message: all its recipients are done and the reports about them are committed, or an administrator
    /// deleted it. Returns at once, durable like [`Spool::record`].
    ///
    /// # Errors
    /// [`Error::NoSuchMessage`], [`Error::Stopped`].
    pub fn remove(&self, id: &QueueId) -> Result<()> {
        let inner: &Arc<Inner> = &self.inner;
        // Nothing is ever written again: better a message that stays than one that comes back.
        if let Some(failure) = inner.log()?.failure() {
            return Err(failure.into());
        }
        let mut index = inner.lock_index();
        let message = index.messages.remove(id).ok_or_else(|| no_such(id))?;
        // What was to be said of it matters no more.
        index.unwritten.remove(id);
        inner.note_removal(id, Box::new(message))
    }

    /// Waits until everything recorded so far is on disk; what could not be written is tried once more. That there was no
    /// room for deferrals is no error: they are found out again.
    ///
    /// # Errors
    /// [`Error::Unwritten`], [`Error::Stopped`].
    pub fn flush(&self) -> Result<()> {
        let written = self.inner.log()?.sync();
        match &written {
            // What had no room is remembered, and tried again here.
            Ok(()) | Err(journal::Error::Full { .. }) => {}
            Err(_) => return Ok(written?),
        }
        if self.inner.lock_index().unwritten.is_empty() {
            return Ok(written?);
        }
        match self.inner.write_again().map_err(|_| self.inner.unwritten()) {
            Err(Error::Unwritten { messages: 0, .. }) => Ok(()),
            other => other,
        }
    }

    /// Somebody delivers from this spool from now on: only [`Spool::finish`] marks its end as a clean one.
    pub fn start(&self) {
        self.inner.mark_at_end.store(false, Ordering::Relaxed);
        // Where that cannot be done, nothing can be.
        let _ = self.inner.mark(entry::KIND_STARTED);
    }

    /// [`Spool::flush`], and a mark that no delivery was under way at the end. The last thing to be done.
    ///
    /// # Errors
    /// As [`Spool::flush`]. Without the mark the next start says that deliveries may be repeated.
    pub fn finish(&self) -> Result<()> {
        self.flush()?;
        self.inner.mark(entry::KIND_STOPPED)?;
        Ok(self.inner.log()?.sync()?)
    }

    /// Has `told` called with what should be in the log, from any thread.
    pub fn watch(&self, told: impl Fn(&Notice) + Send + Sync + 'static) {
        *self.inner.lock_watcher() = Some(Box::new(told));
        if self.inner.troubled.load(Ordering::Relaxed) {
            let text = self.inner.unwritten().to_string();
            self.inner.tell(&Notice::Unwritten(text));
        }
    }

    /// Queue ids are long from now on, or short (`enable_long_queue_ids`).
    pub fn set_long_queue_ids(&self, long: bool) {
        self.inner.long_queue_ids.store(long, Ordering::Relaxed);
    }

    /// Releases and compacts the log now; with `background` that happens by itself.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub fn maintain(&self) -> Result<()> {
        self.inner.maintain()
    }

    /// All messages, in no order.
    pub fn queue_ids(&self) -> Vec<(QueueId, QueueName)> {
        let index = self.inner.lock_index();
        index
            .messages
            .iter()
            .map(|(id, message)| (id.clone(), message.queue()))
            .collect()
    }

    /// In which queue a message is.
    pub fn queue_of(&self, id: &QueueId) -> Option<QueueName> {
        self.inner.lock_index().messages.get(id).map(index::Entry::queue)
    }

    /// The next `at_most` messages behind `after` in the order of a listing: by queue ([`QueueName::rank`]), the oldest
    /// first in each. Needs memory for so many only, and looks at every message.
    pub fn listed_after(&self, after: Option<&Known>, at_most: usize) -> Vec<Known> {
        let index = self.inner.lock_index();
        let after = after.map(|known| (known.queue.rank(), known.arrival_micros, &known.queue_id));
        let mut first = BinaryHeap::new();
        for (id, message) in &index.messages {
            let key = (message.queue().rank(), message.state.arrival_micros, id);
            if after.is_some_and(|after| key <= after) {
                continue;
            }
            if first.len() < at_most {
                first.push(key);
            } else if first.peek().is_some_and(|last| key < *last) {
                first.pop();
                first.push(key);
            }
        }
        let ids = first.into_sorted_vec().into_iter().map(|(_, _, id)| id);
        let known = ids.filter_map(|id| Some(known(id, index.messages.get(id)?)));
        known.collect()
    }

    /// How many messages are in the queue.
    pub fn message_count(&self) -> usize {
        self.inner.lock_index().messages.len()
    }
}

impl Inner {
    fn lock_index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> Result<&Journal> {
        match &self.log {
            Log::Open(journal) => Ok(journal),
            Log::ReadOnly(_) => Err(Error::Stopped("it was opened for reading only".into())),
        }
    }

    fn large_dir(&self) -> PathBuf {
        self.dir.join("large")
    }

    fn large_path(&self, id: &QueueId) -> PathBuf {
        self.large_dir().join(id.as_str())
    }

    /// The message and its record, pinned before compaction can void it.
    fn find(&self, id: &QueueId) -> Result<(index::Entry, Pinned)> {
        let index = self.lock_index();
        let found = index.messages.get(id).ok_or_else(|| no_such(id))?.clone();
        let pinned = match &self.log {
            Log::Open(journal) => journal.pin(found.position)?,
            Log::ReadOnly(reader) => reader.pin(found.position)?,
        };
        Ok((found, pinned))
    }

    fn lock_watcher(&self) -> MutexGuard<'_, Option<Watcher>> {
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, notice: &Notice) {
        if let Some(told) = &*self.lock_watcher() {
            told(notice);
        }
    }

    /// Appends a mark of a start or a clean end.
    fn mark(&self, kind: u16) -> Result<()> {
        let record = Record {
            kind,
            payload: Vec::new(),
        };
        self.log()?.append_lazily(vec![record], Room::Reserved, |_| {});
        Ok(())
    }

    /// A removal is durable: gives back what the message took.
    fn removed(&self, id: &QueueId, message: &index::Entry, position: Position) {
        if message.is_in_file() {
            // What cannot be removed now is removed as an orphan by the next start.
            let _ = self.world.disk.remove(&self.large_path(id));
        }
        let mut index = self.lock_index();
        index.forget(message.position, message.record_bytes);
        let grown = index.confirm(position);
        let oldest_is_void = index.void_below() > self.log().map_or(0, Journal::oldest);
        let void_through = index.void_through();
        drop(index);
        self.unreserve(message.reserved_bytes);
        if let (Ok(log), Some(position)) = (self.log(), void_through) {
            log.release_through(position);
        }
        if grown || oldest_is_void {
            self.wake_up();
        }
    }

    /// Has the log maintained soon.
    fn wake_up(&self) {
        self.wake.tell(Tidy::Look);
    }

    /// Every message, oldest first.
    fn known(&self) -> Vec<Known> {
        let index = self.lock_index();
        let known = index.messages.iter().map(|(id, message)| known(id, message));
        let mut known: Vec<Known> = known.collect();
        known.sort_by(|a, b| (a.arrival_micros, &a.queue_id).cmp(&(b.arrival_micros, &b.queue_id)));
        known
    }

    /// Removes content files without a message; marks messages without their file.
    fn check_large_files(&self, recovered: &mut Recovered) -> Result<()> {
        let disk = &self.world.disk;
        let mut index = self.lock_index();
        for file in disk.list(&self.large_dir())? {
            let wanted = QueueId::parse(&file.name)
                .is_some_and(|id| index.messages.get(&id).is_some_and(index::Entry::is_in_file));
            if !wanted && !file.is_dir {
                disk.remove(&self.large_dir().join(&file.name))?;
                recovered.orphans_removed += 1;
            }
        }
        for (id, message) in index
            .messages
            .iter_mut()
            .filter(|(_, message)| message.is_in_file())
        {
            let size = disk
                .open(&self.large_path(id), OpenMode::Read)
                .and_then(|file| file.size_bytes());
            if !matches!(size, Ok(size) if size == message.state.size_bytes) {
                recovered
                    .damage
                    .push(format!("{id}: its content file is missing or has the wrong size"));
                message.state.queue = QueueName::Corrupt;
            }
        }
        Ok(())
    }
}

fn known(id: &QueueId, message: &index::Entry) -> Known {
    Known {
        queue_id: id.clone(),
        queue: message.queue(),
        arrival_micros: message.state.arrival_micros,
        next_try_micros: message.state.next_try_micros,
    }
}

fn no_such(id: &QueueId) -> Error {
    Error::NoSuchMessage(id.to_string())
}

fn in_use(dir: &Path, error: world::Error) -> Error {
    match error {
        world::Error::Locked { process, .. } => Error::InUse {
            dir: dir.display().to_string(),
            process,
        },
        other => other.into(),
    }
}
