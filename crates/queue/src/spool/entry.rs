//! What a record of the spool's log says: a message, outcomes, a move, a removal; as bytes and back.
//!
//! A message record is `u32 length of meta, meta, content` (no content when it lies in a file of its own). Numbers
//! are little endian. Limits: those of `envelope::codec`, [`ATTRIBUTES_MAX`].

use envelope::{Envelope, Outcome, QueueId, codec};

use super::Facts;
use crate::{Error, QueueName, Result};

pub(super) const KIND_MESSAGE: u16 = 1;
pub(super) const KIND_OUTCOMES: u16 = 2;
pub(super) const KIND_MOVED: u16 = 3;
pub(super) const KIND_REMOVED: u16 = 4;
pub(super) const KIND_EXPIRED: u16 = 5;
/// Empty: nothing was under way. Counts as the last record only.
pub(super) const KIND_STOPPED: u16 = 6;
/// Empty: somebody began to deliver.
pub(super) const KIND_STARTED: u16 = 7;

/// No message has more named attributes.
pub(super) const ATTRIBUTES_MAX: usize = 1000;
/// Octets in front of a message record's meta.
pub(super) const META_AT: usize = 4;

/// What the record of a removal takes in the log.
const REMOVAL_BYTES: u64 = 64;
/// What an outcome takes in a record of its own, if its texts are usual, or short.
const OUTCOME_BYTES: u64 = 256;
/// The same without the record's header.
pub(super) const OUTCOME_PAYLOAD_BYTES: usize = OUTCOME_BYTES as usize - journal::HEADER_BYTES;
/// How much of an outcome's text, and of its relay, is short. With these the above holds.
pub(super) const SHORT_TEXT_BYTES: usize = 100;
pub(super) const SHORT_RELAY_BYTES: usize = 60;

const VERSION: u8 = 1;

/// Where a message's content lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In its record, behind the meta.
    Inline,
    /// In a file named after the queue id.
    File,
}

/// What a message record says besides envelope and facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) queue: QueueName,
    pub(super) place: Place,
    pub(super) arrival_micros: i64,
    pub(super) next_try_micros: i64,
    pub(super) size_bytes: u64,
    pub(super) recipients: u32,
    /// An administrator wants it returned at its next try.
    pub(super) forced_expire: bool,
    /// By index in the envelope, ascending.
    pub(super) outcomes: Vec<(u32, Outcome)>,
}

impl State {
    /// One place for each of `recipients`; `None` was not tried yet.
    pub(super) fn outcomes_in_order(&self, recipients: usize) -> Vec<Option<Outcome>> {
        let mut all = vec![None; recipients];
        for (recipient, outcome) in &self.outcomes {
            if let Some(place) = all.get_mut(*recipient as usize) {
                *place = Some(outcome.clone());
            }
        }
        all
    }
}

/// The part of a meta that never changes: envelope and attributes, encoded.
pub(super) fn encode_fixed(envelope: &Envelope, facts: &Facts) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(256);
    codec::encode_envelope(envelope, &mut out).map_err(|_| Error::EnvelopeTooLarge)?;
    if facts.attributes.len() > ATTRIBUTES_MAX {
        return Err(Error::EnvelopeTooLarge);
    }
    put_u32(facts.attributes.len(), &mut out);
    for text in facts.attributes.iter().flat_map(|(name, value)| [name, value]) {
        put_bytes(text.as_bytes(), &mut out);
    }
    Ok(out)
}

/// The envelope and the attributes of `fixed`.
pub(super) fn decode_fixed(fixed: &[u8]) -> Option<(Envelope, Vec<(String, String)>)> {
    let (envelope, rest) = codec::decode_envelope(fixed).ok()?;
    let mut reader = Reader { bytes: rest };
    let count = reader.u32()?;
    let mut attributes = Vec::new();
    for _ in 0..count.min(ATTRIBUTES_MAX) {
        attributes.push((reader.text()?, reader.text()?));
    }
    Some((envelope, attributes))
}

/// A meta; `fixed` as [`encode_fixed`] made it.
pub(super) fn encode_meta(id: &QueueId, state: &State, fixed: &[u8], out: &mut Vec<u8>) {
    out.push(VERSION);
    out.push(queue_number(state.queue));
    out.push(u8::from(state.place == Place::File) | u8::from(state.forced_expire) << 1);
    put_i64(state.arrival_micros, out);
    put_i64(state.next_try_micros, out);
    out.extend_from_slice(&state.size_bytes.to_le_bytes());
    out.extend_from_slice(&state.recipients.to_le_bytes());
    put_bytes(id.as_str().as_bytes(), out);
    put_bytes(fixed, out);
    put_outcomes(
        state.outcomes.iter().map(|(index, outcome)| (*index, outcome)),
        out,
    );
}

/// What a meta says: id, state and the fixed part.
pub(super) fn decode_meta(meta: &[u8]) -> Option<(QueueId, State, &[u8])> {
    let mut reader = Reader { bytes: meta };
    if reader.u8()? != VERSION {
        return None;
    }
    let queue = queue_of(reader.u8()?)?;
    let bits = reader.u8()?;
    let place = if bits & 1 == 0 { Place::Inline } else { Place::File };
    let forced_expire = bits & 2 != 0;
    let (arrival_micros, next_try_micros) = (reader.i64()?, reader.i64()?);
    let size_bytes = reader.i64()?.cast_unsigned();
    let recipients = u32::try_from(reader.u32()?).ok()?;
    let id = reader.id()?;
    let fixed = reader.bytes()?;
    let outcomes = reader.outcomes()?;
    Some((
        id,
        State {
            queue,
            place,
            arrival_micros,
            next_try_micros,
            size_bytes,
            recipients,
            forced_expire,
            outcomes,
        },
        fixed,
    ))
}

/// A message record's payload up to the content.
pub(super) fn encode_head(id: &QueueId, state: &State, fixed: &[u8]) -> Vec<u8> {
    let mut out = vec![0; META_AT];
    encode_meta(id, state, fixed, &mut out);
    let length = u32::try_from(out.len() - META_AT).expect("envelopes are limited to less than 4 GiB");
    out[..META_AT].copy_from_slice(&length.to_le_bytes());
    out
}

/// The meta of a message record's payload.
pub(super) fn meta_of(payload: &[u8]) -> Option<&[u8]> {
    Reader { bytes: payload }.bytes()
}

pub(super) fn encode_outcomes(id: &QueueId, outcomes: &[(u32, &Outcome)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    put_bytes(id.as_str().as_bytes(), &mut out);
    put_outcomes(outcomes.iter().copied(), &mut out);
    out
}

pub(super) fn decode_outcomes(payload: &[u8]) -> Option<(QueueId, Vec<(u32, Outcome)>)> {
    let mut reader = Reader { bytes: payload };
    Some((reader.id()?, reader.outcomes()?))
}

/// What to reserve in the log for the outcomes of so many recipients and the removal.
pub(super) fn reserve_bytes(recipients: u64) -> u64 {
    REMOVAL_BYTES + recipients * OUTCOME_BYTES
}

pub(super) fn encode_moved(id: &QueueId, queue: QueueName, next_try_micros: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(40);
    put_bytes(id.as_str().as_bytes(), &mut out);
    out.push(queue_number(queue));
    put_i64(next_try_micros, &mut out);
    out
}

pub(super) fn decode_moved(payload: &[u8]) -> Option<(QueueId, QueueName, i64)> {
    let mut reader = Reader { bytes: payload };
    Some((reader.id()?, queue_of(reader.u8()?)?, reader.i64()?))
}

/// What a removal and a forced expiry say: which message.
pub(super) fn encode_removed(id: &QueueId) -> Vec<u8> {
    let mut out = Vec::with_capacity(24);
    put_bytes(id.as_str().as_bytes(), &mut out);
    out
}

pub(super) fn decode_removed(payload: &[u8]) -> Option<QueueId> {
    Reader { bytes: payload }.id()
}

fn queue_number(queue: QueueName) -> u8 {
    match queue {
        // What was active at a crash is incoming after it; deferred ones are written as such when they are.
        QueueName::Maildrop | QueueName::Incoming | QueueName::Active => 0,
        QueueName::Deferred => 1,
        QueueName::Hold => 2,
        QueueName::Corrupt => 3,
    }
}

fn queue_of(number: u8) -> Option<QueueName> {
    [
        QueueName::Incoming,
        QueueName::Deferred,
        QueueName::Hold,
        QueueName::Corrupt,
    ]
    .get(usize::from(number))
    .copied()
}

fn put_u32(number: usize, out: &mut Vec<u8>) {
    let number = u32::try_from(number).expect("lists and texts are limited to less than 4 Gi");
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_i64(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_u32(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn put_outcomes<'a>(outcomes: impl ExactSizeIterator<Item = (u32, &'a Outcome)>, out: &mut Vec<u8>) {
    put_u32(outcomes.len(), out);
    for (index, outcome) in outcomes {
        out.extend_from_slice(&index.to_le_bytes());
        codec::encode_outcome(outcome, out);
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u32(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    }

    fn i64(&mut self) -> Option<i64> {
        self.take(8)?
            .first_chunk()
            .map(|bytes| i64::from_le_bytes(*bytes))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = self.u32()?;
        self.take(count)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn id(&mut self) -> Option<QueueId> {
        QueueId::parse(std::str::from_utf8(self.bytes()?).ok()?)
    }

    fn outcomes(&mut self) -> Option<Vec<(u32, Outcome)>> {
        let count = self.u32()?;
        let mut outcomes = Vec::new();
        for _ in 0..count {
            let index = u32::try_from(self.u32()?).ok()?;
            let (outcome, rest) = codec::decode_outcome(self.bytes).ok()?;
            self.bytes = rest;
            outcomes.push((index, outcome));
        }
        Some(outcomes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envelope::{DeliveryResult, StatusCode};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(arrival: i64, next: i64, size: u64, forced_expire: bool, texts in prop::collection::vec(".{0,20}", 0..4)) {
            let id = QueueId::long(1_700_000_000_000_000, 5);
            let outcome = |text: &String| Outcome {
                result: DeliveryResult::Deferred,
                status: StatusCode::temporary(4, 1),
                text: text.clone(),
                relay: "none".into(),
                detail: Default::default(),
            };
            let state = State {
                queue: QueueName::Deferred,
                place: Place::File,
                arrival_micros: arrival,
                next_try_micros: next,
                size_bytes: size,
                recipients: 7,
                forced_expire,
                outcomes: texts.iter().map(outcome).zip(0..).map(|(o, i)| (i, o)).collect(),
            };
            let head = encode_head(&id, &state, b"fixed");
            prop_assert_eq!(decode_meta(meta_of(&head).unwrap()), Some((id.clone(), state.clone(), &b"fixed"[..])));
            let borrowed: Vec<(u32, &Outcome)> = state.outcomes.iter().map(|(i, o)| (*i, o)).collect();
            let outcomes = encode_outcomes(&id, &borrowed);
            prop_assert_eq!(decode_outcomes(&outcomes), Some((id.clone(), state.outcomes)));
            let moved = encode_moved(&id, QueueName::Hold, next);
            prop_assert_eq!(decode_moved(&moved), Some((id.clone(), QueueName::Hold, next)));
            prop_assert_eq!(decode_removed(&encode_removed(&id)), Some(id));
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = (decode_meta(&bytes), decode_fixed(&bytes), meta_of(&bytes));
            let _ = (decode_outcomes(&bytes), decode_moved(&bytes), decode_removed(&bytes));
        }
    }
}
