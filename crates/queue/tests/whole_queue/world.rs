//! What happens: clients, hosts, agents, administrators, clocks, disks and power cuts; and the driver between scheduler and spool.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use address::Address;
use envelope::{BodyKind, DeliveryResult, Envelope, Outcome, QueueId, Recipient, StatusCode};
use maillog::Delays;
use maillog::lines::qmgr::{Expired, Removed};
use queue::admin::Change;
use queue::backoff::Backoff;
use queue::conduct::{self, Failures, Portion};
use queue::outcome_lines::OutcomeLines;
use queue::scheduler::{
    Action, AttemptId, Contact, Destination, Feedback, Finished, Options, Overtaking, Resolved, Scheduler,
    TransportLimits,
};
use queue::spool::SpoolOptions;
use queue::{Error, Facts, Message, QueueName, Spool};
use world::{Random, SimDisk, SimRandom, World};

use crate::log::Log;
use crate::model::Model;

const DIR: &str = "/var/spool/yubin";
const SECOND: i64 = 1_000_000;
const START: i64 = 1_700_000_000 * SECOND;
/// What happens before everything gets well.
const EVENTS: u64 = 50;
/// The options of this seed have the limits that never change.
pub(crate) const LIMITS_SEED: u64 = 0;
const ACTIVE: usize = 6;
const RECIPIENTS: usize = 60;
const MINIMUM: usize = 5;
const COST: usize = 5;
/// Messages of more attempts can be overtaken.
const SMALL: usize = COST * 3;
const LOCAL_TOTAL: usize = 4;
/// Attempts at silent hosts that do not count.
const SEEKING: usize = 3;
const PAUSE: i64 = 20 * SECOND;

/// The settings; those of odd numbers are what a reload brings.
pub(crate) fn options(number: u64) -> Options {
    let overtaking = Overtaking {
        cost: COST,
        ..TransportLimits::default().overtaking
    };
    let usual = TransportLimits {
        initial: 2,
        limit: if number.is_multiple_of(2) { 4 } else { 3 },
        recipient_limit: 5,
        total: 5,
        seeking: SEEKING,
        overtaking,
        ..TransportLimits::default()
    };
    let local = TransportLimits {
        limit: 2,
        recipient_limit: 1,
        total: LOCAL_TOTAL,
        ..usual
    };
    let slow = TransportLimits {
        rate_delay_micros: PAUSE,
        ..usual
    };
    let paced = TransportLimits {
        transport_rate_delay_micros: PAUSE,
        ..usual
    };
    let own = [("local", local), ("slow", slow), ("paced", paced)];
    Options {
        active_limit: ACTIVE,
        recipient_limit: RECIPIENTS,
        recipient_minimum: MINIMUM,
        refill_limit: 6,
        queue_run_delay_micros: 300 * SECOND,
        backoff: Backoff {
            minimal_micros: 300 * SECOND,
            maximal_micros: 4000 * SECOND,
        },
        lifetime_micros: 3000 * SECOND,
        bounce_lifetime_micros: 1500 * SECOND,
        transport_limits: own
            .into_iter()
            .map(|(name, limits)| (name.to_owned(), limits))
            .collect(),
        default_limits: usual,
    }
}

/// The address of a recipient: each one of a message has its own.
pub(crate) fn address_of(recipient: u32) -> Address {
    Address::parse(&format!("r{recipient}@example.org")).unwrap()
}

/// How often what happened.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub(crate) crashes: usize,
    /// Starts because of an I/O error that stopped the queue.
    pub(crate) broken: usize,
    pub(crate) refused: usize,
    pub(crate) sent: usize,
    pub(crate) bounced: usize,
    pub(crate) untried: usize,
    pub(crate) expired: usize,
    pub(crate) portions: usize,
    /// Deliveries that a crash made necessary once more.
    pub(crate) repeated: usize,
    /// Letters whose wait was checked against the rule of fairness while a mailing was under way.
    pub(crate) letters: usize,
    /// Attempts whose hosts said nothing for a while.
    pub(crate) sought: usize,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Seen) {
        self.crashes += other.crashes;
        self.broken += other.broken;
        self.refused += other.refused;
        self.sent += other.sent;
        self.bounced += other.bounced;
        self.untried += other.untried;
        self.expired += other.expired;
        self.portions += other.portions;
        self.repeated += other.repeated;
        self.letters += other.letters;
        self.sought += other.sought;
    }
}

/// How a host, or the agent that talks to it, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    Busy,
    Rejecting,
    Unreachable,
    Silent,
    /// The agent dies.
    Deadly,
}

/// An attempt under way.
struct Flight {
    queue_id: QueueId,
    destination: Destination,
    recipients: Vec<u32>,
    ends_at: i64,
    mood: Mood,
    /// Its host has said nothing for a while.
    seeks: bool,
}

struct Queue {
    disk: SimDisk,
    world: World,
    random: SimRandom,
    spool: Option<Spool>,
    scheduler: Scheduler,
    failures: Failures,
    active: HashMap<QueueId, Arc<Message>>,
    flights: BTreeMap<AttemptId, Flight>,
    moods: BTreeMap<Destination, Mood>,
    is_well: bool,
    /// The disk fails once, at this operation of it; nobody has looked yet what came of that.
    fails_at: Option<u64>,
    /// The disk never was short of room since the last start.
    has_room: bool,
    now: i64,
    settings: u64,
    model: Model,
    log: Log,
    /// Attempts begun by a transport, and when the last one was begun.
    begun: BTreeMap<String, (usize, i64)>,
    /// When the last attempt at a destination ended.
    ended_at: BTreeMap<Destination, i64>,
    /// How many attempts were begun when a letter to a user of its own came into the lines.
    since: BTreeMap<QueueId, usize>,
    next_user: u64,
    seen: Seen,
}

/// Runs a seed.
pub(crate) fn run(seed: u64) -> Seen {
    let disk = SimDisk::new(seed);
    let world = World::simulated(seed, disk.clone());
    let mut queue = Queue {
        world,
        random: SimRandom::new(seed ^ 0x51ed),
        spool: None,
        scheduler: Scheduler::new(options(0)),
        failures: Failures::default(),
        active: HashMap::new(),
        flights: BTreeMap::new(),
        moods: BTreeMap::new(),
        is_well: false,
        fails_at: None,
        has_room: true,
        now: START,
        settings: 0,
        model: Model::default(),
        log: Log::default(),
        begun: BTreeMap::new(),
        ended_at: BTreeMap::new(),
        since: BTreeMap::new(),
        next_user: 0,
        seen: Seen::default(),
        disk,
    };
    if queue.chance(4) == 0 {
        let capacity = 20_000 + queue.chance(40_000);
        queue.disk.set_capacity_bytes(capacity);
        queue.has_room = false;
    }
    queue.start();
    for _ in 0..EVENTS {
        queue.event();
        queue.drive();
        queue.mend();
    }
    queue.drain();
    queue.seen.repeated = queue.model.repeated;
    queue.seen
}

impl Queue {
    fn chance(&self, of: u64) -> u64 {
        self.random.next_u64() % of
    }

    fn spool(&self) -> Spool {
        self.spool
            .clone()
            .expect("the spool is open between two restarts")
    }

    // ---- Starts and ends

    /// Opens the spool, through as many power cuts as come.
    fn start(&mut self) {
        loop {
            self.spool = None;
            let options = SpoolOptions {
                segment_bytes: 8192,
                inline_bytes_max: 1024,
                background: false,
                ..SpoolOptions::default()
            };
            match Spool::open(Path::new(DIR), &options, &self.world) {
                Ok((spool, recovered)) => {
                    spool.start();
                    self.log.started();
                    self.model.restarted(&recovered, &spool, self.now);
                    self.spool = Some(spool);
                    self.scheduler = Scheduler::new(self::options(self.settings));
                    conduct::know(&mut self.scheduler, &recovered);
                    break;
                }
                Err(error) => {
                    let is_excused = self.disk.is_down() || self.fails_at.is_some();
                    assert!(is_excused || matches!(error, Error::Full(_)), "{error}");
                    // Somebody makes room when a start fails for want of it.
                    if matches!(error, Error::Full(_)) {
                        self.disk.set_capacity_bytes(u64::MAX);
                    }
                    self.disk.crash();
                }
            }
        }
        self.fails_at = None;
        self.failures = Failures::default();
        self.active.clear();
        self.flights.clear();
        self.ended_at.clear();
        self.begun.clear();
        self.since.clear();
        if !self.is_well && self.chance(2) == 0 {
            self.disk.crash_at(1 + self.chance(120));
        }
        if !self.is_well && self.chance(6) == 0 {
            self.fail(120);
        }
    }

    /// One of the next operations of the disk fails: a write, a sync, a name that is made or removed.
    fn fail(&mut self, within: u64) {
        let operation = 1 + self.chance(within);
        self.fails_at = Some(self.disk.operations() + operation);
        self.disk.fail_at(operation);
    }

    /// When the power is gone, it comes back, and the system starts.
    fn mend(&mut self) {
        if self.disk.is_down() {
            return self.crash();
        }
        let has_failed = self.fails_at.is_some_and(|at| self.disk.operations() >= at);
        // An administrator does not see it at once.
        if !has_failed || (!self.is_well && self.chance(3) > 0) {
            return;
        }
        self.fails_at = None;
        let flushed = self.spool().flush();
        if let Err(Error::Stopped(_) | Error::Disk(_) | Error::Unwritten { .. }) = flushed {
            self.seen.broken += 1;
            self.spool = None;
            self.disk.kill();
            self.start();
        }
    }

    fn crash(&mut self) {
        self.seen.crashes += 1;
        // Before the spool is closed, which writes what it still can.
        self.disk.crash();
        self.spool = None;
        self.start();
    }

    /// The system stops as it should.
    fn stop(&mut self) {
        if self.spool().finish().is_ok() && !self.disk.is_down() {
            self.model.flushed(self.has_room);
        }
        let is_down = self.disk.is_down();
        self.spool = None;
        if is_down {
            self.disk.crash();
        } else {
            self.disk.kill();
        }
        self.start();
    }

    fn flush(&mut self) {
        if self.spool().flush().is_ok() && !self.disk.is_down() {
            self.model.flushed(self.has_room);
        }
    }

    /// Everything gets well: the queue must become empty.
    fn drain(&mut self) {
        self.is_well = true;
        self.moods.clear();
        self.disk.set_capacity_bytes(u64::MAX);
        // In half of the worlds, what is stuck in memory stays so.
        if self.chance(2) == 0 {
            self.crash();
        }
        self.disk.crash_at(u64::MAX / 2);
        self.disk.fail_at(u64::MAX / 2);
        // Whoever did not look yet looks now.
        if self.fails_at.is_some() {
            self.stop();
        }
        for id in self.model.present() {
            if self.model.is_held(&id) {
                self.administer(Change::Release, &id);
            }
        }
        for _ in 0..20_000 {
            self.drive();
            if self.spool().message_count() == 0 {
                break;
            }
            self.advance();
        }
        self.flush();
        self.model.all_told(&self.log);
        // Then nothing is left of it anywhere.
        for _ in 0..1000 {
            if self.scheduler.destination_count() == 0 {
                break;
            }
            self.advance();
            self.drive();
        }
        let scheduler = &self.scheduler;
        let left = [
            scheduler.message_count(),
            scheduler.active_count(),
            scheduler.recipient_count(),
            scheduler.destination_count(),
            self.active.len(),
            self.flights.len(),
        ];
        assert_eq!(left, [0; 6], "something is left of an empty queue");
    }

    // ---- What happens

    fn event(&mut self) {
        match self.chance(100) {
            0..30 => self.arrive(),
            30..42 => self.meddle(),
            42..50 => self.flush(),
            50..52 => {
                self.scheduler.flush_all();
                self.model.forget_times();
            }
            52..54 => {
                self.settings = self.chance(4);
                self.scheduler.reconfigure(options(self.settings), self.now);
            }
            54..56 => self.set_clock(),
            56..58 => self.crash(),
            58..60 => self.stop(),
            60..62 => drop(self.spool().maintain()),
            62..72 => self.change_mood(),
            76..80 => self.contact(),
            72 => self.disk.set_capacity_bytes(u64::MAX),
            73..76 => self.fail(30),
            _ => self.advance(),
        }
    }

    fn set_clock(&mut self) {
        let hours = i64::try_from(self.chance(20)).unwrap() - 10;
        self.now += hours * 3600 * SECOND;
        self.model.forget_times();
        self.ended_at.clear();
        self.begun.values_mut().for_each(|(_, at)| *at = i64::MIN / 2);
    }

    fn change_mood(&mut self) {
        let destination = self.host();
        let moods = [
            Mood::Well,
            Mood::Busy,
            Mood::Rejecting,
            Mood::Unreachable,
            Mood::Silent,
            Mood::Deadly,
        ];
        let mood = moods[usize::try_from(self.chance(6)).unwrap()];
        self.moods.insert(destination, mood);
    }

    /// Silent hosts are silent for so long that it is noticed; or greet after all.
    fn contact(&mut self) {
        for (id, flight) in &mut self.flights {
            let contact = match flight.seeks {
                _ if self.random.next_u64().is_multiple_of(2) => continue,
                true => Contact::Made,
                false if matches!(flight.mood, Mood::Silent | Mood::Unreachable) => Contact::Sought,
                false => continue,
            };
            flight.seeks = contact == Contact::Sought;
            self.scheduler.contact(*id, contact);
            self.seen.sought += usize::from(flight.seeks);
        }
    }

    /// Something ends, or the time comes at which the scheduler wants to be asked.
    fn advance(&mut self) {
        let next = self
            .flights
            .iter()
            .map(|(id, flight)| (flight.ends_at, *id))
            .min();
        let deadline = self.scheduler.deadline_micros().unwrap_or(self.now + 60 * SECOND);
        match next {
            Some((ends_at, id)) if ends_at <= deadline.max(self.now) => {
                self.now = self.now.max(ends_at);
                self.end(id);
            }
            _ => self.now = self.now.max(deadline),
        }
    }

    fn host(&self) -> Destination {
        let (transport, next_hop) = match self.chance(8) {
            0 | 1 => ("local", format!("user{}", self.chance(2))),
            2 => ("slow", "slow".to_owned()),
            3 => ("paced", format!("paced{}", self.chance(2))),
            k => ("smtp", format!("host{k}")),
        };
        Destination::new(transport, next_hop)
    }

    /// A user of this host to whom nobody else writes.
    fn user_of_its_own(&mut self) -> Destination {
        self.next_user += 1;
        Destination {
            recipient: Some(format!("own{}", self.next_user)),
            ..Destination::new("local", "here")
        }
    }

    fn arrive(&mut self) {
        let destinations: Vec<Destination> = match self.chance(16) {
            0 => (0..40 + self.chance(60))
                .map(|_| self.user_of_its_own())
                .collect(),
            1..6 => vec![self.user_of_its_own()],
            6 => (0..30).map(|_| self.host()).collect(),
            _ => (0..1 + self.chance(4)).map(|_| self.host()).collect(),
        };
        let hold = self.chance(20) == 0;
        self.accept(destinations, hold, true);
    }

    /// Takes a message in; whether it was acknowledged.
    fn accept(&mut self, destinations: Vec<Destination>, hold: bool, has_sender: bool) -> bool {
        let spool = self.spool();
        let mut incoming = spool.begin(self.now);
        let id = incoming.queue_id().clone();
        let address = Address::parse("a@example.org").unwrap();
        let recipients = (0u32..).take(destinations.len()).map(address_of);
        let envelope = Envelope {
            sender: has_sender.then_some(address),
            recipients: recipients.map(Recipient::new).collect(),
            ret: None,
            envid: None,
            body: BodyKind::SevenBit,
            smtputf8: false,
        };
        let facts = Facts {
            arrival_micros: self.now,
            hold,
            ..Facts::default()
        };
        self.model.sent(&id, destinations, (self.now, hold, has_sender));
        let size = usize::try_from(self.chance(if self.chance(6) == 0 { 3000 } else { 300 })).unwrap();
        let written = incoming.write(&vec![b'x'; size]);
        match written.and_then(|()| incoming.commit_and_wait(&envelope, &facts)) {
            Ok(committed) => {
                assert_eq!(committed.queue_id(), &id);
                self.model.acked(&id);
                if hold {
                    self.scheduler.held(id, self.now);
                } else {
                    self.scheduler.incoming(id, self.now);
                }
                true
            }
            Err(Error::Full(_)) => {
                self.seen.refused += 1;
                self.model.refused(&id);
                false
            }
            // Whether it is on disk is not known.
            Err(_) => false,
        }
    }

    fn meddle(&mut self) {
        let present = self.model.present();
        if present.is_empty() {
            return;
        }
        let id = present[usize::try_from(self.chance(present.len() as u64)).unwrap()].clone();
        let change = match self.chance(12) {
            0..3 => Change::Hold,
            3..6 => Change::Release,
            6 => Change::Requeue,
            7 => Change::Delete,
            8 => Change::Expire,
            _ => {
                self.scheduler.flush_one(&id);
                return self.model.forget_time(&id);
            }
        };
        self.administer(change, &id);
    }

    fn administer(&mut self, change: Change, id: &QueueId) {
        let spool = self.spool();
        let done = conduct::administer(&mut self.scheduler, &spool, change, id);
        match change {
            Change::Delete => {
                self.active.remove(id);
                self.model.deleted(id);
            }
            Change::Hold if done => self.model.set_held(id, true),
            Change::Release | Change::Requeue if done => self.model.set_held(id, false),
            Change::Expire if done => self.model.force(id),
            _ => {}
        }
    }

    // ---- The driver

    fn drive(&mut self) {
        while !self.disk.is_down()
            && let Some(action) = self.scheduler.next_action(self.now)
        {
            assert!(
                self.scheduler.active_count() <= ACTIVE,
                "too many active messages"
            );
            assert!(
                self.scheduler.recipient_count() <= RECIPIENTS + ACTIVE * MINIMUM,
                "too many recipients in memory"
            );
            self.act(action);
        }
        let deadline = self.scheduler.deadline_micros();
        assert!(
            deadline.is_none_or(|deadline| deadline - self.now <= 300 * SECOND),
            "the queue is left alone for too long"
        );
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Load {
                queue_id,
                from: 0,
                at_most,
            } => self.load(&queue_id, at_most),
            Action::Load {
                queue_id,
                from,
                at_most,
            } => {
                self.seen.portions += 1;
                let message = Arc::clone(&self.active[&queue_id]);
                self.resolve(&message, from, at_most);
            }
            Action::Deliver { .. } => self.deliver(action),
            Action::DeferUntried {
                queue_id,
                destination,
                recipients,
            } => {
                self.seen.untried += recipients.len();
                let outcome = self.failures.outcome_of_untried(&destination);
                assert!(
                    outcome.text.contains("suspended: "),
                    "no reason: {}",
                    outcome.text
                );
                let outcomes: Vec<_> = recipients.into_iter().map(|r| (r, outcome.clone())).collect();
                self.tell(&queue_id, &outcomes);
                let _ = self.spool().record(&queue_id, outcomes);
            }
            Action::Defer {
                queue_id,
                next_try_micros,
            } => {
                self.model.deferred(&queue_id, self.now, next_try_micros);
                self.active.remove(&queue_id);
                let _ = self.spool().defer(&queue_id, next_try_micros);
            }
            Action::Expire { queue_id } => self.report(&queue_id, true),
            Action::Done { queue_id } => self.report(&queue_id, false),
        }
    }

    fn load(&mut self, id: &QueueId, at_most: usize) {
        let message = match self.spool().message(id) {
            Ok(message) => message,
            Err(error) => panic!("{id}: {error}"),
        };
        self.model.loaded(id, self.now);
        let _ = self.spool().move_to(id, QueueName::Active);
        let message = Arc::new(message);
        self.active.insert(id.clone(), Arc::clone(&message));
        if message.forced_expire {
            self.scheduler.remove(id);
            return self.report(id, true);
        }
        self.resolve(&message, 0, at_most);
    }

    fn resolve(&mut self, message: &Message, from: u32, at_most: usize) {
        let id = &message.queue_id;
        let Portion { open, unread } = conduct::portion(message, from, at_most);
        assert!(open.len() <= at_most);
        let routes: Vec<(u32, Destination)> = open
            .into_iter()
            .map(|r| (r, self.model.destination(id, r)))
            .collect();
        if let [(_, only)] = &routes[..]
            && message.envelope.recipients.len() == 1
            && only.recipient.is_some()
        {
            let begun = self.begun.get("local").map_or(0, |(count, _)| *count);
            self.since.insert(id.clone(), begun);
        }
        let resolved = Resolved {
            null_sender: message.envelope.sender.is_none(),
            routes,
            some_deferred: false,
            unread,
        };
        self.scheduler.resolved(id, resolved, self.now);
    }

    fn deliver(&mut self, action: Action) {
        self.model.begins(&action);
        let Action::Deliver {
            attempt,
            queue_id,
            destination,
            recipients,
        } = action
        else {
            return;
        };
        self.check_limits(&destination, recipients.len());
        self.check_fairness(&queue_id);
        let begun = self.begun.entry(destination.transport.clone()).or_default();
        *begun = (begun.0 + 1, self.now);
        let mood = self.moods.get(&destination).copied().unwrap_or(Mood::Well);
        let takes = if mood == Mood::Silent {
            600
        } else {
            1 + self.chance(20)
        };
        let flight = Flight {
            queue_id,
            destination,
            recipients,
            ends_at: self.now + i64::try_from(takes).unwrap() * SECOND,
            mood,
            seeks: false,
        };
        self.flights.insert(attempt, flight);
    }

    fn check_limits(&self, destination: &Destination, recipients: usize) {
        let options = options(self.settings);
        let own = options.transport_limits.get(&destination.transport);
        let limits = own.unwrap_or(&options.default_limits);
        let flights = || self.flights.values();
        let to_it = flights()
            .filter(|flight| flight.destination == *destination)
            .count();
        let by_it = flights().filter(|flight| flight.destination.transport == destination.transport);
        let (seeking, others): (Vec<&Flight>, _) = by_it.partition(|flight| flight.seeks);
        let by_it = others.len() + seeking.len().saturating_sub(SEEKING);
        assert!(
            recipients <= limits.recipient_limit,
            "{recipients} recipients at once"
        );
        assert!(to_it < limits.limit, "too many attempts at {destination:?}");
        assert!(
            seeking.iter().all(|flight| flight.destination != *destination),
            "one more attempt at the silent {destination:?}"
        );
        assert!(
            by_it < limits.total,
            "too many attempts by {}",
            destination.transport
        );
        if limits.rate_delay_micros > 0 {
            assert_eq!(to_it, 0, "several attempts at {destination:?}");
            let ended = self.ended_at.get(destination);
            assert!(
                ended.is_none_or(|ended| self.now >= ended + PAUSE),
                "no pause at {destination:?}"
            );
        }
        if limits.transport_rate_delay_micros > 0 {
            let before = self.begun.get(&destination.transport);
            assert!(
                before.is_none_or(|(_, at)| self.now >= at + PAUSE),
                "no pause of {destination:?}"
            );
        }
    }

    /// A letter to a user of its own goes before mailings: behind every small message at the worst, and between two of those, as
    /// many attempts of mailings as a slot costs.
    fn check_fairness(&mut self, id: &QueueId) {
        let Some(since) = self.since.remove(id) else {
            return;
        };
        let begun = self.begun.get("local").map_or(0, |(count, _)| *count);
        let bound = (ACTIVE - 1) * (SMALL - 1) + ACTIVE * (COST + 1);
        let waited = begun - since;
        assert!(waited <= bound, "{id} waited for {waited} attempts");
        self.seen.letters += usize::from(waited > 0);
    }

    /// An attempt ends.
    fn end(&mut self, attempt: AttemptId) {
        let flight = self.flights.remove(&attempt).unwrap();
        self.ended_at.insert(flight.destination.clone(), self.now);
        let (feedback, result, text) = match flight.mood {
            Mood::Well => (Feedback::Reached, DeliveryResult::Sent, "ok"),
            Mood::Busy => (Feedback::Reached, DeliveryResult::Deferred, "busy"),
            Mood::Rejecting => (Feedback::Reached, DeliveryResult::Bounced, "no"),
            Mood::Unreachable => (Feedback::Unreachable, DeliveryResult::Deferred, "refused"),
            Mood::Silent => (Feedback::Unreachable, DeliveryResult::Deferred, "timed out"),
            Mood::Deadly => (Feedback::None, DeliveryResult::Deferred, "died"),
        };
        let is_final = result != DeliveryResult::Deferred;
        for recipient in &flight.recipients {
            self.model.ends(&flight.queue_id, *recipient, is_final);
        }
        self.seen.sent += usize::from(result == DeliveryResult::Sent);
        self.seen.bounced += usize::from(result == DeliveryResult::Bounced);
        let outcome = Outcome {
            result,
            status: StatusCode::success(0, 0),
            text: text.to_owned(),
            relay: "none".to_owned(),
            detail: Default::default(),
        };
        let outcomes: Vec<(u32, Outcome)> = match flight.mood {
            Mood::Deadly => Vec::new(),
            _ => flight.recipients.iter().map(|r| (*r, outcome.clone())).collect(),
        };
        self.tell(&flight.queue_id, &outcomes);
        let _ = self.spool().record(&flight.queue_id, outcomes.clone());
        let first = outcomes.first().map(|(_, outcome)| outcome);
        self.failures
            .learn(&flight.destination, feedback, first, &self.scheduler);
        let results: Vec<(u32, DeliveryResult)> = outcomes.iter().map(|(r, o)| (*r, o.result)).collect();
        let finished = Finished {
            results: &results,
            feedback,
        };
        self.scheduler.finished(attempt, finished, self.now);
    }

    /// The lines about recipients; of a message that an administrator deleted meanwhile there are none.
    fn tell(&mut self, id: &QueueId, outcomes: &[(u32, Outcome)]) {
        let Some(message) = self.active.get(id) else {
            return;
        };
        let lines = OutcomeLines {
            message,
            agent: "smtp",
            delays: Delays::default(),
            purpose: maillog::lines::delivery::Purpose::Delivery,
            is_soft: false,
        };
        lines.of_outcomes(outcomes, |line| self.log.write(line));
    }

    /// Tells the sender what is to be told, then removes the message.
    fn report(&mut self, id: &QueueId, expired: bool) {
        let Some(message) = self.active.remove(id) else {
            panic!("{id} is at its end, but was not active")
        };
        let outcomes = self.spool().outcomes(id).unwrap();
        let failed =
            |o: &Outcome| o.result == DeliveryResult::Bounced || o.result == DeliveryResult::Deferred;
        if expired {
            let age = self.now - message.facts.arrival_micros;
            assert!(
                self.model.may_expire(id, age),
                "{id} expired at an age of {age} µs"
            );
            self.log.write(&Expired {
                queue_id: id,
                sender: "a@example.org",
                is_forced: message.forced_expire,
            });
        }
        let tells = message.envelope.sender.is_some() && (expired || outcomes.iter().flatten().any(failed));
        let destination = self.host();
        // A report may be refused for other reasons than the disk's, too.
        let is_refused = !self.is_well && self.chance(4) == 0;
        if tells && (is_refused || !self.accept(vec![destination], false, false)) {
            let next_try = self.now + 300 * SECOND;
            let spool = self.spool();
            if conduct::stays(&mut self.scheduler, &spool, id, next_try).is_ok() {
                self.model.forget_time(id);
            }
            return;
        }
        match self.spool().remove(id) {
            Ok(()) => {
                self.seen.expired += usize::from(expired);
                self.log.write(&Removed { queue_id: id });
                self.model.removed(id, expired);
            }
            Err(_) => {
                let (spool, next_try) = (self.spool(), self.now + 300 * SECOND);
                let _ = conduct::stays(&mut self.scheduler, &spool, id, next_try);
            }
        }
    }
}
