//! Lines of a user's session after login, and of delivery into a mailbox.

use super::{on_one_line, say, say_rule};
use crate::{Line, Tag};

/// Whose session speaks.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// `imap`, `pop3`, `lmtp`, `lda`.
    pub service: &'a str,
    /// The user's name.
    pub user: &'a str,
    /// The session id.
    pub session: &'a str,
}

impl<'a> Who<'a> {
    fn tag(&self) -> Tag<'a> {
        Tag::Session {
            service: self.service,
            user: self.user,
            session: self.session,
        }
    }
}

/// What an IMAP session did, for its last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct ImapCounts {
    pub in_bytes: u64,
    pub out_bytes: u64,
    pub deleted: u64,
    pub expunged: u64,
    pub trashed: u64,
    pub header_count: u64,
    pub header_bytes: u64,
    pub body_count: u64,
    pub body_bytes: u64,
}

/// `imap(alice)<23848><TYkmOtBgiMZ/AAAB>: Disconnected: Logged out in=27 out=600 deleted=0 expunged=0 …`
#[derive(Debug)]
pub struct ImapDisconnected<'a> {
    /// Whose session.
    pub who: Who<'a>,
    /// `Logged out`, `Connection closed`, `Inactivity` …
    pub reason: &'a str,
    /// What it did.
    pub counts: ImapCounts,
}

impl Line for ImapDisconnected<'_> {
    fn tag(&self) -> Tag<'_> {
        self.who.tag()
    }
    fn text(&self, out: &mut String) {
        let c = &self.counts;
        say!(
            out,
            "Disconnected: {} in={} out={} ",
            self.reason,
            c.in_bytes,
            c.out_bytes
        );
        say!(
            out,
            "deleted={} expunged={} trashed={} ",
            c.deleted,
            c.expunged,
            c.trashed
        );
        say!(out, "hdr_count={} hdr_bytes={} ", c.header_count, c.header_bytes);
        say!(out, "body_count={} body_bytes={}", c.body_count, c.body_bytes);
    }
}

/// `pop3(alice)<24039><WzzAOtBgxLB/AAAB>: Disconnected: Logged out top=0/0, retr=0/0, del=0/1, size=635`
#[derive(Debug)]
pub struct Pop3Disconnected<'a> {
    /// Whose session.
    pub who: Who<'a>,
    /// `Logged out`, `Connection closed`, `Inactivity` …
    pub reason: &'a str,
    /// What it did, as the administrator wants it said (`pop3_logout_format`).
    pub text: &'a str,
}

impl Line for Pop3Disconnected<'_> {
    fn tag(&self) -> Tag<'_> {
        self.who.tag()
    }
    fn text(&self, out: &mut String) {
        say!(out, "Disconnected: {} {}", self.reason, on_one_line(self.text));
    }
}

/// `lmtp(alice)<23386><…>: msgid=<…>: saved mail to INBOX`
#[derive(Debug)]
pub struct Saved<'a> {
    /// Whose mailbox.
    pub who: Who<'a>,
    /// The Message-ID with its angle brackets.
    pub message_id: &'a str,
    /// The mailbox.
    pub mailbox: &'a str,
}

impl Line for Saved<'_> {
    fn tag(&self) -> Tag<'_> {
        self.who.tag()
    }
    fn text(&self, out: &mut String) {
        say!(out, "msgid={}: saved mail to {}", self.message_id, self.mailbox);
    }
}

/// `lmtp(alice)<23386><…>: msgid=<…>: save failed to INBOX: Quota exceeded (mailbox for user is full)`
#[derive(Debug)]
pub struct NotSaved<'a> {
    /// Whose mailbox.
    pub who: Who<'a>,
    /// The Message-ID with its angle brackets, or `unspecified`.
    pub message_id: &'a str,
    /// The mailbox.
    pub mailbox: &'a str,
    /// Whether it could not even be opened.
    pub opening: bool,
    /// Why.
    pub why: &'a str,
}

impl Line for NotSaved<'_> {
    fn tag(&self) -> Tag<'_> {
        self.who.tag()
    }
    fn text(&self, out: &mut String) {
        say!(
            out,
            "msgid={}: save failed to {}{}: {}",
            self.message_id,
            if self.opening { "open mailbox " } else { "" },
            self.mailbox,
            self.why
        );
    }
}

/// `lda(alice)<23386><…>: msgid=<…>: rejected: Quota exceeded (mailbox for user is full)`
#[derive(Debug)]
pub struct Rejected<'a> {
    /// Whose mailbox.
    pub who: Who<'a>,
    /// The Message-ID with its angle brackets, or `unspecified`.
    pub message_id: &'a str,
    /// Why.
    pub why: &'a str,
}

impl Line for Rejected<'_> {
    fn tag(&self) -> Tag<'_> {
        self.who.tag()
    }
    fn text(&self, out: &mut String) {
        say!(out, "msgid={}: rejected: {}", self.message_id, self.why);
    }
}

/// `lmtp(23386): RCPT refused: 550 5.1.1 <x@y> User doesn't exist: x@y rule=<userdb>`: Dovecot logs nothing of it (`yubin_log_rules`).
#[derive(Debug)]
pub struct LmtpRefused<'a> {
    /// The reply.
    pub text: &'a str,
    /// What decided.
    pub rule: &'a str,
}

impl Line for LmtpRefused<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Process("lmtp")
    }
    fn text(&self, out: &mut String) {
        say!(out, "RCPT refused: {}", on_one_line(self.text));
        say_rule(out, Some(self.rule));
    }
}

/// `lmtp(23386): Connect from 127.0.0.1`, `lmtp(23386): Disconnect from local: Logged out (state=READY)`
#[derive(Debug)]
pub enum LmtpConnection<'a> {
    /// A client is there.
    Connect {
        /// Its address; `None` on a socket in the file system.
        from: Option<std::net::IpAddr>,
    },
    /// It is gone.
    Disconnect {
        /// Its address.
        from: Option<std::net::IpAddr>,
        /// `Logged out`, `Remote closed connection` …
        reason: &'a str,
        /// Where the conversation was: `READY`, `MAIL FROM`, `RCPT TO`, `DATA`.
        state: &'a str,
    },
}

impl Line for LmtpConnection<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Process("lmtp")
    }
    fn text(&self, out: &mut String) {
        let shown =
            |from: &Option<std::net::IpAddr>| from.map_or("local".to_owned(), |from| from.to_string());
        match self {
            LmtpConnection::Connect { from } => say!(out, "Connect from {}", shown(from)),
            LmtpConnection::Disconnect { from, reason, state } => {
                say!(out, "Disconnect from {}: {reason} (state={state})", shown(from));
            }
        }
    }
}
