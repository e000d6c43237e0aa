//! What is wrong with a filter, in the words of Postfix's log.

use std::fmt;

use crate::packet::PACKET_BYTES_MAX;
use crate::reply::Reply;

/// Why a filter is heard no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing came where a reply should have.
    NoReply {
        /// What was said.
        command: &'static str,
        /// Why: the system's words, or [`HUNG_UP`], or [`TIMED_OUT`].
        reason: String,
    },
    /// A packet that did not come to its end.
    HalfPacket(String),
    /// A packet with an announced length of zero, or over the limit.
    PacketLength(u32),
    /// A reply that does not fit.
    Unexpected {
        /// The reply's letter.
        letter: u8,
        /// What was said.
        command: &'static str,
    },
    /// Bytes behind a reply that has none.
    Trailing {
        /// The reply's letter.
        letter: u8,
        /// How many.
        bytes: usize,
    },
    /// A reply whose parts are not there.
    Malformed(u8),
    /// Words for the client that are no reply.
    BadWords(String),
    /// A piece of the body behind other changes.
    MixedBody,
    /// More replies to one command than [`REPLIES_MAX`](crate::client::REPLIES_MAX).
    TooMany(&'static str),
    /// Another version than can be spoken: theirs, ours.
    Version(u32, u32),
    /// Something else than an agreement.
    NoAgreement(u8),
    /// An agreement that is cut off.
    ShortAgreement,
}

/// The reason when the other side closed the connection.
pub const HUNG_UP: &str = "Application error";
/// The reason when it said nothing in time.
pub const TIMED_OUT: &str = "Connection timed out";

impl Fault {
    /// Whether the filter or its settings need another setting, rather than another moment.
    pub fn is_of_configuration(&self) -> bool {
        matches!(self, Fault::BadWords(_) | Fault::MixedBody)
    }
}

fn name(letter: u8) -> &'static str {
    Reply::name(letter).unwrap_or("(unknown filter reply)")
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NoReply { command, reason } => {
                write!(f, "can't read {command} reply packet header: {reason}")
            }
            Fault::HalfPacket(reason) => write!(f, "EOF while reading data: {reason}"),
            Fault::PacketLength(0) => f.write_str("bad packet length: 0"),
            Fault::PacketLength(length) => {
                write!(f, "unreasonable packet length: {length} > {PACKET_BYTES_MAX}")
            }
            Fault::Unexpected { letter, command } => {
                write!(
                    f,
                    "unexpected filter response {} after event {command}",
                    name(*letter)
                )
            }
            Fault::Trailing { letter, bytes } => {
                write!(f, "reply {} was followed by {bytes} data bytes", name(*letter))
            }
            Fault::Malformed(letter) => write!(f, "malformed {} packet", name(*letter)),
            Fault::BadWords(words) => write!(f, "malformed reply: {words}"),
            Fault::MixedBody => {
                f.write_str("body replacement requests can't currently be mixed with other requests")
            }
            Fault::TooMany(command) => write!(f, "too many replies after event {command}"),
            Fault::Version(theirs, ours) => write!(
                f,
                "protocol version {theirs} conflict with MTA protocol version {ours}"
            ),
            Fault::NoAgreement(letter) => write!(
                f,
                "unexpected reply \"{}\" in initial handshake",
                char::from(*letter).escape_default()
            ),
            Fault::ShortAgreement => f.write_str("input packet too short for network long"),
        }
    }
}
