//! One attempt: some recipients of one message, to one destination, by its transport.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use address::Address;
use deliver_local::{AliasKind, Forward};
use envelope::{DeliveryResult, Envelope, Notify, Outcome, QueueId, Recipient, StatusCode, Trace};
use futures_util::stream::{self, StreamExt};
use intake::Origin;
use maillog::lines::delivery::{PassedOn, Purpose};
use maillog::{Delays, Log};
use queue::Message;
use queue::outcome_lines::{OutcomeLines, Told};
use queue::scheduler::{Destination, Feedback};
use serve::clock::now;

use crate::Front;
use crate::agency::{Agency, LocalDelivery, MailboxClass};
use crate::cleanup::{self, Submission};
use crate::qmgr::passing::{Passed, Passing, Remote, client_of, discarded, given_up, put_off};
use crate::qmgr::piped::Piped;
use crate::qmgr::seeking::{Greeting, Seeking};
use crate::transports::{Agent, Transport};

/// What is to be tried.
pub(super) struct Attempt {
    pub(super) front: Arc<Front>,
    pub(super) agency: Arc<dyn Agency>,
    pub(super) activated_micros: i64,
    pub(super) message: Arc<Message>,
    pub(super) destination: Destination,
    pub(super) recipients: Vec<u32>,
    pub(super) seeking: Seeking,
}

/// How many recipients of one attempt are delivered to at a time: their mailboxes wait for the same disk.
const AT_A_TIME_MAX: usize = 8;

/// A message of the queue as local delivery reads it.
pub(super) struct QueuedContent {
    content: queue::Content,
    /// Made when an agent wants it, for all of its recipients.
    sealed: Mutex<Option<OwnedFd>>,
}

impl QueuedContent {
    pub(super) fn new(content: queue::Content) -> QueuedContent {
        QueuedContent {
            content,
            sealed: Mutex::default(),
        }
    }
}

impl deliver_local::Content for QueuedContent {
    fn size_bytes(&self) -> u64 {
        self.content.size_bytes()
    }

    fn reader(&self) -> Box<dyn Read + '_> {
        Box::new(self.content.reader())
    }

    fn sealed(&self) -> io::Result<OwnedFd> {
        let mut sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sealed) = &*sealed {
            return sealed.try_clone();
        }
        let new = OwnedFd::from(os::descriptors::sealed(&mut self.content.reader())?);
        sealed.insert(new).try_clone()
    }
}

/// A deferral without an attempt at a host.
pub(super) fn deferred(relay: &str, text: String) -> Outcome {
    Outcome {
        result: DeliveryResult::Deferred,
        status: StatusCode::temporary(3, 0),
        text,
        relay: relay.to_owned(),
        detail: Default::default(),
    }
}

/// What Postfix says of a transport that master.cf does not name.
pub(super) fn unavailable() -> Outcome {
    deferred("none", "mail transport unavailable".to_owned())
}

/// What the attempts at a message are for.
pub(super) fn purpose_of(front: &Front, message: &Message) -> Purpose {
    match cleanup::trace_of(message) {
        Trace::Probe if !front.settings.address_verify_negative_cache => Purpose::UncachedVerification,
        trace if trace.only_verifies() => Purpose::Verification,
        _ => Purpose::Delivery,
    }
}

/// `soft_bounce`: what would be returned to the sender stays in the queue.
fn softened(outcome: Outcome) -> Outcome {
    match outcome.result {
        DeliveryResult::Bounced => Outcome {
            result: DeliveryResult::Deferred,
            status: StatusCode::temporary(outcome.status.subject, outcome.status.detail),
            ..outcome
        },
        _ => outcome,
    }
}

impl Attempt {
    /// Tries; logs and records every recipient's outcome.
    pub(super) async fn run(self) -> (Vec<(u32, Outcome)>, Feedback) {
        let began = now();
        let (message, queue_id) = (&*self.message, &self.message.queue_id);
        let mut told = Vec::new();
        let (agent, outcomes, feedback) = self.by_transport(&self.destination, &mut told).await;
        let delays = Delays {
            before_queue_manager_micros: self.activated_micros - message.facts.arrival_micros,
            in_queue_manager_micros: began - self.activated_micros,
            connection_micros: 0,
            transmission_micros: now() - began,
        };
        let lines = OutcomeLines {
            message,
            agent,
            delays,
            purpose: purpose_of(&self.front, &self.message),
            is_soft: self.softens_bounces() && !self.only_verifies(),
        };
        match told.is_empty() {
            true => lines.of_outcomes(&outcomes, |line| self.log().write(line)),
            false => lines.of_told(&told, |line| self.log().write(line)),
        }
        let outcomes: Vec<(u32, Outcome)> = match lines.is_soft {
            true => outcomes
                .into_iter()
                .map(|(index, outcome)| (index, softened(outcome)))
                .collect(),
            false => outcomes,
        };
        if let Err(error) = self.front.spool.record(queue_id, outcomes.clone()) {
            // What was not recorded is tried again: at worst a second copy.
            self.front.log.error("qmgr", &format!("{queue_id}: {error}"));
        }
        (outcomes, feedback)
    }

    /// `soft_bounce`, as the transport's row of master.cf has it.
    fn softens_bounces(&self) -> bool {
        let transport = self.front.transports.find(&self.destination.transport);
        transport.map_or(self.front.settings.soft_bounce, |transport| {
            transport.settings.soft_bounce
        })
    }

    /// The log as the transport's row of master.cf names it.
    fn log(&self) -> &Log {
        let transport = self.front.transports.find(&self.destination.transport);
        transport.map_or(&self.front.log, |transport| &transport.log)
    }

    /// Hands the message to a transport.
    async fn by_transport(
        &self,
        destination: &Destination,
        told: &mut Vec<Told>,
    ) -> (&'static str, Vec<(u32, Outcome)>, Feedback) {
        match self.front.transports.find(&destination.transport) {
            Some(transport) if transport.agent.is_remote() => {
                let passed = self.remote(transport, destination).await;
                match self.best_mx(destination).filter(|_| passed.loops) {
                    Some(other) => {
                        self.log_passed_on(passed.agent, &other.transport);
                        self.by_other_transport(&other, told).await
                    }
                    None => (passed.agent, self.numbered(passed.outcomes), passed.feedback),
                }
            }
            _ => self.by_other_transport(destination, told).await,
        }
    }

    /// Whether nothing is to be delivered.
    fn only_verifies(&self) -> bool {
        cleanup::trace_of(&self.message).only_verifies()
    }

    fn all(&self, outcome: &Outcome) -> Vec<(u32, Outcome)> {
        self.recipients
            .iter()
            .map(|index| (*index, outcome.clone()))
            .collect()
    }

    /// `best_mx_transport`, where mail goes whose best mail exchanger is this host; none that would lead to the same place.
    fn best_mx(&self, destination: &Destination) -> Option<Destination> {
        let setting = self.front.settings.best_mx_transport.as_str();
        let (transport, next_hop) = setting.split_once(':').unwrap_or((setting, ""));
        let is_other = !matches!(transport, "" | "smtp" | "relay") || !next_hop.is_empty();
        is_other.then(|| match next_hop {
            "" => Destination::new(transport, &destination.next_hop),
            next_hop => Destination::new(transport, next_hop),
        })
    }

    /// By a transport; this time the last word, even where mail would come back to this host.
    async fn by_other_transport(
        &self,
        destination: &Destination,
        told: &mut Vec<Told>,
    ) -> (&'static str, Vec<(u32, Outcome)>, Feedback) {
        let message = &*self.message;
        let next_hop = &destination.next_hop;
        let name = destination.transport.as_str();
        let Some(transport) = self.front.transports.find(name) else {
            let warning = format!("connect to transport private/{name}: No such file or directory");
            self.front.log.warning("qmgr", &warning);
            return ("error", self.all(&unavailable()), Feedback::None);
        };
        let outcomes = match transport.agent {
            Agent::Local => {
                let outcomes = self.local(message, MailboxClass::Local, told).await;
                named(outcomes, told, ("local", name))
            }
            Agent::Virtual => {
                let outcomes = self.local(message, MailboxClass::Virtual, told).await;
                named(outcomes, told, ("virtual", name))
            }
            Agent::Pipe => {
                let recipients = self.recipients.iter();
                let recipients =
                    recipients.filter_map(|index| message.envelope.recipients.get(*index as usize));
                let piped = Piped {
                    front: &self.front,
                    agency: &self.agency,
                    message,
                };
                let delivery = piped.delivery(destination, recipients.collect());
                let outcome = match self.only_verifies() {
                    true => piped.verify(name).await,
                    false => piped.deliver(delivery).await,
                };
                self.all(&outcome)
            }
            Agent::Smtp | Agent::Lmtp => {
                let passed = self.remote(transport, destination).await;
                return (passed.agent, self.numbered(passed.outcomes), passed.feedback);
            }
            Agent::Discard => self.all(&discarded(next_hop)),
            Agent::Error => self.all(&given_up(next_hop)),
            Agent::Retry => self.all(&put_off(next_hop)),
        };
        (transport.agent.program(), outcomes, Feedback::Reached)
    }

    /// By SMTP or LMTP to another host.
    async fn remote(&self, transport: &Transport, destination: &Destination) -> Passed {
        let message = &*self.message;
        let wanted: Vec<usize> = self.recipients.iter().map(|index| *index as usize).collect();
        let remote = Remote {
            front: &self.front,
            transport,
            message,
            envelope: &message.envelope,
            is_probe: self.only_verifies(),
        };
        let greeted = Greeting::default();
        let delivery = remote.deliver(destination, &wanted, &greeted);
        self.seeking.watch(&greeted, delivery).await
    }

    fn log_passed_on(&self, agent: &str, transport: &str) {
        let recipients = &self.message.envelope.recipients;
        let indexes = self.recipients.iter();
        for recipient in indexes.filter_map(|index| recipients.get(*index as usize)) {
            self.front.log.write(&PassedOn {
                agent,
                queue_id: &self.message.queue_id,
                to: &recipient.address.to_string(),
                transport,
            });
        }
    }

    fn numbered(&self, outcomes: Vec<Outcome>) -> Vec<(u32, Outcome)> {
        self.recipients.iter().copied().zip(outcomes).collect()
    }

    /// By local(8) or virtual(8); `told` gets what the log has of each address.
    async fn local(
        &self,
        message: &Message,
        class: MailboxClass,
        told: &mut Vec<Told>,
    ) -> Vec<(u32, Outcome)> {
        let content = match self.front.spool.content(&message.queue_id) {
            Ok(content) => Arc::new(QueuedContent::new(content)),
            Err(error) => return self.all(&deferred(class.name(), error.to_string())),
        };
        let recipients = &message.envelope.recipients;
        let deliveries = self.recipients.iter().filter_map(|&index| {
            let recipient = recipients.get(index as usize)?;
            let content = Arc::clone(&content);
            Some(async move {
                let delivered = self.local_recipient(message, (recipient, class), content).await;
                let (outcome, lines) = delivered.unwrap_or_else(|outcome| {
                    let line = (recipient.address.clone(), outcome.clone());
                    (outcome, vec![line])
                });
                (index, outcome, lines)
            })
        });
        let deliveries: Vec<_> = deliveries.collect();
        let mut outcomes = Vec::with_capacity(deliveries.len());
        let mut ended = stream::iter(deliveries).buffered(AT_A_TIME_MAX);
        while let Some((index, outcome, lines)) = ended.next().await {
            told.extend(lines.into_iter().map(|(to, outcome)| (index, to, outcome)));
            outcomes.push((index, outcome));
        }
        outcomes
    }

    async fn local_recipient(
        &self,
        message: &Message,
        (recipient, class): (&Recipient, MailboxClass),
        content: Arc<QueuedContent>,
    ) -> Result<(Outcome, Vec<(Address, Outcome)>), Outcome> {
        if self.only_verifies() {
            let (agency, address) = (Arc::clone(&self.agency), recipient.address.clone());
            let is_probe = cleanup::trace_of(message) == Trace::Probe;
            let verified = tokio::task::spawn_blocking(move || match is_probe {
                true => agency.probe(&address, class),
                false => agency.verify(&address, class),
            });
            let verified = verified.await;
            return Err(
                verified.unwrap_or_else(|_| deferred(class.name(), "the look-up was broken off".to_owned()))
            );
        }
        let delivery = LocalDelivery {
            sender: message.envelope.sender.clone(),
            recipient: recipient.clone(),
            class,
            content: Arc::clone(&content) as Arc<dyn deliver_local::Content + Send + Sync>,
            client: client_of(message),
            transports: Arc::new(Passing {
                front: Arc::clone(&self.front),
                agency: Arc::clone(&self.agency),
                message: Arc::clone(&self.message),
                runtime: tokio::runtime::Handle::current(),
            }),
        };
        let agency = Arc::clone(&self.agency);
        let delivered = match tokio::task::spawn_blocking(move || agency.deliver(&delivery)).await {
            Ok(delivered) => delivered,
            Err(_) => return Err(deferred(class.name(), "the delivery was broken off".to_owned())),
        };
        for warning in &delivered.warnings {
            self.front.log.warning(class.name(), warning);
        }
        let (mut outcome, mut told) = (delivered.outcome, delivered.told);
        let mut forwarded_as = None;
        for forward in delivered.forwards {
            let notify = match delivered.alias {
                None => recipient.notify,
                Some(AliasKind::Plain) => recipient.notify.map(Notify::without_success),
                Some(AliasKind::Owned) if forward.sender.is_some() => None,
                Some(AliasKind::Owned) => recipient.notify.map(Notify::without_success),
            };
            match self
                .forward(message, (recipient, notify), forward, &content)
                .await
            {
                Ok(id) => forwarded_as = Some(id),
                // What was done already is done again: better twice than never.
                Err(why) => return Err(deferred(class.name(), why)),
            }
        }
        if let Some(id) = forwarded_as {
            let text = format!("forwarded as {id}");
            let forwarded = Outcome {
                result: DeliveryResult::Sent,
                status: StatusCode::success(0, 0),
                text: text.clone(),
                relay: class.name().to_owned(),
                detail: Default::default(),
            };
            if outcome.result == DeliveryResult::Sent {
                outcome.text = text;
            }
            told.push((delivered.recipient, forwarded));
        } else if told.is_empty() {
            told.push((delivered.recipient, outcome.clone()));
        }
        Ok((as_alias(outcome, delivered.alias), told))
    }

    /// Queues the message anew for other addresses.
    async fn forward(
        &self,
        message: &Message,
        (recipient, notify): (&Recipient, Option<Notify>),
        forward: Forward,
        content: &QueuedContent,
    ) -> Result<QueueId, String> {
        let settings = &self.front.settings;
        let keeps = forward.keeps_original;
        let recipients = forward.recipients.into_iter().map(|address| {
            let address = intake::qualify(address, settings);
            Recipient {
                original: if keeps {
                    recipient.original.clone()
                } else {
                    address.clone()
                },
                orcpt: recipient.orcpt.clone().filter(|_| keeps),
                notify,
                address,
            }
        });
        let envelope = Envelope {
            recipients: recipients.collect(),
            sender: forward.sender.or_else(|| message.envelope.sender.clone()),
            ..message.envelope.clone()
        };
        let incoming = self.front.spool.begin(now());
        let mut submission = Submission::begin(
            incoming,
            Origin::Forward,
            &envelope,
            (&self.front.cleanups.main, &self.front.log),
        );
        submission.write(forward.header.as_bytes());
        let mut reader = content.content.reader();
        let mut piece = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => submission.write(&piece[..count]),
                Err(error) => return Err(os::words(&error)),
            }
        }
        drop(reader);
        let committed = submission
            .commit(envelope, &self.front)
            .await
            .map_err(|refusal| refusal.to_string())?;
        Ok(committed.queue_id().clone())
    }
}

/// The outcomes, and what the log has of them, under the name of the service that stands in master.cf.
fn named(
    mut outcomes: Vec<(u32, Outcome)>,
    told: &mut [Told],
    (program, name): (&str, &str),
) -> Vec<(u32, Outcome)> {
    let told = told.iter_mut().map(|(_, _, outcome)| outcome);
    let all = outcomes.iter_mut().map(|(_, outcome)| outcome).chain(told);
    for outcome in all.filter(|outcome| outcome.relay == program) {
        name.clone_into(&mut outcome.relay);
    }
    outcomes
}

/// What the sender who asked to hear of a delivery is told of an alias: that it stands for others.
fn as_alias(outcome: Outcome, alias: Option<AliasKind>) -> Outcome {
    match alias.filter(|_| outcome.result == DeliveryResult::Sent) {
        None => outcome,
        Some(kind) => Outcome {
            result: match kind {
                AliasKind::Plain => DeliveryResult::Expanded,
                AliasKind::Owned => DeliveryResult::Sent,
            },
            text: "alias expanded".to_owned(),
            ..outcome
        },
    }
}
