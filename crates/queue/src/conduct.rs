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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Facts;
    use crate::backoff::Backoff;
    use crate::scheduler::{Action, Options, Resolved, TransportLimits};
    use crate::spool::SpoolOptions;
    use world::{SimDisk, World};

    /// A message that expired, and whose report was refused, expires at its next try: its age goes on.
    #[test]
    fn what_could_not_be_reported_on_gets_no_second_life() -> crate::Result<()> {
        let world = World::simulated(1, SimDisk::new(1));
        let options = SpoolOptions {
            segment_bytes: 8192,
            inline_bytes_max: 1024,
            background: false,
            ..SpoolOptions::default()
        };
        let (spool, _) = Spool::open(std::path::Path::new("/spool"), &options, &world)?;
        let envelope = envelope::Envelope {
            sender: None,
            recipients: Vec::new(),
            ret: None,
            envid: None,
            body: envelope::BodyKind::SevenBit,
            smtputf8: false,
        };
        let committed = spool.begin(0).commit_and_wait(&envelope, &Facts::default())?;
        let id = committed.queue_id();
        let mut scheduler = Scheduler::new(Options {
            active_limit: 10,
            recipient_limit: 10,
            recipient_minimum: 10,
            refill_limit: 1,
            queue_run_delay_micros: 1,
            backoff: Backoff {
                minimal_micros: 5,
                maximal_micros: 5,
            },
            lifetime_micros: 100,
            bounce_lifetime_micros: 100,
            transport_limits: HashMap::new(),
            default_limits: TransportLimits::default(),
        });
        stays(&mut scheduler, &spool, id, 105)?;
        assert!(matches!(scheduler.next_action(105), Some(Action::Load { .. })));
        let resolved = Resolved {
            some_deferred: true,
            ..Resolved::default()
        };
        scheduler.resolved(id, resolved, 105);
        let queue_id = id.clone();
        assert_eq!(scheduler.next_action(105), Some(Action::Expire { queue_id }));
        Ok(())
    }
}
