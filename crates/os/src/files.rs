//! Looking at many files of one directory without walking its path each time (fstatat(2)); opening files that may be none.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, OFlags, statat};

/// What nobody but its owner can open.
const CLOSED: u32 = 0o600;
/// How often a file that others remove and make meanwhile is tried.
const CREATE_TRIES_MAX: usize = 5;

/// The kernel's tick. Within one, the times of a file cannot tell two of its states apart; asking costs no system call.
pub fn tick() -> (i64, i64) {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    (now.tv_sec, now.tv_nsec)
}

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

/// Where this process finds its own descriptors: `command -c <(generator)`.
const OWN_DESCRIPTORS: [&str; 3] = ["/dev/stdin", "/dev/fd/", "/proc/self/fd/"];

/// Opens a text that an administrator names, for reading: a regular file, `/dev/null`, which is an empty one, or what this
/// process was given as a descriptor. A FIFO or a device, which may have no end or never say anything, is not touched.
///
/// # Errors
/// What the system says; `InvalidInput` when it is something else.
pub fn open_text(path: &Path) -> std::io::Result<File> {
    let name = path.as_os_str().as_encoded_bytes();
    if OWN_DESCRIPTORS.iter().any(|own| name.starts_with(own.as_bytes())) {
        return File::open(path);
    }
    let found = path.metadata()?;
    let null = rustix::fs::makedev(1, 3);
    if found.file_type().is_char_device() && found.rdev() == null {
        return File::open(path);
    }
    if found.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    match found.is_file() {
        true => open_regular(path, OpenOptions::new().read(true)),
        false => Err(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "it is not a regular file",
        )),
    }
}

/// Opens a file for reading in a directory where other users may leave anything: it must be a regular file with one name. A
/// symbolic link is not followed, a FIFO not touched, and what is swapped meanwhile is not opened.
///
/// # Errors
/// What the system says; `InvalidInput` when it is not such a file, with its owner: `uid 1000: not a regular file`.
pub fn open_alone(path: &Path) -> std::io::Result<File> {
    let wrong = |uid: u32, why: &str| {
        let text = format!("uid {uid}: {why}");
        std::io::Error::new(std::io::ErrorKind::InvalidInput, text)
    };
    let seen = path.symlink_metadata()?;
    if !seen.is_file() {
        return Err(wrong(seen.uid(), "not a regular file"));
    }
    if seen.nlink() > 1 {
        return Err(wrong(seen.uid(), &format!("file has {} links", seen.nlink())));
    }
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let found = file.metadata()?;
    let is_same = (found.dev(), found.ino()) == (seen.dev(), seen.ino()) && found.nlink() <= 1;
    is_same
        .then_some(file)
        .ok_or_else(|| wrong(found.uid(), "the file was swapped for another one"))
}

/// Opens the file at `path` for reading and writing; where there is none it is made, as open as the directory that it lies in and no
/// more (0600 in a directory of 0700, 0660 in one of 0770), whatever the umask says.
///
/// # Errors
/// What the system says.
pub fn open_like_directory(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    for _ in 0..CREATE_TRIES_MAX {
        match options.open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        match create_new_like_directory(path) {
            // Another process was faster.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            created => return created,
        }
    }
    options.open(path)
}

/// Makes a new file at `path`, as open as the directory that it lies in and no more; what a process that died left there goes.
///
/// # Errors
/// What the system says.
pub fn create_like_directory(path: &Path) -> std::io::Result<File> {
    match create_new_like_directory(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(path)?;
            create_new_like_directory(path)
        }
        created => created,
    }
}

/// Makes a new file at `path`, as open as the directory that it lies in and no more.
///
/// # Errors
/// What the system says; `AlreadyExists` where there is one.
fn create_new_like_directory(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(CLOSED);
    let file = options.open(path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = std::fs::metadata(parent.unwrap_or(Path::new(".")))?;
    let mut mode = directory.mode() & 0o666;
    if mode == CLOSED {
        return Ok(file);
    }
    // The group's rights are for the group of the directory. Where the file cannot be given to it, its own group gets what all get.
    let is_the_groups = file.metadata()?.gid() == directory.gid()
        || std::os::unix::fs::fchown(&file, None, Some(directory.gid())).is_ok();
    if !is_the_groups {
        mode = (mode & 0o606) | ((mode & 0o006) << 3);
    }
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    Ok(file)
}

/// What [`look_at`] sees of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Its length.
    pub bytes: u64,
    /// When its content was last changed, in seconds since the Unix epoch.
    pub modified_secs: i64,
    /// When its name, owner, mode or content was last changed, in seconds since the Unix epoch.
    pub changed_secs: i64,
}

/// Length and times of the file `name` in an open directory. Links are followed.
///
/// # Errors
/// What the system says; `NotFound` when there is no such file.
pub fn look_at(directory: &File, name: &OsStr) -> std::io::Result<Look> {
    let stat = statat(directory, name, AtFlags::empty())?;
    Ok(Look {
        bytes: u64::try_from(stat.st_size).unwrap_or(0),
        modified_secs: stat.st_mtime,
        changed_secs: stat.st_ctime,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_files_are_as_open_as_their_directory() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
        for (directory, wanted) in [
            (0o700, 0o600),
            (0o750, 0o640),
            (0o770, 0o660),
            (0o2770, 0o660),
            (0o755, 0o644),
            (0o711, 0o600),
        ] {
            std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(directory)).unwrap();
            let (opened, created) = (dir.path().join("opened"), dir.path().join("created"));
            let _ = std::fs::remove_file(&opened);
            open_like_directory(&opened).unwrap();
            assert_eq!(mode(&opened), wanted, "{directory:o}");
            // What is there stays as it is, what is made anew does not.
            std::fs::set_permissions(&opened, std::fs::Permissions::from_mode(0o604)).unwrap();
            open_like_directory(&opened).unwrap();
            assert_eq!(mode(&opened), 0o604);
            std::fs::write(&created, "left").unwrap();
            std::fs::set_permissions(&created, std::fs::Permissions::from_mode(0o666)).unwrap();
            create_like_directory(&created).unwrap();
            assert_eq!((mode(&created), created.metadata().unwrap().len()), (wanted, 0));
        }
    }

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
    fn a_text_is_a_file_or_null_or_given() {
        use std::io::Read;
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
        for path in [&fifo, Path::new("/dev/zero")] {
            let error = open_text(path).unwrap_err();
            assert_eq!(
                crate::words(&error),
                "it is not a regular file",
                "{}",
                path.display()
            );
        }
        assert_eq!(
            open_text(dir.path()).unwrap_err().kind(),
            std::io::ErrorKind::IsADirectory
        );
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        let mut text = String::new();
        open_text(&link).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "");
        let (reader, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, b"a = 1").unwrap();
        drop(writer);
        let given = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        open_text(Path::new(&given))
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "a = 1");
    }

    #[test]
    fn what_is_no_file_of_its_own_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let why = |name: &str| open_alone(&at(name)).unwrap_err().to_string();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), rustix::fs::Mode::RUSR).unwrap();
        std::fs::create_dir(at("directory")).unwrap();
        std::fs::write(at("file"), "x").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        for name in ["fifo", "directory", "link"] {
            assert!(
                why(name).ends_with(": not a regular file"),
                "{name}: {}",
                why(name)
            );
        }
        assert!(open_alone(&at("file")).is_ok());
        std::fs::hard_link(at("file"), at("second")).unwrap();
        assert!(why("file").ends_with(": file has 2 links"), "{}", why("file"));
        let missing = open_alone(&at("missing")).unwrap_err();
        assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_is_looked_at_and_a_missing_one_is_said() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("message"), "four").unwrap();
        let directory = File::open(dir.path()).unwrap();
        let look = look_at(&directory, OsStr::new("message")).unwrap();
        assert!(
            look.bytes == 4 && look.modified_secs > 1_000_000_000 && look.changed_secs >= look.modified_secs
        );
        let missing = look_at(&directory, OsStr::new("none")).unwrap_err();
        assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    }
}
