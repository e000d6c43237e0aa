//! Looking into `new` and `cur`: what is there, and whether the times of the directories can be trusted.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use mailbox::{Error, Result};

use crate::{file_name, paths};

/// How many messages one directory may hold.
pub const ENTRIES_MAX: usize = 10_000_000;

/// A directory that changed so shortly before it was read may change again without its time telling: the clock of
/// the file system has steps. In nanoseconds.
const CLOCK_STEP_NS: i64 = 20_000_000;

/// The same for file systems that only know seconds.
const COARSE_CLOCK_STEP_NS: i64 = 2_000_000_000;

/// How long after our own change of a directory it is read again, for what another program may have done in the
/// same instant. In nanoseconds.
const VERIFY_AFTER_NS: i64 = 2_000_000_000;

/// What a directory's time was when it was last looked at; 0: not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    pub(crate) new_ns: i64,
    pub(crate) cur_ns: i64,
    /// When we changed `cur` since it was last read; 0: we did not.
    pub(crate) own_change_ns: i64,
}

impl Seen {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = vec![1];
        [self.new_ns, self.cur_ns, self.own_change_ns]
            .iter()
            .for_each(|n| bytes.extend_from_slice(&n.to_le_bytes()));
        bytes
    }

    /// The default, which trusts nothing, when the bytes are not ours.
    pub(crate) fn decode(bytes: &[u8]) -> Seen {
        let Some((1, numbers)) = bytes.split_first().filter(|(_, rest)| rest.len() == 24) else {
            return Seen::default();
        };
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&numbers[at * 8..at * 8 + 8]);
            i64::from_le_bytes(bytes)
        };
        Seen {
            new_ns: number(0),
            cur_ns: number(1),
            own_change_ns: number(2),
        }
    }

    /// Whether `cur` must be read, its time being `cur_ns`.
    pub(crate) fn must_read_cur(self, cur_ns: i64, now_ns: i64) -> bool {
        let verify =
            self.own_change_ns != 0 && !(0..VERIFY_AFTER_NS).contains(&(now_ns - self.own_change_ns));
        self.cur_ns == 0 || self.cur_ns != cur_ns || verify
    }
}

/// The time to remember for a directory that had the time `changed_ns` when its reading began at `now_ns`.
pub(crate) fn trusted(changed_ns: i64, now_ns: i64) -> i64 {
    let step = if changed_ns % 1_000_000_000 == 0 {
        COARSE_CLOCK_STEP_NS
    } else {
        CLOCK_STEP_NS
    };
    if now_ns - changed_ns > step { changed_ns } else { 0 }
}

/// Moves every message in `new` to `cur`; returns their names there.
pub(crate) fn move_new_to_cur(maildir: &Path) -> Result<Vec<Vec<u8>>> {
    let (new, cur) = (maildir.join("new"), maildir.join("cur"));
    let mut moved = Vec::new();
    for name in names(&new)? {
        let target = match file_name::base(&name).len() < name.len() {
            true => name.clone(),
            false => file_name::with_flags(&name, mailbox::SystemFlags::NONE, 0),
        };
        let (from, to) = (
            new.join(OsStr::from_bytes(&name)),
            cur.join(OsStr::from_bytes(&target)),
        );
        match std::fs::rename(&from, &to) {
            Ok(()) => moved.push(target),
            Err(error) if paths::is_missing(&error) && cur.is_dir() => {}
            Err(error) => return Err(paths::failed("move to cur", &from)(error)),
        }
    }
    Ok(moved)
}

/// The messages in `cur`: file name by base.
pub(crate) fn read_cur(maildir: &Path) -> Result<HashMap<Vec<u8>, Vec<u8>>> {
    let names = names(&maildir.join("cur"))?;
    let mut by_base = HashMap::with_capacity(names.len());
    for name in names {
        by_base.entry(file_name::base(&name).to_vec()).or_insert(name);
    }
    Ok(by_base)
}

/// A file in `tmp` whose inode has not changed for so long was left by a crash (maildir(5): 36 hours), in seconds.
const LEFT_BEHIND_SECS: i64 = 36 * 3600;

/// Removes what crashes left in `tmp`, except what `wanted` knows by its base.
pub(crate) fn tidy_tmp(maildir: &Path, now_ns: i64, wanted: impl Fn(&[u8]) -> bool) -> Result<()> {
    let tmp = maildir.join("tmp");
    for name in names(&tmp)? {
        let path = tmp.join(OsStr::from_bytes(&name));
        // Not the time of modification, which an append sets to the date of the message.
        let Ok(meta) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        if now_ns / 1_000_000_000 - meta.ctime() > LEFT_BEHIND_SECS && !wanted(file_name::base(&name)) {
            let _ = std::fs::remove_file(&path);
        }
    }
    Ok(())
}

/// The names of the regular files in a directory (or links, perhaps to such), hidden ones left out.
fn names(directory: &Path) -> Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(paths::failed("list", directory))? {
        let entry = entry.map_err(paths::failed("list", directory))?;
        let name = entry.file_name().into_vec();
        let is_message = |kind: std::fs::FileType| kind.is_file() || kind.is_symlink();
        if name.starts_with(b".") || !entry.file_type().is_ok_and(is_message) {
            continue;
        }
        if names.len() >= ENTRIES_MAX {
            return Err(Error::OverLimit(format!(
                "{} holds too many messages",
                directory.display()
            )));
        }
        names.push(name);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_old_and_unknown_leaves_tmp() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        let write =
            || ["1.a", "2.b"].map(|name| std::fs::write(dir.path().join("tmp").join(name), "").unwrap());
        let left = || names(&dir.path().join("tmp")).unwrap();
        write();
        let now = paths::now_ns();
        tidy_tmp(dir.path(), now, |_| false).unwrap();
        assert_eq!(left().len(), 2, "too young");
        let later = now + (LEFT_BEHIND_SECS + 10) * 1_000_000_000;
        tidy_tmp(dir.path(), later, |base| base == b"2.b").unwrap();
        assert_eq!(left(), [b"2.b"]);
    }

    #[test]
    fn what_was_seen_comes_back_and_fresh_times_are_not_trusted() {
        let seen = Seen {
            new_ns: 5,
            cur_ns: 1_700_000_000_123_456_789,
            own_change_ns: -1,
        };
        assert_eq!(Seen::decode(&seen.encode()), seen);
        assert_eq!(Seen::decode(b"something else"), Seen::default());
        let second = 1_000_000_000;
        assert_eq!(trusted(5 * second + 1, 5 * second + 2), 0);
        assert_eq!(trusted(5 * second + 1, 6 * second), 5 * second + 1);
        assert_eq!(trusted(5 * second, 6 * second), 0, "a clock of seconds");
        let own = Seen {
            new_ns: 0,
            cur_ns: 7,
            own_change_ns: 10 * second,
        };
        assert!(!own.must_read_cur(7, 11 * second));
        assert!(own.must_read_cur(7, 13 * second) && own.must_read_cur(8, 11 * second));
        assert!(own.must_read_cur(7, 9 * second), "the clock was set back");
    }
}
