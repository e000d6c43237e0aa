//! The envelope of a message: sender, recipients, DSN options, queue id, status.
//!
//! In charge of the words that the MTA's parts say to each other about a message that is not its content.
//! Not in charge of what the queue does with it. [`codec`] turns envelopes and outcomes into bytes for the spool, [`maildrop`] into the
//! files that `sendmail` and `postdrop` leave.
//! RFCs: 5321, 3461 (DSN options), 3463 (enhanced status codes), 6152, 6531. Limits: those of [`codec`] and [`dsn`].

pub mod codec;
pub mod dsn;
pub mod maildrop;
pub mod queue_id;
pub mod status;

use address::Address;
pub use queue_id::QueueId;
use serde::{Deserialize, Serialize};
pub use status::{Class, StatusCode};

/// Who sent a message, to whom, and with which options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The return path; `None` is the null sender `<>`.
    pub sender: Option<Address>,
    /// Where it goes.
    pub recipients: Vec<Recipient>,
    /// Which part of it a failure report returns (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// The sender's own identifier, xtext-decoded (RFC 3461 §4.4).
    pub envid: Option<String>,
    /// What BODY= said (RFC 6152, 3030).
    pub body: BodyKind,
    /// Whether SMTPUTF8 was asked for (RFC 6531).
    pub smtputf8: bool,
}

/// One recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Where the message goes now, after rewriting.
    pub address: Address,
    /// The recipient as the client wrote it (`X-Original-To`).
    pub original: Address,
    /// ORCPT as `type;address`, xtext-decoded (RFC 3461 §4.2).
    pub orcpt: Option<String>,
    /// Which reports the sender wants; `None` is the default (failure, perhaps delay).
    pub notify: Option<Notify>,
}

/// RFC 3461 §4.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ret {
    /// The whole message.
    Full,
    /// Its header only.
    Headers,
}

/// RFC 3461 §4.1. All `false` is NEVER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Notify {
    pub success: bool,
    pub failure: bool,
    pub delay: bool,
}

impl Notify {
    /// The same without the report of a success: it is left to others, or made already.
    pub fn without_success(self) -> Notify {
        Notify {
            success: false,
            ..self
        }
    }
}

/// RFC 6152, 3030 §3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum BodyKind {
    #[default]
    SevenBit,
    EightBitMime,
    BinaryMime,
}

/// What a sender asks to be told of the first attempt (sendmail(1), `-bv` and `-v`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trace {
    /// Nothing but what DSN options say.
    #[default]
    None,
    /// What a delivery would come to; nothing is delivered.
    Verify,
    /// What the delivery came to.
    Record,
    /// Nothing: the mail system itself verifies an address, and tells nobody.
    Probe,
}

/// What became of one recipient in one delivery attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Sent, to be tried again, or given up.
    pub result: DeliveryResult,
    /// The enhanced status code (RFC 3463).
    pub status: StatusCode,
    /// The reason as `mailq` and the log show it, without the code.
    pub text: String,
    /// The host or the agent: `mx.example.com[192.0.2.1]:25`, `local`, `none`.
    pub relay: String,
    /// What a report to the sender says besides.
    pub detail: Detail,
}

/// What a report to the sender says of an outcome besides its text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Detail {
    /// The value of `Diagnostic-Code:` where it is not the text: `x-unix; user unknown`.
    pub diagnostic: Option<Box<str>>,
    /// Those of the addresses that the recipient stands for (aliases, `.forward`) that were given up, and why. Empty
    /// where the outcome is the recipient's own. Of more than [`codec::TARGETS_MAX`] the queue keeps the first.
    pub targets: Box<[(Address, Outcome)]>,
    /// A process of this system was not there, or ended before it answered: nothing is known against the recipient, who is
    /// tried again soon. The queue's file does not keep it.
    pub is_interrupted: bool,
    /// How many messages went over the connection until then, at most 65 535; 0 where there was none. The queue's file does
    /// not keep it.
    pub connection_uses: u16,
    /// How much of the attempt was spent until a host took the message's envelope: finding hosts, connecting, greeting, TLS, the
    /// login; in milliseconds. The queue's file does not keep it.
    pub set_up_millis: u32,
}

/// How a delivery attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryResult {
    /// Handed over for good.
    Sent,
    /// The same, to a system that will not tell the sender who asked to hear of it: that is left to us.
    Relayed,
    /// Handed over to those for whom an alias stands, of whom the sender is not told: the sender who asked to hear of a
    /// delivery hears of this instead (RFC 3461 §5.2.7.3).
    Expanded,
    /// To be tried again later.
    Deferred,
    /// Given up; the sender is to be told.
    Bounced,
    /// Given up, and the sender has been told. No attempt ends so: it is what the queue notes after the report.
    Returned,
}
