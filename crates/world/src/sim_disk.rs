//! A disk in memory that keeps only what was synced: unsynced writes and names are lost, torn or reordered at a
//! crash, as the seed decides; operations fail on request.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{DirEntry, Disk, DiskFile, DiskLock, Error, Foreign, OpenMode, Owner, Result};
use crate::random::split_mix;

/// What a disk writes at least in one piece.
const SECTOR_BYTES: usize = 512;

/// A simulated disk; clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    random: u64,
    /// Raised by every crash; open files and locks of an earlier run are dead.
    run: u64,
    operations: u64,
    fail_at: Option<u64>,
    crash_at: Option<u64>,
    /// Set when `crash_at` was reached: nothing works until [`SimDisk::crash`].
    down: bool,
    capacity_bytes: u64,
    files: BTreeMap<u64, Inode>,
    next_file: u64,
    names: Names,
    durable_names: Names,
    pending_names: Vec<NameChange>,
    dirs: BTreeSet<PathBuf>,
    locks: BTreeMap<PathBuf, u64>,
    next_lock: u64,
}

type Names = BTreeMap<PathBuf, u64>;

#[derive(Default, Clone)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Size(usize),
}

#[derive(Clone)]
enum NameChange {
    Link(PathBuf, u64),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf, u64),
}

struct SimFile {
    state: Arc<Mutex<State>>,
    path: PathBuf,
    inode: u64,
    run: u64,
    writable: bool,
}

struct SimLock {
    state: Arc<Mutex<State>>,
    path: PathBuf,
    number: u64,
}

impl SimDisk {
    /// An empty disk without a limit; `seed` decides what crashes do.
    pub fn new(seed: u64) -> SimDisk {
        let state = State {
            random: seed,
            run: 0,
            operations: 0,
            fail_at: None,
            crash_at: None,
            down: false,
            capacity_bytes: u64::MAX,
            files: BTreeMap::new(),
            next_file: 1,
            names: Names::new(),
            durable_names: Names::new(),
            pending_names: Vec::new(),
            dirs: BTreeSet::new(),
            locks: BTreeMap::new(),
            next_lock: 1,
        };
        SimDisk {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// How many operations that change or sync something were tried so far.
    pub fn operations(&self) -> u64 {
        self.lock_state().operations
    }

    /// The `k`-th changing operation from now on (1 is the next one) fails with an I/O error; later ones work.
    pub fn fail_at(&self, k: u64) {
        let mut state = self.lock_state();
        state.fail_at = Some(state.operations + k);
    }

    /// The power goes at the `k`-th changing operation from now on: it and everything after it fails until
    /// [`SimDisk::crash`] is called.
    pub fn crash_at(&self, k: u64) {
        let mut state = self.lock_state();
        state.crash_at = Some(state.operations + k);
    }

    /// Whether the power is gone ([`SimDisk::crash_at`]).
    pub fn is_down(&self) -> bool {
        self.lock_state().down
    }

    /// How many octets fit in all files together from now on.
    pub fn set_capacity_bytes(&self, bytes: u64) {
        self.lock_state().capacity_bytes = bytes;
    }

    /// Cuts the power and starts the machine again. Files and locks opened before are dead. Everything synced is
    /// there; of the rest, every write may be there, be lost, or be torn at a sector, whatever the order; every
    /// name made, renamed or removed may or may not have become so.
    pub fn crash(&self) {
        self.lock_state().crash();
    }

    /// Kills the processes but not the machine: files and locks opened before are dead, nothing is lost.
    pub fn kill(&self) {
        let mut state = self.lock_state();
        state.run += 1;
        state.locks.clear();
        state.calm();
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SimDisk({} operations)", self.operations())
    }
}

impl State {
    /// Counts an operation; fails when its number is up.
    fn step(&mut self, what: &'static str, path: &Path) -> Result<()> {
        let failed = |text: &str| Err(Error::from_io(what, path, io::Error::other(text.to_owned())));
        if self.down {
            return failed("the power is gone");
        }
        self.operations += 1;
        if self.crash_at == Some(self.operations) {
            self.down = true;
            return failed("the power is gone");
        }
        if self.fail_at == Some(self.operations) {
            return failed("simulated I/O error");
        }
        Ok(())
    }

    fn calm(&mut self) {
        self.down = false;
        self.crash_at = None;
        self.fail_at = None;
    }

    fn chance(&mut self, of: u64) -> u64 {
        split_mix(&mut self.random) % of.max(1)
    }

    fn crash(&mut self) {
        self.run += 1;
        self.locks.clear();
        self.calm();
        let pending = std::mem::take(&mut self.pending_names);
        for change in pending {
            if self.chance(2) == 0 {
                apply_name(&mut self.durable_names, &change);
            }
        }
        self.names = self.durable_names.clone();
        let numbers: Vec<u64> = self.files.keys().copied().collect();
        for number in numbers {
            self.crash_file(number);
        }
        let linked: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|number, _| linked.contains(number));
    }

    fn crash_file(&mut self, number: u64) {
        let Some(mut inode) = self.files.remove(&number) else {
            return;
        };
        let mut pending = std::mem::take(&mut inode.pending);
        // Any order: a disk's cache does not know which write came first.
        for i in (1..pending.len()).rev() {
            let j = usize::try_from(self.chance(i as u64 + 1)).unwrap_or(0);
            pending.swap(i, j);
        }
        for change in pending {
            match change {
                Change::Size(size) if self.chance(2) == 0 => inode.durable.resize(size, 0),
                Change::Size(_) => {}
                Change::Write(offset, bytes) => self.crash_write(&mut inode.durable, offset, &bytes),
            }
        }
        inode.now = inode.durable.clone();
        self.files.insert(number, inode);
    }

    fn crash_write(&mut self, durable: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
        match self.chance(3) {
            0 => write_into(durable, offset, bytes),
            1 => {}
            _ => {
                let mut at = 0;
                while at < bytes.len() {
                    let end = bytes
                        .len()
                        .min((offset + at) / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES - offset);
                    if self.chance(2) == 0 {
                        write_into(durable, offset + at, &bytes[at..end]);
                    }
                    at = end;
                }
            }
        }
    }

    fn used_bytes(&self) -> u64 {
        self.names
            .values()
            .filter_map(|n| self.files.get(n))
            .map(|f| f.now.len() as u64)
            .sum()
    }

    fn rename_now(&mut self, change: NameChange) {
        apply_name(&mut self.names, &change);
        self.pending_names.push(change);
    }

    /// A file that has no name any more stays until the name's removal is durable, since a crash may bring it back.
    fn forget_nameless(&mut self) {
        let linked: BTreeSet<u64> = self
            .names
            .values()
            .chain(self.durable_names.values())
            .copied()
            .collect();
        let pending: BTreeSet<u64> = self
            .pending_names
            .iter()
            .filter_map(|c| match c {
                NameChange::Link(_, n) | NameChange::Rename(_, _, n) => Some(*n),
                NameChange::Unlink(_) => None,
            })
            .collect();
        // Open descriptors keep reading in this run, so only what no crash can bring back loses its durable copy.
        for (number, inode) in &mut self.files {
            if !linked.contains(number) && !pending.contains(number) {
                inode.durable = Vec::new();
                inode.pending = Vec::new();
            }
        }
    }
}

fn apply_name(names: &mut Names, change: &NameChange) {
    match change {
        NameChange::Link(path, inode) => {
            names.insert(path.clone(), *inode);
        }
        NameChange::Unlink(path) => {
            names.remove(path);
        }
        NameChange::Rename(from, to, inode) => {
            names.remove(from);
            names.insert(to.clone(), *inode);
        }
    }
}

fn write_into(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[offset..end].copy_from_slice(bytes);
}

impl NameChange {
    /// Whether it is about a name directly in `dir`.
    fn touches(&self, dir: &Path) -> bool {
        match self {
            NameChange::Link(path, _) | NameChange::Unlink(path) => path.parent() == Some(dir),
            NameChange::Rename(from, to, _) => from.parent() == Some(dir) || to.parent() == Some(dir),
        }
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>> {
        let mut state = self.lock_state();
        let found = state.names.get(path).copied();
        let inode = match (found, mode) {
            (Some(_), OpenMode::CreateNew) => {
                return Err(Error::Exists {
                    path: path.to_owned(),
                });
            }
            (Some(inode), _) => inode,
            (None, OpenMode::Read | OpenMode::ReadWrite) => {
                return Err(Error::NotFound {
                    path: path.to_owned(),
                });
            }
            (None, OpenMode::Create | OpenMode::CreateNew) => {
                state.step("create", path)?;
                if !path.parent().is_some_and(|dir| state.dirs.contains(dir)) {
                    return Err(Error::NotFound {
                        path: path.to_owned(),
                    });
                }
                let inode = state.next_file;
                state.next_file += 1;
                state.files.insert(inode, Inode::default());
                state.rename_now(NameChange::Link(path.to_owned(), inode));
                inode
            }
        };
        if state.down {
            state.step("open", path)?;
        }
        let (run, writable) = (state.run, mode != OpenMode::Read);
        Ok(Arc::new(SimFile {
            state: Arc::clone(&self.state),
            path: path.to_owned(),
            inode,
            run,
            writable,
        }))
    }

    /// There is one user.
    fn open_foreign(&self, path: &Path) -> Result<Foreign> {
        Ok(Foreign {
            file: self.open(path, OpenMode::Read)?,
            owner: Owner::OfDirectory,
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.lock_state();
        state.step("rename", from)?;
        let inode = *state.names.get(from).ok_or_else(|| Error::NotFound {
            path: from.to_owned(),
        })?;
        state.rename_now(NameChange::Rename(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let mut state = self.lock_state();
        state.step("remove", path)?;
        if !state.names.contains_key(path) {
            return Err(Error::NotFound {
                path: path.to_owned(),
            });
        }
        state.rename_now(NameChange::Unlink(path.to_owned()));
        Ok(())
    }

    fn list(&self, dir: &Path) -> Result<Vec<DirEntry>> {
        let state = self.lock_state();
        if !state.dirs.contains(dir) {
            return Err(Error::NotFound { path: dir.to_owned() });
        }
        let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
        let files = state.names.keys().map(|path| (path, false));
        let dirs = state.dirs.iter().map(|path| (path, true));
        let inside = files.chain(dirs).filter(|(path, _)| path.parent() == Some(dir));
        let mut entries: Vec<_> = inside
            .filter_map(|(path, is_dir)| {
                Some(DirEntry {
                    name: name(path)?,
                    is_dir,
                })
            })
            .collect();
        entries.sort_unstable();
        Ok(entries)
    }

    fn free_bytes(&self, _dir: &Path) -> Result<u64> {
        let state = self.lock_state();
        Ok(state.capacity_bytes.saturating_sub(state.used_bytes()))
    }

    /// Directories are durable at once: losing one whole is a case that no caller here has.
    fn create_dir(&self, dir: &Path) -> Result<()> {
        let mut state = self.lock_state();
        if state.dirs.contains(dir) {
            return Ok(());
        }
        state.step("create directory", dir)?;
        state.dirs.extend(dir.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        let mut state = self.lock_state();
        state.step("sync directory", dir)?;
        let (synced, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut state.pending_names)
            .into_iter()
            .partition(|change| change.touches(dir));
        synced
            .iter()
            .for_each(|change| apply_name(&mut state.durable_names, change));
        state.pending_names = kept;
        state.forget_nameless();
        Ok(())
    }

    fn lock(&self, path: &Path) -> Result<DiskLock> {
        let mut state = self.lock_state();
        if state.locks.contains_key(path) {
            return Err(Error::Locked {
                path: path.to_owned(),
                process: Some(1),
            });
        }
        let number = state.next_lock;
        state.next_lock += 1;
        state.locks.insert(path.to_owned(), number);
        Ok(DiskLock(Box::new(SimLock {
            state: Arc::clone(&self.state),
            path: path.to_owned(),
            number,
        })))
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.locks.get(&self.path) == Some(&self.number) {
            state.locks.remove(&self.path);
        }
    }
}

impl SimFile {
    fn enter(&self, what: &'static str, counts: bool) -> Result<MutexGuard<'_, State>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |text: &str| {
            Err(Error::from_io(
                what,
                &self.path,
                io::Error::other(text.to_owned()),
            ))
        };
        if state.run != self.run {
            return failed("the process that opened this file is gone");
        }
        if counts {
            if !self.writable && what != "sync" {
                return failed("opened for reading only");
            }
            state.step(what, &self.path)?;
        } else if state.down {
            return failed("the power is gone");
        }
        Ok(state)
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<usize> {
        let state = self.enter("read", false)?;
        let Some(inode) = state.files.get(&self.inode) else {
            return Ok(0);
        };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(inode.now.len());
        let n = bytes.len().min(inode.now.len() - start);
        bytes[..n].copy_from_slice(&inode.now[start..start + n]);
        Ok(n)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        // A write that the power cut interrupts may have got to the disk in part, so it is pending before it fails.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.run == self.run && state.crash_at == Some(state.operations + 1) && !state.down {
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            if let Some(inode) = state.files.get_mut(&self.inode) {
                inode.pending.push(Change::Write(offset, bytes.to_vec()));
            }
        }
        drop(state);
        let mut state = self.enter("write", true)?;
        let (used, capacity) = (state.used_bytes(), state.capacity_bytes);
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(inode) = state.files.get_mut(&self.inode) else {
            return Ok(());
        };
        let grows = (offset + bytes.len()).saturating_sub(inode.now.len()) as u64;
        if grows > 0 && used + grows > capacity {
            return Err(Error::Full {
                path: self.path.clone(),
            });
        }
        write_into(&mut inode.now, offset, bytes);
        inode.pending.push(Change::Write(offset, bytes.to_vec()));
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        let mut state = self.enter("sync", true)?;
        if let Some(inode) = state.files.get_mut(&self.inode) {
            inode.durable = inode.now.clone();
            inode.pending.clear();
        }
        Ok(())
    }

    fn size_bytes(&self) -> Result<u64> {
        let state = self.enter("inspect", false)?;
        Ok(state
            .files
            .get(&self.inode)
            .map_or(0, |inode| inode.now.len() as u64))
    }

    fn truncate(&self, size_bytes: u64) -> Result<()> {
        let mut state = self.enter("truncate", true)?;
        let size = usize::try_from(size_bytes).unwrap_or(usize::MAX);
        if let Some(inode) = state.files.get_mut(&self.inode) {
            inode.now.resize(size, 0);
            inode.pending.push(Change::Size(size));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(seed: u64) -> SimDisk {
        let disk = SimDisk::new(seed);
        disk.create_dir(Path::new("/q")).unwrap();
        disk
    }

    #[test]
    fn what_was_synced_survives_and_what_was_not_may_not() {
        let mut lost = 0;
        for seed in 0..50 {
            let disk = disk(seed);
            let file = disk.open(Path::new("/q/a"), OpenMode::CreateNew).unwrap();
            file.write_all_at(b"synced", 0).unwrap();
            file.sync_data().unwrap();
            disk.sync_dir(Path::new("/q")).unwrap();
            file.write_all_at(&[b'x'; 2000], 6).unwrap();
            disk.open(Path::new("/q/b"), OpenMode::CreateNew).unwrap();
            disk.crash();
            assert!(file.size_bytes().is_err(), "a handle of before the crash works");
            let file = disk.open(Path::new("/q/a"), OpenMode::Read).unwrap();
            let mut bytes = [0; 6];
            file.read_at(&mut bytes, 0).unwrap();
            assert_eq!(&bytes, b"synced");
            lost += u32::from(disk.list(Path::new("/q")).unwrap().len() == 1);
        }
        assert!(
            (10..40).contains(&lost),
            "a crash should lose unsynced names about half of the time: {lost}"
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_disk() {
        let run = |seed| {
            let disk = disk(seed);
            let file = disk.open(Path::new("/q/a"), OpenMode::CreateNew).unwrap();
            disk.sync_dir(Path::new("/q")).unwrap();
            for i in 0..20u8 {
                file.write_all_at(&[i; 700], u64::from(i) * 300).unwrap();
            }
            disk.crash();
            let file = disk.open(Path::new("/q/a"), OpenMode::Read).unwrap();
            let mut bytes = vec![0; 10_000];
            let n = file.read_at(&mut bytes, 0).unwrap();
            bytes.truncate(n);
            bytes
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn operations_fail_on_request_and_the_disk_fills() {
        let disk = disk(1);
        let file = disk.open(Path::new("/q/a"), OpenMode::CreateNew).unwrap();
        disk.fail_at(2);
        file.write_all_at(b"1", 0).unwrap();
        assert!(file.sync_data().is_err());
        file.sync_data().unwrap();
        disk.set_capacity_bytes(4);
        assert_eq!(disk.free_bytes(Path::new("/q")).unwrap(), 3);
        file.write_all_at(b"1234", 0).unwrap();
        assert!(matches!(file.write_all_at(b"5", 4), Err(Error::Full { .. })));
        disk.crash_at(1);
        assert!(file.write_all_at(b"9", 0).is_err());
        assert!(file.sync_data().is_err() && disk.is_down());
        disk.crash();
        disk.open(Path::new("/q/c"), OpenMode::Create).unwrap();
    }

    #[test]
    fn a_lock_is_held_once_and_ends_with_its_process() {
        let disk = disk(1);
        let held = disk.lock(Path::new("/q/lock")).unwrap();
        assert!(matches!(
            disk.lock(Path::new("/q/lock")),
            Err(Error::Locked { .. })
        ));
        disk.kill();
        let again = disk.lock(Path::new("/q/lock")).unwrap();
        drop(held);
        assert!(disk.lock(Path::new("/q/lock")).is_err());
        drop(again);
        disk.lock(Path::new("/q/lock")).unwrap();
    }
}
