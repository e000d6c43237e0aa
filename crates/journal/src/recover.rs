//! Reading a log from its start: which segments count, and which records in them.

use std::path::Path;
use std::sync::Arc;

use world::{Disk, DiskFile, OpenMode, World};

use crate::record::{self, HEADER_BYTES, KIND_LOW_WATER, KIND_MAX, KIND_RESUME, KIND_SEAL, Stamp};
use crate::segment::{SEGMENT_HEADER_BYTES, Segment, SegmentHeader, number_of};
use crate::{Position, Result};

const READ_BYTES: usize = 1024 * 1024;

/// A record found by recovery, in the order in which they were appended.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Where it is.
    pub position: Position,
    /// Its kind.
    pub kind: u16,
    /// Its payload.
    pub payload: &'a [u8],
}

/// What recovery found besides the records.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Records replayed.
    pub records: u64,
    /// Octets in the segments read.
    pub bytes: u64,
    /// What should be there and is not; empty on a healthy disk whatever crashes it saw.
    pub damage: Vec<String>,
}

/// Where a log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) generation: u32,
    pub(crate) offset: u64,
    pub(crate) sequence: u64,
    pub(crate) epoch: u32,
    pub(crate) sealed: bool,
    pub(crate) low_water: u32,
}

/// A log as found on disk.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) live: Vec<(u32, Segment)>,
    pub(crate) unused: Vec<Segment>,
    pub(crate) tail: Option<Tail>,
    /// The last record of a caller.
    pub(crate) last: Option<Position>,
    pub(crate) report: Report,
}

/// Reads the log in `dir` without changing or locking anything. A directory that is not there yet is an empty log.
///
/// # Errors
/// [`crate::Error::Disk`] when the directory or a file cannot be read.
pub fn inspect(
    dir: &Path,
    world: &World,
    replay: &mut dyn FnMut(Entry<'_>),
) -> Result<(crate::Reader, Report)> {
    let found = match read(dir, &world.disk, OpenMode::Read, replay) {
        Err(crate::Error::Disk(world::Error::NotFound { path })) if path == dir => Found::default(),
        other => other?,
    };
    let live = found
        .live
        .into_iter()
        .map(|(generation, segment)| (generation, Arc::new(segment)))
        .collect();
    Ok((crate::Reader { live }, found.report))
}

/// Reads the log in `dir`.
pub(crate) fn read(
    dir: &Path,
    disk: &Arc<dyn Disk>,
    mode: OpenMode,
    replay: &mut dyn FnMut(Entry<'_>),
) -> Result<Found> {
    let mut found = Found::default();
    let mut used = list_segments(dir, disk, mode, &mut found)?;
    let mut low_water = low_water_of(&used)?;
    let newest = used.last().map(|(header, _)| header.generation);
    // The oldest generation ever is 1, so a log that misses its first segment shows as a gap too.
    let mut expected: Option<u32> = newest.map(|_| low_water.max(1));
    for (header, segment) in used.drain(..) {
        if header.generation < low_water {
            found.unused.push(segment);
            continue;
        }
        if let Some(missing) = expected.filter(|e| *e != header.generation) {
            found.report.damage.push(format!(
                "log segments {missing} to {} are missing",
                header.generation - 1
            ));
        }
        expected = Some(header.generation + 1);
        let before = found.tail.map(|tail| (tail.sequence, tail.epoch));
        if before.is_some_and(|before| before != (header.first_sequence, header.epoch)) {
            found.report.damage.push(format!(
                "log segment {} does not continue the one before",
                header.generation
            ));
        }
        let mut reader = SegmentReader::new(&segment, &header, low_water);
        while let Some((position, kind)) = reader.next()? {
            if kind <= KIND_MAX {
                found.report.records += 1;
                found.last = Some(position);
                replay(Entry {
                    position,
                    kind,
                    payload: reader.payload(),
                });
            }
        }
        found.report.bytes += segment.size_bytes;
        let tail = reader.tail;
        if !tail.sealed && newest != Some(header.generation) {
            let name = segment.path.display();
            found.report.damage.push(format!(
                "{name} is damaged at octet {}: what follows is lost",
                tail.offset
            ));
        }
        low_water = low_water.max(tail.low_water);
        found.tail = Some(tail);
        found.live.push((header.generation, segment));
    }
    Ok(found)
}

/// Every segment in use by generation; all other segment files go to `found.unused`.
fn list_segments(
    dir: &Path,
    disk: &Arc<dyn Disk>,
    mode: OpenMode,
    found: &mut Found,
) -> Result<Vec<(SegmentHeader, Segment)>> {
    let mut used = Vec::new();
    for entry in disk.list(dir)? {
        if entry.is_dir || number_of(&entry.name).is_none() {
            continue;
        }
        let path = dir.join(&entry.name);
        let file = disk.open(&path, mode)?;
        let size_bytes = file.size_bytes()?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
        let n = file.read_at(&mut bytes, 0)?;
        let header = SegmentHeader::decode(&bytes).filter(|_| n == bytes.len());
        let segment = Segment {
            path,
            file,
            size_bytes,
        };
        match header {
            Some(header) => {
                if header.size_bytes != size_bytes {
                    let name = segment.path.display();
                    found.report.damage.push(format!(
                        "{name} has {size_bytes} octets instead of {}",
                        header.size_bytes
                    ));
                }
                used.push((header, segment));
            }
            None => found.unused.push(segment),
        }
    }
    used.sort_by_key(|(header, _)| header.generation);
    Ok(used)
}

/// The low water mark in force: the newest segment's header knows all marks before it, its records those after.
/// It must be known before the first record is replayed, for a void segment may be half overwritten.
fn low_water_of(used: &[(SegmentHeader, Segment)]) -> Result<u32> {
    let Some((header, segment)) = used.last() else {
        return Ok(0);
    };
    if header.low_water == header.generation {
        return Ok(header.low_water);
    }
    let mut reader = SegmentReader::new(segment, header, 0);
    while reader.next()?.is_some() {}
    Ok(reader.tail.low_water)
}

/// Reads the records of one segment, in order, up to the first that does not fit.
struct SegmentReader<'a> {
    file: &'a Arc<dyn DiskFile>,
    size_bytes: u64,
    tail: Tail,
    buffer: Vec<u8>,
    /// Where `buffer` starts in the segment.
    buffer_at: u64,
    payload: std::ops::Range<usize>,
}

impl<'a> SegmentReader<'a> {
    fn new(segment: &'a Segment, header: &SegmentHeader, low_water: u32) -> SegmentReader<'a> {
        let tail = Tail {
            generation: header.generation,
            offset: SEGMENT_HEADER_BYTES,
            sequence: header.first_sequence,
            epoch: header.epoch,
            sealed: false,
            low_water: low_water.max(header.low_water),
        };
        SegmentReader {
            file: &segment.file,
            size_bytes: segment.size_bytes,
            tail,
            buffer: Vec::new(),
            buffer_at: SEGMENT_HEADER_BYTES,
            payload: 0..0,
        }
    }

    fn payload(&self) -> &[u8] {
        &self.buffer[self.payload.clone()]
    }

    /// The next record's position and kind.
    fn next(&mut self) -> Result<Option<(Position, u16)>> {
        if self.tail.sealed || !self.load(HEADER_BYTES)? {
            return Ok(None);
        }
        let start = self.start();
        let Some(header) = record::header(&self.buffer[start..]) else {
            return Ok(None);
        };
        let at_resume = header.kind == KIND_RESUME;
        let expected = Stamp {
            generation: self.tail.generation,
            epoch: if at_resume {
                header.stamp.epoch
            } else {
                self.tail.epoch
            },
            sequence: self.tail.sequence,
        };
        if header.stamp != expected || !self.load(HEADER_BYTES + header.payload_bytes)? {
            return Ok(None);
        }
        let start = self.start();
        let end = start + HEADER_BYTES + header.payload_bytes;
        if !record::is_intact(&header, &self.buffer[start..end]) {
            return Ok(None);
        }
        self.payload = start + HEADER_BYTES..end;
        let number = self
            .payload()
            .first_chunk()
            .map_or(0, |bytes| u32::from_le_bytes(*bytes));
        match header.kind {
            // A resume record names the epoch it follows, so that one left over from another crash does not fit.
            KIND_RESUME if number != self.tail.epoch => return Ok(None),
            KIND_RESUME => self.tail.epoch = header.stamp.epoch,
            KIND_LOW_WATER => self.tail.low_water = self.tail.low_water.max(number),
            KIND_SEAL => self.tail.sealed = true,
            _ => {}
        }
        let position = Position {
            generation: self.tail.generation,
            offset: self.tail.offset,
        };
        self.tail.offset += record::encoded_bytes(header.payload_bytes);
        self.tail.sequence += 1;
        Ok(Some((position, header.kind)))
    }

    fn start(&self) -> usize {
        usize::try_from(self.tail.offset - self.buffer_at)
            .expect("the buffer starts at or before the tail, nearby")
    }

    /// Makes the buffer hold `bytes` octets from the tail on; `false` when the segment ends before.
    fn load(&mut self, bytes: usize) -> Result<bool> {
        if self.tail.offset + bytes as u64 > self.size_bytes {
            return Ok(false);
        }
        if self.start() + bytes <= self.buffer.len() {
            return Ok(true);
        }
        self.buffer_at = self.tail.offset;
        let rest = usize::try_from(self.size_bytes - self.buffer_at).unwrap_or(usize::MAX);
        self.buffer.resize(bytes.max(READ_BYTES.min(rest)), 0);
        let n = self.file.read_at(&mut self.buffer, self.buffer_at)?;
        self.buffer.truncate(n);
        Ok(n >= bytes)
    }
}
