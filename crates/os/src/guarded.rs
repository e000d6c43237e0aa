//! Opening a file as root for somebody who may not: one that everybody could read, or one that nobody but root and the file's
//! own owner could have put where it is. Links and directories of other users lead nowhere else.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat};

/// As many links are followed on one way.
const LINKS_MAX: usize = 40;
const ROOT: u32 = 0;
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_READ: u32 = 0o004;
const OTHERS_ENTER: u32 = 0o001;
/// In such a directory only its owner and that of an entry can put something else in the entry's place.
const STICKY: u32 = 0o1000;

/// Opens the regular file at `path` for reading. What is behind the name when it is opened is what was looked at.
///
/// # Errors
/// What the system says; `InvalidInput` when it is no regular file or the path is relative; `PermissionDenied` with the reason when
/// the file is not everybody's and somebody but root and its owner can change what is there.
pub fn open(path: &Path) -> Result<File> {
    if !path.is_absolute() {
        return Err(Error::new(ErrorKind::InvalidInput, "the path is relative"));
    }
    match everybodys(path)? {
        Some(file) => Ok(file),
        None => Walk::begin()?.to(path),
    }
}

/// The file, if its mode lets everybody read it and every directory that it lies in lets everybody through.
fn everybodys(path: &Path) -> Result<Option<File>> {
    let place = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let found = rustix::fs::fstat(&place)?;
    let kind = FileType::from_raw_mode(found.st_mode);
    if kind == FileType::Directory {
        return Err(ErrorKind::IsADirectory.into());
    }
    if kind != FileType::RegularFile {
        return Err(no_file());
    }
    let real = std::fs::read_link(own(&place))?;
    let is_closed = |directory: &Path| {
        use std::os::unix::fs::MetadataExt;
        !directory
            .metadata()
            .is_ok_and(|state| state.mode() & OTHERS_ENTER != 0)
    };
    if found.st_mode & OTHERS_READ == 0 || real.ancestors().skip(1).any(is_closed) {
        return Ok(None);
    }
    read(&place).map(Some)
}

fn no_file() -> Error {
    Error::new(ErrorKind::InvalidInput, "it is not a regular file")
}

/// Where this process finds what it has open.
fn own(place: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", place.as_raw_fd()))
}

/// Opens for reading what was looked at, whatever its name leads to by now.
fn read(place: &OwnedFd) -> Result<File> {
    File::open(own(place))
}

/// Whoever, besides root, can decide what lies at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sway {
    /// Nobody.
    Roots,
    /// This uid.
    Also(u32),
}

/// What of a file or directory decides about sway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rights {
    uid: u32,
    gid: u32,
    mode: u32,
}

impl Rights {
    fn of(found: &Stat) -> Rights {
        Rights {
            uid: found.st_uid,
            gid: found.st_gid,
            mode: found.st_mode,
        }
    }
}

impl Sway {
    fn with(self, uid: u32) -> std::result::Result<Sway, String> {
        match self {
            _ if uid == ROOT => Ok(self),
            Sway::Roots => Ok(Sway::Also(uid)),
            Sway::Also(other) if other == uid => Ok(self),
            Sway::Also(other) => Err(format!(
                "user ids {other} and {uid} can both put another file there"
            )),
        }
    }

    /// Whose it is behind a step from `directory` to an entry of `entry_uid`'s (pure).
    fn step(self, directory: Rights, entry_uid: u32) -> std::result::Result<Sway, String> {
        let is_open = directory.mode & OTHERS_WRITE != 0
            || (directory.mode & GROUP_WRITES != 0 && directory.gid != ROOT);
        if !is_open {
            return self.with(directory.uid);
        }
        if directory.mode & STICKY == 0 {
            let mode = directory.mode & 0o7777;
            return Err(format!(
                "others than the owner of its directory can put another file there (mode {mode:04o})"
            ));
        }
        self.with(directory.uid)?.with(entry_uid)
    }
}

/// On the way to a file, from the root of the file system.
struct Walk {
    directory: OwnedFd,
    rights: Rights,
    sway: Sway,
    links: usize,
}

impl Walk {
    fn begin() -> Result<Walk> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(CWD, "/", flags, Mode::empty())?;
        let rights = Rights::of(&rustix::fs::fstat(&directory)?);
        Ok(Walk {
            directory,
            rights,
            sway: Sway::Roots,
            links: 0,
        })
    }

    fn to(mut self, path: &Path) -> Result<File> {
        let mut left = names(path);
        while let Some(name) = left.pop_front() {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let entry = rustix::fs::openat(&self.directory, &name, flags, Mode::empty())?;
            let found = rustix::fs::fstat(&entry)?;
            let rights = Rights::of(&found);
            self.sway = self.sway.step(self.rights, rights.uid).map_err(refused)?;
            match FileType::from_raw_mode(found.st_mode) {
                FileType::Directory => (self.directory, self.rights) = (entry, rights),
                FileType::Symlink => {
                    let target = rustix::fs::readlinkat(&entry, "", Vec::new())?;
                    let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                    self = self.follow(&target)?;
                    let mut ahead = names(&target);
                    ahead.append(&mut left);
                    left = ahead;
                }
                FileType::RegularFile if left.is_empty() => {
                    self.may_be_opened(&found).map_err(refused)?;
                    return read(&entry);
                }
                FileType::RegularFile => return Err(ErrorKind::NotADirectory.into()),
                _ => return Err(no_file()),
            }
        }
        Err(ErrorKind::IsADirectory.into())
    }

    /// Goes where a link leads, which nobody but root could have made.
    fn follow(mut self, target: &Path) -> Result<Walk> {
        if let Sway::Also(uid) = self.sway {
            return Err(refused(format!("user id {uid} could let the link lead anywhere")));
        }
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(rustix::io::Errno::LOOP.into());
        }
        if target.is_absolute() {
            let links = self.links;
            self = Walk {
                links,
                ..Walk::begin()?
            };
        }
        Ok(self)
    }

    /// Whether it is not another's file under a name that somebody gave it.
    fn may_be_opened(&self, found: &Stat) -> std::result::Result<(), String> {
        match self.sway {
            Sway::Also(uid) if uid != found.st_uid => Err(format!(
                "it belongs to user id {}, and user id {uid} can put another file there",
                found.st_uid
            )),
            // Anybody may have given it a name in a directory that everybody writes to.
            _ if found.st_nlink > 1 && self.rights.mode & STICKY != 0 => {
                Err(format!("it has {} names", found.st_nlink))
            }
            _ => Ok(()),
        }
    }
}

fn refused(why: String) -> Error {
    Error::new(ErrorKind::PermissionDenied, why)
}

/// The steps of a path below the root, or below where a link lies.
fn names(path: &Path) -> VecDeque<OsString> {
    let steps = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    steps.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    const DIRECTORY: Rights = Rights {
        uid: 0,
        gid: 0,
        mode: 0o755,
    };

    #[test]
    fn sway_is_whoever_writes_to_a_directory_on_the_way() {
        let with = |uid, gid, mode| Rights { uid, gid, mode };
        assert_eq!(Sway::Roots.step(DIRECTORY, 0), Ok(Sway::Roots));
        assert_eq!(Sway::Roots.step(DIRECTORY, 7), Ok(Sway::Roots));
        assert_eq!(Sway::Roots.step(with(0, 0, 0o775), 7), Ok(Sway::Roots));
        assert_eq!(Sway::Roots.step(with(7, 7, 0o755), 0), Ok(Sway::Also(7)));
        // Once there, always there: the directory of root's is one that he chose.
        assert_eq!(Sway::Also(7).step(DIRECTORY, 0), Ok(Sway::Also(7)));
        assert!(Sway::Also(7).step(with(8, 8, 0o755), 8).is_err());
        // Whose an entry is decides where everybody may leave something, and where nobody else can take it away.
        assert_eq!(Sway::Roots.step(with(0, 0, 0o1777), 0), Ok(Sway::Roots));
        assert_eq!(Sway::Roots.step(with(0, 0, 0o1777), 7), Ok(Sway::Also(7)));
        for mode in [0o777, 0o775, 0o757] {
            assert!(Sway::Roots.step(with(0, 5, mode), 0).is_err(), "{mode:o}");
        }
    }

    fn mode(path: &Path, mode: u32) {
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn secrets_are_opened_where_only_root_put_them() {
        if !crate::is_root() {
            println!("skipped: needs root");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("joes")).unwrap();
        for name in ["secret", "joes/own", "joes/roots"] {
            write(at(name), name).unwrap();
            mode(&at(name), 0o600);
        }
        for name in ["joes", "joes/own"] {
            chown(at(name), Some(2001), Some(2001)).unwrap();
        }
        let is_open = |name: &str| open(&at(name)).is_ok();
        let why = |name: &str| crate::words(&open(&at(name)).unwrap_err());
        assert!(is_open("secret") && is_open("joes/own"));
        assert!(
            why("joes/roots").starts_with("it belongs to user id 0"),
            "{}",
            why("joes/roots")
        );
        // Root's links are followed, a user's lead nowhere.
        symlink(at("secret"), at("link")).unwrap();
        symlink("../secret", at("joes/link")).unwrap();
        assert!(is_open("link"));
        assert!(why("joes/link").contains("lead anywhere"), "{}", why("joes/link"));
        symlink("circle", at("circle")).unwrap();
        assert!(open(&at("circle")).is_err());
        // Where everybody writes.
        mode(dir.path(), 0o777);
        assert!(why("secret").contains("(mode 0777)"), "{}", why("secret"));
        mode(dir.path(), 0o1777);
        assert!(is_open("secret"));
        std::fs::hard_link(at("secret"), at("second")).unwrap();
        assert_eq!(why("second"), "it has 2 names");
        chown(at("link"), None, None).unwrap();
        std::os::unix::fs::lchown(at("link"), Some(2001), Some(2001)).unwrap();
        assert!(why("link").contains("lead anywhere"));
    }

    #[test]
    fn what_everybody_can_read_is_opened_wherever_it_is_and_no_device_is() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        write(at("public"), "x").unwrap();
        mode(&at("public"), 0o644);
        mode(dir.path(), 0o777);
        symlink("public", at("link")).unwrap();
        assert!(open(&at("public")).is_ok() && open(&at("link")).is_ok());
        rustix::fs::mkfifoat(CWD, at("fifo"), Mode::from_raw_mode(0o666)).unwrap();
        for path in [at("fifo"), PathBuf::from("/dev/zero"), PathBuf::from("relative")] {
            let kind = open(&path).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::InvalidInput, "{}", path.display());
        }
        assert_eq!(open(&at("none")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(open(dir.path()).unwrap_err().kind(), ErrorKind::IsADirectory);
    }
}
