//! Delivery status notifications: what the sender is told about a message's fate.
//!
//! In charge of who gets a report, what it says in words and in fields, and how much of the message it returns, as
//! Postfix's bounce(8) does. Not in charge of when to report (`queue`) or of delivering the report: what comes out
//! of [`report`] is a new message for `intake` and the queue, lines ending in LF. [`notice`] tells the postmaster of sessions.
//!
//! Entry: [`report`]. RFCs: 3461 §6, 3462 (multipart/report), 3464 (delivery-status), 6533 (its UTF-8 forms), 3834 §3.
//! Limits: of messages of more than `bounce_size_limit` octets only the header is returned, at most [`HEADER_BYTES_MAX`];
//! [`RECIPIENTS_MAX`] are listed.

mod fields;
mod notice;
mod wording;

pub use notice::{Notice, Service, notice};

use std::io::Read;

use address::{Address, Domain};
use envelope::{BodyKind, Envelope, Outcome, QueueId, Recipient, Ret};
use message::build::{Header, Part};
use message::date::Date;
use settings::{BounceTemplate, NotifyClass, Postfix};

/// How many recipients one report lists; of more it says how many.
pub const RECIPIENTS_MAX: usize = 10_000;

/// So many octets of a header are returned at most.
pub const HEADER_BYTES_MAX: u64 = 1 << 20;

/// Why there is no report although there should be one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The message to be returned could not be read.
    #[error("cannot read the message to return: {}", os::words(.0))]
    Read(#[from] std::io::Error),
    /// A part could not be put together.
    #[error("cannot build the report: {0}")]
    Build(#[from] message::Error),
}

/// What is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Delivery failed for good.
    Failed,
    /// Delivery is late and goes on being tried until this moment.
    Delayed {
        /// When it will be given up.
        until: Date,
    },
    /// Delivery succeeded, and the sender asked to be told.
    Success,
    /// Delivery succeeded after the sender was told of a delay (`confirm_delay_cleared`).
    DelayCleared,
    /// What the first attempt came to, as asked for (`sendmail -v`).
    Traced,
    /// What a delivery would come to, as asked for (`sendmail -bv`).
    Verified,
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The sender. When that is the null address, a failure goes to the postmaster instead, if `notify_classes` has `2bounce`
    /// or `bounce`.
    Sender,
    /// The postmaster, of failures (`bounce`) and delays (`delay`) of others' mail: the header of the message and no words.
    Postmaster,
}

/// The message that is reported about.
#[derive(Debug, Clone, Copy)]
pub struct Original<'a> {
    /// Its name in the queue.
    pub queue_id: &'a QueueId,
    /// Its envelope; the recipients in it do not matter here.
    pub envelope: &'a Envelope,
    /// When it arrived.
    pub arrival: Date,
    /// How large it is in the queue.
    pub size_bytes: u64,
}

/// What became of one recipient.
#[derive(Debug, Clone, Copy)]
pub struct Fate<'a> {
    /// Who.
    pub recipient: &'a Recipient,
    /// What.
    pub outcome: &'a Outcome,
}

/// The report about `fates`: its envelope and its content (lines ending in LF). `None` when nobody is to be told:
/// the recipients' NOTIFY says so, or the message is itself a report and `notify_classes` has no `2bounce`, or it is for the
/// postmaster and `notify_classes` does not ask for it.
///
/// `content` gives the message from its start. `now` is in the local zone.
///
/// # Errors
/// [`Error`].
pub fn report(
    settings: &Postfix,
    (kind, audience): (Kind, Audience),
    original: &Original<'_>,
    fates: &[Fate<'_>],
    (content, now): (&mut dyn Read, Date),
) -> Result<Option<(Envelope, Vec<u8>)>, Error> {
    let is_wanted = |fate: &&Fate<'_>| audience == Audience::Postmaster || wants(kind, fate.recipient);
    let wanted: Vec<&Fate<'_>> = fates.iter().filter(is_wanted).collect();
    let about = About {
        settings,
        kind,
        audience,
        original,
        fates: &wanted,
    };
    let Some((from, to)) = about.addressees().filter(|_| !wanted.is_empty()) else {
        return Ok(None);
    };
    let is_international = about.is_international();
    let (returned, has_8bit) = about.returned_part(content)?;
    let parts = [about.notification()?, about.delivery_status()?, returned];
    let is_8bit = has_8bit || is_international;
    let report = multipart(original.queue_id, now, &settings.myhostname, &parts)?;
    let header = about.header(&to.address, now, is_8bit)?;
    let bytes = message::lines::to_lf(&report.with_header(header).to_bytes());
    let envelope = Envelope {
        sender: from,
        recipients: vec![to],
        ret: None,
        envid: None,
        body: if is_8bit {
            BodyKind::EightBitMime
        } else {
            BodyKind::SevenBit
        },
        smtputf8: is_international,
    };
    Ok(Some((envelope, bytes)))
}

fn wants(kind: Kind, recipient: &Recipient) -> bool {
    match kind {
        Kind::Failed => recipient.wants_failure_report(),
        Kind::Delayed { .. } | Kind::DelayCleared => recipient.wants_delay_report(),
        Kind::Success => recipient.wants_success_report(),
        Kind::Traced | Kind::Verified => true,
    }
}

/// What a report is about, and for whom.
struct About<'a> {
    settings: &'a Postfix,
    kind: Kind,
    audience: Audience,
    original: &'a Original<'a>,
    fates: &'a [&'a Fate<'a>],
}

impl About<'_> {
    /// From whom and to whom it goes. What goes to the postmaster has a sender whose mail is never returned.
    fn addressees(&self) -> Option<(Option<Address>, Recipient)> {
        let settings = self.settings;
        let asked = |class: NotifyClass, recipient: &str| {
            let classes = &settings.notify_classes;
            // `bounce` implies `2bounce`.
            let is_implied = class == NotifyClass::TwoBounce && classes.contains(&NotifyClass::Bounce);
            if !is_implied && !classes.contains(&class) {
                return None;
            }
            let original = Address::parse(recipient).ok()?;
            let address = match original.domain() {
                Some(_) => original.clone(),
                None => Address::new(original.local(), own_domain(settings)),
            };
            // The log shows it as main.cf has it, too.
            let to = Recipient {
                original,
                ..Recipient::new(address)
            };
            let double = Address::new(
                &settings.double_bounce_sender,
                Domain::parse(&settings.myhostname).ok(),
            );
            Some((Some(double), to))
        };
        match (&self.original.envelope.sender, self.audience, self.kind) {
            (Some(sender), _, _)
                if sender
                    .local()
                    .eq_ignore_ascii_case(&settings.double_bounce_sender) =>
            {
                None
            }
            (Some(sender), Audience::Sender, _) => Some((None, Recipient::new(sender.clone()))),
            (Some(_), Audience::Postmaster, Kind::Failed) => {
                asked(NotifyClass::Bounce, &settings.bounce_notice_recipient)
            }
            (Some(_), Audience::Postmaster, Kind::Delayed { .. }) => {
                asked(NotifyClass::Delay, &settings.delay_notice_recipient)
            }
            (None, Audience::Sender, Kind::Failed) => {
                asked(NotifyClass::TwoBounce, &settings.two_bounce_notice_recipient)
            }
            (_, Audience::Postmaster, _) | (None, _, _) => None,
        }
    }

    /// Whether it goes to the postmaster.
    fn is_for_postmaster(&self) -> bool {
        self.audience == Audience::Postmaster || self.original.envelope.sender.is_none()
    }

    /// Whether its parts are those of RFC 6533: for addresses that need it, and for a message whose header may (SMTPUTF8).
    fn is_international(&self) -> bool {
        let envelope = self.original.envelope;
        let mut fates = self.fates.iter();
        envelope.smtputf8
            || fates.any(|fate| fate.recipient.address.needs_smtputf8())
            || envelope.sender.as_ref().is_some_and(Address::needs_smtputf8)
    }

    fn template(&self) -> &BounceTemplate {
        let templates = &self.settings.bounce_templates;
        match self.kind {
            Kind::Failed => &templates.failure,
            Kind::Delayed { .. } => &templates.delay,
            Kind::Success | Kind::DelayCleared => &templates.success,
            Kind::Traced | Kind::Verified => &templates.verify,
        }
    }

    /// The words of the template; the postmaster gets none.
    fn words(&self) -> Option<&str> {
        (!self.is_for_postmaster()).then_some(self.template().text.as_str())
    }

    fn header(&self, to: &Address, now: Date, is_8bit: bool) -> Result<Header, Error> {
        let template = self.template();
        let (subject, submitted) = match (&template.postmaster_subject, self.is_for_postmaster()) {
            (Some(subject), true) => (subject, "auto-generated"),
            (None, true) => (&template.subject, "auto-generated"),
            (_, false) => (&template.subject, "auto-replied"),
        };
        let from = wording::from(&template.from, own_domain(self.settings));
        let header = Header::new()
            .field("Date", &now.rfc5322())?
            .field("From", &from)?
            .text("Subject", subject)?
            .field("To", &to.to_string())?
            .field("Auto-Submitted", submitted)?
            .field("Content-Transfer-Encoding", if is_8bit { "8bit" } else { "7bit" })?;
        Ok(header)
    }

    fn notification(&self) -> Result<Part, Error> {
        let text = wording::explanation(self.words(), self.kind, self.original, self.fates);
        described("Notification", Part::text(&text))
    }

    fn delivery_status(&self) -> Result<Part, Error> {
        let fields = fields::status(self.settings, self.kind, self.original, self.fates);
        let is_international = self.is_international();
        let kind = if is_international {
            "message/global-delivery-status"
        } else {
            "message/delivery-status"
        };
        let body = message::lines::to_crlf(fields.as_bytes());
        let mut header = Header::new().field("Content-Type", kind)?;
        if is_international {
            header = header.field("Content-Transfer-Encoding", "8bit")?;
        }
        described("Delivery report", Part { header, body })
    }

    /// The message, or its header: RET and `bounce_size_limit` decide; only a failure returns all of it. Tells whether
    /// there are octets over 127 in it.
    fn returned_part(&self, content: &mut dyn Read) -> Result<(Part, bool), Error> {
        let (kind, original) = (self.kind, self.original);
        let limit = match self.settings.bounce_size_limit {
            0 => u64::MAX,
            limit => limit,
        };
        let whole = kind == Kind::Failed
            && self.audience == Audience::Sender
            && original.envelope.ret != Some(Ret::Headers)
            && original.size_bytes <= limit;
        // The sender as a delivery would show it: the message is delivered here.
        let sender = address::path::display(original.envelope.sender.as_ref());
        let mut bytes = format!("Return-Path: {sender}\n").into_bytes();
        if whole {
            content.take(limit).read_to_end(&mut bytes)?;
        } else {
            read_header(content, &mut bytes)?;
        }
        let mut bytes = message::lines::to_crlf(&bytes);
        let content_type = match (whole, self.is_international()) {
            (true, false) => "message/rfc822",
            (true, true) => "message/global",
            (false, false) => "text/rfc822-headers",
            (false, true) => "message/global-headers",
        };
        let description = match (kind, whole) {
            (Kind::Failed, true) => "Undelivered Message",
            (Kind::Failed | Kind::Delayed { .. }, false) => "Undelivered Message Headers",
            (_, _) => "Message Headers",
        };
        if !whole {
            bytes.truncate(message::header::length(&bytes));
            if bytes.ends_with(b"\r\n\r\n") {
                bytes.truncate(bytes.len() - 2);
            }
        }
        let has_8bit = !bytes.is_ascii();
        let header = Header::new().field("Content-Type", content_type)?.field(
            "Content-Transfer-Encoding",
            if has_8bit { "8bit" } else { "7bit" },
        )?;
        Ok((described(description, Part { header, body: bytes })?, has_8bit))
    }
}

/// Appends the message as far as its header goes, and what was read with it. `bounce_size_limit` is not for headers.
fn read_header(content: &mut dyn Read, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    const PIECE_BYTES: u64 = 16 * 1024;
    let is_end = |three: &[u8]| three.starts_with(b"\n\n") || three == b"\n\r\n";
    let mut looked_at = 0;
    while (bytes.len() as u64) < HEADER_BYTES_MAX {
        let count = (&mut *content).take(PIECE_BYTES).read_to_end(bytes)?;
        if count == 0 || bytes[looked_at..].windows(3).any(is_end) {
            return Ok(());
        }
        looked_at = bytes.len().saturating_sub(2);
    }
    Ok(())
}

fn own_domain(settings: &Postfix) -> Option<Domain> {
    [&settings.myorigin, &settings.myhostname]
        .into_iter()
        .find_map(|name| Domain::parse(name).ok())
}

fn described(description: &str, part: Part) -> Result<Part, Error> {
    Ok(part.with_header(Header::new().field("Content-Description", description)?))
}

/// The parts under a boundary that is in none of them: `QUEUEID.SECONDS/host`, as Postfix makes it, and a number
/// when somebody foresaw that.
fn multipart(queue_id: &QueueId, now: Date, host: &str, parts: &[Part]) -> Result<Part, Error> {
    const TRIES_MAX: u32 = 100;
    let host: String = host
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || ".-".contains(*c))
        .take(20)
        .collect();
    let mut last = message::Error::FieldSyntax;
    for attempt in 0..TRIES_MAX {
        let boundary = match attempt {
            0 => format!("{queue_id}.{}/{host}", now.secs),
            number => format!("{queue_id}.{}.{number}/{host}", now.secs),
        };
        match Part::multipart("report; report-type=delivery-status", &boundary, parts) {
            Ok(mut part) => {
                // For readers whose mail program does not know multiparts (RFC 2046 §5.1.1).
                part.body
                    .splice(..0, *b"This is a MIME-encapsulated message.\r\n\r\n");
                return Ok(part);
            }
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

#[cfg(test)]
mod tests;
