//! Locks that the other programs at an mbox file honour, and open files that do not give them up by accident.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::ops::Deref;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use os::locks::{self, Dotlock, Mode, STALE_AFTER, Tries};

use crate::keeper::Spool;
use crate::{Error, Result};

/// A kind of lock (`mailbox_delivery_lock`, `mbox_write_locks`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// fcntl(2) on the whole file.
    Fcntl,
    /// flock(2).
    Flock,
    /// A lock file beside it; left out where the directory does not let us make files.
    Dotlock,
}

/// The note in a lock file before its owner appends; the size of the file follows.
const APPEND_NOTE: &str = "appending at ";

/// Which locks are taken, in which order, and how patiently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locks {
    /// For writing, in this order (`mbox_write_locks`).
    pub kinds: Vec<LockKind>,
    /// For reading (`mbox_read_locks`); a lock file is not needed for that.
    pub for_reading: Vec<LockKind>,
    /// For each of them.
    pub tries: Tries,
    /// When a lock file counts as left behind.
    pub stale_after: Duration,
}

impl Default for Locks {
    /// fcntl, then the lock file, as Postfix and Debian's policy have it.
    fn default() -> Locks {
        Locks {
            kinds: vec![LockKind::Fcntl, LockKind::Dotlock],
            for_reading: vec![LockKind::Fcntl],
            tries: Tries::POSTFIX,
            stale_after: STALE_AFTER,
        }
    }
}

/// Open mbox files whose closing must wait: closing any descriptor of a file gives up this process's fcntl lock on it.
static RETIRED: Mutex<Retired> = Mutex::new(Retired {
    held: 0,
    files: Vec::new(),
});

struct Retired {
    held: usize,
    files: Vec<File>,
}

fn retired() -> MutexGuard<'static, Retired> {
    RETIRED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An open mbox file. Dropping it closes the file as soon as no lock is held in this process.
#[derive(Debug)]
pub(crate) struct Handle(Option<File>);

impl Handle {
    pub(crate) fn new(file: File) -> Handle {
        Handle(Some(file))
    }
}

impl Deref for Handle {
    type Target = File;

    fn deref(&self) -> &File {
        self.0.as_ref().expect("the file is taken out by drop only")
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut retired = retired();
        if retired.held > 0 {
            retired.files.extend(self.0.take());
        }
    }
}

/// Files that a thread of this process has locked: fcntl locks exclude other processes only.
static IN_USE: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());
static RELEASED: Condvar = Condvar::new();

/// The lock among the threads of this process.
#[derive(Debug)]
struct Among((u64, u64));

impl Among {
    fn take(inode: (u64, u64), path: &Path, tries: Tries) -> Result<Among> {
        let patience = tries.pause.saturating_mul(tries.attempts.max(1));
        let in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = RELEASED.wait_timeout_while(in_use, patience, |in_use| in_use.contains(&inode));
        let (mut in_use, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if in_use.insert(inode) {
            Ok(Among(inode))
        } else {
            Err(Error::Locked(path.to_owned()))
        }
    }
}

impl Drop for Among {
    fn drop(&mut self) {
        IN_USE
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.0);
        RELEASED.notify_all();
    }
}

/// Locks that are held until this is dropped.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    file: &'a Handle,
    path: &'a Path,
    fcntl: bool,
    flock: bool,
    dotlock: Option<Dotlock>,
    /// Who made the lock file in our stead.
    kept: Option<Spool<'a>>,
    /// Given up last, when the others are.
    _among: Among,
}

impl<'a> Held<'a> {
    /// Takes the locks on `file`, which is open at `path`. For reading, the lock file is not needed.
    pub(crate) fn take(file: &'a Handle, path: &'a Path, mode: Mode, locks: &Locks) -> Result<Held<'a>> {
        Held::take_with(file, path, mode, (locks, None))
    }

    /// As [`Held::take`]; where the lock file is forbidden, the keeper of the spool makes it.
    pub(crate) fn take_with(
        file: &'a Handle,
        path: &'a Path,
        mode: Mode,
        (locks, spool): (&Locks, Option<Spool<'a>>),
    ) -> Result<Held<'a>> {
        let among = Among::take(Fingerprint::of_file(file, path)?.inode, path, locks.tries)?;
        retired().held += 1;
        let mut held = Held {
            file,
            path,
            fcntl: false,
            flock: false,
            dotlock: None,
            kept: None,
            _among: among,
        };
        let kinds = if mode == Mode::Shared {
            &locks.for_reading
        } else {
            &locks.kinds
        };
        for kind in kinds {
            match kind {
                LockKind::Fcntl => {
                    locks::lock_fcntl(file, path, mode, locks.tries)?;
                    held.fcntl = true;
                }
                LockKind::Flock => {
                    locks::lock_flock(file, path, mode, locks.tries)?;
                    held.flock = true;
                }
                LockKind::Dotlock if mode == Mode::Shared => {}
                LockKind::Dotlock => match Dotlock::take(path, locks.tries, locks.stale_after) {
                    Ok(lock) => held.dotlock = Some(lock),
                    Err(error) if is_forbidden(error.io_kind()) => {
                        held.kept = kept(spool, locks, path)?;
                        // /var/mail is often the mail group's alone: the other kinds must do.
                        if held.kept.is_none() && locks.kinds.len() < 2 {
                            return Err(error.into());
                        }
                    }
                    Err(error) => return Err(error.into()),
                },
            }
        }
        held.undo_unfinished_append()?;
        Ok(held)
    }

    /// The locked file.
    pub(crate) fn file(&self) -> &'a Handle {
        self.file
    }

    /// To be said before something is appended to the file, which ends at `size`: should the process be killed before it
    /// has finished, the next one to lock the file cuts the half message off. Where no lock file can be made, it stays,
    /// as with other delivery agents.
    pub(crate) fn begin_append(&self, size: u64) -> Result<()> {
        match &self.dotlock {
            Some(lock) => Ok(lock.note(&format!("{APPEND_NOTE}{size}"))?),
            None => Ok(()),
        }
    }

    /// Cuts off what a killed process had begun to append. Only if it is that, and nothing else: no more than one message.
    fn undo_unfinished_append(&self) -> Result<()> {
        let note = self.dotlock.as_ref().and_then(Dotlock::left_note);
        let old_size = note
            .and_then(|note| note.strip_prefix(APPEND_NOTE))
            .and_then(|size| size.parse().ok());
        let Some(old_size) = old_size else { return Ok(()) };
        let said = || Error::io("read", self.path);
        if Fingerprint::of_file(self.file, self.path)?.size > old_size
            && is_at_most_one_message(self.file, old_size).map_err(said())?
        {
            self.file
                .set_len(old_size)
                .and_then(|()| self.file.sync_all())
                .map_err(Error::io("cut an unfinished message off", self.path))?;
        }
        Ok(())
    }
}

/// Whether what lies behind `start` is the beginning of one message, after the empty line that separates it.
fn is_at_most_one_message(file: &File, start: u64) -> std::io::Result<bool> {
    const FROM: &[u8] = b"\nFrom ";
    let mut window = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    let mut at = start;
    loop {
        let count = file.read_at(&mut piece, at)?;
        if at == start {
            let text = &piece[..count];
            let skipped = text.iter().take(2).take_while(|&&octet| octet == b'\n').count();
            let begins = &text[skipped..];
            if !begins.starts_with(&FROM[1..]) && !FROM[1..].starts_with(begins) {
                return Ok(false);
            }
            window.extend_from_slice(begins);
        } else {
            window.extend_from_slice(&piece[..count]);
        }
        if memchr::memmem::find(&window, FROM).is_some() {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
        at += count as u64;
        window.drain(..window.len().saturating_sub(FROM.len()));
    }
}

/// The lock file that the keeper makes; `None` when that is forbidden too.
fn kept<'a>(spool: Option<Spool<'a>>, locks: &Locks, path: &Path) -> Result<Option<Spool<'a>>> {
    let Some(spool) = spool else {
        return Ok(None);
    };
    match spool.keeper.lock(spool.user, locks.tries) {
        Ok(()) => Ok(Some(spool)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(Error::Locked(path.to_owned())),
        Err(error) if is_forbidden(Some(error.kind())) => Ok(None),
        Err(error) => Err(Error::io("lock", path)(error)),
    }
}

pub(crate) fn is_forbidden(kind: Option<ErrorKind>) -> bool {
    matches!(
        kind,
        Some(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
    )
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.dotlock = None;
        if let Some(spool) = &self.kept {
            // A lock that stays counts as left behind after a while.
            let _ = spool.keeper.unlock(spool.user);
        }
        if self.flock {
            let _ = locks::unlock_flock(self.file, self.path);
        }
        if self.fcntl {
            let _ = locks::unlock_fcntl(self.file, self.path);
        }
        let mut retired = retired();
        retired.held -= 1;
        if retired.held == 0 {
            retired.files.clear();
        }
    }
}

/// What tells whether a file is as it was: device, inode, size, times of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fingerprint {
    pub(crate) inode: (u64, u64),
    pub(crate) size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    pub(crate) fn of(meta: &Metadata) -> Fingerprint {
        Fingerprint {
            inode: (meta.dev(), meta.ino()),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    pub(crate) fn of_file(file: &File, path: &Path) -> Result<Fingerprint> {
        file.metadata()
            .map(|meta| Fingerprint::of(&meta))
            .map_err(Error::io("look at", path))
    }

    /// The file at `path`; `None` when there is none.
    pub(crate) fn of_path(path: &Path) -> Result<Option<Fingerprint>> {
        match std::fs::metadata(path) {
            Ok(meta) => Ok(Some(Fingerprint::of(&meta))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("look at", path)(error)),
        }
    }
}
