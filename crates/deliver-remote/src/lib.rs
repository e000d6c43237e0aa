//! Delivery to other hosts by SMTP and LMTP.
//!
//! In charge of one attempt to hand one message to one next hop: finding its addresses, connecting, TLS by policy,
//! driving [`smtp::client::Client`] over the connection, and an outcome for every recipient, whatever happens. Not in
//! charge of when to try, of retries, of the queue, or of which next hop it is.
//!
//! A next hop is a host name or address: MX records are not looked up yet, `host` and `[host]` mean the same.
//! Connections are not kept between messages yet. Parameters: `smtp_*` and `lmtp_*` of postconf(5).
//!
//! Entry: [`Remote::deliver`]. Limits: `smtp_mx_address_limit` addresses, [`CONTENT_PIECE_OCTETS`] of content at once.

mod connection;
mod converse;
mod logins;
mod next_hop;
mod options;

pub use next_hop::{NextHop, Place};
pub use options::{ADDRESSES_MAX, Remote};

use connection::{Connection, Target};
use envelope::{DeliveryResult, Envelope, Outcome, StatusCode};
use smtp::client::{Credentials, Message, Recipient};
use std::io::Read;

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
    /// Who to log in as there, if the next hop wants that (`smtp_sasl_password_maps`).
    pub credentials: Option<Credentials>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// One for each recipient of the message, in order.
    pub outcomes: Vec<Outcome>,
    /// Whether the peer takes over reports about success (it offers DSN).
    pub dsn_offered: bool,
    /// Whether it went over an encrypted connection.
    pub tls: bool,
}

impl Request {
    /// An attempt for those recipients of `envelope` whose numbers are in `recipients`.
    pub fn of(next_hop: NextHop, envelope: &Envelope, recipients: &[usize], octets: u64) -> Request {
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
            octets: Some(octets),
            body: envelope.body,
            smtputf8: envelope.smtputf8,
            ret: envelope.ret,
            envid: envelope.envid.clone(),
            is_probe: false,
        };
        Request {
            next_hop,
            message,
            credentials: None,
        }
    }
}

impl Remote {
    /// Hands one message to one next hop. `content` is read once, from its start to its end, in pieces; its lines may end
    /// in CRLF or LF. Never fails: what goes wrong is in the outcomes.
    pub async fn deliver(&self, request: Request, content: &mut (dyn Read + Send)) -> Delivery {
        let Request {
            next_hop,
            message,
            credentials,
        } = request;
        let targets = match connection::targets(&next_hop, self).await {
            Ok(targets) => targets,
            Err(outcome) => return all(&message, outcome),
        };
        let mut last = outcome(
            StatusCode::temporary(4, 4),
            "no address of the next hop can be used".to_owned(),
        );
        for target in &targets {
            match self
                .attempt(&next_hop, target, &message, credentials.as_ref(), content)
                .await
            {
                Ok(delivery) => return delivery,
                Err(outcome) => last = outcome,
            }
        }
        all(&message, last)
    }

    /// Tries one address; `Err` when another one may be tried.
    async fn attempt(
        &self,
        next_hop: &NextHop,
        target: &Target,
        message: &Message,
        credentials: Option<&Credentials>,
        content: &mut (dyn Read + Send),
    ) -> Result<Delivery, Outcome> {
        let options = self.options(next_hop.protocol);
        let mut with_tls = true;
        loop {
            let opened = Connection::open(target, options.connect_timeout, self.source).await;
            let connection = opened.map_err(|reason| {
                self.tell_unreachable(next_hop.protocol, target, &reason);
                let text = format!("connect to {}: {reason}", target.relay);
                outcome(StatusCode::temporary(4, 1), text)
            })?;
            let mut session = converse::Session {
                connection,
                config: options.client_config(target, credentials, with_tls),
                tls: options.tls_for(with_tls),
                server_name: next_hop.server_name(),
                content: &mut *content,
            };
            match session.run(message).await {
                converse::End::Done(delivery) => return Ok(delivery),
                converse::End::NeverBegun(outcome) => return Err(outcome),
                // `smtp_tls_security_level = may`: better in the clear than not at all.
                converse::End::HandshakeFailed(outcome) if options.is_mandatory() || !with_tls => {
                    return Err(outcome);
                }
                converse::End::HandshakeFailed(_) => with_tls = false,
            }
        }
    }
}

/// A deferral before anybody was reached.
fn outcome(status: StatusCode, text: String) -> Outcome {
    Outcome {
        result: DeliveryResult::Deferred,
        status,
        text,
        relay: "none".to_owned(),
        detail: Default::default(),
    }
}

/// The same for everybody.
fn all(message: &Message, outcome: Outcome) -> Delivery {
    let outcomes = vec![outcome; message.recipients.len()];
    Delivery {
        outcomes,
        dsn_offered: false,
        tls: false,
    }
}
