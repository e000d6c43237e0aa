//! The disk as the durable parts see it: files read and written at an offset, and explicit syncs.

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What went wrong on a disk.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no such file or directory.
    #[error("{}: no such file or directory", path.display())]
    NotFound {
        /// Which.
        path: PathBuf,
    },
    /// It exists already ([`OpenMode::CreateNew`]).
    #[error("{}: file exists", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// The file system or the quota is full.
    #[error("{}: no space left on device", path.display())]
    Full {
        /// What was to be written.
        path: PathBuf,
    },
    /// Somebody else holds the lock.
    #[error("{} is locked by process {}", path.display(), process.map_or_else(|| "?".to_owned(), |p| p.to_string()))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who, if it said so.
        process: Option<u32>,
    },
    /// Anything else.
    #[error("cannot {what} {}: {}", path.display(), os::words(source))]
    Failed {
        /// What was tried: `open`, `write` …
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why not.
        source: Arc<io::Error>,
    },
}

/// What disk operations give.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The error that `source` is when `what` was tried on `path`.
    pub fn from_io(what: &'static str, path: &Path, source: io::Error) -> Error {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Error::NotFound { path },
            io::ErrorKind::AlreadyExists => Error::Exists { path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full { path },
            _ => Error::Failed {
                what,
                path,
                source: Arc::new(source),
            },
        }
    }
}

/// How a file is opened. All but `Read` allow reading and writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, for reading only.
    Read,
    /// An existing file.
    ReadWrite,
    /// An existing file, or a new empty one (mode 0600).
    Create,
    /// A new empty one; an existing one is an error.
    CreateNew,
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The name without the directory.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// A file that anybody may have left ([`Disk::open_foreign`]).
pub struct Foreign {
    /// For reading.
    pub file: Arc<dyn DiskFile>,
    /// Whose it is.
    pub owner: Owner,
}

/// Whose a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The owner of the directory in which it lies.
    OfDirectory,
    /// Another user.
    Other {
        /// Who.
        uid: u32,
        /// The permission bits of the file.
        mode: u32,
    },
}

/// Directories and names. What was done is sure to survive a power cut only after [`Disk::sync_dir`].
pub trait Disk: Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>>;

    /// Opens a file for reading where other users may leave anything, without waiting for one of them.
    ///
    /// # Errors
    /// As [`Disk::open`]; [`Error::Failed`] of the kind `InvalidInput` when it is no regular file with one name.
    fn open_foreign(&self, path: &Path) -> Result<Foreign>;

    /// Renames a file, replacing the target.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> Result<()>;

    /// What is in a directory, in order of name. Names that are not UTF-8 are left out.
    fn list(&self, dir: &Path) -> Result<Vec<DirEntry>>;

    /// Makes a directory and its parents (mode 0700); one that exists is no error.
    fn create_dir(&self, dir: &Path) -> Result<()>;

    /// How many octets there are for new files below a directory, as far as the file system says: a quota may be lower.
    fn free_bytes(&self, dir: &Path) -> Result<u64>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> Result<()>;

    /// Locks `path` (made when missing) against other processes until the lock is dropped, and writes the own
    /// process id into it; never waits.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process, or this one, holds it.
    fn lock(&self, path: &Path) -> Result<DiskLock>;
}

/// A lock, released when dropped.
#[derive(Debug)]
pub struct DiskLock(#[expect(dead_code, reason = "held for its drop")] pub(crate) Box<dyn Any + Send + Sync>);

/// An open file. What was written is sure to survive a power cut only after [`DiskFile::sync_data`].
pub trait DiskFile: Send + Sync {
    /// Reads at `offset`; fewer octets than asked for only at the end of the file.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<usize>;

    /// Writes all of `bytes` at `offset`, growing the file where needed.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()>;

    /// fdatasync(2): contents and size are durable when this returns. After an error nothing is known about any
    /// write since the last success, and a second call may wrongly succeed: treat it as final.
    fn sync_data(&self) -> Result<()>;

    /// The file's size.
    fn size_bytes(&self) -> Result<u64>;

    /// Sets the file's size.
    fn truncate(&self, size_bytes: u64) -> Result<()>;

    /// Writes zeros from `from` up to `to`, so that the space is really there.
    fn fill_zeros(&self, from: u64, to: u64) -> Result<()> {
        const CHUNK_BYTES: u64 = 256 * 1024;
        let zeros = vec![0; usize::try_from(CHUNK_BYTES.min(to.saturating_sub(from))).unwrap_or(0)];
        let mut at = from;
        while at < to {
            let n = CHUNK_BYTES.min(to - at);
            self.write_all_at(&zeros[..usize::try_from(n).unwrap_or(0)], at)?;
            at += n;
        }
        Ok(())
    }
}
