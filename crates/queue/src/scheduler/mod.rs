//! What to try when: the pure part of the queue manager. Events and `now` in, actions out.
//!
//! `messages` knows the queues, `transport` who goes next, `line` how much a destination takes, `options` the settings.

mod action;
mod line;
mod messages;
mod options;
mod transport;

use std::collections::{BTreeSet, HashMap, VecDeque};

use envelope::QueueId;

pub use self::action::{Action, AttemptId, Contact, Feedback, Finished, Resolved, Unread};
pub use self::line::Condition;
use self::line::Health;
use self::messages::{Active, Messages, State};
pub use self::options::{Destination, Gain, Options, Overtaking, TransportLimits};
use self::transport::{Joining, LineId, Transport};

/// How many recipients are resolved at a time: nothing else happens meanwhile.
pub const LOAD_RECIPIENTS_MAX: usize = 2000;

/// The scheduler.
///
/// Rules, in this order:
/// 1. No two attempts at one recipient at once.
/// 2. At most `active_limit` messages are active, taken alternately from the incoming and the due deferred ones. Of their
///    recipients at most `recipient_limit` are resolved at once, but of each message at least `recipient_minimum`; others are
///    read when these are through.
/// 3. Transports take turns, one attempt each, up to their process limits. Attempts that wait for hosts that say nothing do not
///    count, up to `seeking` of them, and while one waits no other at its destination is begun: dead hosts hold up neither
///    living ones nor each other. When such a host greets after all, its attempt counts again; until others end there may then be
///    more than the limit.
/// 4. A destination's concurrency (its window) starts at `initial`; each answer adds the positive feedback, while it is not larger
///    than what is under way plus `initial`, each failure to connect takes the negative one, up to `limit`. When failures without a success between them make `failed_cohorts`
///    windows, the destination is dead for `minimal_backoff`: its recipients are deferred without an attempt. Then one is tried.
/// 5. *Fairness*: among what can go (its destination's window has room), the message that became active first goes first; the
///    destinations of one message take turns. But a smaller message may go before a larger one: every `cost` attempts of a
///    message earn one slot, in which one attempt of smaller messages goes before it; it may also go when no more is missing than `loan`
///    slots and `discount_percent` of those that it needs. A message of less than `cost` × `minimum` attempts is not overtaken.
///    So a letter with one recipient that comes into a transport behind mailings, and behind n other single letters, is tried within
///    (n + 1) × (`cost` + 1) attempts of that transport, however many recipients the mailings have; and the mailings get all
///    attempts but one in `cost` + 1, but for the loan. This is the effect of Postfix's preemptive scheduler
///    (SCHEDULER_README), whose parameters these are.
/// 6. Every `queue_run_delay` the deferred messages that are due become candidates for activation.
///
/// The steps that an event takes are bounded by the logarithm of what is known, for each recipient and message that it
/// concerns; memory is bounded by the messages, the resolved recipients, and the destinations that these wait for or that are dead.
///
/// Every method takes the time in microseconds since the Unix epoch where it matters.
#[derive(Debug)]
pub struct Scheduler {
    options: Options,
    messages: Messages,
    /// Recipients in lines, or being resolved.
    recipients: usize,
    next_run_micros: Option<i64>,
    /// Never removed: main.cf and its tables name few.
    transports: Vec<Transport>,
    by_name: HashMap<String, usize>,
    /// The transport whose turn it is.
    turn: usize,
    /// When destinations and transports that rest can go on.
    rests: BTreeSet<(i64, usize, Option<LineId>)>,
    attempts: HashMap<AttemptId, Attempt>,
    next_attempt: u64,
    actions: VecDeque<Action>,
}

#[derive(Debug)]
struct Attempt {
    queue_id: QueueId,
    transport: usize,
    line: LineId,
    recipients: Vec<u32>,
    /// It waits for a host that says nothing.
    seeks: bool,
}

impl Scheduler {
    /// A scheduler that knows no message.
    pub fn new(options: Options) -> Scheduler {
        Scheduler {
            options,
            messages: Messages::default(),
            recipients: 0,
            next_run_micros: None,
            transports: Vec::new(),
            by_name: HashMap::new(),
            turn: 0,
            rests: BTreeSet::new(),
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
        for transport in &mut self.transports {
            transport.limit(self.options.limits_of(&transport.name));
        }
    }

    /// A message came into the incoming queue, or was found there at the start.
    pub fn incoming(&mut self, queue_id: QueueId, arrival_micros: i64) {
        self.messages.add_incoming(queue_id, arrival_micros);
    }

    /// A deferred message was found at the start.
    pub fn deferred(&mut self, queue_id: QueueId, arrival_micros: i64, next_try_micros: i64) {
        self.messages
            .add_deferred(queue_id, arrival_micros, next_try_micros);
    }

    /// A message came into the hold queue, or was found there at the start.
    pub fn held(&mut self, queue_id: QueueId, arrival_micros: i64) {
        self.messages.add_held(queue_id, arrival_micros);
    }

    /// What to do now; ask until it is `None`.
    pub fn next_action(&mut self, now_micros: i64) -> Option<Action> {
        self.run_queue(now_micros);
        self.end_rests(now_micros);
        let next = self.actions.pop_front();
        next.or_else(|| self.activate())
            .or_else(|| self.attempt(now_micros))
    }

    /// When to ask [`Scheduler::next_action`] again even if nothing happens before.
    pub fn deadline_micros(&self) -> Option<i64> {
        let run = self.next_run_micros.filter(|_| self.messages.any_deferred());
        let rest = self.rests.first().map(|(until, ..)| *until);
        run.into_iter().chain(rest).min()
    }

    /// What holds for a transport.
    pub fn limits_of(&self, transport: &str) -> TransportLimits {
        self.options.limits_of(transport)
    }

    /// How many messages are active.
    pub fn active_count(&self) -> usize {
        self.messages.active
    }

    /// How many messages it knows.
    pub fn message_count(&self) -> usize {
        self.messages.known.len()
    }

    /// How many recipients are in destinations' lines.
    pub fn recipient_count(&self) -> usize {
        self.recipients
    }

    /// How many destinations it knows: those that somebody waits for, and those that are dead.
    pub fn destination_count(&self) -> usize {
        self.transports.iter().map(Transport::line_count).sum()
    }

    /// Whether anything is remembered of a destination.
    pub fn knows(&self, destination: &Destination) -> bool {
        let index = self.by_name.get(&destination.transport);
        index
            .and_then(|index| self.transports.get(*index))
            .is_some_and(|transport| transport.knows(destination))
    }

    /// How a destination is, if anything is remembered of it.
    pub fn condition(&self, destination: &Destination) -> Option<Condition> {
        let transport = self.transports.get(*self.by_name.get(&destination.transport)?)?;
        let line = transport.line_to_known(destination)?;
        Some(line.condition(&transport.limits))
    }

    /// The answer to [`Action::Load`].
    pub fn resolved(&mut self, queue_id: &QueueId, resolved: Resolved, now_micros: i64) {
        let Some(active) = self.messages.active_of(queue_id) else {
            return;
        };
        self.recipients -= active.loading.take().unwrap_or(0);
        active.null_sender = resolved.null_sender;
        active.some_deferred |= resolved.some_deferred;
        active.unread = resolved.unread;
        if active.hold {
            active.some_deferred |= !resolved.routes.is_empty() || active.unread.is_some();
            return self.conclude(queue_id, now_micros);
        }
        self.join_lines(queue_id, resolved.routes, now_micros);
        self.conclude(queue_id, now_micros);
    }

    /// Puts recipients into the lines of their destinations.
    fn join_lines(&mut self, queue_id: &QueueId, routes: Vec<(u32, Destination)>, now_micros: i64) {
        // In the order of the envelope, so that what happens depends on nothing else.
        let mut at: HashMap<(usize, LineId), usize> = HashMap::new();
        let mut lines: Vec<(usize, LineId, VecDeque<u32>)> = Vec::new();
        for (recipient, destination) in routes {
            let index = self.transport_of(&destination.transport);
            let line = self.transports[index].line_to(&destination);
            let place = *at.entry((index, line)).or_insert_with(|| {
                lines.push((index, line, VecDeque::new()));
                lines.len() - 1
            });
            lines[place].2.push_back(recipient);
        }
        let mut by_transport: Vec<(usize, Joining)> = Vec::new();
        for (index, line, recipients) in lines {
            if self.transports[index]
                .line(line)
                .is_some_and(|line| line.is_dead(now_micros))
            {
                self.defer_untried(queue_id, (index, line), recipients.into());
                continue;
            }
            match by_transport.iter_mut().find(|(other, _)| *other == index) {
                Some((_, lines)) => lines.push((line, recipients)),
                None => by_transport.push((index, vec![(line, recipients)])),
            }
        }
        for (index, lines) in by_transport {
            self.join_transport(queue_id, index, lines);
        }
    }

    fn join_transport(&mut self, queue_id: &QueueId, index: usize, lines: Joining) {
        let Some(active) = self.messages.active_of(queue_id) else {
            return;
        };
        let count: usize = lines.iter().map(|(_, recipients)| recipients.len()).sum();
        active.waiting += count;
        self.recipients += count;
        if !active.transports.contains(&index) {
            active.transports.push(index);
        }
        let transport = &mut self.transports[index];
        let most = transport.limits.recipient_limit.max(1);
        let attempts: usize = lines
            .iter()
            .map(|(_, recipients)| recipients.len().div_ceil(most))
            .sum();
        let unread = active.unread.map_or(0, |unread| unread.count);
        transport.join((active.order, queue_id), attempts + unread, lines);
    }

    /// The number of the transport, which is made known.
    fn transport_of(&mut self, name: &str) -> usize {
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        let index = self.transports.len();
        let limits = self.options.limits_of(name);
        self.transports.push(Transport::new(name.to_owned(), limits));
        self.by_name.insert(name.to_owned(), index);
        index
    }

    /// An attempt waits for a host that says nothing, or does so no longer.
    pub fn contact(&mut self, attempt: AttemptId, contact: Contact) {
        let Some(attempt) = self.attempts.get_mut(&attempt) else {
            return;
        };
        let seeks = contact == Contact::Sought;
        if std::mem::replace(&mut attempt.seeks, seeks) != seeks {
            self.transports[attempt.transport].note_contact(attempt.line, contact);
        }
    }

    /// The answer to [`Action::Deliver`]. What the destination is like now, when the attempt says something about it.
    pub fn finished(
        &mut self,
        attempt: AttemptId,
        finished: Finished<'_>,
        now_micros: i64,
    ) -> Option<Condition> {
        self.contact(attempt, Contact::Made);
        let attempt = self.attempts.remove(&attempt)?;
        self.transports[attempt.transport].in_flight -= 1;
        if let Some(active) = self.messages.active_of(&attempt.queue_id) {
            active.in_flight -= 1;
            active.some_deferred |= !finished.ends_all(&attempt.recipients);
        }
        let condition = self.take_feedback(&attempt, finished.feedback, now_micros);
        self.conclude(&attempt.queue_id, now_micros);
        condition
    }

    /// Makes all deferred messages due and forgets that destinations are dead (`postqueue -f`).
    pub fn flush_all(&mut self) {
        self.messages.wake_all();
        self.revive();
    }

    /// Forgets that destinations are dead: somebody asks for mail to be tried now.
    pub fn revive(&mut self) {
        self.transports.iter_mut().for_each(Transport::revive);
    }

    /// Makes one deferred message due; `false` when it is not deferred. That a destination is dead stays known, unless
    /// [`Scheduler::revive`] is called too (`postqueue -i`).
    pub fn flush_one(&mut self, queue_id: &QueueId) -> bool {
        let was_deferred = self.messages.leave_deferred(queue_id);
        if was_deferred {
            self.messages.make_due(queue_id.clone());
        }
        was_deferred
    }

    /// Puts a message on hold. Attempts under way end as they will. `false` when it is not known or held already.
    pub fn hold(&mut self, queue_id: &QueueId) -> bool {
        let Some(known) = self.messages.known.get_mut(queue_id) else {
            return false;
        };
        match &mut known.state {
            State::Hold => return false,
            State::Active(active) if active.hold => return false,
            State::Active(active) => {
                active.hold = true;
                active.some_deferred |= active.waiting > 0 || active.unread.is_some();
                self.forget_actions(queue_id, |action| {
                    matches!(action, Action::Load { from: 1.., .. })
                });
                self.leave_lines(queue_id);
                self.park(queue_id);
                return true;
            }
            State::Deferred(_) => {
                // A move to the deferred queue that was not carried out yet must not undo this one.
                self.forget_actions(queue_id, |action| matches!(action, Action::Defer { .. }));
                self.messages.leave_deferred(queue_id);
            }
            State::Incoming | State::Due => {}
        }
        if let Some(known) = self.messages.known.get_mut(queue_id) {
            known.state = State::Hold;
        }
        true
    }

    /// A message that was put on hold while it was active, and of which nothing is under way any more, is active no longer.
    fn park(&mut self, queue_id: &QueueId) {
        let idle = |active: &Active| active.hold && active.loading.is_none() && active.in_flight == 0;
        if self
            .messages
            .active_of(queue_id)
            .is_some_and(|active| idle(active))
            && let Some(known) = self.messages.known.get_mut(queue_id)
        {
            known.state = State::Hold;
            self.messages.active -= 1;
        }
    }

    /// Releases a message from hold; it is due at once. `false` when it is not on hold.
    pub fn release(&mut self, queue_id: &QueueId) -> bool {
        match self
            .messages
            .known
            .get_mut(queue_id)
            .map(|known| &mut known.state)
        {
            Some(State::Active(active)) if active.hold => {
                // Its attempts still run; when they end it goes the usual way again.
                active.hold = false;
                active.unread = None;
                true
            }
            Some(State::Hold) => {
                self.messages.make_due(queue_id.clone());
                true
            }
            _ => false,
        }
    }

    /// Forgets a message. Attempts under way end without consequences for it. `false` when it is not known.
    pub fn remove(&mut self, queue_id: &QueueId) -> bool {
        let asked = self.forget_actions(queue_id, |_| true);
        self.leave_lines(queue_id);
        self.messages.leave_deferred(queue_id);
        let Some(known) = self.messages.known.remove(queue_id) else {
            return asked;
        };
        if let State::Active(active) = known.state {
            self.recipients -= active.loading.unwrap_or(0);
            self.messages.active -= 1;
        }
        true
    }

    /// Takes back what was not carried out yet. Whether there was something.
    fn forget_actions(&mut self, queue_id: &QueueId, is_meant: impl Fn(&Action) -> bool) -> bool {
        let before = self.actions.len();
        let mut loads = 0;
        self.actions.retain(|action| {
            let goes = action.queue_id() == queue_id && is_meant(action);
            loads += usize::from(goes && matches!(action, Action::Load { .. }));
            !goes
        });
        if loads > 0
            && let Some(active) = self.messages.active_of(queue_id)
        {
            self.recipients -= active.loading.take().unwrap_or(0);
        }
        self.actions.len() < before
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
        let backoff = self.options.backoff;
        let longest = backoff.maximal_micros.max(backoff.minimal_micros);
        self.messages.wake(now_micros, now_micros.saturating_add(longest));
    }

    /// Destinations and transports whose rest is over go on.
    fn end_rests(&mut self, now_micros: i64) {
        while self.rests.first().is_some_and(|(until, ..)| *until <= now_micros) {
            if let Some(rest) = self.rests.pop_first() {
                self.end_rest(rest);
            }
        }
        // Nobody rests that long; somebody set the clock back.
        let limit = now_micros.saturating_add(self.options.rest_max_micros());
        while self.rests.last().is_some_and(|(until, ..)| *until > limit) {
            if let Some(rest) = self.rests.pop_last() {
                self.end_rest(rest);
            }
        }
    }

    fn end_rest(&mut self, (until, index, line): (i64, usize, Option<LineId>)) {
        let transport = &mut self.transports[index];
        let Some(id) = line else {
            transport.rests_until_micros = transport.rests_until_micros.filter(|end| *end != until);
            return;
        };
        if let Some(line) = transport.line_mut(id) {
            line.dead_until_micros = line.dead_until_micros.filter(|end| *end != until);
            line.rests_until_micros = line.rests_until_micros.filter(|end| *end != until);
        }
        transport.list(id);
        transport.forget_if_idle(id);
    }

    /// Takes the next candidate into the active queue.
    fn activate(&mut self) -> Option<Action> {
        if self.messages.active >= self.options.active_limit {
            return None;
        }
        let at_most = self.room_for_recipients();
        let (queue_id, active) = self.messages.activate()?;
        active.loading = Some(at_most);
        self.recipients += at_most;
        Some(Action::Load {
            queue_id,
            from: 0,
            at_most,
        })
    }

    /// How many recipients of one message may be resolved now.
    fn room_for_recipients(&self) -> usize {
        let room = self.options.recipient_limit.saturating_sub(self.recipients);
        room.max(self.options.recipient_minimum)
            .clamp(1, LOAD_RECIPIENTS_MAX)
    }

    /// Asks for more recipients of a message when few of it wait.
    fn refill(&mut self, queue_id: &QueueId) {
        let at_most = self.room_for_recipients();
        let few = self.options.refill_limit.min(at_most);
        let Some(active) = self.messages.active_of(queue_id) else {
            return;
        };
        let Some(unread) = active.unread.filter(|_| active.loading.is_none() && !active.hold) else {
            return;
        };
        if active.waiting > 0 && active.waiting >= few {
            return;
        }
        active.loading = Some(at_most);
        self.recipients += at_most;
        self.actions.push_back(Action::Load {
            queue_id: queue_id.clone(),
            from: unread.from,
            at_most,
        });
    }

    fn defer_untried(&mut self, queue_id: &QueueId, (index, line): (usize, LineId), recipients: Vec<u32>) {
        let transport = &self.transports[index];
        let Some(line) = transport.line(line) else { return };
        if let Some(active) = self.messages.active_of(queue_id) {
            active.some_deferred = true;
        }
        self.actions.push_back(Action::DeferUntried {
            queue_id: queue_id.clone(),
            destination: line.destination.clone(),
            recipients,
        });
    }

    /// Starts the next attempt: transports take turns.
    fn attempt(&mut self, now_micros: i64) -> Option<Action> {
        for _ in 0..self.transports.len() {
            let index = self.turn % self.transports.len();
            self.turn = index + 1;
            if let Some(next) = self.transports[index].next() {
                return self.begin(index, next, now_micros);
            }
        }
        None
    }

    fn begin(&mut self, index: usize, next: transport::Next, now_micros: i64) -> Option<Action> {
        let transport = &mut self.transports[index];
        let destination = transport.line(next.line)?.destination.clone();
        let pause = transport.limits.transport_rate_delay_micros;
        if pause > 0 {
            let until = now_micros.saturating_add(pause);
            transport.rests_until_micros = Some(until);
            self.rests.insert((until, index, None));
        }
        let count = next.recipients.len();
        self.recipients -= count;
        if let Some(active) = self.messages.active_of(&next.queue_id) {
            active.waiting -= count;
            active.in_flight += 1;
        }
        self.refill(&next.queue_id);
        let attempt = AttemptId(self.next_attempt);
        self.next_attempt += 1;
        let kept = Attempt {
            queue_id: next.queue_id.clone(),
            transport: index,
            line: next.line,
            recipients: next.recipients.clone(),
            seeks: false,
        };
        self.attempts.insert(attempt, kept);
        Some(Action::Deliver {
            attempt,
            queue_id: next.queue_id,
            destination,
            recipients: next.recipients,
        })
    }

    /// Learns from an attempt how much its destination can take.
    fn take_feedback(&mut self, attempt: &Attempt, feedback: Feedback, now_micros: i64) -> Option<Condition> {
        let (index, id) = (attempt.transport, attempt.line);
        let dead_until = now_micros.saturating_add(self.options.backoff.minimal_micros);
        let transport = &mut self.transports[index];
        let limits = transport.limits;
        let line = transport.line_mut(id)?;
        line.in_flight -= 1;
        let health = match feedback {
            Feedback::Reached => {
                line.succeeded(&limits);
                Health::Alive
            }
            Feedback::Unreachable => line.failed(&limits),
            Feedback::None => Health::Alive,
        };
        let condition = (feedback != Feedback::None).then(|| line.condition(&limits));
        if limits.rate_delay_micros > 0 {
            let until = now_micros.saturating_add(limits.rate_delay_micros);
            line.rests_until_micros = Some(until);
            self.rests.insert((until, index, Some(id)));
        }
        if health == Health::Dead {
            line.dead_until_micros = Some(dead_until);
            self.rests.insert((dead_until, index, Some(id)));
            for dismissed in transport.dismiss_line(id) {
                self.dismissed((index, id), dismissed, now_micros);
            }
        }
        let transport = &mut self.transports[index];
        transport.list(id);
        transport.forget_if_idle(id);
        condition
    }

    fn dismissed(&mut self, line: (usize, LineId), dismissed: transport::Dismissed, now_micros: i64) {
        let transport::Dismissed { queue_id, recipients } = dismissed;
        self.recipients -= recipients.len();
        if let Some(active) = self.messages.active_of(&queue_id) {
            active.waiting -= recipients.len();
        }
        self.defer_untried(&queue_id, line, recipients);
        self.conclude(&queue_id, now_micros);
    }

    /// Takes a message's recipients out of all lines.
    fn leave_lines(&mut self, queue_id: &QueueId) {
        let Some(active) = self.messages.active_of(queue_id) else {
            return;
        };
        let order = active.order;
        for index in std::mem::take(&mut active.transports) {
            let left = self.transports[index].dismiss_message(order);
            self.recipients -= left;
        }
        if let Some(active) = self.messages.active_of(queue_id) {
            active.waiting = 0;
        }
    }

    /// When nothing of the message is waiting or under way: says what becomes of it.
    fn conclude(&mut self, queue_id: &QueueId, now_micros: i64) {
        self.refill(queue_id);
        let Some(known) = self.messages.known.get_mut(queue_id) else {
            return;
        };
        let State::Active(active) = &known.state else {
            return;
        };
        if active.loading.is_some() || active.waiting > 0 || active.in_flight > 0 {
            return;
        }
        let lifetime = if active.null_sender {
            self.options.bounce_lifetime_micros
        } else {
            self.options.lifetime_micros
        };
        let arrival_micros = known.arrival_micros;
        let queue_id = queue_id.clone();
        if !active.some_deferred {
            self.forget(&queue_id);
            self.actions.push_back(Action::Done { queue_id });
        } else if active.hold {
            self.park(&queue_id);
        } else if now_micros.saturating_sub(arrival_micros) >= lifetime {
            self.forget(&queue_id);
            self.actions.push_back(Action::Expire { queue_id });
        } else {
            let backoff = self.options.backoff;
            let next_try_micros = backoff.next_try_micros(arrival_micros, now_micros);
            self.messages.active -= 1;
            self.messages.defer(&queue_id, next_try_micros);
            self.actions.push_back(Action::Defer {
                queue_id,
                next_try_micros,
            });
        }
    }

    /// An active message is over.
    fn forget(&mut self, queue_id: &QueueId) {
        self.messages.known.remove(queue_id);
        self.messages.active -= 1;
    }
}
