//! Writing batches of records: encode into one buffer, one write, one flush; seal full segments, begin new ones.

use std::sync::Arc;

use world::{Random, World};

use crate::pool::Segments;
use crate::record::{self, KIND_LOW_WATER, KIND_RESUME, KIND_SEAL, Record, Stamp};
use crate::recover::Found;
use crate::segment::{
    KEPT_BYTES, LOW_WATER_BYTES, RESUME_BYTES, SEGMENT_HEADER_BYTES, Segment, SegmentHeader, usable_bytes,
};
use crate::{Error, Options, Position, Result, Room};

/// Told how an append ended.
pub(crate) type Done = Box<dyn FnOnce(Result<Position>) + Send>;

/// An append that waits.
pub(crate) struct Pending {
    pub(crate) records: Vec<Record>,
    pub(crate) room: Room,
    pub(crate) done: Option<Done>,
}

/// How an append ended, to be told when no lock is held.
pub(crate) type Outcome = (Done, Result<Position>);

/// What a caller said is not needed any more.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Released {
    /// Segments below this generation.
    pub(crate) below: u32,
    /// Every record up to here, also in the segment that is being written.
    pub(crate) through: Option<Position>,
}

/// A buffer that a large batch made larger than this is given back.
const BUFFER_KEPT_BYTES: usize = 4 * 1024 * 1024;

/// The one writer of a log.
pub(crate) struct Engine {
    segments: Arc<Segments>,
    /// The segment in which recovery found the end, until it is certain that all of it is on disk.
    found_last: Option<Arc<Segment>>,
    background: bool,
    current: Option<Current>,
    next_generation: u32,
    sequence: u64,
    epoch: u32,
    /// The epoch that has to begin before anything is written.
    resume: Option<u32>,
    /// The last record of a caller.
    last: Option<Position>,
    released: Option<Position>,
    /// The highest mark put into the log; in the buffer perhaps, but a new segment is begun only after that is synced.
    low_water: u32,
    buffer: Vec<u8>,
    /// Appends whose records are in `buffer`.
    buffered: Vec<(Option<Done>, Position)>,
    failed: Option<world::Error>,
}

struct Current {
    segment: Arc<Segment>,
    generation: u32,
    /// Where `buffer` will be written.
    written: u64,
}

impl Engine {
    /// The writer of a log that was found like this.
    pub(crate) fn new(segments: Arc<Segments>, options: &Options, found: &Found) -> Engine {
        let tail = found.tail;
        let current = tail.filter(|tail| !tail.sealed).and_then(|tail| {
            let segment = segments.find(tail.generation)?;
            Some(Current {
                segment,
                generation: tail.generation,
                written: tail.offset,
            })
        });
        let found_last = tail.and_then(|tail| segments.find(tail.generation));
        Engine {
            segments,
            found_last,
            background: options.background,
            current,
            next_generation: tail.map_or(1, |tail| tail.generation + 1),
            sequence: tail.map_or(1, |tail| tail.sequence),
            epoch: tail.map_or(0, |tail| tail.epoch),
            resume: None,
            last: found.last,
            released: None,
            low_water: tail.map_or(1, |tail| tail.low_water.max(1)),
            buffer: Vec::new(),
            buffered: Vec::new(),
            failed: None,
        }
    }

    /// Starts a new epoch behind what recovery found, and syncs it: what was found is durable after this, also when
    /// only the process died before and nothing had been synced. Where the disk is too full for that, the epoch
    /// starts with the next segment, and until there is one nothing is written.
    pub(crate) fn resume(&mut self, world: &World) -> Result<()> {
        self.resume = Some(new_epoch(&*world.random, self.epoch));
        let in_place = match (&self.current, self.here()) {
            (Some(current), Some(here)) => {
                here.offset + RESUME_BYTES + KEPT_BYTES <= current.segment.size_bytes
            }
            _ => false,
        };
        if in_place {
            self.put_resume();
        } else {
            // What was found at the end may never have been synced, and nothing more is written there: not when it is
            // sealed, for example.
            if let Some(last) = self.found_last.take() {
                last.file.sync_data()?;
            }
            match self.begin_segment(0, 0, &mut Vec::new()) {
                Err(Error::Full { .. }) => return Ok(()),
                other => other?,
            }
        }
        self.found_last = None;
        self.write_out(&mut Vec::new());
        self.failed
            .clone()
            .map_or(Ok(()), |error| Err(Error::Closed(error)))
    }

    /// Begins the epoch that has to begin; there is room for it.
    fn put_resume(&mut self) {
        if let Some(epoch) = self.resume.take() {
            let before = std::mem::replace(&mut self.epoch, epoch);
            self.put(KIND_RESUME, &before.to_le_bytes());
        }
    }

    /// Writes and syncs all of `batch`; says how each append ended, in order.
    pub(crate) fn commit(&mut self, batch: Vec<Pending>, released: Released) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(batch.len());
        self.released = self.released.max(released.through);
        let low_water = released
            .below
            .min(self.current.as_ref().map_or(0, |current| current.generation));
        let raised = low_water > self.low_water && self.put_low_water(low_water, &mut outcomes);
        for pending in batch {
            self.take(pending, &mut outcomes);
        }
        self.write_out(&mut outcomes);
        if raised && self.failed.is_none() {
            self.segments.recycle_below(low_water);
        }
        if self.buffer.capacity() > BUFFER_KEPT_BYTES {
            self.buffer = Vec::new();
        }
        outcomes
    }

    /// Whether another thread makes segments from now on.
    pub(crate) fn set_background(&mut self, background: bool) {
        self.background = background;
    }

    /// Why nothing can be written any more, if so.
    pub(crate) fn failure(&self) -> Option<&world::Error> {
        self.failed.as_ref()
    }

    /// Notes that older segments are void. Uses the room kept for it, so that a full disk cannot prevent it.
    fn put_low_water(&mut self, low_water: u32, outcomes: &mut Vec<Outcome>) -> bool {
        let there_is_room = match (&self.current, self.here()) {
            (Some(current), Some(here)) => {
                self.resume.is_none() && here.offset + KEPT_BYTES <= current.segment.size_bytes
            }
            _ => false,
        };
        let room = self.failed.is_none()
            && (there_is_room || self.make_room(LOW_WATER_BYTES, &Room::Reserved, outcomes).is_ok());
        if room {
            // Making room may have raised it further.
            self.low_water = self.low_water.max(low_water);
            self.put(KIND_LOW_WATER, &self.low_water.to_le_bytes());
        }
        room
    }

    fn take(&mut self, mut pending: Pending, outcomes: &mut Vec<Outcome>) {
        let mut room = self.make_room_for(&pending.records, &pending.room, outcomes);
        if let (Err(Error::Full { .. }), Room::Shorter(instead)) = (&room, &mut pending.room) {
            pending.records = std::mem::take(instead);
            room = self.make_room_for(&pending.records, &Room::Reserved, outcomes);
        }
        if let Err(error) = room {
            outcomes.extend(pending.done.map(|done| (done, Err(error))));
            return;
        }
        let mut first = None;
        for record in &pending.records {
            let position = self.put(record.kind, &record.payload);
            first.get_or_insert(position);
            self.last = Some(position);
        }
        let position = first.or_else(|| self.here()).unwrap_or(Position {
            generation: self.next_generation,
            offset: 0,
        });
        self.buffered.push((pending.done, position));
    }

    fn make_room_for(&mut self, records: &[Record], room: &Room, outcomes: &mut Vec<Outcome>) -> Result<()> {
        let sizes = records
            .iter()
            .map(|record| record::encoded_bytes(record.payload.len()));
        if records.is_empty() {
            return Ok(());
        }
        self.make_room(sizes.sum(), room, outcomes)
    }

    /// The position of the next record.
    fn here(&self) -> Option<Position> {
        let current = self.current.as_ref()?;
        Some(Position {
            generation: current.generation,
            offset: current.written + self.buffer.len() as u64,
        })
    }

    /// Puts a record into the buffer; there is room for it.
    fn put(&mut self, kind: u16, payload: &[u8]) -> Position {
        let position = self.here().expect("make_room began a segment");
        let stamp = Stamp {
            generation: position.generation,
            epoch: self.epoch,
            sequence: self.sequence,
        };
        record::encode(kind, payload, stamp, &mut self.buffer);
        self.sequence += 1;
        position
    }

    fn fits(&self, bytes: u64) -> bool {
        let (Some(current), Some(here)) = (&self.current, self.here()) else {
            return false;
        };
        self.resume.is_none() && here.offset.saturating_add(bytes) + KEPT_BYTES <= current.segment.size_bytes
    }

    /// Begins a new segment unless the current one has room; then what is buffered is written first. When the disk is
    /// full and nothing in the log is needed, the current one is begun anew.
    fn make_room(&mut self, bytes: u64, room: &Room, outcomes: &mut Vec<Outcome>) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(Error::Closed(error.clone()));
        }
        let reserve = match room {
            Room::Free | Room::Shorter(_) => self.segments.reserve_bytes(),
            Room::Reserved => 0,
        };
        if *room != Room::Reserved && self.is_worn() {
            self.begin_again(bytes.saturating_add(reserve), outcomes);
        }
        if self.fits(bytes.saturating_add(reserve)) {
            return Ok(());
        }
        let room = if self.fits(bytes) {
            self.keep_reserve(bytes, reserve)
        } else {
            self.begin_segment(bytes, reserve, outcomes)
        };
        let room = match room {
            Err(Error::Full { .. }) if self.begin_again(bytes.saturating_add(reserve), outcomes) => Ok(()),
            other => other,
        };
        if let Some(error) = &self.failed {
            return Err(Error::Closed(error.clone()));
        }
        room
    }

    /// Whether half of the current segment is used up, for nothing that is needed, and no other is in sight.
    fn is_worn(&self) -> bool {
        let half = |current: &Current| current.written > current.segment.size_bytes / 2;
        self.last <= self.released && self.current.as_ref().is_some_and(half) && self.segments.is_exhausted()
    }

    /// Makes sure that `reserve` octets are left, here and in ready segments, after `bytes` more in this one.
    fn keep_reserve(&self, bytes: u64, reserve: u64) -> Result<()> {
        let left = match (&self.current, self.here()) {
            (Some(current), Some(here)) => current
                .segment
                .size_bytes
                .saturating_sub(here.offset + bytes + KEPT_BYTES),
            _ => 0,
        };
        self.segments
            .keep_room(reserve.saturating_sub(left), self.background)
    }

    /// Seals the current segment and begins another.
    fn begin_segment(&mut self, bytes: u64, reserve: u64, outcomes: &mut Vec<Outcome>) -> Result<()> {
        let segment = self.segments.take_ready(bytes, reserve, self.background)?;
        if self.current.is_some() {
            self.put(KIND_SEAL, &[]);
            self.write_out(outcomes);
            if self.failed.is_some() {
                return Ok(());
            }
        }
        let generation = self.next_generation;
        let header = self.header(generation, segment.size_bytes);
        self.buffer.extend_from_slice(&header.encode());
        self.enter(generation, segment, 0);
        Ok(())
    }

    /// Begins the current segment anew when everything in it, and so in the log, is void. Its header fits into a
    /// sector and is synced before anything else is overwritten: a crash finds either the old records or none.
    fn begin_again(&mut self, bytes: u64, outcomes: &mut Vec<Outcome>) -> bool {
        let fits = |current: &Current| usable_bytes(current.segment.size_bytes) >= bytes;
        if self.last > self.released || !self.current.as_ref().is_some_and(fits) {
            return false;
        }
        self.write_out(outcomes);
        if self.failed.is_some() {
            return false;
        }
        let Some(Current {
            generation: old,
            segment,
            written,
        }) = self.current.take()
        else {
            return false;
        };
        drop(segment);
        let Some(segment) = self.segments.take_back(old) else {
            // Somebody still reads it.
            self.current = self.segments.find(old).map(|segment| Current {
                segment,
                generation: old,
                written,
            });
            return false;
        };
        let generation = self.next_generation;
        self.low_water = generation;
        let header = self.header(generation, segment.size_bytes).encode();
        let begun = segment
            .file
            .write_all_at(&header, 0)
            .and_then(|()| segment.file.sync_data());
        self.enter(generation, segment, SEGMENT_HEADER_BYTES);
        match begun {
            Ok(()) => self.segments.recycle_below(generation),
            Err(error) => self.failed = Some(error),
        }
        self.failed.is_none()
    }

    fn header(&self, generation: u32, size_bytes: u64) -> SegmentHeader {
        SegmentHeader {
            generation,
            epoch: self.epoch,
            first_sequence: self.sequence,
            size_bytes,
            low_water: self.low_water,
        }
    }

    /// Goes on in a segment from where its header, and perhaps nothing yet, is written.
    fn enter(&mut self, generation: u32, segment: Segment, written: u64) {
        self.next_generation = generation + 1;
        let segment = self.segments.begin(generation, segment);
        self.current = Some(Current {
            segment,
            generation,
            written,
        });
        self.put_resume();
    }

    /// Writes and syncs the buffer.
    fn write_out(&mut self, outcomes: &mut Vec<Outcome>) {
        let result = match (&self.failed, &mut self.current) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(current)) if !self.buffer.is_empty() => {
                let file = &current.segment.file;
                let written = file
                    .write_all_at(&self.buffer, current.written)
                    .and_then(|()| file.sync_data());
                current.written += self.buffer.len() as u64;
                written
            }
            (None, _) => Ok(()),
        };
        self.buffer.clear();
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        for (done, position) in self.buffered.drain(..) {
            let result = result.clone().map(|()| position).map_err(Error::Closed);
            outcomes.extend(done.map(|done| (done, result)));
        }
    }
}

/// An epoch that is not the one before, and not zero, which is none.
fn new_epoch(random: &dyn Random, before: u32) -> u32 {
    let epoch = u32::try_from(random.next_u64() >> 32).unwrap_or(1);
    if epoch == before || epoch == 0 {
        before.wrapping_add(1).max(1)
    } else {
        epoch
    }
}
