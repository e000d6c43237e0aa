//! What is known in memory about every message, built by replaying the log.

use std::collections::{BTreeMap, HashMap};

use envelope::{Outcome, QueueId};
use journal::{Entry as LogEntry, Position};

use super::entry::{self, Place, State};
use crate::QueueName;

/// A message.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) state: State,
    pub(super) position: Position,
    pub(super) meta_bytes: u32,
    /// What its record takes in the log.
    pub(super) record_bytes: u64,
}

/// Every message, and how much of each log segment is still needed.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) messages: HashMap<QueueId, Entry>,
    /// Octets of live message records by segment generation; no zeros.
    live: BTreeMap<u32, u64>,
    /// No record whose position is still unknown to the index is in a segment of a lower generation than this.
    confirmed: u32,
}

impl Index {
    /// Takes in a record that recovery found. `Err` says what is wrong with it.
    pub(super) fn replay(&mut self, found: &LogEntry<'_>) -> Result<(), String> {
        let what = self.apply(found);
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
        if let Some(old) = self.messages.insert(
            id,
            Entry {
                state,
                position,
                meta_bytes,
                record_bytes,
            },
        ) {
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
        let grown = position.generation > self.confirmed;
        self.confirmed = self.confirmed.max(position.generation);
        grown
    }

    /// The newest generation that a callback told of.
    pub(super) fn confirmed(&self) -> u32 {
        self.confirmed
    }

    /// Everything in segments of a generation below this is void.
    pub(super) fn void_below(&self) -> u32 {
        self.live
            .keys()
            .next()
            .map_or(self.confirmed, |oldest| self.confirmed.min(*oldest))
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
            match self
                .state
                .outcomes
                .binary_search_by_key(&recipient, |(index, _)| *index)
            {
                Ok(at) => self.state.outcomes[at].1 = outcome,
                Err(at) => self.state.outcomes.insert(at, (recipient, outcome)),
            }
        }
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
