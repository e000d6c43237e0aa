//! Folders on disk for `mail`: mbox files and Maildir directories, read whole and written back when the user leaves.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use message::date::Date;
use message::mbox::{FromLine, Quoter};
use store_mbox::{Locks, WholeFile};

use super::folder::{self, Fate, Folder, Letter, Marks};
use crate::submission::words_of;

/// The most messages of a Maildir that are read.
const MAILDIR_MESSAGES_MAX: usize = 1_000_000;

/// Where an open folder came from.
#[derive(Debug)]
pub(super) enum Source {
    Mbox(WholeFile),
    /// The directory, and the file of each letter.
    Maildir(PathBuf, Vec<PathBuf>),
}

/// An mbox file, whose rewriting leaves its traces below `state` when it is cut short.
pub(super) fn whole(path: &Path, state: &Path) -> WholeFile {
    let name = path.display().to_string().replace('%', "%25").replace('/', "%2F");
    WholeFile::new(path, &state.join(name), Locks::default())
}

/// Opens the folder at `path`, which the user calls `name`.
///
/// # Errors
/// What the user reads.
pub(super) fn load(path: &Path, name: &str, state: &Path) -> Result<(Folder, Source), String> {
    let meta = std::fs::metadata(path).map_err(|error| format!("{name}: {}", words_of(&error)))?;
    // The user may change the directory while the folder is open.
    let absolute = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if meta.is_dir() {
        return load_maildir(&absolute, name);
    }
    let whole = whole(&absolute, state);
    let content = whole.read().map_err(|error| error.to_string())?;
    let (preamble, letters) = folder::split(&content);
    if letters.is_empty() && !preamble.trim_ascii().is_empty() {
        return Err(format!("{name}: not a mailbox"));
    }
    let mut folder = Folder::new(name, letters);
    folder.is_read_only = OpenOptions::new().write(true).open(path).is_err();
    Ok((folder, Source::Mbox(whole)))
}

fn load_maildir(path: &Path, name: &str) -> Result<(Folder, Source), String> {
    let (letters, files) = letters_of(path, name, &[])?;
    Ok((
        Folder::new(name, letters),
        Source::Maildir(path.to_owned(), files),
    ))
}

/// The messages of a Maildir that are not among `known`, by what stands before the flags in the names of their files.
fn letters_of(path: &Path, name: &str, known: &[PathBuf]) -> Result<(Vec<Letter>, Vec<PathBuf>), String> {
    let said = |error: std::io::Error| format!("{name}: {}", words_of(&error));
    let known: HashSet<String> = known.iter().map(|file| base_of(file)).collect();
    let mut files = Vec::new();
    for place in ["cur", "new"] {
        let entries = std::fs::read_dir(path.join(place)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => format!("{name}: Is a directory"),
            _ => said(error),
        })?;
        for entry in entries {
            let file = entry.map_err(said)?.path();
            let is_message = file
                .file_name()
                .is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."));
            if is_message && !known.contains(&base_of(&file)) && files.len() < MAILDIR_MESSAGES_MAX {
                files.push(file);
            }
        }
    }
    files.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    let mut letters = Vec::new();
    let mut kept = Vec::new();
    for file in files {
        match letter_of(&file) {
            Ok(letter) => {
                letters.push(letter);
                kept.push(file);
            }
            // Another program moved it; the next session sees it.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(said(error)),
        }
    }
    Ok((letters, kept))
}

/// The letters that came into a folder since it was read.
///
/// # Errors
/// What the user reads.
pub(super) fn arrivals(known: &Folder, source: &mut Source) -> Result<Vec<Letter>, String> {
    match source {
        Source::Mbox(whole) => {
            let content = whole.read().map_err(|error| error.to_string())?;
            Ok(known.unknown(folder::split(&content).1))
        }
        Source::Maildir(directory, files) => {
            let (letters, new) = letters_of(directory, &known.name, files)?;
            files.extend(new);
            Ok(letters)
        }
    }
}

/// A message of a Maildir as a letter: its flags become marks, the time of the file the `From ` line.
fn letter_of(file: &Path) -> std::io::Result<Letter> {
    let content = std::fs::read(file)?;
    let modified = std::fs::metadata(file)?.modified()?;
    let sender = message::header::find(&content, "Return-Path").and_then(|field| {
        address::path::parse_whole(&String::from_utf8_lossy(&field.unfolded()))
            .ok()
            .flatten()
    });
    let mut bytes = FromLine::display(sender.as_ref(), local(modified)).into_bytes();
    bytes.push(b'\n');
    let mut quoter = Quoter::new();
    quoter.feed(&message::lines::to_lf(&content), &mut bytes);
    quoter.finish(b"\n", &mut bytes);
    let flags = flags_of(file);
    Ok(Letter::with_marks(
        bytes,
        Marks {
            read: flags.contains('S'),
            old: file.parent().is_some_and(|parent| parent.ends_with("cur")),
            answered: flags.contains('R'),
            flagged: flags.contains('F'),
            ..Marks::default()
        },
    ))
}

fn local(time: std::time::SystemTime) -> Date {
    let secs = time
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |age| age.as_secs());
    super::terminal::local_date(i64::try_from(secs).unwrap_or(0))
}

fn flags_of(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.split_once(":2,")
        .map_or_else(String::new, |(_, flags)| flags.to_owned())
}

/// Writes a folder back; how many letters came meanwhile.
///
/// # Errors
/// What the user reads; the folder is as it was, or (Maildir) partly done.
pub(super) fn store(folder: &Folder, fates: &[Fate], source: &Source) -> Result<usize, String> {
    match source {
        Source::Mbox(whole) => {
            let mut arrived = 0;
            whole
                .change(|current| {
                    let (content, unknown) = folder.merged(current, fates);
                    arrived = unknown;
                    Some(content)
                })
                .map_err(|error| error.to_string())?;
            Ok(arrived)
        }
        Source::Maildir(directory, files) => {
            for ((letter, fate), file) in folder.letters.iter().zip(fates).zip(files) {
                let done = match fate {
                    Fate::Goes | Fate::ToMbox => std::fs::remove_file(file),
                    Fate::Stays if letter.is_edited() => replace(directory, file, letter),
                    Fate::Stays => move_to_cur(directory, file, &letter.marks),
                };
                match done {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(format!("{}: {}", file.display(), words_of(&error)));
                    }
                    _ => {}
                }
            }
            Ok(0)
        }
    }
}

/// The name of a message's file without its flags.
fn base_of(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.split(":2,").next().unwrap_or(&name).to_owned()
}

fn name_in_cur(base: &str, file: &Path, marks: &Marks) -> String {
    let mut flags: Vec<char> = flags_of(file)
        .chars()
        .filter(|flag| !"SR".contains(*flag))
        .collect();
    flags.extend(marks.read.then_some('S'));
    flags.extend(marks.answered.then_some('R'));
    flags.sort_unstable();
    let flags: String = flags.into_iter().collect();
    format!("{base}:2,{flags}")
}

fn move_to_cur(directory: &Path, file: &Path, marks: &Marks) -> std::io::Result<()> {
    let target = directory
        .join("cur")
        .join(name_in_cur(&base_of(file), file, marks));
    if target == file {
        Ok(())
    } else {
        std::fs::rename(file, target)
    }
}

/// Puts an edited letter in the place of its message: another file, so that nobody who knows the old one by name takes
/// it for what it was, and without the sizes that Dovecot keeps in names.
fn replace(directory: &Path, file: &Path, letter: &Letter) -> std::io::Result<()> {
    let base = base_of(file);
    let base = base.split(',').next().unwrap_or(&base);
    let edited = format!("{base}_{:08x}", world::World::real().random.next_u64() as u32);
    let made = directory.join("tmp").join(&edited);
    let content = letter.content();
    let content = content
        .strip_suffix(b"\n")
        .filter(|text| text.ends_with(b"\n"))
        .unwrap_or(content);
    let mut output = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&made)?;
    output.write_all(content)?;
    output.sync_all()?;
    std::fs::rename(
        made,
        directory
            .join("cur")
            .join(name_in_cur(&edited, file, &letter.marks)),
    )?;
    std::fs::remove_file(file)
}

/// Adds letters or text to the end of a file, which is made (mode 0600) when it is missing; whether it was there.
///
/// # Errors
/// What the user reads.
pub(super) fn append(path: &Path, content: &[u8], state: &Path) -> Result<bool, String> {
    let said = |error: std::io::Error| format!("{}: {}", path.display(), words_of(&error));
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let was_there = match made {
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => true,
        Err(error) => return Err(said(error)),
    };
    if std::fs::metadata(path).map_err(said)?.is_dir() {
        return Err(format!("{}: Is a directory", path.display()));
    }
    let absolute = std::fs::canonicalize(path).map_err(said)?;
    let is_letter = content.starts_with(b"From ");
    whole(&absolute, state)
        .change(|old| {
            let mut new = old.to_vec();
            if is_letter && !new.is_empty() && !new.ends_with(b"\n\n") {
                new.extend_from_slice(if new.ends_with(b"\n") { b"\n" } else { b"\n\n" });
            }
            new.extend_from_slice(content);
            Some(new)
        })
        .map_err(|error| error.to_string())?;
    Ok(was_there)
}

#[cfg(test)]
mod tests {
    use super::super::folder::Habits;
    use super::*;

    const LETTER: &str = "From a@b  Wed Dec 23 23:39:48 2020\nSubject: x\n\nx\n\n";

    #[test]
    fn mail_that_is_delivered_while_a_folder_is_open_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (path, state) = (dir.path().join("ann"), dir.path().join("state"));
        std::fs::write(&path, LETTER.repeat(2)).unwrap();
        let (mut folder, source) = load(&path, "ann", &state).unwrap();
        for letter in &mut folder.letters {
            letter.marks.deleted = true;
        }
        let late = &mut &b"Subject: late\n\nlate\n"[..];
        store_mbox::deliver(
            &path,
            "From c@d  Wed Dec 23 23:40:00 2020",
            late,
            &Locks::default(),
        )
        .unwrap();
        let fates = folder.fates(Habits::default());
        assert_eq!(store(&folder, &fates, &source).unwrap(), 1);
        let left = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            left,
            "From c@d  Wed Dec 23 23:40:00 2020\nSubject: late\n\nlate\n\n"
        );
    }

    #[test]
    fn a_maildir() {
        let dir = tempfile::tempdir().unwrap();
        for place in ["cur", "new", "tmp"] {
            std::fs::create_dir(dir.path().join(place)).unwrap();
        }
        std::fs::write(
            dir.path().join("cur/1.a.h:2,FS"),
            "Return-Path: <a@b>\nSubject: one\n\nFrom here\n",
        )
        .unwrap();
        std::fs::write(dir.path().join("new/2.a.h"), "Subject: two\r\n\r\nx\r\n").unwrap();
        let (mut folder, source) = load(dir.path(), "Maildir", dir.path()).unwrap();
        assert_eq!(folder.summary(), "\"Maildir\": 2 messages 1 new");
        assert!(folder.letters[0].marks.flagged && folder.dot == 1);
        folder.letters[1].marks.read = true;
        folder.letters[0].marks.deleted = true;
        let fates = folder.fates(Habits::default());
        store(&folder, &fates, &source).unwrap();
        assert!(dir.path().join("cur/2.a.h:2,S").exists());
        assert!(!dir.path().join("cur/1.a.h:2,FS").exists() && !dir.path().join("new/2.a.h").exists());
    }

    #[test]
    fn edited_letters_take_the_place_of_the_old_ones() {
        let dir = tempfile::tempdir().unwrap();
        let maildir = dir.path().join("Maildir");
        for place in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(maildir.join(place)).unwrap();
        }
        std::fs::write(maildir.join("cur/1.a.h,S=20,W=21:2,F"), "Subject: one\n\nold\n").unwrap();
        let mbox = dir.path().join("mbox");
        std::fs::write(&mbox, LETTER.repeat(2)).unwrap();
        for path in [&maildir, &mbox] {
            let (mut folder, mut source) = load(path, "box", dir.path()).unwrap();
            folder.letters[0].replace(b"Subject: two\n\nFrom here\n\n");
            assert!(arrivals(&folder, &mut source).unwrap().is_empty());
            folder.grow_old();
            let fates = folder.fates(Habits::default());
            store(&folder, &fates, &source).unwrap();
        }
        let left: Vec<_> = std::fs::read_dir(maildir.join("cur"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        let name = left[0].file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            left.len() == 1 && name.starts_with("1.a.h_") && name.ends_with(":2,F"),
            "{name}"
        );
        let text = std::fs::read_to_string(&left[0]).unwrap();
        assert!(text.starts_with("Subject: two\n\n"), "{text}");
        let text = std::fs::read_to_string(&mbox).unwrap();
        assert!(
            text.starts_with(
                "From a@b  Wed Dec 23 23:39:48 2020\nSubject: two\nStatus: O\n\n>From here\n\nFrom a@b"
            ),
            "{text}"
        );
        std::fs::write(maildir.join("new/2.a.h"), "Subject: late\n\nx\n").unwrap();
        let (mut folder, mut source) = load(&maildir, "box", dir.path()).unwrap();
        assert!(arrivals(&folder, &mut source).unwrap().is_empty());
        std::fs::write(maildir.join("new/3.a.h"), "Subject: later\n\nx\n").unwrap();
        let late = arrivals(&folder, &mut source).unwrap();
        assert_eq!(late[0].field("Subject"), "later");
        folder.letters.extend(late);
        folder.letters[2].marks.deleted = true;
        let fates = folder.fates(Habits::default());
        store(&folder, &fates, &source).unwrap();
        assert!(!maildir.join("new/3.a.h").exists() && maildir.join("cur/2.a.h:2,").exists());
    }

    #[test]
    fn appending_makes_the_file_and_keeps_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("saved");
        assert!(!append(&path, LETTER.as_bytes(), dir.path()).unwrap());
        std::fs::write(&path, LETTER.trim_end()).unwrap();
        assert!(append(&path, LETTER.as_bytes(), dir.path()).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), LETTER.repeat(2));
        assert!(append(dir.path(), b"x", dir.path()).is_err());
        assert!(
            load(&dir.path().join("none"), "none", dir.path())
                .unwrap_err()
                .starts_with("none: No such file")
        );
    }
}
