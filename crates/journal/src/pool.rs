//! The pool of segment files: those in use, those ready for use, and how new ones are made while the disk has room.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use world::{Disk, OpenMode};

use crate::segment::{Segment, name_of, number_of, size_for, usable_bytes};
use crate::{Error, Options, Result};

/// How many zeros are written between two flushes; many at once would hold up the commits meanwhile.
const FILL_BYTES: u64 = 4 * 1024 * 1024;
/// How long no segment is tried again when the file system had less room than it said (a quota).
const PAUSE: Duration = Duration::from_secs(5);

/// How much a new segment is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// It is to be there when it is needed: only while the disk has plenty of room.
    Spare,
    /// Somebody waits for a segment of at least so many octets.
    Now(u64),
}

/// Every segment file and what it is for.
pub(crate) struct Segments {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    options: Options,
    /// What the caller wants to have left for [`crate::Room::Reserved`], in octets.
    reserve_bytes: AtomicU64,
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
    failed: Option<Error>,
    /// No segment is tried again before that.
    paused_until: Option<Instant>,
    /// The last one made had to be smaller than it should be.
    tight: bool,
    /// The committer waits for a segment of at least this size.
    wanted: Option<u64>,
    stop: bool,
}

impl State {
    /// What records could have of all ready segments.
    fn ready_bytes(&self) -> u64 {
        self.ready.iter().map(|s| usable_bytes(s.size_bytes)).sum()
    }

    /// A ready segment that takes `bytes` and leaves `reserve` octets, together with the other ones.
    fn choose(&self, bytes: u64, reserve: u64) -> Option<usize> {
        let all = self.ready_bytes();
        if all < bytes.saturating_add(reserve) {
            return None;
        }
        (0..self.ready.len())
            .rev()
            .find(|at| usable_bytes(self.ready[*at].size_bytes) >= bytes)
    }
}

impl Segments {
    pub(crate) fn new(dir: &Path, disk: Arc<dyn Disk>, options: Options) -> Segments {
        let state = State {
            live: BTreeMap::new(),
            void: Vec::new(),
            ready: Vec::new(),
            next_number: 1,
            failed: None,
            paused_until: None,
            tight: false,
            wanted: None,
            stop: false,
        };
        Segments {
            dir: dir.to_owned(),
            disk,
            options,
            reserve_bytes: AtomicU64::new(0),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn reserve(&self, bytes: u64) {
        self.reserve_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn unreserve(&self, bytes: u64) {
        self.reserve_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether no segment is ready and the disk had no room for a whole one the last time.
    pub(crate) fn is_exhausted(&self) -> bool {
        let state = self.lock();
        state.ready.is_empty() && state.tight
    }

    /// Takes over what recovery found: segments in use, and files that are not.
    pub(crate) fn adopt(&self, live: Vec<(u32, Segment)>, unused: Vec<Segment>) -> Result<()> {
        let mut state = self.lock();
        state.tight = self.disk.free_bytes(&self.dir)? / 2 < self.options.segment_bytes;
        let number = |segment: &Segment| number_of(segment.path.file_name()?.to_str()?);
        let numbers = live.iter().map(|(_, s)| s).chain(&unused).filter_map(number);
        state.next_number = numbers.max().unwrap_or(0) + 1;
        state.live = live
            .into_iter()
            .map(|(generation, segment)| (generation, Arc::new(segment)))
            .collect();
        for segment in unused {
            // One of another size may not have been finished when the system stopped.
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

    /// A ready segment that takes `bytes` of records, when `reserve` octets are left after that in all ready ones.
    /// Waits for one to be made; makes it itself when there is no thread for that.
    pub(crate) fn take_ready(&self, bytes: u64, reserve: u64, background: bool) -> Result<Segment> {
        if size_for(bytes) > self.options.segment_bytes {
            return Err(Error::TooLarge { bytes });
        }
        let mut state = self.lock();
        let mut asked = false;
        loop {
            if let Some(at) = state.choose(bytes, reserve) {
                let segment = state.ready.swap_remove(at);
                self.changed.notify_all();
                return Ok(segment);
            }
            let missing = bytes.saturating_add(reserve).saturating_sub(state.ready_bytes());
            state = self.make_more(state, missing.max(bytes), background, &mut asked)?;
        }
    }

    /// Waits until the ready segments have room for `bytes` together.
    pub(crate) fn keep_room(&self, bytes: u64, background: bool) -> Result<()> {
        let mut state = self.lock();
        let mut asked = false;
        while state.ready_bytes() < bytes {
            let missing = bytes - state.ready_bytes();
            state = self.make_more(state, missing, background, &mut asked)?;
        }
        Ok(())
    }

    /// Has one more segment made, with room for `bytes` if a segment can have it. `asked`: whether that was asked for
    /// before by the same caller, so that what failed is the answer.
    fn make_more<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        bytes: u64,
        background: bool,
        asked: &mut bool,
    ) -> Result<MutexGuard<'a, State>> {
        let size = size_for(bytes).min(self.options.segment_bytes);
        if !background || state.stop {
            drop(state);
            let made = self.make(self.options.segment_bytes, Need::Now(size))?;
            state = self.lock();
            state.ready.push(made);
            return Ok(state);
        }
        if let (true, Some(failed)) = (*asked, state.failed.clone()) {
            return Err(failed);
        }
        state.failed = None;
        state.wanted = Some(size);
        *asked = true;
        self.changed.notify_all();
        Ok(self.changed.wait(state).unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a segment file: filled with zeros, synced, its name synced. It has `size_bytes`, or, when the disk has
    /// not twice as much, a half, a quarter and so on of it, but what is needed. Others need the disk too (large
    /// messages, logs), and a small segment is better than to refuse.
    ///
    /// # Errors
    /// [`Error::Full`], without touching the disk when it says itself that it has no room.
    pub(crate) fn make(&self, size_bytes: u64, need: Need) -> Result<Segment> {
        let free_bytes = self.disk.free_bytes(&self.dir)?;
        let (least_bytes, room_bytes) = match need {
            Need::Spare => (size_bytes, free_bytes / 2),
            Need::Now(bytes) => (
                bytes.max(self.options.segment_bytes_min).min(size_bytes),
                free_bytes,
            ),
        };
        let mut size = size_bytes;
        while size > free_bytes / 2 && size / 2 >= least_bytes {
            size /= 2;
        }
        let full = |wanted_bytes| Error::Full {
            dir: self.dir.clone(),
            wanted_bytes,
            free_bytes,
        };
        let is_paused = self
            .lock()
            .paused_until
            .is_some_and(|until| Instant::now() < until);
        let made = loop {
            if size > room_bytes || is_paused {
                break Err(full(size));
            }
            match self.make_of_size(size) {
                Err(world::Error::Full { .. }) if size / 2 >= least_bytes => size /= 2,
                Err(world::Error::Full { .. }) => {
                    self.lock().paused_until = Some(Instant::now() + PAUSE);
                    break Err(full(size));
                }
                other => break other.map_err(Error::Disk),
            }
        };
        self.lock().tight = size < size_bytes || matches!(made, Err(Error::Full { .. }));
        made
    }

    fn make_of_size(&self, size_bytes: u64) -> world::Result<Segment> {
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

    /// Takes a segment out of use, unless somebody still reads it.
    pub(crate) fn take_back(&self, generation: u32) -> Option<Segment> {
        let mut state = self.lock();
        match Arc::try_unwrap(state.live.remove(&generation)?) {
            Ok(segment) => Some(segment),
            Err(read) => {
                state.live.insert(generation, read);
                None
            }
        }
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

    /// Makes void segments that nobody reads any more ready, and removes those that are too many or of another size
    /// (while the disk has room for better ones).
    fn sort_void(&self, state: &mut State) {
        for segment in std::mem::take(&mut state.void) {
            match Arc::try_unwrap(segment) {
                Err(read) => state.void.push(read),
                Ok(segment) => {
                    let fits = segment.size_bytes == self.options.segment_bytes || state.tight;
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
            let few =
                state.ready.len() < self.options.ready_segments || state.ready_bytes() < self.reserve_bytes();
            let wanted = state.wanted;
            if wanted.is_none() && (!few || state.failed.is_some()) {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            drop(state);
            let made = self.make(self.options.segment_bytes, wanted.map_or(Need::Spare, Need::Now));
            state = self.lock();
            match made {
                Ok(segment) => state.ready.push(segment),
                Err(error) if wanted.is_some() || state.wanted.is_none() => state.failed = Some(error),
                // Somebody asked meanwhile, perhaps for less.
                Err(_) => {}
            }
            if wanted.is_some() {
                state.wanted = None;
            }
            self.changed.notify_all();
        }
    }

    /// Ends [`Segments::keep_ready`].
    pub(crate) fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
    }
}
