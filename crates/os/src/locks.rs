//! Locks that other programs honour: fcntl(2) on the whole file, flock(2), and lock files (`file.lock`).
//!
//! fcntl locks are the process's: two threads must exclude each other by other means, and closing *any*
//! descriptor of the file gives them up. flock locks belong to the open file.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, fcntl_lock, flock};

use crate::{Error, Result};

/// What a lock is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Others may read too.
    Shared,
    /// Nobody else.
    Exclusive,
}

/// How often a lock is tried, and the pause between two tries. Postfix: `deliver_lock_attempts`, `deliver_lock_delay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// Attempts; at least one is made.
    pub attempts: u32,
    /// Pause between two attempts.
    pub pause: Duration,
}

impl Tries {
    /// One attempt.
    pub const ONCE: Tries = Tries {
        attempts: 1,
        pause: Duration::ZERO,
    };
    /// Twenty attempts, one a second, as Postfix does.
    pub const POSTFIX: Tries = Tries {
        attempts: 20,
        pause: Duration::from_secs(1),
    };

    fn run(self, path: &Path, mut attempt: impl FnMut() -> Result<bool>) -> Result<()> {
        for left in (0..self.attempts.max(1)).rev() {
            if attempt()? {
                return Ok(());
            }
            if left > 0 {
                std::thread::sleep(self.pause);
            }
        }
        Err(Error::Locked(path.to_owned()))
    }
}

/// Locks a whole file against other processes with fcntl(2). `path` is for the message only.
///
/// # Errors
/// [`Error::Locked`] when all tries failed, [`Error::Call`] when the file system knows no locks.
pub fn lock_fcntl(file: &File, path: &Path, mode: Mode, tries: Tries) -> Result<()> {
    let operation = match mode {
        Mode::Shared => FlockOperation::NonBlockingLockShared,
        Mode::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    tries.run(path, || judge(path, fcntl_lock(file.as_fd(), operation)))
}

/// Gives up the fcntl(2) lock on a file.
///
/// # Errors
/// [`Error::Call`] when the system refuses.
pub fn unlock_fcntl(file: &File, path: &Path) -> Result<()> {
    fcntl_lock(file.as_fd(), FlockOperation::Unlock)
        .map_err(|error| Error::call(format!("unlock {}", path.display()), error))
}

/// Locks an open file with flock(2). `path` is for the message only.
///
/// # Errors
/// As [`lock_fcntl`].
pub fn lock_flock(file: &File, path: &Path, mode: Mode, tries: Tries) -> Result<()> {
    let operation = match mode {
        Mode::Shared => FlockOperation::NonBlockingLockShared,
        Mode::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    tries.run(path, || judge(path, flock(file.as_fd(), operation)))
}

/// Locks an open file with flock(2), waiting at most so long. For files whose locks are short by rule: the first
/// looks come within microseconds of each other, later ones every [`LONGEST_PAUSE`].
///
/// # Errors
/// As [`lock_fcntl`].
pub fn wait_flock(file: &File, path: &Path, mode: Mode, at_most: Duration) -> Result<()> {
    let operation = match mode {
        Mode::Shared => FlockOperation::NonBlockingLockShared,
        Mode::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    let (mut waited, mut pause) = (Duration::ZERO, Duration::from_micros(50));
    while !judge(path, flock(file.as_fd(), operation))? {
        if waited >= at_most {
            return Err(Error::Locked(path.to_owned()));
        }
        std::thread::sleep(pause);
        waited += pause;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Ok(())
}

/// The longest pause between two looks at a lock that [`wait_flock`] waits for.
pub const LONGEST_PAUSE: Duration = Duration::from_millis(2);

/// Gives up the flock(2) lock of an open file.
///
/// # Errors
/// [`Error::Call`] when the system refuses.
pub fn unlock_flock(file: &File, path: &Path) -> Result<()> {
    flock(file.as_fd(), FlockOperation::Unlock)
        .map_err(|error| Error::call(format!("unlock {}", path.display()), error))
}

fn judge(path: &Path, answer: rustix::io::Result<()>) -> Result<bool> {
    use rustix::io::Errno;
    match answer {
        Ok(()) => Ok(true),
        Err(Errno::AGAIN | Errno::ACCESS | Errno::INTR) => Ok(false),
        Err(error) => Err(Error::call(format!("lock {}", path.display()), error)),
    }
}

/// A lock file `FILE.lock`. Dropping it removes it, if it is still ours.
#[derive(Debug)]
pub struct Dotlock {
    path: PathBuf,
    file: File,
    inode: (u64, u64),
    left_note: Option<String>,
}

/// How long a lock file may stand still before it counts as left behind by a crash (Postfix: `stale_lock_time`).
pub const STALE_AFTER: Duration = Duration::from_secs(500);

/// The largest content of a lock file that is looked at, in bytes.
const CONTENT_BYTES_MAX: u64 = 256;

impl Dotlock {
    /// Takes the lock file of `file`: a file with our process id is made beside it and linked to the lock's name, which
    /// is safe over NFS too. A lock file is removed as stale when it is older than `stale_after` (both times are
    /// the file server's), or when it says `pid:host` of a process of this host that is gone.
    ///
    /// # Errors
    /// [`Error::Locked`] when all tries failed; [`Error::Call`], notably with `PermissionDenied` where the
    /// directory does not let us make files.
    pub fn take(file: &Path, tries: Tries, stale_after: Duration) -> Result<Dotlock> {
        let path = with_suffix(file, ".lock");
        let host = crate::hostname::hostname();
        let (mut taken, mut left_note) = (None, None);
        tries.run(&path, || {
            let mut attempt = Dotlock::attempt(&path, &host, stale_after)?;
            if let Attempt::Removed(note) = attempt {
                left_note = note;
                attempt = Dotlock::attempt(&path, &host, stale_after)?;
            }
            if let Attempt::Taken(lock) = attempt {
                taken = Some(lock);
            }
            Ok(taken.is_some())
        })?;
        let mut lock = taken.ok_or(Error::Locked(path))?;
        lock.left_note = left_note;
        Ok(lock)
    }

    /// Notes in the lock file what its owner is about to do: one line, at most once. Who finds the lock left behind by a
    /// crash learns it by [`Dotlock::left_note`].
    ///
    /// # Errors
    /// [`Error::Call`] when it cannot be written.
    pub fn note(&self, text: &str) -> Result<()> {
        (&self.file)
            .write_all(format!("\n{text}\n").as_bytes())
            .map_err(|error| Error::call(format!("write {}", self.path.display()), error))
    }

    /// The note of the stale lock that had to be removed to take this one.
    pub fn left_note(&self) -> Option<&str> {
        self.left_note.as_deref()
    }

    fn attempt(path: &Path, host: &str, stale_after: Duration) -> Result<Attempt> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let own = with_suffix(path, &format!(".{host}.{}.{number}", std::process::id()));
        let said = |error| Error::call(format!("create {}", own.display()), error);
        let _ = std::fs::remove_file(&own);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&own)
            .map_err(said)?;
        let written = write!(file, "{}:{host}", std::process::id());
        let linked = written.and_then(|()| std::fs::hard_link(&own, path));
        // Over NFS the answer to link(2) may be lost: the number of links is the truth.
        let meta = file.metadata().map_err(said)?;
        let result = if linked.is_ok() || meta.nlink() == 2 {
            Ok(Attempt::Taken(Dotlock {
                path: path.to_owned(),
                file,
                inode: (meta.dev(), meta.ino()),
                left_note: None,
            }))
        } else if let Err(error) = linked
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            Err(Error::call(format!("create {}", path.display()), error))
        } else {
            let now = meta.modified().unwrap_or_else(|_| SystemTime::now());
            Ok(match remove_if_stale(path, &own, (host, now, stale_after)) {
                Some(note) => Attempt::Removed(note),
                None => Attempt::Refused,
            })
        };
        let _ = std::fs::remove_file(&own);
        result
    }

    /// Says that the lock is still in use, so that others do not take it for stale.
    ///
    /// # Errors
    /// [`Error::Call`] when the lock file is gone.
    pub fn touch(&self) -> Result<()> {
        File::options()
            .write(true)
            .open(&self.path)
            .and_then(|file| file.set_modified(SystemTime::now()))
            .map_err(|error| Error::call(format!("touch {}", self.path.display()), error))
    }
}

impl Drop for Dotlock {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What came of one attempt to make a lock file.
enum Attempt {
    Taken(Dotlock),
    /// A stale lock is out of the way; its note.
    Removed(Option<String>),
    Refused,
}

/// Removes a stale lock: it is moved away first, and put back when somebody else had replaced it meanwhile. `None`:
/// nothing was removed; else the lock's note, if it had one.
#[allow(
    clippy::option_option,
    reason = "whether it was removed, and whether it had a note"
)]
fn remove_if_stale(
    path: &Path,
    own: &Path,
    (host, now, stale_after): (&str, SystemTime, Duration),
) -> Option<Option<String>> {
    // A lock that has gone by itself is out of the way too.
    let Ok(judged) = std::fs::symlink_metadata(path) else {
        return Some(None);
    };
    let age = judged
        .modified()
        .ok()
        .and_then(|at| now.duration_since(at).ok())
        .unwrap_or_default();
    let content = content_of(path);
    if age < stale_after && !owner_is_gone(&content, host) {
        return None;
    }
    let away = with_suffix(own, ".stale");
    std::fs::rename(path, &away).ok()?;
    let same = std::fs::symlink_metadata(&away)
        .is_ok_and(|meta| (meta.dev(), meta.ino()) == (judged.dev(), judged.ino()));
    if !same {
        let _ = std::fs::hard_link(&away, path);
    }
    let _ = std::fs::remove_file(&away);
    let note = content.lines().nth(1).filter(|_| content.ends_with('\n'));
    same.then(|| note.map(str::to_owned))
}

fn content_of(path: &Path) -> String {
    let mut content = String::new();
    if let Ok(file) = File::open(path) {
        // What is no text says nothing.
        let _ = file.take(CONTENT_BYTES_MAX).read_to_string(&mut content);
    }
    content
}

fn owner_is_gone(content: &str, host: &str) -> bool {
    match content.lines().next().unwrap_or_default().trim().split_once(':') {
        Some((pid, at)) if at == host => pid.parse().is_ok_and(|pid| !crate::process::exists(pid)),
        _ => false,
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().as_bytes().to_vec();
    name.extend_from_slice(suffix.as_bytes());
    PathBuf::from(std::ffi::OsStr::from_bytes(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Tries = Tries {
        attempts: 2,
        pause: Duration::from_millis(1),
    };

    #[test]
    fn a_lock_file_excludes_and_goes_away() {
        let dir = tempfile::tempdir().unwrap();
        let mbox = dir.path().join("mbox");
        let lock = Dotlock::take(&mbox, QUICK, STALE_AFTER).unwrap();
        assert!(matches!(
            Dotlock::take(&mbox, QUICK, STALE_AFTER),
            Err(Error::Locked(_))
        ));
        lock.touch().unwrap();
        drop(lock);
        drop(Dotlock::take(&mbox, QUICK, STALE_AFTER).unwrap());
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            0,
            "nothing is left behind"
        );
    }

    #[test]
    fn a_lock_file_of_a_crash_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let mbox = dir.path().join("mbox");
        let lock = dir.path().join("mbox.lock");
        std::fs::write(&lock, format!("{}:{}", i32::MAX, crate::hostname::hostname())).unwrap();
        drop(Dotlock::take(&mbox, Tries::ONCE, STALE_AFTER).unwrap());
        std::fs::write(&lock, "0").unwrap();
        assert!(
            Dotlock::take(&mbox, Tries::ONCE, STALE_AFTER).is_err(),
            "procmail's lock is not old yet"
        );
        let old = SystemTime::now() - STALE_AFTER - Duration::from_secs(5);
        File::options()
            .write(true)
            .open(&lock)
            .unwrap()
            .set_modified(old)
            .unwrap();
        drop(Dotlock::take(&mbox, Tries::ONCE, STALE_AFTER).unwrap());
    }

    #[test]
    fn what_a_crashed_owner_was_about_to_do_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let mbox = dir.path().join("mbox");
        let lock = Dotlock::take(&mbox, Tries::ONCE, STALE_AFTER).unwrap();
        assert_eq!(lock.left_note(), None);
        lock.note("append at 17").unwrap();
        let path = dir.path().join("mbox.lock");
        let left = std::fs::read_to_string(&path).unwrap();
        drop(lock);
        let gone = left.replace(&std::process::id().to_string(), &i32::MAX.to_string());
        std::fs::write(&path, gone).unwrap();
        let lock = Dotlock::take(&mbox, Tries::ONCE, STALE_AFTER).unwrap();
        assert_eq!(lock.left_note(), Some("append at 17"));
    }

    #[test]
    fn a_directory_that_forbids_files_is_told_apart() {
        let missing = Path::new("/no-such-directory/mbox");
        let error = Dotlock::take(missing, Tries::ONCE, STALE_AFTER).unwrap_err();
        assert_eq!(error.io_kind(), Some(std::io::ErrorKind::NotFound));
    }

    #[test]
    fn flock_belongs_to_the_open_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let first = File::create(&path).unwrap();
        let second = File::open(&path).unwrap();
        lock_flock(&first, &path, Mode::Exclusive, Tries::ONCE).unwrap();
        assert!(matches!(
            lock_flock(&second, &path, Mode::Shared, QUICK),
            Err(Error::Locked(_))
        ));
        unlock_flock(&first, &path).unwrap();
        wait_flock(&second, &path, Mode::Shared, Duration::from_secs(5)).unwrap();
        let waiting = wait_flock(&first, &path, Mode::Exclusive, Duration::from_millis(5));
        assert!(matches!(waiting, Err(Error::Locked(_))));
        lock_fcntl(&first, &path, Mode::Exclusive, Tries::ONCE).unwrap();
        unlock_fcntl(&first, &path).unwrap();
    }
}
