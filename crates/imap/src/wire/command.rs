//! The commands of a session as values; those of extensions are in [`crate::extensions`].

use mailbox::FlagChange;

use super::fetch::Item;
use super::returning::Returning;
use super::search::Key;
use super::select::Parameters;
use super::sequence::SequenceSet;

/// What a command asks for. Mailbox names are as on the wire, in modified UTF-7.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Verb {
    Capability,
    Noop,
    Logout,
    Id(Vec<(String, Option<String>)>),
    /// SELECT and EXAMINE. What is wrong with the parameters is said when the mailbox before has been left.
    Select {
        mailbox: Vec<u8>,
        read_only: bool,
        parameters: super::Result<Parameters>,
    },
    Delete(Vec<u8>),
    Rename(Vec<u8>, Vec<u8>),
    Subscribe(Vec<u8>),
    Unsubscribe(Vec<u8>),
    Status {
        mailbox: Vec<u8>,
        items: Vec<StatusItem>,
    },
    Check,
    Close,
    Expunge,
    Search(Search),
    Fetch(Fetch),
    Store(StoreFlags),
    Copy {
        by_uid: bool,
        messages: SequenceSet,
        mailbox: Vec<u8>,
    },
}

/// What STATUS can tell, in the order in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    HighestModSeq,
    Size,
    Deleted,
    DeletedStorage,
    AppendLimit,
    MailboxId,
}

/// SEARCH, and what SORT and THREAD have in common with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Whether UIDs are answered.
    pub by_uid: bool,
    /// The options of `RETURN (…)` when it was given (RFC 4731).
    pub returning: Option<Returning>,
    /// The charset of the keys; none means US-ASCII.
    pub charset: Option<Vec<u8>>,
    /// What is looked for.
    pub key: Key,
}

/// FETCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Whether the messages are named by UID.
    pub by_uid: bool,
    /// Which messages.
    pub messages: SequenceSet,
    /// What of them.
    pub items: Vec<Item>,
    /// Only those that changed after this modseq (RFC 7162 §3.1.4.1).
    pub changed_since: Option<u64>,
    /// What vanished since then is wanted too (RFC 7162 §3.2.6).
    pub vanished: bool,
}

/// STORE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFlags {
    /// Whether the messages are named by UID.
    pub by_uid: bool,
    /// Which messages.
    pub messages: SequenceSet,
    /// What is changed.
    pub change: FlagChange,
    /// Whether the new flags are not to be told.
    pub silent: bool,
    /// Only those that did not change after this modseq (RFC 7162 §3.1.3).
    pub unchanged_since: Option<u64>,
}
