//! One type per log line, in the shapes of Postfix and Dovecot, and the sinks that write them.
//!
//! In charge of the text of every line (`lines/`, one file per daemon name that administrators know) and of
//! bringing lines to a file, the standard output or syslog without ever making mail wait. No other crate
//! formats a log line. Not in charge of deciding what is worth a line.
//!
//! Entry: [`Log`]: `log.write(&lines::smtpd::Connect { peer })`. Tests use [`Log::to_memory`].
//! Shapes: Postfix 3.7 (`maillog_file`, postlogd(8)), Dovecot 2.3 (`log_path`), RFC 3164 for syslog.
//! Limits: [`LINE_BYTES_MAX`], [`sink::BACKLOG_BYTES_MAX`]. Test data lies in `tests/`.

pub mod delays;
pub mod lines;
mod log;
pub mod sink;
mod stamp;

pub use delays::Delays;
pub use log::{Captured, Destinations, Files, Halves, Log, Options};
pub use sink::{Destination, Facility};
pub use stamp::local_time;

/// The longest line text, in bytes, without its prefix; the rest is cut.
pub const LINE_BYTES_MAX: usize = 4096;

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Only for those who look for a mistake.
    Debug,
    /// What happened.
    Info,
    /// Something an administrator should look at.
    Warning,
    /// Something failed.
    Error,
    /// The process cannot go on.
    Fatal,
    /// A defect of the program.
    Panic,
}

/// Who says a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag<'a> {
    /// A daemon or command of the MTA: `smtpd` in `postfix/smtpd[123]:`.
    Mta(&'a str),
    /// A process of the mailbox services: `imap-login` in `imap-login: Info:`.
    Mailbox(&'a str),
    /// The same with its process id: `lmtp(123): Info:`.
    Process(&'a str),
    /// A session of a user: `imap(alice)<123><session>: Info:`.
    Session {
        /// `imap`, `pop3`, `lmtp`, `lda`.
        service: &'a str,
        /// The user's name.
        user: &'a str,
        /// The session id, as its Login line showed it.
        session: &'a str,
    },
}

/// One log line.
pub trait Line {
    /// Who says it.
    fn tag(&self) -> Tag<'_>;

    /// How grave it is.
    fn severity(&self) -> Severity {
        Severity::Info
    }

    /// The text after tag and severity. Control characters in it are harmless: they are replaced when written.
    fn text(&self, out: &mut String);

    /// The text as a value of its own, for tests and for commands that print it.
    fn to_text(&self) -> String {
        let mut out = String::new();
        self.text(&mut out);
        out
    }
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened for appending.
    #[error("cannot open log file {file}: {}", os::words(cause))]
    File {
        /// Its path.
        file: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// There is no syslog facility of that name.
    #[error("\"{name}\" is not a syslog facility (mail, daemon, local0 … local7, …)")]
    UnknownFacility {
        /// The name.
        name: String,
    },
    /// The writer thread cannot be started.
    #[error("cannot start the log writer: {}", os::words(cause))]
    Thread {
        /// What the system said.
        cause: std::io::Error,
    },
}
