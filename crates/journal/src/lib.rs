//! The durable log: checksummed records, group commit, generations, recovery, recycling.
//!
//! In charge of one thing: when [`Journal::append`] reports success, the records survive a power cut, and after any
//! crash [`Journal::open`] replays everything reported, in order, and nothing torn. The queue's spool stands on it, other
//! small logs may. Not in charge of what records mean, nor of locking the directory against a second process.
//!
//! A log is a directory of segments: files of fixed size, filled with zeros and synced with their directory before
//! use, never extended, overwritten in place when nothing in them is needed ([`Journal::release_before`]). So a commit is
//! one write and one fdatasync, with no change of the file's metadata. Released strictly oldest first, since records
//! about earlier records are needed as long as those can be found on the disk.
//!
//! States on disk: a file shorter or longer than a segment or without a valid header is not in use (removed or taken as
//! a ready segment). A segment that is not the newest ends in a *seal*; without one it is damaged. The newest ends
//! at the first record whose checksum, generation, epoch or sequence does not fit. Every opening writes a *resume*
//! record with a new epoch, so that what a crash left behind the end can never be taken for a later record.
//! A *low water* record, durable before a released segment is overwritten, says which generations are void.
//!
//! While the disk lacks room, segments are smaller, down to a floor; then [`Error::Full`]. [`Journal::reserve`] keeps
//! octets in segments that are there already for records that must not be refused then; a log that nothing can be
//! added to opens all the same; and when nothing in it is needed ([`Journal::release_through`]), its only segment is
//! *begun again* in place: the new header, one sector, is synced before any old record is overwritten.
//!
//! An error of fdatasync is final: nothing is known about what it covered, so the journal refuses everything after it.
//! Entry type: [`Journal`]. Limits: [`Options`]. Measured by `examples/commits.rs`.

mod committer;
mod engine;
mod pool;
mod record;
mod recover;
mod segment;

use std::time::Duration;

pub use committer::{Journal, Reader};
pub use record::{HEADER_BYTES, KIND_MAX, Record};
pub use recover::{Entry, Report, inspect};
pub use segment::Pinned;

/// How a log is laid out and how it waits.
#[derive(Debug, Clone)]
pub struct Options {
    /// The size of a segment.
    pub segment_bytes: u64,
    /// The smallest size of a segment: smaller than `segment_bytes` ones are made while the disk lacks room.
    pub segment_bytes_min: u64,
    /// The size of the very first segment, small so that the first start need not write much.
    pub first_segment_bytes: u64,
    /// How many zero-filled segments are kept ready.
    pub ready_segments: usize,
    /// How many recycled segments are kept at most; more are removed.
    pub spare_segments_max: usize,
    /// How much may wait to be written before [`Error::Busy`].
    pub pending_bytes_max: usize,
    /// How long a lazy record waits at most for an urgent one to travel with.
    pub lazy_delay: Duration,
    /// Whether the log has threads of its own; without them everything happens in the caller's.
    pub background: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            segment_bytes: 64 * 1024 * 1024,
            segment_bytes_min: 64 * 1024,
            first_segment_bytes: 512 * 1024,
            ready_segments: 2,
            spare_segments_max: 8,
            pending_bytes_max: 256 * 1024 * 1024,
            lazy_delay: Duration::from_millis(20),
            background: true,
        }
    }
}

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// The segment's generation.
    pub generation: u32,
    /// The record's start in the segment, in octets.
    pub offset: u64,
}

impl Position {
    /// Where the record after this one of the same append is, when this one's payload has `payload_bytes`.
    pub fn after(self, payload_bytes: usize) -> Position {
        Position {
            generation: self.generation,
            offset: self.offset + record::encoded_bytes(payload_bytes),
        }
    }
}

/// Whether a record needs a flush of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody waits.
    Now,
    /// It may wait [`Options::lazy_delay`] to share a flush.
    Lazy,
}

/// Which part of the segments a record may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    /// What is free: behind it, the octets of [`Journal::reserve`] are left in segments that are there already.
    Free,
    /// Also the reserve, so that a full disk refuses it last.
    Reserved,
    /// What is free; when that is not enough, these are written instead, which may have the reserve.
    Shorter(Vec<Record>),
}

/// What went wrong.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A write or a flush failed; the log accepts nothing any more.
    #[error("the log was closed after a failed write: {0}")]
    Closed(world::Error),
    /// No segment could be made for want of space; later appends may succeed, and smaller ones, and those that may
    /// have the reserve.
    #[error("{}: a segment of the log wants {wanted_bytes} octets, there are {free_bytes}", dir.display())]
    Full {
        /// Where.
        dir: std::path::PathBuf,
        /// How many octets would have done.
        wanted_bytes: u64,
        /// How many there are.
        free_bytes: u64,
    },
    /// Too much is waiting to be written.
    #[error("too much is waiting to be written to the log")]
    Busy,
    /// A group of records does not fit into a segment.
    #[error("a record of {bytes} octets does not fit into a segment")]
    TooLarge {
        /// The size of the group.
        bytes: u64,
    },
    /// There is no such record (any more).
    #[error("no record at {}.{}", position.generation, position.offset)]
    Gone {
        /// Where it was looked for.
        position: Position,
    },
    /// A record does not have the checksum it was written with.
    #[error("the record at {}.{} is damaged", position.generation, position.offset)]
    Damaged {
        /// Which.
        position: Position,
    },
    /// A disk operation failed.
    #[error("{0}")]
    Disk(#[from] world::Error),
}

/// What the journal gives.
pub type Result<T> = std::result::Result<T, Error>;
