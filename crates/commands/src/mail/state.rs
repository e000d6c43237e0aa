//! Where a rewrite of a folder keeps its journal, so that what a crash cuts short is ended by the next session.

use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::Access;

/// `preferred`, which lies below the home directory; where that cannot be written (a service's user without a home), a
/// directory of this user's own below `temporary`. When neither can be had, `preferred`: the error names it then.
pub(super) fn directory(preferred: PathBuf, temporary: &Path, uid: u32) -> PathBuf {
    if can_be_made(&preferred) {
        return preferred;
    }
    let own = temporary.join(format!("yubin-mail-{uid}"));
    if is_private(&own, uid) { own } else { preferred }
}

/// Whether the directory is there and can be written, or the nearest one above it can.
fn can_be_made(directory: &Path) -> bool {
    let nearest = directory.ancestors().find(|path| path.exists());
    nearest.is_some_and(|path| {
        path.is_dir() && rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok()
    })
}

/// Makes the directory for this user alone, or finds it to be so. A journal that others could have written must not be
/// carried out: everybody may make directories where temporary files lie.
fn is_private(directory: &Path, uid: u32) -> bool {
    // When it is there already, its owner and mode decide.
    let _ = std::fs::DirBuilder::new().mode(0o700).create(directory);
    std::fs::symlink_metadata(directory)
        .is_ok_and(|meta| meta.is_dir() && meta.uid() == uid && meta.mode() & 0o077 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn without_a_home_the_journal_lies_in_a_private_directory() {
        let dir = tempfile::tempdir().unwrap();
        let uid = os::Identity::current().uid;
        let home = dir.path().join("home");
        assert_eq!(directory(home.join("a/b"), dir.path(), uid), home.join("a/b"));
        // A file where the home should be: nothing can be made below it, not even by root.
        std::fs::write(&home, "").unwrap();
        let own = dir.path().join(format!("yubin-mail-{uid}"));
        assert_eq!(directory(home.join("a/b"), dir.path(), uid), own);
        assert_eq!(std::fs::metadata(&own).unwrap().mode() & 0o777, 0o700);
        std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o770)).unwrap();
        assert_eq!(
            directory(home.join("a/b"), dir.path(), uid),
            home.join("a/b"),
            "others may write there"
        );
        std::fs::remove_dir(&own).unwrap();
        std::os::unix::fs::symlink(dir.path(), &own).unwrap();
        assert_eq!(
            directory(home.join("a/b"), dir.path(), uid),
            home.join("a/b"),
            "a link"
        );
    }
}
