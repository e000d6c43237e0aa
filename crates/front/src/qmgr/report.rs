//! Telling the sender: about recipients that were given up while others are still tried, and about everything that is
//! to be told at the end of a message, which is then removed.

use std::sync::Arc;

use bounce::{Audience, Fate, Kind, Original};
use envelope::{DeliveryResult, Envelope, Outcome, QueueId, Recipient, Trace};
use intake::Origin;
use maillog::lines::bounce::{Notification, Report};
use maillog::lines::qmgr::Expired;
use message::date::Date;
use queue::Message;
use serve::clock::now;

use crate::Front;
use crate::cleanup::{Submission, trace_of};

/// Reports and removes; `false` when a report could not be queued, so that the message must stay. `known` is the
/// message as it was before it was tried.
pub(super) async fn report_and_remove(
    front: &Arc<Front>,
    queue_id: &QueueId,
    known: Option<Arc<Message>>,
    expired: bool,
) -> bool {
    let message = match tried(front, queue_id, known) {
        Ok(message) => message,
        // An administrator deleted it meanwhile.
        Err(queue::Error::NoSuchMessage(_)) => return true,
        Err(error) => {
            front.log.error("qmgr", &format!("{queue_id}: {error}"));
            return false;
        }
    };
    if expired {
        let sender = message
            .envelope
            .sender
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        front.log.write(&Expired {
            queue_id,
            sender: &sender,
            is_forced: message.forced_expire,
        });
    }
    let told = match trace_of(&message) {
        Trace::Verify => tell(front, &message, Kind::Verified, &fates(&message, |_| true)).await,
        _ => report_end(front, &message, expired).await,
    };
    told && match front.spool.remove(queue_id) {
        Ok(()) => true,
        Err(error) => {
            front.log.error("qmgr", &format!("{queue_id}: {error}"));
            false
        }
    }
}

/// The reports at the end of a message.
async fn report_end(front: &Arc<Front>, message: &Message, expired: bool) -> bool {
    let failed = fates(message, |outcome| {
        outcome.result == DeliveryResult::Bounced || (expired && outcome.result == DeliveryResult::Deferred)
    });
    let delivered = fates(message, |outcome| match outcome.result {
        // A mailbox sends no reports; a peer that takes over reports makes its own.
        DeliveryResult::Sent => outcome.relay == "local",
        DeliveryResult::Relayed | DeliveryResult::Expanded => true,
        _ => false,
    });
    (!wants_record(message) || tell(front, message, Kind::Traced, &fates(message, |_| true)).await)
        && tell(front, message, Kind::Failed, &failed).await
        && tell(front, message, Kind::Success, &delivered).await
        && report_delay_cleared(front, message).await
}

/// Tells a sender who was warned of a delay that it is over, if `confirm_delay_cleared` wants that.
async fn report_delay_cleared(front: &Arc<Front>, message: &Message) -> bool {
    let settings = &front.settings;
    let patience = super::micros(settings.delay_warning_time);
    let has_waited = waited_micros(settings, message);
    if !settings.confirm_delay_cleared || patience == 0 || has_waited < patience {
        return true;
    }
    let arrived: Vec<(&Recipient, &Outcome)> = fates(message, |outcome| {
        matches!(outcome.result, DeliveryResult::Sent | DeliveryResult::Relayed)
    });
    // Who asked for reports of success has them already.
    let silent = arrived
        .into_iter()
        .filter(|(recipient, _)| !recipient.wants_success_report());
    tell(front, message, Kind::DelayCleared, &silent.collect::<Vec<_>>()).await
}

/// How long a message had waited when it was deferred the last time. The time of the next try, which is on disk, tells it.
fn waited_micros(settings: &settings::Postfix, message: &Message) -> i64 {
    let arrival = message.facts.arrival_micros;
    match message.next_try_micros {
        0 => 0,
        next_try => super::options::backoff(settings).deferred_at_micros(arrival, next_try) - arrival,
    }
}

/// Whether the sender asked for a report about the first attempt, and no other came before this one.
fn wants_record(message: &Message) -> bool {
    trace_of(message) == Trace::Record && message.next_try_micros == 0
}

/// What is to be told of a message that is being deferred.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Due {
    /// `sendmail -bv`: it is no message that goes on being tried.
    pub(super) is_verification: bool,
    /// Recipients were given up, and the sender does not know yet.
    has_failed: bool,
    /// It is late.
    is_late: bool,
    /// It was the first attempt, and the sender asked for a report about that.
    is_record: bool,
}

impl Due {
    pub(super) fn is_any(self) -> bool {
        self.has_failed || self.is_late || self.is_record
    }
}

/// What is to be told; to be asked before the time of the next try is set.
pub(super) fn due(front: &Front, queue_id: &QueueId) -> Due {
    let Ok(message) = front.spool.message(queue_id) else {
        return Due::default();
    };
    let mut outcomes = message.outcomes.iter().flatten();
    Due {
        is_verification: trace_of(&message) == Trace::Verify,
        has_failed: outcomes.any(|outcome| outcome.result == DeliveryResult::Bounced),
        is_late: is_late(front, &message),
        is_record: wants_record(&message),
    }
}

/// Makes the reports about a message that goes on being tried.
pub(super) async fn report_while_tried(front: &Arc<Front>, queue_id: &QueueId, due: Due) {
    if due.is_record
        && let Ok(message) = front.spool.message(queue_id)
    {
        tell(front, &message, Kind::Traced, &fates(&message, |_| true)).await;
    }
    report_failures(front, queue_id).await;
    if due.is_late {
        report_delay(front, queue_id).await;
    }
}

/// Reports the recipients that were given up while others are still tried, and notes that it was done. What could not
/// be reported now is reported the next time.
async fn report_failures(front: &Arc<Front>, queue_id: &QueueId) {
    let Ok(message) = front.spool.message(queue_id) else {
        return;
    };
    let failed = fates(&message, |outcome| outcome.result == DeliveryResult::Bounced);
    if !tell(front, &message, Kind::Failed, &failed).await {
        return;
    }
    let returned = (0u32..).zip(&message.outcomes).filter_map(|(index, outcome)| {
        let outcome = outcome
            .as_ref()
            .filter(|outcome| outcome.result == DeliveryResult::Bounced)?;
        Some((
            index,
            Outcome {
                result: DeliveryResult::Returned,
                ..outcome.clone()
            },
        ))
    });
    if let Err(error) = front.spool.record(queue_id, returned.collect()) {
        front.log.error("qmgr", &format!("{queue_id}: {error}"));
    }
}

/// Whether a message that is being deferred has waited for `delay_warning_time` now, and had not when it was deferred
/// the last time: its sender is to be told, once. The time of the next try, which is on disk, tells when that was.
fn is_late(front: &Front, message: &Message) -> bool {
    let settings = &front.settings;
    let patience = super::micros(settings.delay_warning_time);
    if patience == 0 {
        return false;
    }
    waited_micros(settings, message) < patience && now() - message.facts.arrival_micros >= patience
}

/// Tells the sender of recipients whose mail is late.
async fn report_delay(front: &Arc<Front>, queue_id: &QueueId) {
    let Ok(message) = front.spool.message(queue_id) else {
        return;
    };
    let lifetime = if message.envelope.sender.is_some() {
        front.settings.maximal_queue_lifetime
    } else {
        front.settings.bounce_queue_lifetime
    };
    let until = local_date(
        message
            .facts
            .arrival_micros
            .saturating_add(super::micros(lifetime)),
    );
    let late = fates(&message, |outcome| outcome.result == DeliveryResult::Deferred);
    tell(front, &message, Kind::Delayed { until }, &late).await;
}

/// The message with what became of its recipients.
fn tried(front: &Front, queue_id: &QueueId, known: Option<Arc<Message>>) -> queue::Result<Message> {
    match known {
        None => front.spool.message(queue_id),
        Some(known) => Ok(Message {
            outcomes: front.spool.outcomes(queue_id)?,
            ..Arc::unwrap_or_clone(known)
        }),
    }
}

/// The recipients whose outcome is as asked.
fn fates(message: &Message, is_meant: impl Fn(&Outcome) -> bool) -> Vec<(&Recipient, &Outcome)> {
    let pairs = message.envelope.recipients.iter().zip(&message.outcomes);
    pairs
        .filter_map(|(recipient, outcome)| Some((recipient, outcome.as_ref().filter(|o| is_meant(o))?)))
        .collect()
}

/// Queues the reports, if there are any to make: the sender's, and the postmaster's copy of one about a failure or a delay.
async fn tell(front: &Arc<Front>, message: &Message, kind: Kind, fates: &[(&Recipient, &Outcome)]) -> bool {
    let has_copy = matches!(kind, Kind::Failed | Kind::Delayed { .. });
    tell_one(front, message, (kind, Audience::Sender), fates).await
        && (!has_copy || tell_one(front, message, (kind, Audience::Postmaster), fates).await)
}

async fn tell_one(
    front: &Arc<Front>,
    message: &Message,
    what: (Kind, Audience),
    fates: &[(&Recipient, &Outcome)],
) -> bool {
    if fates.is_empty() {
        return true;
    }
    let (mut envelope, content) = match make(front, message, what, fates) {
        Ok(Some(made)) => made,
        Ok(None) => return true,
        Err(error) => {
            front
                .log
                .error("bounce", &format!("{}: {error}", message.queue_id));
            return false;
        }
    };
    for recipient in &mut envelope.recipients {
        recipient.address = intake::qualify(recipient.address.clone(), &front.settings);
    }
    let incoming = front.spool.begin(now());
    let report_id = incoming.queue_id().clone();
    let mut submission = Submission::begin(
        incoming,
        Origin::Report,
        &envelope,
        (Arc::clone(&front.settings), front),
    );
    submission.write(&content);
    if let Err(refusal) = submission.commit(envelope, front).await {
        front.log.error(
            "bounce",
            &format!("{}: cannot queue the report: {refusal}", message.queue_id),
        );
        return false;
    }
    let report = match (what, message.envelope.sender.is_some()) {
        ((Kind::Failed, Audience::Sender), true) => Report::NonDelivery,
        ((Kind::Failed, _), _) => Report::PostmasterNonDelivery,
        ((Kind::Delayed { .. }, Audience::Sender), _) => Report::Delay,
        ((Kind::Delayed { .. }, Audience::Postmaster), _) => Report::PostmasterDelay,
        ((Kind::Success | Kind::DelayCleared | Kind::Traced | Kind::Verified, _), _) => Report::Success,
    };
    front.log.write(&Notification {
        queue_id: &message.queue_id,
        report,
        report_id: &report_id,
    });
    true
}

/// The report's envelope and content.
fn make(
    front: &Front,
    message: &Message,
    what: (Kind, Audience),
    fates: &[(&Recipient, &Outcome)],
) -> Result<Option<(Envelope, Vec<u8>)>, String> {
    let content = front
        .spool
        .content(&message.queue_id)
        .map_err(|error| error.to_string())?;
    let original = Original {
        queue_id: &message.queue_id,
        envelope: &message.envelope,
        arrival: local_date(message.facts.arrival_micros),
        size_bytes: message.size_bytes,
    };
    let targets: Vec<(Recipient, &Outcome)> = fates.iter().flat_map(targets_of).collect();
    let own = fates
        .iter()
        .filter(|(_, outcome)| outcome.detail.targets.is_empty());
    let own = own.map(|(recipient, outcome)| Fate { recipient, outcome });
    let theirs = targets
        .iter()
        .map(|(recipient, outcome)| Fate { recipient, outcome });
    let fates: Vec<Fate<'_>> = own.chain(theirs).collect();
    let mut reader = content.reader();
    let returned = (&mut reader as &mut dyn std::io::Read, local_date(now()));
    bounce::report(&front.settings, what, &original, &fates, returned).map_err(|error| error.to_string())
}

/// The targets of an alias or a `.forward` that were given up, as recipients.
fn targets_of<'a>((recipient, outcome): &(&Recipient, &'a Outcome)) -> Vec<(Recipient, &'a Outcome)> {
    let targets = outcome.detail.targets.iter();
    let as_recipient = |address: &address::Address| Recipient {
        address: address.clone(),
        ..(*recipient).clone()
    };
    targets
        .map(|(address, outcome)| (as_recipient(address), outcome))
        .collect()
}

fn local_date(micros: i64) -> Date {
    let secs = micros / machine::SECOND;
    Date {
        secs,
        offset_secs: intake::date::local_offset_secs(secs),
    }
}
