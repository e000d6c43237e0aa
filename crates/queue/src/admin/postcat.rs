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

/// The message in readable form. `date` shows seconds since the epoch as `Sat Nov 21 21:43:46 2026`.
///
/// # Errors
/// [`crate::Error::NoSuchMessage`], [`crate::Error::Damaged`], [`crate::Error::Disk`].
pub fn dump(spool: &Spool, id: &QueueId, parts: Parts, date: &dyn Fn(i64) -> String) -> Result<Vec<u8>> {
    let message = spool.message(id)?;
    let content = spool.content(id)?.read_all()?;
    Ok(in_full(&message, &content, parts, date))
}

/// A message of the maildrop in the same form.
///
/// # Errors
/// [`crate::Error::Disk`], [`crate::Error::Damaged`] when the file ends early.
pub fn dump_dropped(mut dropped: Dropped, parts: Parts, date: &dyn Fn(i64) -> String) -> Result<Vec<u8>> {
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
    Ok(in_full(&message, &content, parts, date))
}

fn in_full(message: &Message, content: &[u8], parts: Parts, date: &dyn Fn(i64) -> String) -> Vec<u8> {
    let parts = match parts {
        Parts {
            envelope: false,
            header: false,
            body: false,
        } => Parts {
            envelope: true,
            header: true,
            body: true,
        },
        some => some,
    };
    let file = format!("{}/{}", message.queue, message.queue_id);
    let mut out = String::new();
    if parts.envelope {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(out, "*** ENVELOPE RECORDS {file} ***");
        envelope_records(message, date, &mut out);
        let _ = writeln!(out, "*** MESSAGE CONTENTS {file} ***");
    }
    let mut out = out.into_bytes();
    let header_end = header_end(content);
    if parts.header {
        out.extend_from_slice(&content[..header_end]);
    }
    if parts.body {
        out.extend_from_slice(&content[header_end..]);
    }
    if out.last().is_some_and(|last| *last != b'\n') {
        out.push(b'\n');
    }
    if parts.envelope {
        out.extend_from_slice(
            format!("*** HEADER EXTRACTED {file} ***\n*** MESSAGE FILE END {file} ***\n").as_bytes(),
        );
    }
    out
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
    for (name, value) in &message.facts.attributes {
        let _ = writeln!(out, "named_attribute: {name}={value}");
    }
    let encoding = match envelope.body {
        BodyKind::SevenBit => "7bit",
        BodyKind::EightBitMime | BodyKind::BinaryMime => "8bit",
    };
    let _ = writeln!(out, "named_attribute: encoding={encoding}");
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
    for (recipient, outcome) in envelope.recipients.iter().zip(&message.outcomes) {
        if let Some(orcpt) = &recipient.orcpt {
            let _ = writeln!(out, "named_attribute: dsn_orig_rcpt={orcpt}");
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
