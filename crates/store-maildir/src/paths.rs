//! Small steps on files and directories, with errors that name the path.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use mailbox::{Error, Result};

/// The three directories of a maildir.
pub(crate) const PARTS: [&str; 3] = ["tmp", "new", "cur"];

/// How long the lock on a small file may be waited for.
const LOCK_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(60);

/// The error for `what` done to `path`.
pub(crate) fn failed(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let what = format!("cannot {what} {}", path.display());
    move |source| Error::Io { what, source }
}

/// Whether there is a maildir.
pub(crate) fn is_maildir(path: &Path) -> bool {
    path.join("cur").is_dir()
}

/// Makes whatever is missing of a maildir, mode 0700. Returns whether something was.
pub(crate) fn create_maildir(path: &Path) -> Result<bool> {
    let mut made = false;
    for part in PARTS {
        let part = path.join(part);
        if !part.is_dir() {
            let result = DirBuilder::new().recursive(true).mode(0o700).create(&part);
            result.map_err(failed("create", &part))?;
            made = true;
        }
    }
    if made {
        sync_directory(path)?;
        if let Some(parent) = path.parent() {
            // The parent may be readable to others only; then the home directory is not ours to sync.
            let _ = sync_directory(parent);
        }
    }
    Ok(made)
}

/// Puts the names in a directory on disk.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(failed("sync", path))
}

/// When the names in a directory last changed, in nanoseconds since the Unix epoch.
pub(crate) fn changed_at(path: &Path) -> Result<i64> {
    let meta = std::fs::metadata(path).map_err(failed("look at", path))?;
    Ok(meta
        .mtime()
        .saturating_mul(1_000_000_000)
        .saturating_add(meta.mtime_nsec()))
}

/// The system's time in nanoseconds since the Unix epoch.
pub(crate) fn now_ns() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

/// The system's time in seconds since the Unix epoch.
pub(crate) fn now_secs() -> i64 {
    now_ns() / 1_000_000_000
}

/// Opens a message for reading.
pub(crate) fn open(path: &Path) -> std::io::Result<File> {
    os::files::open_regular(path, File::options().read(true))
}

/// Whether the error says that the path does not exist.
pub(crate) fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

/// Writes a small file as a whole, synced: beside it, then in its place.
pub(crate) fn replace_file(path: &Path, content: &[u8]) -> Result<()> {
    use std::io::Write;
    let new = path.with_extension(format!("new{}", std::process::id()));
    let written = os::files::create_like_directory(&new).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written
        .and_then(|()| std::fs::rename(&new, path))
        .map_err(failed("write", path))?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Takes the lock on a small file of ours, waiting for it.
pub(crate) fn wait_for_lock(file: &File, path: &Path) -> Result<()> {
    os::locks::wait_flock(file, path, os::locks::Mode::Exclusive, LOCK_WAIT_MAX).map_err(
        |error| match error {
            os::Error::Locked(path) => Error::Locked(path.display().to_string()),
            error => failed("lock", path)(std::io::Error::other(error)),
        },
    )
}
