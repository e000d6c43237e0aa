//! Who may log in, and who a user is: passdb and userdb chains.
//!
//! In charge of the order of the blocks, of what each driver answers, of user names and `%u`-like variables. Not in
//! charge of the dialogue (crate `sasl`), of delays (the caller waits, see [`Failure::delay`]) nor of log lines.
//!
//! Entry: [`Auth::new`] from the settings, then [`Auth::verify`] and [`Auth::lookup`]; services ask by the trait [`Authority`], other
//! programs by [`socket`]. All read files and hash
//! passwords: call them where blocking is allowed. An error of a file is never "no such user".
//! Sources: Dovecot 2.3's auth, passwd-file(5) as Dovecot writes it. Limits: [`passwd_file::FILE_BYTES_MAX`],
//! [`variables::EXPANDED_BYTES_MAX`], [`USER_BYTES_MAX`]. Test data is made by the tests.

mod account;
mod authority;
mod cache;
mod chain;
mod completion;
mod credentials;
mod driver;
mod exchange;
mod filters;
pub mod memory;
mod names;
mod notes;
pub mod pam;
mod passdb;
mod passdbs;
pub mod passwd_file;
mod patterns;
pub mod penalty;
mod shown;
pub mod socket;
mod sql;
pub mod tickets;
mod userdb;
pub mod variables;

pub use account::Account;
pub use authority::{Asker, Authority, Certificate, Exchange, Login, Progress, Recipient, Ticket};
pub use chain::{Auth, Tested};
pub use exchange::offered as mechanisms;
pub use names::USER_BYTES_MAX;
pub use notes::{Level, Note, Sink};
pub use patterns::matches;

use std::borrow::Cow;
use std::time::Duration;

use sasl::Password;
use serde::{Deserialize, Serialize};

/// A login to be verified.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The name as the client gave it.
    pub user: &'a str,
    /// Who the client wants to act as; empty for the same.
    pub authzid: &'a str,
    /// Its password.
    pub password: &'a Password,
    /// `PLAIN`, `LOGIN`; POP3's USER/PASS and IMAP's LOGIN count as PLAIN.
    pub mechanism: &'a str,
    /// Who asks.
    pub asker: &'a Asker,
}

/// What became of a login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Welcome.
    Ok(Account, Ticket),
    /// The client is to be told "Authentication failed", after the delay.
    Failed(Failure),
    /// We could not find out: the client is to be told "Temporary authentication failure". The text is for the log.
    Temporary(String),
}

/// Why a login was refused; nothing of it is for the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The user name that was looked up, after normalisation.
    pub user: String,
    /// The driver that decided: `passwd-file`, `static`; `auth` when none was asked.
    pub database: Cow<'static, str>,
    /// The reason, as the log shows it.
    pub reason: Reason,
    /// How long after the attempt began the answer is to be given (`auth_failure_delay`), so that neither guessing
    /// is fast nor the time tells whether the user exists.
    pub delay: Duration,
}

/// Why a login was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Reason {
    /// The password is wrong.
    #[error("Password mismatch")]
    PasswordMismatch,
    /// No passdb knows the user.
    #[error("unknown user")]
    UnknownUser,
    /// The entry has no password, or the client sent none.
    #[error("Empty password")]
    EmptyPassword,
    /// The name holds what `auth_username_chars` does not allow, or is too long or empty.
    #[error("Invalid username: {0}")]
    InvalidName(Cow<'static, str>),
    /// A `deny = yes` passdb knows the user.
    #[error("User found from deny passdb")]
    Denied,
    /// `allow_nets` does not hold the client's address.
    #[error("allow_nets check failed: IP not in allowed networks")]
    Network,
    /// `nologin` is set.
    #[error("User is not allowed to log in")]
    NoLogin,
    /// `nologin` is set, with a `reason` that the client is told.
    #[error("User is not allowed to log in: {0}")]
    Closed(String),
    /// The system's entry cannot be logged in to (`!`, `*`).
    #[error("invalid password field")]
    Disabled,
    /// PAM's words.
    #[error("{0}")]
    Pam(String),
    /// The password or the account has expired, in PAM's words.
    #[error("{0}")]
    Expired(String),
    /// PAM's words, and what its modules told the client (`failure_show_msg`).
    #[error("{why}")]
    Told {
        /// For the log.
        why: String,
        /// For the client.
        told: String,
    },
    /// The reason, and the password as `auth_verbose_passwords` shows it.
    #[error("{0} ({1})")]
    WithPassword(Box<Reason>, String),
    /// The client wants to act as somebody else, and there is no master passdb.
    #[error("Attempted master login with no master passdbs")]
    OtherIdentity,
    /// The password is stored in a form that the mechanism cannot use.
    #[error("Requested {wanted} scheme, but we have only {stored}")]
    Scheme {
        /// The best form.
        wanted: Cow<'static, str>,
        /// The form that there is.
        stored: Cow<'static, str>,
    },
    /// `auth_ssl_require_client_cert` is set, and there is no certificate.
    #[error("Client didn't present valid SSL certificate")]
    NoCertificate,
    /// The mechanism is not offered, or not on such a connection.
    #[error("Unsupported authentication mechanism: {0}")]
    Mechanism(Cow<'static, str>),
    /// The response of the client is not what its mechanism says.
    #[error("{0}")]
    Malformed(Cow<'static, str>),
}

impl Reason {
    /// What the client is to be told instead of "Authentication failed".
    pub fn told(&self) -> Option<&str> {
        match self {
            Reason::Closed(text) | Reason::Told { told: text, .. } => Some(text),
            Reason::NoLogin => Some("Login disabled for this user"),
            _ => None,
        }
    }
}

/// Why the settings cannot be used, or not fully.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such driver.
    #[error("{place}: {kind} driver \"{driver}\" is unknown")]
    UnknownDriver {
        /// File and line.
        place: String,
        /// `passdb` or `userdb`.
        kind: &'static str,
        /// The name.
        driver: String,
    },
    /// Dovecot has it, Yubin does not yet: logins that depend on it fail temporarily.
    #[error("{place}: {kind} {what} is not there yet")]
    NotYet {
        /// File and line.
        place: String,
        /// `passdb` or `userdb`.
        kind: &'static str,
        /// The driver or option.
        what: String,
    },
    /// The arguments make no sense.
    #[error("{place}: {kind} {driver}: args: {cause}")]
    Args {
        /// File and line.
        place: String,
        /// `passdb` or `userdb`.
        kind: &'static str,
        /// The driver.
        driver: String,
        /// What is wrong, and what is wanted.
        cause: String,
    },
    /// No passdb has what the mechanism needs: each wants the password itself (PAM).
    #[error(
        "auth_mechanisms: {0} cannot be served by these passdbs: they want the password, which it never sends"
    )]
    Mechanism(&'static str),
}
