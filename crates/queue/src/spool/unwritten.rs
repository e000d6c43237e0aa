//! What became of messages, on its way to the disk: appended without anybody waiting; what could not be written is
//! remembered, and the message's state of then is written again, so that nothing old can overtake something new.
//!
//! Outcomes that end a recipient, and removals, may have the room that was reserved for them when the message was
//! accepted; deferrals, which come again and again, may not: losing one costs an earlier try.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use envelope::{Outcome, QueueId};
use journal::{Journal, Position, Record, Room};

use super::index::{self, is_done};
use super::{Inner, Notice, entry};
use crate::{Error, Result};

/// How many messages are written again at a time.
const AGAIN_MAX: usize = 256;

/// What of a message could not be written.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// Some of its state.
    Changed(Change),
    /// That it is not there any more. What was known of it then.
    Removed(Box<index::Entry>),
}

/// A part of a message's state.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// The outcomes of these.
    pub(super) recipients: Vec<u32>,
    /// Its queue and next try.
    pub(super) moved: bool,
    /// That it is to be returned at its next try.
    pub(super) expired: bool,
}

impl Unwritten {
    /// How many recipients' outcomes are missing.
    pub(super) fn recipients(&self) -> usize {
        match self {
            Unwritten::Changed(change) => change.recipients.len(),
            Unwritten::Removed(_) => 0,
        }
    }
}

impl Inner {
    /// Appends a part of a message's state of now. The index is locked by the caller, so that records come in order.
    pub(super) fn note(self: &Arc<Inner>, index: &index::Index, id: &QueueId, change: Change) -> Result<()> {
        let log = self.log()?;
        let Some(message) = index.messages.get(id) else {
            return Ok(());
        };
        let state = &message.state;
        let known = change.recipients.into_iter();
        let known = known.filter_map(|recipient| Some((recipient, message.outcome(recipient)?)));
        let (done, deferred): (Vec<(u32, &Outcome)>, Vec<_>) =
            known.partition(|(_, outcome)| is_done(outcome));
        for (outcomes, is_end) in [(done, true), (deferred, false)] {
            if outcomes.is_empty() {
                continue;
            }
            let record = Record {
                kind: entry::KIND_OUTCOMES,
                payload: entry::encode_outcomes(id, &outcomes),
            };
            let room = if is_end {
                room_of_end(id, &outcomes, record.payload.len())
            } else {
                Room::Free
            };
            let change = Change {
                recipients: outcomes.iter().map(|(recipient, _)| *recipient).collect(),
                ..Change::default()
            };
            log.append_lazily(vec![record], room, self.noted(id, change));
        }
        if change.moved {
            let record = Record {
                kind: entry::KIND_MOVED,
                payload: entry::encode_moved(id, state.queue, state.next_try_micros),
            };
            let change = Change {
                moved: true,
                ..Change::default()
            };
            log.append_lazily(vec![record], Room::Free, self.noted(id, change));
        }
        if change.expired {
            let record = Record {
                kind: entry::KIND_EXPIRED,
                payload: entry::encode_removed(id),
            };
            let change = Change {
                expired: true,
                ..Change::default()
            };
            log.append_lazily(vec![record], Room::Free, self.noted(id, change));
        }
        Ok(())
    }

    /// What to do when the log says how a change fared.
    fn noted(
        self: &Arc<Inner>,
        id: &QueueId,
        change: Change,
    ) -> impl FnOnce(journal::Result<Position>) + Send + use<> {
        let (owner, id) = (Arc::downgrade(self), id.clone());
        move |result| {
            let Some(owner) = owner.upgrade() else { return };
            let mut index = owner.lock_index();
            match result {
                Ok(position) => {
                    let grown = index.confirm(position);
                    let freed = index.settle(&id);
                    drop(index);
                    owner.unreserve(freed);
                    if grown {
                        owner.wake_up();
                    }
                }
                Err(error) => {
                    // Of a message that was removed meanwhile nothing else matters.
                    if index.messages.contains_key(&id) {
                        index.missed(id, change);
                    }
                    drop(index);
                    owner.failed(&error.into());
                }
            }
        }
    }

    /// Appends that a message is not there any more. The index, which does not have it any more, is locked by the caller.
    pub(super) fn note_removal(self: &Arc<Inner>, id: &QueueId, message: Box<index::Entry>) -> Result<()> {
        let record = Record {
            kind: entry::KIND_REMOVED,
            payload: entry::encode_removed(id),
        };
        let (owner, id) = (Arc::downgrade(self), id.clone());
        self.log()?
            .append_lazily(vec![record], Room::Reserved, move |result| {
                let Some(owner) = owner.upgrade() else { return };
                match result {
                    Ok(position) => owner.removed(&id, &message, position),
                    Err(error) => {
                        owner
                            .lock_index()
                            .unwritten
                            .insert(id, Unwritten::Removed(message));
                        owner.failed(&error.into());
                    }
                }
            });
        Ok(())
    }

    /// Something could not be written. It will be tried again; the first time somebody is told.
    fn failed(&self, error: &Error) {
        if !self.troubled.swap(true, Ordering::Relaxed) {
            self.tell(&Notice::Unwritten(error.to_string()));
        }
        self.wake_up();
    }

    /// Writes again what could not be written, as long as that helps.
    ///
    /// # Errors
    /// [`Error::Unwritten`]; [`Error::Stopped`] when the log fails just then.
    pub(super) fn write_again(self: &Arc<Inner>) -> Result<()> {
        loop {
            let before = self.lock_index().missing();
            if before == 0 {
                break;
            }
            if self.log()?.failure().is_some() {
                return Err(self.unwritten());
            }
            self.write_some_again()?;
            self.log()?.sync()?;
            if self.lock_index().missing() >= before {
                return Err(self.unwritten());
            }
        }
        if self.troubled.swap(false, Ordering::Relaxed) {
            self.tell(&Notice::Written);
        }
        Ok(())
    }

    fn write_some_again(self: &Arc<Inner>) -> Result<()> {
        let mut index = self.lock_index();
        let mut ids: Vec<(bool, QueueId)> = index
            .unwritten
            .iter()
            .map(|(id, what)| (!index.may_have_reserve(id, what), id.clone()))
            .collect();
        // First what there is room for.
        ids.sort_unstable();
        ids.truncate(AGAIN_MAX);
        for (_, id) in ids {
            match index.unwritten.remove(&id) {
                Some(Unwritten::Changed(change)) => self.note(&index, &id, change)?,
                Some(Unwritten::Removed(message)) => self.note_removal(&id, message)?,
                None => {}
            }
        }
        Ok(())
    }

    /// The error that something is still not written. Deferrals do not count: what they say is found out again.
    pub(super) fn unwritten(&self) -> Error {
        let messages = {
            let index = self.lock_index();
            let unwritten = index.unwritten.iter();
            unwritten
                .filter(|(id, what)| index.may_have_reserve(id, what))
                .count()
        };
        let why = match self.log().ok().and_then(Journal::failure) {
            Some(failure) => failure.to_string(),
            None => "the disk is full".to_owned(),
        };
        Error::Unwritten { messages, why }
    }

    pub(super) fn unreserve(&self, bytes: u64) {
        if let (Ok(log), true) = (self.log(), bytes > 0) {
            log.unreserve(bytes);
        }
    }
}

/// The room that the record of outcomes that end recipients may have: the reserve; but when they say more than was reckoned
/// with, the reserve is for their first words.
fn room_of_end(id: &QueueId, outcomes: &[(u32, &Outcome)], payload_bytes: usize) -> Room {
    if payload_bytes <= outcomes.len() * entry::OUTCOME_PAYLOAD_BYTES {
        return Room::Reserved;
    }
    let cut = |text: &str, bytes: usize| text[..text.floor_char_boundary(bytes)].to_owned();
    let short: Vec<(u32, Outcome)> = outcomes
        .iter()
        .map(|(recipient, outcome)| {
            let outcome = Outcome {
                text: cut(&outcome.text, entry::SHORT_TEXT_BYTES),
                relay: cut(&outcome.relay, entry::SHORT_RELAY_BYTES),
                detail: Default::default(),
                ..(*outcome).clone()
            };
            (*recipient, outcome)
        })
        .collect();
    let short: Vec<(u32, &Outcome)> = short.iter().map(|(index, outcome)| (*index, outcome)).collect();
    Room::Shorter(vec![Record {
        kind: entry::KIND_OUTCOMES,
        payload: entry::encode_outcomes(id, &short),
    }])
}

impl index::Index {
    /// A change that could not be written.
    fn missed(&mut self, id: QueueId, change: Change) {
        let known = self
            .unwritten
            .entry(id)
            .or_insert_with(|| Unwritten::Changed(Change::default()));
        if let Unwritten::Changed(known) = known {
            known.recipients.extend(change.recipients);
            known.recipients.sort_unstable();
            known.recipients.dedup();
            known.moved |= change.moved;
            known.expired |= change.expired;
        }
    }

    /// Whether some of it may have the reserve.
    fn may_have_reserve(&self, id: &QueueId, what: &Unwritten) -> bool {
        match what {
            Unwritten::Removed(_) => true,
            Unwritten::Changed(change) => self.messages.get(id).is_some_and(|message| {
                let mut recipients = change.recipients.iter();
                recipients.any(|recipient| message.outcome(*recipient).is_some_and(is_done))
            }),
        }
    }

    /// How much is not written, in a measure that gets smaller with everything that is.
    fn missing(&self) -> usize {
        let weight = |(id, what): (&QueueId, &Unwritten)| 1 + usize::from(self.may_have_reserve(id, what));
        self.unwritten.iter().map(weight).sum()
    }
}
