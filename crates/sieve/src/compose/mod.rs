//! The mails that actions ask for: redirected messages, answers, notifications, refusals, reports. Whoever performs actions
//! sends them; whether a sender had an answer before is for it to know.
//!
//! Lines end as in the message that they are about.

mod mail_to_user;
mod redirected;
mod refusal;
mod report;
mod vacation;

pub use mail_to_user::notification;
pub use redirected::redirected;
pub use refusal::refusal;
pub use report::report;
pub use vacation::{Unanswered, vacation};

use message::date::Date;

use crate::envelope::Envelope;
use crate::parts;
use crate::settings::Settings;

/// A mail to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The envelope sender; empty is the null sender.
    pub sender: String,
    /// Its recipients.
    pub recipients: Vec<String>,
    /// The message.
    pub message: Vec<u8>,
}

/// What mails say that is in no script.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The envelope of the message.
    pub envelope: &'a Envelope,
    /// The time.
    pub now: Date,
    /// This host's name.
    pub host: &'a str,
    /// What no other mail of this host has: the local part of a new Message-ID, or a boundary.
    pub unique: &'a str,
}

/// What the header field X-Sieve says.
pub const IMPLEMENTATION: &str = concat!("Yubin Sieve ", env!("CARGO_PKG_VERSION"));

impl Circumstances<'_> {
    /// The owner's address: `sieve_user_email`, else the recipient.
    pub(crate) fn user_email(&self) -> &str {
        self.settings
            .user_email
            .as_deref()
            .unwrap_or(&self.envelope.recipient)
    }

    /// `postmaster_address`, as it stands in a header.
    pub(crate) fn postmaster(&self) -> String {
        match self.settings.first(&["postmaster_address"]) {
            Some(set) if set.contains('<') => set.to_owned(),
            Some(set) => format!("Postmaster <{set}>"),
            None => format!("Postmaster <postmaster@{}>", self.host),
        }
    }

    /// The envelope sender that `setting` chooses, `default` when it says nothing.
    pub(crate) fn sender_by(&self, setting: &str, default: &str) -> String {
        match self.settings.first(&[setting]).unwrap_or(default) {
            "sender" => self.envelope.sender.clone(),
            "recipient" => self.envelope.recipient.clone(),
            "orig_recipient" => self.envelope.original_recipient.clone(),
            "user_email" => self.user_email().to_owned(),
            "postmaster" => parts::single(&self.postmaster())
                .map(|address| address.whole())
                .unwrap_or_default(),
            other => Envelope::bare(other),
        }
    }
}

/// A header block under construction.
pub(crate) struct Lines {
    text: String,
    end: &'static str,
}

impl Lines {
    pub(crate) fn new(end: &'static str) -> Lines {
        Lines {
            text: String::new(),
            end,
        }
    }

    /// Adds a field whose body is ours or an address; what could end the line is taken out.
    pub(crate) fn field(&mut self, name: &str, body: &str) {
        let body: String = body
            .chars()
            .map(|c| if c.is_control() && c != '\t' { ' ' } else { c })
            .collect();
        self.line(&format!("{name}: {body}"));
    }

    /// Adds a field of text for people: encoded and folded where it must be.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        let single: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        match message::build::Header::new().text(name, &single) {
            Ok(header) => {
                let block = String::from_utf8_lossy(header.as_bytes()).into_owned();
                block.lines().for_each(|line| self.line(line));
            }
            Err(_) => self.field(name, &single),
        }
    }

    /// Adds a line of text as it is.
    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push_str(self.end);
    }

    /// Adds lines of text, each with the block's own end; the last has one too.
    pub(crate) fn lines(&mut self, text: &str) {
        text.lines().for_each(|line| self.line(line));
    }

    /// Adds the fields that say who made the mail and when.
    pub(crate) fn beginning(&mut self, about: &Circumstances<'_>) {
        self.field("X-Sieve", IMPLEMENTATION);
        self.field("Message-ID", &format!("<{}@{}>", about.unique, about.host));
        self.field("Date", &about.now.rfc5322());
    }

    /// Ends the header of a multipart/report (RFC 6522) and begins its first part.
    pub(crate) fn begin_report(&mut self, kind: &str, boundary: &str) {
        self.field("MIME-Version", "1.0");
        self.line(&format!("Content-Type: multipart/report; report-type={kind};"));
        self.line(&format!("\tboundary=\"{boundary}\""));
        self.line("");
        self.line("This is a MIME-encapsulated message");
        self.line("");
        self.line(&format!("--{boundary}"));
    }

    /// The media type and encoding for `body`, and the body.
    pub(crate) fn text_body(&mut self, body: &str, always_utf8: bool) {
        let plain = body.is_ascii() && !always_utf8;
        let (charset, encoding) = if plain {
            ("us-ascii", "7bit")
        } else {
            ("utf-8", "8bit")
        };
        self.field("Content-Type", &format!("text/plain; charset={charset}"));
        self.field("Content-Transfer-Encoding", encoding);
        self.line("");
        self.lines(body);
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }
}

/// The header block of a message, its empty line left out.
pub(crate) fn header_of(message: &[u8]) -> &[u8] {
    let block = &message[..message::header::length(message)];
    let inner = block.strip_suffix(b"\n").unwrap_or(block);
    let inner = inner.strip_suffix(b"\r").unwrap_or(inner);
    if inner.is_empty() || inner.ends_with(b"\n") {
        inner
    } else {
        block
    }
}
