//! What `sendmail` drops for the daemon to pick up, whether it runs or not.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use envelope::{Envelope, QueueId, Trace, codec};
use world::{OpenMode, World};

use crate::{Error, Result};

/// One file a message below `maildrop/`, named after its queue id: a line of magic, `name: value` lines (`uid`, `time` in
/// microseconds, `envelope` in hexadecimal of `envelope::codec`, `asks` with words of [`Slip`] where there are any,
/// `size` in octets), an empty line, the content, `end`.
/// It is written under a name that starts with a dot, synced, renamed, and the directory synced; so a file with another
/// name is whole, and one that is not (a damaged disk) is noticed. Files with a dot are leavings of a crash, removed by
/// [`scan`] when they are a day old.
const MAGIC: &str = "yubin-maildrop 1";
const END: &[u8] = b"\nend\n";
const DIR: &str = "maildrop";
const COPY_BYTES: usize = 64 * 1024;
/// The longest line of the head: an envelope of very many recipients in hexadecimal.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;
const LEAVINGS_AGE_MICROS: i64 = 86_400 * 1_000_000;

/// Who drops a message, and what is to be done with it besides delivering it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slip {
    /// The user.
    pub uid: u32,
    /// `sendmail -bv`, `sendmail -v`
    pub trace: Trace,
    /// `sendmail -G`: it comes from elsewhere, its header stays as it is.
    pub is_relayed: bool,
}

const RELAYED: &str = "relayed";

impl Slip {
    /// What is asked besides a delivery, as words; none: nothing.
    pub fn asks(&self) -> String {
        let words = [self.trace.as_str(), if self.is_relayed { RELAYED } else { "" }];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.join(" ")
    }

    /// The slip of a user with what these words ask.
    pub fn asking(uid: u32, words: &str) -> Slip {
        let mut slip = Slip {
            uid,
            ..Slip::default()
        };
        for word in words.split_whitespace() {
            match word {
                RELAYED => slip.is_relayed = true,
                word => slip.trace = Trace::of_word(word),
            }
        }
        slip
    }
}

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
    let drop_dir = dir.join(DIR);
    world.disk.create_dir(&drop_dir)?;
    let now = world.clock.now_micros();
    let queue_id = QueueId::short(now, world.random.next_u64() % 0x0fff_ffff);
    let temporary = drop_dir.join(format!(".{now:020}.{queue_id}"));
    let written = write_file(&temporary, world, &head(envelope, slip, now)?, content)
        .and_then(|()| Ok(world.disk.rename(&temporary, &drop_dir.join(queue_id.as_str()))?))
        .and_then(|()| Ok(world.disk.sync_dir(&drop_dir)?));
    if let Err(error) = written {
        // Neither may exist; what cannot be removed is a leaving that `scan` removes.
        let _ = world.disk.remove(&temporary);
        return Err(error);
    }
    Ok(queue_id)
}

/// The head, with room for the size, which is only known at the end.
fn head(envelope: &Envelope, slip: Slip, now_micros: i64) -> Result<String> {
    let mut bytes = Vec::new();
    codec::encode_envelope(envelope, &mut bytes).map_err(|_| Error::EnvelopeTooLarge)?;
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    let mut head = format!(
        "{MAGIC}\nuid: {}\ntime: {now_micros}\nenvelope: {hex}\n",
        slip.uid
    );
    let asks = slip.asks();
    if !asks.is_empty() {
        let _ = writeln!(head, "asks: {asks}");
    }
    Ok(head)
}

fn write_file(path: &Path, world: &World, head: &str, content: &mut dyn Read) -> Result<()> {
    let file = world.disk.open(path, OpenMode::CreateNew)?;
    let size_line = |size: u64| format!("size: {size:020}\n\n");
    let start = (head.len() + size_line(0).len()) as u64;
    file.write_all_at(head.as_bytes(), 0)?;
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
    file.write_all_at(size_line(size).as_bytes(), head.len() as u64)?;
    Ok(file.sync_data()?)
}

/// The names of the messages that wait, oldest names first; removes leavings of crashes.
///
/// # Errors
/// [`Error::Disk`]. A maildrop that does not exist is empty.
pub fn scan(dir: &Path, world: &World) -> Result<Vec<QueueId>> {
    let drop_dir = dir.join(DIR);
    let entries = match world.disk.list(&drop_dir) {
        Ok(entries) => entries,
        Err(world::Error::NotFound { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let old = world.clock.now_micros().saturating_sub(LEAVINGS_AGE_MICROS);
    let mut found = Vec::new();
    for entry in entries {
        let stamp = entry
            .name
            .strip_prefix('.')
            .and_then(|rest| rest.split('.').next()?.parse::<i64>().ok());
        match stamp {
            Some(stamp) if stamp < old => world.disk.remove(&drop_dir.join(&entry.name))?,
            Some(_) => {}
            None => found.extend(QueueId::parse(&entry.name)),
        }
    }
    Ok(found)
}

/// Opens a message that waits.
///
/// # Errors
/// [`Error::NoSuchMessage`] when it was picked up meanwhile; [`Error::Damaged`] when it is not whole.
pub fn read(dir: &Path, world: &World, queue_id: &QueueId) -> Result<Dropped> {
    let path = path_of(dir, queue_id);
    let file = match world.disk.open(&path, OpenMode::Read) {
        Err(world::Error::NotFound { .. }) => return Err(Error::NoSuchMessage(queue_id.to_string())),
        other => other?,
    };
    let damaged = || Error::Damaged(format!("{} is not a whole maildrop file", path.display()));
    let total = file.size_bytes()?;
    let mut reader = BufReader::new(FileReader { file, at: 0 });
    let mut start = 0;
    let mut line = || -> Result<String> {
        let mut text = String::new();
        let n = (&mut reader)
            .take(LINE_BYTES_MAX)
            .read_line(&mut text)
            .map_err(|_| damaged())?;
        start += n as u64;
        text.strip_suffix('\n').map(str::to_owned).ok_or_else(damaged)
    };
    let value = |text: String, name: &str| text.strip_prefix(name).map(str::to_owned).ok_or_else(damaged);
    value(line()?, MAGIC)?;
    let uid = value(line()?, "uid: ")?.parse().map_err(|_| damaged())?;
    let arrival_micros = value(line()?, "time: ")?.parse().map_err(|_| damaged())?;
    let envelope = unhex(&value(line()?, "envelope: ")?).ok_or_else(damaged)?;
    let (envelope, _) = codec::decode_envelope(&envelope).map_err(|_| damaged())?;
    let mut slip = Slip {
        uid,
        ..Slip::default()
    };
    let mut next = line()?;
    if let Some(words) = next.strip_prefix("asks: ") {
        slip = Slip::asking(slip.uid, words);
        next = line()?;
    }
    let size_bytes: u64 = value(next, "size: ")?.parse().map_err(|_| damaged())?;
    line()?;
    let mut end = [0; END.len()];
    let mut tail = FileReader {
        file: std::sync::Arc::clone(&reader.get_ref().file),
        at: start + size_bytes,
    };
    if total != start + size_bytes + END.len() as u64 || tail.read_exact(&mut end).is_err() || end != END {
        return Err(damaged());
    }
    let content = Box::new(reader.take(size_bytes));
    Ok(Dropped {
        queue_id: queue_id.clone(),
        slip,
        arrival_micros,
        envelope,
        size_bytes,
        content,
    })
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
    dir.join(DIR).join(queue_id.as_str())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
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
    use envelope::{BodyKind, Recipient};
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
}
