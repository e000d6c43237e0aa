//! What can go wrong when the operating system is asked, by situation.

use std::path::PathBuf;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the operating system did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed: what was tried, with the object, and the system's answer.
    #[error("cannot {what}: {source}")]
    Call {
        /// What was tried, with its object (`look up user "ann"`).
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A user or group entry is larger than [`crate::users::ENTRY_BYTES_MAX`].
    #[error("the entry of {0} is too large")]
    EntryTooLarge(String),
    /// The system still allows a return to the identity that was given up, or the identity is not the one asked for.
    #[error("the identity uid {uid}, gid {gid} could not be taken for good")]
    IdentityNotTaken {
        /// The user id that was asked for.
        uid: u32,
        /// The group id that was asked for.
        gid: u32,
    },
    /// Another program held the lock during all tries.
    #[error("{0} is locked by another program")]
    Locked(PathBuf),
    /// A name with a zero byte, which no name of the system can hold.
    #[error("{0:?} holds a zero byte")]
    ZeroByte(String),
}

impl Error {
    /// The system's last error, said of `what`.
    pub fn last(what: impl Into<String>) -> Error {
        Error::Call {
            what: what.into(),
            source: std::io::Error::last_os_error(),
        }
    }

    /// An error the system gave, said of `what`.
    pub fn call(what: impl Into<String>, source: impl Into<std::io::Error>) -> Error {
        Error::Call {
            what: what.into(),
            source: source.into(),
        }
    }

    /// The kind of the system's answer, where there was one.
    pub fn io_kind(&self) -> Option<std::io::ErrorKind> {
        match self {
            Error::Call { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}
