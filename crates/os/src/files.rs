//! Looking at many files of one directory without walking its path each time (fstatat(2)); opening files that may be none.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{AtFlags, OFlags, statat};

/// Opens what is at `path`, which must be a regular file: where somebody put a FIFO or a device, this neither waits for its
/// other end nor touches it further.
///
/// # Errors
/// What the system says; `InvalidInput` when it is no regular file.
pub fn open_regular(path: &Path, options: &OpenOptions) -> std::io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = options
        .clone()
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    let kind = std::io::ErrorKind::InvalidInput;
    Err(std::io::Error::new(kind, "it is not a regular file"))
}

/// Length in bytes and time of last modification, in seconds since the Unix epoch, of the file `name` in an open
/// directory. Links are followed.
///
/// # Errors
/// What the system says; `NotFound` when there is no such file.
pub fn look_at(directory: &File, name: &OsStr) -> std::io::Result<(u64, i64)> {
    let stat = statat(directory, name, AtFlags::empty())?;
    Ok((u64::try_from(stat.st_size).unwrap_or(0), stat.st_mtime))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifo_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        let error = open_regular(&path, OpenOptions::new().read(true)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        std::fs::write(dir.path().join("file"), "x").unwrap();
        assert!(open_regular(&dir.path().join("file"), OpenOptions::new().read(true)).is_ok());
    }

    #[test]
    fn a_file_is_looked_at_and_a_missing_one_is_said() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("message"), "four").unwrap();
        let directory = File::open(dir.path()).unwrap();
        let (bytes, secs) = look_at(&directory, OsStr::new("message")).unwrap();
        assert!(bytes == 4 && secs > 1_000_000_000);
        let missing = look_at(&directory, OsStr::new("none")).unwrap_err();
        assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    }
}
