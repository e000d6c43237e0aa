//! The base file: everything the index knows at one commit, checksummed, replaced as a whole by rename.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use mailbox::{Keyword, ModSeq, Uid, UidValidity};

use crate::expunged::History;
use crate::record::{RECORD_BYTES, Reader, Record};
use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"yubinIX1";
const HEADER_BYTES: usize = 96;
/// The largest base file that is read, in bytes: ten million messages or so.
const BASE_BYTES_MAX: u64 = 2 << 30;

/// What an index holds in memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Facts {
    pub(crate) generation: u64,
    pub(crate) uid_validity: UidValidity,
    /// 0 in what older versions wrote.
    pub(crate) object_id: u64,
    pub(crate) uid_next: Uid,
    pub(crate) first_recent: Uid,
    pub(crate) highest_modseq: ModSeq,
    pub(crate) keywords: Vec<Keyword>,
    pub(crate) history: History,
    pub(crate) state: Vec<u8>,
    /// Ascending by UID.
    pub(crate) records: Vec<Record>,
    pub(crate) keys: Vec<u8>,
}

/// How reading a base ended.
pub(crate) enum Found {
    Facts(Box<Facts>),
    Nothing,
    Damaged(String),
}

pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join("yubin.index")
}

impl Facts {
    /// Nothing known yet of a mailbox.
    pub(crate) fn empty(generation: u64, uid_validity: UidValidity) -> Facts {
        Facts {
            generation,
            uid_validity,
            object_id: generation,
            uid_next: 1,
            first_recent: 1,
            highest_modseq: 1,
            ..Facts::default()
        }
    }

    /// Copies the keys that are in use together, leaving out what flag changes and expunges left behind.
    pub(crate) fn compact_keys(&mut self) {
        let in_use: usize = self.records.iter().map(|r| r.key_bytes as usize).sum();
        if in_use == self.keys.len() {
            return;
        }
        let mut keys = Vec::with_capacity(in_use);
        for record in &mut self.records {
            let at = record.key_at as usize;
            record.key_at = keys.len() as u32;
            keys.extend_from_slice(&self.keys[at..at + record.key_bytes as usize]);
        }
        self.keys = keys;
    }

    fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.records.len() * RECORD_BYTES + self.keys.len() + 4096);
        body.resize(HEADER_BYTES, 0);
        for keyword in &self.keywords {
            let name = keyword.as_str().as_bytes();
            body.extend_from_slice(&(name.len() as u32).to_le_bytes());
            body.extend_from_slice(name);
        }
        for &(modseq, first, last) in &self.history.ranges {
            body.extend_from_slice(&modseq.to_le_bytes());
            body.extend_from_slice(&first.to_le_bytes());
            body.extend_from_slice(&last.to_le_bytes());
        }
        body.extend_from_slice(&self.state);
        self.records.iter().for_each(|record| record.encode(&mut body));
        body.extend_from_slice(&self.keys);
        let body_crc = crc32c::crc32c(&body[HEADER_BYTES..]);

        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&self.generation.to_le_bytes());
        header.extend_from_slice(&self.highest_modseq.to_le_bytes());
        header.extend_from_slice(&self.history.incomplete_until.to_le_bytes());
        header.extend_from_slice(&(self.keys.len() as u64).to_le_bytes());
        let counts = [
            self.records.len(),
            self.keywords.len(),
            self.history.ranges.len(),
            self.state.len(),
        ];
        for number in [self.uid_validity, self.uid_next, self.first_recent]
            .into_iter()
            .chain(counts.map(|count| count as u32))
            .chain([body_crc])
        {
            header.extend_from_slice(&number.to_le_bytes());
        }
        header.extend_from_slice(&self.object_id.to_le_bytes());
        header.resize(HEADER_BYTES - 4, 0);
        let header_crc = crc32c::crc32c(&header);
        header.extend_from_slice(&header_crc.to_le_bytes());
        body[..HEADER_BYTES].copy_from_slice(&header);
        body
    }

    fn decode(bytes: &[u8]) -> Option<Facts> {
        let (header, body) = bytes.split_at_checked(HEADER_BYTES)?;
        let crc = header[HEADER_BYTES - 4..]
            .try_into()
            .ok()
            .map(u32::from_le_bytes)?;
        if crc32c::crc32c(&header[..HEADER_BYTES - 4]) != crc {
            return None;
        }
        let mut header = Reader(header);
        if header.bytes(8)? != MAGIC {
            return None;
        }
        let mut facts = Facts {
            generation: header.u64()?,
            highest_modseq: header.u64()?,
            ..Facts::default()
        };
        facts.history.incomplete_until = header.u64()?;
        let keys_bytes = usize::try_from(header.u64()?).ok()?;
        facts.uid_validity = header.u32()?;
        facts.uid_next = header.u32()?;
        facts.first_recent = header.u32()?;
        let (records, keywords, ranges, state) = (header.u32()?, header.u32()?, header.u32()?, header.u32()?);
        if header.u32()? != crc32c::crc32c(body) {
            return None;
        }
        facts.object_id = header.u64()?;
        let mut body = Reader(body);
        for _ in 0..keywords {
            facts
                .keywords
                .push(Keyword::new(std::str::from_utf8(body.counted()?).ok()?));
        }
        for _ in 0..ranges {
            facts.history.ranges.push((body.u64()?, body.u32()?, body.u32()?));
        }
        facts.state = body.bytes(state as usize)?.to_vec();
        facts.records.reserve_exact(records as usize);
        for _ in 0..records {
            let record = Record::decode(&mut body)?;
            (record.key_at as usize + record.key_bytes as usize <= keys_bytes).then_some(())?;
            facts.records.push(record);
        }
        facts.keys = body.bytes(keys_bytes)?.to_vec();
        Some(facts)
    }
}

/// Reads the base of `directory`.
pub(crate) fn read(directory: &Path) -> Result<Found> {
    let path = path(directory);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(Error::io("open", &path, error)),
    };
    let length = file
        .metadata()
        .map_err(|error| Error::io("read", &path, error))?
        .len();
    if length > BASE_BYTES_MAX {
        return Ok(Found::Damaged(format!(
            "{} is larger than any index",
            path.display()
        )));
    }
    let mut bytes = Vec::with_capacity(length as usize + 1);
    file.read_to_end(&mut bytes)
        .map_err(|error| Error::io("read", &path, error))?;
    Ok(match Facts::decode(&bytes) {
        Some(facts) => Found::Facts(Box::new(facts)),
        None => Found::Damaged(format!("{} does not check out", path.display())),
    })
}

/// Writes a complete new base beside the old one, synced, not yet in its place.
pub(crate) fn prepare(directory: &Path, facts: &Facts) -> Result<PathBuf> {
    let new = directory.join("yubin.index.new");
    let written = os::files::create_like_directory(&new).and_then(|mut file| {
        file.write_all(&facts.encode())?;
        file.sync_data()
    });
    written.map_err(|error| Error::io("write", &new, error))?;
    Ok(new)
}

/// Puts a prepared base in the place of the old one, and syncs the directory.
pub(crate) fn put_in_place(directory: &Path, new: &Path) -> Result<()> {
    let path = path(directory);
    std::fs::rename(new, &path).map_err(|error| Error::io("replace", &path, error))?;
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| Error::io("sync", directory, error))
}
