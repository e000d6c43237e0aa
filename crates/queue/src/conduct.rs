//! What the queue manager's driver does besides delivering: what follows from the scheduler's actions and an administrator's
//! orders on scheduler and spool together. Without a runtime, so that the whole queue can be simulated.

use std::collections::HashMap;

use envelope::{DeliveryResult, Outcome, QueueId, StatusCode};

use crate::admin::Change;
use crate::scheduler::{Destination, Feedback, Scheduler, Unread};
use crate::{Message, QueueName, Recovered, Spool};

/// So many failures of destinations are remembered in any case.
const FAILURES_MIN: usize = 1000;

/// Tells the scheduler of what a start found.
pub fn know(scheduler: &mut Scheduler, recovered: &Recovered) {
    for known in &recovered.messages {
        let id = known.queue_id.clone();
        match known.queue {
            QueueName::Deferred => scheduler.deferred(id, known.arrival_micros, known.next_try_micros),
            QueueName::Hold => scheduler.held(id, known.arrival_micros),
            QueueName::Corrupt => {}
            QueueName::Maildrop | QueueName::Incoming | QueueName::Active => {
                scheduler.incoming(id, known.arrival_micros);
            }
        }
    }
}

/// Some recipients of a message that are still to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// Their indexes in the envelope.
    pub open: Vec<u32>,
    /// Those that were not looked at.
    pub unread: Option<Unread>,
}

/// At most so many recipients, those from the index `from` on that are still to be delivered.
pub fn portion(message: &Message, from: u32, at_most: usize) -> Portion {
    let count = message.envelope.recipients.len();
    let mut portion = Portion {
        open: Vec::new(),
        unread: None,
    };
    for index in (0u32..).take(count).skip(from as usize) {
        let before = message.outcomes.get(index as usize).and_then(Option::as_ref);
        if before.is_some_and(|outcome| outcome.result != DeliveryResult::Deferred) {
            continue;
        }
        if portion.open.len() >= at_most {
            portion.unread = Some(Unread {
                from: index,
                count: count - index as usize,
            });
            break;
        }
        portion.open.push(index);
    }
    portion
}

/// A message whose end could not be reported on stays, and is tried again at `next_try_micros`; one that was put on hold
/// meanwhile, when it is released.
///
/// # Errors
/// [`crate::Error::Stopped`]; the scheduler knows it in any case. Nothing happens to a message that is gone.
pub fn stays(
    scheduler: &mut Scheduler,
    spool: &Spool,
    id: &QueueId,
    next_try_micros: i64,
) -> crate::Result<()> {
    // Its age counts from its arrival, so that it is not tried for another lifetime.
    let arrival_micros = match spool.message(id) {
        Ok(message) if message.queue == QueueName::Hold => {
            scheduler.held(id.clone(), message.facts.arrival_micros);
            return Ok(());
        }
        Ok(message) => message.facts.arrival_micros,
        Err(crate::Error::NoSuchMessage(_)) => return Ok(()),
        Err(_) => next_try_micros,
    };
    scheduler.deferred(id.clone(), arrival_micros, next_try_micros);
    spool.defer(id, next_try_micros)
}

/// Does to a message what an administrator wants; `false` when there was nothing to be done.
pub fn administer(scheduler: &mut Scheduler, spool: &Spool, change: Change, id: &QueueId) -> bool {
    match change {
        Change::Delete => {
            scheduler.remove(id);
            spool.remove(id).is_ok()
        }
        Change::Hold => scheduler.hold(id) && spool.move_to(id, QueueName::Hold).is_ok(),
        Change::Release => scheduler.release(id) && spool.defer(id, 0).is_ok(),
        // It is resolved anew, with the tables as they are now; every lookup is made at each try anyway.
        Change::Requeue if scheduler.release(id) => spool.defer(id, 0).is_ok(),
        Change::Requeue => scheduler.flush_one(id) || spool.message(id).is_ok(),
        Change::Expire => spool.force_expire(id).unwrap_or(false),
    }
}

/// The last failures of destinations that cannot be reached.
#[derive(Debug, Default)]
pub struct Failures {
    last: HashMap<Destination, Outcome>,
}

impl Failures {
    /// An attempt ended; `outcome` is one of its outcomes.
    pub fn learn(
        &mut self,
        destination: &Destination,
        feedback: Feedback,
        outcome: Option<&Outcome>,
        scheduler: &Scheduler,
    ) {
        match (feedback, outcome) {
            (Feedback::Unreachable, Some(outcome)) => {
                self.last.insert(destination.clone(), outcome.clone());
                // Before there are many of destinations that nobody waits for any more.
                if self.last.len() > FAILURES_MIN + 2 * scheduler.destination_count() {
                    self.last.retain(|destination, _| scheduler.knows(destination));
                }
            }
            (Feedback::Reached, _) => {
                self.last.remove(destination);
            }
            _ => {}
        }
    }

    /// What is recorded of a recipient that is not tried because its destination is dead.
    pub fn outcome_of_untried(&self, destination: &Destination) -> Outcome {
        match self.last.get(destination) {
            Some(last) => Outcome {
                result: DeliveryResult::Deferred,
                text: format!("delivery temporarily suspended: {}", last.text),
                relay: "none".to_owned(),
                ..last.clone()
            },
            None => Outcome {
                result: DeliveryResult::Deferred,
                status: StatusCode::temporary(4, 1),
                text: "delivery temporarily suspended".to_owned(),
                relay: "none".to_owned(),
                detail: Default::default(),
            },
        }
    }

    /// How many are remembered.
    pub fn count(&self) -> usize {
        self.last.len()
    }
}
