//! What can go wrong with an index, by situation.

use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an index could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error("cannot {what}: {}", os::words(source))]
    Io {
        /// What was tried, with the path.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The index's files were removed or replaced: the mailbox was deleted or renamed.
    #[error("the index in {0} is gone")]
    Gone(PathBuf),
    /// Another process kept the lock for too long.
    #[error("{0} is locked by another process")]
    Locked(PathBuf),
    /// More than the index can hold; the text says what.
    #[error("{0}")]
    OverLimit(String),
    /// An earlier sync failed, so nobody knows what is on disk. Final for this [`crate::Index`].
    #[error("the index in {0} is out of use: an earlier write did not reach the disk")]
    OutOfUse(PathBuf),
}

impl Error {
    pub(crate) fn io(what: &str, path: &Path, source: std::io::Error) -> Error {
        Error::Io {
            what: format!("{what} {}", path.display()),
            source,
        }
    }
}

impl From<Error> for mailbox::Error {
    fn from(error: Error) -> mailbox::Error {
        match error {
            Error::Io { what, source } => mailbox::Error::Io {
                what: format!("cannot {what}"),
                source,
            },
            Error::Gone(path) => mailbox::Error::NoSuchMailbox(path.display().to_string()),
            Error::Locked(path) => mailbox::Error::Locked(path.display().to_string()),
            Error::OverLimit(text) => mailbox::Error::OverLimit(text),
            Error::OutOfUse(_) => mailbox::Error::Io {
                what: error.to_string(),
                source: std::io::Error::other("sync failed"),
            },
        }
    }
}
