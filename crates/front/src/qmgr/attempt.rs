//! One attempt: some recipients of one message, to one destination, by its transport.

use std::io::Read;
use std::sync::Arc;

use address::Address;
use deliver_remote::{NextHop, Request};
use envelope::{DeliveryResult, Envelope, Outcome, QueueId, Recipient, StatusCode, Trace};
use intake::Origin;
use maillog::Delays;
use maillog::lines::delivery::Delivery as DeliveryLine;
use queue::Message;
use queue::scheduler::{Destination, Feedback};
use serve::clock::now;

use crate::Front;
use crate::agency::{Agency, LocalDelivery};
use crate::cleanup::{self, Submission};

/// What is to be tried.
pub(super) struct Attempt {
    pub(super) front: Arc<Front>,
    pub(super) agency: Arc<dyn Agency>,
    pub(super) activated_micros: i64,
    pub(super) message: Arc<Message>,
    pub(super) destination: Destination,
    pub(super) recipients: Vec<u32>,
}

/// The transports that there are.
pub const TRANSPORTS: [&str; 7] = ["local", "smtp", "relay", "lmtp", "discard", "error", "retry"];

/// A message of the queue as local delivery reads it.
struct QueuedContent(queue::Content);

impl deliver_local::Content for QueuedContent {
    fn size_bytes(&self) -> u64 {
        self.0.size_bytes()
    }

    fn reader(&self) -> Box<dyn Read + '_> {
        Box::new(self.0.reader())
    }
}

/// A deferral without an attempt at a host.
pub(super) fn deferred(relay: &str, text: String) -> Outcome {
    Outcome {
        result: DeliveryResult::Deferred,
        status: StatusCode::temporary(3, 0),
        text,
        relay: relay.to_owned(),
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
        let (agent, outcomes, feedback) = match self.destination.transport.as_str() {
            "local" => ("local", self.local(message).await, Feedback::Reached),
            "smtp" | "relay" | "lmtp" => self.remote(message).await,
            "discard" => ("discard", self.all(&self.discarded()), Feedback::Reached),
            "error" => ("error", self.all(&self.given_up()), Feedback::Reached),
            "retry" => (
                "error",
                self.all(&deferred("none", self.destination.next_hop.clone())),
                Feedback::Reached,
            ),
            other => {
                let outcome = deferred(
                    "none",
                    format!("mail transport unavailable: {other} is not there yet"),
                );
                ("error", self.all(&outcome), Feedback::None)
            }
        };
        let outcomes: Vec<(u32, Outcome)> = if self.front.settings.soft_bounce {
            let softened = |(index, outcome)| (index, softened(outcome));
            outcomes.into_iter().map(softened).collect()
        } else {
            outcomes
        };
        let delays = Delays {
            before_queue_manager_micros: self.activated_micros - message.facts.arrival_micros,
            in_queue_manager_micros: began - self.activated_micros,
            connection_micros: 0,
            transmission_micros: now() - began,
        };
        log_outcomes(&self.front, message, agent, &outcomes, delays);
        if let Err(error) = self.front.spool.record(queue_id, outcomes.clone()) {
            // What was not recorded is tried again: at worst a second copy.
            self.front.log.error("qmgr", &format!("{queue_id}: {error}"));
        }
        (outcomes, feedback)
    }

    /// Whether nothing is to be delivered.
    fn only_verifies(&self) -> bool {
        cleanup::trace_of(&self.message) == Trace::Verify
    }

    fn all(&self, outcome: &Outcome) -> Vec<(u32, Outcome)> {
        self.recipients
            .iter()
            .map(|index| (*index, outcome.clone()))
            .collect()
    }

    fn discarded(&self) -> Outcome {
        Outcome {
            result: DeliveryResult::Sent,
            status: StatusCode::success(0, 0),
            text: self.destination.next_hop.clone(),
            relay: "none".to_owned(),
        }
    }

    fn given_up(&self) -> Outcome {
        let text = self.destination.next_hop.as_str();
        let (status, text) = StatusCode::split(text).unwrap_or((StatusCode::permanent(0, 0), text));
        Outcome {
            result: DeliveryResult::Bounced,
            status,
            text: text.to_owned(),
            relay: "none".to_owned(),
        }
    }

    /// By SMTP or LMTP to another host.
    async fn remote(&self, message: &Message) -> (&'static str, Vec<(u32, Outcome)>, Feedback) {
        let agent = if self.destination.transport == "lmtp" {
            "lmtp"
        } else {
            "smtp"
        };
        let next_hop = match self.next_hop() {
            Ok(next_hop) => next_hop,
            Err(why) => return (agent, self.all(&deferred("none", why)), Feedback::None),
        };
        let content = match self.front.spool.content(&message.queue_id) {
            Ok(content) => content,
            Err(error) => {
                return (
                    agent,
                    self.all(&deferred("none", error.to_string())),
                    Feedback::None,
                );
            }
        };
        let wanted: Vec<usize> = self.recipients.iter().map(|index| *index as usize).collect();
        let mut request = Request::of(next_hop, &message.envelope, &wanted, content.size_bytes());
        request.message.is_probe = self.only_verifies();
        if agent == "smtp" {
            request.credentials = match self.front.remote.login(&self.destination.next_hop) {
                Ok(credentials) => credentials,
                Err(error) => {
                    let outcome = deferred("none", format!("cannot look up the login: {error}"));
                    return (agent, self.all(&outcome), Feedback::None);
                }
            };
        }
        let delivery = self.front.remote.deliver(request, &mut content.reader()).await;
        let outcomes: Vec<(u32, Outcome)> = self.recipients.iter().copied().zip(delivery.outcomes).collect();
        let unreachable = outcomes.iter().all(|(_, outcome)| outcome.relay == "none");
        (
            agent,
            outcomes,
            if unreachable {
                Feedback::Unreachable
            } else {
                Feedback::Reached
            },
        )
    }

    /// Where the transport connects to. Without MX lookups only `[host]` is a host; mail for a domain waits.
    fn next_hop(&self) -> Result<NextHop, String> {
        let Destination { transport, next_hop } = &self.destination;
        let settings = &self.front.settings;
        if transport == "lmtp" {
            return NextHop::lmtp(next_hop, &settings.lmtp_tcp_port).map_err(|error| error.to_string());
        }
        if !next_hop.starts_with('[') {
            return Err(format!(
                "mail for {next_hop} needs an MX lookup, which is not there yet: set relayhost = [host]"
            ));
        }
        NextHop::smtp(next_hop, &settings.smtp_tcp_port).map_err(|error| error.to_string())
    }

    async fn local(&self, message: &Message) -> Vec<(u32, Outcome)> {
        let mut outcomes = Vec::new();
        for index in &self.recipients {
            let Some(recipient) = message.envelope.recipients.get(*index as usize) else {
                continue;
            };
            outcomes.push((*index, self.local_recipient(message, recipient).await));
        }
        outcomes
    }

    async fn local_recipient(&self, message: &Message, recipient: &Recipient) -> Outcome {
        if self.only_verifies() {
            let (agency, address) = (Arc::clone(&self.agency), recipient.address.clone());
            let verified = tokio::task::spawn_blocking(move || agency.verify(&address)).await;
            return verified.unwrap_or_else(|_| deferred("local", "the look-up was broken off".to_owned()));
        }
        let content = match self.front.spool.content(&message.queue_id) {
            Ok(content) => Arc::new(QueuedContent(content)),
            Err(error) => return deferred("local", error.to_string()),
        };
        let delivery = LocalDelivery {
            sender: message.envelope.sender.clone(),
            recipient: recipient.clone(),
            content: Arc::clone(&content) as Arc<dyn deliver_local::Content + Send + Sync>,
        };
        let agency = Arc::clone(&self.agency);
        let delivered = match tokio::task::spawn_blocking(move || agency.deliver(&delivery)).await {
            Ok(delivered) => delivered,
            Err(_) => return deferred("local", "the delivery was broken off".to_owned()),
        };
        if delivered.forwards.is_empty() {
            return delivered.outcome;
        }
        match self
            .forward(
                message,
                recipient,
                delivered.forwards,
                &delivered.forward_header,
                &content,
            )
            .await
        {
            Ok(id) => Outcome {
                text: format!("forwarded as {id}"),
                ..delivered.outcome
            },
            Err(why) => deferred("local", why),
        }
    }

    /// Queues the message anew for other addresses.
    async fn forward(
        &self,
        message: &Message,
        recipient: &Recipient,
        addresses: Vec<Address>,
        header: &str,
        content: &QueuedContent,
    ) -> Result<QueueId, String> {
        let settings = &self.front.settings;
        let recipients = addresses.into_iter().map(|address| Recipient {
            address: intake::qualify(address, settings),
            original: recipient.original.clone(),
            orcpt: recipient.orcpt.clone(),
            notify: recipient.notify,
        });
        let envelope = Envelope {
            recipients: recipients.collect(),
            ..message.envelope.clone()
        };
        let incoming = self.front.spool.begin(now());
        let mut submission = Submission::begin(incoming, Origin::Forward, &envelope, Arc::clone(settings));
        submission.write(header.as_bytes());
        let mut reader = content.0.reader();
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

/// One line for each recipient.
pub(super) fn log_outcomes(
    front: &Front,
    message: &Message,
    agent: &str,
    outcomes: &[(u32, Outcome)],
    delays: Delays,
) {
    for (index, outcome) in outcomes {
        let Some(recipient) = message.envelope.recipients.get(*index as usize) else {
            continue;
        };
        let (to, original) = (recipient.address.to_string(), recipient.original.to_string());
        front.log.write(&DeliveryLine {
            agent,
            queue_id: &message.queue_id,
            to: &to,
            original_to: (to != original).then_some(original.as_str()),
            connection_uses: 0,
            delays,
            outcome,
            is_verified_only: cleanup::trace_of(message) == Trace::Verify,
        });
    }
}
