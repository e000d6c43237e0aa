//! Delivery into an mbox file as local(8) does it: lock, append, sync, or leave the file as it was.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use message::lines::ToLf;
use message::mbox::Quoter;
use os::locks::Mode;

use crate::headers::Filter;
use crate::keeper::Spool;
use crate::locking::{Fingerprint, Handle, Held, Locks, is_forbidden};
use crate::{Error, Result};

/// How often opening starts anew when the file is replaced before it is locked.
const OPEN_TRIES_MAX: usize = 5;
/// Mode of a mailbox file that is made.
const MODE: u32 = 0o600;
/// How much content is taken at once, in octets.
const PIECE_BYTES: usize = 64 * 1024;

/// Appends one message to the mbox file at `path`, which is made (mode 0600) when it is missing. `from_line` is the
/// line without its end ([`message::mbox::FromLine::display`]); `content` may end its lines in CRLF or LF. Lines
/// that begin with `From ` are quoted; headers by which mailbox programs keep their notes (`Status`, `X-UID`,
/// `Content-Length` …) are left out. When this returns, the message is on disk.
///
/// # Errors
/// [`Error::Locked`] (try later); [`Error::NotAMailbox`] when the file is no regular file, has several names, or is
/// reached by a symbolic link that is not root's; [`Error::NotOwned`] when it belongs to somebody else;
/// [`Error::Io`], after which the file is as long as it was.
pub fn deliver(path: &Path, from_line: &str, content: &mut dyn Read, locks: &Locks) -> Result<()> {
    let place = Place {
        path,
        locks,
        owner: Owner::Ourselves,
        spool: None,
    };
    append(&place, from_line, content)
}

/// Whose the file must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// This process's user's.
    Ourselves,
    /// Anybody's who lets us write there (`/file/name` in aliases, `strict_mailbox_ownership = no`).
    Anybody,
}

/// Where a message is appended.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The mbox file.
    pub path: &'a Path,
    /// How it is locked.
    pub locks: &'a Locks,
    /// Whose it must be.
    pub owner: Owner,
    /// Who helps where the directory is the mail group's.
    pub spool: Option<Spool<'a>>,
}

/// As [`deliver`], to a place with more to it.
///
/// # Errors
/// As [`deliver`].
pub fn append(place: &Place<'_>, from_line: &str, content: &mut dyn Read) -> Result<()> {
    let path = place.path;
    for _ in 0..OPEN_TRIES_MAX {
        let (file, created) = open_or_create(place)?;
        let handle = Handle::new(file);
        let held = Held::take_with(&handle, path, Mode::Exclusive, (place.locks, place.spool))?;
        let meta = handle.metadata().map_err(Error::io("look at", path))?;
        if Fingerprint::of_path(path)?.map(|f| f.inode) != Some((meta.dev(), meta.ino())) {
            continue;
        }
        check(place, &meta)?;
        let size = Fingerprint::of_file(&handle, path)?.size;
        held.begin_append(size)?;
        let written = write_message(&handle, path, size, from_line, content).and_then(|()| {
            handle.sync_all().map_err(Error::io("sync", path))?;
            if created { sync_parent(path) } else { Ok(()) }
        });
        if written.is_err() {
            // A disk that is full still shortens a file.
            let _ = handle.set_len(size).and_then(|()| handle.sync_all());
        }
        drop(held);
        return written;
    }
    Err(Error::Replaced(path.to_owned()))
}

fn open_or_create(place: &Place<'_>) -> Result<(File, bool)> {
    match (open_or_create_here(place.path), place.spool) {
        (Err(error), Some(spool)) if is_forbidden(error.io_kind()) && !place.path.exists() => {
            spool
                .keeper
                .create(spool.user)
                .map_err(Error::io("create", place.path))?;
            open_or_create_here(place.path).map(|(file, _)| (file, true))
        }
        (opened, _) => opened,
    }
}

fn open_or_create_here(path: &Path) -> Result<(File, bool)> {
    let open = || os::files::open_regular(path, OpenOptions::new().read(true).write(true));
    match open() {
        Ok(file) => Ok((file, false)),
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            Err(Error::NotAMailbox(path.to_owned(), "it is not a regular file"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            match OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(MODE)
                .open(path)
            {
                Ok(file) => Ok((file, true)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    open().map(|file| (file, false)).map_err(Error::io("open", path))
                }
                Err(error) => Err(Error::io("create", path)(error)),
            }
        }
        Err(error) => Err(Error::io("open", path)(error)),
    }
}

/// Whether mail may be written there, by the rules of local(8).
fn check(place: &Place<'_>, meta: &std::fs::Metadata) -> Result<()> {
    let path = place.path;
    let complaint = if is_foreign_link(path)? {
        "file is a symbolic link"
    } else if !meta.file_type().is_file() {
        "file is not a regular file"
    } else if meta.nlink() > 1 {
        return Err(Error::HardLinks(path.to_owned(), meta.nlink()));
    } else if place.owner == Owner::Ourselves && meta.uid() != os::identity::Identity::current().uid {
        return Err(Error::NotOwned(path.to_owned()));
    } else {
        return Ok(());
    };
    Err(Error::NotAMailbox(path.to_owned(), complaint))
}

/// Whether `path` is a symbolic link that somebody else than root may have made: it must be root's, in a directory of
/// root's that nobody else may write.
fn is_foreign_link(path: &Path) -> Result<bool> {
    let look = |path: &Path| std::fs::symlink_metadata(path).map_err(Error::io("look at", path));
    let link = look(path)?;
    if !link.file_type().is_symlink() {
        return Ok(false);
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory =
        std::fs::metadata(parent.unwrap_or(Path::new("."))).map_err(Error::io("look at", path))?;
    Ok(link.uid() != 0 || directory.uid() != 0 || directory.mode() & 0o022 != 0)
}

fn write_message(file: &File, path: &Path, size: u64, from_line: &str, content: &mut dyn Read) -> Result<()> {
    let mut output = Vec::with_capacity(PIECE_BYTES + 1024);
    output.extend_from_slice(separator(file, path, size)?);
    output.extend_from_slice(from_line.as_bytes());
    output.push(b'\n');
    let mut at = size;
    let (mut to_lf, mut filter, mut quoter) = (ToLf::new(), Filter::new(), Quoter::new());
    let (mut lf, mut kept) = (Vec::new(), Vec::new());
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = match content.read(&mut piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.map_err(Error::io("read the message for", path))?,
        };
        if count == 0 {
            to_lf.finish(&mut lf);
        } else {
            to_lf.feed(&piece[..count], &mut lf);
        }
        filter.feed(&lf, &mut kept);
        if count == 0 {
            filter.finish(&mut kept);
        }
        quoter.feed(&kept, &mut output);
        lf.clear();
        kept.clear();
        if count == 0 {
            break;
        }
        file.write_all_at(&output, at).map_err(Error::io("write", path))?;
        at += output.len() as u64;
        output.clear();
    }
    quoter.finish(b"\n", &mut output);
    file.write_all_at(&output, at).map_err(Error::io("write", path))
}

/// What is missing so that a `From ` line may follow: the end of the last line, the empty line.
pub(crate) fn separator(file: &File, path: &Path, size: u64) -> Result<&'static [u8]> {
    let count = size.min(3) as usize;
    let mut end = [0; 3];
    file.read_exact_at(&mut end[..count], size - count as u64)
        .map_err(Error::io("read", path))?;
    Ok(match &end[..count] {
        [] | [.., b'\n', b'\n'] | [b'\n', b'\r', b'\n'] => b"",
        [.., b'\n'] => b"\n",
        _ => b"\n\n",
    })
}

/// Makes a new file's name survive a power cut.
pub(crate) fn sync_parent(path: &Path) -> Result<()> {
    let parent = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(parent)
        .and_then(|directory| directory.sync_all())
        .map_err(Error::io("sync", parent))
}

#[cfg(test)]
#[path = "deliver_tests.rs"]
mod tests;
