//! The file `yubin.cache` beside an index: what is derived from messages ([`mailbox::Derived`]), in blocks that are only ever
//! appended. Never synced, and never believed without its checksum: it can be made anew from the messages.
//!
//! A header (magic, UIDVALIDITY, checksum), then blocks: a frame, a directory of what the block holds, and the contents one after
//! the other. Who opens the file reads frames and directories only.

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use mailbox::cache::{ENTRY_BYTES_MAX, Entry};
use mailbox::{Cache, Derived, Uid, UidSet, UidValidity};
use os::locks::{self, Mode, Tries};

use crate::record::Reader;

const MAGIC: &[u8; 8] = b"yubinCA1";
const HEADER_BYTES: u64 = 16;
const FRAME_MAGIC: u32 = 0x4b4c_4243;
/// Magic, number of entries, octets of content (u64), checksum of these and the directory.
const FRAME_BYTES: usize = 20;
/// UID, kind, octets, checksum of the content.
const PLACE_BYTES: usize = 16;
/// The most entries of a block.
const BLOCK_ENTRIES_MAX: usize = 4096;
/// A file below this size is not made anew because of what is useless in it, in octets.
const WORTH_CLEANING_BYTES: u64 = 1 << 20;
/// How much is read at once where one entry is read after the other.
const WINDOW_BYTES: usize = 64 * 1024;
/// And where they are read here and there.
const NEAR_BYTES: usize = 4 * 1024;

/// The cache of one mailbox. One value serves all threads of a process; any number of processes may use the file at once.
#[derive(Debug)]
pub struct CacheFile {
    path: PathBuf,
    uid_validity: UidValidity,
    state: Mutex<State>,
}

/// Where an entry is. Ordered by message and kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    uid: Uid,
    kind: u8,
    bytes: u32,
    crc: u32,
    at: u64,
}

#[derive(Debug, Default)]
struct State {
    /// `None`: it was not looked for yet, or cannot be used.
    file: Option<File>,
    /// Names what was read from this file in the windows of threads.
    number: u64,
    /// Up to where the file was read.
    end: u64,
    /// In order.
    places: Vec<Place>,
    /// Where the last entry that was recalled ended: its successor is read with many others.
    last_end: u64,
}

/// The file, locked.
struct Taken<'a> {
    file: File,
    path: &'a Path,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        // Closing would not do: the state may hold the same open file.
        let _ = locks::unlock_flock(&self.file, self.path);
    }
}

/// A piece of a file, read ahead.
#[derive(Default)]
struct Window {
    number: u64,
    at: u64,
    octets: Vec<u8>,
}

thread_local! {
    /// One for all caches: an idle mailbox keeps no octets.
    static WINDOW: RefCell<Window> = RefCell::default();
}

impl CacheFile {
    /// The cache of the mailbox whose index lies in `directory`. Nothing is read yet.
    pub fn new(directory: &Path, uid_validity: UidValidity) -> CacheFile {
        CacheFile {
            path: directory.join("yubin.cache"),
            uid_validity,
            state: Mutex::default(),
        }
    }

    /// Forgets the messages that are not among these, if so many were forgotten that it pays. To be called now and then.
    pub fn clean(&self, living: impl FnOnce() -> UidSet) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.end < WORTH_CLEANING_BYTES {
            return;
        }
        let living = living();
        let useful = |place: &&Place| living.contains(place.uid);
        let octets: u64 = state
            .places
            .iter()
            .filter(useful)
            .map(|place| u64::from(place.bytes))
            .sum();
        if octets * 2 < state.end {
            // Failing, it stays as large as it is.
            let _ = self.make_anew(&mut state, &living);
        }
    }

    /// Writes a file with the useful entries alone and puts it into the place of the old one.
    fn make_anew(&self, state: &mut State, living: &UidSet) -> std::io::Result<()> {
        let Some(taken) = self.take(state)? else {
            return Ok(());
        };
        let new = self.path.with_extension("cache.new");
        let file = os::files::create_like_directory(&new)?;
        file.write_all_at(&header(self.uid_validity), 0)?;
        let mut end = HEADER_BYTES;
        let useful: Vec<Place> = state
            .places
            .iter()
            .filter(|place| living.contains(place.uid))
            .copied()
            .collect();
        for places in useful.chunks(BLOCK_ENTRIES_MAX) {
            let mut contents = Vec::new();
            for place in places {
                let start = contents.len();
                contents.resize(start + place.bytes as usize, 0);
                taken.file.read_exact_at(&mut contents[start..], place.at)?;
            }
            let block = block(places, &contents);
            file.write_all_at(&block, end)?;
            end += block.len() as u64;
        }
        std::fs::rename(&new, &self.path)?;
        drop(taken);
        *state = State::default();
        Ok(())
    }

    /// Opens the file if it is there and reads what others have added to it.
    fn refresh(&self, state: &mut State) -> std::io::Result<()> {
        if state.file.is_none() {
            let file = match File::open(&self.path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                opened => opened?,
            };
            *state = State::of(file);
        }
        let Some(file) = &state.file else { return Ok(()) };
        let room = file.metadata()?.len();
        if state.end == 0 {
            let mut found = [0; HEADER_BYTES as usize];
            if room < HEADER_BYTES
                || file.read_exact_at(&mut found, 0).is_err()
                || found != header(self.uid_validity)[..]
            {
                return Ok(());
            }
            state.end = HEADER_BYTES;
        }
        let known = state.places.len();
        while let Some(end) = read_block(file, state.end, room, &mut state.places) {
            state.end = end;
        }
        if state.places.len() > known {
            // What was there first stays: the order is by place last.
            state
                .places
                .sort_unstable_by_key(|place| (place.uid, place.kind, place.at));
            state.places.dedup_by_key(|place| (place.uid, place.kind));
        }
        Ok(())
    }

    /// The file, made if need be and locked against all who write to it; `None` when somebody else has it.
    fn take(&self, state: &mut State) -> std::io::Result<Option<Taken<'_>>> {
        let taken = Taken {
            file: os::files::open_like_directory(&self.path)?,
            path: &self.path,
        };
        let file = &taken.file;
        if locks::lock_flock(file, &self.path, Mode::Exclusive, Tries::ONCE).is_err() {
            return Ok(None);
        }
        let (ours, there) = (file.metadata()?, std::fs::metadata(&self.path)?);
        if (ours.dev(), ours.ino()) != (there.dev(), there.ino()) {
            return Ok(None);
        }
        let is_known = match &state.file {
            Some(known) => known.metadata()?.ino() == ours.ino(),
            None => false,
        };
        if !is_known {
            *state = State::of(file.try_clone()?);
        }
        self.refresh(state)?;
        Ok(Some(taken))
    }

    fn add(&self, state: &mut State, entries: &[Entry]) -> std::io::Result<()> {
        let new = |state: &State| -> Vec<usize> {
            let is_new = |entry: &Entry| {
                entry.content.len() <= ENTRY_BYTES_MAX && state.find(entry.uid, entry.kind).is_none()
            };
            (0..entries.len()).filter(|at| is_new(&entries[*at])).collect()
        };
        if new(state).is_empty() {
            return Ok(());
        }
        let Some(taken) = self.take(state)? else {
            return Ok(());
        };
        let file = &taken.file;
        if state.end == 0 {
            // New, or another mailbox's, or nothing that can be read.
            file.set_len(0)?;
            file.write_all_at(&header(self.uid_validity), 0)?;
            state.end = HEADER_BYTES;
        } else if file.metadata()?.len() > state.end {
            // A block that a crash cut off.
            file.set_len(state.end)?;
        }
        for chosen in new(state).chunks(BLOCK_ENTRIES_MAX) {
            let mut contents = Vec::new();
            let mut places = Vec::new();
            for entry in chosen.iter().map(|at| &entries[*at]) {
                places.push(Place {
                    uid: entry.uid,
                    kind: entry.kind as u8,
                    bytes: entry.content.len() as u32,
                    crc: crc32c::crc32c(&entry.content),
                    at: 0,
                });
                contents.extend_from_slice(&entry.content);
            }
            let block = block(&places, &contents);
            file.write_all_at(&block, state.end)?;
            self.refresh(state)?;
        }
        Ok(())
    }
}

impl Cache for CacheFile {
    fn recall(&self, uid: Uid, kind: Derived, into: &mut Vec<u8>) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.find(uid, kind).is_none() && self.refresh(&mut state).is_err() {
            return false;
        }
        state.find(uid, kind).is_some_and(|place| state.read(place, into))
    }

    fn remember(&self, entries: &[Entry]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.add(&mut state, entries).is_err() {
            *state = State::default();
        }
    }
}

impl State {
    fn of(file: File) -> State {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        State {
            file: Some(file),
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            ..State::default()
        }
    }

    fn find(&self, uid: Uid, kind: Derived) -> Option<Place> {
        let wanted = (uid, kind as u8);
        let at = self
            .places
            .binary_search_by_key(&wanted, |place| (place.uid, place.kind))
            .ok()?;
        self.places.get(at).copied()
    }

    /// Appends the content of an entry; `false` when it does not check out.
    fn read(&mut self, place: Place, into: &mut Vec<u8>) -> bool {
        let Some(file) = &self.file else { return false };
        let bytes = place.bytes as usize;
        let ahead = match place.at == self.last_end {
            true => WINDOW_BYTES,
            false => NEAR_BYTES,
        };
        self.last_end = place.at + bytes as u64;
        WINDOW.with_borrow_mut(|window| {
            let Some(content) = window.give(file, self.number, (place.at, bytes), ahead) else {
                return false;
            };
            let is_sound = crc32c::crc32c(content) == place.crc;
            if is_sound {
                into.extend_from_slice(content);
            }
            is_sound
        })
    }
}

impl Window {
    /// Octets of a file, read if they are not here yet together with those that follow.
    fn give(&mut self, file: &File, number: u64, (at, bytes): (u64, usize), ahead: usize) -> Option<&[u8]> {
        let start = at.checked_sub(self.at).map_or(usize::MAX, |start| start as usize);
        let is_here = self.number == number
            && start
                .checked_add(bytes)
                .is_some_and(|end| end <= self.octets.len());
        if is_here {
            return self.octets.get(start..start + bytes);
        }
        (self.number, self.at) = (number, at);
        self.octets.resize(bytes.max(ahead), 0);
        let mut read = 0;
        while read < bytes {
            match file.read_at(&mut self.octets[read..], at + read as u64) {
                Ok(0) | Err(_) => break,
                Ok(count) => read += count,
            }
        }
        self.octets.truncate(read);
        self.octets.get(..bytes)
    }
}

fn header(uid_validity: UidValidity) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&uid_validity.to_le_bytes());
    header.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());
    header
}

/// A block of these entries, whose contents stand one after the other.
fn block(places: &[Place], contents: &[u8]) -> Vec<u8> {
    let mut block = Vec::with_capacity(FRAME_BYTES + places.len() * PLACE_BYTES + contents.len());
    block.extend_from_slice(&FRAME_MAGIC.to_le_bytes());
    block.extend_from_slice(&(places.len() as u32).to_le_bytes());
    block.extend_from_slice(&(contents.len() as u64).to_le_bytes());
    block.extend_from_slice(&[0; 4]);
    for place in places {
        for field in [place.uid, u32::from(place.kind), place.bytes, place.crc] {
            block.extend_from_slice(&field.to_le_bytes());
        }
    }
    let crc = crc32c::crc32c_append(crc32c::crc32c(&block[..FRAME_BYTES - 4]), &block[FRAME_BYTES..]);
    block[FRAME_BYTES - 4..FRAME_BYTES].copy_from_slice(&crc.to_le_bytes());
    block.extend_from_slice(contents);
    block
}

/// Reads the directory of the block at `at`; where the next block begins. `None`: there is no whole block.
fn read_block(file: &File, at: u64, room: u64, places: &mut Vec<Place>) -> Option<u64> {
    let mut frame = [0; FRAME_BYTES];
    if room.checked_sub(at)? < FRAME_BYTES as u64 {
        return None;
    }
    file.read_exact_at(&mut frame, at).ok()?;
    let mut fields = Reader(&frame);
    let (magic, count, contents, crc) = (
        fields.u32()?,
        fields.u32()? as usize,
        fields.u64()?,
        fields.u32()?,
    );
    if magic != FRAME_MAGIC || count > BLOCK_ENTRIES_MAX {
        return None;
    }
    let first = at + (FRAME_BYTES + count * PLACE_BYTES) as u64;
    let end = first.checked_add(contents).filter(|end| *end <= room)?;
    let mut directory = vec![0; count * PLACE_BYTES];
    file.read_exact_at(&mut directory, at + FRAME_BYTES as u64).ok()?;
    if crc32c::crc32c_append(crc32c::crc32c(&frame[..FRAME_BYTES - 4]), &directory) != crc {
        return None;
    }
    let mut fields = Reader(&directory);
    let mut next = first;
    for _ in 0..count {
        let (uid, kind, bytes, crc) = (fields.u32()?, fields.u32()? as u8, fields.u32()?, fields.u32()?);
        places.push(Place {
            uid,
            kind,
            bytes,
            crc,
            at: next,
        });
        next += u64::from(bytes);
    }
    Some(end)
}
