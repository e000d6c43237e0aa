//! What a mailbox is: the model that every store implements.
//!
//! In charge of the words (UID, modseq, flags, mailbox names and their coding in modified UTF-7), the [`Store`] trait, the in-memory store that
//! is its specification ([`memory::MemoryStore`]), and the conformance suite that every store passes. Not in
//! charge of any format on disk, of IMAP or POP3 syntax, or of what is inside a message.
//!
//! RFCs: 9051 and 3501 (mailbox model), 7162 (modseq). Limits: [`name::NAME_BYTES_MAX`], [`flags::KEYWORDS_MAX`].

pub mod cache;
pub mod conformance;
pub mod error;
pub mod flags;
pub mod memory;
pub mod mutf7;
pub mod name;
pub mod quota;
pub mod rights;
pub mod store;
pub mod uid;

pub use cache::{Cache, Derived};
pub use error::{Error, Result};
pub use flags::{FlagChange, Flags, Keyword, SystemFlags};
pub use memory::MemoryStore;
pub use name::{MailboxName, SpecialUse};
pub use store::{
    Append, Appended, Body, Changes, Copied, ListEntry, MailboxId, MessageState, Namespace, NamespaceKind,
    Opened, Pop3Note, Report, Status, Store, Stored, Wake, Watch,
};
pub use uid::{ModSeq, Uid, UidSet, UidValidity};
