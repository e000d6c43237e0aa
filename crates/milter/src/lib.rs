//! The protocol between a mail server and mail filters ("milters"), versions 2 to 6, as Sendmail's libmilter speaks it.
//!
//! In charge of packets, of what is agreed on at the start, of which reply fits where, and of limits. Not in charge of sockets,
//! time-outs, nor of what a reply means for a message or a client. Pure: bytes in, events and bytes out.
//!
//! Entries: [`client::Client`], the mail server's end, and [`standing`], what a verdict means for a session; [`server::Server`], as much of the filter's end as tests need.
//! What both say: [`command::Command`], [`reply::Reply`], [`options`].
//! Sources: what libmilter and Postfix 3.7 say to each other, draft-adams-milter-protocol, postconf(5), MILTER_README.
//! Limits: [`packet::PACKET_BYTES_MAX`], [`client::REPLIES_MAX`]. Test data lies beside the code.

pub mod client;
pub mod command;
pub mod fault;
pub mod options;
pub mod packet;
pub mod reply;
pub mod server;
pub mod standing;

/// Why the other side cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A packet that announces a length of zero, or one over the limit, in bytes.
    #[error("unreasonable packet length: {0} > {max}", max = packet::PACKET_BYTES_MAX)]
    PacketLength(u32),
    /// What a packet carries does not have the form of its kind.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A letter that means nothing.
    #[error("unknown letter {0:#04x}")]
    Unknown(u8),
}
