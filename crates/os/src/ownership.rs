//! Giving whole directories to another user, as root, though their present owner may be at work in them.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid};

use crate::{Error, Result};

/// How deep directories may lie in each other.
const DEPTH_MAX: usize = 64;

/// Gives `path` and everything below it to a user and group. Symbolic links are given, not followed, and every step goes
/// through an open directory: whoever swaps a directory for a link meanwhile gains nothing. A file with several
/// names is left alone: one of them may lie elsewhere.
///
/// # Errors
/// [`Error::Call`] with the path that could not be given.
pub fn give_tree(path: &Path, uid: u32, gid: u32) -> Result<()> {
    let owner = (Uid::from_raw(uid), Gid::from_raw(gid));
    give(rustix::fs::CWD, path.as_os_str(), path, owner, DEPTH_MAX)
}

fn give(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    path: &Path,
    owner: (Uid, Gid),
    depth_left: usize,
) -> Result<()> {
    let said = |error| Error::call(format!("change the owner of {}", path.display()), error);
    let found = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(said)?;
    let kind = FileType::from_raw_mode(found.st_mode);
    let is_ours = (found.st_uid, found.st_gid) == (owner.0.as_raw(), owner.1.as_raw());
    if kind != FileType::Directory {
        if is_ours || found.st_nlink > 1 {
            return Ok(());
        }
        return rustix::fs::chownat(
            parent,
            name,
            Some(owner.0),
            Some(owner.1),
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .map_err(said);
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory: OwnedFd = rustix::fs::openat(parent, name, flags, Mode::empty()).map_err(said)?;
    if !is_ours {
        rustix::fs::fchown(&directory, Some(owner.0), Some(owner.1)).map_err(said)?;
    }
    let Some(depth_left) = depth_left.checked_sub(1) else {
        return Err(said(rustix::io::Errno::NAMETOOLONG));
    };
    for entry in Dir::read_from(&directory).map_err(said)? {
        let entry = entry.map_err(said)?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            give(directory.as_fd(), name, &path.join(name), owner, depth_left)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_tree_is_given_and_links_are_not_followed() {
        let own = crate::Identity::current();
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tree = dir.path().join("tree");
        std::fs::create_dir_all(tree.join("a/b")).unwrap();
        std::fs::write(tree.join("a/b/file"), "x").unwrap();
        std::fs::write(other.path().join("elsewhere"), "x").unwrap();
        std::os::unix::fs::symlink(other.path(), tree.join("link")).unwrap();
        std::fs::hard_link(other.path().join("elsewhere"), tree.join("second name")).unwrap();
        if !crate::is_root() {
            // Nobody else may give anything away; to oneself it is no change.
            return give_tree(&tree, own.uid, own.gid).unwrap();
        }
        give_tree(&tree, 65_534, 65_534).unwrap();
        let owner = |path: &Path| std::fs::symlink_metadata(path).unwrap().uid();
        for given in ["", "a", "a/b", "a/b/file", "link"] {
            assert_eq!(owner(&tree.join(given)), 65_534, "{given}");
        }
        assert_eq!(owner(other.path()), own.uid);
        assert_eq!(owner(&other.path().join("elsewhere")), own.uid);
        let missing = give_tree(&tree.join("missing"), 65_534, 65_534).unwrap_err();
        assert!(missing.to_string().contains("tree/missing"), "{missing}");
    }
}
