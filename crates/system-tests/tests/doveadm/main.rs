//! `doveadm` beside Debian's: the same commands on the same mail must show the same and end alike.
//!
//! The cases are in `scenarios/doveadm/`; the README there says how they are written. Some of them:
//! `YUBIN_CASES=NAME cargo test -p system-tests --test doveadm -- --nocapture`.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use system_tests::incumbent::Dovecot;
use system_tests::{Finished, program};

/// `nobody` and `nogroup`, as whom Dovecot is told to work.
const OWNER: (u32, u32) = (65_534, 65_534);
const NAMESPACE: &str = "namespace inbox {\n  separator = /\n}\n";
/// The mail of `u1`: mailbox, letter, flags.
const MAIL: [(&str, &str, &str); 7] = [
    ("", "plain", "S"),
    ("", "mime", "FS"),
    ("", "nested", ""),
    ("", "japanese", "R"),
    ("", "encoded", "T"),
    ("", "addresses", ""),
    (".dst", "plain", ""),
];
const FIRST_SECS: u64 = 1_700_000_001;

#[test]
fn doveadm_shows_what_dovecots_shows() {
    let Some(theirs) = Dovecot::start(&[("u1", "x"), ("u2", "x")], NAMESPACE) else {
        return;
    };
    let ours = Ours::new(theirs.directory());
    let wanted = std::env::var("YUBIN_CASES").unwrap_or_default();
    let (mut differences, mut count) = (String::new(), 0);
    for (name, lines) in cases() {
        if !name.contains(&wanted) {
            continue;
        }
        count += 1;
        put_mail(&theirs.directory().join("home"));
        put_mail(&ours.root.join("home"));
        // Dovecot gives UIDs to what it finds when a mailbox is opened, not when something is put into it.
        let look = ["fetch", "-u", "u1", "uid", "all"].map(str::to_owned);
        theirs.doveadm(&look, b"").success();
        ours.doveadm(&look, b"").success();
        let mut guids = [Vec::new(), Vec::new()];
        for line in &lines {
            let step = Step::parse(line);
            let (args, home) = (&step.args, theirs.home("u1"));
            let they = step.shown(
                &theirs.doveadm(&with_home(args, &home), &step.input),
                &mut guids[0],
                theirs.directory(),
            );
            let we = ours.doveadm(&with_home(args, &ours.root.join("home/u1")), &step.input);
            let we = step.shown(&we, &mut guids[1], &ours.root);
            if they != we {
                differences.push_str(&format!(
                    "== {name}: {line}\n-- Dovecot\n{they}\n-- Yubin\n{we}\n"
                ));
                break;
            }
        }
    }
    assert!(differences.is_empty(), "of {count} cases:\n{differences}");
}

/// The cases with their names (`file/name`) and lines.
fn cases() -> Vec<(String, Vec<String>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/doveadm");
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "cases"));
    files.sort();
    let mut cases: Vec<(String, Vec<String>)> = Vec::new();
    for file in files {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        for line in fs::read_to_string(&file).unwrap().lines() {
            match line.strip_prefix("== ") {
                Some(name) => cases.push((format!("{stem}/{name}"), Vec::new())),
                None if line.is_empty() => {}
                None => cases.last_mut().unwrap().1.push(line.to_owned()),
            }
        }
    }
    cases
}

/// One command.
struct Step {
    args: Vec<String>,
    input: Vec<u8>,
    /// The order of lines does not count.
    is_unordered: bool,
}

impl Step {
    /// `$ ARGUMENTS` or `~ ARGUMENTS`, perhaps `< LETTER` behind them; words may stand in single quotes.
    fn parse(line: &str) -> Step {
        let (how, rest) = line.split_once(' ').unwrap();
        let (rest, input) = match rest.split_once(" < ") {
            Some((rest, letter)) => (rest, fs::read(letter_path(letter)).unwrap()),
            None => (rest, Vec::new()),
        };
        let mut args = Vec::new();
        let mut quoted = rest.split('\'');
        while let Some(bare) = quoted.next() {
            args.extend(bare.split_whitespace().map(str::to_owned));
            args.extend(quoted.next().map(str::to_owned));
        }
        Step {
            args,
            input,
            is_unordered: how == "~",
        }
    }

    /// What a program showed, without what differs by chance: GUIDs are told by their first appearance, nothing is recent, where
    /// the test lies does not matter.
    fn shown(&self, finished: &Finished, guids: &mut Vec<String>, root: &Path) -> String {
        let text = format!("{}{}", finished.stdout, finished.stderr);
        let text = text.replace(&root.display().to_string(), "{root}");
        // As JSON has it, and as text.
        let recent = [" \\\\Recent", "\\\\Recent", " \\Recent", "\\Recent"];
        let text = recent.iter().fold(text, |text, word| text.replace(word, ""));
        let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
        for line in &mut lines {
            let words: Vec<String> = line
                .split(|c: char| !c.is_ascii_hexdigit())
                .map(str::to_owned)
                .collect();
            for word in words.into_iter().filter(|word| word.len() == 32) {
                if !guids.contains(&word) {
                    guids.push(word.clone());
                }
                let at = guids.iter().position(|known| *known == word).unwrap();
                let said = if self.is_unordered {
                    "GUID".to_owned()
                } else {
                    format!("GUID{at}")
                };
                *line = line.replace(&word, &said);
            }
        }
        if self.is_unordered {
            lines.sort();
        }
        format!("{}\nended with {:?}", lines.join("\n"), finished.code)
    }
}

fn with_home(args: &[String], home: &Path) -> Vec<String> {
    let home = home.display().to_string();
    args.iter().map(|arg| arg.replace("{home}", &home)).collect()
}

/// Yubin's side: a configuration and homes of its own.
struct Ours {
    root: PathBuf,
}

impl Ours {
    fn new(beside: &Path) -> Ours {
        let root = beside.join("yubin");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("users"), "u1:{PLAIN}x::::::\nu2:{PLAIN}x::::::\n").unwrap();
        let (own, (uid, gid)) = (root.display(), OWNER);
        let conf = format!(
            "base_dir = {own}/run\nstate_dir = {own}/state\nlog_path = {own}/log\nfirst_valid_uid = 1\n\
             mail_location = maildir:~/Maildir\nnamespace inbox {{\n  inbox = yes\n}}\n\
             passdb {{\n  driver = passwd-file\n  args = {own}/users\n}}\n\
             userdb {{\n  driver = static\n  args = uid={uid} gid={gid} home={own}/home/%n\n}}\n{NAMESPACE}"
        );
        fs::write(root.join("dovecot.conf"), conf).unwrap();
        Ours { root }
    }

    fn doveadm(&self, args: &[String], input: &[u8]) -> Finished {
        let mut command = Command::new(system_tests::binary());
        command
            .arg("doveadm")
            .arg("-c")
            .arg(self.root.join("dovecot.conf"))
            .args(args);
        program::run(&mut command, input)
    }
}

fn letter_path(letter: &str) -> PathBuf {
    let letters = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/imap/letters");
    letters.join(format!("{letter}.eml"))
}

/// Makes the homes what a case begins with.
fn put_mail(homes: &Path) {
    for user in ["u1", "u2"] {
        let home = homes.join(user);
        let _ = fs::remove_dir_all(&home);
        make_directory(&home);
    }
    let maildir = homes.join("u1/Maildir");
    make_directory(&maildir);
    make_directory(&maildir.join(".dst"));
    for folder in ["", ".dst"] {
        for part in ["cur", "new", "tmp"] {
            make_directory(&maildir.join(folder).join(part));
        }
    }
    for (secs, (folder, letter, flags)) in (FIRST_SECS..).zip(MAIL) {
        let file = maildir
            .join(folder)
            .join(format!("cur/{secs}.M1P1.test:2,{flags}"));
        fs::copy(letter_path(letter), &file).unwrap();
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
        fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_modified(date)
            .unwrap();
        chown(&file, Some(OWNER.0), Some(OWNER.1)).unwrap();
    }
}

fn make_directory(path: &Path) {
    fs::create_dir_all(path).unwrap();
    chown(path, Some(OWNER.0), Some(OWNER.1)).unwrap();
}
