//! The persistent facts of one mailbox, for every store whose format has no room for them.
//!
//! In charge of UIDVALIDITY, UIDs, modseqs, flags, keywords, sizes, dates, recent marks, the expunge history
//! and one opaque key a message (where the store finds it). Not in charge of message content, nor of noticing
//! what other programs do to it: the store compares and commits a [`Change`].
//!
//! Entry type: [`Index`]. On disk in the directory given to [`Index::open`]: `yubin.index` (the base: everything
//! up to some commit, replaced as a whole by rename) and `yubin.index.log` (the commits since then, checksummed and
//! chained; its flock is the mailbox's lock). Several processes may use one index at once.
//!
//! # Damage
//! What must never happen is that a UID means another message under the same UIDVALIDITY. After each synced commit the
//! header of the log is marked with where it ends (a write, no sync: a kill leaves it in the system's memory, a power
//! cut at most the mark before). So, when the log is read:
//! * Records end at or behind the mark: what follows is a torn last write, which nobody was told of. It is cut, and the
//!   UIDVALIDITY stays.
//! * Records end before the mark (a bit flipped, a file truncated, a piece zeroed): what was acknowledged is lost.
//! * The header does not check out, or belongs to another generation than the base (one of the two was put back from a
//!   backup), or the base does not check out, or one of the two is missing: likewise.
//!
//! In the last two cases the index is replaced by an empty one with a new UIDVALIDITY; [`Index::damage`] says why, and the store
//! fills it from the messages. Not recognised: damage to the records of one last commit before a power cut, and both files put
//! back from one backup.
//!
//! RFCs: 9051 §2.3, 7162. Limits: [`change::KEY_BYTES_MAX`], [`change::STATE_BYTES_MAX`], [`expunged::RANGES_MAX`],
//! [`index::FOLD_AFTER_OPERATIONS`].

mod base;
pub mod cache;
pub mod change;
pub mod error;
pub mod expunged;
pub mod index;
mod log;
pub mod object_id;
pub mod record;

pub use cache::CacheFile;
pub use change::{Change, Durability, NewMessage};
pub use error::{Error, Result};
pub use index::{Index, Lock};
pub use object_id::email_id;
pub use record::Record;
