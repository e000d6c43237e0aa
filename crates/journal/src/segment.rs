//! Segments: files of fixed size, their header, and the pool of those ready for use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use world::{Disk, DiskFile, OpenMode};

use crate::{Options, Position, Result, record};

/// The size of a segment's header; records start behind it.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 64;

/// How many zeros are written between two flushes; many at once would hold up the commits meanwhile.
const FILL_BYTES: u64 = 4 * 1024 * 1024;
const MAGIC: &[u8; 8] = b"YUBINLG1";

/// A segment file.
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) size_bytes: u64,
}

/// What the first octets of a segment in use say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) generation: u32,
    pub(crate) epoch: u32,
    pub(crate) first_sequence: u64,
    pub(crate) size_bytes: u64,
    pub(crate) low_water: u32,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES as usize] {
        let mut out = [0; SEGMENT_HEADER_BYTES as usize];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&self.generation.to_le_bytes());
        out[12..16].copy_from_slice(&self.epoch.to_le_bytes());
        out[16..24].copy_from_slice(&self.first_sequence.to_le_bytes());
        out[24..32].copy_from_slice(&self.size_bytes.to_le_bytes());
        out[32..36].copy_from_slice(&self.low_water.to_le_bytes());
        let crc = crc32c::crc32c(&out[..60]);
        out[60..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES as usize]) -> Option<SegmentHeader> {
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        if &bytes[..8] != MAGIC || u32_at(60) != crc32c::crc32c(&bytes[..60]) {
            return None;
        }
        Some(SegmentHeader {
            generation: u32_at(8),
            epoch: u32_at(12),
            first_sequence: u64_at(16),
            size_bytes: u64_at(24),
            low_water: u32_at(32),
        })
    }
}

/// A record that stays readable, even when the log releases its segment.
#[derive(Clone)]
pub struct Pinned {
    pub(crate) segment: Arc<Segment>,
    pub(crate) payload_at: u64,
    pub(crate) payload_bytes: usize,
}

impl Pinned {
    /// The payload's size.
    pub fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// Reads of the payload at `offset`; fewer octets than asked for only at its end. Not checked against the checksum.
    ///
    /// # Errors
    /// [`crate::Error::Disk`].
    pub fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<usize> {
        let left = (self.payload_bytes as u64).saturating_sub(offset);
        let n = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        Ok(self
            .segment
            .file
            .read_at(&mut bytes[..n], self.payload_at + offset)?)
    }
}

impl Segment {
    /// Pins the record at `position`.
    pub(crate) fn pin(self: &Arc<Segment>, position: Position) -> Result<(Pinned, record::Header)> {
        let mut bytes = [0; record::HEADER_BYTES];
        let n = self.file.read_at(&mut bytes, position.offset)?;
        let damaged = crate::Error::Damaged { position };
        let header = record::header(&bytes[..n]).ok_or(damaged.clone())?;
        let payload_at = position.offset + record::HEADER_BYTES as u64;
        if header.stamp.generation != position.generation
            || payload_at + header.payload_bytes as u64 > self.size_bytes
        {
            return Err(damaged);
        }
        let pinned = Pinned {
            segment: Arc::clone(self),
            payload_at,
            payload_bytes: header.payload_bytes,
        };
        Ok((pinned, header))
    }
}

/// Every segment file and what it is for.
pub(crate) struct Segments {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    options: Options,
    state: Mutex<State>,
    changed: Condvar,
}

pub(crate) struct State {
    /// In use, by generation.
    pub(crate) live: BTreeMap<u32, Arc<Segment>>,
    /// Released and void on disk, but perhaps still read by somebody.
    void: Vec<Arc<Segment>>,
    ready: Vec<Segment>,
    next_number: u64,
    /// Why no segment could be made the last time.
    failed: Option<world::Error>,
    /// The committer waits for a segment.
    wanted: bool,
    stop: bool,
}

impl Segments {
    pub(crate) fn new(dir: &Path, disk: Arc<dyn Disk>, options: Options) -> Segments {
        let state = State {
            live: BTreeMap::new(),
            void: Vec::new(),
            ready: Vec::new(),
            next_number: 1,
            failed: None,
            wanted: false,
            stop: false,
        };
        Segments {
            dir: dir.to_owned(),
            disk,
            options,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what recovery found: segments in use, and files that are not.
    pub(crate) fn adopt(&self, live: Vec<(u32, Segment)>, unused: Vec<Segment>) -> Result<()> {
        let mut state = self.lock();
        let number = |segment: &Segment| number_of(segment.path.file_name()?.to_str()?);
        let numbers = live.iter().map(|(_, s)| s).chain(&unused).filter_map(number);
        state.next_number = numbers.max().unwrap_or(0) + 1;
        state.live = live
            .into_iter()
            .map(|(generation, segment)| (generation, Arc::new(segment)))
            .collect();
        for segment in unused {
            if segment.size_bytes == self.options.segment_bytes
                && state.ready.len() < self.options.spare_segments_max
            {
                state.ready.push(segment);
            } else {
                self.disk.remove(&segment.path)?;
            }
        }
        Ok(())
    }

    /// A segment ready for use. Waits for one to be made; makes it itself when there is no thread for that.
    pub(crate) fn take_ready(&self, background: bool) -> world::Result<Segment> {
        let mut state = self.lock();
        let mut asked = false;
        loop {
            if let Some(segment) = state.ready.pop() {
                state.wanted = false;
                self.changed.notify_all();
                return Ok(segment);
            }
            if !background || state.stop {
                drop(state);
                return self.make(self.options.segment_bytes);
            }
            if let (true, Some(failed)) = (asked, state.failed.clone()) {
                state.wanted = false;
                return Err(failed);
            }
            state.failed = None;
            state.wanted = true;
            asked = true;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Makes a segment file: filled with zeros, synced, its name synced.
    pub(crate) fn make(&self, size_bytes: u64) -> world::Result<Segment> {
        let number = {
            let mut state = self.lock();
            state.next_number += 1;
            state.next_number - 1
        };
        let path = self.dir.join(name_of(number));
        let made = self.disk.open(&path, OpenMode::CreateNew).and_then(|file| {
            let mut filled = 0;
            while filled < size_bytes {
                let end = size_bytes.min(filled + FILL_BYTES);
                file.fill_zeros(filled, end)?;
                file.sync_data()?;
                filled = end;
            }
            self.disk.sync_dir(&self.dir)?;
            Ok(Segment {
                path: path.clone(),
                file,
                size_bytes,
            })
        });
        if made.is_err() {
            // Gives the space back; if that fails too, the next start removes the file.
            let _ = self.disk.remove(&path);
        }
        made
    }

    /// Puts back a segment that was not used after all.
    pub(crate) fn give_back(&self, segment: Segment) {
        self.lock().ready.push(segment);
    }

    /// Puts a segment to use.
    pub(crate) fn begin(&self, generation: u32, segment: Segment) -> Arc<Segment> {
        let segment = Arc::new(segment);
        self.lock().live.insert(generation, Arc::clone(&segment));
        segment
    }

    /// The segment of that generation.
    pub(crate) fn find(&self, generation: u32) -> Option<Arc<Segment>> {
        self.lock().live.get(&generation).cloned()
    }

    /// Takes the segments below `generation` out of use; they may be overwritten from now on, so that they are void
    /// must be durable already.
    pub(crate) fn recycle_below(&self, generation: u32) {
        let mut state = self.lock();
        let kept = state.live.split_off(&generation);
        let freed = std::mem::replace(&mut state.live, kept);
        state.void.extend(freed.into_values());
        self.sort_void(&mut state);
        self.changed.notify_all();
    }

    /// Makes void segments that nobody reads any more ready, and removes those that are too many or of another size.
    fn sort_void(&self, state: &mut State) {
        for segment in std::mem::take(&mut state.void) {
            match Arc::try_unwrap(segment) {
                Err(read) => state.void.push(read),
                Ok(segment) => {
                    let fits = segment.size_bytes == self.options.segment_bytes;
                    if fits && state.ready.len() < self.options.spare_segments_max {
                        state.ready.push(segment);
                    } else {
                        // A file that stays is found unused, and removed, by the next start.
                        let _ = self.disk.remove(&segment.path);
                    }
                }
            }
        }
    }

    /// The thread that keeps segments ready.
    pub(crate) fn keep_ready(&self) {
        let mut state = self.lock();
        while !state.stop {
            self.sort_void(&mut state);
            let few = state.ready.len() < self.options.ready_segments;
            if !few || (state.failed.is_some() && !state.wanted) {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            drop(state);
            let made = self.make(self.options.segment_bytes);
            state = self.lock();
            match made {
                Ok(segment) => state.ready.push(segment),
                Err(error) => state.failed = Some(error),
            }
            state.wanted = state.wanted && state.failed.is_none();
            self.changed.notify_all();
        }
    }

    /// Ends [`Segments::keep_ready`].
    pub(crate) fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
    }
}

/// The file name of a segment.
fn name_of(number: u64) -> String {
    format!("segment-{number:06}")
}

/// The number in a segment's file name.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix("segment-")?.parse().ok()
}
