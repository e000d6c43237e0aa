//! Writing batches of records: encode into one buffer, one write, one flush; seal full segments, begin new ones.

use std::sync::Arc;

use world::{Random, World};

use crate::record::{self, KIND_LOW_WATER, KIND_RESUME, KIND_SEAL, Record, Stamp};
use crate::recover::Tail;
use crate::segment::{SEGMENT_HEADER_BYTES, Segment, SegmentHeader, Segments};
use crate::{Error, Options, Position, Result};

/// Told how an append ended.
pub(crate) type Done = Box<dyn FnOnce(Result<Position>) + Send>;

/// An append that waits.
pub(crate) struct Pending {
    pub(crate) records: Vec<Record>,
    pub(crate) done: Option<Done>,
}

/// How an append ended, to be told when no lock is held.
pub(crate) type Outcome = (Done, Result<Position>);

const SEAL_BYTES: u64 = record::HEADER_BYTES as u64;
const LOW_WATER_BYTES: u64 = record::HEADER_BYTES as u64 + 8;
/// A buffer that a large batch made larger than this is given back.
const BUFFER_KEPT_BYTES: usize = 4 * 1024 * 1024;

/// The one writer of a log.
pub(crate) struct Engine {
    segments: Arc<Segments>,
    background: bool,
    current: Option<Current>,
    next_generation: u32,
    sequence: u64,
    epoch: u32,
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
    /// The writer of a log that ends at `tail`.
    pub(crate) fn new(segments: Arc<Segments>, options: &Options, tail: Option<Tail>) -> Engine {
        let current = tail.filter(|tail| !tail.sealed).and_then(|tail| {
            let segment = segments.find(tail.generation)?;
            Some(Current {
                segment,
                generation: tail.generation,
                written: tail.offset,
            })
        });
        Engine {
            segments,
            background: options.background,
            current,
            next_generation: tail.map_or(1, |tail| tail.generation + 1),
            sequence: tail.map_or(1, |tail| tail.sequence),
            epoch: tail.map_or(0, |tail| tail.epoch),
            low_water: tail.map_or(1, |tail| tail.low_water.max(1)),
            buffer: Vec::new(),
            buffered: Vec::new(),
            failed: None,
        }
    }

    /// Starts a new epoch behind what recovery found, and syncs it: what was found is durable after this, also when
    /// only the process died before and nothing had been synced.
    pub(crate) fn resume(&mut self, world: &World) -> Result<()> {
        let before = self.epoch;
        let epoch = new_epoch(&*world.random, before);
        let bytes = record::encoded_bytes(4);
        self.make_room(bytes, &mut Vec::new())?;
        self.epoch = epoch;
        self.put(KIND_RESUME, &before.to_le_bytes());
        self.write_out(&mut Vec::new());
        self.failed
            .clone()
            .map_or(Ok(()), |error| Err(Error::Closed(error)))
    }

    /// Writes and syncs all of `batch`; says how each append ended, in order. `low_water`: segments below this
    /// generation are not needed any more.
    pub(crate) fn commit(&mut self, batch: Vec<Pending>, low_water: u32) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(batch.len());
        let low_water = low_water.min(self.current.as_ref().map_or(0, |current| current.generation));
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
                here.offset + LOW_WATER_BYTES + SEAL_BYTES <= current.segment.size_bytes
            }
            _ => false,
        };
        let room =
            self.failed.is_none() && (there_is_room || self.make_room(LOW_WATER_BYTES, outcomes).is_ok());
        if room {
            self.put(KIND_LOW_WATER, &low_water.to_le_bytes());
            self.low_water = low_water;
        }
        room
    }

    fn take(&mut self, pending: Pending, outcomes: &mut Vec<Outcome>) {
        let bytes = pending
            .records
            .iter()
            .map(|record| record::encoded_bytes(record.payload.len()))
            .sum();
        let room = if pending.records.is_empty() {
            Ok(())
        } else {
            self.make_room(bytes, outcomes)
        };
        if let Err(error) = room {
            outcomes.extend(pending.done.map(|done| (done, Err(error))));
            return;
        }
        let mut first = None;
        for record in &pending.records {
            let position = self.put(record.kind, &record.payload);
            first.get_or_insert(position);
        }
        let position = first.or_else(|| self.here());
        if let Some(position) = position {
            self.buffered.push((pending.done, position));
        }
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
        here.offset + bytes + LOW_WATER_BYTES + SEAL_BYTES <= current.segment.size_bytes
    }

    /// Begins a new segment unless the current one has room; then what is buffered is written first.
    fn make_room(&mut self, bytes: u64, outcomes: &mut Vec<Outcome>) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(Error::Closed(error.clone()));
        }
        if self.fits(bytes) {
            return Ok(());
        }
        let room = self.begin_segment(bytes, outcomes);
        if let Some(error) = &self.failed {
            return Err(Error::Closed(error.clone()));
        }
        room
    }

    /// Seals the current segment and begins another.
    fn begin_segment(&mut self, bytes: u64, outcomes: &mut Vec<Outcome>) -> Result<()> {
        let segment = self
            .segments
            .take_ready(self.background)
            .map_err(|error| match error {
                full @ world::Error::Full { .. } => Error::Full(full),
                other => Error::Disk(other),
            })?;
        if SEGMENT_HEADER_BYTES + bytes + LOW_WATER_BYTES + SEAL_BYTES > segment.size_bytes {
            self.segments.give_back(segment);
            return Err(Error::TooLarge { bytes });
        }
        if self.current.is_some() {
            self.put(KIND_SEAL, &[]);
            self.write_out(outcomes);
            if self.failed.is_some() {
                return Ok(());
            }
        }
        let generation = self.next_generation;
        self.next_generation += 1;
        let header = SegmentHeader {
            generation,
            epoch: self.epoch,
            first_sequence: self.sequence,
            size_bytes: segment.size_bytes,
            low_water: self.low_water,
        };
        let segment = self.segments.begin(generation, segment);
        self.buffer.extend_from_slice(&header.encode());
        self.current = Some(Current {
            segment,
            generation,
            written: 0,
        });
        Ok(())
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
