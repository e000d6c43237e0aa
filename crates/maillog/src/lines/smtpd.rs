//! Lines of the SMTP server: who connected, what was refused, how it ended.

use envelope::{QueueId, StatusCode};

use super::{Peer, on_one_line, say, say_rule};
use crate::{Line, Severity, Tag};

macro_rules! smtpd_line {
    ($name:ident) => {
        smtpd_line!($name, Severity::Info);
    };
    ($name:ident, $severity:expr) => {
        impl Line for $name<'_> {
            fn tag(&self) -> Tag<'_> {
                Tag::Mta("smtpd")
            }
            fn severity(&self) -> Severity {
                $severity
            }
            fn text(&self, out: &mut String) {
                self.say(out);
            }
        }
    };
}

/// `connect from localhost[127.0.0.1]`
#[derive(Debug)]
pub struct Connect<'a> {
    /// Who.
    pub peer: Peer<'a>,
}
smtpd_line!(Connect);

impl Connect<'_> {
    fn say(&self, out: &mut String) {
        say!(out, "connect from {}", self.peer);
    }
}

/// `disconnect from localhost[127.0.0.1] ehlo=1 quit=1 commands=2`
#[derive(Debug)]
pub struct Disconnect<'a> {
    /// Who.
    pub peer: Peer<'a>,
    /// What they said, counted: `ehlo=1 rcpt=0/1 quit=1 commands=2/3`.
    pub commands: &'a str,
}
smtpd_line!(Disconnect);

impl Disconnect<'_> {
    fn say(&self, out: &mut String) {
        say!(out, "disconnect from {} {}", self.peer, self.commands);
    }
}

/// How a client logged in.
#[derive(Debug, Clone, Copy)]
pub struct Sasl<'a> {
    /// `PLAIN`, `LOGIN` …
    pub method: &'a str,
    /// The user's name.
    pub username: &'a str,
}

/// `D9DF698C2D9: client=localhost[127.0.0.1], sasl_method=PLAIN, sasl_username=alice`
#[derive(Debug)]
pub struct Client<'a> {
    /// The message, if it is queued here.
    pub queue_id: Option<&'a QueueId>,
    /// Who sends it.
    pub peer: Peer<'a>,
    /// The login, if there was one.
    pub sasl: Option<Sasl<'a>>,
    /// Who is behind the message, as MAIL said in AUTH= (RFC 4954 §5).
    pub sasl_sender: Option<&'a str>,
    /// The client behind this one, if it told of one (XFORWARD).
    pub original: Option<Original<'a>>,
}
smtpd_line!(Client);

/// `, orig_queue_id=ABC123, orig_client=mx.example.com[192.0.2.1]`: the client behind a content filter.
#[derive(Debug, Clone, Copy)]
pub struct Original<'a> {
    /// What the message was called there.
    pub queue_id: Option<&'a str>,
    /// The client's name there.
    pub name: Option<&'a str>,
    /// Its address.
    pub address: Option<&'a str>,
    /// Something was told of it, be it that nothing is known. Of mail that came from no client nothing is.
    pub is_told: bool,
}

impl Client<'_> {
    fn say(&self, out: &mut String) {
        let queue_id = self.queue_id.map_or("NOQUEUE", QueueId::as_str);
        say!(out, "{queue_id}: client={}", self.peer);
        if let Some(sasl) = self.sasl {
            say!(
                out,
                ", sasl_method={}, sasl_username={}",
                sasl.method,
                sasl.username
            );
        }
        if let Some(sender) = self.sasl_sender {
            say!(out, ", sasl_sender={sender}");
        }
        let Some(original) = self.original else { return };
        if let Some(queue_id) = original.queue_id {
            say!(out, ", orig_queue_id={queue_id}");
        }
        if !original.is_told {
            return;
        }
        let name = original.name.unwrap_or("unknown");
        match original.address {
            Some(address) => say!(out, ", orig_client={name}[{address}]"),
            None => say!(out, ", orig_client={name}"),
        }
    }
}

/// What was done about a command, as the line's second word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Decision {
    Reject,
    RejectWarning,
    Discard,
    Hold,
    Redirect,
    Filter,
    Bcc,
    Warn,
    Info,
    MilterReject,
    MilterDiscard,
    MilterHold,
}

impl Decision {
    fn as_str(self) -> &'static str {
        match self {
            Decision::Reject => "reject",
            Decision::RejectWarning => "reject_warning",
            Decision::Discard => "discard",
            Decision::Hold => "hold",
            Decision::Redirect => "redirect",
            Decision::Filter => "filter",
            Decision::Bcc => "bcc",
            Decision::Warn => "warn",
            Decision::Info => "info",
            Decision::MilterReject => "milter-reject",
            Decision::MilterDiscard => "milter-discard",
            Decision::MilterHold => "milter-hold",
        }
    }
}

/// `NOQUEUE: reject: RCPT from localhost[127.0.0.1]: 554 5.7.1 <b@c>: Relay access denied; from=<> to=<b@c> proto=ESMTP helo=<x>`
#[derive(Debug)]
pub struct Decided<'a> {
    /// The message, if one was begun.
    pub queue_id: Option<&'a QueueId>,
    /// What was done.
    pub decision: Decision,
    /// `CONNECT`, `HELO`, `MAIL`, `RCPT`, `DATA`, `END-OF-MESSAGE` …
    pub stage: &'a str,
    /// Who.
    pub peer: Peer<'a>,
    /// The reply, code first, on one line.
    pub text: &'a str,
    /// The envelope so far; an empty sender is the null sender.
    pub sender: Option<&'a str>,
    /// The recipient at hand.
    pub recipient: Option<&'a str>,
    /// `SMTP` or `ESMTP`; empty before HELO.
    pub protocol: &'a str,
    /// What HELO said.
    pub helo: Option<&'a str>,
    /// What decided, as the last field of the line; see `yubin_log_rules`.
    pub rule: Option<&'a str>,
}
smtpd_line!(Decided);

impl Decided<'_> {
    fn say(&self, out: &mut String) {
        let queue_id = self.queue_id.map_or("NOQUEUE", QueueId::as_str);
        let text = on_one_line(self.text);
        say!(
            out,
            "{queue_id}: {}: {} from {}: {text};",
            self.decision.as_str(),
            self.stage,
            self.peer,
        );
        if let Some(sender) = self.sender {
            say!(out, " from=<{sender}>");
        }
        if let Some(recipient) = self.recipient {
            say!(out, " to=<{recipient}>");
        }
        say!(
            out,
            " proto={}",
            if self.protocol.is_empty() {
                "SMTP"
            } else {
                self.protocol
            }
        );
        if let Some(helo) = self.helo {
            say!(out, " helo=<{helo}>");
        }
        say_rule(out, self.rule);
    }
}

/// `proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as D9DF698C2D9; from=<a@b> to=<c@d> proto=ESMTP helo=<x>`: what the
/// filter of `smtpd_proxy_filter` said to a message.
#[derive(Debug)]
pub struct Proxied<'a> {
    /// Whether it took the message.
    pub is_accepted: bool,
    /// Its reply, code first, on one line.
    pub text: &'a str,
    /// The sender; empty is the null sender.
    pub sender: &'a str,
    /// The first recipient.
    pub recipient: Option<&'a str>,
    /// `SMTP` or `ESMTP`.
    pub protocol: &'a str,
    /// What HELO said.
    pub helo: Option<&'a str>,
    /// Which filter refused, as the last field of the line.
    pub rule: Option<&'a str>,
}
smtpd_line!(Proxied);

impl Proxied<'_> {
    fn say(&self, out: &mut String) {
        let word = if self.is_accepted { "accept" } else { "reject" };
        say!(
            out,
            "proxy-{word}: END-OF-MESSAGE: {}; from=<{}>",
            self.text,
            self.sender
        );
        if let Some(recipient) = self.recipient {
            say!(out, " to=<{recipient}>");
        }
        say!(out, " proto={}", self.protocol);
        if let Some(helo) = self.helo {
            say!(out, " helo=<{helo}>");
        }
        say_rule(out, self.rule);
    }
}

/// `localhost[127.0.0.1]: replacing command "XVRFY a" with "VRFY a"` (`smtpd_command_filter`)
#[derive(Debug)]
pub struct CommandReplaced<'a> {
    /// Who.
    pub peer: Peer<'a>,
    /// What they said; cut to 100 characters.
    pub command: &'a str,
    /// What is done instead; cut as well.
    pub by: &'a str,
}
smtpd_line!(CommandReplaced);

impl CommandReplaced<'_> {
    fn say(&self, out: &mut String) {
        let start = |text: &str| text.chars().take(100).collect::<String>();
        let (command, by) = (start(self.command), start(self.by));
        say!(
            out,
            "{}: replacing command \"{command}\" with \"{by}\"",
            self.peer
        );
    }
}

/// `NOQUEUE: reject: CONNECT from a.test[192.0.2.1]: 421 4.3.0 mx.test Server local data error`: the table of `smtpd_command_filter`
/// cannot be asked.
#[derive(Debug)]
pub struct CommandNotReplaced<'a> {
    /// Of the message under way.
    pub queue_id: Option<&'a QueueId>,
    /// The command before.
    pub stage: &'a str,
    /// Who.
    pub peer: Peer<'a>,
    /// What they are told.
    pub reply: &'a str,
    /// The setting that says so.
    pub rule: Option<&'a str>,
}
smtpd_line!(CommandNotReplaced);

impl CommandNotReplaced<'_> {
    fn say(&self, out: &mut String) {
        let CommandNotReplaced {
            stage, peer, reply, ..
        } = self;
        let queue_id = self.queue_id.map_or("NOQUEUE", QueueId::as_str);
        say!(out, "{queue_id}: reject: {stage} from {peer}: {reply}");
        say_rule(out, self.rule);
    }
}

/// `mapping DSN status 5.1.1 into Sender address status 5.1.7`
#[derive(Debug)]
pub struct StatusMapped<'a> {
    /// What a table has.
    pub from: StatusCode,
    /// What it is about.
    pub class: &'a str,
    /// What the client gets.
    pub to: StatusCode,
}
smtpd_line!(StatusMapped);

impl StatusMapped<'_> {
    fn say(&self, out: &mut String) {
        let StatusMapped { from, class, to } = self;
        say!(out, "mapping DSN status {from} into {class} status {to}");
    }
}

/// Why a session ended before QUIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The peer hung up.
    LostConnection,
    /// The peer said nothing for too long.
    Timeout,
    /// The peer made too many mistakes.
    TooManyErrors,
}

/// `lost connection after DATA (0 bytes) from localhost[127.0.0.1]`
#[derive(Debug)]
pub struct Ended<'a> {
    /// Why.
    pub cut: Cut,
    /// The last command, or `CONNECT`, `UNKNOWN`.
    pub after: &'a str,
    /// How much of a message had arrived, after DATA or BDAT.
    pub content_bytes: Option<u64>,
    /// Who.
    pub peer: Peer<'a>,
}
smtpd_line!(Ended);

impl Ended<'_> {
    fn say(&self, out: &mut String) {
        let cut = match self.cut {
            Cut::LostConnection => "lost connection",
            Cut::Timeout => "timeout",
            Cut::TooManyErrors => "too many errors",
        };
        match self.content_bytes {
            Some(bytes) => say!(
                out,
                "{cut} after {} ({bytes} bytes) from {}",
                self.after,
                self.peer
            ),
            None => say!(out, "{cut} after {} from {}", self.after, self.peer),
        }
    }
}

/// `warning: localhost[127.0.0.1]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=alice`
///
/// A warning although a peer's mistake is none: fail2ban and people look for this line.
#[derive(Debug)]
pub struct SaslFailed<'a> {
    /// Who.
    pub peer: Peer<'a>,
    /// `PLAIN`, `LOGIN` …
    pub method: &'a str,
    /// Why; empty when the peer gave a wrong password or an unknown user.
    pub reason: &'a str,
    /// The name that was tried, if the mechanism told.
    pub username: Option<&'a str>,
}
smtpd_line!(SaslFailed, Severity::Warning);

impl SaslFailed<'_> {
    fn say(&self, out: &mut String) {
        let reason = if self.reason.is_empty() {
            "(reason unavailable)"
        } else {
            self.reason
        };
        say!(
            out,
            "{}: SASL {} authentication failed: {reason}",
            self.peer,
            self.method
        );
        if let Some(username) = self.username {
            say!(out, ", sasl_username={username}");
        }
    }
}

/// `Anonymous TLS connection established from localhost[127.0.0.1]: TLSv1.3 with cipher …` (`smtpd_tls_loglevel` ≥ 1)
#[derive(Debug)]
pub struct TlsEstablished<'a> {
    /// Who.
    pub peer: Peer<'a>,
    /// The session, as crate `tls` describes it.
    pub session: &'a str,
    /// Whether the client has shown a certificate that somebody known signed; `None`: it has shown none.
    pub is_trusted: Option<bool>,
}
smtpd_line!(TlsEstablished);

impl TlsEstablished<'_> {
    fn say(&self, out: &mut String) {
        let trust = match self.is_trusted {
            None => "Anonymous",
            Some(false) => "Untrusted",
            Some(true) => "Trusted",
        };
        let TlsEstablished { peer, session, .. } = self;
        say!(out, "{trust} TLS connection established from {peer}: {session}");
    }
}

/// `SSL_accept error from localhost[127.0.0.1]: received corrupt message`
#[derive(Debug)]
pub struct TlsFailed<'a> {
    /// Who.
    pub peer: Peer<'a>,
    /// Why.
    pub reason: &'a str,
}
smtpd_line!(TlsFailed);

impl TlsFailed<'_> {
    fn say(&self, out: &mut String) {
        say!(out, "SSL_accept error from {}: {}", self.peer, self.reason);
    }
}

/// `warning: non-SMTP command from localhost[127.0.0.1]: GET / HTTP/1.0` (`smtpd_forbidden_commands`)
#[derive(Debug)]
pub struct NonSmtpCommand<'a> {
    /// Who.
    pub peer: Peer<'a>,
    /// What they said; cut to 100 characters.
    pub command: &'a str,
}
smtpd_line!(NonSmtpCommand, Severity::Warning);

impl NonSmtpCommand<'_> {
    fn say(&self, out: &mut String) {
        let start: String = self.command.chars().take(100).collect();
        say!(out, "non-SMTP command from {}: {start}", self.peer);
    }
}

/// `improper command pipelining after EHLO from localhost[127.0.0.1]: NOOP\r\n`
#[derive(Debug)]
pub struct ImproperPipelining<'a> {
    /// The command whose answer was not waited for.
    pub after: &'a str,
    /// Who.
    pub peer: Peer<'a>,
    /// What came behind it, escaped.
    pub unread: &'a str,
}
smtpd_line!(ImproperPipelining, Severity::Info);

impl ImproperPipelining<'_> {
    fn say(&self, out: &mut String) {
        let ImproperPipelining { after, peer, unread } = self;
        say!(
            out,
            "improper command pipelining after {after} from {peer}: {unread}"
        );
    }
}
