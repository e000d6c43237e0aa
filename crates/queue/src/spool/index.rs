//! What is known in memory about every message, built by replaying the log.

use std::collections::{BTreeMap, HashMap};

use envelope::{DeliveryResult, Outcome, QueueId};
use journal::{Entry as LogEntry, Position};

use super::entry::{self, Place, State};
use super::unwritten::Unwritten;
use crate::QueueName;

/// A message.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) state: State,
    pub(super) position: Position,
    pub(super) meta_bytes: u32,
    /// What its record takes in the log.
    pub(super) record_bytes: u64,
    /// Recipients that need not be tried again.
    pub(super) done: u32,
    /// What is reserved in the log for what will become of it.
    pub(super) reserved_bytes: u64,
}

/// Every message, and how much of each log segment is still needed.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) messages: HashMap<QueueId, Entry>,
    /// Octets of live message records by segment generation; no zeros.
    live: BTreeMap<u32, u64>,
    /// No record whose position is still unknown to the index is before this.
    confirmed: Position,
    /// What memory knows and the disk does not, because it could not be written.
    pub(super) unwritten: HashMap<QueueId, Unwritten>,
    /// The last record says that nothing was under way; so does an empty log.
    pub(super) stopped: bool,
}

impl Index {
    /// Takes in a record that recovery found. `Err` says what is wrong with it.
    pub(super) fn replay(&mut self, found: &LogEntry<'_>) -> Result<(), String> {
        let what = self.apply(found);
        self.confirm(found.position);
        self.stopped = found.kind == entry::KIND_STOPPED;
        let Position { generation, offset } = found.position;
        what.ok_or_else(|| format!("record {generation}.{offset} of the queue's log makes no sense"))
    }

    fn apply(&mut self, found: &LogEntry<'_>) -> Option<()> {
        match found.kind {
            entry::KIND_MESSAGE => {
                let meta = entry::meta_of(found.payload)?;
                let (id, state, _) = entry::decode_meta(meta)?;
                let meta_bytes = u32::try_from(meta.len()).ok()?;
                self.insert(id, state, found.position, meta_bytes, found.payload.len() as u64);
            }
            entry::KIND_OUTCOMES => {
                let (id, outcomes) = entry::decode_outcomes(found.payload)?;
                if let Some(message) = self.messages.get_mut(&id) {
                    message.take_outcomes(outcomes);
                }
            }
            entry::KIND_MOVED => {
                let (id, queue, next_try_micros) = entry::decode_moved(found.payload)?;
                if let Some(message) = self.messages.get_mut(&id) {
                    message.state.queue = queue;
                    message.state.next_try_micros = next_try_micros;
                }
            }
            entry::KIND_EXPIRED => {
                if let Some(message) = self.messages.get_mut(&entry::decode_removed(found.payload)?) {
                    message.state.forced_expire = true;
                }
            }
            entry::KIND_REMOVED => {
                if let Some(message) = self.messages.remove(&entry::decode_removed(found.payload)?) {
                    self.forget(message.position, message.record_bytes);
                }
            }
            entry::KIND_STOPPED | entry::KIND_STARTED => {}
            _ => return None,
        }
        Some(())
    }

    /// A message whose record is durable at `position`.
    pub(super) fn insert(
        &mut self,
        id: QueueId,
        state: State,
        position: Position,
        meta_bytes: u32,
        record_bytes: u64,
    ) {
        self.remember(position, record_bytes);
        let mut new = Entry {
            done: done_of(&state.outcomes),
            reserved_bytes: 0,
            state,
            position,
            meta_bytes,
            record_bytes,
        };
        new.reserved_bytes = new.needed_bytes(0);
        if let Some(old) = self.messages.insert(id, new) {
            self.forget(old.position, old.record_bytes);
        }
    }

    /// Counts a live record.
    pub(super) fn remember(&mut self, position: Position, record_bytes: u64) {
        *self.live.entry(position.generation).or_default() += record_bytes;
    }

    /// The record at `position` is not needed any more.
    pub(super) fn forget(&mut self, position: Position, record_bytes: u64) {
        if let Some(live) = self.live.get_mut(&position.generation) {
            *live = live.saturating_sub(record_bytes);
            if *live == 0 {
                self.live.remove(&position.generation);
            }
        }
    }

    /// A callback of the log, which come in the order of the log, told of this position. Says whether a new segment
    /// was begun.
    pub(super) fn confirm(&mut self, position: Position) -> bool {
        let grown = position.generation > self.confirmed.generation;
        self.confirmed = self.confirmed.max(position);
        grown
    }

    /// The newest generation that a callback told of.
    pub(super) fn confirmed(&self) -> u32 {
        self.confirmed.generation
    }

    /// When no message is alive: the position up to which everything is void.
    pub(super) fn void_through(&self) -> Option<Position> {
        self.live.is_empty().then_some(self.confirmed)
    }

    /// Reserves for every message, after a recovery. Returns how much that is.
    pub(super) fn reserve_all(&mut self) -> u64 {
        let messages = self.messages.values_mut();
        messages
            .map(|message| {
                message.reserved_bytes = message.needed_bytes(0);
                message.reserved_bytes
            })
            .sum()
    }

    /// Reserves anew for a message of which something was written. Returns what is reserved no longer.
    pub(super) fn settle(&mut self, id: &QueueId) -> u64 {
        let missing = self.unwritten.get(id).map_or(0, Unwritten::recipients);
        let Some(message) = self.messages.get_mut(id) else {
            return 0;
        };
        let needed = message.needed_bytes(missing).min(message.reserved_bytes);
        let before = std::mem::replace(&mut message.reserved_bytes, needed);
        before - needed
    }

    /// Everything in segments of a generation below this is void.
    pub(super) fn void_below(&self) -> u32 {
        self.live
            .keys()
            .next()
            .map_or(self.confirmed.generation, |oldest| {
                self.confirmed.generation.min(*oldest)
            })
    }

    /// Octets of live records in segments below `generation`.
    pub(super) fn live_bytes_below(&self, generation: u32) -> u64 {
        self.live.range(..generation).map(|(_, bytes)| bytes).sum()
    }
}

impl Entry {
    /// Notes outcomes; later ones replace earlier ones, and what is done stays done.
    pub(super) fn take_outcomes(&mut self, outcomes: Vec<(u32, Outcome)>) {
        for (recipient, outcome) in outcomes
            .into_iter()
            .filter(|(recipient, _)| *recipient < self.state.recipients)
        {
            let is_done = is_done(&outcome);
            let known = &mut self.state.outcomes;
            let was_done = match known.binary_search_by_key(&recipient, |(index, _)| *index) {
                Ok(at) => self::is_done(&std::mem::replace(&mut known[at].1, outcome)),
                Err(at) => {
                    known.insert(at, (recipient, outcome));
                    false
                }
            };
            self.done = self.done + u32::from(is_done) - u32::from(was_done);
        }
    }

    /// What is to be reserved in the log for what will become of it; `missing`: recipients whose outcome is known, but not
    /// written yet.
    fn needed_bytes(&self, missing: usize) -> u64 {
        let open = u64::from(self.state.recipients.saturating_sub(self.done));
        entry::reserve_bytes(open + missing as u64)
    }

    /// What became of a recipient.
    pub(super) fn outcome(&self, recipient: u32) -> Option<&Outcome> {
        let known = &self.state.outcomes;
        let at = known.binary_search_by_key(&recipient, |(index, _)| *index).ok()?;
        Some(&known[at].1)
    }

    /// Where the content starts in the record's payload.
    pub(super) fn content_at(&self) -> u64 {
        entry::META_AT as u64 + u64::from(self.meta_bytes)
    }

    /// The queue that the disk knows.
    pub(super) fn is_in_file(&self) -> bool {
        self.state.place == Place::File
    }

    /// Whether the scheduler should look at it.
    pub(super) fn queue(&self) -> QueueName {
        self.state.queue
    }
}

/// Whether a recipient need not be tried again.
pub(super) fn is_done(outcome: &Outcome) -> bool {
    outcome.result != DeliveryResult::Deferred
}

fn done_of(outcomes: &[(u32, Outcome)]) -> u32 {
    let done = outcomes.iter().filter(|(_, outcome)| is_done(outcome)).count();
    u32::try_from(done).unwrap_or(u32::MAX)
}
