//! Segments: files of fixed size, their header, and what of them records can have.

use std::path::PathBuf;
use std::sync::Arc;

use world::DiskFile;

use crate::{Position, Result, record};

/// The size of a segment's header; records start behind it.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 64;

pub(crate) const SEAL_BYTES: u64 = record::HEADER_BYTES as u64;
pub(crate) const LOW_WATER_BYTES: u64 = record::HEADER_BYTES as u64 + 8;
pub(crate) const RESUME_BYTES: u64 = record::HEADER_BYTES as u64 + 8;
/// What the log keeps at the end of each segment, so that it can always be closed and its low water mark raised.
pub(crate) const KEPT_BYTES: u64 = LOW_WATER_BYTES + SEAL_BYTES;
const MAGIC: &[u8; 8] = b"YUBINLG1";

/// A segment file.
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) size_bytes: u64,
}

/// What a caller's records can have of a new segment of this size.
pub(crate) fn usable_bytes(size_bytes: u64) -> u64 {
    size_bytes.saturating_sub(SEGMENT_HEADER_BYTES + RESUME_BYTES + KEPT_BYTES)
}

/// How large a segment must be for so many octets of a caller's records.
pub(crate) fn size_for(bytes: u64) -> u64 {
    bytes.saturating_add(SEGMENT_HEADER_BYTES + RESUME_BYTES + KEPT_BYTES)
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

/// The file name of a segment.
pub(crate) fn name_of(number: u64) -> String {
    format!("segment-{number:06}")
}

/// The number in a segment's file name.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix("segment-")?.parse().ok()
}
