//! The persistent facts of one mailbox, for every store whose format has no room for them.
//!
//! In charge of UIDVALIDITY, UIDs, modseqs, flags, keywords, sizes, dates, recent marks, the expunge history
//! and one opaque key a message (where the store finds it). Not in charge of message content, nor of noticing
//! what other programs do to it: the store compares and commits a [`Change`].
//!
//! Entry type: [`Index`]. On disk in the directory given to [`Index::open`]: `yubin.index` (the base: everything
//! up to some commit, replaced as a whole by rename) and `yubin.index.log` (the commits since then, checksummed and
//! chained; its flock is the mailbox's lock). Several processes may use one index at once.
//! A torn end of the log is cut; a base that does not check out is replaced by an empty one with a new UIDVALIDITY,
//! which [`Index::damage`] reports and the store fills from the messages.
//!
//! RFCs: 9051 §2.3, 7162. Limits: [`change::KEY_BYTES_MAX`], [`change::STATE_BYTES_MAX`], [`expunged::RANGES_MAX`],
//! [`index::FOLD_AFTER_OPERATIONS`].

mod base;
pub mod change;
pub mod error;
pub mod expunged;
pub mod index;
mod log;
pub mod record;

pub use change::{Change, Durability, NewMessage};
pub use error::{Error, Result};
pub use index::{Index, Lock};
pub use record::Record;
