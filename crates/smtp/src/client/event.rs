//! What a client machine asks its caller, and what the caller may answer.

use super::Message;
use envelope::Outcome;
use machine::Stamp;

/// Something for the caller to do. [`Event::needs_answer`] tells which wait for an [`Answer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// There is a message to give, or not. `Next` or `Quit`.
    Ready,
    /// Write out what there is to write, do the handshake, then answer `TlsStarted`, `TlsFailed` or `TlsRefused`.
    StartTls,
    /// The peer offers these mechanisms: `Login` or `NoLogin`.
    LogIn(Vec<String>),
    /// The peer's challenge, without its base64: `Response`.
    Challenge(Vec<u8>),
    /// The peer says that the login is right: `Believed`.
    LoggedIn,
    /// More content, please: `Content`, `ContentEnd` or `ContentFailed`. It has CRLF line ends, and no dot-stuffing.
    Content,
    /// Write out what there is to write, let so many microseconds pass, then answer `Paused`.
    Pause(Stamp),
    /// What became of the message. No answer; [`Event::Ready`] follows if the session can take another one.
    Done(Report),
}

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One for each recipient, in order.
    pub outcomes: Vec<Outcome>,
    /// The session failed before the message was begun: another host may be tried, nothing was handed over.
    pub never_begun: bool,
    /// The session was lost after the whole content was sent: the peer may have taken the message without saying so.
    pub perhaps_taken: bool,
    /// The session had been kept for this message, and was found to be of no use any more before the message was begun: it
    /// says nothing about the peer, who is to be asked over a new connection.
    pub stale: bool,
    /// Whether the peer takes over reports about success and delay (it offers DSN).
    pub dsn_offered: bool,
    /// Whether it went over an encrypted connection.
    pub tls: bool,
    /// What an administrator should look at.
    pub warnings: Vec<String>,
}

/// What the caller says to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Deliver this.
    Next(Box<Message>),
    /// That was all.
    Quit,
    /// The connection is encrypted.
    TlsStarted,
    /// It is not, and nothing more can be said; why, for the text.
    TlsFailed(String),
    /// It is encrypted, but not with whom it must be: the connection is to be closed. The whole text.
    TlsRefused(String),
    /// Log in by this mechanism, with its first response if it has one.
    Login(&'static str, Option<Vec<u8>>),
    /// There is no mechanism that may be used, or the peer is not to be believed; the whole text.
    NoLogin(String),
    /// The response to a challenge; `None`: there is nothing to say, the login is given up.
    Response(Option<Vec<u8>>),
    /// So it is.
    Believed,
    /// A piece of content.
    Content(Vec<u8>),
    /// The time has passed.
    Paused,
    /// There is no more.
    ContentEnd,
    /// It cannot be read: the connection is dropped before the message is complete.
    ContentFailed,
}

impl Event {
    /// Whether the machine waits for an [`Answer`] to this.
    pub fn needs_answer(&self) -> bool {
        !matches!(self, Event::Done(_))
    }
}
