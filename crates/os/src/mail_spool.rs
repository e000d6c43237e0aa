//! Files in a mail spool that belongs to a group (`/var/mail`, group mail), made by root for their owners.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::{Gid, Uid};

/// The spool; it must be one in which no user can put links in the way: root's, and not writable for everybody.
///
/// # Errors
/// `PermissionDenied` where it is not; else what the system says.
pub fn open(directory: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(CWD, directory, flags, Mode::empty())?;
    let found = rustix::fs::fstat(&directory)?;
    if found.st_uid != 0 || found.st_mode & 0o002 != 0 {
        return Err(ErrorKind::PermissionDenied.into());
    }
    Ok(directory)
}

/// The group that may make files in the spool, if there is one beside root.
///
/// # Errors
/// What the system says.
pub fn group(spool: &OwnedFd) -> io::Result<Option<u32>> {
    let found = rustix::fs::fstat(spool)?;
    Ok((found.st_mode & 0o020 != 0).then_some(found.st_gid))
}

/// Makes the mailbox file `name` (mode 0600) for a user unless it is there; who writes into it syncs it. It is the spool's group's where that may write to
/// the spool, as Debian has it, else `gid`'s.
///
/// # Errors
/// `InvalidInput` for what is no name of a mailbox; else what the system says.
pub fn create(spool: &OwnedFd, name: &str, (uid, gid): (u32, u32)) -> io::Result<()> {
    if !is_plain(name) {
        return Err(ErrorKind::InvalidInput.into());
    }
    let group = group(spool)?.unwrap_or(gid);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(spool, name, flags, Mode::from_raw_mode(0o600)) {
        Ok(file) => {
            let owner = (Uid::from_raw(uid), Gid::from_raw(group));
            Ok(rustix::fs::fchown(&file, Some(owner.0), Some(owner.1))?)
        }
        Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether `name` is one file in the spool that can be a mailbox.
pub fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn only_a_safe_spool_gets_files_and_only_plain_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(open(path).unwrap_err().kind(), ErrorKind::PermissionDenied);
        if !crate::is_root() {
            println!("skipped: the rest needs root");
            return;
        }
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o2775)).unwrap();
        std::os::unix::fs::chown(path, Some(0), Some(8)).unwrap();
        let spool = open(path).unwrap();
        create(&spool, "ann", (2001, 2001)).unwrap();
        let ann = std::fs::metadata(path.join("ann")).unwrap();
        assert_eq!((ann.uid(), ann.gid(), ann.mode() & 0o777), (2001, 8, 0o600));
        // Whoever's it is, what is there stays.
        create(&spool, "ann", (2002, 2002)).unwrap();
        assert_eq!(std::fs::metadata(path.join("ann")).unwrap().uid(), 2001);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        create(&spool, "bob", (2002, 2003)).unwrap();
        assert_eq!(std::fs::metadata(path.join("bob")).unwrap().gid(), 2003);
        for name in ["", ".", "..", ".hidden", "a/b", "../x"] {
            let refused = create(&spool, name, (2001, 2001)).map_err(|error| error.kind());
            assert_eq!(refused, Err(ErrorKind::InvalidInput), "{name:?}");
        }
    }
}
