//! What tells one state of a file from another.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A file's identity, size and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signature {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Signature {
    pub(crate) fn of(metadata: &Metadata) -> Signature {
        Signature {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// How many databases this process has put in the place of others.
static REPLACED: AtomicU64 = AtomicU64::new(0);

/// A tick of the kernel, in which this process has not replaced a database: within one, what was seen of a file is not asked for again,
/// which costs as much as the rest of a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    tick: (i64, i64),
    replaced: u64,
}

impl Moment {
    pub(crate) fn now() -> Moment {
        Moment {
            tick: os::files::tick(),
            replaced: REPLACED.load(Ordering::SeqCst),
        }
    }
}

/// A database was put in the place of another.
pub(crate) fn replaced() {
    REPLACED.fetch_add(1, Ordering::SeqCst);
}
