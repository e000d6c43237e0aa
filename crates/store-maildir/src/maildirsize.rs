//! The quota of Maildir++: a file `maildirsize` in a Maildir whose first line is the limit (`1000000S,1000C`) and whose
//! other lines are what came and went (`size count`). Other programs read and write it too.
//! Source: Maildir++, "Maildir quotas" (inter7.com; courier's maildirquota(7)).

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// The file.
const FILE: &str = "maildirsize";
/// A longer file is written anew before it is believed.
const FILE_BYTES_MAX: u64 = 5120;
/// The folder whose mail does not count where nobody says which do not.
const TRASH: &str = ".Trash";

/// An amount of mail: as a limit, 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Amount {
    /// Octets on disk.
    pub bytes: i64,
    /// Messages.
    pub messages: i64,
}

/// Whether a message of `size_bytes` fits into the Maildir at `maildir` by the limit in its file. Without a file there is
/// no limit. What is in the folder `.Trash` does not count.
///
/// # Errors
/// When the Maildir cannot be looked at.
pub fn has_room(maildir: &Path, size_bytes: u64) -> io::Result<bool> {
    let path = maildir.join(FILE);
    let text = match read(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(true);
        }
        Err(error) => return Err(error),
    };
    let Some((limit, used)) = parse(&text) else {
        // A file without a limit limits nothing.
        return Ok(true);
    };
    let size = i64::try_from(size_bytes).unwrap_or(i64::MAX);
    let fits = |used: Amount| {
        (limit.bytes == 0 || used.bytes.saturating_add(size) <= limit.bytes)
            && (limit.messages == 0 || used.messages < limit.messages)
    };
    if fits(used) && text.len() as u64 <= FILE_BYTES_MAX {
        return Ok(true);
    }
    // What others removed without a note is found by counting.
    let counted = count(maildir, Trashed::Left, &|folder| folder != TRASH)?;
    let first = text.lines().next().unwrap_or_default();
    rewrite(maildir, first, counted)?;
    Ok(fits(counted))
}

/// How much mail there is below `maildir`, by the notes in the file if it has this `limit` and is not too long. Otherwise
/// (and with `anew`) all mail is counted, and the file is written anew. `counts` says of each folder's directory
/// (`.Sent`) whether its mail counts.
///
/// # Errors
/// When the Maildir cannot be looked at.
pub fn usage(maildir: &Path, limit: Amount, anew: Anew, counts: &dyn Fn(&str) -> bool) -> io::Result<Amount> {
    let first = shown(limit);
    if anew == Anew::IfNeeded {
        match read(&maildir.join(FILE)) {
            Ok(text) if text.len() as u64 <= FILE_BYTES_MAX && text.lines().next() == Some(&first) => {
                if let Some((_, used)) = parse(&text) {
                    return Ok(used);
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let counted = count(maildir, Trashed::Counted, counts)?;
    rewrite(maildir, &first, counted)?;
    Ok(counted)
}

/// Whether the notes in the file are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anew {
    /// They are, unless the limit has changed or they are too many.
    IfNeeded,
    /// All mail is counted.
    Surely,
}

/// The first line of the file: `10240S,100C`.
fn shown(limit: Amount) -> String {
    let part = |number: i64, unit: char| (number > 0).then(|| format!("{number}{unit}"));
    let parts: Vec<String> = [part(limit.bytes, 'S'), part(limit.messages, 'C')]
        .into_iter()
        .flatten()
        .collect();
    if parts.is_empty() {
        "0S".to_owned()
    } else {
        parts.join(",")
    }
}

/// Notes what came (or, negative, went). Without a file nothing is noted; a note that cannot be written is made up for at
/// the next count.
pub fn add(maildir: &Path, change: Amount) {
    let file = OpenOptions::new().append(true).open(maildir.join(FILE));
    if let Ok(mut file) = file {
        // As said above.
        let _ = file.write_all(format!("{} {}\n", change.bytes, change.messages).as_bytes());
    }
}

fn read(path: &Path) -> io::Result<String> {
    use std::io::Read;
    let file = os::files::open_regular(path, OpenOptions::new().read(true))?;
    let mut text = Vec::new();
    file.take(16 * FILE_BYTES_MAX).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The limit, and what is used by the notes.
fn parse(text: &str) -> Option<(Amount, Amount)> {
    let mut lines = text.lines();
    let mut limit = Amount::default();
    for part in lines.next()?.trim().split(',') {
        let (number, unit) = part.split_at_checked(part.len().checked_sub(1)?)?;
        let number = number.parse().ok()?;
        match unit {
            "S" => limit.bytes = number,
            "C" => limit.messages = number,
            // Units that come later limit what is not known here.
            _ => {}
        }
    }
    let mut used = Amount::default();
    for line in lines {
        let mut words = line
            .split_ascii_whitespace()
            .map(|word| word.parse::<i64>().unwrap_or(0));
        used.bytes = used.bytes.saturating_add(words.next().unwrap_or(0));
        used.messages = used.messages.saturating_add(words.next().unwrap_or(0));
    }
    Some((limit, used))
}

/// Whether messages that are marked as deleted count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trashed {
    /// As Dovecot counts: a message counts until it is gone.
    Counted,
    /// As Courier counts.
    Left,
}

/// Counts the mail of a Maildir and its folders.
fn count(maildir: &Path, trashed: Trashed, counts: &dyn Fn(&str) -> bool) -> io::Result<Amount> {
    let mut amount = Amount::default();
    if counts("") {
        add_folder(maildir, trashed, &mut amount)?;
    }
    let entries = match fs::read_dir(maildir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(amount),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let is_folder = name.as_encoded_bytes().starts_with(b".") && entry.file_type()?.is_dir();
        if is_folder && counts(&name.to_string_lossy()) {
            add_folder(&entry.path(), trashed, &mut amount)?;
        }
    }
    Ok(amount)
}

fn add_folder(folder: &Path, trashed: Trashed, amount: &mut Amount) -> io::Result<()> {
    for part in ["cur", "new"] {
        let entries = match fs::read_dir(folder.join(part)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let flags = name.rsplit_once(":2,").map_or("", |(_, flags)| flags);
            if trashed == Trashed::Left && flags.contains('T') {
                continue;
            }
            let size = match size_in_name(&name) {
                Some(size) => size,
                // It may just have been moved: it is counted next time.
                None => fs::metadata(entry.path()).map_or(0, |meta| meta.len().cast_signed()),
            };
            amount.bytes = amount.bytes.saturating_add(size);
            amount.messages += 1;
        }
    }
    Ok(())
}

/// Removes the file: whoever needs the sum next counts.
pub fn forget(maildir: &Path) {
    // One that stays is too large at worst; then all is counted anew.
    let _ = fs::remove_file(maildir.join(FILE));
}

/// The octets that a message's file name tells (`S=1234`).
pub fn size_in_name(name: &str) -> Option<i64> {
    name.split([',', ':'])
        .find_map(|word| word.strip_prefix("S=")?.parse().ok())
}

fn rewrite(maildir: &Path, first: &str, counted: Amount) -> io::Result<()> {
    /// Threads of one process count at the same time, too.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let temporary = maildir.join(format!("tmp/{FILE}.{}.{number}", std::process::id()));
    let text = format!("{first}\n{} {}\n", counted.bytes, counted.messages);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&temporary, maildir.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maildir_is_full_when_its_file_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let maildir = dir.path();
        assert!(has_room(maildir, 1 << 40).unwrap(), "no file, no quota");
        for part in ["tmp", "new", "cur", ".Trash/cur", ".Sent/cur"] {
            fs::create_dir_all(maildir.join(part)).unwrap();
        }
        let write = |text: &str| fs::write(maildir.join(FILE), text).unwrap();
        fs::write(maildir.join("cur/1.a,S=40:2,S"), "x").unwrap();
        fs::write(maildir.join(".Sent/cur/2.a:2,"), "12345").unwrap();
        fs::write(maildir.join(".Trash/cur/3.a,S=1000:2,"), "x").unwrap();
        fs::write(maildir.join("cur/4.a,S=1000:2,ST"), "x").unwrap();
        write("100S,3C\n0 0\n");
        assert!(has_room(maildir, 100).unwrap(), "the notes are believed");
        let came = |bytes| Amount { bytes, messages: 1 };
        add(maildir, came(60));
        assert!(
            !has_room(maildir, 60).unwrap(),
            "60 + 60 is over 100, and so is what is really there"
        );
        assert_eq!(fs::read_to_string(maildir.join(FILE)).unwrap(), "100S,3C\n45 2\n");
        assert!(has_room(maildir, 55).unwrap());
        add(maildir, came(1));
        write("0S,2C\n0 9\n");
        assert!(!has_room(maildir, 1).unwrap());
        fs::remove_file(maildir.join("cur/1.a,S=40:2,S")).unwrap();
        assert!(has_room(maildir, 1).unwrap(), "counted anew");
        write("garbage\n");
        assert!(has_room(maildir, 1).unwrap());
    }
    #[test]
    fn a_limit_of_ours_makes_the_file_and_a_new_one_counts_anew() {
        let dir = tempfile::tempdir().unwrap();
        let maildir = dir.path();
        for part in ["tmp", "cur", ".Junk/cur"] {
            fs::create_dir_all(maildir.join(part)).unwrap();
        }
        fs::write(maildir.join("cur/1.a,S=40:2,S"), "x").unwrap();
        fs::write(maildir.join(".Junk/cur/2.a,S=7:2,ST"), "x").unwrap();
        let limit = |bytes, messages| Amount { bytes, messages };
        let file = || fs::read_to_string(maildir.join(FILE)).unwrap();
        let all = |_: &str| true;
        let found = usage(maildir, limit(100, 0), Anew::IfNeeded, &all).unwrap();
        assert_eq!((found, file().as_str()), (limit(47, 2), "100S\n47 2\n"));
        add(maildir, limit(-7, -1));
        let found = usage(maildir, limit(100, 0), Anew::IfNeeded, &all).unwrap();
        assert_eq!(found, limit(40, 1), "the notes are believed");
        let found = usage(maildir, limit(100, 9), Anew::IfNeeded, &|name| name != ".Junk").unwrap();
        assert_eq!((found, file().as_str()), (limit(40, 1), "100S,9C\n40 1\n"));
        let found = usage(maildir, limit(100, 9), Anew::Surely, &all).unwrap();
        assert_eq!(found, limit(47, 2));
    }
}
