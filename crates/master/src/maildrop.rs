//! The maildrop of a system that root starts: whose it is, and who may leave mail in it.

use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown};
use std::path::Path;

use anyhow::{Context, Result};

/// The owner may do everything; members of the group, which is `postdrop` the program, may leave files and remove none but
/// their own; nobody sees what is there.
const OPEN: u32 = 0o1730;
/// Without such a group: for the owner.
const CLOSED: u32 = 0o700;

/// Makes the maildrop below `queue`, or sets right whose it is. Files in it that belonged to the mail system or to root go to
/// the owner; those of users stay theirs, which is how their mail is known.
///
/// # Errors
/// When it cannot be done.
pub(crate) fn prepare(queue: &Path, (uid, gid): (u32, u32), drop_gid: Option<u32>) -> Result<()> {
    let path = queue.join("maildrop");
    let told = || format!("cannot prepare the maildrop {}", path.display());
    if std::fs::symlink_metadata(&path).is_err() {
        DirBuilder::new().mode(CLOSED).create(&path).with_context(told)?;
    }
    let before = std::fs::symlink_metadata(&path).with_context(told)?;
    anyhow::ensure!(before.is_dir(), "{}: it is no directory", told());
    // Closed while it changes hands.
    std::fs::set_permissions(&path, Permissions::from_mode(CLOSED)).with_context(told)?;
    for entry in std::fs::read_dir(&path).with_context(told)? {
        let entry = entry.with_context(told)?;
        let Ok(found) = entry.metadata() else { continue };
        let is_ours = found.uid() == 0 || found.uid() == before.uid();
        if is_ours && found.is_file() && found.nlink() == 1 {
            lchown(entry.path(), Some(uid), Some(gid)).with_context(told)?;
        }
    }
    lchown(&path, Some(uid), Some(drop_gid.unwrap_or(gid))).with_context(told)?;
    let mode = if drop_gid.is_some() { OPEN } else { CLOSED };
    std::fs::set_permissions(&path, Permissions::from_mode(mode)).with_context(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_users_stay_theirs() {
        if !os::is_root() {
            println!("skipped: needs root");
            return;
        }
        let queue = tempfile::tempdir().expect("a directory");
        let maildrop = queue.path().join("maildrop");
        let owner = (12_345, 12_346);
        prepare(queue.path(), owner, None).expect("made");
        let found = maildrop.metadata().expect("there");
        assert_eq!(
            (found.uid(), found.gid(), found.mode() & 0o7777),
            (12_345, 12_346, CLOSED)
        );
        for (name, uid) in [("ROOTS1", 0), ("USERS1", 54_321), ("LINKED", 0)] {
            std::fs::write(maildrop.join(name), "x").expect("written");
            lchown(maildrop.join(name), Some(uid), Some(uid)).expect("given");
        }
        std::fs::hard_link(maildrop.join("LINKED"), queue.path().join("other")).expect("linked");
        prepare(queue.path(), owner, Some(1)).expect("set right");
        let found = maildrop.metadata().expect("there");
        assert_eq!((found.uid(), found.mode() & 0o7777), (12_345, OPEN));
        assert_ne!(found.gid(), 12_346);
        let uid = |name: &str| maildrop.join(name).metadata().expect("there").uid();
        assert_eq!((uid("ROOTS1"), uid("USERS1"), uid("LINKED")), (12_345, 54_321, 0));
    }
}
