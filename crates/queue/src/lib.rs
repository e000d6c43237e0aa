//! The queue: durable spool, scheduler, administration.
//!
//! In charge of messages between their acceptance and the last recipient's outcome: [`Spool`] keeps them on disk and
//! is the only maker of [`Committed`], without which nobody may answer 250; [`scheduler::Scheduler`] (pure) says
//! what to try when; [`conduct`] carries that out on both; [`maildrop`] holds what `sendmail` left while the daemon was down; [`admin`] is what `mailq`,
//! `postsuper` and `postcat` do. Not in charge of where a recipient goes (`route`) or of delivering.
//! RFCs: 5321 §4.1.1.4 (responsibility for a message), §4.5.4 (retry strategies).
//! Limits: [`spool::INLINE_BYTES_MAX`], [`RECIPIENTS_MAX`].

pub mod admin;
pub mod backoff;
pub mod conduct;
pub mod maildrop;
pub mod outcome_lines;
pub mod scheduler;
pub mod spool;

pub use spool::{Committed, Content, Facts, Incoming, Message, Notice, Recovered, Spool};

/// The most recipients that one message may have (`smtpd_recipient_limit` and friends are lower).
pub const RECIPIENTS_MAX: usize = 1_000_000;

/// Which queue a message is in, as `mailq` and the directories of Postfix name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueName {
    /// Dropped by `sendmail`, not yet taken in.
    Maildrop,
    /// Accepted, not yet looked at by the scheduler.
    Incoming,
    /// Being delivered. Known in memory only: after a restart it is `Incoming` or `Deferred` again.
    Active,
    /// Tried, waiting for the next try.
    Deferred,
    /// Waiting for an administrator.
    Hold,
    /// Damaged; kept to be looked at.
    Corrupt,
}

impl QueueName {
    /// All of them, in the order in which Postfix lists them.
    pub const ALL: [QueueName; 6] = [
        QueueName::Maildrop,
        QueueName::Active,
        QueueName::Incoming,
        QueueName::Deferred,
        QueueName::Hold,
        QueueName::Corrupt,
    ];

    /// The queue of that name.
    pub fn parse(name: &str) -> Option<QueueName> {
        QueueName::ALL.into_iter().find(|queue| queue.as_str() == name)
    }

    /// Its place in [`QueueName::ALL`].
    pub fn rank(self) -> u8 {
        match self {
            QueueName::Maildrop => 0,
            QueueName::Active => 1,
            QueueName::Incoming => 2,
            QueueName::Deferred => 3,
            QueueName::Hold => 4,
            QueueName::Corrupt => 5,
        }
    }

    /// The name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            QueueName::Maildrop => "maildrop",
            QueueName::Incoming => "incoming",
            QueueName::Active => "active",
            QueueName::Deferred => "deferred",
            QueueName::Hold => "hold",
            QueueName::Corrupt => "corrupt",
        }
    }
}

impl std::fmt::Display for QueueName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong in the queue.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A second daemon on the same directory.
    #[error("queue directory {dir} is in use by process {}", process.map_or_else(|| "?".to_owned(), |p| p.to_string()))]
    InUse {
        /// The directory.
        dir: String,
        /// Who uses it, if known.
        process: Option<u32>,
    },
    /// The disk is full: answer `452 4.3.1 Insufficient system storage`; later messages may fit again.
    #[error("queue file system full: {0}")]
    Full(String),
    /// The log is closed for good after a failed sync: answer `451 4.3.0`; only a restart helps.
    #[error("queue stopped: {0}")]
    Stopped(String),
    /// What is known about messages is not on disk, though it was tried again: a restart would repeat deliveries.
    #[error(
        "what became of {messages} messages could not be written to the queue ({why}): after a restart they may be \
         delivered again"
    )]
    Unwritten {
        /// How many.
        messages: usize,
        /// Why.
        why: String,
    },
    /// Too much is waiting to be written: answer `451 4.3.2`, the client comes again.
    #[error("queue is overloaded")]
    Busy,
    /// No message has this id.
    #[error("{0}: no such message in the queue")]
    NoSuchMessage(String),
    /// A message, or what was to become one, has more than [`RECIPIENTS_MAX`] recipients, or an envelope over its limit.
    #[error("message envelope is too large")]
    EnvelopeTooLarge,
    /// What is on disk is not what was written.
    #[error("queue is damaged: {0}")]
    Damaged(String),
    /// Something lies in the maildrop that can be no message: a directory, a FIFO, a link, a file with a second name.
    #[error("{0}")]
    Irregular(String),
    /// A disk operation failed.
    #[error("queue: {0}")]
    Disk(world::Error),
}

impl Error {
    /// Whether the caller's user may not do that.
    pub fn is_permission_denied(&self) -> bool {
        matches!(self, Error::Disk(world::Error::Failed { source, .. })
            if source.kind() == std::io::ErrorKind::PermissionDenied)
    }
}

impl From<world::Error> for Error {
    fn from(error: world::Error) -> Error {
        match error {
            world::Error::Full { .. } => Error::Full(error.to_string()),
            other => Error::Disk(other),
        }
    }
}

impl From<journal::Error> for Error {
    fn from(error: journal::Error) -> Error {
        match error {
            journal::Error::Closed(_) => Error::Stopped(error.to_string()),
            journal::Error::Full { .. } => Error::Full(error.to_string()),
            journal::Error::Busy => Error::Busy,
            journal::Error::TooLarge { .. } => Error::EnvelopeTooLarge,
            journal::Error::Gone { .. } | journal::Error::Damaged { .. } => Error::Damaged(error.to_string()),
            journal::Error::Disk(error) => error.into(),
        }
    }
}

/// What queue operations give.
pub type Result<T> = std::result::Result<T, Error>;
