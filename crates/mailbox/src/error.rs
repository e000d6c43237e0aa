//! What can go wrong with a store, by situation.

/// Shorthand for results of stores.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The mailbox does not exist (IMAP `NONEXISTENT`).
    #[error("Mailbox doesn't exist: {0}")]
    NoSuchMailbox(String),
    /// The mailbox exists already (IMAP `ALREADYEXISTS`).
    #[error("Mailbox already exists: {0}")]
    MailboxExists(String),
    /// The name cannot be a mailbox of this store; the second field says why (IMAP `CANNOT`).
    #[error("Invalid mailbox name: {0}: {1}")]
    InvalidName(String, &'static str),
    /// The name is only a node of the hierarchy and holds no messages.
    #[error("Mailbox is not selectable: {0}")]
    NotSelectable(String),
    /// The node of the hierarchy cannot go while there are mailboxes below it.
    #[error("Mailbox has children, delete them first")]
    HasChildren(String),
    /// The message was expunged, perhaps by another session (IMAP `EXPUNGEISSUED`).
    #[error("Message {0} no longer exists")]
    NoSuchMessage(crate::Uid),
    /// The mailbox was replaced by another of the same name: every UID known so far is void.
    #[error("Mailbox was replaced: UIDVALIDITY changed")]
    UidValidityChanged,
    /// The mailbox, or what was asked of it, is read-only (IMAP `NOPERM`).
    #[error("{0} is read-only")]
    ReadOnly(String),
    /// The user lacks the right for it (RFC 4314; IMAP `NOPERM`).
    #[error("Permission denied: {0}")]
    NoPermission(String),
    /// A limit of the store or the owner's quota (IMAP `OVERQUOTA` or `LIMIT`).
    #[error("{0}")]
    OverLimit(String),
    /// Another process holds a lock for too long (IMAP `INUSE`).
    #[error("{0} is locked by another process")]
    Locked(String),
    /// Stored data contradicts itself; what was lost or rebuilt is said.
    #[error("{0}")]
    Damaged(String),
    /// The operating system refused: what was tried, on what, and why.
    #[error("{what}: {}", without_number(source))]
    Io {
        /// What was tried, with the path.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// The system's words without Rust's number, as `os::words` has them, which this layer must not ask.
fn without_number(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error ").next().unwrap_or(&text).to_owned()
}
