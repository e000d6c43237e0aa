//! Looking at many files of one directory without walking its path each time (fstatat(2)).

use std::ffi::OsStr;
use std::fs::File;

use rustix::fs::{AtFlags, statat};

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
