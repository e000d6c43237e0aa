//! The quota of Maildir++: a file `maildirsize` in a Maildir whose first line is the limit (`1000000S,1000C`) and whose
//! other lines are what came and went (`size count`). Where there is none, there is no quota.
//! Source: Maildir++, "Maildir quotas" (inter7.com; courier's maildirquota(7)).

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// The file.
const FILE: &str = "maildirsize";
/// A longer file is written anew before it is believed.
const FILE_BYTES_MAX: u64 = 5120;
/// The folder whose mail does not count.
const TRASH: &str = ".Trash";

/// What a Maildir may hold; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Amount {
    bytes: i64,
    messages: i64,
}

/// Whether a message of `size_bytes` fits into the Maildir at `maildir`.
///
/// # Errors
/// When the Maildir cannot be looked at.
pub(crate) fn has_room(maildir: &Path, size_bytes: u64) -> io::Result<bool> {
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
    let counted = count(maildir)?;
    let first = text.lines().next().unwrap_or_default();
    rewrite(
        maildir,
        &format!("{first}\n{} {}\n", counted.bytes, counted.messages),
    )?;
    Ok(fits(counted))
}

/// Notes a message that was written. A note that cannot be written is made up for at the next count.
pub(crate) fn add(maildir: &Path, size_bytes: u64) {
    let file = OpenOptions::new().append(true).open(maildir.join(FILE));
    if let Ok(mut file) = file {
        // As said above.
        let _ = file.write_all(format!("{size_bytes} 1\n").as_bytes());
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

/// Counts the mail of a Maildir and its folders, without the trash.
fn count(maildir: &Path) -> io::Result<Amount> {
    let mut amount = Amount::default();
    add_folder(maildir, &mut amount)?;
    for entry in fs::read_dir(maildir)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_folder = name.as_encoded_bytes().starts_with(b".") && entry.file_type()?.is_dir();
        if is_folder && name != TRASH {
            add_folder(&entry.path(), &mut amount)?;
        }
    }
    Ok(amount)
}

fn add_folder(folder: &Path, amount: &mut Amount) -> io::Result<()> {
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
            if flags.contains('T') {
                continue;
            }
            let said = name
                .split([',', ':'])
                .find_map(|word| word.strip_prefix("S=")?.parse::<i64>().ok());
            let size = match said {
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

fn rewrite(maildir: &Path, text: &str) -> io::Result<()> {
    let temporary = maildir.join(format!("tmp/{FILE}.{}", std::process::id()));
    fs::write(&temporary, text)?;
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
        add(maildir, 60);
        assert!(
            !has_room(maildir, 60).unwrap(),
            "60 + 60 is over 100, and so is what is really there"
        );
        assert_eq!(fs::read_to_string(maildir.join(FILE)).unwrap(), "100S,3C\n45 2\n");
        assert!(has_room(maildir, 55).unwrap());
        add(maildir, 1);
        write("0S,2C\n0 9\n");
        assert!(!has_room(maildir, 1).unwrap());
        fs::remove_file(maildir.join("cur/1.a,S=40:2,S")).unwrap();
        assert!(has_room(maildir, 1).unwrap(), "counted anew");
        write("garbage\n");
        assert!(has_room(maildir, 1).unwrap());
    }
}
