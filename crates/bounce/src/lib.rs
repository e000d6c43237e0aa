//! Delivery status notifications: what the sender is told about a message's fate.
//!
//! In charge of who gets a report, what it says in words and in fields, and how much of the message it returns, as
//! Postfix's bounce(8) does. Not in charge of when to report (`queue`) or of delivering the report: what comes out
//! of [`report`] is a new message for `intake` and the queue, lines ending in LF.
//!
//! Entry: [`report`]. RFCs: 3461 §6, 3462 (multipart/report), 3464 (delivery-status), 6533 (its UTF-8 forms), 3834 §3.
//! Limits: at most `bounce_size_limit` octets of the message are read and returned; [`RECIPIENTS_MAX`] are listed.

mod fields;
mod wording;

use std::io::Read;

use address::{Address, Domain};
use envelope::{BodyKind, Envelope, Outcome, QueueId, Recipient, Ret};
use message::build::{Header, Part};
use message::date::Date;
use settings::Postfix;

/// How many recipients one report lists; of more it says how many.
pub const RECIPIENTS_MAX: usize = 10_000;

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
    /// What the first attempt came to, as asked for (`sendmail -v`).
    Traced,
    /// What a delivery would come to, as asked for (`sendmail -bv`).
    Verified,
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
/// the recipients' NOTIFY says so, or the message is itself a report and `notify_classes` has no `2bounce`.
///
/// `content` gives the message from its start. `now` is in the local zone.
///
/// # Errors
/// [`Error`].
pub fn report(
    settings: &Postfix,
    kind: Kind,
    original: &Original<'_>,
    fates: &[Fate<'_>],
    (content, now): (&mut dyn Read, Date),
) -> Result<Option<(Envelope, Vec<u8>)>, Error> {
    let wanted: Vec<&Fate<'_>> = fates.iter().filter(|fate| wants(kind, fate.recipient)).collect();
    let Some((from, to)) = addressees(settings, kind, original).filter(|_| !wanted.is_empty()) else {
        return Ok(None);
    };
    let is_international = wanted.iter().any(|fate| fate.recipient.address.needs_smtputf8())
        || original
            .envelope
            .sender
            .as_ref()
            .is_some_and(Address::needs_smtputf8);
    let (returned, has_8bit) = returned_part(settings, kind, original, content, is_international)?;
    let parts = [
        described(
            "Notification",
            Part::text(&wording::explanation(settings, kind, original, &wanted)),
        )?,
        delivery_status(
            &fields::status(settings, kind, original, &wanted),
            is_international,
        )?,
        returned,
    ];
    let report = multipart(original.queue_id, now, &settings.myhostname, &parts)?;
    let header = header(settings, kind, &to, now, has_8bit || is_international)?;
    let bytes = message::lines::to_lf(&report.with_header(header).to_bytes());
    let envelope = Envelope {
        sender: from,
        recipients: vec![Recipient::new(to)],
        ret: None,
        envid: None,
        body: if has_8bit || is_international {
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
        Kind::Delayed { .. } => recipient.wants_delay_report(),
        Kind::Success => recipient.wants_success_report(),
        Kind::Traced | Kind::Verified => true,
    }
}

/// From whom and to whom a report goes. A report that cannot be delivered goes to the postmaster if that is asked
/// for, from an address whose mail is never returned.
fn addressees(settings: &Postfix, kind: Kind, original: &Original<'_>) -> Option<(Option<Address>, Address)> {
    match &original.envelope.sender {
        Some(sender)
            if sender
                .local()
                .eq_ignore_ascii_case(&settings.double_bounce_sender) =>
        {
            None
        }
        Some(sender) => Some((None, sender.clone())),
        None if kind == Kind::Failed && wants_double_bounces(settings) => {
            let double = Address::new(&settings.double_bounce_sender, own_domain(settings));
            Some((Some(double), Address::new("postmaster", own_domain(settings))))
        }
        None => None,
    }
}

fn wants_double_bounces(settings: &Postfix) -> bool {
    settings
        .notify_classes
        .contains(&settings::NotifyClass::TwoBounce)
}

fn own_domain(settings: &Postfix) -> Option<Domain> {
    [&settings.myorigin, &settings.myhostname]
        .into_iter()
        .find_map(|name| Domain::parse(name).ok())
}

fn header(settings: &Postfix, kind: Kind, to: &Address, now: Date, is_8bit: bool) -> Result<Header, Error> {
    let daemon = Address::new("MAILER-DAEMON", own_domain(settings));
    let header = Header::new()
        .field("Date", &now.rfc5322())?
        .field("From", &message::build::mailbox("Mail Delivery System", &daemon))?
        .text("Subject", wording::subject(kind))?
        .field("To", &to.to_string())?
        .field("Auto-Submitted", "auto-replied")?
        .field("Content-Transfer-Encoding", if is_8bit { "8bit" } else { "7bit" })?;
    Ok(header)
}

fn described(description: &str, part: Part) -> Result<Part, Error> {
    Ok(part.with_header(Header::new().field("Content-Description", description)?))
}

fn delivery_status(fields: &str, is_international: bool) -> Result<Part, Error> {
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
fn returned_part(
    settings: &Postfix,
    kind: Kind,
    original: &Original<'_>,
    content: &mut dyn Read,
    is_international: bool,
) -> Result<(Part, bool), Error> {
    let limit = if settings.bounce_size_limit == 0 {
        u64::MAX
    } else {
        settings.bounce_size_limit
    };
    let whole =
        kind == Kind::Failed && original.envelope.ret != Some(Ret::Headers) && original.size_bytes <= limit;
    // The sender as a delivery would show it: the message is delivered here.
    let sender = address::path::display(original.envelope.sender.as_ref());
    let mut bytes = format!("Return-Path: {sender}\n").into_bytes();
    content.take(limit).read_to_end(&mut bytes)?;
    let mut bytes = message::lines::to_crlf(&bytes);
    let content_type = match (whole, is_international) {
        (true, false) => "message/rfc822",
        (true, true) => "message/global",
        (false, false) => "text/rfc822-headers",
        (false, true) => "message/global-headers",
    };
    let description = match (kind, whole) {
        (Kind::Failed, true) => "Undelivered Message",
        (Kind::Failed, false) => "Undelivered Message Headers",
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
