//! Databases of LMDB (`postmap lmdb:`), read and written by ourselves: a file that somebody cuts short is an error (with the library
//! it would end the process). Source: LMDB's `mdb.c` (format version 1, 64 bits, little endian). Readers take no lock: pages of the
//! state that the newer meta page names are written over only after another meta page was. So an answer holds when the newest
//! meta page is the same after it as before it. Limits: [`KEY_BYTES_MAX`], [`DEPTH_MAX`], [`RETRIES_MAX`].

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use os::mapping::MappedFile;

use crate::Error;
use crate::cdb::{RECORD_BYTES_MAX, Record};

/// The longest key, in bytes (`mdb_env_get_maxkeysize`).
pub const KEY_BYTES_MAX: usize = 511;
/// The deepest tree (`CURSOR_STACK`).
pub const DEPTH_MAX: usize = 32;
/// How often an answer is sought anew while somebody writes.
pub const RETRIES_MAX: usize = 1000;

const MAGIC: u32 = 0xBEEF_C0DE;
const VERSION: u32 = 1;
const HEADER: usize = 16;
const NODE_HEADER: usize = 8;
const NO_PAGE: u64 = u64::MAX;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const OVERFLOW: u16 = 0x04;
const META: u16 = 0x08;
/// A node whose value is in overflow pages of its own.
const BIG_DATA: u16 = 0x01;
/// The size of pages that we write.
const PAGE: usize = 4096;

/// A database that is open for reading.
#[derive(Debug)]
pub struct Lmdb {
    file: MappedFile,
    name: String,
    page_bytes: usize,
}

/// A state of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    transaction: u64,
    root: u64,
    page_bytes: usize,
}

/// Where a node's value is.
enum Value<'p> {
    Here(&'p [u8]),
    /// In overflow pages: the first page, the length in bytes.
    Elsewhere(u64, usize),
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

impl Lmdb {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Open`], also when it is no database of LMDB.
    pub fn open(path: &Path) -> Result<Lmdb, Error> {
        let name = path.display().to_string();
        let file = crate::files::open(path).map_err(|error| Error::Open {
            file: name.clone(),
            cause: os::words(&error),
        })?;
        let mut database = Lmdb {
            file: MappedFile::new(file),
            name,
            page_bytes: 0,
        };
        // As Postfix has it, a file that is no database cannot be opened.
        let state = database.state().map_err(|error| match error {
            Error::Damaged { file, cause } => Error::Open { file, cause },
            other => other,
        })?;
        database.page_bytes = state.page_bytes;
        Ok(database)
    }

    fn damaged(&self, cause: &str) -> Error {
        Error::Damaged {
            file: self.name.clone(),
            cause: cause.to_owned(),
        }
    }

    fn broken(&self) -> Error {
        self.damaged("it is damaged; run postmap or postalias on its source")
    }

    fn read(&self, bytes: &mut [u8], at: u64) -> Result<(), Error> {
        self.file
            .read_exact_at(bytes, at)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => self.damaged("it is cut short"),
                _ => self.damaged(&os::words(&error)),
            })
    }

    /// The newer of the two meta pages.
    fn state(&self) -> Result<State, Error> {
        const META_BYTES: usize = HEADER + 24 + 2 * 48 + 16;
        let meta = |at: u64| -> Option<State> {
            let mut bytes = [0; META_BYTES];
            self.read(&mut bytes, at).ok()?;
            let head = (u32_at(&bytes, HEADER)?, u32_at(&bytes, HEADER + 4)?);
            if head != (MAGIC, VERSION) || u16_at(&bytes, 10)? & META == 0 {
                return None;
            }
            let (free, main) = (HEADER + 24, HEADER + 24 + 48);
            let page_bytes = u32_at(&bytes, free)? as usize;
            (512..=65536).contains(&page_bytes).then_some(())?;
            Some(State {
                transaction: u64_at(&bytes, main + 48 + 8)?,
                root: u64_at(&bytes, main + 40)?,
                page_bytes,
            })
        };
        let wrong = || self.damaged("it is not a database of LMDB; run postmap or postalias on its source");
        let first = meta(0).ok_or_else(wrong)?;
        let second = meta(first.page_bytes as u64);
        let newer = second.filter(|second| second.transaction > first.transaction);
        Ok(newer.unwrap_or(first))
    }

    /// Does something that reads pages, until nobody changed them meanwhile.
    fn steadily<T>(&self, work: impl Fn(State) -> Result<T, Error>) -> Result<T, Error> {
        for _ in 0..RETRIES_MAX {
            let before = self.state()?;
            let done = work(before);
            if self.state()? == before {
                return done;
            }
        }
        Err(self.damaged("it changes faster than it can be read"))
    }

    fn read_page(&self, page: &mut [u8], number: u64) -> Result<(), Error> {
        let at = number.checked_mul(self.page_bytes as u64);
        self.read(page, at.ok_or_else(|| self.broken())?)
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the file does not hold together.
    pub fn find(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.steadily(|state| self.find_from(state.root, key))
    }

    fn find_from(&self, root: u64, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let mut number = root;
        let (mut usual, mut other) = ([0; PAGE], Vec::new());
        let page = match self.page_bytes <= PAGE {
            true => &mut usual[..self.page_bytes],
            false => {
                other.resize(self.page_bytes, 0);
                other.as_mut_slice()
            }
        };
        for _ in 0..DEPTH_MAX {
            if number == NO_PAGE {
                return Ok(None);
            }
            self.read_page(page, number)?;
            let nodes = nodes_of(page).ok_or_else(|| self.broken())?;
            if nodes.flags & LEAF != 0 {
                let Ok(at) = nodes.search(key).ok_or_else(|| self.broken())? else {
                    return Ok(None);
                };
                let value = nodes.value(at).ok_or_else(|| self.broken())?;
                return self.whole(value).map(Some);
            }
            // The first key of a branch page stands for everything that is smaller.
            let at = match nodes.search(key).ok_or_else(|| self.broken())? {
                Ok(at) => at,
                Err(at) => at.saturating_sub(1),
            };
            number = nodes.child(at).ok_or_else(|| self.broken())?;
        }
        Err(self.broken())
    }

    fn whole(&self, value: Value<'_>) -> Result<Vec<u8>, Error> {
        match value {
            Value::Here(bytes) => Ok(bytes.to_vec()),
            Value::Elsewhere(_, length) if length > RECORD_BYTES_MAX => Err(self.broken()),
            Value::Elsewhere(page, length) => {
                let at = page.checked_mul(self.page_bytes as u64);
                let at = at.and_then(|at| at.checked_add(HEADER as u64));
                let mut bytes = vec![0; length];
                self.read(&mut bytes, at.ok_or_else(|| self.broken())?)?;
                Ok(bytes)
            }
        }
    }

    /// All records, by key.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn records(&self) -> Result<Vec<Record>, Error> {
        self.steadily(|state| {
            let mut records = Vec::new();
            if state.root != NO_PAGE {
                let mut pages_left = self.pages()?;
                self.collect((state.root, 0), &mut pages_left, &mut records)?;
            }
            Ok(records)
        })
    }

    /// How many pages the file has.
    fn pages(&self) -> Result<u64, Error> {
        let metadata = self
            .file
            .file()
            .metadata()
            .map_err(|error| self.damaged(&os::words(&error)))?;
        Ok(metadata.len() / self.page_bytes as u64)
    }

    /// The records below a page, which is `(its number, how deep it stands)`. A damaged tree that leads to a page twice ends
    /// with `pages_left`.
    fn collect(
        &self,
        (number, depth): (u64, usize),
        pages_left: &mut u64,
        records: &mut Vec<Record>,
    ) -> Result<(), Error> {
        *pages_left = pages_left.checked_sub(1).ok_or_else(|| self.broken())?;
        if depth >= DEPTH_MAX {
            return Err(self.broken());
        }
        let mut page = vec![0; self.page_bytes];
        self.read_page(&mut page, number)?;
        let nodes = nodes_of(&page).ok_or_else(|| self.broken())?;
        for at in 0..nodes.count {
            if nodes.flags & LEAF == 0 {
                let child = nodes.child(at).ok_or_else(|| self.broken())?;
                self.collect((child, depth + 1), pages_left, records)?;
                continue;
            }
            let key = nodes.key(at).ok_or_else(|| self.broken())?;
            let value = nodes.value(at).ok_or_else(|| self.broken())?;
            records.push((key.to_vec(), self.whole(value)?));
        }
        Ok(())
    }
}

/// A branch or leaf page.
struct Nodes<'p> {
    page: &'p [u8],
    flags: u16,
    count: usize,
}

fn nodes_of(page: &[u8]) -> Option<Nodes<'_>> {
    let flags = u16_at(page, 10)?;
    if flags & (BRANCH | LEAF) == 0 || flags & (OVERFLOW | META) != 0 {
        return None;
    }
    let count = usize::from(u16_at(page, 12)?).checked_sub(HEADER)? / 2;
    Some(Nodes { page, flags, count })
}

impl<'p> Nodes<'p> {
    fn node(&self, at: usize) -> Option<&'p [u8]> {
        let place = u16_at(self.page, HEADER + at * 2)?;
        self.page.get(usize::from(place)..)
    }

    fn key(&self, at: usize) -> Option<&'p [u8]> {
        let node = self.node(at)?;
        let length = usize::from(u16_at(node, 6)?);
        node.get(NODE_HEADER..NODE_HEADER + length)
    }

    fn child(&self, at: usize) -> Option<u64> {
        let node = self.node(at)?;
        let (low, high) = (u32_at(node, 0)?, u16_at(node, 4)?);
        Some(u64::from(low) | u64::from(high) << 32)
    }

    fn value(&self, at: usize) -> Option<Value<'p>> {
        let node = self.node(at)?;
        let (length, flags) = (u32_at(node, 0)? as usize, u16_at(node, 4)?);
        let start = NODE_HEADER + self.key(at)?.len();
        match flags {
            0 => Some(Value::Here(node.get(start..start.checked_add(length)?)?)),
            BIG_DATA => Some(Value::Elsewhere(u64_at(node, start)?, length)),
            _ => None,
        }
    }

    /// The place of a key, or where it would be. `None` when the page does not hold together.
    fn search(&self, key: &[u8]) -> Option<Result<usize, usize>> {
        // In a branch page the first key is empty and smaller than every other.
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            let found = match self.flags & BRANCH != 0 && middle == 0 {
                true => &[],
                false => self.key(middle)?,
            };
            match found.cmp(key) {
                std::cmp::Ordering::Equal => return Some(Ok(middle)),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Some(Err(low))
    }
}

/// Writes records as a database into an open, empty file. Of equal keys only the first is kept.
///
/// # Errors
/// What the system said; a key that is empty or longer than [`KEY_BYTES_MAX`].
pub fn write(file: &mut File, records: &[Record]) -> std::io::Result<()> {
    let mut sorted: Vec<&Record> = records.iter().collect();
    sorted.sort_by(|one, other| one.0.cmp(&other.0));
    sorted.dedup_by(|later, kept| later.0 == kept.0);
    let mut writer = Writer {
        out: BufWriter::with_capacity(1 << 20, file),
        next_page: 2,
        counts: [0; 3],
    };
    writer.out.write_all(&[0; 2 * PAGE])?;
    let (root, depth) = writer.tree(&sorted)?;
    let Writer {
        out,
        next_page,
        counts,
    } = writer;
    let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    for number in 0..2u64 {
        let mut page = vec![0; PAGE];
        page[0..8].copy_from_slice(&number.to_le_bytes());
        page[10..12].copy_from_slice(&META.to_le_bytes());
        let mut meta = Vec::new();
        meta.extend(MAGIC.to_le_bytes());
        meta.extend(VERSION.to_le_bytes());
        meta.extend(0u64.to_le_bytes());
        meta.extend((next_page * PAGE as u64).to_le_bytes());
        // The tree of free pages: none. Its first field is the size of pages, its flag that keys are numbers.
        meta.extend(tree_record(PAGE as u32, 0x08, 0, [0; 3], (0, NO_PAGE)));
        let entries = sorted.len() as u64;
        // The older meta page has the same tree: whichever is read, the answer is the same.
        meta.extend(tree_record(0, 0, depth, counts, (entries, root)));
        meta.extend((next_page - 1).to_le_bytes());
        meta.extend(number.to_le_bytes());
        page[HEADER..HEADER + meta.len()].copy_from_slice(&meta);
        file.write_all_at(&page, number * PAGE as u64)?;
    }
    Ok(())
}

/// `MDB_db`: counts are of branch, leaf and overflow pages; then entries and root.
fn tree_record(pad: u32, flags: u16, depth: u16, counts: [u64; 3], content: (u64, u64)) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(48);
    bytes.extend(pad.to_le_bytes());
    bytes.extend(flags.to_le_bytes());
    bytes.extend(depth.to_le_bytes());
    counts.iter().for_each(|count| bytes.extend(count.to_le_bytes()));
    bytes.extend(content.0.to_le_bytes());
    bytes.extend(content.1.to_le_bytes());
    bytes
}

struct Writer<'f> {
    out: BufWriter<&'f mut File>,
    next_page: u64,
    /// Branch, leaf and overflow pages.
    counts: [u64; 3],
}

/// A page that is being filled: nodes from its end, their places from its beginning.
struct Filling {
    places: Vec<u16>,
    bytes: Vec<u8>,
    upper: usize,
}

impl Filling {
    fn new() -> Filling {
        Filling {
            places: Vec::new(),
            bytes: vec![0; PAGE],
            upper: PAGE,
        }
    }

    fn has_room(&self, node_bytes: usize) -> bool {
        HEADER + (self.places.len() + 1) * 2 + node_bytes <= self.upper
    }

    fn add(&mut self, head: [u8; 8], key: &[u8], value: &[u8]) {
        let length = even(NODE_HEADER + key.len() + value.len());
        self.upper -= length;
        let node = &mut self.bytes[self.upper..self.upper + length];
        node[..8].copy_from_slice(&head);
        node[8..8 + key.len()].copy_from_slice(key);
        node[8 + key.len()..8 + key.len() + value.len()].copy_from_slice(value);
        self.places.push(self.upper as u16);
    }
}

fn even(length: usize) -> usize {
    length + length % 2
}

/// The head of a node: two halves of the length (or of a page's number), flags or its highest part, the key's length.
fn node_head(low: u32, flags: u16, key: &[u8]) -> [u8; 8] {
    let mut head = [0; 8];
    head[..4].copy_from_slice(&low.to_le_bytes());
    head[4..6].copy_from_slice(&flags.to_le_bytes());
    head[6..].copy_from_slice(&(key.len() as u16).to_le_bytes());
    head
}

impl Writer<'_> {
    /// Writes all pages of a tree; gives its root and depth.
    fn tree(&mut self, sorted: &[&Record]) -> std::io::Result<(u64, u16)> {
        if sorted.is_empty() {
            return Ok((NO_PAGE, 0));
        }
        let mut level = self.leaves(sorted)?;
        let mut depth = 1;
        while level.len() > 1 {
            level = self.branches(&level)?;
            depth += 1;
        }
        Ok((level.first().map_or(NO_PAGE, |(_, page)| *page), depth))
    }

    fn leaves<'r>(&mut self, sorted: &[&'r Record]) -> std::io::Result<Vec<(&'r [u8], u64)>> {
        // `me_nodemax`: two nodes must fit into a page.
        const NODE_BYTES_MAX: usize = (((PAGE - HEADER) / 2) & !1) - 2;
        let (mut level, mut filling, mut first): (Vec<(&[u8], u64)>, _, &[u8]) =
            (Vec::new(), Filling::new(), &[]);
        for (key, value) in sorted {
            if key.is_empty() || key.len() > KEY_BYTES_MAX || value.len() > RECORD_BYTES_MAX {
                return Err(std::io::Error::other(format!(
                    "a key must have 1 to {KEY_BYTES_MAX} octets, and its value no more than {RECORD_BYTES_MAX}"
                )));
            }
            let is_big = NODE_HEADER + key.len() + value.len() > NODE_BYTES_MAX;
            let here = if is_big { 8 } else { value.len() };
            if !filling.has_room(even(NODE_HEADER + key.len() + here)) {
                let full = std::mem::replace(&mut filling, Filling::new());
                level.push((first, self.page(LEAF, full)?));
            }
            if filling.places.is_empty() {
                first = key;
            }
            let length = value.len() as u32;
            if is_big {
                let page = self.overflow(value)?;
                filling.add(node_head(length, BIG_DATA, key), key, &page.to_le_bytes());
            } else {
                filling.add(node_head(length, 0, key), key, value);
            }
        }
        level.push((first, self.page(LEAF, filling)?));
        Ok(level)
    }

    fn branches<'r>(&mut self, below: &[(&'r [u8], u64)]) -> std::io::Result<Vec<(&'r [u8], u64)>> {
        let (mut level, mut filling, mut first): (Vec<(&[u8], u64)>, _, &[u8]) =
            (Vec::new(), Filling::new(), &[]);
        for (at, (key, page)) in below.iter().enumerate() {
            // A branch page needs two children: the last but one page leaves its last for a lonely end.
            let is_lonely_end =
                at + 2 == below.len() && !filling.has_room(2 * (even(NODE_HEADER + KEY_BYTES_MAX) + 2));
            let is_full = !filling.has_room(even(NODE_HEADER + key.len()));
            if filling.places.len() > 1 && (is_full || is_lonely_end) {
                let full = std::mem::replace(&mut filling, Filling::new());
                level.push((first, self.page(BRANCH, full)?));
            }
            let is_first = filling.places.is_empty();
            if is_first {
                first = key;
            }
            let own_key: &[u8] = if is_first { &[] } else { key };
            filling.add(
                node_head(*page as u32, (*page >> 32) as u16, own_key),
                own_key,
                &[],
            );
        }
        level.push((first, self.page(BRANCH, filling)?));
        Ok(level)
    }

    fn page(&mut self, flags: u16, mut filling: Filling) -> std::io::Result<u64> {
        let number = self.next_page;
        self.next_page += 1;
        self.counts[usize::from(flags == LEAF)] += 1;
        let lower = HEADER + filling.places.len() * 2;
        let page = &mut filling.bytes;
        page[..8].copy_from_slice(&number.to_le_bytes());
        page[10..12].copy_from_slice(&flags.to_le_bytes());
        page[12..14].copy_from_slice(&(lower as u16).to_le_bytes());
        page[14..16].copy_from_slice(&(filling.upper as u16).to_le_bytes());
        for (at, place) in filling.places.iter().enumerate() {
            page[HEADER + at * 2..HEADER + at * 2 + 2].copy_from_slice(&place.to_le_bytes());
        }
        self.out.write_all(page)?;
        Ok(number)
    }

    fn overflow(&mut self, value: &[u8]) -> std::io::Result<u64> {
        let number = self.next_page;
        let pages = (HEADER + value.len()).div_ceil(PAGE);
        self.next_page += pages as u64;
        self.counts[2] += pages as u64;
        let mut bytes = vec![0; pages * PAGE];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        bytes[10..12].copy_from_slice(&OVERFLOW.to_le_bytes());
        bytes[12..16].copy_from_slice(&(pages as u32).to_le_bytes());
        bytes[HEADER..HEADER + value.len()].copy_from_slice(value);
        self.out.write_all(&bytes)?;
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(records: &[Record]) -> (tempfile::TempDir, Lmdb) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.lmdb");
        write(&mut File::create_new(&path).unwrap(), records).unwrap();
        (directory, Lmdb::open(&path).unwrap())
    }

    #[test]
    fn many_records_of_every_length() {
        for count in [0u32, 1, 2, 50, 3_000] {
            let record = |n: u32| {
                let key = format!("{}{n}", "k".repeat((n % 40) as usize * 12));
                (key.into_bytes(), vec![b'v'; (n % 700 * (1 + n % 9)) as usize])
            };
            let mut records: Vec<_> = (0..count).map(record).collect();
            let (_directory, lmdb) = database(&records);
            for (key, value) in &records {
                assert_eq!(lmdb.find(key).unwrap().as_ref(), Some(value));
            }
            assert_eq!(lmdb.find(b"a").unwrap(), None);
            assert_eq!(lmdb.find(b"zz").unwrap(), None);
            records.sort();
            assert_eq!(lmdb.records().unwrap(), records);
        }
    }

    #[test]
    fn keys_that_do_not_fit_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        for key in [0, KEY_BYTES_MAX + 1] {
            let mut file = File::create(directory.path().join("x")).unwrap();
            assert!(write(&mut file, &[(vec![b'x'; key], Vec::new())]).is_err());
        }
    }

    #[test]
    fn a_database_that_is_cut_short_is_an_error() {
        let records: Vec<Record> = (0..1000u32)
            .map(|n| (format!("key{n}").into_bytes(), vec![b'v'; 20]))
            .collect();
        let (directory, lmdb) = database(&records);
        let file = File::options()
            .write(true)
            .open(directory.path().join("x.lmdb"))
            .unwrap();
        file.set_len(3 * PAGE as u64).unwrap();
        assert!(records.iter().any(|(key, _)| lmdb.find(key).is_err()));
        assert!(records.iter().all(|(key, _)| !matches!(lmdb.find(key), Ok(None))));
    }

    proptest::proptest! {
        #[test]
        fn damage_never_panics(flips in proptest::collection::vec((0usize..20_000, proptest::num::u8::ANY), 1..10)) {
            let records: Vec<Record> = (0..300u32).map(|n| (format!("key{n}").into_bytes(), vec![b'v'; 30])).collect();
            let (directory, _) = database(&records);
            let path = directory.path().join("x.lmdb");
            let mut bytes = std::fs::read(&path).unwrap();
            for (at, value) in flips {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(lmdb) = Lmdb::open(&path) {
                for (key, _) in &records {
                    let _ = lmdb.find(key);
                }
                let _ = lmdb.records();
            }
        }
    }
}
