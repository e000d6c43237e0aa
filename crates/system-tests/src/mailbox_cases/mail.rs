//! An account's mail before a case begins, and what other programs do to it meanwhile.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Protocol;
use super::case::Case;

/// The dates of the first messages, seconds since the Unix epoch: a second for each.
const FIRST_SECS: u64 = 1_700_000_000;

/// What UIDVALIDITY is where clients are told it within other words (POP3): both servers take it over.
const UID_VALIDITY: u32 = 1_700_000_000;

/// Makes the account's mail what the case begins with.
pub(super) fn put(home: &Path, case: &Case) {
    for (path, content) in &case.files {
        let path = home.join(path);
        for folder in path.parent().unwrap().ancestors() {
            if folder != home && folder.starts_with(home) {
                fs::create_dir_all(folder).unwrap();
                give_away(home, folder);
            }
        }
        fs::write(&path, content).unwrap();
        give_away(home, &path);
    }
    if case.is_mbox {
        return put_mbox(home, case);
    }
    make_folder(home, "INBOX");
    let list = folder_path(home, "INBOX").join("dovecot-uidlist");
    if case.protocol == Protocol::Pop3 && !list.exists() {
        fs::write(&list, format!("3 V{UID_VALIDITY} N1\n")).unwrap();
        give_away(home, &list);
    }
    for (number, (folder, letter)) in (0_u64..).zip(&case.mail) {
        make_folder(home, folder);
        let Some((letter, flags)) = letter else { continue };
        let secs = FIRST_SECS + number;
        let file = folder_path(home, folder).join(format!("cur/{secs}.M1P1.test:2,{flags}"));
        write(home, &file, letter);
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
        File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_modified(date)
            .unwrap();
    }
}

/// The mbox, with the same UIDVALIDITY for both.
fn put_mbox(home: &Path, case: &Case) {
    let mut note = format!("X-IMAPbase: {UID_VALIDITY} 0000000000\n");
    for (_, letter) in &case.mail {
        let Some((letter, _)) = letter else { continue };
        add_to_mbox(home, letter, &note);
        note.clear();
    }
}

fn mbox(home: &Path) -> PathBuf {
    home.join("inbox.mbox")
}

fn add_to_mbox(home: &Path, letter: &str, note: &str) {
    let mut file = File::options()
        .append(true)
        .create(true)
        .open(mbox(home))
        .unwrap();
    let mut text = format!("From alice@example.test  Tue Nov 14 22:13:20 2023\n{note}").into_bytes();
    text.extend(content(letter));
    text.push(b'\n');
    file.write_all(&text).unwrap();
    give_away(home, &mbox(home));
}

fn remove_from_mbox(home: &Path, number: usize) {
    let text = format!("\n{}", String::from_utf8_lossy(&fs::read(mbox(home)).unwrap()));
    let mut parts: Vec<&str> = text.split("\nFrom ").skip(1).collect();
    parts.remove(number - 1);
    let kept = parts.iter().map(|part| format!("From {}\n\n", part.trim_end()));
    let kept: String = kept.collect();
    // At once: nobody may see half of it.
    let new = home.join("new.mbox");
    fs::write(&new, kept).unwrap();
    give_away(home, &new);
    fs::rename(&new, mbox(home)).unwrap();
}

/// The flags of the messages of a folder, in order of their names.
pub(super) fn show(home: &Path, folder: &str) -> String {
    let folder = folder_path(home, folder);
    let mut shown = Vec::new();
    for part in ["cur", "new"] {
        for entry in fs::read_dir(folder.join(part)).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            let flags = name.split_once(":2,").map_or("", |(_, flags)| flags);
            shown.push((name.clone(), format!("{part}:{flags}")));
        }
    }
    shown.sort();
    let shown: Vec<String> = shown.into_iter().map(|(_, shown)| shown).collect();
    format!("[{}]", shown.join(" "))
}

/// Another program delivers a letter.
pub(super) fn deliver(home: &Path, folder: &str, letter: &str, number: usize) {
    if mbox(home).exists() {
        return add_to_mbox(home, letter, "");
    }
    let folder = folder_path(home, folder);
    let name = format!("{}.M2P1.test", FIRST_SECS + 1_000_000 + number as u64);
    let temporary = folder.join("tmp").join(&name);
    write(home, &temporary, letter);
    fs::rename(&temporary, folder.join("new").join(&name)).unwrap();
}

/// Another program removes the file that is the `number`-th (from 1) by name.
pub(super) fn remove(home: &Path, folder: &str, number: usize) {
    if mbox(home).exists() {
        return remove_from_mbox(home, number);
    }
    let folder = folder_path(home, folder);
    let entries = ["cur", "new"].map(|part| fs::read_dir(folder.join(part)).unwrap());
    let mut files: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort_by_key(|path| path.file_name().unwrap().to_owned());
    fs::remove_file(&files[number - 1]).unwrap();
}

fn folder_path(home: &Path, folder: &str) -> PathBuf {
    match folder {
        "INBOX" => home.join("Maildir"),
        _ => home.join("Maildir").join(format!(".{folder}")),
    }
}

fn make_folder(home: &Path, folder: &str) {
    let path = folder_path(home, folder);
    for part in ["", "tmp", "cur", "new"] {
        let path = path.join(part);
        if !path.exists() {
            fs::create_dir(&path).unwrap();
            give_away(home, &path);
        }
    }
    if folder != "INBOX" && !path.join("maildirfolder").exists() {
        fs::write(path.join("maildirfolder"), "").unwrap();
        give_away(home, &path.join("maildirfolder"));
    }
}

fn write(home: &Path, file: &Path, letter: &str) {
    fs::write(file, content(letter)).unwrap();
    give_away(home, file);
}

fn content(letter: &str) -> Vec<u8> {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let letters = ["imap", "pop3"].map(|protocol| scenarios.join(protocol).join("letters"));
    let mut places = letters
        .iter()
        .map(|letters| letters.join(format!("{letter}.eml")));
    let source = places.find(|place| place.exists());
    fs::read(source.unwrap_or_else(|| panic!("there is no letter {letter}"))).unwrap()
}

fn give_away(home: &Path, path: &Path) {
    let owner = fs::metadata(home).unwrap();
    chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
}
