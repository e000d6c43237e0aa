//! Files that are read in memory (mmap(2)) while others may cut them short: what a reader touches and is not there any more does not
//! end the process, it is read as any file is, and that is an error. Where nothing can be mapped, files are only read.
//!
//! Limits: [`MAPPINGS_MAX`] files at once are mapped; the others are read.

#![allow(unsafe_code)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence};
use std::sync::{Mutex, OnceLock, PoisonError};

/// How many files of a process are mapped at once.
pub const MAPPINGS_MAX: usize = 256;

/// A file open for reading at any place.
#[derive(Debug)]
pub struct MappedFile {
    file: File,
    mapping: Option<Mapping>,
}

impl MappedFile {
    /// Maps an open, regular file as far as it reaches now.
    pub fn new(file: File) -> MappedFile {
        let mapping = Mapping::of(&file);
        MappedFile { file, mapping }
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Fills `bytes` from the place `at`. What somebody else writes meanwhile may be read in part.
    ///
    /// # Errors
    /// What the system says; `UnexpectedEof` when the file does not reach so far.
    pub fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
        if let Some(mapping) = &self.mapping
            && mapping.read(bytes, at)
        {
            return Ok(());
        }
        self.file.read_exact_at(bytes, at)
    }
}

/// Where a mapping is, for the handler of SIGBUS. `start` is null where there is none.
struct Slot {
    start: AtomicPtr<u8>,
    length: AtomicUsize,
    is_damaged: AtomicBool,
}

static SLOTS: [Slot; MAPPINGS_MAX] = [const {
    Slot {
        start: AtomicPtr::new(std::ptr::null_mut()),
        length: AtomicUsize::new(0),
        is_damaged: AtomicBool::new(false),
    }
}; MAPPINGS_MAX];

/// Held by whoever takes a slot or gives one back.
static TAKING: Mutex<()> = Mutex::new(());

#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    length: usize,
    slot: usize,
}

// SAFETY: the memory is only read, through `Mapping::read`, and stays until the last owner drops it.
unsafe impl Send for Mapping {}
// SAFETY: as above; readers on several threads do not disturb each other.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// `None` when there is nothing to map, or no room.
    fn of(file: &File) -> Option<Mapping> {
        let length = usize::try_from(file.metadata().ok()?.len()).ok()?;
        if length == 0 || !handles_faults() {
            return None;
        }
        let _taking = TAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = |slot: &Slot| slot.start.load(Ordering::Relaxed).is_null();
        let slot = SLOTS.iter().position(is_free)?;
        let (flags, protection) = (rustix::mm::MapFlags::SHARED, rustix::mm::ProtFlags::READ);
        // SAFETY: a new mapping at a place of the kernel's choice disturbs nothing that is there.
        let mapped = unsafe { rustix::mm::mmap(std::ptr::null_mut(), length, protection, flags, file, 0) };
        let start = NonNull::new(mapped.ok()?.cast::<u8>())?;
        SLOTS[slot].is_damaged.store(false, Ordering::SeqCst);
        SLOTS[slot].length.store(length, Ordering::SeqCst);
        SLOTS[slot].start.store(start.as_ptr(), Ordering::SeqCst);
        Some(Mapping { start, length, slot })
    }

    /// Whether all of it could be read.
    fn read(&self, bytes: &mut [u8], at: u64) -> bool {
        let is_damaged = &SLOTS[self.slot].is_damaged;
        let end = usize::try_from(at)
            .ok()
            .and_then(|at| at.checked_add(bytes.len()));
        let is_inside = end.is_some_and(|end| end <= self.length);
        if !is_inside || is_damaged.load(Ordering::Relaxed) {
            return false;
        }
        // SAFETY: `at` and what follows lie in the mapping, which lives as long as `self`, and nowhere in `bytes`, which Rust owns.
        // Pages that the file lost meanwhile are replaced by the handler of SIGBUS while this copies, which tells by `is_damaged`.
        unsafe {
            let from = self.start.as_ptr().add(at as usize);
            std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len());
        }
        // What was copied is looked at only after the flag, on this thread and on others.
        fence(Ordering::Acquire);
        !is_damaged.load(Ordering::Relaxed)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let _taking = TAKING.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the mapping is ours, all of it, and nobody can read it any more. The slot is given back afterwards: nothing else
        // can lie in its place before.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.length) };
        SLOTS[self.slot]
            .start
            .store(std::ptr::null_mut(), Ordering::SeqCst);
    }
}

/// What SIGBUS did before.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Whether [`fault`] handles SIGBUS; sees to it the first time.
fn handles_faults() -> bool {
    static HANDLES: OnceLock<bool> = OnceLock::new();
    *HANDLES.get_or_init(|| {
        // SAFETY: both are plain C structures for which zeros are a valid value; the handler has the form that SA_SIGINFO wants and
        // does only what signal-safety(7) allows. It is installed after what was there before is known.
        unsafe {
            let mut before: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut before) != 0 {
                return false;
            }
            let _ = BEFORE.set(before);
            let mut action: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = fault;
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) == 0
        }
    })
}

/// The handler of SIGBUS: where a mapping of ours lost its page, all of it becomes zeros that nobody believes. Every other fault
/// goes the way it went before.
extern "C" fn fault(signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel hands over a valid `info`; for a SIGBUS of the kernel's own `si_addr` is set.
    let (address, is_sent) = unsafe { ((*info).si_addr() as usize, (*info).si_code <= 0) };
    let hit = SLOTS.iter().find(|slot| {
        let start = slot.start.load(Ordering::SeqCst) as usize;
        let length = slot.length.load(Ordering::SeqCst);
        start != 0 && address >= start && address - start < page_end(length)
    });
    if let Some(slot) = hit.filter(|_| !is_sent) {
        slot.is_damaged.store(true, Ordering::SeqCst);
        let start = slot.start.load(Ordering::SeqCst).cast();
        let length = slot.length.load(Ordering::SeqCst);
        let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: replaces pages of a mapping of ours, which is alive as long as somebody reads it, as this thread was doing.
        let zeros = unsafe { libc::mmap(start, length, libc::PROT_READ, flags, -1, 0) };
        if zeros != libc::MAP_FAILED {
            return;
        }
    }
    if let Some(before) = BEFORE.get() {
        // SAFETY: `before` is what sigaction(2) told. The fault happens again when this returns; a signal that was sent does not.
        unsafe {
            libc::sigaction(signal, before, std::ptr::null_mut());
            if is_sent {
                libc::raise(signal);
            }
        }
    }
}

/// Whole pages of the smallest size there is; a fault is at an octet that was asked for, this only rounds up.
fn page_end(length: usize) -> usize {
    length.next_multiple_of(4096)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::path::Path;

    /// The slots are those of the process: one test after the other.
    static ALONE: Mutex<()> = Mutex::new(());

    fn mapped(path: &Path) -> MappedFile {
        MappedFile::new(File::open(path).unwrap())
    }

    fn cut(path: &Path, length: u64) {
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(length)
            .unwrap();
    }

    #[test]
    fn what_is_cut_off_is_an_error_and_what_comes_back_is_read() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        std::fs::write(&path, vec![b'a'; 100_000]).unwrap();
        let file = mapped(&path);
        assert!(file.mapping.is_some());
        let mut bytes = [0; 10];
        file.read_exact_at(&mut bytes, 99_990).unwrap();
        assert_eq!(bytes, [b'a'; 10]);
        assert_eq!(
            file.read_exact_at(&mut bytes, 99_991).unwrap_err().kind(),
            ErrorKind::UnexpectedEof
        );
        cut(&path, 5_000);
        let gone = file.read_exact_at(&mut bytes, 50_000).unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::UnexpectedEof);
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes, [b'a'; 10], "what is left is no zeros");
        std::fs::write(&path, vec![b'b'; 200_000]).unwrap();
        file.read_exact_at(&mut bytes, 150_000).unwrap();
        assert_eq!(bytes, [b'b'; 10]);
    }

    #[test]
    fn readers_on_many_threads_see_a_file_that_is_cut_and_filled() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let content = vec![b'a'; 1 << 20];
        std::fs::write(&path, &content).unwrap();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for thread in 0..3u64 {
                let (path, is_over) = (&path, &is_over);
                scope.spawn(move || {
                    let mut file = mapped(path);
                    let (mut at, mut bytes) = (thread, [0; 16]);
                    while !is_over.load(Ordering::Relaxed) {
                        at = (at * 69_069 + 1) % ((1 << 20) - 16);
                        match file.read_exact_at(&mut bytes, at) {
                            // Where it is filled again, the end of the file may lie within the same page: zeros.
                            Ok(()) => assert!(bytes.iter().all(|octet| *octet == b'a' || *octet == 0)),
                            Err(error) => {
                                assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
                                file = mapped(path);
                            }
                        }
                    }
                });
            }
            for _ in 0..200 {
                cut(&path, 0);
                std::fs::write(&path, &content).unwrap();
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn slots_are_given_back() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        std::fs::write(&path, b"abc").unwrap();
        for _ in 0..3 {
            let files: Vec<_> = (0..MAPPINGS_MAX + 10).map(|_| mapped(&path)).collect();
            assert!(files.iter().any(|file| file.mapping.is_none()));
            for file in &files {
                let mut bytes = [0; 3];
                file.read_exact_at(&mut bytes, 0).unwrap();
                assert_eq!(&bytes, b"abc");
            }
        }
    }
}
