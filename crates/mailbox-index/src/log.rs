//! The delta log: the commits since the base, in a file that is reused and grown by zeros, never truncated. Header: magic,
//! generation of the base it belongs to (tells other processes that the base was replaced), the mark (up to where records
//! of which generation are known to be on disk), checksum. Records: length, checksum, payload. A checksum covers the record
//! before it too, and the first one the generation, so what an older generation or a torn write left never reads as one.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::record::Reader;
use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"yubinLG2";
/// Less than any disk's sector, and at its start: written whole or not at all.
const HEADER_BYTES: u64 = 40;
/// Length and checksum before each payload.
const FRAME_BYTES: usize = 8;
/// Size of a new log, and the least it grows by, in bytes.
const GROWTH_BYTES: u64 = 16 * 1024;
/// The most it grows by at once beyond what a record needs, in bytes.
const GROWTH_BYTES_MAX: u64 = 256 * 1024;
/// The largest record, in bytes.
const RECORD_BYTES_MAX: u32 = 512 << 20;

/// An open log and how far it was read.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) file: Arc<File>,
    pub(crate) path: PathBuf,
    generation: u64,
    end: u64,
    chain: u32,
}

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Header {
    /// Of the base that the records belong to, or of the one that is about to replace it.
    pub(crate) generation: u64,
    /// Records of this generation …
    marked_generation: u64,
    /// … are on disk up to this octet; what was acknowledged lies before it.
    marked_end: u64,
}

impl Header {
    /// Whether a mailbox was ever completely made with this log: an index that is missing then was lost.
    pub(crate) fn was_in_use(&self) -> bool {
        self.marked_generation != 0
    }

    /// Whether a base of this generation can lie beside this log. The next generation is announced, synced, before its
    /// base is in place, and marked after that.
    pub(crate) fn fits(&self, base_generation: u64) -> bool {
        self.generation.wrapping_sub(base_generation) <= 1 && self.marked_generation <= base_generation
    }
}

/// Where the log stood before an append.
pub(crate) struct Place {
    end: u64,
    chain: u32,
}

impl Log {
    /// Opens the log file, making an empty one when it is missing; what it holds is not looked at.
    pub(crate) fn open(directory: &Path) -> Result<Log> {
        let path = directory.join("yubin.index.log");
        let file = os::files::open_like_directory(&path).map_err(|error| Error::io("open", &path, error))?;
        Ok(Log {
            file: Arc::new(file),
            path,
            generation: 0,
            end: HEADER_BYTES,
            chain: 0,
        })
    }

    /// Whether the path still leads to the file that is open.
    pub(crate) fn is_in_place(&self) -> bool {
        match (self.file.metadata(), std::fs::metadata(&self.path)) {
            (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }

    /// The header; `None` when this is no log (yet), or a damaged one.
    pub(crate) fn header(&self) -> Result<Option<Header>> {
        let mut header = [0; HEADER_BYTES as usize];
        if !self.read_exact(&mut header, 0)? {
            return Ok(None);
        }
        let mut fields = Reader(&header);
        let magic = fields.bytes(8);
        let (Some(generation), Some(marked_generation), Some(marked_end)) =
            (fields.u64(), fields.u64(), fields.u64())
        else {
            return Ok(None);
        };
        let is_ours = magic == Some(MAGIC) && fields.u32() == Some(crc32c::crc32c(&header[..32]));
        Ok(is_ours.then_some(Header {
            generation,
            marked_generation,
            marked_end,
        }))
    }

    fn write_header(&self, header: Header) -> Result<()> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES as usize);
        bytes.extend_from_slice(MAGIC);
        for field in [header.generation, header.marked_generation, header.marked_end] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes.resize(HEADER_BYTES as usize, 0);
        self.file
            .write_all_at(&bytes, 0)
            .map_err(|error| self.failed("write", error))
    }

    /// Whether the file is empty: just made, by this process or one that died.
    pub(crate) fn is_blank(&self) -> Result<bool> {
        let meta = self.file.metadata().map_err(|error| self.failed("read", error))?;
        Ok(meta.len() == 0)
    }

    /// Makes the file a log with room for records, synced. The header says `generation`.
    pub(crate) fn prepare(&self, generation: u64) -> Result<()> {
        let length = self
            .file
            .metadata()
            .map_err(|error| self.failed("read", error))?
            .len();
        if length < GROWTH_BYTES {
            self.zero(length, GROWTH_BYTES)?;
        }
        self.write_header(Header {
            generation,
            ..Header::default()
        })?;
        self.file.sync_all().map_err(|error| self.failed("sync", error))
    }

    /// Says in the header, synced, which generation the next base has, or that it is still this one.
    pub(crate) fn announce(&self, generation: u64) -> Result<()> {
        let header = self.header()?.unwrap_or_default();
        self.write_header(Header { generation, ..header })?;
        self.sync().map_err(|error| self.failed("sync", error))
    }

    /// Notes that everything up to here is on disk. Not synced itself: the next sync takes it along, and until then the
    /// system's memory keeps it unless the machine stops.
    pub(crate) fn mark(&self) -> Result<()> {
        self.write_header(Header {
            generation: self.generation,
            marked_generation: self.generation,
            marked_end: self.end,
        })
    }

    /// Whether what was read so far is known to be on disk.
    pub(crate) fn is_marked(&self, header: &Header) -> bool {
        header.marked_generation == self.generation && header.marked_end >= self.end
    }

    /// What is wrong when no further record can be read: records that are known to have been on disk do not read.
    pub(crate) fn damage(&self, header: &Header) -> Option<String> {
        let lost = header.marked_generation == self.generation && header.marked_end > self.end;
        lost.then(|| {
            format!(
                "{} is damaged: nothing can be read after octet {}, where changes up to octet {} were safe on disk",
                self.path.display(),
                self.end,
                header.marked_end
            )
        })
    }

    /// Goes to the beginning, for records that follow the base of `generation`.
    pub(crate) fn rewind(&mut self, generation: u64) {
        self.generation = generation;
        self.end = HEADER_BYTES;
        self.chain = crc32c::crc32c(&generation.to_le_bytes());
    }

    /// The generation whose records are read and written here.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The next record, `None` at the end of what is valid.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let mut frame = [0; FRAME_BYTES];
        if !self.read_exact(&mut frame, self.end)? {
            return Ok(None);
        }
        let length = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]);
        let crc = u32::from_le_bytes([frame[4], frame[5], frame[6], frame[7]]);
        let room = self
            .file
            .metadata()
            .map_err(|error| self.failed("read", error))?
            .len();
        if length == 0 || length > RECORD_BYTES_MAX || self.end + 8 + u64::from(length) > room {
            return Ok(None);
        }
        let mut payload = vec![0; length as usize];
        if !self.read_exact(&mut payload, self.end + 8)? || self.checksum(&payload) != crc {
            return Ok(None);
        }
        self.end += 8 + u64::from(length);
        self.chain = crc;
        Ok(Some(payload))
    }

    /// Writes a record at the end; the caller syncs. Returns where to go back to.
    pub(crate) fn append(&mut self, payload: &[u8]) -> Result<Place> {
        let length = u32::try_from(payload.len())
            .ok()
            .filter(|length| *length <= RECORD_BYTES_MAX)
            .ok_or_else(|| Error::OverLimit("too many messages for one change of a mailbox".to_owned()))?;
        let crc = self.checksum(payload);
        let mut record = Vec::with_capacity(payload.len() + 2 * FRAME_BYTES);
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(&crc.to_le_bytes());
        record.extend_from_slice(payload);
        let end = self.end + record.len() as u64;
        // An end mark: this record may repeat one that was cut off here, and so fit what still lies behind it.
        record.extend_from_slice(&[0; FRAME_BYTES]);
        let room = self
            .file
            .metadata()
            .map_err(|error| self.failed("read", error))?
            .len();
        if end + FRAME_BYTES as u64 > room {
            self.zero(room, end + room.clamp(GROWTH_BYTES, GROWTH_BYTES_MAX))?;
        }
        self.file
            .write_all_at(&record, self.end)
            .map_err(|error| self.failed("write", error))?;
        let place = Place {
            end: self.end,
            chain: self.chain,
        };
        self.end = end;
        self.chain = crc;
        Ok(place)
    }

    /// Takes an append back that did not get to disk.
    pub(crate) fn take_back(&mut self, place: &Place) {
        self.end = place.end;
        self.chain = place.chain;
        // Best effort: without it another process would read a record that may not survive.
        let _ = self.file.write_all_at(&[0; FRAME_BYTES], self.end);
    }

    pub(crate) fn sync(&self) -> std::io::Result<()> {
        self.file.sync_data()
    }

    fn checksum(&self, payload: &[u8]) -> u32 {
        crc32c::crc32c_append(self.chain, payload)
    }

    fn read_exact(&self, into: &mut [u8], at: u64) -> Result<bool> {
        match self.file.read_exact_at(into, at) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(self.failed("read", error)),
        }
    }

    fn zero(&self, from: u64, to: u64) -> Result<()> {
        let zeros = vec![0; (to - from) as usize];
        self.file
            .write_all_at(&zeros, from)
            .map_err(|error| self.failed("extend", error))
    }

    fn failed(&self, what: &str, error: std::io::Error) -> Error {
        Error::io(what, &self.path, error)
    }
}
