//! Into the queue: the one way for mail from the network, from local users, and from the mail system itself.

mod addresses;
mod content;
pub(crate) mod draft;
mod filtering;
mod services;

use std::collections::HashSet;
use std::sync::Arc;

use access::{Actions, Refusal};
use address::Address;
use envelope::{DeliveryResult, Envelope, Outcome, QueueId, Recipient, StatusCode, Trace};
use intake::{Context, Intake, Origin};
use maillog::Delays;
use maillog::lines::cleanup::MessageId;
use maillog::lines::delivery::{Delivery, Purpose};
use maillog::lines::qmgr::{Active, Removed};
use milter::standing::Decision;
use queue::spool::INLINE_BYTES_MAX;
use queue::{Committed, Facts, Incoming};
use settings::Postfix;
use tokio::sync::oneshot;

use crate::Front;
use addresses::{Addresses, Cleanup};
pub use addresses::{Rewriting, ThisHost, rewritten};
use content::Verdict;
use draft::Extent;
pub(crate) use filtering::in_words;
use filtering::{OnItsWay, Review, Seen};
pub use services::{Entry, Services};
use smtp::Reply;

use crate::milters::Filters;

/// The attribute of a queued message that keeps `transport:nexthop` of the filter that is to see it first, as
/// `content_filter` says it.
pub const CONTENT_FILTER: &str = "content_filter";
/// The attribute that says `remote` of a message whose header was not completed as local ones are (Postfix has it of all).
pub const CONTEXT: &str = "rewrite_context";
/// The attribute of a queued message that keeps its [`Trace`].
const TRACE: &str = "trace";

/// A message whose content arrives.
pub struct Submission {
    intake: Intake,
    incoming: Incoming,
    circumstances: Circumstances,
    /// What could not be done; the rest of the content is dropped, and the answer to its end is this.
    failure: Option<Failure>,
    scratch: Vec<u8>,
    /// How much stands before our own Received field, in octets.
    prepended_bytes: u64,
    /// More that is known of it.
    attributes: Vec<(String, String)>,
    /// What access tables and policy services want to happen to it.
    actions: Actions,
    cleanup: Arc<Cleanup>,
    log: maillog::Log,
}

/// A message that was taken.
#[derive(Debug)]
pub enum Accepted {
    /// It is on disk.
    Queued(Committed),
    /// It had this queue id, and nothing is left of it: a rule of content checks says that nobody gets it.
    Discarded(QueueId),
}

impl Accepted {
    /// What the queue calls it, or would have.
    pub fn queue_id(&self) -> &QueueId {
        match self {
            Accepted::Queued(committed) => committed.queue_id(),
            Accepted::Discarded(queue_id) => queue_id,
        }
    }
}

/// A message that was not taken.
#[derive(Debug)]
pub struct Declined {
    /// What its sender is told.
    pub refusal: Refusal,
    /// Whose doing it is.
    pub cause: Cause,
    /// The reply in the words of a filter; else it is the refusal.
    pub words: Option<Reply>,
    /// The setting by which it is so, where the log has not been told; may be empty.
    pub rule: &'static str,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// What is in it, or a table that would say what to do with it; the log has been told.
    Content,
    /// The queue, which would not take another one either; or its size or form.
    Other,
}

impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.refusal.fmt(f)
    }
}

/// What the stages of intake are told about a message.
struct Circumstances {
    settings: Arc<Postfix>,
    origin: Origin,
    sender: String,
    /// The envelope's sender as it goes into the queue.
    mapped_sender: Option<Address>,
    only_recipient: Option<String>,
    /// The last recipient as the log of checks shows it.
    last_recipient: Option<String>,
    now_micros: i64,
    trace: Trace,
    began_micros: i64,
}

impl Circumstances {
    fn context<'a>(&'a self, queue_id: &'a QueueId, cleanup: &'a Cleanup) -> Context<'a> {
        Context {
            settings: &self.settings,
            queue_id,
            origin: &self.origin,
            sender: &self.sender,
            only_recipient: self.only_recipient.as_deref(),
            now_secs: self.now_micros / machine::SECOND,
            checks: Some(&cleanup.checks).filter(|checks| !checks.is_empty() && self.is_checked()),
            mapping: self.is_mapped().then_some((&cleanup.maps, &cleanup.host)),
        }
    }
}

impl Circumstances {
    /// Whether it comes from a client or a user, and not from the mail system itself.
    fn is_new(&self) -> bool {
        matches!(self.origin, Origin::Network(_) | Origin::Local { .. })
    }

    /// `content_filter`: what is new is seen by the filter once. What is passed on or reported was seen already, or is ours.
    fn filter(&self) -> Option<&str> {
        let filter = self.settings.content_filter.trim();
        (self.is_new() && !filter.is_empty()).then_some(filter)
    }

    /// Whether its content is looked at: what is new, if it was not seen before it went to a content filter
    /// (`no_header_body_checks`); of what the mail system itself says, what `internal_mail_filter_classes` name.
    fn is_checked(&self) -> bool {
        match self.origin {
            Origin::Network(_) | Origin::Local { .. } => !leaves_out(&self.settings, "no_header_body_checks"),
            Origin::Forward => false,
            Origin::Report if self.trace == Trace::Probe => false,
            Origin::Report => self
                .settings
                .internal_mail_filter_classes
                .iter()
                .any(|class| class.eq_ignore_ascii_case("bounce")),
        }
    }

    /// Whether tables change its addresses (`no_address_mappings`).
    fn is_mapped(&self) -> bool {
        !leaves_out(&self.settings, "no_address_mappings")
    }

    /// Whether there may be copies of it, about which nobody is told. What the mail system itself sends or passes on has
    /// none, or it would never end.
    fn is_copied(&self) -> bool {
        self.is_mapped() && self.is_new() && !self.trace.only_verifies()
    }
}

/// Drops recipients that stand there twice, written alike but for case, with the same wishes about reports.
/// `duplicate_filter_limit` is how many are remembered, 0 all; with `enable_original_recipient` another way to write
/// the same address is another recipient.
fn drop_doubles(envelope: &mut Envelope, settings: &Postfix) {
    let limit = match settings.duplicate_filter_limit {
        0 => usize::MAX,
        limit => limit,
    };
    let mut known = HashSet::new();
    envelope.recipients.retain(|recipient| {
        let folded = |address: &Address| address.to_string().to_lowercase();
        let original = settings
            .enable_original_recipient
            .then(|| folded(&recipient.original));
        let orcpt = recipient.orcpt.as_deref().map(str::to_lowercase);
        let wishes = recipient.notify.map(|notify| notify.to_string());
        let key = (folded(&recipient.address), original, orcpt, wishes);
        if known.contains(&key) {
            return false;
        }
        if known.len() < limit {
            known.insert(key);
        }
        true
    });
}

/// Whether `receive_override_options` has this word: the mail was seen already, before it went to a content filter.
pub fn leaves_out(settings: &Postfix, word: &str) -> bool {
    let mut options = settings.receive_override_options.iter();
    options.any(|option| option.eq_ignore_ascii_case(word))
}

/// No refusal can be made of what is not there.
pub fn no_content() -> Declined {
    let refusal = Refusal {
        code: 503,
        status: StatusCode::permanent(5, 1),
        text: "Error: need DATA command".to_owned(),
    };
    Declined {
        refusal,
        cause: Cause::Other,
        words: None,
        rule: "",
    }
}

impl Submission {
    /// Begins the content of a message that has its queue id.
    pub fn begin(
        incoming: Incoming,
        origin: Origin,
        envelope: &Envelope,
        (entry, log): (&Entry, &maillog::Log),
    ) -> Submission {
        let only_recipient = match envelope.recipients.as_slice() {
            [recipient] => Some(recipient.original.to_string()),
            _ => None,
        };
        let now_micros = serve::clock::now();
        let (settings, cleanup) = (Arc::clone(&entry.settings), Arc::clone(&entry.cleanup));
        let addresses = Addresses::of(&cleanup, &settings);
        let (mapped_sender, failure) = match addresses.sender(envelope.sender.as_ref()) {
            Ok(sender) => (sender, entry.missing.as_deref().map(Failure::missing)),
            Err(error) => (envelope.sender.clone(), Some(Failure::Intake(error.into()))),
        };
        let circumstances = Circumstances {
            settings,
            origin,
            sender: mapped_sender.as_ref().map(Address::to_string).unwrap_or_default(),
            mapped_sender,
            only_recipient,
            last_recipient: envelope
                .recipients
                .last()
                .map(|recipient| recipient.address.to_string()),
            trace: Trace::None,
            now_micros,
            began_micros: now_micros,
        };
        Submission {
            intake: Intake::new(),
            incoming,
            circumstances,
            failure,
            scratch: Vec::new(),
            prepended_bytes: 0,
            attributes: Vec::new(),
            actions: Actions::default(),
            cleanup,
            log: log.clone(),
        }
    }

    /// More that is known of the message, by Postfix's names (`sasl_username`).
    pub fn with_attributes(mut self, attributes: Vec<(String, String)>) -> Submission {
        self.attributes = attributes;
        self
    }

    /// What is to happen to the message besides.
    pub fn with_actions(mut self, actions: Actions) -> Submission {
        self.actions = actions;
        self
    }

    /// Puts header fields in front of all others; a failure shows at the end. Before the content begins.
    pub fn prepend(&mut self, fields: &[String]) {
        for field in fields {
            let written = self.incoming.write(format!("{field}\n").as_bytes());
            self.failure = self.failure.take().or(written.err().map(Failure::Queue));
        }
        self.prepended_bytes = self.incoming.size_bytes();
    }

    /// The sender wants to hear of the first attempt, or nothing but that.
    pub fn with_trace(mut self, trace: Trace) -> Submission {
        self.circumstances.trace = trace;
        self
    }

    /// The message began to arrive then: what the log's `delay=` counts from.
    pub fn begun_at(mut self, micros: i64) -> Submission {
        self.circumstances.began_micros = micros;
        self
    }

    /// The message's name in the queue.
    pub fn queue_id(&self) -> &QueueId {
        self.incoming.queue_id()
    }

    /// Takes a piece of the content. A failure shows at the end.
    pub fn write(&mut self, piece: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        let queue_id = self.incoming.queue_id();
        let context = self.circumstances.context(queue_id, &self.cleanup);
        self.scratch.clear();
        let taken = self.intake.feed(piece, &context, &mut self.scratch);
        let effects = &mut self.intake.facts().effects;
        self.circumstances.log_effects(effects, queue_id, &self.log);
        self.failure = match taken {
            Ok(()) => self.incoming.write(&self.scratch).err().map(Failure::Queue),
            Err(error) => Some(Failure::Intake(error)),
        };
    }

    /// Ends the content and waits until the message is on disk and the queue manager knows of it.
    ///
    /// # Errors
    /// What the sender is told: nothing of the message is kept.
    pub async fn commit(self, envelope: Envelope, front: &Front) -> Result<Accepted, Declined> {
        let queue_id = self.incoming.queue_id();
        match filtering::for_others(&self.circumstances, (&envelope, queue_id), &self.cleanup).await {
            Review::By(filters) => {
                let mut filters = *filters;
                let committed = self.commit_past(envelope, front, Some(&mut filters)).await;
                filters.quit().await;
                committed
            }
            Review::Decided(stage, decision, rule) => {
                self.commit_reviewed(envelope, front, Err((stage, decision, rule)))
                    .await
            }
            Review::None => self.commit_past(envelope, front, None).await,
        }
    }

    /// The same past filters, which know of the envelope already.
    ///
    /// # Errors
    /// As [`Submission::commit`].
    pub(crate) async fn commit_past(
        self,
        envelope: Envelope,
        front: &Front,
        filters: Option<&mut Filters>,
    ) -> Result<Accepted, Declined> {
        self.commit_reviewed(envelope, front, Ok(filters)).await
    }

    /// The same with what filters said already.
    async fn commit_reviewed(
        self,
        mut envelope: Envelope,
        front: &Front,
        review: Result<Option<&mut Filters>, Verdicts>,
    ) -> Result<Accepted, Declined> {
        let queue_id = self.incoming.queue_id().clone();
        let settings = Arc::clone(&self.circumstances.settings);
        // What could not be told of the sender is told before anything is asked about recipients.
        if let Some(failure @ Failure::Intake(intake::Error::Mapping(_))) = &self.failure {
            return Err(failure.tell(&queue_id, front));
        }
        envelope.sender.clone_from(&self.circumstances.mapped_sender);
        let addresses = Addresses::of(&self.cleanup, &settings);
        let mapped = addresses.map(&mut envelope, self.circumstances.is_copied());
        let expanded = mapped.map_err(|error| Failure::Intake(error.into()).tell(&queue_id, front))?;
        let mut about = self.circumstances.about(&queue_id);
        if let Err((stage, ..)) = &review {
            about = about.at(stage);
        }
        let (origin, own_at) = (self.circumstances.origin.clone(), self.prepended_bytes);
        let (trace, began_micros) = (self.circumstances.trace, self.circumstances.began_micros);
        let cleanup = Arc::clone(&self.cleanup);
        let Some(Finished {
            mut incoming,
            mut facts,
            header_bytes,
        }) = self.finish(&mut envelope, front)?
        else {
            return Ok(Accepted::Discarded(queue_id));
        };
        facts
            .attributes
            .extend(expanded.iter().filter_map(expanded_attribute));
        drop_doubles(&mut envelope, &settings);
        if trace == Trace::Probe && envelope.recipients.len() > 1 {
            tell_of_many(&queue_id, &envelope, (began_micros, front));
            envelope.recipients.clear();
        }
        let addresses = Addresses::of(&cleanup, &settings);
        let mut on_its_way = OnItsWay {
            incoming: &mut incoming,
            facts: &mut facts,
            envelope: &mut envelope,
            extent: Extent {
                own_at,
                end: own_at + header_bytes,
            },
            about: &about,
            origin: &origin,
        };
        let seen = match review {
            Ok(None) => Ok(Seen::Taken),
            Ok(Some(filters)) => on_its_way.pass(filters, (&addresses, front)).await,
            Err((_, decision, rule)) => on_its_way.decide((decision, rule), &front.log),
        };
        match seen.map_err(|failure| failure.tell(&queue_id, front))? {
            Seen::Discarded => return Ok(Accepted::Discarded(queue_id)),
            Seen::Taken if envelope.recipients.is_empty() => {
                tell_of_nobody(&queue_id, (&envelope, incoming.size_bytes()), front);
                return Ok(Accepted::Discarded(queue_id));
            }
            Seen::Taken => {}
        }
        let (done, committed) = oneshot::channel();
        let is_large = incoming.size_bytes() > INLINE_BYTES_MAX as u64;
        let hand_in = || {
            incoming.commit(&envelope, &facts, move |result| {
                // The receiver is gone only when the session was broken off; then nobody is told 250.
                let _ = done.send(result);
            });
        };
        // Content in a file of its own is synced on the way.
        if is_large {
            tokio::task::block_in_place(hand_in)
        } else {
            hand_in()
        }
        let committed = match committed.await {
            Ok(result) => result,
            Err(_) => Err(queue::Error::Stopped("the queue's writer ended".to_owned())),
        };
        match committed {
            Ok(committed) => {
                match facts.hold {
                    true => front.qmgr.held(committed.queue_id()),
                    false => front.qmgr.arrived(committed.queue_id()),
                }
                Ok(Accepted::Queued(committed))
            }
            Err(error) => Err(Failure::Queue(error).tell(&queue_id, front)),
        }
    }

    /// Ends the content; `None` when nobody gets it.
    fn finish(mut self, envelope: &mut Envelope, front: &Front) -> Result<Option<Finished>, Declined> {
        let queue_id = self.incoming.queue_id().clone();
        if let Some(failure) = self.failure {
            return Err(failure.tell(&queue_id, front));
        }
        let context = self.circumstances.context(&queue_id, &self.cleanup);
        self.scratch.clear();
        let mut facts = self
            .intake
            .finish(&context, &mut self.scratch)
            .map_err(|error| Failure::Intake(error).tell(&queue_id, front))?;
        self.circumstances
            .log_effects(&mut facts.effects, &queue_id, &front.log);
        if facts.effects.is_taken() || !facts.message_id.is_empty() {
            front.log.write(&MessageId {
                queue_id: &queue_id,
                message_id: &facts.message_id,
            });
        }
        content::follow(&mut facts.effects, &mut self.actions);
        let verdict = content::verdict(&facts.effects, &self.circumstances.origin);
        let (is_held, filter) = match verdict {
            Verdict::Refused(status, text) => {
                return Err(Failure::Content(status, text).tell(&queue_id, front));
            }
            Verdict::Discarded => return Ok(None),
            Verdict::Taken { is_held, filter } => (is_held, filter),
        };
        let addresses = Addresses::of(&self.cleanup, &self.circumstances.settings);
        content::redirect(envelope, facts.effects, &addresses)
            .map_err(|error| Failure::Intake(error.into()).tell(&queue_id, front))?;
        self.incoming
            .write(&self.scratch)
            .map_err(|error| Failure::Queue(error).tell(&queue_id, front))?;
        let mut attributes = vec![("message_id".to_owned(), facts.message_id)];
        let own = |name: &str| self.attributes.iter().any(|(own, _)| own == name);
        let of_origin = log_attributes(&self.circumstances.origin).into_iter();
        attributes.extend(of_origin.filter(|(name, _)| !own(name)));
        attributes.extend(self.attributes);
        let filter = filter.or_else(|| self.circumstances.filter().map(str::to_owned));
        if let Some(filter) = filter.filter(|filter| !filter.is_empty()) {
            attributes.insert(0, (CONTENT_FILTER.to_owned(), filter));
        }
        if self.circumstances.trace != Trace::None {
            let trace = self.circumstances.trace.as_str();
            attributes.push((TRACE.to_owned(), trace.to_owned()));
        }
        Ok(Some(Finished {
            incoming: self.incoming,
            facts: Facts {
                arrival_micros: self.circumstances.began_micros,
                hold: is_held,
                attributes,
            },
            header_bytes: facts.header_bytes,
        }))
    }
}

/// The attribute of a queued message that keeps an alias whose sender wants to hear that it stands for others.
const EXPANDED: &str = "expanded";

fn expanded_attribute(recipient: &Recipient) -> Option<(String, String)> {
    let text = serde_json::to_string(recipient).ok()?;
    Some((EXPANDED.to_owned(), text))
}

/// The aliases whose sender wants to hear that they stand for others.
pub fn expanded_of(message: &queue::Message) -> Vec<Recipient> {
    let attributes = message.facts.attributes.iter();
    let kept = attributes.filter(|(name, _)| name == EXPANDED);
    kept.filter_map(|(_, text)| serde_json::from_str(text).ok())
        .collect()
}

/// A message whose content is complete.
struct Finished {
    incoming: Incoming,
    facts: Facts,
    header_bytes: u64,
}

/// Filters took all recipients away: the log has what it has of any message.
fn tell_of_nobody(queue_id: &QueueId, (envelope, size_bytes): (&Envelope, u64), front: &Front) {
    let sender = envelope
        .sender
        .as_ref()
        .map(Address::to_string)
        .unwrap_or_default();
    front.log.write(&Active {
        queue_id,
        sender: &sender,
        size_bytes,
        recipients: 0,
    });
    front.log.write(&Removed { queue_id });
}

/// A probe of an address that stands for several: that is good enough, they are not asked.
fn tell_of_many(queue_id: &QueueId, envelope: &Envelope, (began_micros, front): (i64, &Front)) {
    let Some(recipient) = envelope.recipients.first() else {
        return;
    };
    let outcome = Outcome {
        result: DeliveryResult::Sent,
        status: StatusCode::success(0, 0),
        text: crate::verify::OF_MANY.to_owned(),
        relay: "none".to_owned(),
        detail: Default::default(),
    };
    front.log.write(&Delivery {
        agent: "cleanup",
        queue_id,
        to: &recipient.original.to_string(),
        original_to: None,
        connection_uses: 0,
        delays: Delays {
            before_queue_manager_micros: serve::clock::now() - began_micros,
            ..Delays::default()
        },
        outcome: &outcome,
        purpose: Purpose::Verification,
        is_soft: false,
    });
}

/// What the sender of a queued message wants to hear of its first attempt.
pub fn trace_of(message: &queue::Message) -> Trace {
    message.facts.attribute(TRACE).map_or(Trace::None, Trace::of_word)
}

/// The protocol as logs, commands and content filters know it, of what the Received field says behind `with`: neither TLS nor
/// a login nor SMTPUTF8 is in it.
fn spoken(with: &'static str) -> &'static str {
    match with {
        "SMTP" => "SMTP",
        with if with.starts_with("LMTP") => "LMTP",
        _ => "ESMTP",
    }
}

/// What `postcat` shows about the origin.
pub(crate) fn log_attributes(origin: &Origin) -> Vec<(String, String)> {
    let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    match origin {
        Origin::Network(network) => {
            let mut attributes = vec![
                named("log_client_name", &network.name),
                named("log_client_address", &network.address.to_string()),
                named("log_helo_name", &network.helo),
                named("log_protocol_name", spoken(network.protocol)),
            ];
            attributes.extend((!network.is_local).then(|| named(CONTEXT, "remote")));
            attributes
        }
        Origin::Local { .. } => vec![named("log_message_origin", "local")],
        Origin::Forward | Origin::Report => Vec::new(),
    }
}

/// What filters decided already: at which command, what, and which of them.
type Verdicts = (&'static str, Decision, Option<String>);

/// Why a message is not taken.
enum Failure {
    Queue(queue::Error),
    Intake(intake::Error),
    /// A rule says so, or nobody knows what the rules say.
    Content(StatusCode, String),
    /// A filter says so, in these words.
    Filter(Reply),
    /// Filters would make it larger than `message_size_limit`.
    TooLarge,
}

impl Failure {
    /// No row of master.cf has this name.
    fn missing(name: &str) -> Failure {
        let text = format!("cleanup_service_name: master.cf has no cleanup \"{name}\"");
        Failure::Queue(queue::Error::Stopped(text))
    }

    /// The setting by which it is so, of what the log is not told elsewhere.
    fn rule(&self) -> &'static str {
        match self {
            Failure::Intake(intake::Error::TooManyHops) => "hopcount_limit",
            Failure::TooLarge => "message_size_limit",
            Failure::Queue(_) => "queue_directory",
            Failure::Intake(_) | Failure::Content(..) | Failure::Filter(_) => "",
        }
    }

    /// Writes the detail into the log; what the sender reads.
    fn tell(&self, queue_id: &QueueId, front: &Front) -> Declined {
        if let Failure::Queue(error) = self {
            front.log.error("cleanup", &format!("{queue_id}: {error}"));
        }
        if let Failure::Intake(intake::Error::Mapping(error)) = self {
            front.log.warning("cleanup", &format!("{queue_id}: {error}"));
        }
        let cause = match self {
            Failure::Content(..) | Failure::Filter(_) => Cause::Content,
            Failure::Intake(intake::Error::Mapping(_)) => Cause::Content,
            _ => Cause::Other,
        };
        let (code, status, text) = match self {
            Failure::Intake(intake::Error::TooManyHops) => {
                (554, StatusCode::permanent(4, 0), "Error: too many hops")
            }
            Failure::Intake(intake::Error::Mapping(error)) if error.cause().is_some() => {
                (451, StatusCode::temporary(3, 0), "Error: queue file write error")
            }
            Failure::Intake(intake::Error::Mapping(_)) => {
                (451, StatusCode::temporary(6, 0), "Alias expansion error")
            }
            Failure::Filter(reply) => (
                reply.code,
                reply.status(),
                reply.lines.first().map_or("", String::as_str),
            ),
            Failure::TooLarge => (552, StatusCode::permanent(3, 4), "Error: message file too big"),
            Failure::Content(status, text) => match status.class {
                envelope::Class::Permanent => (550, *status, text.as_str()),
                _ => (451, *status, text.as_str()),
            },
            Failure::Queue(queue::Error::Full(_)) => (
                452,
                StatusCode::temporary(3, 1),
                "Error: insufficient system storage",
            ),
            Failure::Queue(queue::Error::EnvelopeTooLarge) => (
                552,
                StatusCode::permanent(3, 4),
                "Error: message envelope too large",
            ),
            Failure::Queue(queue::Error::Busy) => (
                451,
                StatusCode::temporary(3, 2),
                "Error: queue is overloaded, try again later",
            ),
            Failure::Queue(_) => (451, StatusCode::temporary(3, 0), "Error: queue file write error"),
        };
        Declined {
            refusal: Refusal {
                code,
                status,
                text: text.to_owned(),
            },
            cause,
            words: match self {
                Failure::Filter(reply) => Some(reply.clone()),
                _ => None,
            },
            rule: self.rule(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envelope::{Notify, Recipient};
    use settings::Surroundings;

    fn circumstances(origin: Origin, settings: Postfix) -> Circumstances {
        Circumstances {
            settings: Arc::new(settings),
            origin,
            sender: String::new(),
            mapped_sender: None,
            only_recipient: None,
            last_recipient: None,
            now_micros: 0,
            trace: Trace::None,
            began_micros: 0,
        }
    }

    #[test]
    fn recipients_written_alike_are_one() {
        let mut settings = Postfix::defaults(&Surroundings::default());
        let left = |settings: &Postfix, names: &[(&str, &str)]| {
            let recipient = |(original, address): &(&str, &str)| Recipient {
                address: Address::parse(address).expect("an address"),
                original: Address::parse(original).expect("an address"),
                orcpt: None,
                notify: None,
            };
            let mut envelope = Envelope {
                sender: None,
                recipients: names.iter().map(recipient).collect(),
                ret: None,
                envid: None,
                body: envelope::BodyKind::default(),
                smtputf8: false,
            };
            envelope
                .recipients
                .extend(envelope.recipients.first().cloned().map(|first| Recipient {
                    notify: Some(Notify::NEVER),
                    ..first
                }));
            drop_doubles(&mut envelope, settings);
            envelope.recipients.len()
        };
        let names = [
            ("u", "u@h.x"),
            ("u@h.x", "u@h.x"),
            ("U@H.X", "U@H.X"),
            ("u", "u@h.x"),
            ("v", "v@h.x"),
            ("v", "v@h.x"),
        ];
        assert_eq!(left(&settings, &names), 4);
        settings.enable_original_recipient = false;
        assert_eq!(left(&settings, &names), 3);
        settings.duplicate_filter_limit = 1;
        assert_eq!(left(&settings, &names), 4);
    }

    #[test]
    fn new_mail_is_filtered_and_no_other() {
        let filter = |origin: Origin, content_filter: &str| {
            let mut settings = Postfix::defaults(&Surroundings::default());
            settings.content_filter = content_filter.to_owned();
            circumstances(origin, settings).filter().map(str::to_owned)
        };
        let local = || Origin::Local {
            uid: 0,
            full_name: String::new(),
            is_relayed: false,
        };
        assert_eq!(filter(local(), "scan:[h]:1"), Some("scan:[h]:1".to_owned()));
        assert_eq!(filter(local(), ""), None);
        assert_eq!(filter(Origin::Forward, "scan:"), None);
        assert_eq!(filter(Origin::Report, "scan:"), None);
    }

    #[test]
    fn new_mail_is_copied_and_forwards_are_not() {
        let is_copied = |origin: Origin, left_out: &[&str]| {
            let mut settings = Postfix::defaults(&Surroundings::default());
            settings.receive_override_options = left_out.iter().map(|word| (*word).to_owned()).collect();
            circumstances(origin, settings).is_copied()
        };
        let local = || Origin::Local {
            uid: 0,
            full_name: String::new(),
            is_relayed: false,
        };
        assert!(is_copied(local(), &[]));
        assert!(!is_copied(local(), &["no_address_mappings"]));
        assert!(!is_copied(Origin::Forward, &[]) && !is_copied(Origin::Report, &[]));
    }
}
