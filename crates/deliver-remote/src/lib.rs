//! Delivery to other hosts by SMTP and LMTP.
//!
//! In charge of one attempt to hand one message to one next hop: choosing its hosts ([`hosts`]), connecting, TLS by policy,
//! driving [`smtp::client::Client`] over the connection, one host after the other, and an outcome for every recipient,
//! whatever happens. Not in charge of when to try, of retries, of the queue, or of which next hop it is.
//!
//! What is done to a message on its way out (`smtp_generic_maps`, `smtp_header_checks` and its kin) is in [`departure`].
//! A connection may stay open for the next message to the same place ([`cache`]). Parameters: `smtp_*` and `lmtp_*` of postconf(5). RFC 5321 §5, RFC 7505.
//!
//! Entry: [`Remote::deliver`]. Limits: [`SITES_MAX`] places of a next hop, [`EXCHANGERS_MAX`] mail exchangers,
//! `smtp_mx_address_limit` addresses, `smtp_mx_session_limit` sessions, [`KEPT_MAX`] kept connections, [`CONTENT_PIECE_OCTETS`] of content at once.

mod cache;
mod connection;
mod converse;
mod dane;
mod deliver;
mod departure;
mod filters;
mod hosts;
mod logins;
mod names;
mod next_hop;
mod options;
mod parameters;
mod policy;
mod progress;
mod sizing_up;
mod terms;

pub use cache::KEPT_MAX;
pub use hosts::EXCHANGERS_MAX;
pub use next_hop::{NextHop, Place, SITES_MAX, Site};
pub use options::{ADDRESSES_MAX, Remote};
pub use policy::OwnCertificates;
pub use smtp::client::ForwardedClient;

use envelope::{Envelope, Outcome, QueueId};
use smtp::Transcript;
use smtp::client::{Message, Recipient};
use std::io::Read;
use std::time::Duration;

/// How much of a content is read at once, in octets.
pub const CONTENT_PIECE_OCTETS: usize = 64 * 1024;

/// Why no delivery can be tried with this configuration or to this next hop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A next hop that cannot be read.
    #[error("{0:?} is not a next hop: {1}")]
    NextHop(String, &'static str),
    /// `smtp_bind_address` or `smtp_bind_address6` is none.
    #[error(
        "{0:?} is not an address of the wanted kind: smtp_bind_address takes IPv4, smtp_bind_address6 IPv6"
    )]
    BindAddress(String),
    /// A setting that TLS cannot work with.
    #[error("cannot prepare TLS for outgoing mail: {0}")]
    Tls(#[from] tls::Error),
}

/// One attempt.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where to.
    pub next_hop: NextHop,
    /// What, without its content.
    pub message: Message,
    /// What the queue calls it, for the log.
    pub queue_id: Option<QueueId>,
    /// How old it is.
    pub age: Duration,
    /// SMTPUTF8 is asked for where headers or addresses need it (`smtputf8_autodetect_classes`).
    pub detects_smtputf8: bool,
}

/// Opens the content of a message at its start; its lines may end in CRLF or LF (where checks or `smtp_generic_maps` look
/// at it, LF). It is read in pieces, once for each host
/// that is ready to take it.
pub type Content<'a> = dyn Fn() -> Box<dyn Read + Send + 'a> + Sync + 'a;

/// Called when a host says something, perhaps several times: until then nobody knows whether there is one.
pub type Greeted<'a> = &'a (dyn Fn() + Sync + 'a);

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// One for each recipient of the message, in order.
    pub outcomes: Vec<Outcome>,
    /// Whether the peer takes over reports about success (it offers DSN).
    pub dsn_offered: bool,
    /// Whether it went over an encrypted connection.
    pub tls: bool,
    /// The next hop is this host itself; nothing was tried (`best_mx_transport`).
    pub loops: bool,
    /// Sessions in which hosts did not speak as mail servers do; none where nobody asked for them.
    pub faulty_sessions: Vec<FaultySession>,
}

/// A session for a notice to the postmaster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultySession {
    /// The host: `mx.example.com[192.0.2.1]:25`.
    pub relay: String,
    /// What was said.
    pub transcript: Transcript,
}

impl Request {
    /// An attempt for those recipients of `envelope` whose numbers are in `recipients`.
    pub fn of(next_hop: NextHop, envelope: &Envelope, recipients: &[usize]) -> Request {
        let recipient = |index: &usize| {
            envelope.recipients.get(*index).map(|recipient| Recipient {
                address: recipient.address.clone(),
                notify: recipient.notify,
                // As Postfix: a report names the recipient as the sender wrote it, whoever makes it.
                orcpt: Some(recipient.original_recipient()),
            })
        };
        let message = Message {
            sender: envelope.sender.clone(),
            recipients: recipients.iter().filter_map(recipient).collect(),
            // The content says it, when a host wants to know.
            octets: None,
            body: envelope.body,
            smtputf8: envelope.smtputf8,
            has_eight_bit_header: false,
            ret: envelope.ret,
            envid: envelope.envid.clone(),
            is_probe: false,
            client: None,
        };
        Request {
            next_hop,
            message,
            queue_id: None,
            age: Duration::ZERO,
            detects_smtputf8: false,
        }
    }
}
