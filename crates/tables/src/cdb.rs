//! Constant databases (D. J. Bernstein's cdb): written once beside the old one, then put in its place by a rename.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use os::mapping::MappedFile;

use crate::Error;

/// The longest key or value, in bytes.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Positions have 32 bits.
const FILE_BYTES_MAX: u64 = u32::MAX as u64;
const HEADER_BYTES: usize = 2048;
/// How many slots are read at once.
const SLOTS_AHEAD: usize = 8;
/// How much of a record is read at once, in bytes.
const RECORD_BYTES_AHEAD: usize = 256;

/// A key and its value.
pub type Record = (Vec<u8>, Vec<u8>);

/// A database that is open for reading. It stays what it was when opened, whatever replaces the file.
#[derive(Debug)]
pub struct Cdb {
    file: MappedFile,
    name: String,
    size: u64,
}

/// What a file turned out to be.
#[derive(Debug)]
pub enum Opened {
    /// A constant database.
    Ours(Cdb),
    /// A database of Berkeley DB, which only its text source can stand in for.
    BerkeleyDb,
}

impl Cdb {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Open`], also when it is neither a constant database nor one of Berkeley DB.
    pub fn open(path: &Path) -> Result<Opened, Error> {
        let name = path.display().to_string();
        let failed = |error: std::io::Error| Error::Open {
            file: name.clone(),
            cause: os::words(&error),
        };
        let file = MappedFile::new(crate::files::open(path).map_err(failed)?);
        let size = file.file().metadata().map_err(failed)?.len();
        // As Postfix has it, a file that is no database cannot be opened.
        let damaged = |cause: &str| Error::Open {
            file: name.clone(),
            cause: cause.to_owned(),
        };
        let mut header = [0; HEADER_BYTES];
        if size < HEADER_BYTES as u64 {
            return Err(damaged(
                "it is too short for a table; run postmap or postalias on its source",
            ));
        }
        file.read_exact_at(&mut header, 0).map_err(failed)?;
        if is_berkeley_db(&header) {
            return Ok(Opened::BerkeleyDb);
        }
        // Position and number of slots of each of the 256 tables.
        let fits = |(start, slots): (u32, u32)| {
            u64::from(start) >= HEADER_BYTES as u64 && u64::from(start) + u64::from(slots) * 8 <= size
        };
        if !header.chunks_exact(8).map(pair).all(fits) {
            return Err(damaged(
                "it is not a table; run postmap or postalias on its source",
            ));
        }
        Ok(Opened::Ours(Cdb { file, name, size }))
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the file does not hold together.
    pub fn find(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let hash = hash(key);
        let (start, slots) = self.pair_at(u64::from(hash & 255) * 8)?;
        if slots == 0 {
            return Ok(None);
        }
        let first = (hash >> 8) % slots;
        let mut ahead = [0; SLOTS_AHEAD * 8];
        let (mut ahead_from, mut ahead_count) = (0, 0);
        for step in 0..slots {
            let slot = (first.wrapping_add(step)) % slots;
            // Several slots are read at once: half of them are empty, so that one reading nearly always does.
            if step == 0 || slot == 0 || slot - ahead_from >= ahead_count {
                ahead_count = (slots - slot).min(SLOTS_AHEAD as u32);
                let wanted = &mut ahead[..ahead_count as usize * 8];
                self.read(wanted, u64::from(start) + u64::from(slot) * 8)?;
                ahead_from = slot;
            }
            let at = (slot - ahead_from) as usize * 8;
            let (slot_hash, position) = pair(&ahead[at..at + 8]);
            if position == 0 {
                return Ok(None);
            }
            if slot_hash == hash
                && let Some(value) = self.value_at(u64::from(position), key)?
            {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The value of the record at a place, if it is the key's. Nearly always one reading does.
    fn value_at(&self, at: u64, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let mut ahead = [0; RECORD_BYTES_AHEAD];
        let room = self.size.saturating_sub(at).min(RECORD_BYTES_AHEAD as u64);
        let bytes = &mut ahead[..room as usize];
        self.read(bytes, at)?;
        let too_long = || self.damaged("a record is longer than it can be");
        let (key_bytes, value_bytes) = pair(bytes.get(..8).ok_or_else(too_long)?);
        if key_bytes as usize != key.len() {
            return Ok(None);
        }
        let start = 8 + key.len();
        match bytes.get(8..start).map(|found| found == key) {
            Some(false) => return Ok(None),
            Some(true) => {
                if let Some(value) = bytes.get(start..start + value_bytes as usize) {
                    return Ok(Some(value.to_vec()));
                }
            }
            None => {}
        }
        let (found, value) = self.record_at(at)?;
        Ok((found == key).then_some(value))
    }

    /// All records in the order they were added.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn records(&self) -> Result<Vec<Record>, Error> {
        let mut header = [0; HEADER_BYTES];
        self.read(&mut header, 0)?;
        let starts = header.chunks_exact(8).map(|bytes| u64::from(pair(bytes).0));
        let end = starts.min().unwrap_or(self.size);
        let (mut at, mut records) = (HEADER_BYTES as u64, Vec::new());
        while at < end {
            let (key, value) = self.record_at(at)?;
            at += 8 + (key.len() + value.len()) as u64;
            records.push((key, value));
        }
        Ok(records)
    }

    fn pair_at(&self, at: u64) -> Result<(u32, u32), Error> {
        let mut bytes = [0; 8];
        self.read(&mut bytes, at)?;
        Ok(pair(&bytes))
    }

    fn record_at(&self, at: u64) -> Result<Record, Error> {
        let (key_bytes, value_bytes) = self.pair_at(at)?;
        let (key_bytes, value_bytes) = (key_bytes as usize, value_bytes as usize);
        let end = at + 8 + key_bytes as u64 + value_bytes as u64;
        if key_bytes > RECORD_BYTES_MAX || value_bytes > RECORD_BYTES_MAX || end > self.size {
            return Err(self.damaged("a record is longer than it can be"));
        }
        let mut key = vec![0; key_bytes + value_bytes];
        self.read(&mut key, at + 8)?;
        let value = key.split_off(key_bytes);
        Ok((key, value))
    }

    fn read(&self, bytes: &mut [u8], at: u64) -> Result<(), Error> {
        self.file
            .read_exact_at(bytes, at)
            .map_err(|error| self.damaged(&os::words(&error)))
    }

    fn damaged(&self, cause: &str) -> Error {
        Error::Damaged {
            file: self.name.clone(),
            cause: cause.to_owned(),
        }
    }
}

/// Writes records as a database into an open, empty file. Of equal keys only the first is found.
///
/// # Errors
/// What the system said; a database over 4 GiB.
pub fn write(file: &mut File, records: &[Record]) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, file);
    out.write_all(&[0; HEADER_BYTES])?;
    let mut at = HEADER_BYTES as u64;
    let mut tables: HashMap<u8, Vec<(u32, u32)>> = HashMap::new();
    for (key, value) in records {
        if key.len() > RECORD_BYTES_MAX || value.len() > RECORD_BYTES_MAX {
            return Err(std::io::Error::other("an entry is too long"));
        }
        let hash = hash(key);
        tables
            .entry((hash & 255) as u8)
            .or_default()
            .push((hash, position(at)?));
        out.write_all(&(key.len() as u32).to_le_bytes())?;
        out.write_all(&(value.len() as u32).to_le_bytes())?;
        out.write_all(key)?;
        out.write_all(value)?;
        at += 8 + (key.len() + value.len()) as u64;
    }
    let mut header = Vec::with_capacity(HEADER_BYTES);
    for number in 0..=255 {
        let entries = tables.remove(&number).unwrap_or_default();
        // Half of the slots stay empty, so that searches are short.
        let mut slots = vec![(0u32, 0u32); entries.len() * 2];
        for (hash, place) in entries {
            let count = slots.len();
            let mut slot = (hash >> 8) as usize % count;
            while slots[slot].1 != 0 {
                slot = (slot + 1) % count;
            }
            slots[slot] = (hash, place);
        }
        header.extend(position(at)?.to_le_bytes());
        header.extend((slots.len() as u32).to_le_bytes());
        for (hash, place) in &slots {
            out.write_all(&hash.to_le_bytes())?;
            out.write_all(&place.to_le_bytes())?;
        }
        at += slots.len() as u64 * 8;
    }
    position(at)?;
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&header)?;
    out.flush()
}

fn position(at: u64) -> std::io::Result<u32> {
    if at > FILE_BYTES_MAX {
        return Err(std::io::Error::other("a table cannot be larger than 4 GiB"));
    }
    Ok(at as u32)
}

fn hash(key: &[u8]) -> u32 {
    key.iter()
        .fold(5381, |hash: u32, byte| hash.wrapping_mul(33) ^ u32::from(*byte))
}

fn pair(bytes: &[u8]) -> (u32, u32) {
    let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    (number(0), number(4))
}

/// The magic number at the twelfth byte, in either byte order: hash, btree.
fn is_berkeley_db(header: &[u8]) -> bool {
    const MAGIC: [u32; 2] = [0x0006_1561, 0x0005_3162];
    let (_, number) = pair(&header[8..16]);
    MAGIC.contains(&number) || MAGIC.contains(&number.swap_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn database(records: &[Record]) -> (tempfile::TempDir, Cdb) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        write(&mut File::create_new(&path).unwrap(), records).unwrap();
        match Cdb::open(&path).unwrap() {
            Opened::Ours(cdb) => (directory, cdb),
            Opened::BerkeleyDb => panic!("ours"),
        }
    }

    #[test]
    fn ten_thousand_records() {
        let record = |n: u32| (format!("key{n}").into_bytes(), format!("value {n}").into_bytes());
        let records: Vec<_> = (0..10_000).map(record).collect();
        let (_directory, cdb) = database(&records);
        for (key, value) in &records {
            assert_eq!(cdb.find(key).unwrap().as_ref(), Some(value));
        }
        assert_eq!(cdb.find(b"key10000").unwrap(), None);
        assert_eq!(cdb.records().unwrap(), records);
    }

    #[test]
    fn an_empty_database() {
        let (_directory, cdb) = database(&[]);
        assert_eq!(cdb.find(b"x").unwrap(), None);
        assert_eq!(cdb.records().unwrap(), []);
    }

    #[test]
    fn other_files_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        let mut bytes = vec![0; 8192];
        bytes[12..16].copy_from_slice(&0x0006_1561u32.to_le_bytes());
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(Cdb::open(&path), Ok(Opened::BerkeleyDb)));
        std::fs::write(&path, "hello").unwrap();
        assert!(matches!(Cdb::open(&path), Err(Error::Open { .. })));
        std::fs::write(&path, vec![b'x'; 4000]).unwrap();
        assert!(matches!(Cdb::open(&path), Err(Error::Open { .. })));
    }

    proptest! {
        #[test]
        fn round_trip(records in proptest::collection::hash_map("[a-c]{0,4}", "[x-z]{0,5}", 0..30)) {
            let records: Vec<_> = records.into_iter().map(|(k, v)| (k.into_bytes(), v.into_bytes())).collect();
            let (_directory, cdb) = database(&records);
            for (key, value) in &records {
                let found = cdb.find(key).unwrap();
                prop_assert_eq!(found.as_ref(), Some(value));
            }
        }

        #[test]
        fn damage_never_panics(flips in proptest::collection::vec((0usize..2500, any::<u8>()), 1..10)) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("x.db");
            let records: Vec<_> = (0..20).map(|n| (vec![n], vec![n; 10])).collect();
            write(&mut File::create_new(&path).unwrap(), &records).unwrap();
            let mut bytes = std::fs::read(&path).unwrap();
            for (at, value) in flips {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(Opened::Ours(cdb)) = Cdb::open(&path) {
                for (key, _) in &records {
                    let _ = cdb.find(key);
                }
                let _ = cdb.records();
            }
        }
    }
}
