//! What is true of every message and recipient, and what a power cut may make of it.

use std::collections::{BTreeMap, BTreeSet};

use envelope::QueueId;
use queue::scheduler::{Action, Destination};
use queue::{QueueName, Recovered, Spool};

use crate::log::Log;
use crate::world::{LIMITS_SEED, address_of, options};

/// A recipient.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) destination: Destination,
    /// Final log lines: sent, bounced, returned as expired.
    finals: u32,
    /// The last of them is on disk for certain.
    durable: bool,
    /// A crash may have made the queue forget it.
    forgettable: bool,
    in_flight: bool,
}

/// A message.
#[derive(Debug)]
pub(crate) struct Letter {
    /// The client heard 250.
    acked: bool,
    arrival_micros: i64,
    has_sender: bool,
    pub(crate) recipients: Vec<Truth>,
    /// It was removed, and whether that is on disk for certain.
    gone: Option<bool>,
    deleted: bool,
    /// On hold or not, and whether that is on disk for certain.
    held: (bool, bool),
    forced: bool,
    next_try_micros: Option<i64>,
}

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct Model {
    letters: BTreeMap<QueueId, Letter>,
    pub(crate) repeated: usize,
}

impl Model {
    /// A client begins to send.
    pub(crate) fn sent(
        &mut self,
        id: &QueueId,
        destinations: Vec<Destination>,
        (arrival_micros, hold, has_sender): (i64, bool, bool),
    ) {
        let recipients = destinations.into_iter().map(|destination| Truth {
            destination,
            finals: 0,
            durable: false,
            forgettable: false,
            in_flight: false,
        });
        let letter = Letter {
            acked: false,
            arrival_micros,
            has_sender,
            recipients: recipients.collect(),
            gone: None,
            deleted: false,
            held: (hold, true),
            forced: false,
            next_try_micros: None,
        };
        assert!(
            self.letters.insert(id.clone(), letter).is_none(),
            "{id} was there before"
        );
    }

    pub(crate) fn acked(&mut self, id: &QueueId) {
        self.letter(id).acked = true;
    }

    /// It was refused for certain.
    pub(crate) fn refused(&mut self, id: &QueueId) {
        self.letters.remove(id);
    }

    pub(crate) fn letter(&mut self, id: &QueueId) -> &mut Letter {
        self.letters
            .get_mut(id)
            .unwrap_or_else(|| panic!("{id} is unknown"))
    }

    pub(crate) fn destination(&self, id: &QueueId, recipient: u32) -> Destination {
        self.letters[id].recipients[recipient as usize]
            .destination
            .clone()
    }

    /// Those in the queue, oldest id first.
    pub(crate) fn present(&self) -> Vec<QueueId> {
        let present = self
            .letters
            .iter()
            .filter(|(_, letter)| letter.acked && letter.gone.is_none());
        present.map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn is_held(&self, id: &QueueId) -> bool {
        self.letters[id].held.0
    }

    pub(crate) fn set_held(&mut self, id: &QueueId, held: bool) {
        let letter = self.letter(id);
        letter.held = (held, false);
        letter.next_try_micros = None;
    }

    pub(crate) fn force(&mut self, id: &QueueId) {
        self.letter(id).forced = true;
    }

    pub(crate) fn deleted(&mut self, id: &QueueId) {
        let letter = self.letter(id);
        letter.deleted = true;
        letter.gone = Some(false);
    }

    /// Somebody set the clock, or asks for all mail to be tried: no time of a next try holds any more.
    pub(crate) fn forget_times(&mut self) {
        self.letters
            .values_mut()
            .for_each(|letter| letter.next_try_micros = None);
    }

    pub(crate) fn forget_time(&mut self, id: &QueueId) {
        self.letter(id).next_try_micros = None;
    }

    /// A message becomes active.
    pub(crate) fn loaded(&mut self, id: &QueueId, now: i64) {
        let letter = self.letter(id);
        assert!(!letter.held.0, "{id} is on hold and was loaded");
        assert!(letter.gone.is_none(), "{id} is gone and was loaded");
        if let Some(next_try) = letter.next_try_micros.take() {
            assert!(now >= next_try, "{id} is tried {} µs too early", next_try - now);
        }
    }

    /// A message is to be tried again then.
    pub(crate) fn deferred(&mut self, id: &QueueId, now: i64, next_try: i64) {
        let backoff = options(LIMITS_SEED).backoff;
        let wait = next_try - now;
        assert!(
            (backoff.minimal_micros..=backoff.maximal_micros).contains(&wait),
            "{id} waits {wait} µs"
        );
        let age = now - self.letters[id].arrival_micros;
        assert!(
            age < self.lifetime_micros(id),
            "{id} is deferred at an age of {age} µs"
        );
        let letter = self.letter(id);
        assert!(
            letter
                .recipients
                .iter()
                .any(|truth| truth.finals == 0 || truth.forgettable),
            "{id} is deferred, but all are done"
        );
        letter.next_try_micros = Some(next_try);
    }

    /// An attempt begins.
    pub(crate) fn begins(&mut self, action: &Action) {
        let Action::Deliver {
            queue_id,
            destination,
            recipients,
            ..
        } = action
        else {
            return;
        };
        assert!(!recipients.is_empty(), "an attempt at nobody");
        let letter = self.letter(queue_id);
        assert!(!letter.held.0, "{queue_id} is on hold and is tried");
        for recipient in recipients {
            let truth = &mut letter.recipients[*recipient as usize];
            assert_eq!(&truth.destination, destination);
            assert!(!truth.in_flight, "{queue_id} {recipient}: two attempts at once");
            assert!(
                truth.finals == 0 || truth.forgettable,
                "{queue_id} {recipient}: tried though it is done"
            );
            truth.in_flight = true;
        }
    }

    /// An attempt at a recipient ended.
    pub(crate) fn ends(&mut self, id: &QueueId, recipient: u32, is_final: bool) {
        // A message that was deleted may have been forgotten at a crash, but then its attempts were, too.
        self.letter(id).recipients[recipient as usize].in_flight = false;
        if is_final {
            self.finals(id, recipient);
        }
    }

    fn finals(&mut self, id: &QueueId, recipient: u32) {
        let truth = &mut self.letter(id).recipients[recipient as usize];
        let again = truth.finals > 0;
        assert!(
            !again || truth.forgettable,
            "{id} {recipient}: a second final line"
        );
        truth.finals += 1;
        truth.durable = false;
        truth.forgettable = false;
        self.repeated += usize::from(again);
    }

    /// It was reported on and removed; `expired`: the rest was given up.
    pub(crate) fn removed(&mut self, id: &QueueId, expired: bool) {
        let letter = self.letter(id);
        let open = |truth: &Truth| truth.finals == 0 || truth.forgettable;
        let open: Vec<u32> = (0u32..)
            .zip(&letter.recipients)
            .filter(|(_, t)| open(t))
            .map(|(r, _)| r)
            .collect();
        if expired {
            for recipient in open {
                self.finals(id, recipient);
            }
        } else {
            let never = |r: &&u32| letter.recipients[**r as usize].finals == 0;
            assert_eq!(
                open.iter().find(never),
                None,
                "{id} is removed and somebody was never told of"
            );
        }
        self.letter(id).gone = Some(false);
    }

    pub(crate) fn may_expire(&self, id: &QueueId, age_micros: i64) -> bool {
        self.letters[id].forced || age_micros >= self.lifetime_micros(id)
    }

    fn lifetime_micros(&self, id: &QueueId) -> i64 {
        let options = options(LIMITS_SEED);
        if self.letters[id].has_sender {
            options.lifetime_micros
        } else {
            options.bounce_lifetime_micros
        }
    }

    /// Everything said so far is on disk; for moves from queue to queue that holds only where there is `room`.
    pub(crate) fn flushed(&mut self, room: bool) {
        for letter in self.letters.values_mut() {
            letter.gone = letter.gone.map(|_| true);
            letter.held.1 |= room;
            for truth in &mut letter.recipients {
                truth.durable |= truth.finals > 0 && !truth.forgettable;
            }
        }
    }

    /// The system starts again; what was under way is not any more.
    pub(crate) fn restarted(&mut self, recovered: &Recovered, spool: &Spool, now: i64) {
        assert!(recovered.damage.is_empty(), "{:?}", recovered.damage);
        let mut found = BTreeSet::new();
        for known in &recovered.messages {
            found.insert(known.queue_id.clone());
            let letter = self.letter(&known.queue_id);
            let id = &known.queue_id;
            assert_ne!(letter.gone, Some(true), "{id} was removed and came back");
            letter.gone = None;
            letter.deleted = false;
            letter.acked = true;
            let is_held = known.queue == QueueName::Hold;
            assert!(
                !letter.held.1 || letter.held.0 == is_held,
                "{id}: on hold or not was forgotten"
            );
            letter.held.0 = is_held;
            // What is further away than any wait was written before somebody set the clock back.
            let latest = now + options(LIMITS_SEED).backoff.maximal_micros;
            let holds = known.queue == QueueName::Deferred && known.next_try_micros <= latest;
            letter.next_try_micros = holds.then_some(known.next_try_micros);
            let message = spool.message(id).unwrap();
            letter.forced = message.forced_expire;
            for (truth, outcome) in letter.recipients.iter_mut().zip(&message.outcomes) {
                truth.in_flight = false;
                let is_known = outcome
                    .as_ref()
                    .is_some_and(|o| o.result != envelope::DeliveryResult::Deferred);
                assert!(
                    is_known || !truth.durable,
                    "{id}: a recipient's outcome was forgotten"
                );
                truth.forgettable = truth.finals > 0 && !is_known;
                assert!(!is_known || truth.finals > 0, "{id}: an outcome that never was");
            }
        }
        for (id, letter) in &mut self.letters {
            if found.contains(id) {
                continue;
            }
            assert!(
                letter.gone.is_some() || !letter.acked,
                "{id} was answered 250 and is lost"
            );
            letter.gone = Some(true);
            letter
                .recipients
                .iter_mut()
                .for_each(|truth| truth.in_flight = false);
        }
        self.letters.retain(|_, letter| letter.acked);
    }

    /// At the end: each recipient of what was accepted had its final line, and a second one only where a crash cost the first.
    pub(crate) fn all_told(&self, log: &Log) {
        for (id, letter) in &self.letters {
            // A failed write leaves a client without an answer, and the queue without the message.
            assert!(letter.gone.is_some() || !letter.acked, "{id} is still there");
            if letter.acked && !letter.deleted {
                for (recipient, truth) in (0u32..).zip(&letter.recipients) {
                    assert!(
                        truth.finals > 0,
                        "{id}: nobody told of a recipient at {:?}",
                        truth.destination
                    );
                    // A line again only where a crash cost the first. What was sent, forgotten and then returned has one.
                    let address = address_of(recipient).to_string();
                    let lines = log.finals(id.as_str(), &address);
                    assert!(
                        (1..=truth.finals as usize).contains(&lines),
                        "{id}: {lines} final lines of {address}, which was done {} times:\n{}",
                        truth.finals,
                        log.about(id.as_str())
                    );
                }
            }
        }
    }
}
