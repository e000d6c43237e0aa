//! What a server machine asks its caller, and what the caller may answer.

use super::{Attributes, Config};
use crate::{Reply, Transcript};
use address::Address;
use envelope::{BodyKind, Notify, QueueId, Ret};
use std::sync::Arc;

/// Something for the caller to decide or to do. [`Event::needs_answer`] tells which wait for an [`Answer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A client is there. `Accept` greets it with the banner; `Reply` refuses it (421 and 521 hang up, after
    /// any other refusal the client may only QUIT).
    Connected,
    /// HELO, EHLO or LHLO. `Accept` or `Reply` with a refusal. A transaction, if there was one, is over: an
    /// [`Event::Reset`] came before.
    Helo {
        /// How it was said.
        verb: HeloVerb,
        /// What the client calls itself, unchecked, without spaces around it.
        name: String,
    },
    /// MAIL FROM. `Accept` or `Reply`.
    Mail {
        /// `None` is `<>`.
        sender: Option<Address>,
        /// What follows the address.
        options: MailOptions,
    },
    /// RCPT TO. `Accept` or `Reply`; a `Reply` that is positive accepts with its own words.
    Rcpt {
        /// A local part alone is possible (`<postmaster>`).
        recipient: Address,
        /// What follows the address.
        options: RcptOptions,
    },
    /// The client wants to send the content. `Accept` or `Reply` with a refusal.
    Data {
        /// By BDAT, not by DATA.
        chunked: bool,
    },
    /// A piece of the content: without dot-stuffing, every line ended by CRLF, pieces cut anywhere, at most
    /// about [`CONTENT_PIECE_OCTETS_MAX`](super::CONTENT_PIECE_OCTETS_MAX) each. No answer.
    Content(Vec<u8>),
    /// The content is complete. `Queued`, `Reply`, or for LMTP `PerRecipient`. This ends the transaction.
    ContentEnd {
        /// How many octets there were in all pieces.
        octets: u64,
    },
    /// The transaction is over without a message (RSET, a new HELO, a refused or broken-off content). No answer.
    Reset,
    /// AUTH. `Challenge`, `AuthSuccess`, `AuthFailure` or `Reply`.
    Auth {
        /// In capitals; one of those announced.
        mechanism: String,
        /// The initial response, decoded.
        initial: Option<Vec<u8>>,
    },
    /// The client's response to a challenge, decoded. Answers as for [`Event::Auth`].
    AuthResponse(Vec<u8>),
    /// The client gave up authentication, or spoke nonsense in it. No answer.
    AuthCancelled,
    /// STARTTLS. `Accept` ([`Event::Handshake`] follows; plaintext that came after the command is dropped) or `Reply` with a refusal,
    /// after which the session goes on in the clear.
    StartTls,
    /// Write out what there is to write, do the handshake, then answer `TlsStarted` or `TlsFailed`.
    Handshake,
    /// The connection is encrypted. `Accept`, or `Reply` with a refusal that ends the session.
    Secured,
    /// A command that nobody knows, where the caller wants to hear of it ([`Config::tells_unknown`]). `Accept` (it is refused
    /// in the machine's words) or `Reply` with a refusal.
    Unknown {
        /// Its first word, as written.
        word: String,
    },
    /// VRFY. `Accept` (252 with what was written) or `Reply`.
    Vrfy {
        /// The address in what was written, without brackets and name.
        address: String,
    },
    /// ETRN. `Accept` (250 Queuing started) or `Reply`.
    Etrn {
        /// As written.
        domain: String,
    },
    /// XFORWARD: what the log has of the next message, until a message, RSET or HELO ends it. No answer.
    Forwarded(Attributes),
    /// XCLIENT: who is to be treated as the client from now on. `Introduced` or `Reply` with a refusal; a new
    /// [`Event::Connected`] follows.
    Introduced(Attributes),
    /// Something for the log. No answer.
    Note(Note),
    /// The session is over. The last event; no answer.
    Ended(Ended),
}

/// What the caller says to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Yes; the machine says it in its own words.
    Accept,
    /// In these words. A code of 400 or more refuses; 421 and 521 end the session.
    Reply(Reply),
    /// To any event: the client has said more than it may (`smtpd_forbid_unauth_pipelining`). It hears that, and no more.
    OutOfStep,
    /// To `Connected`: the greeting in these words, whatever their code; the session goes on.
    Greet(Reply),
    /// To `Connected`: the greeting refuses, and `later` is the reply to every command but QUIT (RFC 5321 §3.1).
    /// After a greeting that refuses by [`Answer::Reply`], it is that one again.
    TurnAway {
        /// Instead of the greeting.
        greeting: Reply,
        /// What the client hears from then on.
        later: Reply,
    },
    /// To `ContentEnd`: the message is safe under this name.
    Queued(QueueId),
    /// To `ContentEnd` of LMTP: one reply for each accepted recipient, in order.
    PerRecipient(Vec<Reply>),
    /// To `Auth`: go on with these octets.
    Challenge(Vec<u8>),
    /// To `Auth`: the client is who it says.
    AuthSuccess {
        /// The name it logged in with.
        user: String,
    },
    /// To `Auth`: no. The text follows `535 5.7.8 Error: authentication failed: `.
    AuthFailure(String),
    /// To `Introduced`: so be it, with this configuration from now on.
    Introduced(Arc<Config>),
    /// To `Handshake`: the connection is encrypted.
    TlsStarted,
    /// To `Handshake`: it is not, and nothing more can be said.
    TlsFailed,
}

/// Which verb greeted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeloVerb {
    /// `HELO`
    Helo,
    /// `EHLO`
    Ehlo,
    /// `LHLO`
    Lhlo,
}

/// The parameters of MAIL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailOptions {
    /// What was said behind `FROM:`, as it was said.
    pub said: String,
    /// The sender as it was written, unquoted ([`address::path::Path::written`]).
    pub written: String,
    /// SIZE= in octets (RFC 1870); within the limit.
    pub size: Option<u64>,
    /// BODY= (RFC 6152).
    pub body: BodyKind,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// RET= (RFC 3461).
    pub ret: Option<Ret>,
    /// ENVID= decoded (RFC 3461).
    pub envid: Option<String>,
    /// AUTH= decoded (RFC 4954 §5); `<>` is kept as it is.
    pub auth: Option<String>,
}

/// The parameters of RCPT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RcptOptions {
    /// What was said behind `TO:`, as it was said.
    pub said: String,
    /// The recipient as it was written, unquoted ([`address::path::Path::written`]).
    pub written: String,
    /// NOTIFY= (RFC 3461).
    pub notify: Option<Notify>,
    /// ORCPT= as `type;address`, decoded (RFC 3461).
    pub orcpt: Option<String>,
}

/// What an administrator may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A line that ended in a bare LF (`smtpd_forbid_bare_newline = note` or `reject`).
    BareLineFeed,
    /// More was said before the answer to a command was heard, where that is not allowed; told once a session.
    ImproperPipelining {
        /// The command.
        after: &'static str,
        /// The start of what was said behind it, escaped as in C.
        unread: String,
    },
    /// Plaintext after STARTTLS was dropped.
    DroppedPlaintext,
    /// The size limit was passed; the rest of the content is dropped, and its end is refused.
    TooBig,
    /// A sender was refused with this reply because of the size that MAIL announced.
    AnnouncedTooBig(Option<Address>, Reply),
    /// A command was replaced (`smtpd_command_filter`).
    Replaced {
        /// What was said.
        command: String,
        /// What is done instead.
        by: String,
    },
    /// Nobody can tell whether a command is to be replaced (`smtpd_command_filter`): the session ends with this reply.
    NotReplaced {
        /// As [`Ended::after`].
        after: String,
        /// What the client hears.
        reply: Reply,
    },
    /// An address that is none, or may not be used.
    IllegalAddress {
        /// `MAIL` or `RCPT`.
        command: &'static str,
        /// What was said.
        written: String,
    },
    /// What no mail client says, and the session ends (`smtpd_forbidden_commands`).
    NonSmtpCommand(String),
    /// The client made so many errors, more than `smtpd_soft_error_limit`: its replies wait until then.
    Slowed {
        /// How many since it delivered a message.
        errors: usize,
        /// Until when the reply at hand waits.
        until: machine::Stamp,
    },
    /// A recipient was refused with this reply because the message has `smtpd_recipient_limit` of them.
    TooManyRecipients(Address, Reply),
    /// What was said since the session, or the last of these, began; how the session ended, if it did.
    Transcript(Box<Transcript>, Option<Ending>),
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Why.
    pub how: Ending,
    /// The last command, as the log names it: `CONNECT`, `RCPT`, `DATA (3 bytes)`, `UNKNOWN`, `END-OF-MESSAGE`.
    pub after: String,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// QUIT.
    Quit,
    /// The client closed the connection.
    Lost,
    /// `smtpd_timeout` passed.
    TimedOut,
    /// `smtpd_hard_error_limit` was reached.
    TooManyErrors,
    /// We hung up: a 421 or 521 reply, a forbidden command, a failed handshake.
    HungUp,
}

impl Event {
    /// Whether the machine waits for an [`Answer`] to this.
    pub fn needs_answer(&self) -> bool {
        !matches!(
            self,
            Event::Content(_)
                | Event::Reset
                | Event::AuthCancelled
                | Event::Forwarded(_)
                | Event::Note(_)
                | Event::Ended(_)
        )
    }
}
