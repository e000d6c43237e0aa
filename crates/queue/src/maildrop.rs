//! What `sendmail` drops for the daemon to pick up, whether it runs or not.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use envelope::maildrop::{DIRECTORY, END, HEAD_BYTES_MAX, Head, begun_micros, temporary_name};
use envelope::{Envelope, QueueId};
use world::{Foreign, OpenMode, Owner, World};

pub use envelope::maildrop::Slip;

use crate::{Error, Result};

// One file a message below `maildrop/`, named after its queue id: an `envelope::maildrop::Head`, the content, `end`.
// It is written under a name that starts with a dot, synced, renamed, and the directory synced; so a file with another
// name is whole, and one that is not (a damaged disk) is noticed. Files with a dot are leavings of a crash, removed by
// [`scan`] when they are a day old.
const COPY_BYTES: usize = 64 * 1024;
const LEAVINGS_AGE_MICROS: i64 = 86_400 * 1_000_000;
/// The permission bits that a file of another user has when it is complete, as Postfix's do.
const READY: u32 = 0o700;
/// Where files go that are no messages.
pub const CORRUPT: &str = "corrupt";

/// A message that waits to be picked up.
pub struct Dropped {
    /// The name that `mailq` shows until it is picked up.
    pub queue_id: QueueId,
    /// Who dropped it, and how.
    pub slip: Slip,
    /// When: microseconds since the Unix epoch.
    pub arrival_micros: i64,
    /// Sender, recipients, options.
    pub envelope: Envelope,
    /// The content's size in octets.
    pub size_bytes: u64,
    /// The content, for reading once from the start.
    pub content: Box<dyn Read + Send>,
}

/// Leaves a message in the maildrop of the queue directory `dir`; durable when this returns.
///
/// # Errors
/// [`Error::Full`], [`Error::Disk`], [`Error::EnvelopeTooLarge`]; nothing is left behind then.
pub fn drop_message(
    dir: &Path,
    world: &World,
    envelope: &Envelope,
    slip: Slip,
    content: &mut dyn Read,
) -> Result<QueueId> {
    let drop_dir = dir.join(DIRECTORY);
    world.disk.create_dir(&drop_dir)?;
    let now = world.clock.now_micros();
    let queue_id = QueueId::short(now, world.random.next_u64() % 0x0fff_ffff);
    let temporary = drop_dir.join(temporary_name(now, &queue_id));
    let head = Head {
        slip,
        arrival_micros: now,
        envelope: envelope.clone(),
        size_bytes: 0,
    };
    let written = write_file(&temporary, world, head, content)
        .and_then(|()| Ok(world.disk.rename(&temporary, &drop_dir.join(queue_id.as_str()))?))
        .and_then(|()| Ok(world.disk.sync_dir(&drop_dir)?));
    if let Err(error) = written {
        // Neither may exist; what cannot be removed is a leaving that `scan` removes.
        let _ = world.disk.remove(&temporary);
        return Err(error);
    }
    Ok(queue_id)
}

fn write_file(path: &Path, world: &World, mut head: Head, content: &mut dyn Read) -> Result<()> {
    let text = head.encode().map_err(|_| Error::EnvelopeTooLarge)?;
    let file = world.disk.open(path, OpenMode::CreateNew)?;
    let start = text.len() as u64;
    let mut buffer = vec![0; COPY_BYTES];
    let mut size = 0;
    loop {
        let n = content
            .read(&mut buffer)
            .map_err(|e| world::Error::from_io("read the message for", path, e))?;
        if n == 0 {
            break;
        }
        file.write_all_at(&buffer[..n], start + size)?;
        size += n as u64;
    }
    file.write_all_at(END, start + size)?;
    // Its length is the same whatever the size.
    head.size_bytes = size;
    let text = head.encode().map_err(|_| Error::EnvelopeTooLarge)?;
    file.write_all_at(text.as_bytes(), 0)?;
    Ok(file.sync_data()?)
}

/// What lies in the maildrop under a name that says it is complete.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Queue ids: messages, as far as the name tells.
    pub messages: Vec<QueueId>,
    /// What cannot be the name of one.
    pub odd: Vec<String>,
}

/// The names of the messages that wait, in order; removes leavings of crashes.
///
/// # Errors
/// [`Error::Disk`]. A maildrop that does not exist is empty.
pub fn scan(dir: &Path, world: &World) -> Result<Vec<QueueId>> {
    Ok(look_into(dir, world)?.messages)
}

/// As [`scan`], with the names that are none.
///
/// # Errors
/// As [`scan`].
pub fn look_into(dir: &Path, world: &World) -> Result<Names> {
    let drop_dir = dir.join(DIRECTORY);
    let mut names = Names::default();
    let entries = match world.disk.list(&drop_dir) {
        Ok(entries) => entries,
        Err(world::Error::NotFound { .. }) => return Ok(names),
        Err(error) => return Err(error.into()),
    };
    let old = world.clock.now_micros().saturating_sub(LEAVINGS_AGE_MICROS);
    for entry in entries {
        match (begun_micros(&entry.name), QueueId::parse(&entry.name)) {
            // What cannot be removed (a directory that somebody made) is in nobody's way.
            (Some(stamp), _) if stamp < old => drop(world.disk.remove(&drop_dir.join(&entry.name))),
            (Some(_), _) => {}
            (None, Some(queue_id)) => names.messages.push(queue_id),
            (None, None) => names.odd.push(entry.name),
        }
    }
    Ok(names)
}

/// Opens a message that waits. Whose it is, the file's owner says; only the mail system may say it for others.
///
/// # Errors
/// [`Error::NoSuchMessage`] when it was picked up meanwhile, or another user's program has not completed it;
/// [`Error::Irregular`] when it is no file that could be a message; [`Error::Damaged`] when it is not whole;
/// [`Error::Disk`] when it cannot be read.
pub fn read(dir: &Path, world: &World, queue_id: &QueueId) -> Result<Dropped> {
    let path = path_of(dir, queue_id);
    let missing = || Error::NoSuchMessage(queue_id.to_string());
    let Foreign { file, owner } = match world.disk.open_foreign(&path) {
        Err(world::Error::NotFound { .. }) => return Err(missing()),
        Err(world::Error::Failed { source, .. }) if source.kind() == io::ErrorKind::InvalidInput => {
            return Err(Error::Irregular(format!("{DIRECTORY}/{queue_id}: {source}")));
        }
        other => other?,
    };
    let uid = match owner {
        Owner::OfDirectory => None,
        Owner::Other { mode, .. } if mode & READY != READY => return Err(missing()),
        Owner::Other { uid, .. } => Some(uid),
    };
    let total = file.size_bytes()?;
    let mut reader = BufReader::new(FileReader {
        file: std::sync::Arc::clone(&file),
        at: 0,
    });
    let read = read_head(&mut reader).and_then(|(mut head, start)| {
        head.slip.uid = uid.unwrap_or(head.slip.uid);
        let end_at = start.checked_add(head.size_bytes)?;
        let mut end = [0; END.len()];
        let mut tail = FileReader { file, at: end_at };
        let is_whole = Some(total) == end_at.checked_add(END.len() as u64)
            && tail.read_exact(&mut end).is_ok()
            && end == END;
        is_whole.then_some(head)
    });
    let Some(head) = read else {
        let of_user = uid.map(|uid| format!("uid={uid}: ")).unwrap_or_default();
        let told = format!("{DIRECTORY}/{queue_id}: {of_user}unexpected or malformed record");
        return Err(Error::Damaged(told));
    };
    Ok(Dropped {
        queue_id: queue_id.clone(),
        slip: head.slip,
        arrival_micros: head.arrival_micros,
        envelope: head.envelope,
        size_bytes: head.size_bytes,
        content: Box::new(reader.take(head.size_bytes)),
    })
}

/// The head and its length in octets.
fn read_head(reader: &mut impl BufRead) -> Option<(Head, u64)> {
    let (mut text, mut left) = (String::new(), HEAD_BYTES_MAX as u64);
    while !text.ends_with("\n\n") {
        let count = (&mut *reader).take(left).read_line(&mut text).ok()?;
        if count == 0 {
            return None;
        }
        left -= count as u64;
    }
    let head = Head::parse(text.lines().take_while(|line| !line.is_empty())).ok()?;
    Some((head, text.len() as u64))
}

/// Moves what is no message out of the way, into the directory `corrupt`, to be looked at.
///
/// # Errors
/// [`Error::NoSuchMessage`], [`Error::Disk`].
pub fn set_aside(dir: &Path, world: &World, queue_id: &QueueId) -> Result<()> {
    let corrupt = dir.join(CORRUPT);
    world.disk.create_dir(&corrupt)?;
    let to = corrupt.join(queue_id.as_str());
    match world.disk.rename(&path_of(dir, queue_id), &to) {
        Err(world::Error::NotFound { .. }) => Err(Error::NoSuchMessage(queue_id.to_string())),
        other => Ok(other?),
    }
}

/// Forgets a message: it was picked up and committed to the spool, or an administrator deleted it. A crash between
/// that commit and this picks it up a second time; nothing is lost.
///
/// # Errors
/// [`Error::NoSuchMessage`], [`Error::Disk`].
pub fn remove(dir: &Path, world: &World, queue_id: &QueueId) -> Result<()> {
    match world.disk.remove(&path_of(dir, queue_id)) {
        Err(world::Error::NotFound { .. }) => Err(Error::NoSuchMessage(queue_id.to_string())),
        other => Ok(other?),
    }
}

fn path_of(dir: &Path, queue_id: &QueueId) -> PathBuf {
    dir.join(DIRECTORY).join(queue_id.as_str())
}

struct FileReader {
    file: std::sync::Arc<dyn world::DiskFile>,
    at: u64,
}

impl Read for FileReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(bytes, self.at).map_err(io::Error::other)?;
        self.at += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use address::Address;
    use envelope::{BodyKind, Recipient, Trace};
    use world::SimDisk;

    fn envelope() -> Envelope {
        Envelope {
            sender: None,
            recipients: vec![Recipient::new(Address::parse("root").unwrap())],
            ret: None,
            envid: None,
            body: BodyKind::EightBitMime,
            smtputf8: false,
        }
    }

    #[test]
    fn what_was_dropped_survives_a_crash_anywhere_or_was_refused() {
        let dir = Path::new("/q");
        let slip = Slip {
            uid: 1000,
            trace: Trace::Verify,
            is_relayed: true,
        };
        let mut kept = 0;
        for k in 1..14 {
            let disk = SimDisk::new(k);
            let world = World::simulated(k, disk.clone());
            disk.crash_at(k);
            let content = vec![b'c'; 100_000];
            let dropped = drop_message(dir, &world, &envelope(), slip, &mut content.as_slice());
            disk.crash();
            let names = scan(dir, &world).unwrap();
            if let Ok(id) = &dropped {
                assert_eq!(&names, std::slice::from_ref(id));
                kept += 1;
            }
            for id in names {
                let mut message = read(dir, &world, &id).unwrap();
                assert_eq!((message.slip, message.size_bytes), (slip, 100_000));
                assert_eq!(message.envelope, envelope());
                let mut read_back = Vec::new();
                message.content.read_to_end(&mut read_back).unwrap();
                assert_eq!(read_back, content);
                remove(dir, &world, &id).unwrap();
                assert!(matches!(read(dir, &world, &id), Err(Error::NoSuchMessage(_))));
            }
        }
        assert!(kept > 0);
    }

    #[test]
    fn a_file_that_is_not_whole_is_noticed() {
        let world = World::simulated(1, SimDisk::new(1));
        let dir = Path::new("/q");
        let id = drop_message(dir, &world, &envelope(), Slip::default(), &mut &b"hello"[..]).unwrap();
        let file = world.disk.open(&path_of(dir, &id), OpenMode::ReadWrite).unwrap();
        let size = file.size_bytes().unwrap();
        for cut in 0..size {
            file.truncate(cut).unwrap();
            assert!(
                matches!(read(dir, &world, &id), Err(Error::Damaged(_))),
                "cut at {cut}"
            );
        }
    }

    /// A maildrop on the real disk, with one message in it.
    fn real() -> (tempfile::TempDir, World, QueueId) {
        let (dir, world) = (tempfile::tempdir().unwrap(), World::real());
        let id = drop_message(
            dir.path(),
            &world,
            &envelope(),
            Slip::default(),
            &mut &b"hello"[..],
        )
        .unwrap();
        (dir, world, id)
    }

    #[test]
    fn what_can_be_no_message_is_told_and_left() {
        let (dir, world, id) = real();
        let at = |name: &str| dir.path().join(DIRECTORY).join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, at("FIFO01"), rustix::fs::Mode::RWXU).unwrap();
        std::fs::create_dir(at("FOLDER1")).unwrap();
        std::os::unix::fs::symlink(at(id.as_str()), at("SYMLINK")).unwrap();
        for name in ["FIFO01", "FOLDER1", "SYMLINK"] {
            let found = read(dir.path(), &world, &QueueId::parse(name).unwrap());
            let Err(Error::Irregular(why)) = found else {
                panic!("{name} was taken for a message");
            };
            assert!(why.starts_with(&format!("maildrop/{name}: uid ")), "{why}");
            assert!(why.ends_with(": not a regular file"), "{why}");
        }
        assert!(read(dir.path(), &world, &id).is_ok());
        std::fs::hard_link(at(id.as_str()), at("SECOND1")).unwrap();
        assert!(matches!(read(dir.path(), &world, &id), Err(Error::Irregular(_))));
    }

    #[test]
    fn a_file_of_another_user_counts_when_complete_and_for_nobody_else() {
        use std::os::unix::fs::PermissionsExt;
        if !os::is_root() {
            println!("skipped: needs root");
            return;
        }
        let (dir, world, id) = real();
        let path = path_of(dir.path(), &id);
        let becomes = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
        becomes(0o644);
        assert!(matches!(
            read(dir.path(), &world, &id),
            Err(Error::NoSuchMessage(_))
        ));
        becomes(0o744);
        // The file says 0.
        assert_eq!(read(dir.path(), &world, &id).unwrap().slip.uid, 12_345);
        std::fs::write(&path, "garbage\n").unwrap();
        let Err(Error::Damaged(why)) = read(dir.path(), &world, &id) else {
            panic!("garbage was taken for a message");
        };
        assert!(
            why.ends_with(": uid=12345: unexpected or malformed record"),
            "{why}"
        );
        set_aside(dir.path(), &world, &id).unwrap();
        assert_eq!(scan(dir.path(), &world).unwrap(), []);
        assert!(dir.path().join(CORRUPT).join(id.as_str()).exists());
    }
}
