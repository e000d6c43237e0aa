//! `mailq`: the list of what is queued, as text in Postfix's layout and as JSON values.

use std::fmt::Write as _;

use envelope::{DeliveryResult, QueueId};
use serde::{Deserialize, Serialize};
use world::World;

use crate::spool::Known;
use crate::{Error, Message, QueueName, Result, Spool, maildrop};

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

/// How many messages are looked up at once in the spool.
const LOOKED_UP: usize = 50_000;
/// How many the first time, so that the first line comes soon.
const LOOKED_UP_FIRST: usize = 1_000;

/// Everything in the spool and its maildrop, by queue as Postfix lists them ([`QueueName::ALL`]), oldest first in each. It is
/// found out while it is asked for, so that a large queue needs no more memory than a small one: what changes its queue
/// meanwhile may be missed or come twice. Messages that cannot be read are listed without sender and recipients.
///
/// # Errors
/// [`Error::Disk`].
pub fn listing(spool: &Spool, world: &World) -> Result<Listing> {
    Ok(Listing {
        spool: spool.clone(),
        world: world.clone(),
        dropped: maildrop::scan(spool.dir(), world)?.into_iter(),
        found: Vec::new().into_iter(),
        last: None,
        look_up: LOOKED_UP_FIRST,
    })
}

/// What [`listing`] gives, message by message.
pub struct Listing {
    spool: Spool,
    world: World,
    dropped: std::vec::IntoIter<QueueId>,
    /// The messages that were looked up, to be read.
    found: std::vec::IntoIter<Known>,
    /// The last that was looked up.
    last: Option<Known>,
    /// How many are to be looked up next; 0 when there are no more.
    look_up: usize,
}

impl Iterator for Listing {
    type Item = Listed;

    fn next(&mut self) -> Option<Listed> {
        for id in self.dropped.by_ref() {
            // One that cannot be read, or is gone, is none.
            if let Ok(dropped) = maildrop::read(self.spool.dir(), &self.world, &id) {
                return Some(list_dropped(&id, &dropped));
            }
        }
        loop {
            for known in self.found.by_ref() {
                match self.spool.message(&known.queue_id) {
                    Ok(message) => return Some(list_message(&message)),
                    Err(Error::NoSuchMessage(_)) => {}
                    Err(_) => {
                        return Some(list_one(
                            &known.queue_id,
                            QueueName::Corrupt,
                            None,
                            std::iter::empty(),
                        ));
                    }
                }
            }
            let more = self.spool.listed_after(self.last.as_ref(), self.look_up);
            self.look_up = if more.is_empty() { 0 } else { LOOKED_UP };
            self.last = Some(more.last()?.clone());
            self.found = more.into_iter();
        }
    }
}

fn list_dropped(id: &QueueId, dropped: &maildrop::Dropped) -> Listed {
    let recipients = dropped.envelope.recipients.iter();
    let recipients = recipients.map(|recipient| (&recipient.address, None));
    let sender = dropped.envelope.sender.as_ref();
    let mut listed = list_one(id, QueueName::Maildrop, sender, recipients);
    listed.message_size = dropped.size_bytes;
    listed.arrival_time = dropped.arrival_micros.div_euclid(1_000_000);
    listed
}

fn list_message(message: &Message) -> Listed {
    let recipients = message.envelope.recipients.iter();
    let open = recipients
        .zip(message.outcomes.iter().map(Option::as_ref))
        .filter_map(|(recipient, outcome)| {
            let deferred = outcome.filter(|outcome| outcome.result == DeliveryResult::Deferred);
            (outcome.is_none() || deferred.is_some())
                .then_some((&recipient.address, deferred.map(|o| o.text.as_str())))
        });
    let sender = message.envelope.sender.as_ref();
    let mut listed = list_one(&message.queue_id, message.queue, sender, open);
    listed.message_size = message.size_bytes;
    listed.forced_expire = message.forced_expire;
    listed.arrival_time = message.facts.arrival_micros.div_euclid(1_000_000);
    listed
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

/// The list as `mailq` prints it, piece by piece.
pub struct Screen<'a> {
    long_ids: bool,
    date: &'a dyn Fn(i64) -> String,
    messages: u64,
    size_bytes: u64,
}

impl Screen<'_> {
    /// Of a list that is empty so far. `long_ids`: the layout of `enable_long_queue_ids`. `date` shows seconds since the
    /// epoch as `Sat Nov 21 21:43:46` in the local time zone.
    pub fn new(long_ids: bool, date: &dyn Fn(i64) -> String) -> Screen<'_> {
        Screen {
            long_ids,
            date,
            messages: 0,
            size_bytes: 0,
        }
    }

    /// The lines of the next messages.
    pub fn lines(&mut self, listed: &[Listed]) -> String {
        let mut out = String::new();
        for message in listed {
            if self.messages == 0 {
                out.push_str(if self.long_ids {
                    "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
                } else {
                    "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
                });
            }
            self.messages += 1;
            self.size_bytes += message.message_size;
            render_one(message, self.long_ids, self.date, &mut out);
        }
        out
    }

    /// What ends the list.
    pub fn end(&self) -> String {
        match self.messages {
            0 => "Mail queue is empty\n".to_owned(),
            count => {
                let plural = if count == 1 { "" } else { "s" };
                format!(
                    "-- {} Kbytes in {count} Request{plural}.\n",
                    self.size_bytes / 1024
                )
            }
        }
    }
}

/// The list as `mailq` prints it, at once; see [`Screen`].
pub fn render(listed: &[Listed], long_ids: bool, date: &dyn Fn(i64) -> String) -> String {
    let mut screen = Screen::new(long_ids, date);
    screen.lines(listed) + &screen.end()
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
