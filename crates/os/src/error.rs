//! What can go wrong when the operating system is asked, by situation.

use std::path::PathBuf;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the operating system did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed: what was tried, with the object, and the system's answer.
    #[error("cannot {what}: {}", words(source))]
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
    /// The process could not be locked in: what was tried, and the answer.
    #[error("cannot {0}")]
    Sandbox(String),
    /// Another program held the lock during all tries.
    #[error("{0} is locked by another program")]
    Locked(PathBuf),
    /// A name with a zero byte, which no name of the system can hold.
    #[error("{0:?} holds a zero byte")]
    ZeroByte(String),
}

/// What the system says about a failure in the words administrators know and scripts look for, without Rust's number:
/// `No such file or directory`.
pub fn words(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    if error.raw_os_error().is_none() {
        // Made by this program: Rust's own words for the kind are nobody else's.
        let known = match error.kind() {
            _ if error.get_ref().is_some() => None,
            ErrorKind::NotFound => Some("No such file or directory"),
            ErrorKind::PermissionDenied => Some("Permission denied"),
            ErrorKind::IsADirectory => Some("Is a directory"),
            ErrorKind::StorageFull => Some("No space left on device"),
            ErrorKind::TimedOut => Some("Connection timed out"),
            ErrorKind::ConnectionRefused => Some("Connection refused"),
            _ => None,
        };
        return known.map_or_else(|| error.to_string(), str::to_owned);
    }
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// An error with its causes, `cannot start: cannot open /x: Permission denied`. Many errors tell their cause in their own words
/// already: that is not said again.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        let said = said.rfind(" (os error ").map_or(said.as_str(), |at| &said[..at]);
        if !text.contains(said) {
            text.push_str(": ");
            text.push_str(said);
        }
        next = cause.source();
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn the_words_of_the_system_are_told_without_a_number() {
        let missing = std::fs::File::open("/nonexistent/file").unwrap_err();
        assert_eq!(words(&missing), "No such file or directory");
        assert_eq!(
            words(&io::ErrorKind::PermissionDenied.into()),
            "Permission denied"
        );
        assert_eq!(words(&io::Error::other("too long")), "too long");
        let call = Error::call("open /nonexistent/file", missing);
        assert_eq!(
            call.to_string(),
            "cannot open /nonexistent/file: No such file or directory"
        );
    }
    #[test]
    fn causes_are_told_once() {
        let denied = || io::Error::from_raw_os_error(13);
        let call = Error::call("open /x", denied());
        assert_eq!(with_causes(&call), "cannot open /x: Permission denied");
        #[derive(Debug, thiserror::Error)]
        #[error("cannot start")]
        struct Silent(#[source] io::Error);
        assert_eq!(with_causes(&Silent(denied())), "cannot start: Permission denied");
        #[derive(Debug, thiserror::Error)]
        #[error("cannot start: {0}")]
        struct Telling(#[source] Error);
        assert_eq!(
            with_causes(&Telling(call)),
            "cannot start: cannot open /x: Permission denied"
        );
    }
}
