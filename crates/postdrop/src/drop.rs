//! The message itself: from standard input into a file of the maildrop that belongs to the user.
//!
//! The input is what a file of the maildrop is (`envelope::maildrop`); its uid and time are replaced by what is so. The
//! file is written under a name that starts with a dot, gets the mode that says it is complete, is synced, renamed, and the
//! name is synced: only then is success told. Whatever ends the program before leaves nothing that would be picked up.

use std::ffi::CString;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use envelope::QueueId;
use envelope::maildrop::{DIRECTORY, END, Error, HEAD_BYTES_MAX, Head, temporary_name};
use rustix::fs::{CWD, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::configuration::Configuration;

/// The mode of a complete file: the mark of its owner's, and the mail system, another user, may read. Nobody else can come into the
/// directory.
const COMPLETE: u32 = 0o744;
/// The largest content when `message_size_limit` is 0, in octets.
const CONTENT_BYTES_MAX: u64 = 1 << 30;
const PIECE_BYTES: usize = 64 * 1024;

/// Leaves the message on `input` in the maildrop; it is on disk when this returns. Changes the working directory to it.
///
/// # Errors
/// In words; nothing is left behind then.
pub(crate) fn leave(settings: &Configuration, uid: u32, input: &mut dyn Read) -> Result<QueueId, String> {
    let maildrop = settings.queue_directory.join(DIRECTORY);
    rustix::process::chdir(&maildrop).map_err(|error| unreachable(&maildrop, error))?;
    let mut input = BufReader::with_capacity(PIECE_BYTES, input);
    let mut head = read_head(&mut input).map_err(|why| format!("uid={uid}: {why}"))?;
    let limit = match settings.message_size_limit {
        0 => CONTENT_BYTES_MAX,
        limit => limit.min(CONTENT_BYTES_MAX),
    };
    if head.size_bytes > limit {
        return Err("message file too big".to_owned());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    head.arrival_micros = i64::try_from(now.as_micros()).unwrap_or(0);
    // No word of the caller says who the caller is.
    head.slip.uid = uid;
    let unfinished = Unfinished::create(&maildrop, head.arrival_micros)?;
    unfinished.fill(&head, &mut input, uid)?;
    unfinished.complete(head.arrival_micros)
}

fn unreachable(maildrop: &Path, error: Errno) -> String {
    let told = format!("cannot use {}: {}", maildrop.display(), os::words(&error.into()));
    match error {
        Errno::ACCESS | Errno::NOENT => {
            format!("{told}. Run `yubin install`, which makes it and gives this program its group")
        }
        _ => told,
    }
}

fn read_head(input: &mut impl BufRead) -> Result<Head, Error> {
    let (mut text, mut left) = (Vec::new(), HEAD_BYTES_MAX as u64);
    while !text.ends_with(b"\n\n") {
        let read = (&mut *input).take(left).read_until(b'\n', &mut text);
        match read {
            Ok(0) if left == 0 => return Err(Error::TooLarge),
            Ok(count @ 1..) => left -= count as u64,
            Ok(_) | Err(_) => return Err(Error::Malformed),
        }
    }
    let text = std::str::from_utf8(&text).map_err(|_| Error::Malformed)?;
    Head::parse(text.lines().take_while(|line| !line.is_empty()))
}

/// A file of the maildrop that is not complete; removed when it is dropped or a signal ends the program.
struct Unfinished<'a> {
    maildrop: &'a Path,
    name: String,
    file: File,
}

impl Unfinished<'_> {
    fn create(maildrop: &Path, now_micros: i64) -> Result<Unfinished<'_>, String> {
        let own = QueueId::short(now_micros, std::process::id().into());
        let name = temporary_name(now_micros, &own);
        let told = |why: &str| format!("cannot create a file in {}: {why}", maildrop.display());
        // A queue id has no zero octets.
        let path = CString::new(name.as_str()).unwrap_or_default();
        os::signals::remove_file_when_ended(&path).map_err(|error| told(&error.to_string()))?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&name)
            .map_err(|error| {
                os::signals::keep_file();
                told(&os::words(&error))
            })?;
        Ok(Unfinished { maildrop, name, file })
    }

    fn fill(&self, head: &Head, input: &mut dyn Read, uid: u32) -> Result<(), String> {
        let text = head.encode().map_err(|why| format!("uid={uid}: {why}"))?;
        let mut file = &self.file;
        self.written(file.write_all(text.as_bytes()))?;
        let ended = || format!("uid={uid}: unexpected end of input");
        let mut left = head.size_bytes;
        let mut piece = vec![0; PIECE_BYTES];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
            match input.read(&mut piece[..most]) {
                Ok(0) => return Err(ended()),
                Ok(count) => {
                    self.written(file.write_all(&piece[..count]))?;
                    left -= count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("uid={uid}: error reading input: {}", os::words(&error))),
            }
        }
        let mut end = Vec::new();
        match input.take(END.len() as u64 + 1).read_to_end(&mut end) {
            Ok(_) if end == END => self.written(file.write_all(END)),
            Ok(count) if count < END.len() => Err(ended()),
            _ => Err(format!("uid={uid}: malformed input")),
        }
    }

    /// Makes it a message that is picked up, for good.
    fn complete(self, now_micros: i64) -> Result<QueueId, String> {
        self.written(self.file.set_permissions(Permissions::from_mode(COMPLETE)))?;
        self.written(self.file.sync_all())?;
        let found = self.written(self.file.metadata())?;
        let queue_id = QueueId::short(now_micros, found.ino());
        os::signals::keep_file();
        let to = queue_id.as_str();
        let renamed = match rustix::fs::renameat_with(CWD, &self.name, CWD, to, RenameFlags::NOREPLACE) {
            // Not every file system can promise that; the id has the number of the file in it, which nobody else has.
            Err(Errno::INVAL) => std::fs::rename(&self.name, to),
            renamed => renamed.map_err(Into::into),
        };
        self.written(renamed)?;
        if let Err(error) = self.sync_name() {
            // Nobody was told that it is there. Picked up meanwhile, it comes twice when it is sent again.
            let _ = std::fs::remove_file(to);
            return self.written(Err(error));
        }
        Ok(queue_id)
    }

    /// Makes the name durable. Users may not read the directory, and so not sync it either; then the whole file system is.
    fn sync_name(&self) -> io::Result<()> {
        match File::open(".") {
            Ok(directory) => directory.sync_all(),
            Err(_) => Ok(rustix::fs::syncfs(&self.file)?),
        }
    }

    fn written<T>(&self, result: io::Result<T>) -> Result<T, String> {
        result.map_err(|error| {
            format!(
                "queue file write error: {}: {}",
                self.maildrop.display(),
                os::words(&error)
            )
        })
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        // Not there any more when it was renamed; what cannot be removed goes after a day.
        let _ = std::fs::remove_file(&self.name);
        os::signals::keep_file();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use address::Address;
    use envelope::maildrop::Slip;
    use envelope::{BodyKind, Envelope, Recipient};

    fn head(size_bytes: u64) -> Head {
        Head {
            slip: Slip::default(),
            arrival_micros: 1,
            envelope: Envelope {
                sender: None,
                recipients: vec![Recipient::new(Address::new("root", None))],
                ret: None,
                envid: None,
                body: BodyKind::SevenBit,
                smtputf8: false,
            },
            size_bytes,
        }
    }

    fn input(size_bytes: u64, content: &str) -> Vec<u8> {
        format!("{}{content}\nend\n", head(size_bytes).encode().unwrap()).into_bytes()
    }

    /// One test: the working directory is the process's.
    #[test]
    fn only_whole_messages_stay() {
        let queue = tempfile::tempdir().unwrap();
        let settings = Configuration {
            queue_directory: queue.path().to_owned(),
            message_size_limit: 100,
            authorized_submit_users: Vec::new(),
        };
        let left = |bytes: &[u8]| leave(&settings, 4711, &mut &bytes[..]);
        let names = || -> Vec<String> {
            let entries = std::fs::read_dir(queue.path().join(DIRECTORY)).unwrap();
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        };
        let told = left(&input(2, "hi")).unwrap_err();
        assert!(told.contains("yubin install"), "{told}");
        std::fs::create_dir(queue.path().join(DIRECTORY)).unwrap();
        let whole = input(2, "hi");
        for cut in 0..whole.len() {
            assert!(left(&whole[..cut]).is_err(), "cut at {cut}");
            assert_eq!(names(), [""; 0], "cut at {cut}");
        }
        for (bytes, why) in [
            (&b""[..], "uid=4711: malformed input"),
            (&[b'x'; 5000], "uid=4711: malformed input"),
            (&input(1, "hi"), "uid=4711: malformed input"),
            (&input(3, "hi"), "uid=4711: unexpected end of input"),
            (&input(90, "hi"), "uid=4711: unexpected end of input"),
            (&input(101, &"x".repeat(101)), "message file too big"),
        ] {
            assert_eq!(left(bytes), Err(why.to_owned()));
            assert_eq!(names(), [""; 0], "{why}");
        }
        let queue_id = left(&whole).unwrap();
        assert_eq!(names(), [queue_id.as_str()]);
        let path = queue.path().join(DIRECTORY).join(queue_id.as_str());
        assert_eq!(path.metadata().unwrap().mode() & 0o777, COMPLETE);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            text.contains("\nuid: 4711\n") && !text.contains("\ntime: 1\n"),
            "{text}"
        );
        assert!(text.ends_with("\n\nhi\nend\n"), "{text}");
    }

    #[test]
    fn a_head_without_end_is_not_read_for_ever() {
        let mut endless = BufReader::new(io::repeat(b'x'));
        assert_eq!(read_head(&mut endless), Err(Error::TooLarge));
    }
}
