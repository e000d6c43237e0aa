//! What can go wrong with an mbox file, by situation.

use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an mbox file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program held the lock during all tries.
    #[error("mailbox {0} is locked by another program")]
    Locked(PathBuf),
    /// The file is none that mail may be written to; the text says why.
    #[error("mailbox {0}: {1}")]
    NotAMailbox(PathBuf, &'static str),
    /// The file has so many names.
    #[error("file has {1} hard links")]
    HardLinks(PathBuf, u64),
    /// The file belongs to another user.
    #[error("destination {0} is not owned by recipient")]
    NotOwned(PathBuf),
    /// The file was replaced by others again and again while it was being opened.
    #[error("mailbox {0} keeps being replaced")]
    Replaced(PathBuf),
    /// The system refused.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried, with the path.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl Error {
    /// A closure that says what was tried with `path`, for `map_err`.
    pub(crate) fn io<'a>(what: &'a str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Error + 'a {
        move |source| Error::Io {
            what: format!("{what} {}", path.display()),
            source,
        }
    }

    /// The kind of the system's answer, where there was one (`StorageFull`, `QuotaExceeded`, `PermissionDenied` …).
    pub fn io_kind(&self) -> Option<std::io::ErrorKind> {
        match self {
            Error::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}

impl From<os::Error> for Error {
    fn from(error: os::Error) -> Error {
        match error {
            os::Error::Locked(path) => Error::Locked(path),
            os::Error::Call { what, source } => Error::Io { what, source },
            other => Error::Io {
                what: "lock".to_owned(),
                source: std::io::Error::other(other.to_string()),
            },
        }
    }
}

impl From<Error> for mailbox::Error {
    fn from(error: Error) -> mailbox::Error {
        match error {
            Error::Locked(path) => mailbox::Error::Locked(path.display().to_string()),
            Error::Io { what, source } if source.kind() == std::io::ErrorKind::QuotaExceeded => {
                mailbox::Error::OverLimit(format!("cannot {what}: {source}"))
            }
            Error::Io { what, source } => mailbox::Error::Io {
                what: format!("cannot {what}"),
                source,
            },
            Error::NotAMailbox(..) | Error::HardLinks(..) | Error::NotOwned(_) | Error::Replaced(_) => {
                mailbox::Error::Damaged(error.to_string())
            }
        }
    }
}
