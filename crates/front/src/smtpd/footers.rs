//! What stands below a session's refusals: [`access::Footers`] is asked with what the client has said so far.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use access::{Client, Request};
use address::Address;
use serve::Link;
use smtp::server;

use super::Smtpd;
use super::session::Session;
use super::transaction::Transaction;

/// What footers may name, as it is after the last event of the session.
#[derive(Debug, Clone)]
pub(super) struct Said {
    client: Client,
    port: String,
    server: SocketAddr,
    helo: Option<String>,
    /// The sender, completed, and as it was written.
    sender: Option<(Option<Address>, String)>,
    /// The first recipient that was accepted, as it was written.
    recipient: String,
}

/// What a session and its machine share, where refusals have footers.
pub(super) type Shared = Arc<Mutex<Said>>;

impl Said {
    fn of(session: &Session, link: &Link) -> Said {
        let transaction = session.transaction.as_ref();
        let sender = |transaction: &Transaction| {
            (
                transaction.sender().cloned(),
                transaction.sender_written().to_owned(),
            )
        };
        let own_port = || link.remote.port().to_string();
        Said {
            client: session.client.clone(),
            port: session.port.clone().unwrap_or_else(own_port),
            server: link.local,
            helo: session.helo.as_ref().map(|(_, name)| name.clone()),
            sender: transaction.map(sender),
            recipient: transaction
                .and_then(Transaction::first_written)
                .unwrap_or_default()
                .to_owned(),
        }
    }

    fn request(&self) -> Request<'_> {
        Request {
            helo: self.helo.as_deref(),
            client_port: Some(&self.port),
            sender: self.sender.as_ref().map(|(sender, _)| sender.as_ref()),
            sender_written: self.sender.as_ref().map_or("", |(_, written)| written.as_str()),
            recipient_written: &self.recipient,
            ..Request::new(&self.client, self.server)
        }
    }
}

impl Session {
    /// What the session's machine asks for footers; `None` where there are none. From now on the session keeps what it needs.
    pub(super) fn footers(&mut self, link: &Link) -> Option<server::Footers> {
        self.service.access.footers.as_ref()?;
        let said: Shared = Arc::new(Mutex::new(Said::of(self, link)));
        self.said = Some(Arc::clone(&said));
        let service = Arc::clone(&self.service);
        Some(server::Footers::new(move |reply| {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
            footer(&service, reply, &said.request())
        }))
    }

    /// An event was decided: footers speak of what the client has said by now.
    pub(super) fn keep_for_footers(&self, link: &Link) {
        if let Some(said) = &self.said {
            *said.lock().unwrap_or_else(PoisonError::into_inner) = Said::of(self, link);
        }
    }
}

fn footer(service: &Smtpd, reply: &str, request: &Request<'_>) -> Option<server::Footer> {
    let footers = service.access.footers.as_ref()?;
    let (footer, warnings) = footers.below(reply, request, &maillog::local_time);
    for warning in warnings {
        service.log.warning("smtpd", &warning);
    }
    footer.map(|footer| server::Footer {
        joins: footer.joins,
        lines: footer.lines,
    })
}
