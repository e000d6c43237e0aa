//! Telling the sender: about recipients that were given up while others are still tried, and about everything that is
//! to be told at the end of a message, which is then removed.

use std::sync::Arc;

use bounce::{Audience, Fate, Kind, Original};
use envelope::{DeliveryResult, Envelope, Outcome, QueueId, Recipient, StatusCode, Trace};
use maillog::lines::bounce::{Notification, Report};
use maillog::lines::qmgr::Expired;
use queue::Message;
use serve::clock::now;

use crate::cleanup::{expanded_of, trace_of};
use crate::{Front, local_date};

/// Reports and removes; `false` when a report could not be queued, so that the message must stay. `known` is the
/// message as it was before it was tried.
pub(super) async fn report_and_remove(
    front: &Arc<Front>,
    queue_id: &QueueId,
    known: Option<Arc<Message>>,
    expired: bool,
) -> bool {
    let before = known.clone().filter(|_| front.settings.confirm_delay_cleared);
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
        Trace::Probe => {
            crate::verify::record(front, &message).await;
            true
        }
        Trace::Verify => tell(front, &message, Kind::Verified, &fates(&message, |_| true)).await,
        _ => {
            report_end(front, &message, expired).await
                && (!was_told_of_delay(&front.settings, &message)
                    || report_delay_cleared(front, &message, before.as_deref()).await)
        }
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
    let aliases = told_first(message);
    let expansion = expansion();
    let mut delivered: Vec<_> = aliases.iter().map(|alias| (alias, &expansion)).collect();
    delivered.extend(fates(message, is_success_told_here));
    (!wants_record(message) || tell(front, message, Kind::Traced, &fates(message, |_| true)).await)
        && tell(front, message, Kind::Failed, &failed).await
        && tell(front, message, Kind::Success, &delivered).await
}

/// The aliases of which the sender hears after the first attempt.
fn told_first(message: &Message) -> Vec<Recipient> {
    match message.next_try_micros {
        0 => expanded_of(message),
        _ => Vec::new(),
    }
}

/// What became of a virtual alias.
fn expansion() -> Outcome {
    Outcome {
        result: DeliveryResult::Expanded,
        status: StatusCode::success(0, 0),
        text: "alias expanded".to_owned(),
        relay: "none".to_owned(),
        detail: Default::default(),
    }
}

/// Whether it is for us to tell a success. A mailbox, a command or `discard` sends no reports; another host (`mx[192.0.2.1]:25`)
/// that takes them over makes its own.
fn is_success_told_here(outcome: &Outcome) -> bool {
    match outcome.result {
        DeliveryResult::Sent => !outcome.relay.contains('['),
        DeliveryResult::Relayed | DeliveryResult::Expanded => true,
        DeliveryResult::Deferred | DeliveryResult::Bounced | DeliveryResult::Returned => false,
    }
}

/// Whether the sender was warned of a delay before these attempts, and `confirm_delay_cleared` wants the end of it told.
fn was_told_of_delay(settings: &settings::Postfix, message: &Message) -> bool {
    let patience = super::micros(settings.delay_warning_time);
    settings.confirm_delay_cleared && patience != 0 && waited_micros(settings, message) >= patience
}

/// Tells a sender who was warned of a delay of which recipients it is over: those that had not got the message `before` these
/// attempts.
async fn report_delay_cleared(front: &Arc<Front>, message: &Message, before: Option<&Message>) -> bool {
    let outcomes_before = before.map_or(&[][..], |before| &before.outcomes);
    let pairs = message.envelope.recipients.iter().zip(&message.outcomes);
    let arrived = pairs.enumerate().filter_map(|(index, (recipient, outcome))| {
        let earlier = outcomes_before.get(index).and_then(Option::as_ref);
        let was_open = earlier.is_none_or(|earlier| earlier.result == DeliveryResult::Deferred);
        let is_there =
            |outcome: &&Outcome| matches!(outcome.result, DeliveryResult::Sent | DeliveryResult::Relayed);
        let outcome = outcome.as_ref().filter(is_there)?;
        // Who asked for reports of success has them already.
        (was_open && !recipient.wants_success_report()).then_some((recipient, outcome))
    });
    tell(front, message, Kind::DelayCleared, &arrived.collect::<Vec<_>>()).await
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
    /// `sendmail -bv`, or a probe: it is no message that goes on being tried.
    pub(super) is_verification: bool,
    /// Recipients were given up, and the sender does not know yet.
    has_failed: bool,
    /// It is late.
    is_late: bool,
    /// The sender knows that it is late, and may hear that some recipients have it now.
    is_cleared: bool,
    /// It was the first attempt, and the sender asked for a report about that.
    is_record: bool,
    /// It was the first attempt, and the sender is to hear that an alias stands for others.
    is_expanded: bool,
}

impl Due {
    pub(super) fn is_any(self) -> bool {
        self.has_failed || self.is_late || self.is_cleared || self.is_record || self.is_expanded
    }
}

/// What is to be told; to be asked before the time of the next try is set.
pub(super) fn due(front: &Front, queue_id: &QueueId) -> Due {
    let Ok(message) = front.spool.message(queue_id) else {
        return Due::default();
    };
    let mut outcomes = message.outcomes.iter().flatten();
    Due {
        is_verification: trace_of(&message).only_verifies(),
        has_failed: outcomes.any(|outcome| outcome.result == DeliveryResult::Bounced),
        is_late: is_late(front, &message),
        is_cleared: was_told_of_delay(&front.settings, &message),
        is_record: wants_record(&message),
        is_expanded: !told_first(&message).is_empty(),
    }
}

/// Makes the reports about a message that goes on being tried; `before`: as it was before it was tried.
pub(super) async fn report_while_tried(
    front: &Arc<Front>,
    queue_id: &QueueId,
    due: Due,
    before: Option<Arc<Message>>,
) {
    if due.is_record
        && let Ok(message) = front.spool.message(queue_id)
    {
        tell(front, &message, Kind::Traced, &fates(&message, |_| true)).await;
    }
    if due.is_expanded
        && let Ok(message) = front.spool.message(queue_id)
    {
        // The next try is set already: it says nothing of whether this one was the first.
        let (aliases, expansion) = (expanded_of(&message), expansion());
        let fates: Vec<_> = aliases.iter().map(|alias| (alias, &expansion)).collect();
        tell(front, &message, Kind::Success, &fates).await;
    }
    report_failures(front, queue_id).await;
    if due.is_late {
        report_delay(front, queue_id).await;
    }
    if due.is_cleared
        && let Ok(message) = front.spool.message(queue_id)
    {
        // What cannot be queued now is not made up for: the next attempts know nothing of these.
        report_delay_cleared(front, &message, before.as_deref()).await;
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
    let made = match make(front, message, what, fates) {
        Ok(Some(made)) => made,
        Ok(None) => return true,
        Err(error) => {
            front
                .log
                .error("bounce", &format!("{}: {error}", message.queue_id));
            return false;
        }
    };
    let report_id = match crate::notices::queue(front, &front.settings, made).await {
        Ok(report_id) => report_id,
        Err(refusal) => {
            let text = format!("{}: cannot queue the report: {refusal}", message.queue_id);
            front.log.error("bounce", &text);
            return false;
        }
    };
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

#[cfg(test)]
mod tests {
    use envelope::StatusCode;

    use super::*;

    #[test]
    fn whatever_is_the_end_of_a_message_tells_its_success() {
        let is_told = |relay: &str, result| {
            is_success_told_here(&Outcome {
                result,
                status: StatusCode::success(0, 0),
                text: String::new(),
                relay: relay.to_owned(),
                detail: Default::default(),
            })
        };
        for relay in ["local", "virtual", "none", "gate"] {
            assert!(is_told(relay, DeliveryResult::Sent), "{relay}");
            assert!(!is_told(relay, DeliveryResult::Deferred), "{relay}");
        }
        for relay in ["mx.test[192.0.2.1]:25", "mx.test[private/lmtp]"] {
            assert!(!is_told(relay, DeliveryResult::Sent), "{relay}");
            assert!(is_told(relay, DeliveryResult::Relayed), "{relay}");
        }
    }
}
