//! What the scheduler knows of each message, and which one becomes active next.

use std::collections::{BTreeSet, HashMap, VecDeque};

use envelope::QueueId;

use super::Unread;
use super::line::Order;

/// A message.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) arrival_micros: i64,
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) enum State {
    Incoming,
    Due,
    Deferred(i64),
    Hold,
    Active(Box<Active>),
}

/// A message in the active queue.
#[derive(Debug, Default)]
pub(super) struct Active {
    /// Its place in the order in which messages became active.
    pub(super) order: Order,
    /// Recipients are being resolved; so many were asked for.
    pub(super) loading: Option<usize>,
    pub(super) null_sender: bool,
    /// Recipients in destinations' lines.
    pub(super) waiting: usize,
    /// Attempts under way.
    pub(super) in_flight: usize,
    /// Recipients that were not looked at yet.
    pub(super) unread: Option<Unread>,
    pub(super) some_deferred: bool,
    /// Put on hold meanwhile.
    pub(super) hold: bool,
    /// The transports in whose lines it may be.
    pub(super) transports: Vec<usize>,
}

/// All messages by the queue they are in.
#[derive(Debug, Default)]
pub(super) struct Messages {
    pub(super) known: HashMap<QueueId, Known>,
    /// Candidates for activation; entries whose message has moved on are skipped when they come up.
    incoming: VecDeque<QueueId>,
    due: VecDeque<QueueId>,
    /// By time of the next try.
    deferred: BTreeSet<(i64, QueueId)>,
    incoming_was_last: bool,
    pub(super) active: usize,
    next_order: Order,
}

impl Messages {
    pub(super) fn active_of(&mut self, queue_id: &QueueId) -> Option<&mut Active> {
        match &mut self.known.get_mut(queue_id)?.state {
            State::Active(active) => Some(active),
            _ => None,
        }
    }

    fn know(&mut self, queue_id: QueueId, arrival_micros: i64, state: State) {
        let known = Known {
            arrival_micros,
            state,
        };
        self.known.insert(queue_id, known);
    }

    pub(super) fn add_incoming(&mut self, queue_id: QueueId, arrival_micros: i64) {
        self.incoming.push_back(queue_id.clone());
        self.know(queue_id, arrival_micros, State::Incoming);
    }

    pub(super) fn add_deferred(&mut self, queue_id: QueueId, arrival_micros: i64, next_try_micros: i64) {
        self.deferred.insert((next_try_micros, queue_id.clone()));
        self.know(queue_id, arrival_micros, State::Deferred(next_try_micros));
    }

    pub(super) fn add_held(&mut self, queue_id: QueueId, arrival_micros: i64) {
        self.know(queue_id, arrival_micros, State::Hold);
    }

    /// A message of the active queue is to be tried again then.
    pub(super) fn defer(&mut self, queue_id: &QueueId, next_try_micros: i64) {
        if let Some(known) = self.known.get_mut(queue_id) {
            known.state = State::Deferred(next_try_micros);
            self.deferred.insert((next_try_micros, queue_id.clone()));
        }
    }

    /// It waits in the deferred queue no longer.
    pub(super) fn leave_deferred(&mut self, queue_id: &QueueId) -> bool {
        let Some(Known {
            state: State::Deferred(next),
            ..
        }) = self.known.get(queue_id)
        else {
            return false;
        };
        self.deferred.remove(&(*next, queue_id.clone()))
    }

    pub(super) fn make_due(&mut self, queue_id: QueueId) {
        if let Some(known) = self.known.get_mut(&queue_id) {
            known.state = State::Due;
            self.due.push_back(queue_id);
        }
    }

    /// Makes those due that are to be tried at `now_micros` or before, and those whose time is after `limit_micros`: no wait is
    /// that long, so it was written before somebody set the clock back.
    pub(super) fn wake(&mut self, now_micros: i64, limit_micros: i64) {
        while self.deferred.first().is_some_and(|(next, _)| *next <= now_micros) {
            if let Some((_, queue_id)) = self.deferred.pop_first() {
                self.make_due(queue_id);
            }
        }
        while self.deferred.last().is_some_and(|(next, _)| *next > limit_micros) {
            if let Some((_, queue_id)) = self.deferred.pop_last() {
                self.make_due(queue_id);
            }
        }
    }

    pub(super) fn wake_all(&mut self) {
        for (_, queue_id) in std::mem::take(&mut self.deferred) {
            self.make_due(queue_id);
        }
    }

    pub(super) fn any_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// Takes the next candidate into the active queue, alternately a new and a deferred one.
    pub(super) fn activate(&mut self) -> Option<(QueueId, &mut Active)> {
        let known = &self.known;
        let skip = |candidates: &mut VecDeque<QueueId>, is_candidate: fn(&State) -> bool| {
            while let Some(first) = candidates.front()
                && !known.get(first).is_some_and(|known| is_candidate(&known.state))
            {
                candidates.pop_front();
            }
        };
        skip(&mut self.incoming, |state| matches!(state, State::Incoming));
        skip(&mut self.due, |state| matches!(state, State::Due));
        let from_due = self.incoming.is_empty() || (self.incoming_was_last && !self.due.is_empty());
        let queue_id = if from_due {
            self.due.pop_front()?
        } else {
            self.incoming.pop_front()?
        };
        self.incoming_was_last = !from_due;
        self.active += 1;
        let active = Active {
            order: self.next_order,
            ..Active::default()
        };
        self.next_order += 1;
        self.known.get_mut(&queue_id)?.state = State::Active(Box::new(active));
        let active = self.active_of(&queue_id.clone())?;
        // The borrow of the map is of `active` alone.
        Some((queue_id, active))
    }
}
