//! What to try when: the pure part of the queue manager. Events and `now` in, actions out.

use std::collections::{BTreeSet, HashMap, VecDeque};

use envelope::{DeliveryResult, QueueId};

use crate::backoff::Backoff;

/// Where recipients go together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Destination {
    /// The transport: `smtp`, `local` …
    pub transport: String,
    /// The next hop, as `route` gave it.
    pub next_hop: String,
}

/// How much goes to one destination of a transport at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransportLimits {
    /// `initial_destination_concurrency`
    pub initial: usize,
    /// `TRANSPORT_destination_concurrency_limit`
    pub limit: usize,
    /// `TRANSPORT_destination_recipient_limit`
    pub recipient_limit: usize,
    /// The transport's process limit: attempts at once to all its destinations.
    pub total: usize,
}

/// The scheduler's settings. All times in microseconds.
#[derive(Debug, Clone)]
pub struct Options {
    /// `qmgr_message_active_limit`
    pub active_limit: usize,
    /// `queue_run_delay`: how often due deferred messages are looked for.
    pub queue_run_delay_micros: i64,
    /// `minimal_backoff_time`, `maximal_backoff_time`
    pub backoff: Backoff,
    /// `maximal_queue_lifetime`
    pub lifetime_micros: i64,
    /// `bounce_queue_lifetime`, for messages from the null sender.
    pub bounce_lifetime_micros: i64,
    /// Limits of the transports that differ from `default_limits`.
    pub transport_limits: HashMap<String, TransportLimits>,
    /// Limits of all other transports.
    pub default_limits: TransportLimits,
}

/// Names an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId(pub u64);

/// What an attempt says about its destination, apart from its recipients' outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feedback {
    /// The destination answered.
    Reached,
    /// It could not be reached or refused to talk; counts against its concurrency.
    Unreachable,
    /// The attempt says nothing about it (it was ours that failed).
    None,
}

/// What the caller must do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Move the message to `active`, read its envelope, resolve the recipients still to be delivered and answer with
    /// [`Scheduler::resolved`].
    Load {
        /// Which.
        queue_id: QueueId,
    },
    /// Try to deliver to these recipients, answer with [`Scheduler::finished`].
    Deliver {
        /// How to name the attempt in the answer.
        attempt: AttemptId,
        /// Which message.
        queue_id: QueueId,
        /// Where.
        destination: Destination,
        /// Indexes in the envelope.
        recipients: Vec<u32>,
    },
    /// Record these recipients as deferred without an attempt, because the destination was found dead (the reason is
    /// that of its last failure). The message's fate follows as another action.
    DeferUntried {
        /// Which message.
        queue_id: QueueId,
        /// The destination.
        destination: Destination,
        /// Indexes in the envelope.
        recipients: Vec<u32>,
    },
    /// Nothing more to try this time: move the message to `deferred` until then.
    Defer {
        /// Which.
        queue_id: QueueId,
        /// When to try next.
        next_try_micros: i64,
    },
    /// The message is too old: give up the recipients still deferred (bounce them), then remove it. The scheduler has
    /// forgotten it.
    Expire {
        /// Which.
        queue_id: QueueId,
    },
    /// Every recipient is delivered or given up: report what is to be reported, then remove the message. The
    /// scheduler has forgotten it.
    Done {
        /// Which.
        queue_id: QueueId,
    },
}

/// What became of a [`Action::Load`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    /// The sender is `<>`, so `bounce_lifetime_micros` counts.
    pub null_sender: bool,
    /// Where each recipient (index in the envelope) goes that is still to be delivered.
    pub routes: Vec<(u32, Destination)>,
    /// Some recipients could not be resolved just now and were recorded as deferred.
    pub some_deferred: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished<'a> {
    /// Index in the envelope and result of each recipient. One that is missing counts as deferred.
    pub results: &'a [(u32, DeliveryResult)],
    /// What it says about the destination.
    pub feedback: Feedback,
}

/// The scheduler.
///
/// Rules, in this order: (1) no two attempts at one recipient at once; (2) at most `active_limit` messages are
/// active, taken alternately from the incoming and the due deferred ones; (3) transports take turns, and within a
/// transport its destinations, and within a destination its messages, one attempt each (at most `recipient_limit`
/// recipients), so a mailing to thousands delays nobody else by more than one attempt per destination; (4) a
/// destination's concurrency (its window) starts at `initial`, grows by one per window of successes up to `limit`,
/// shrinks by one per failure to connect; when failures without a success between them have used up one window, the
/// destination is dead for `minimal_backoff`: its recipients are deferred without an attempt; (5) every
/// `queue_run_delay` the deferred messages that are due become candidates for activation.
///
/// Every method takes the time in microseconds since the Unix epoch where it matters.
#[derive(Debug)]
pub struct Scheduler {
    options: Options,
    messages: HashMap<QueueId, Known>,
    /// Candidates for activation; entries whose message has moved on are skipped when they come up.
    incoming: VecDeque<QueueId>,
    due: VecDeque<QueueId>,
    /// By time of the next try.
    deferred: BTreeSet<(i64, QueueId)>,
    incoming_was_last: bool,
    active: usize,
    next_run_micros: Option<i64>,
    destinations: HashMap<Destination, Line>,
    transports: HashMap<String, Transport>,
    /// Transports in the order in which they take turns.
    turns: VecDeque<String>,
    attempts: HashMap<AttemptId, Attempt>,
    next_attempt: u64,
    actions: VecDeque<Action>,
}

/// A message.
#[derive(Debug)]
struct Known {
    arrival_micros: i64,
    state: State,
}

#[derive(Debug)]
enum State {
    Incoming,
    Due,
    Deferred(i64),
    Hold,
    Active(Box<Active>),
}

/// A message in the active queue.
#[derive(Debug, Default)]
struct Active {
    loading: bool,
    null_sender: bool,
    /// Recipients in destinations' lines.
    waiting: usize,
    /// Attempts under way.
    in_flight: usize,
    some_deferred: bool,
    /// Put on hold meanwhile.
    hold: bool,
}

/// The line in front of a destination.
#[derive(Debug)]
struct Line {
    limits: TransportLimits,
    window: usize,
    in_flight: usize,
    successes: usize,
    /// Failures since the last success, each counted as its part of the window then, in millionths.
    failed_millionths: usize,
    dead_until_micros: Option<i64>,
    /// A message and those of its recipients that wait.
    queue: VecDeque<(QueueId, VecDeque<u32>)>,
    /// In its transport's list of those that can take an attempt.
    listed: bool,
}

#[derive(Debug, Default)]
struct Transport {
    in_flight: usize,
    total: usize,
    ready: VecDeque<Destination>,
}

#[derive(Debug)]
struct Attempt {
    queue_id: QueueId,
    destination: Destination,
    recipients: Vec<u32>,
}

const WHOLE_WINDOW: usize = 1_000_000;

impl Scheduler {
    /// A scheduler that knows no message.
    pub fn new(options: Options) -> Scheduler {
        Scheduler {
            options,
            messages: HashMap::new(),
            incoming: VecDeque::new(),
            due: VecDeque::new(),
            deferred: BTreeSet::new(),
            incoming_was_last: false,
            active: 0,
            next_run_micros: None,
            destinations: HashMap::new(),
            transports: HashMap::new(),
            turns: VecDeque::new(),
            attempts: HashMap::new(),
            next_attempt: 1,
            actions: VecDeque::new(),
        }
    }

    /// Other settings from now on. What is under way goes on; what was deferred keeps its time; a destination keeps what was
    /// learnt about it, within its new limits.
    pub fn reconfigure(&mut self, options: Options, now_micros: i64) {
        self.options = options;
        let delay = self.options.queue_run_delay_micros.max(1);
        self.next_run_micros = self
            .next_run_micros
            .map(|next| next.min(now_micros.saturating_add(delay)));
        for name in self.turns.clone() {
            let total = self.limits_of(&name).total.max(1);
            if let Some(transport) = self.transports.get_mut(&name) {
                transport.total = total;
            }
        }
        let destinations: Vec<Destination> = self.destinations.keys().cloned().collect();
        for destination in destinations {
            let limits = self.limits_of(&destination.transport);
            if let Some(line) = self.destinations.get_mut(&destination) {
                line.limit(limits);
            }
            self.list(&destination);
        }
    }

    /// A message came into the incoming queue, or was found there at the start.
    pub fn incoming(&mut self, queue_id: QueueId, arrival_micros: i64) {
        self.incoming.push_back(queue_id.clone());
        self.messages.insert(
            queue_id,
            Known {
                arrival_micros,
                state: State::Incoming,
            },
        );
    }

    /// A deferred message was found at the start.
    pub fn deferred(&mut self, queue_id: QueueId, arrival_micros: i64, next_try_micros: i64) {
        self.deferred.insert((next_try_micros, queue_id.clone()));
        self.messages.insert(
            queue_id,
            Known {
                arrival_micros,
                state: State::Deferred(next_try_micros),
            },
        );
    }

    /// A message came into the hold queue, or was found there at the start.
    pub fn held(&mut self, queue_id: QueueId, arrival_micros: i64) {
        self.messages.insert(
            queue_id,
            Known {
                arrival_micros,
                state: State::Hold,
            },
        );
    }

    /// What to do now; ask until it is `None`.
    pub fn next_action(&mut self, now_micros: i64) -> Option<Action> {
        self.run_queue(now_micros);
        let next = self.actions.pop_front();
        next.or_else(|| self.activate()).or_else(|| self.attempt())
    }

    /// When to ask [`Scheduler::next_action`] again even if nothing happens before.
    pub fn deadline_micros(&self) -> Option<i64> {
        self.next_run_micros.filter(|_| !self.deferred.is_empty())
    }

    /// How many messages are active.
    pub fn active_count(&self) -> usize {
        self.active
    }

    /// How many messages it knows.
    pub fn message_count(&self) -> usize {
        self.messages.len()
    }

    /// The answer to [`Action::Load`].
    pub fn resolved(&mut self, queue_id: &QueueId, resolved: Resolved, now_micros: i64) {
        let Some(active) = active_of(&mut self.messages, queue_id) else {
            return;
        };
        active.loading = false;
        active.null_sender = resolved.null_sender;
        active.some_deferred |= resolved.some_deferred;
        if active.hold {
            active.some_deferred |= !resolved.routes.is_empty();
            return self.conclude(queue_id, now_micros);
        }
        let mut by_destination: HashMap<Destination, VecDeque<u32>> = HashMap::new();
        let mut order = Vec::new();
        for (recipient, destination) in resolved.routes {
            if !by_destination.contains_key(&destination) {
                order.push(destination.clone());
            }
            by_destination
                .entry(destination)
                .or_default()
                .push_back(recipient);
        }
        for destination in order {
            let recipients = by_destination.remove(&destination).unwrap_or_default();
            self.join_line(queue_id, destination, recipients, now_micros);
        }
        self.conclude(queue_id, now_micros);
    }

    /// The answer to [`Action::Deliver`].
    pub fn finished(&mut self, attempt: AttemptId, finished: Finished<'_>, now_micros: i64) {
        let Some(attempt) = self.attempts.remove(&attempt) else {
            return;
        };
        if let Some(transport) = self.transports.get_mut(&attempt.destination.transport) {
            transport.in_flight -= 1;
        }
        if let Some(active) = active_of(&mut self.messages, &attempt.queue_id) {
            active.in_flight -= 1;
            let ended = |recipient: &u32| {
                finished
                    .results
                    .iter()
                    .any(|(r, result)| r == recipient && *result != DeliveryResult::Deferred)
            };
            active.some_deferred |= !attempt.recipients.iter().all(ended);
        }
        self.take_feedback(&attempt.destination, finished.feedback, now_micros);
        self.conclude(&attempt.queue_id, now_micros);
    }

    /// Makes all deferred messages due and forgets that destinations are dead (`postqueue -f`).
    pub fn flush_all(&mut self) {
        for (_, queue_id) in std::mem::take(&mut self.deferred) {
            self.make_due(queue_id);
        }
        self.destinations
            .values_mut()
            .for_each(|line| line.dead_until_micros = None);
    }

    /// Makes one deferred message due (`postqueue -i`); `false` when it is not deferred.
    pub fn flush_one(&mut self, queue_id: &QueueId) -> bool {
        let Some(Known {
            state: State::Deferred(next),
            ..
        }) = self.messages.get(queue_id)
        else {
            return false;
        };
        self.deferred.remove(&(*next, queue_id.clone()));
        self.make_due(queue_id.clone());
        true
    }

    /// Puts a message on hold. Attempts under way end as they will. `false` when it is not known or held already.
    pub fn hold(&mut self, queue_id: &QueueId) -> bool {
        let Some(known) = self.messages.get_mut(queue_id) else {
            return false;
        };
        // A move to the deferred queue that was not carried out yet must not undo this one.
        self.actions
            .retain(|action| !matches!(action, Action::Defer { queue_id: id, .. } if id == queue_id));
        match &mut known.state {
            State::Hold => return false,
            State::Deferred(next) => {
                self.deferred.remove(&(*next, queue_id.clone()));
            }
            State::Active(active) if active.hold => return false,
            State::Active(active) => {
                active.hold = true;
                active.some_deferred |= active.waiting > 0;
                let idle = !active.loading && active.in_flight == 0;
                self.leave_lines(queue_id);
                if idle {
                    self.active -= 1;
                    self.messages
                        .entry(queue_id.clone())
                        .and_modify(|known| known.state = State::Hold);
                }
                return true;
            }
            State::Incoming | State::Due => {}
        }
        known.state = State::Hold;
        true
    }

    /// Releases a message from hold; it is due at once. `false` when it is not on hold.
    pub fn release(&mut self, queue_id: &QueueId) -> bool {
        match self.messages.get_mut(queue_id).map(|known| &mut known.state) {
            Some(State::Active(active)) if active.hold => {
                // Its attempts still run; when they end it goes the usual way again.
                active.hold = false;
                true
            }
            Some(State::Hold) => {
                self.make_due(queue_id.clone());
                true
            }
            _ => false,
        }
    }

    /// Forgets a message. Attempts under way end without consequences for it. `false` when it is not known.
    pub fn remove(&mut self, queue_id: &QueueId) -> bool {
        let before = self.actions.len();
        self.actions.retain(|action| action.queue_id() != queue_id);
        let Some(known) = self.messages.remove(queue_id) else {
            return self.actions.len() < before;
        };
        match known.state {
            State::Deferred(next) => {
                self.deferred.remove(&(next, queue_id.clone()));
            }
            State::Active(_) => {
                self.active -= 1;
                self.leave_lines(queue_id);
            }
            State::Incoming | State::Due | State::Hold => {}
        }
        true
    }

    /// Every `queue_run_delay`: makes the deferred messages due whose time has come.
    fn run_queue(&mut self, now_micros: i64) {
        let delay = self.options.queue_run_delay_micros.max(1);
        // A clock that was set back must not stop the queue.
        if self
            .next_run_micros
            .is_some_and(|next| now_micros < next && next - now_micros <= delay)
        {
            return;
        }
        self.next_run_micros = Some(now_micros.saturating_add(delay));
        while self.deferred.first().is_some_and(|(next, _)| *next <= now_micros) {
            if let Some((_, queue_id)) = self.deferred.pop_first() {
                self.make_due(queue_id);
            }
        }
        // No wait is longer than the maximal backoff, so what is further away was written before the clock changed.
        let limit = now_micros.saturating_add(
            self.options
                .backoff
                .maximal_micros
                .max(self.options.backoff.minimal_micros),
        );
        while self.deferred.last().is_some_and(|(next, _)| *next > limit) {
            if let Some((_, queue_id)) = self.deferred.pop_last() {
                self.make_due(queue_id);
            }
        }
        self.destinations.retain(|_, line| {
            line.dead_until_micros = line.dead_until_micros.filter(|until| *until > now_micros);
            line.is_in_use()
        });
    }

    fn make_due(&mut self, queue_id: QueueId) {
        if let Some(known) = self.messages.get_mut(&queue_id) {
            known.state = State::Due;
            self.due.push_back(queue_id);
        }
    }

    /// Takes the next candidate into the active queue, alternately a new and a deferred one.
    fn activate(&mut self) -> Option<Action> {
        if self.active >= self.options.active_limit {
            return None;
        }
        let (messages, incoming, due) = (&self.messages, &mut self.incoming, &mut self.due);
        let is = |queue_id: &QueueId, wanted: fn(&State) -> bool| {
            messages.get(queue_id).is_some_and(|known| wanted(&known.state))
        };
        while incoming
            .front()
            .is_some_and(|id| !is(id, |s| matches!(s, State::Incoming)))
        {
            incoming.pop_front();
        }
        while due.front().is_some_and(|id| !is(id, |s| matches!(s, State::Due))) {
            due.pop_front();
        }
        let from_due = incoming.is_empty() || (self.incoming_was_last && !due.is_empty());
        let queue_id = if from_due {
            due.pop_front()?
        } else {
            incoming.pop_front()?
        };
        self.incoming_was_last = !from_due;
        self.active += 1;
        let known = self.messages.get_mut(&queue_id)?;
        known.state = State::Active(Box::new(Active {
            loading: true,
            ..Active::default()
        }));
        Some(Action::Load { queue_id })
    }

    fn limits_of(&self, transport: &str) -> TransportLimits {
        *self
            .options
            .transport_limits
            .get(transport)
            .unwrap_or(&self.options.default_limits)
    }

    /// Puts recipients of a message into the line of their destination.
    fn join_line(
        &mut self,
        queue_id: &QueueId,
        destination: Destination,
        recipients: VecDeque<u32>,
        now_micros: i64,
    ) {
        let limits = self.limits_of(&destination.transport);
        if !self.transports.contains_key(&destination.transport) {
            let transport = Transport {
                total: limits.total.max(1),
                ..Transport::default()
            };
            self.transports.insert(destination.transport.clone(), transport);
            self.turns.push_back(destination.transport.clone());
        }
        let line = self
            .destinations
            .entry(destination.clone())
            .or_insert_with(|| Line::new(limits));
        if line.dead_until_micros.is_some_and(|until| until > now_micros) {
            return self.defer_untried(queue_id.clone(), destination, recipients);
        }
        if let Some(active) = active_of(&mut self.messages, queue_id) {
            active.waiting += recipients.len();
        }
        line.queue.push_back((queue_id.clone(), recipients));
        self.list(&destination);
    }

    fn defer_untried(&mut self, queue_id: QueueId, destination: Destination, recipients: VecDeque<u32>) {
        if let Some(active) = active_of(&mut self.messages, &queue_id) {
            active.some_deferred = true;
        }
        let recipients = recipients.into();
        self.actions.push_back(Action::DeferUntried {
            queue_id,
            destination,
            recipients,
        });
    }

    /// Lists the destination with its transport, if it can take an attempt.
    fn list(&mut self, destination: &Destination) {
        let Some(line) = self.destinations.get_mut(destination) else {
            return;
        };
        if line.listed || line.queue.is_empty() || line.in_flight >= line.window {
            return;
        }
        if let Some(transport) = self.transports.get_mut(&destination.transport) {
            line.listed = true;
            transport.ready.push_back(destination.clone());
        }
    }

    /// Starts the next attempt: transports, their destinations and those' messages take turns.
    fn attempt(&mut self) -> Option<Action> {
        for _ in 0..self.turns.len() {
            let name = self.turns.pop_front()?;
            self.turns.push_back(name.clone());
            let Some(transport) = self.transports.get_mut(&name) else {
                continue;
            };
            while transport.in_flight < transport.total {
                let Some(destination) = transport.ready.pop_front() else {
                    break;
                };
                let Some(line) = self.destinations.get_mut(&destination) else {
                    continue;
                };
                line.listed = false;
                if line.in_flight >= line.window {
                    continue;
                }
                let Some((queue_id, recipients)) = line.take() else {
                    continue;
                };
                transport.in_flight += 1;
                if let Some(active) = active_of(&mut self.messages, &queue_id) {
                    active.waiting -= recipients.len();
                    active.in_flight += 1;
                }
                let attempt = AttemptId(self.next_attempt);
                self.next_attempt += 1;
                let kept = Attempt {
                    queue_id: queue_id.clone(),
                    destination: destination.clone(),
                    recipients: recipients.clone(),
                };
                self.attempts.insert(attempt, kept);
                self.list(&destination);
                return Some(Action::Deliver {
                    attempt,
                    queue_id,
                    destination,
                    recipients,
                });
            }
        }
        None
    }

    /// Learns from an attempt how much its destination can take.
    fn take_feedback(&mut self, destination: &Destination, feedback: Feedback, now_micros: i64) {
        let Some(line) = self.destinations.get_mut(destination) else {
            return;
        };
        line.in_flight -= 1;
        match feedback {
            Feedback::Reached => line.succeeded(),
            Feedback::Unreachable => {
                line.failed(now_micros.saturating_add(self.options.backoff.minimal_micros))
            }
            Feedback::None => {}
        }
        if line.dead_until_micros.is_some_and(|until| until > now_micros) {
            let given_up = std::mem::take(&mut line.queue);
            for (queue_id, recipients) in given_up {
                if let Some(active) = active_of(&mut self.messages, &queue_id) {
                    active.waiting -= recipients.len();
                }
                self.defer_untried(queue_id.clone(), destination.clone(), recipients);
                self.conclude(&queue_id, now_micros);
            }
        }
        self.list(destination);
        if self
            .destinations
            .get(destination)
            .is_some_and(|line| !line.is_in_use())
        {
            self.destinations.remove(destination);
        }
    }

    /// Takes a message's recipients out of all lines.
    fn leave_lines(&mut self, queue_id: &QueueId) {
        let mut left = 0;
        for line in self.destinations.values_mut() {
            line.queue.retain(|(id, recipients)| {
                let stays = id != queue_id;
                left += if stays { 0 } else { recipients.len() };
                stays
            });
        }
        if let Some(active) = active_of(&mut self.messages, queue_id) {
            active.waiting -= left;
        }
    }

    /// When nothing of the message is waiting or under way: says what becomes of it.
    fn conclude(&mut self, queue_id: &QueueId, now_micros: i64) {
        let Some(known) = self.messages.get_mut(queue_id) else {
            return;
        };
        let State::Active(active) = &known.state else {
            return;
        };
        if active.loading || active.waiting > 0 || active.in_flight > 0 {
            return;
        }
        self.active -= 1;
        let lifetime = if active.null_sender {
            self.options.bounce_lifetime_micros
        } else {
            self.options.lifetime_micros
        };
        if !active.some_deferred {
            self.messages.remove(queue_id);
            self.actions.push_back(Action::Done {
                queue_id: queue_id.clone(),
            });
        } else if active.hold {
            known.state = State::Hold;
        } else if now_micros.saturating_sub(known.arrival_micros) >= lifetime {
            self.messages.remove(queue_id);
            self.actions.push_back(Action::Expire {
                queue_id: queue_id.clone(),
            });
        } else {
            let next_try_micros = self
                .options
                .backoff
                .next_try_micros(known.arrival_micros, now_micros);
            known.state = State::Deferred(next_try_micros);
            self.deferred.insert((next_try_micros, queue_id.clone()));
            self.actions.push_back(Action::Defer {
                queue_id: queue_id.clone(),
                next_try_micros,
            });
        }
    }
}

impl Line {
    fn new(limits: TransportLimits) -> Line {
        Line {
            limits,
            window: limits.initial.clamp(1, limits.limit.max(1)),
            in_flight: 0,
            successes: 0,
            failed_millionths: 0,
            dead_until_micros: None,
            queue: VecDeque::new(),
            listed: false,
        }
    }

    /// Takes other limits; where there was no failure the window is at least the initial one.
    fn limit(&mut self, limits: TransportLimits) {
        let was_initial = self.window >= self.limits.initial;
        if was_initial {
            self.window = self.window.max(limits.initial);
        }
        self.window = self.window.clamp(1, limits.limit.max(1));
        self.limits = limits;
    }

    fn is_in_use(&self) -> bool {
        !self.queue.is_empty() || self.in_flight > 0 || self.dead_until_micros.is_some() || self.listed
    }

    /// The next recipients to try; the rest of their message goes to the end of the line.
    fn take(&mut self) -> Option<(QueueId, Vec<u32>)> {
        let (queue_id, mut recipients) = self.queue.pop_front()?;
        let count = self.limits.recipient_limit.max(1).min(recipients.len());
        let taken = recipients.drain(..count).collect();
        if !recipients.is_empty() {
            self.queue.push_back((queue_id.clone(), recipients));
        }
        self.in_flight += 1;
        Some((queue_id, taken))
    }

    fn succeeded(&mut self) {
        self.failed_millionths = 0;
        self.dead_until_micros = None;
        self.successes += 1;
        if self.successes >= self.window {
            self.successes = 0;
            self.window = (self.window + 1).min(self.limits.limit.max(1));
        }
    }

    fn failed(&mut self, dead_until_micros: i64) {
        self.failed_millionths += WHOLE_WINDOW.div_ceil(self.window);
        self.window = (self.window - 1).max(1);
        self.successes = 0;
        if self.failed_millionths >= WHOLE_WINDOW {
            self.failed_millionths = 0;
            self.dead_until_micros = Some(dead_until_micros);
        }
    }
}

impl Action {
    /// Which message it is about.
    pub fn queue_id(&self) -> &QueueId {
        match self {
            Action::Load { queue_id }
            | Action::Deliver { queue_id, .. }
            | Action::DeferUntried { queue_id, .. }
            | Action::Defer { queue_id, .. }
            | Action::Expire { queue_id }
            | Action::Done { queue_id } => queue_id,
        }
    }
}

fn active_of<'a>(messages: &'a mut HashMap<QueueId, Known>, queue_id: &QueueId) -> Option<&'a mut Active> {
    match &mut messages.get_mut(queue_id)?.state {
        State::Active(active) => Some(active),
        _ => None,
    }
}
