//! The scheduler in a simulated world, by seed: nothing is forgotten, limits hold, and a healthy world drains the queue.

#![allow(clippy::unwrap_used, reason = "a test's unwrap is its assertion")]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use envelope::{DeliveryResult, QueueId};
use queue::backoff::Backoff;
use queue::scheduler::{
    Action, AttemptId, Contact, Destination, Feedback, Finished, Options, Resolved, Scheduler,
    TransportLimits,
};
use world::{Random, SimRandom};

const SECOND: i64 = 1_000_000;

fn options() -> Options {
    Options {
        active_limit: 5,
        recipient_limit: 300,
        recipient_minimum: 10,
        refill_limit: 100,
        queue_run_delay_micros: 300 * SECOND,
        backoff: Backoff {
            minimal_micros: 300 * SECOND,
            maximal_micros: 4000 * SECOND,
        },
        lifetime_micros: 5 * 86_400 * SECOND,
        bounce_lifetime_micros: 86_400 * SECOND,
        transport_limits: HashMap::from([(
            "local".into(),
            TransportLimits {
                initial: 2,
                limit: 2,
                recipient_limit: 1,
                total: 6,
                ..TransportLimits::default()
            },
        )]),
        default_limits: TransportLimits {
            initial: 5,
            limit: 20,
            recipient_limit: 50,
            total: 8,
            ..TransportLimits::default()
        },
    }
}

fn id(n: u64) -> QueueId {
    QueueId::parse(&format!("{n:06X}")).unwrap()
}

fn smtp(next_hop: &str) -> Destination {
    Destination::new("smtp", next_hop)
}

struct World {
    scheduler: Scheduler,
    random: SimRandom,
    now: i64,
    /// Recipients still to be delivered, and where.
    open: BTreeMap<QueueId, BTreeMap<u32, Destination>>,
    in_flight: BTreeMap<AttemptId, (QueueId, Destination, Vec<u32>)>,
    loading: BTreeSet<QueueId>,
    sick: bool,
    ended: BTreeSet<QueueId>,
    held: BTreeSet<QueueId>,
    attempts: usize,
}

impl World {
    fn new(seed: u64) -> World {
        World {
            scheduler: Scheduler::new(options()),
            random: SimRandom::new(seed),
            now: 1_700_000_000 * SECOND,
            open: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            loading: BTreeSet::new(),
            sick: true,
            ended: BTreeSet::new(),
            held: BTreeSet::new(),
            attempts: 0,
        }
    }

    fn chance(&self, of: u64) -> u64 {
        self.random.next_u64() % of
    }

    fn arrive(&mut self, n: u64) {
        let count = if self.chance(10) == 0 {
            200
        } else {
            1 + self.chance(4)
        };
        let place = |r: u64| match self.chance(4) {
            0 => Destination {
                recipient: Some(format!("user{}", r % 3)),
                ..Destination::new("local", "here")
            },
            k => smtp(&format!("host{k}")),
        };
        let recipients = (0..count)
            .map(|r| (u32::try_from(r).unwrap(), place(r)))
            .collect();
        self.open.insert(id(n), recipients);
        self.scheduler.incoming(id(n), self.now);
    }

    fn act(&mut self) {
        while let Some(action) = self.scheduler.next_action(self.now) {
            assert!(self.scheduler.active_count() <= 5, "too many active messages");
            match action {
                Action::Load { queue_id, .. } => {
                    assert!(!self.held.contains(&queue_id), "a held message was loaded");
                    assert!(self.loading.insert(queue_id));
                }
                Action::Deliver {
                    attempt,
                    queue_id,
                    destination,
                    recipients,
                } => {
                    self.attempts += 1;
                    self.check_attempt(&queue_id, &destination, &recipients);
                    self.in_flight
                        .insert(attempt, (queue_id, destination, recipients));
                }
                Action::DeferUntried {
                    queue_id, recipients, ..
                } => {
                    assert!(recipients.iter().all(|r| self.open[&queue_id].contains_key(r)));
                }
                Action::Defer {
                    queue_id,
                    next_try_micros,
                } => {
                    assert!(next_try_micros >= self.now + 300 * SECOND);
                    assert!(!self.open[&queue_id].is_empty(), "deferred, but all are done");
                }
                Action::Expire { queue_id } => {
                    self.open.remove(&queue_id).unwrap();
                    self.ended.insert(queue_id);
                }
                Action::Done { queue_id } => {
                    assert!(
                        self.open.remove(&queue_id).unwrap().is_empty(),
                        "done, but somebody waits"
                    );
                    self.ended.insert(queue_id);
                }
            }
        }
    }

    fn check_attempt(&self, queue_id: &QueueId, destination: &Destination, recipients: &[u32]) {
        let local = destination.transport == "local";
        assert!(recipients.len() <= if local { 1 } else { 50 } && !recipients.is_empty());
        for recipient in recipients {
            assert_eq!(
                self.open[queue_id].get(recipient),
                Some(destination),
                "{queue_id} {recipient} is not open"
            );
            let twice = self
                .in_flight
                .values()
                .any(|(q, _, rs)| q == queue_id && rs.contains(recipient));
            assert!(!twice, "two attempts at one recipient");
        }
        let to_it = self
            .in_flight
            .values()
            .filter(|(_, d, _)| d == destination)
            .count();
        assert!(
            to_it < if local { 2 } else { 20 },
            "too many attempts at {destination:?}"
        );
        let by_it = self
            .in_flight
            .values()
            .filter(|(_, d, _)| d.transport == destination.transport)
            .count();
        assert!(
            by_it < if local { 6 } else { 8 },
            "too many attempts by {}",
            destination.transport
        );
    }

    /// Something happens.
    fn step(&mut self) {
        if let Some(queue_id) = self.loading.pop_first() {
            let routes = self.open[&queue_id]
                .iter()
                .map(|(r, d)| (*r, d.clone()))
                .collect();
            self.scheduler.resolved(
                &queue_id,
                Resolved {
                    routes,
                    ..Resolved::default()
                },
                self.now,
            );
        } else if !self.in_flight.is_empty() {
            let at = usize::try_from(self.chance(self.in_flight.len() as u64)).unwrap();
            let attempt = *self.in_flight.keys().nth(at).unwrap();
            self.finish(attempt);
        } else {
            self.now = self
                .scheduler
                .deadline_micros()
                .unwrap_or(self.now + SECOND)
                .max(self.now + SECOND);
        }
    }

    fn finish(&mut self, attempt: AttemptId) {
        let (queue_id, destination, recipients) = self.in_flight.remove(&attempt).unwrap();
        let unreachable = self.sick && destination.next_hop == "host1";
        let mut results = Vec::new();
        for recipient in recipients {
            let result = match (unreachable, self.sick, self.chance(10)) {
                (true, _, _) | (_, true, 0) => DeliveryResult::Deferred,
                (_, _, 1) => DeliveryResult::Bounced,
                _ => DeliveryResult::Sent,
            };
            if result != DeliveryResult::Deferred
                && let Some(open) = self.open.get_mut(&queue_id)
            {
                open.remove(&recipient);
            }
            results.push((recipient, result));
        }
        let feedback = if unreachable {
            Feedback::Unreachable
        } else {
            Feedback::Reached
        };
        self.scheduler.finished(
            attempt,
            Finished {
                results: &results,
                feedback,
            },
            self.now,
        );
    }

    fn meddle(&mut self, n: u64) {
        let queue_id = id(self.chance(n));
        if !self.open.contains_key(&queue_id) {
            return;
        }
        match self.chance(4) {
            0 if self.scheduler.hold(&queue_id) => {
                self.held.insert(queue_id);
            }
            1 if self.scheduler.release(&queue_id) => {
                self.held.remove(&queue_id);
            }
            2 => {
                self.scheduler.flush_one(&queue_id);
            }
            3 if self.chance(5) == 0 => {
                assert!(self.scheduler.remove(&queue_id));
                self.open.remove(&queue_id);
                self.loading.remove(&queue_id);
                self.held.remove(&queue_id);
                self.ended.insert(queue_id);
            }
            _ => {}
        }
    }
}

#[test]
fn nothing_is_forgotten_and_a_healthy_world_drains_the_queue() {
    for seed in 0..60 {
        let mut world = World::new(seed);
        for n in 1..40 {
            world.arrive(n - 1);
            for _ in 0..world.chance(20) {
                world.act();
                world.step();
                world.meddle(n);
            }
            if world.chance(8) == 0 {
                world.now -= 3600 * SECOND; // Somebody sets the clock.
            }
        }
        world.sick = false;
        for queue_id in std::mem::take(&mut world.held) {
            world.scheduler.release(&queue_id);
        }
        for _ in 0..100_000 {
            world.act();
            if world.open.is_empty() {
                break;
            }
            world.step();
        }
        assert!(
            world.open.is_empty(),
            "seed {seed}: {:?} are stuck",
            world.open.keys()
        );
        assert_eq!((world.ended.len(), world.scheduler.active_count()), (39, 0));
        assert_eq!(world.scheduler.message_count(), 0);
    }
}

#[test]
fn a_mailing_to_thousands_lets_others_through() {
    let mut world = World::new(1);
    world.sick = false;
    let mailing = (0..5000).map(|r| (r, smtp("big"))).collect();
    world.open.insert(id(1), mailing);
    world.scheduler.incoming(id(1), world.now);
    world.open.insert(id(2), BTreeMap::from([(0, smtp("big"))]));
    world.scheduler.incoming(id(2), world.now);
    world.open.insert(id(3), BTreeMap::from([(0, smtp("small"))]));
    world.scheduler.incoming(id(3), world.now);
    let mut steps = 0;
    while !(world.ended.contains(&id(2)) && world.ended.contains(&id(3))) {
        world.act();
        world.step();
        steps += 1;
        assert!(steps < 100, "starved");
    }
    assert!(world.attempts < 60);
}

#[test]
fn a_dead_destination_is_not_tried_for_each_message() {
    let mut world = World::new(1);
    for n in 0..200 {
        world.open.insert(id(n), BTreeMap::from([(0, smtp("host1"))]));
        world.scheduler.incoming(id(n), world.now);
    }
    for _ in 0..1000 {
        world.act();
        if world.loading.is_empty() && world.in_flight.is_empty() {
            break;
        }
        world.step();
    }
    assert!(world.attempts < 20, "{} attempts at a dead host", world.attempts);
    assert_eq!(world.open.len(), 200);
    world.sick = false;
    world.scheduler.flush_all();
    for _ in 0..5000 {
        world.act();
        world.step();
    }
    assert_eq!(world.ended.len(), 200);
}

#[test]
fn a_message_expires_at_the_end_of_its_life() {
    let mut world = World::new(1);
    world.open.insert(id(1), BTreeMap::from([(0, smtp("host1"))]));
    world.scheduler.incoming(id(1), world.now);
    let start = world.now;
    while world.ended.is_empty() {
        world.act();
        world.step();
    }
    let days = (world.now - start) / (86_400 * SECOND);
    assert_eq!(days, 5, "expired after {days} days");
    assert!(
        (100..200).contains(&world.attempts),
        "{} attempts",
        world.attempts
    );
}

#[test]
fn other_settings_hold_from_then_on() {
    let mut scheduler = Scheduler::new(options());
    let mut now = 1_700_000_000 * SECOND;
    scheduler.incoming(id(1), now);
    let loaded = scheduler.next_action(now);
    let load = |at_most| {
        Some(Action::Load {
            queue_id: id(1),
            from: 0,
            at_most,
        })
    };
    assert_eq!(loaded, load(300));
    let resolved = Resolved {
        routes: (0..100).map(|r| (r, smtp("host"))).collect(),
        ..Resolved::default()
    };
    scheduler.resolved(&id(1), resolved, now);
    let deliver = |scheduler: &mut Scheduler, now| match scheduler.next_action(now) {
        Some(Action::Deliver {
            attempt, recipients, ..
        }) => Some((attempt, recipients.len())),
        None => None,
        other => panic!("{other:?}"),
    };
    let (first, count) = deliver(&mut scheduler, now).unwrap();
    assert_eq!(count, 50);
    let mut changed = options();
    changed.queue_run_delay_micros = SECOND;
    changed.backoff.minimal_micros = 2 * SECOND;
    changed.backoff.maximal_micros = 2 * SECOND;
    changed.lifetime_micros = 10 * SECOND;
    changed.default_limits = TransportLimits {
        initial: 1,
        limit: 1,
        recipient_limit: 30,
        total: 8,
        ..TransportLimits::default()
    };
    scheduler.reconfigure(changed, now);
    assert_eq!(
        deliver(&mut scheduler, now),
        None,
        "a second attempt where one is allowed"
    );
    let failed = Finished {
        results: &[],
        feedback: Feedback::None,
    };
    scheduler.finished(first, failed, now);
    let (second, count) = deliver(&mut scheduler, now).unwrap();
    assert_eq!(count, 30);
    scheduler.finished(second, failed, now);
    let (third, count) = deliver(&mut scheduler, now).unwrap();
    assert_eq!(count, 20);
    scheduler.finished(third, failed, now);
    let deferred = scheduler.next_action(now);
    let Some(Action::Defer { next_try_micros, .. }) = deferred else {
        panic!("{deferred:?}")
    };
    assert_eq!(next_try_micros - now, 2 * SECOND);
    assert!(
        scheduler.deadline_micros().unwrap() <= now + SECOND,
        "the queue is looked at too late"
    );
    now += 11 * SECOND;
    assert_eq!(scheduler.next_action(now), load(300));
    let resolved = Resolved {
        some_deferred: true,
        ..Resolved::default()
    };
    scheduler.resolved(&id(1), resolved, now);
    assert_eq!(
        scheduler.next_action(now),
        Some(Action::Expire { queue_id: id(1) })
    );
}

/// Ten messages to each of many destinations, of which 30 % are dead and say nothing for half a minute, a hundred attempts at a time:
/// what is known stays small, what is done follows from the number of messages, and those for live destinations do not wait for
/// the dead.
#[test]
fn a_long_queue_with_many_dead_destinations_goes_out() {
    // With 100 000 messages the counts are five times as high, and the test takes five times as long.
    const MESSAGES: u64 = 20_000;
    const DESTINATIONS: u64 = MESSAGES / 10;
    const ACTIVE: usize = 8_000;
    const LIVE_MICROS: i64 = SECOND / 20;
    const DEAD_MICROS: i64 = 30 * SECOND;
    let mut options = options();
    options.active_limit = ACTIVE;
    options.recipient_limit = ACTIVE;
    options.default_limits.total = 100;
    options.default_limits.seeking = 1000;
    let mut scheduler = Scheduler::new(options);
    let start = 1_700_000_000 * SECOND;
    let (mut now, mut last_done) = (start, start);
    let is_dead = |destination: &Destination| destination.next_hop.ends_with(['0', '1', '2']);
    for n in 0..MESSAGES {
        scheduler.incoming(id(n), now);
    }
    let (mut asked, mut known, mut attempts, mut tries_of_dead, mut done) = (0u64, 0, 0u64, 0u64, 0u64);
    // What happens when to which attempt: it ends, or it has waited for a second.
    let mut events = BTreeMap::new();
    while done < MESSAGES * 7 / 10 {
        while let Some(action) = scheduler.next_action(now) {
            asked += 1;
            known = known.max(scheduler.destination_count());
            match action {
                Action::Load { queue_id, .. } => {
                    let number = u64::from_str_radix(queue_id.as_str(), 16).unwrap();
                    let routes = vec![(0, smtp(&format!("host{}", number % DESTINATIONS)))];
                    let resolved = Resolved {
                        routes,
                        ..Resolved::default()
                    };
                    scheduler.resolved(&queue_id, resolved, now);
                }
                Action::Deliver {
                    attempt, destination, ..
                } if is_dead(&destination) => {
                    events.insert((now + SECOND, attempt), None);
                    events.insert((now + DEAD_MICROS, attempt), Some(false));
                }
                Action::Deliver { attempt, .. } => {
                    events.insert((now + LIVE_MICROS, attempt), Some(true));
                }
                Action::Done { .. } => (done, last_done) = (done + 1, now),
                Action::DeferUntried { .. } | Action::Defer { .. } => {}
                Action::Expire { queue_id } => panic!("{queue_id} expired"),
            }
        }
        let Some(((at, attempt), event)) = events.pop_first() else {
            now = scheduler.deadline_micros().expect("somebody waits").max(now);
            continue;
        };
        if at / SECOND != now / SECOND {
            eprintln!(
                "t={} done={done} ended={attempts} dead={tries_of_dead} known={} active={} events={}",
                (at - start) / SECOND,
                scheduler.destination_count(),
                scheduler.active_count(),
                events.len()
            );
        }
        now = at;
        let Some(lives) = event else {
            scheduler.contact(attempt, Contact::Sought);
            continue;
        };
        attempts += 1;
        tries_of_dead += u64::from(!lives);
        let (result, feedback) = match lives {
            false => (DeliveryResult::Deferred, Feedback::Unreachable),
            true => (DeliveryResult::Sent, Feedback::Reached),
        };
        let results = [(0, result)];
        let finished = Finished {
            results: &results,
            feedback,
        };
        scheduler.finished(attempt, finished, now);
    }
    let dead = DESTINATIONS * 3 / 10;
    assert!(known <= DESTINATIONS as usize, "{known} destinations in memory");
    assert!(
        tries_of_dead <= 5 * dead && attempts == tries_of_dead + done,
        "{attempts} attempts, {tries_of_dead} at dead hosts"
    );
    // A load, an attempt and an end for each, twice as many words about those that are deferred.
    assert!(asked < 8 * MESSAGES, "{asked} actions");
    // A hundred at a time they take seven seconds. The dead ones take their turns for a second each.
    let took = (last_done - start) / SECOND;
    assert!(took < 20, "mail for live hosts took {took} s");
}
