//! `postcat -q`: a queued message in readable form.

use std::fmt::Write as _;
use std::io::Read as _;

use envelope::{BodyKind, DeliveryResult, QueueId, Ret};

use crate::maildrop::Dropped;
use crate::{Facts, Message, QueueName, Result, Spool};

/// Which parts to show (`-e`, `-h`, `-b`); all when none is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Parts {
    pub envelope: bool,
    pub header: bool,
    pub body: bool,
}

impl Parts {
    fn are_none(self) -> bool {
        self == Parts::default()
    }
}

/// What to show of a message, and how (`postcat -d`, `-o`, `-s`, `-v`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct View {
    /// Which parts.
    pub parts: Parts,
    /// Each line with the number of its record's type.
    pub types: bool,
    /// Each line of the content with its offset, in octets.
    pub offsets: bool,
    /// Each line with the name of its record's type.
    pub names: bool,
    /// The content from here on only, and no envelope.
    pub skip_bytes: u64,
}

/// Where a message is said to lie: in its queue, or as somebody named its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// `deferred/E/E69259AE0B7`
    Queue,
    /// The words of the command line.
    Named(&'a str),
}

/// The message in readable form. `date` shows seconds since the epoch as `Sat Nov 21 21:43:46 2026`.
///
/// # Errors
/// [`crate::Error::NoSuchMessage`], [`crate::Error::Damaged`], [`crate::Error::Disk`].
pub fn dump(
    spool: &Spool,
    (id, place): (&QueueId, Place<'_>),
    view: View,
    date: &dyn Fn(i64) -> String,
) -> Result<Vec<u8>> {
    let message = spool.message(id)?;
    let content = spool.content(id)?.read_all()?;
    Ok(in_full((&message, place), &content, view, date))
}

/// A message of the maildrop in the same form.
///
/// # Errors
/// [`crate::Error::Disk`], [`crate::Error::Damaged`] when the file ends early.
pub fn dump_dropped(
    (mut dropped, place): (Dropped, Place<'_>),
    view: View,
    date: &dyn Fn(i64) -> String,
) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let read = dropped.content.read_to_end(&mut content);
    read.map_err(|error| crate::Error::Damaged(format!("{}: {}", dropped.queue_id, os::words(&error))))?;
    let message = Message {
        queue_id: dropped.queue_id,
        queue: QueueName::Maildrop,
        outcomes: vec![None; dropped.envelope.recipients.len()],
        envelope: dropped.envelope,
        facts: Facts {
            arrival_micros: dropped.arrival_micros,
            ..Facts::default()
        },
        size_bytes: dropped.size_bytes,
        next_try_micros: 0,
        forced_expire: false,
    };
    Ok(in_full((&message, place), &content, view, date))
}

fn in_full(
    (message, place): (&Message, Place<'_>),
    content: &[u8],
    view: View,
    date: &dyn Fn(i64) -> String,
) -> Vec<u8> {
    let parts = match view.parts {
        parts if parts.are_none() => Parts {
            envelope: true,
            header: true,
            body: true,
        },
        some => some,
    };
    let shows_envelope = parts.envelope && view.skip_bytes == 0;
    let file = match place {
        Place::Named(path) => path.to_owned(),
        Place::Queue => place_of(message),
    };
    let mut out = Vec::new();
    if shows_envelope {
        // No record: nothing stands before it.
        out.extend_from_slice(format!("*** ENVELOPE RECORDS {file} ***\n").as_bytes());
    }
    let mut tell = |text: &str, offset: Option<usize>| record(text.as_bytes(), offset, view, &mut out);
    if shows_envelope {
        let mut records = String::new();
        envelope_records(message, date, &mut records);
        records.lines().for_each(|line| tell(line, None));
        tell(&format!("*** MESSAGE CONTENTS {file} ***"), None);
    }
    let header_end = header_end(content);
    let mut at = 0;
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        let is_wanted = if at < header_end { parts.header } else { parts.body };
        if is_wanted && at as u64 >= view.skip_bytes {
            record(line.strip_suffix(b"\n").unwrap_or(line), Some(at), view, &mut out);
        }
        at += line.len();
    }
    if shows_envelope {
        let mut tell = |text: &str| record(text.as_bytes(), None, view, &mut out);
        tell(&format!("*** HEADER EXTRACTED {file} ***"));
        if message.envelope.body != BodyKind::SevenBit {
            tell(EIGHT_BIT);
        }
        tell(&format!("*** MESSAGE FILE END {file} ***"));
    }
    out
}

/// One line. Only lines of the content have an offset: the rest lies in records of another form.
fn record(line: &[u8], offset: Option<usize>, view: View, out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(line);
    let name = text.split(": ").next().unwrap_or_default();
    let number = match offset {
        Some(_) => TEXT_TYPE,
        None => type_of(name),
    };
    if view.offsets {
        let at = offset.map(|at| at.to_string()).unwrap_or_default();
        out.extend_from_slice(format!("{at:>9} ").as_bytes());
    }
    if view.types {
        out.extend_from_slice(format!("{number:>3} ").as_bytes());
    }
    if view.names && offset.is_some() {
        out.extend_from_slice(b"regular_text: ");
    }
    out.extend_from_slice(line);
    out.push(b'\n');
}

/// Where Postfix would have the message's file: `hold/ID`, and deferred mail one directory deeper (`hash_queue_names`).
fn place_of(message: &Message) -> String {
    let (queue, id) = (message.queue, message.queue_id.as_str());
    // Long ids lie below a digit of their time; nobody looks for them there.
    let is_short = id
        .bytes()
        .all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte));
    if queue == QueueName::Deferred && is_short {
        format!("{queue}/{}/{id}", &id[..1])
    } else {
        format!("{queue}/{id}")
    }
}

/// Shown of a message that was announced as one of 8-bit content.
const EIGHT_BIT: &str = "named_attribute: encoding=8bit";

/// `N`, a line of the content.
const TEXT_TYPE: u8 = b'N';

/// The letter of a record's type, by the name that is shown of it.
fn type_of(name: &str) -> u8 {
    match name {
        "message_size" => b'C',
        "message_arrival_time" => b'T',
        "sender" => b'S',
        "original_recipient" => b'O',
        "recipient" => b'R',
        "done_recipient" => b'D',
        name if name.starts_with("*** MESSAGE CONTENTS") => b'M',
        name if name.starts_with("*** HEADER EXTRACTED") => b'X',
        name if name.starts_with("*** MESSAGE FILE END") => b'E',
        _ => b'A',
    }
}

fn envelope_records(message: &Message, date: &dyn Fn(i64) -> String, out: &mut String) {
    let envelope = &message.envelope;
    let (size, count) = (message.size_bytes, envelope.recipients.len());
    let _ = writeln!(
        out,
        "message_size: {size:15} {:15} {count:15} {:15} {size:15} {:15}",
        0, 0, 0
    );
    let arrival = date(message.facts.arrival_micros.div_euclid(1_000_000));
    let _ = writeln!(out, "message_arrival_time: {arrival}\ncreate_time: {arrival}");
    // Behind a content filter the attributes have the name that the message had before it.
    if message.facts.attribute("log_ident").is_none() {
        let _ = writeln!(out, "named_attribute: log_ident={}", message.queue_id);
    }
    if let Some(envid) = &envelope.envid {
        let _ = writeln!(out, "named_attribute: envelope_id={envid}");
    }
    if let Some(ret) = envelope.ret {
        let _ = writeln!(
            out,
            "named_attribute: ret_flags={}",
            if ret == Ret::Full { 1 } else { 2 }
        );
    }
    let sender = envelope
        .sender
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let _ = writeln!(out, "sender: {sender}");
    if envelope.body != BodyKind::SevenBit {
        let _ = writeln!(out, "{EIGHT_BIT}");
    }
    for (name, value) in &message.facts.attributes {
        // Postfix has a record of its own for the filter.
        let _ = match name.as_str() {
            "content_filter" => writeln!(out, "content_filter: {value}"),
            name => writeln!(out, "named_attribute: {name}={value}"),
        };
    }
    for (recipient, outcome) in envelope.recipients.iter().zip(&message.outcomes) {
        if let Some(notify) = recipient.notify {
            let _ = writeln!(out, "named_attribute: notify_flags={}", notify_flags(notify));
        }
        match (&recipient.orcpt, recipient.original.domain()) {
            (Some(orcpt), _) => {
                let _ = writeln!(out, "named_attribute: dsn_orig_rcpt={orcpt}");
            }
            // What reports call the recipient whom nobody named otherwise.
            (None, Some(_)) => {
                let _ = writeln!(
                    out,
                    "named_attribute: dsn_orig_rcpt=rfc822;{}",
                    recipient.original
                );
            }
            (None, None) => {
                let _ = writeln!(out, "named_attribute: dsn_orig_rcpt=rfc822;{}", recipient.address);
            }
        }
        let done = matches!(outcome, Some(o) if o.result != DeliveryResult::Deferred);
        let word = if done { "done_recipient" } else { "recipient" };
        let _ = writeln!(
            out,
            "original_recipient: {}\n{word}: {}",
            recipient.original, recipient.address
        );
    }
}

/// The sum that Postfix keeps: never 1, success 2, failure 4, delay 8.
fn notify_flags(notify: envelope::Notify) -> u8 {
    match u8::from(notify.success) * 2 + u8::from(notify.failure) * 4 + u8::from(notify.delay) * 8 {
        0 => 1,
        some => some,
    }
}

/// Where the body starts: behind the first empty line.
fn header_end(content: &[u8]) -> usize {
    if content.starts_with(b"\n") {
        return 0;
    }
    let lf = content.windows(2).position(|two| two == b"\n\n").map(|at| at + 1);
    let crlf = content
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 2);
    lf.into_iter().chain(crlf).min().unwrap_or(content.len())
}
