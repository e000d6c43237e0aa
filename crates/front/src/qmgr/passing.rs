//! Delivery by a transport that is not for mailboxes of this host: to another host, or to nowhere. Used for what the
//! queue sends there, and for what local delivery passes on (`mailbox_transport`, `fallback_transport`).

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use deliver_local::Transports;
use deliver_local::task::Client;
use deliver_remote::{FaultySession, ForwardedClient, NextHop, Request};
use envelope::{DeliveryResult, Envelope, Outcome, Recipient, StatusCode};
use queue::Message;
use queue::scheduler::{Destination, Feedback};
use settings::{NotifyClass, Postfix};

use crate::Front;
use crate::agency::{Agency, LocalDelivery, MailboxClass};
use crate::cleanup;
use crate::qmgr::attempt::{QueuedContent, deferred, unavailable};
use crate::qmgr::piped::Piped;
use crate::qmgr::seeking::Greeting;
use crate::transports::{Agent, Transport};

/// A message for other hosts.
pub(super) struct Remote<'a> {
    pub(super) front: &'a Front,
    pub(super) transport: &'a Transport,
    pub(super) message: &'a Message,
    /// Its envelope, perhaps with other recipients.
    pub(super) envelope: &'a Envelope,
    pub(super) is_probe: bool,
}

/// How it went.
pub(super) struct Passed {
    /// The name of the agent in logs.
    pub(super) agent: &'static str,
    /// One for each recipient that was wanted.
    pub(super) outcomes: Vec<Outcome>,
    /// What the scheduler learns.
    pub(super) feedback: Feedback,
    /// The next hop is this host itself: it is for `best_mx_transport`, if there is one.
    pub(super) loops: bool,
}

impl Remote<'_> {
    /// Delivers to the recipients with these indexes; `greeting` hears of a host's first word.
    pub(super) async fn deliver(
        &self,
        destination: &Destination,
        wanted: &[usize],
        greeting: &Greeting,
    ) -> Passed {
        let agent = self.transport.agent.program();
        let all = |why: String| Passed {
            agent,
            outcomes: vec![deferred("none", why); wanted.len()],
            feedback: Feedback::None,
            loops: false,
        };
        let next_hop = match next_hop(self.transport, &destination.next_hop) {
            Ok(next_hop) => next_hop,
            Err(why) => return all(why),
        };
        let content = match self.front.spool.content(&self.message.queue_id) {
            Ok(content) => content,
            Err(error) => return all(error.to_string()),
        };
        let mut request = Request::of(next_hop, self.envelope, wanted);
        request.message.is_probe = self.is_probe;
        request.queue_id = Some(self.message.queue_id.clone());
        let age = serve::clock::now() - self.message.facts.arrival_micros;
        request.age = Duration::from_micros(u64::try_from(age).unwrap_or(0));
        request.detects_smtputf8 = detects_smtputf8(&self.front.settings, self.message);
        request.message.client = Some(Box::new(forwarded(self.message)));
        let open = || -> Box<dyn Read + Send> { Box::new(content.reader()) };
        let remote = self.transport.remote.as_ref().unwrap_or(&self.front.remote);
        let delivery = remote.deliver(request, &open, &|| greeting.came()).await;
        self.tell_postmaster(&delivery.faulty_sessions).await;
        Passed {
            agent,
            feedback: feedback(&delivery.outcomes),
            outcomes: delivery.outcomes,
            loops: delivery.loops,
        }
    }
}

impl Remote<'_> {
    /// Sends what hosts said that did not speak as mail servers do, if `notify_classes` asks for that. Not about a notice: the
    /// next one would take the same way.
    async fn tell_postmaster(&self, sessions: &[FaultySession]) {
        let settings = &self.transport.settings;
        let double_bounce = &settings.double_bounce_sender;
        let is_notice = |sender: &address::Address| sender.local().eq_ignore_ascii_case(double_bounce);
        if self.envelope.sender.as_ref().is_some_and(is_notice) {
            return;
        }
        for FaultySession { relay, transcript } in sessions {
            let about = bounce::Notice {
                service: match self.transport.agent {
                    Agent::Lmtp => bounce::Service::LmtpClient,
                    _ => bounce::Service::SmtpClient,
                },
                peer: relay,
                transcript,
                aborted: None,
            };
            crate::notices::tell_postmaster(self.front, settings, &[NotifyClass::Protocol], &about).await;
        }
    }
}

/// `smtputf8_autodetect_classes`: whether SMTPUTF8 is asked for where a message needs it, though its sender did not.
fn detects_smtputf8(settings: &Postfix, message: &Message) -> bool {
    let class = match (
        message.facts.attribute("log_message_origin"),
        message.facts.attribute("log_client_address"),
    ) {
        (Some("local"), _) => "sendmail",
        (_, Some(_)) => "smtpd",
        (..) => return false,
    };
    let mut classes = settings.smtputf8_autodetect_classes.iter();
    settings.smtputf8_enable
        && classes.any(|word| word.eq_ignore_ascii_case(class) || word.eq_ignore_ascii_case("all"))
}

/// What outcomes say about the destination: nobody was reached; or it does not exist, which says nothing about others.
fn feedback(outcomes: &[Outcome]) -> Feedback {
    let was_reached = outcomes.iter().any(|outcome| outcome.relay != "none");
    let waits = outcomes
        .iter()
        .any(|outcome| outcome.result == DeliveryResult::Deferred);
    match (was_reached, waits) {
        (true, _) => Feedback::Reached,
        (false, true) => Feedback::Unreachable,
        (false, false) => Feedback::None,
    }
}

/// Where the transport connects to.
fn next_hop(transport: &Transport, next_hop: &str) -> Result<NextHop, String> {
    let settings = &transport.settings;
    let read = match transport.agent {
        Agent::Lmtp => NextHop::lmtp(next_hop, &settings.lmtp_tcp_port),
        _ => NextHop::smtp(next_hop, &settings.smtp_tcp_port),
    };
    read.map_err(|error| error.to_string())
}

/// What the transport `discard` says.
pub(super) fn discarded(text: &str) -> Outcome {
    Outcome {
        result: DeliveryResult::Sent,
        status: StatusCode::success(0, 0),
        text: text.to_owned(),
        relay: "none".to_owned(),
        detail: Default::default(),
    }
}

/// What the transport `error` says.
pub(super) fn given_up(text: &str) -> Outcome {
    let (status, text) = coded(text, StatusCode::permanent(0, 0));
    Outcome {
        result: DeliveryResult::Bounced,
        status,
        text: text.to_owned(),
        relay: "none".to_owned(),
        detail: Default::default(),
    }
}

/// What the transport `retry` says.
pub(super) fn put_off(text: &str) -> Outcome {
    let (status, text) = coded(text, StatusCode::temporary(0, 0));
    Outcome {
        status,
        ..deferred("none", text.to_owned())
    }
}

/// The code at the start of a text, if it has one that is of the class of `usual`, else that; and the rest.
fn coded(text: &str, usual: StatusCode) -> (StatusCode, &str) {
    match StatusCode::split(text) {
        Some((own, rest)) if own.class == usual.class => (own, rest),
        Some((_, rest)) => (usual, rest),
        None => (usual, text),
    }
}

/// The client of a queued message, for the environment of commands.
pub(super) fn client_of(message: &Message) -> Client {
    let named = |name: &str| message.facts.attribute(name).unwrap_or_default().to_owned();
    Client {
        address: named("log_client_address"),
        helo: named("log_helo_name"),
        hostname: named("log_client_name"),
        protocol: named("log_protocol_name"),
        sasl_method: named("sasl_method"),
        sasl_sender: named("sasl_sender"),
        sasl_username: named("sasl_username"),
    }
}

/// The client of a queued message, for XFORWARD.
fn forwarded(message: &Message) -> ForwardedClient {
    let named = |name: &str| message.facts.attribute(name).unwrap_or_default().to_owned();
    let is_from_network = message.facts.attribute("log_client_address").is_some();
    let own_ident = || is_from_network.then(|| message.queue_id.to_string());
    let ident = message.facts.attribute("log_ident").map(str::to_owned);
    ForwardedClient {
        name: Some(named("log_client_name"))
            .filter(|name| name != "unknown")
            .unwrap_or_default(),
        address: named("log_client_address"),
        port: named("log_client_port"),
        protocol: named("log_protocol_name"),
        helo: named("log_helo_name"),
        ident: ident.or_else(own_ident).unwrap_or_default(),
        is_local: message.facts.attribute(cleanup::CONTEXT) != Some("remote"),
    }
}

/// The other transports, for one message that is being delivered on this host.
pub(super) struct Passing {
    pub(super) front: Arc<Front>,
    pub(super) agency: Arc<dyn Agency>,
    pub(super) message: Arc<Message>,
    pub(super) runtime: tokio::runtime::Handle,
}

impl Passing {
    fn remote(&self, transport: &Transport, destination: &Destination, recipient: &Recipient) -> Outcome {
        let envelope = Envelope {
            recipients: vec![recipient.clone()],
            ..self.message.envelope.clone()
        };
        let remote = Remote {
            front: &self.front,
            transport,
            message: &self.message,
            envelope: &envelope,
            is_probe: false,
        };
        let passed = self
            .runtime
            .block_on(remote.deliver(destination, &[0], &Greeting::default()));
        let only = passed.outcomes.into_iter().next();
        only.unwrap_or_else(|| deferred("none", "the delivery was broken off".to_owned()))
    }

    /// By the command of a transport (pipe(8)).
    fn command(&self, name: &str, next_hop: &str, recipient: &Recipient) -> Outcome {
        let piped = Piped {
            front: &self.front,
            agency: &self.agency,
            message: &self.message,
        };
        let destination = Destination::new(name, next_hop);
        let delivery = piped.delivery(&destination, vec![recipient]);
        self.runtime.block_on(piped.deliver(delivery))
    }

    fn virtual_mailbox(&self, recipient: &Recipient) -> Outcome {
        let content = match self.front.spool.content(&self.message.queue_id) {
            Ok(content) => content,
            Err(error) => return deferred("virtual", error.to_string()),
        };
        let delivery = LocalDelivery {
            sender: self.message.envelope.sender.clone(),
            recipient: recipient.clone(),
            class: MailboxClass::Virtual,
            content: Arc::new(QueuedContent::new(content)),
            client: client_of(&self.message),
            transports: Arc::new(Nowhere),
        };
        let delivered = self.agency.deliver(&delivery);
        for warning in &delivered.warnings {
            self.front.log.warning("virtual", warning);
        }
        delivered.outcome
    }
}

impl Transports for Passing {
    fn pass(&self, name: &str, next_hop: &str, recipient: &Recipient) -> Outcome {
        let Some(transport) = self.front.transports.find(name) else {
            return unavailable();
        };
        let domain = recipient.address.domain().map(address::Domain::as_str);
        let next_hop = if next_hop.is_empty() {
            domain.unwrap_or_default()
        } else {
            next_hop
        };
        match transport.agent {
            Agent::Smtp | Agent::Lmtp => {
                let destination = Destination::new(name, next_hop);
                self.remote(transport, &destination, recipient)
            }
            Agent::Virtual => self.virtual_mailbox(recipient),
            Agent::Pipe => self.command(name, next_hop, recipient),
            Agent::Discard => discarded(next_hop),
            Agent::Error => given_up(next_hop),
            Agent::Retry => put_off(next_hop),
            // It would come back here.
            Agent::Local => unavailable(),
        }
    }
}

/// No transport at all.
struct Nowhere;

impl Transports for Nowhere {
    fn pass(&self, _: &str, _: &str, _: &Recipient) -> Outcome {
        unavailable()
    }
}
