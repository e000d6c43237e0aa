//! An account's mail before a case begins, and what other programs do to it meanwhile.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::case::Case;

/// The dates of the first messages, seconds since the Unix epoch: a second for each.
const FIRST_SECS: u64 = 1_700_000_000;

/// Makes the account's Maildir what the case begins with.
pub(super) fn put(home: &Path, case: &Case) {
    make_folder(home, "INBOX");
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

/// Another program delivers a letter.
pub(super) fn deliver(home: &Path, folder: &str, letter: &str, number: usize) {
    let folder = folder_path(home, folder);
    let name = format!("{}.M2P1.test", FIRST_SECS + 1_000_000 + number as u64);
    let temporary = folder.join("tmp").join(&name);
    write(home, &temporary, letter);
    fs::rename(&temporary, folder.join("new").join(&name)).unwrap();
}

/// Another program removes the file that is the `number`-th (from 1) by name.
pub(super) fn remove(home: &Path, folder: &str, number: usize) {
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
    let letters = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/imap/letters");
    let source = Path::new(letters).join(format!("{letter}.eml"));
    let content = fs::read(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
    fs::write(file, content).unwrap();
    give_away(home, file);
}

fn give_away(home: &Path, path: &Path) {
    let owner = fs::metadata(home).unwrap();
    chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
}
