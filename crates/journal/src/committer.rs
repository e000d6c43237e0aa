//! The journal as its callers see it, and its committer thread: gathers what waits and commits it in one flush.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use world::{OpenMode, World};

use crate::engine::{Engine, Outcome, Pending, Released};
use crate::pool::{Need, Segments};
use crate::record::{self, HEADER_BYTES, Record};
use crate::recover::{self, Entry, Report};
use crate::segment::Pinned;
use crate::{Error, Options, Position, Result, Room, Urgency};

/// The durable log in a directory.
pub struct Journal {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    options: Options,
    segments: Arc<Segments>,
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Only used without a committer thread; with one, the engine is the thread's own.
    engine: Mutex<Option<Engine>>,
}

#[derive(Default)]
struct Queue {
    pending: Vec<Pending>,
    pending_bytes: usize,
    urgent: usize,
    /// When the oldest lazy record came.
    lazy_since: Option<Instant>,
    released: Released,
    committer: Committer,
    stop: bool,
    failed: Option<world::Error>,
}

/// What the committer's thread does, so that it is woken only when that is of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Committer {
    #[default]
    Awake,
    /// Sleeps until there is anything.
    Idle,
    /// Sleeps until there are so many urgent appends, or, by itself, until the lazy ones have waited long enough.
    Expecting(usize),
}

impl Queue {
    /// Whether the committer must be woken for what was put in; it counts as awake from then on.
    fn wakes(&mut self) -> bool {
        let wakes = match self.committer {
            Committer::Awake => false,
            Committer::Idle => true,
            Committer::Expecting(urgent) => self.urgent >= urgent,
        };
        if wakes {
            self.committer = Committer::Awake;
        }
        wakes
    }
}

impl Journal {
    /// Opens the log in `dir` (made when missing) and replays what is in it. The caller makes sure that nobody else
    /// has it open.
    ///
    /// # Errors
    /// [`Error::Disk`] when it cannot be read, [`Error::Closed`] when it cannot be written. A full disk is no error: what is
    /// there is read, and what fits is written.
    pub fn open(
        dir: &Path,
        options: &Options,
        world: &World,
        replay: &mut dyn FnMut(Entry<'_>),
    ) -> Result<(Journal, Report)> {
        world.disk.create_dir(dir)?;
        let mut found = recover::read(dir, &world.disk, OpenMode::ReadWrite, replay)?;
        let segments = Arc::new(Segments::new(dir, Arc::clone(&world.disk), options.clone()));
        let (live, unused) = (std::mem::take(&mut found.live), std::mem::take(&mut found.unused));
        let first = live.is_empty();
        segments.adopt(live, unused)?;
        if first {
            let size = options.first_segment_bytes.min(options.segment_bytes);
            match segments.make(size, Need::Now(0)) {
                Ok(segment) => segments.give_back(segment),
                Err(Error::Full { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        let inline = Options {
            background: false,
            ..options.clone()
        };
        let mut engine = Engine::new(Arc::clone(&segments), &inline, &found);
        engine.resume(world)?;
        engine.set_background(options.background);
        let shared = Arc::new(Shared {
            options: options.clone(),
            segments,
            queue: Mutex::new(Queue::default()),
            changed: Condvar::new(),
            engine: Mutex::new(None),
        });
        let threads = if options.background {
            start_threads(&shared, engine)?
        } else {
            shared.keep(engine)
        };
        Ok((Journal { shared, threads }, found.report))
    }

    /// Appends `records`, which end up next to each other in one segment. `on_done` is called once, from the
    /// committer's thread (without one: from a caller's), with the position of the first when all are durable; of a
    /// lazy append, never within this call. It has the room that is free: [`Room::Free`].
    ///
    /// # Errors
    /// Told to `on_done`: [`Error::Closed`], [`Error::Full`], [`Error::TooLarge`], and, unless lazy, [`Error::Busy`].
    pub fn append(
        &self,
        records: Vec<Record>,
        urgency: Urgency,
        on_done: impl FnOnce(Result<Position>) + Send + 'static,
    ) {
        let pending = Pending {
            records,
            room: Room::Free,
            done: Some(Box::new(on_done)),
        };
        self.put(pending, urgency);
    }

    /// As a lazy [`Journal::append`], with the choice of the room.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_lazily(
        &self,
        records: Vec<Record>,
        room: Room,
        on_done: impl FnOnce(Result<Position>) + Send + 'static,
    ) {
        let pending = Pending {
            records,
            room,
            done: Some(Box::new(on_done)),
        };
        self.put(pending, Urgency::Lazy);
    }

    fn put(&self, pending: Pending, urgency: Urgency) {
        let records = &pending.records;
        let bytes = records
            .iter()
            .map(|r| HEADER_BYTES + r.payload.len())
            .sum::<usize>();
        let limit = self.shared.options.pending_bytes_max;
        let mut queue = self.shared.lock_queue();
        // A lazy one is told later, by the committer: its caller may hold locks that its callback takes.
        let refused = match (&queue.failed, urgency) {
            (Some(error), Urgency::Now) => Some(Error::Closed(error.clone())),
            (None, Urgency::Now) if queue.pending_bytes + bytes > limit => Some(Error::Busy),
            _ => None,
        };
        if let Some(error) = refused {
            drop(queue);
            return tell(pending.done.map(|done| (done, Err(error))).into_iter().collect());
        }
        queue.pending_bytes += bytes;
        queue.pending.push(pending);
        match urgency {
            Urgency::Now => queue.urgent += 1,
            Urgency::Lazy => {
                queue.lazy_since.get_or_insert_with(Instant::now);
            }
        }
        let wakes = queue.wakes();
        drop(queue);
        if wakes {
            self.shared.changed.notify_one();
        } else if !self.shared.options.background && urgency == Urgency::Now {
            self.shared.commit_here();
        }
    }

    /// As [`Journal::append`], waiting for the result.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_and_wait(&self, records: Vec<Record>) -> Result<Position> {
        let (done, wait) = mpsc::sync_channel(1);
        self.append(records, Urgency::Now, move |result| {
            // The receiver below waits, so the send cannot fail while that frame is alive.
            let _ = done.send(result);
        });
        wait.recv().unwrap_or(Err(Error::Busy))
    }

    /// Waits until everything appended so far is durable.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn sync(&self) -> Result<()> {
        self.append_and_wait(Vec::new()).map(drop)
    }

    /// Why the log is closed, if it is.
    pub fn failure(&self) -> Option<Error> {
        self.shared.lock_queue().failed.clone().map(Error::Closed)
    }

    /// The record at `position`, its checksum verified: kind and payload.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::Damaged`], [`Error::Disk`].
    pub fn read(&self, position: Position) -> Result<Record> {
        let segment = self
            .shared
            .segments
            .find(position.generation)
            .ok_or(Error::Gone { position })?;
        read_record(&segment, position)
    }

    /// Keeps the record at `position` readable as long as the result lives.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::Damaged`], [`Error::Disk`].
    pub fn pin(&self, position: Position) -> Result<Pinned> {
        let segment = self
            .shared
            .segments
            .find(position.generation)
            .ok_or(Error::Gone { position })?;
        segment.pin(position).map(|(pinned, _)| pinned)
    }

    /// Says that no record in a segment of a generation below this is needed any more. Those segments are used
    /// again after the next commit.
    pub fn release_before(&self, generation: u32) {
        let mut queue = self.shared.lock_queue();
        if generation > queue.released.below {
            queue.released.below = generation;
            queue.lazy_since.get_or_insert_with(Instant::now);
            let wakes = queue.wakes();
            drop(queue);
            if wakes {
                self.shared.changed.notify_one();
            }
        }
    }

    /// Says that no record up to the one at `position` is needed any more, so that, when the disk is full, the segment
    /// being written may be begun anew. Nothing happens at once.
    pub fn release_through(&self, position: Position) {
        let mut queue = self.shared.lock_queue();
        queue.released.through = queue.released.through.max(Some(position));
    }

    /// [`Room::Free`] leaves so many octets more for [`Room::Reserved`], from the next append on.
    pub fn reserve(&self, bytes: u64) {
        self.shared.segments.reserve(bytes);
    }

    /// Takes back some of [`Journal::reserve`].
    pub fn unreserve(&self, bytes: u64) {
        self.shared.segments.unreserve(bytes);
    }

    /// Whether the caller runs on the committer's thread, in an `on_done`: there it must not wait for a commit.
    pub fn is_committer(&self) -> bool {
        let this = std::thread::current().id();
        self.threads.iter().any(|thread| thread.thread().id() == this)
    }

    /// The generation of the oldest segment in use.
    pub fn oldest(&self) -> u32 {
        self.shared
            .segments
            .lock()
            .live
            .keys()
            .next()
            .copied()
            .unwrap_or(0)
    }

    /// The segments in use, oldest first: generation and size in octets. The last one is being written.
    pub fn segments(&self) -> Vec<(u32, u64)> {
        self.shared
            .segments
            .lock()
            .live
            .iter()
            .map(|(generation, s)| (*generation, s.size_bytes))
            .collect()
    }
}

impl Drop for Journal {
    /// Commits what waits and stops the threads.
    fn drop(&mut self) {
        if self.threads.is_empty() {
            return self.shared.commit_here();
        }
        self.shared.lock_queue().stop = true;
        self.shared.changed.notify_all();
        self.shared.segments.stop();
        for thread in self.threads.drain(..) {
            // The last owner may be a callback on the committer's own thread, which cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() {
                // A panic of that thread was reported where it happened.
                let _ = thread.join();
            }
        }
    }
}

/// A log opened by [`crate::inspect`], for reading only.
pub struct Reader {
    pub(crate) live: std::collections::BTreeMap<u32, Arc<crate::segment::Segment>>,
}

impl Reader {
    /// As [`Journal::read`].
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub fn read(&self, position: Position) -> Result<Record> {
        read_record(
            self.live
                .get(&position.generation)
                .ok_or(Error::Gone { position })?,
            position,
        )
    }

    /// As [`Journal::pin`].
    ///
    /// # Errors
    /// As [`Journal::pin`].
    pub fn pin(&self, position: Position) -> Result<Pinned> {
        self.live
            .get(&position.generation)
            .ok_or(Error::Gone { position })?
            .pin(position)
            .map(|(pinned, _)| pinned)
    }
}

fn read_record(segment: &Arc<crate::segment::Segment>, position: Position) -> Result<Record> {
    let (pinned, header) = segment.pin(position)?;
    let mut bytes = vec![0; HEADER_BYTES + pinned.payload_bytes];
    let n = segment.file.read_at(&mut bytes, position.offset)?;
    if n != bytes.len() || !record::is_intact(&header, &bytes) {
        return Err(Error::Damaged { position });
    }
    bytes.drain(..HEADER_BYTES);
    Ok(Record {
        kind: header.kind,
        payload: bytes,
    })
}

fn start_threads(shared: &Arc<Shared>, engine: Engine) -> Result<Vec<JoinHandle<()>>> {
    let failed =
        |e: std::io::Error| Error::Disk(world::Error::from_io("start a thread for", Path::new("log"), e));
    let committer = Arc::clone(shared);
    let committer = std::thread::Builder::new()
        .name("log-commit".into())
        .spawn(move || committer.run(engine))
        .map_err(failed)?;
    let segments = Arc::clone(&shared.segments);
    let filler = std::thread::Builder::new()
        .name("log-fill".into())
        .spawn(move || segments.keep_ready())
        .map_err(failed)?;
    Ok(vec![committer, filler])
}

impl Shared {
    fn lock_queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, engine: Engine) -> Vec<JoinHandle<()>> {
        *self.engine.lock().unwrap_or_else(PoisonError::into_inner) = Some(engine);
        Vec::new()
    }

    /// Commits what waits, in the caller's thread.
    fn commit_here(&self) {
        let mut kept = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(engine) = kept.as_mut() else { return };
        let (batch, released) = take_batch(&mut self.lock_queue());
        let outcomes = self.commit(engine, batch, released);
        drop(kept);
        tell(outcomes);
    }

    /// The committer's thread.
    fn run(&self, mut engine: Engine) {
        let mut last_batch = 0;
        let mut last_flush = Duration::ZERO;
        loop {
            let mut queue = self.wait_for_work();
            if queue.stop && queue.pending.is_empty() {
                return;
            }
            if last_batch > 1 && queue.urgent < 2 * last_batch {
                queue = self.wait_for_company(queue, 2 * last_batch, last_flush / 8);
            }
            let urgent = queue.urgent;
            let (batch, released) = take_batch(&mut queue);
            drop(queue);
            let start = Instant::now();
            let outcomes = self.commit(&mut engine, batch, released);
            last_flush = start.elapsed();
            last_batch = urgent;
            tell(outcomes);
        }
    }

    fn commit(&self, engine: &mut Engine, batch: Vec<Pending>, released: Released) -> Vec<Outcome> {
        let outcomes = engine.commit(batch, released);
        if let Some(error) = engine.failure() {
            self.lock_queue().failed = Some(error.clone());
        }
        outcomes
    }

    /// Waits for urgent appends, or for lazy ones to have waited long enough. Right after a commit more is likely to
    /// come: then a lazy append finds a sleep with an end and need not wake anybody.
    fn wait_for_work(&self) -> MutexGuard<'_, Queue> {
        let lazy_delay = self.options.lazy_delay;
        let mut queue = self.lock_queue();
        let mut is_fresh = true;
        while queue.urgent == 0 && !queue.stop {
            let waited = queue.lazy_since.map(|since| since.elapsed());
            queue = match waited {
                Some(waited) if waited >= lazy_delay => break,
                Some(waited) => self.sleep(queue, Committer::Expecting(1), Some(lazy_delay - waited)),
                None if is_fresh => self.sleep(queue, Committer::Expecting(1), Some(lazy_delay)),
                None => self.sleep(queue, Committer::Idle, None),
            };
            is_fresh = false;
        }
        queue
    }

    /// Waits a little for others to share the flush.
    fn wait_for_company<'a>(
        &'a self,
        mut queue: MutexGuard<'a, Queue>,
        wanted: usize,
        patience: Duration,
    ) -> MutexGuard<'a, Queue> {
        let start = Instant::now();
        while queue.urgent < wanted && !queue.stop {
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                break;
            }
            queue = self.sleep(queue, Committer::Expecting(wanted), Some(left));
        }
        queue
    }

    /// Sleeps until [`Queue::wakes`] says so, or `patience` has passed.
    fn sleep<'a>(
        &'a self,
        mut queue: MutexGuard<'a, Queue>,
        how: Committer,
        patience: Option<Duration>,
    ) -> MutexGuard<'a, Queue> {
        queue.committer = how;
        let mut queue = match patience {
            None => self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let woken = self.changed.wait_timeout(queue, patience);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        queue.committer = Committer::Awake;
        queue
    }
}

fn take_batch(queue: &mut Queue) -> (Vec<Pending>, Released) {
    queue.pending_bytes = 0;
    queue.urgent = 0;
    queue.lazy_since = None;
    (std::mem::take(&mut queue.pending), queue.released)
}

fn tell(outcomes: Vec<Outcome>) {
    for (done, result) in outcomes {
        done(result);
    }
}
