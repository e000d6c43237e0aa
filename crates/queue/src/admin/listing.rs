//! `mailq`: the list of what is queued, as text in Postfix's layout and as JSON values.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use envelope::{DeliveryResult, QueueId};
use serde::{Deserialize, Serialize};
use world::World;

use crate::{Error, QueueName, Result, Spool, maildrop};

/// A message in the list; serialized, an object of `postqueue -j`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// `deferred`, `hold` …
    pub queue_name: String,
    /// Its queue id.
    pub queue_id: String,
    /// Seconds since the Unix epoch.
    pub arrival_time: i64,
    /// The content's octets.
    pub message_size: u64,
    /// An administrator wants it returned at its next try.
    pub forced_expire: bool,
    /// The sender; `MAILER-DAEMON` for the null sender.
    pub sender: String,
    /// Those to whom it is still to be delivered.
    pub recipients: Vec<ListedRecipient>,
}

/// A recipient in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedRecipient {
    /// Where the message is to go.
    pub address: String,
    /// Why it was not delivered the last time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delay_reason: Option<String>,
}

const RECIPIENT_COLUMN_SHORT: usize = 41;
const RECIPIENT_COLUMN_LONG: usize = 47;
/// Where a reason ends, unless it is too long for that.
const REASON_END_COLUMN: usize = 78;

/// Everything in the spool and its maildrop, by queue as Postfix lists them (maildrop, active, incoming, deferred, hold,
/// corrupt), oldest first in each.
///
/// # Errors
/// [`Error::Disk`]. Messages that cannot be read are listed without sender and recipients.
pub fn listing(spool: &Spool, world: &World) -> Result<Vec<Listed>> {
    let mut found: BTreeMap<(u8, i64, QueueId), Listed> = BTreeMap::new();
    for id in maildrop::scan(spool.dir(), world)? {
        let Ok(dropped) = maildrop::read(spool.dir(), world, &id) else {
            continue;
        };
        let recipients = dropped
            .envelope
            .recipients
            .iter()
            .map(|recipient| (&recipient.address, None));
        let sender = dropped.envelope.sender.as_ref();
        let mut listed = list_one(&id, QueueName::Maildrop, sender, recipients);
        listed.message_size = dropped.size_bytes;
        listed.arrival_time = dropped.arrival_micros.div_euclid(1_000_000);
        found.insert((place(QueueName::Maildrop), dropped.arrival_micros, id), listed);
    }
    for (id, queue) in spool.queue_ids() {
        let message = match spool.message(&id) {
            Ok(message) => message,
            Err(Error::NoSuchMessage(_)) => continue,
            Err(_) => {
                let listed = list_one(&id, QueueName::Corrupt, None, std::iter::empty());
                found.insert((place(QueueName::Corrupt), 0, id), listed);
                continue;
            }
        };
        let outcomes = message.outcomes.iter().map(Option::as_ref);
        let open = message
            .envelope
            .recipients
            .iter()
            .zip(outcomes)
            .filter_map(|(recipient, outcome)| {
                let deferred = outcome.filter(|outcome| outcome.result == DeliveryResult::Deferred);
                (outcome.is_none() || deferred.is_some())
                    .then_some((&recipient.address, deferred.map(|o| o.text.as_str())))
            });
        let mut listed = list_one(&id, queue, message.envelope.sender.as_ref(), open);
        listed.message_size = message.size_bytes;
        listed.forced_expire = message.forced_expire;
        listed.arrival_time = message.facts.arrival_micros.div_euclid(1_000_000);
        found.insert((place(queue), message.facts.arrival_micros, id), listed);
    }
    Ok(found.into_values().collect())
}

fn place(queue: QueueName) -> u8 {
    match queue {
        QueueName::Maildrop => 0,
        QueueName::Active => 1,
        QueueName::Incoming => 2,
        QueueName::Deferred => 3,
        QueueName::Hold => 4,
        QueueName::Corrupt => 5,
    }
}

fn list_one<'a>(
    id: &QueueId,
    queue: QueueName,
    sender: Option<&address::Address>,
    recipients: impl Iterator<Item = (&'a address::Address, Option<&'a str>)>,
) -> Listed {
    Listed {
        queue_name: queue.as_str().to_owned(),
        queue_id: id.to_string(),
        arrival_time: 0,
        message_size: 0,
        forced_expire: false,
        sender: sender.map_or_else(|| "MAILER-DAEMON".to_owned(), ToString::to_string),
        recipients: recipients
            .map(|(address, reason)| ListedRecipient {
                address: address.to_string(),
                delay_reason: reason.map(str::to_owned),
            })
            .collect(),
    }
}

/// The list as `mailq` prints it. `long_ids`: the layout of `enable_long_queue_ids`. `date` shows seconds since the epoch
/// as `Sat Nov 21 21:43:46` in the local time zone.
pub fn render(listed: &[Listed], long_ids: bool, date: &dyn Fn(i64) -> String) -> String {
    if listed.is_empty() {
        return "Mail queue is empty\n".to_owned();
    }
    let mut out = String::from(if long_ids {
        "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
    } else {
        "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
    });
    for message in listed {
        render_one(message, long_ids, date, &mut out);
    }
    let bytes: u64 = listed.iter().map(|message| message.message_size).sum();
    let plural = if listed.len() == 1 { "" } else { "s" };
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "-- {} Kbytes in {} Request{plural}.",
        bytes / 1024,
        listed.len()
    );
    out
}

fn render_one(message: &Listed, long_ids: bool, date: &dyn Fn(i64) -> String, out: &mut String) {
    let flag = match message.queue_name.as_str() {
        "active" => "*",
        "hold" => "!",
        _ => "",
    };
    let expired = if message.forced_expire { "#" } else { "" };
    let id = format!("{}{flag}{expired}", message.queue_id);
    let (size, time, sender) = (message.message_size, date(message.arrival_time), &message.sender);
    // Writing to a String cannot fail.
    let _ = if long_ids {
        writeln!(out, "{id:<17} {size:8} {time:<19} {sender}")
    } else {
        writeln!(out, "{id:<11} {size:7} {time:<20} {sender}")
    };
    let column = if long_ids {
        RECIPIENT_COLUMN_LONG
    } else {
        RECIPIENT_COLUMN_SHORT
    };
    let (reasoned, other): (Vec<_>, Vec<_>) = message
        .recipients
        .iter()
        .partition(|recipient| recipient.delay_reason.is_some());
    let mut last_reason = None;
    for recipient in reasoned.into_iter().chain(other) {
        if let Some(reason) = &recipient.delay_reason
            && last_reason.replace(reason) != Some(reason)
        {
            let reason = format!("({reason})");
            let _ = writeln!(out, "{reason:>REASON_END_COLUMN$}");
        }
        let _ = writeln!(out, "{:column$}{}", "", recipient.address);
    }
    out.push('\n');
}

/// The list as `postqueue -j` prints it, one object a line; `to_json` turns one into text.
pub fn json(listed: &[Listed], to_json: &dyn Fn(&Listed) -> String) -> String {
    listed.iter().map(|message| to_json(message) + "\n").collect()
}
