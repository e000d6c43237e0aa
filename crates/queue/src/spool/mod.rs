//! The durable spool: what a message is on disk from the 250 to the last outcome.
//!
//! (The table of every legal state on disk comes with the bodies.)

mod incoming;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use envelope::{Envelope, Outcome, QueueId};
use world::World;

pub use incoming::{Committed, Incoming};

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
    /// Own threads for writing and preparing (the daemon), or everything in the caller's thread (tests, tools).
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
    /// Put it on hold instead of into the incoming queue.
    pub hold: bool,
    /// Postfix's named attributes: `log_client_name`, `log_client_address`, `log_protocol_name`, `sasl_username`,
    /// `log_message_origin`, `message_id` … in the order in which `postcat` shows them.
    pub attributes: Vec<(String, String)>,
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
    /// What is damaged, for the log; nothing here was removed.
    pub damage: Vec<String>,
    /// Content files that belonged to no accepted message and were removed.
    pub orphans_removed: usize,
}

/// The spool. Clones are the same spool.
#[derive(Clone)]
pub struct Spool {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
}

/// A message's content, readable at any place without loading it whole; stays readable until dropped even when the
/// message is removed meanwhile.
pub struct Content {
    size_bytes: u64,
}

impl Spool {
    /// Opens the spool in `dir` (made when missing), locks it against other daemons and recovers what is in it.
    ///
    /// # Errors
    /// [`Error::InUse`] when another daemon has it; [`Error::Disk`] when it cannot be read or written.
    pub fn open(dir: &Path, options: &SpoolOptions, world: &World) -> Result<(Spool, Recovered)> {
        let _ = (options, world);
        let inner = Arc::new(Inner { dir: dir.to_owned() });
        Err(Error::Stopped(format!(
            "{} not written yet",
            Spool { inner }.dir().display()
        )))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// Starts a message and gives it its queue id. Nothing is on disk yet. `now_micros`: since the Unix epoch.
    pub fn begin(&self, now_micros: i64) -> Incoming {
        incoming::begin(now_micros)
    }

    /// A message without its content.
    pub fn message(&self, id: &QueueId) -> Result<Message> {
        Err(Error::NoSuchMessage(id.to_string()))
    }

    /// A message's content.
    pub fn content(&self, id: &QueueId) -> Result<Content> {
        Err(Error::NoSuchMessage(id.to_string()))
    }

    /// Records what became of some recipients (`(index in the envelope, outcome)`). Returns at once; durable with
    /// the next commit, at the latest after a moment. A crash before that repeats the delivery, never loses one.
    pub fn record(&self, id: &QueueId, outcomes: Vec<(u32, Outcome)>) -> Result<()> {
        let _ = outcomes;
        Err(Error::NoSuchMessage(id.to_string()))
    }

    /// Moves a message to another queue. `Active` is not written to disk. To `Deferred` use [`Spool::defer`].
    pub fn move_to(&self, id: &QueueId, queue: QueueName) -> Result<()> {
        let _ = queue;
        Err(Error::NoSuchMessage(id.to_string()))
    }

    /// Moves a message to the deferred queue until `next_try_micros`.
    pub fn defer(&self, id: &QueueId, next_try_micros: i64) -> Result<()> {
        let _ = next_try_micros;
        Err(Error::NoSuchMessage(id.to_string()))
    }

    /// Forgets a message: all its recipients are done and the reports about them are committed, or an administrator
    /// deleted it. Returns at once, durable like [`Spool::record`].
    pub fn remove(&self, id: &QueueId) -> Result<()> {
        Err(Error::NoSuchMessage(id.to_string()))
    }

    /// Waits until everything recorded so far is on disk.
    pub fn flush(&self) -> Result<()> {
        Err(Error::Stopped("not written yet".into()))
    }

    /// All messages, in no order.
    pub fn queue_ids(&self) -> Vec<(QueueId, QueueName)> {
        Vec::new()
    }
}

impl Content {
    /// Its size in octets.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Reads at `offset`; fewer octets than asked for only at the end.
    pub fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<usize> {
        let _ = (bytes, offset);
        Err(Error::Stopped("not written yet".into()))
    }
}
