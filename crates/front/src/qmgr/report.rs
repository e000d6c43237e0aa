//! Telling the sender: about recipients that were given up while others are still tried, and about everything that is
//! to be told at the end of a message, which is then removed.

use std::sync::Arc;

use bounce::{Fate, Kind, Original};
use envelope::{DeliveryResult, Envelope, Outcome, QueueId, Recipient};
use intake::Origin;
use maillog::lines::bounce::{Notification, Report};
use maillog::lines::qmgr::Expired;
use message::date::Date;
use queue::Message;
use serve::clock::now;

use crate::Front;
use crate::cleanup::Submission;

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
            is_forced: false,
        });
    }
    let failed = fates(&message, |outcome| {
        outcome.result == DeliveryResult::Bounced || (expired && outcome.result == DeliveryResult::Deferred)
    });
    let delivered = fates(&message, |outcome| {
        outcome.result == DeliveryResult::Sent && outcome.relay == "local"
    });
    let told = tell(front, &message, Kind::Failed, &failed).await
        && tell(front, &message, Kind::Success, &delivered).await;
    told && match front.spool.remove(queue_id) {
        Ok(()) => true,
        Err(error) => {
            front.log.error("qmgr", &format!("{queue_id}: {error}"));
            false
        }
    }
}

/// Whether a message has recipients that were given up and whose sender does not know yet.
pub(super) fn is_due(front: &Front, queue_id: &QueueId) -> bool {
    let message = front.spool.message(queue_id);
    message.is_ok_and(|message| {
        message
            .outcomes
            .iter()
            .flatten()
            .any(|outcome| outcome.result == DeliveryResult::Bounced)
    })
}

/// Reports the recipients that were given up while others are still tried, and notes that it was done. What could not
/// be reported now is reported the next time.
pub(super) async fn report_failures(front: &Arc<Front>, queue_id: &QueueId) {
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
pub(super) fn is_late(front: &Front, queue_id: &QueueId) -> bool {
    let settings = &front.settings;
    let patience = super::micros(settings.delay_warning_time);
    if patience == 0 {
        return false;
    }
    front.spool.message(queue_id).is_ok_and(|message| {
        let arrival = message.facts.arrival_micros;
        let had_waited = match message.next_try_micros {
            0 => 0,
            next_try => super::options::backoff(settings).deferred_at_micros(arrival, next_try) - arrival,
        };
        had_waited < patience && now() - arrival >= patience
    })
}

/// Tells the sender of recipients whose mail is late.
pub(super) async fn report_delay(front: &Arc<Front>, queue_id: &QueueId) {
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

/// Queues the report, if there is one to make.
async fn tell(front: &Arc<Front>, message: &Message, kind: Kind, fates: &[(&Recipient, &Outcome)]) -> bool {
    if fates.is_empty() {
        return true;
    }
    let (mut envelope, content) = match make(front, message, kind, fates) {
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
    let mut submission = Submission::begin(incoming, Origin::Report, &envelope, Arc::clone(&front.settings));
    submission.write(&content);
    if let Err(refusal) = submission.commit(envelope, front).await {
        front.log.error(
            "bounce",
            &format!("{}: cannot queue the report: {refusal}", message.queue_id),
        );
        return false;
    }
    let report = match (kind, message.envelope.sender.is_some()) {
        (Kind::Failed, true) => Report::NonDelivery,
        (Kind::Failed, false) => Report::PostmasterNonDelivery,
        (Kind::Delayed { .. }, _) => Report::Delay,
        (Kind::Success, _) => Report::Success,
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
    kind: Kind,
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
    let fates: Vec<Fate<'_>> = fates
        .iter()
        .map(|(recipient, outcome)| Fate { recipient, outcome })
        .collect();
    let mut reader = content.reader();
    let returned = (&mut reader as &mut dyn std::io::Read, local_date(now()));
    bounce::report(&front.settings, kind, &original, &fates, returned).map_err(|error| error.to_string())
}

fn local_date(micros: i64) -> Date {
    let secs = micros / machine::SECOND;
    Date {
        secs,
        offset_secs: intake::date::local_offset_secs(secs),
    }
}
