//! Making the host: the mounts, /etc, the users, and the programs that scenarios run.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::account::{Account, accounts};
use super::scenario::{Owner, Piece, Scenario};
use crate::program;

/// What of the machine's /etc programs need.
const KEPT: &[&str] = &[
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "alternatives",
    "services",
    "protocols",
    "login.defs",
    "ssl",
    "localtime",
    "debian_version",
    "os-release",
    "postfix",
    "pam.d",
    "pam.conf",
    "security",
];
/// Directories that are empty in the host, with their modes.
const EMPTIED: &[(&str, u32)] = &[
    ("/home", 0o755),
    ("/srv", 0o755),
    ("/root", 0o700),
    ("/var/mail", 0o2775),
    ("/var/spool", 0o755),
    ("/var/log", 0o755),
    ("/var/lib", 0o755),
];
/// Where the program under test lies in the host.
const PROGRAM: &str = "/run/yubin-test/yubin";
/// Uids of people of the machine, who are not in the host, start here; `nobody` is above them.
const FIRST_PERSON: u32 = 1000;
const NOBODY: u32 = 65_534;
/// Debian's group `mail`.
const MAIL_GROUP: u32 = 8;
/// The user of the mail system, where the machine has none.
const MAIL_OWNER: (&str, u32) = ("yubin", 990);

/// Tells all about how it was called: `dump FILE ARGUMENTS…`.
const DUMP: &str = r#"#!/bin/sh
file=$1; shift
{
  echo "== called with $# arguments"
  for argument; do echo "[$argument]"; done
  echo "-- as $(id)"
  echo "-- in $(pwd)"
  env -u _ -u SHLVL -u OLDPWD -u PWD | LC_ALL=C sort
  echo "-- reads"
  sed -n '1,/^$/p' | grep -iE '^(From |Return-Path|X-Original-To|Delivered-To|Subject)'
} >>"$file"
"#;

/// The host that this process is alone in.
pub struct Host {
    program: PathBuf,
    /// /etc/group, which scenarios may change.
    groups: String,
}

impl Host {
    /// Makes the host out of the namespaces that this process has been put into.
    ///
    /// # Panics
    /// When something cannot be made; outside of namespaces of its own.
    pub fn make() -> Host {
        assert!(
            std::process::id() == 1,
            "this would change the machine: the process is not alone in a namespace"
        );
        let own = std::env::var_os("YUBIN_BINARY").expect("the first test names the program");
        let staging = tempfile::tempdir().expect("a temporary directory can be made");
        let [etc, run] = ["etc", "run"].map(|name| staging.path().join(name));
        for directory in [&etc, &run] {
            fs::create_dir(directory).expect("it can be made");
            mount(&[
                "-t",
                "tmpfs",
                "-o",
                "mode=0755",
                "tmpfs",
                &directory.to_string_lossy(),
            ]);
        }
        keep(&etc);
        // Before anything that the program may lie below is emptied.
        fs::create_dir(run.join("yubin-test")).expect("it can be made");
        let program = run.join("yubin-test/yubin");
        fs::write(&program, "").expect("it can be made");
        mount(&["--bind", &own.to_string_lossy(), &program.to_string_lossy()]);
        for (directory, mode) in EMPTIED {
            let options = format!("mode={mode:o}");
            mount(&["-t", "tmpfs", "-o", &options, "tmpfs", directory]);
        }
        mount(&["--move", &etc.to_string_lossy(), "/etc"]);
        mount(&["--move", &run.to_string_lossy(), "/run"]);
        settle();
        let host = Host {
            program: PathBuf::from(PROGRAM),
            groups: fs::read_to_string("/etc/group").expect("it was written"),
        };
        host.renew();
        host
    }

    /// The program under test.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Homes, mailboxes and what commands wrote as on the first day.
    ///
    /// # Panics
    /// When they cannot be made.
    pub fn renew(&self) {
        for directory in ["/home", "/var/mail", "/srv", "/root"] {
            empty(Path::new(directory));
        }
        // A scenario may have closed it. The bit for the group is Debian's, and gives new files the group mail.
        chown("/var/mail", Some(0), Some(MAIL_GROUP)).expect("root may");
        allow(Path::new("/var/mail"), 0o2775);
        for account in accounts()
            .iter()
            .filter(|account| account.home != "/home/missing")
        {
            make_directory(Path::new(account.home), account, 0o700);
        }
        for (directory, mode) in [("/srv/bin", 0o755), ("/srv/out", 0o1777)] {
            fs::create_dir(directory).expect("it can be made");
            allow(Path::new(directory), mode);
        }
        fs::write("/srv/bin/dump", DUMP).expect("it can be written");
        allow(Path::new("/srv/bin/dump"), 0o755);
    }

    /// What a scenario finds before its mails come.
    ///
    /// # Panics
    /// When it cannot be made.
    #[track_caller]
    pub fn furnish(&self, scenario: &Scenario) {
        self.renew();
        fs::write("/etc/aliases", "").expect("it can be written");
        fs::write("/etc/group", &self.groups).expect("it can be written");
        for piece in &scenario.pieces {
            match piece {
                Piece::File(path, owner, mode, text) => {
                    fs::write(path, text).unwrap_or_else(|error| panic!("cannot write {path}: {error}"));
                    own(Path::new(path), owner);
                    allow(Path::new(path), *mode);
                }
                Piece::Directory(path, owner, mode) => {
                    fs::create_dir(path).unwrap_or_else(|error| panic!("cannot make {path}: {error}"));
                    own(Path::new(path), owner);
                    allow(Path::new(path), *mode);
                }
                Piece::Shell(line) => {
                    program::run(Command::new("/bin/sh").args(["-ec", line]), b"").success();
                }
            }
        }
    }
}

#[track_caller]
fn mount(arguments: &[&str]) {
    program::run(Command::new("/bin/mount").arg("--no-mtab").args(arguments), b"").success();
}

/// Copies what is kept of /etc and writes the rest.
fn keep(etc: &Path) {
    for name in KEPT {
        let from = Path::new("/etc").join(name);
        if from.exists() {
            program::run(Command::new("cp").arg("-a").arg(from).arg(etc), b"").success();
        }
    }
    let write = |name: &str, text: &str, mode: u32| {
        fs::write(etc.join(name), text).expect("it can be written");
        allow(&etc.join(name), mode);
    };
    let (mut passwd, mut group) = (system_rows("/etc/passwd", 2), system_rows("/etc/group", 2));
    let mut shadow = "root:*:19000:0:99999:7:::\n".to_owned();
    for account in accounts() {
        let Account { name, uid, home } = account;
        passwd.push_str(&format!("{name}:x:{uid}:{uid}:{name}:{home}:/bin/sh\n"));
        group.push_str(&format!("{name}:x:{uid}:\n"));
        shadow.push_str(&format!("{name}:*:19000:0:99999:7:::\n"));
    }
    // A second group, to see that commands get all of them.
    group.push_str("staff2:x:2200:alice\n");
    let (name, id) = MAIL_OWNER;
    if !passwd.lines().any(|row| row.starts_with("yubin:")) {
        passwd.push_str(&format!("{name}:x:{id}:{id}::/nonexistent:/usr/sbin/nologin\n"));
        group.push_str(&format!("{name}:x:{id}:\n"));
    }
    write("passwd", &passwd, 0o644);
    write("group", &group, 0o644);
    write("shadow", &shadow, 0o640);
    write(
        "nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
        0o644,
    );
    write(
        "hosts",
        "127.0.0.1 localhost\n127.0.1.1 mail.sandbox.test mail\n",
        0o644,
    );
    write("resolv.conf", "", 0o644);
    write("hostname", "mail.sandbox.test\n", 0o644);
    write("mailname", "sandbox.test\n", 0o644);
    fs::create_dir(etc.join("yubin")).expect("it can be made");
    if !etc.join("postfix").exists() {
        fs::create_dir(etc.join("postfix")).expect("it can be made");
    }
}

/// The rows of the machine's own users or groups, without those of people.
fn system_rows(file: &str, number: usize) -> String {
    let text = fs::read_to_string(file).expect("every system has it");
    let is_system = |row: &&str| {
        let id = row.split(':').nth(number).and_then(|id| id.parse::<u32>().ok());
        id.is_some_and(|id| id < FIRST_PERSON || id == NOBODY)
    };
    text.lines()
        .filter(is_system)
        .map(|row| format!("{row}\n"))
        .collect()
}

/// Loopback, the host name, and the owners of the emptied directories.
fn settle() {
    let run = |program: &str, arguments: &[&str]| {
        program::run(Command::new(program).args(arguments), b"").success();
    };
    run("/sbin/ip", &["link", "set", "lo", "up"]);
    run("hostname", &["mail.sandbox.test"]);
    for directory in ["/var/spool/postfix", "/var/lib/postfix", "/var/lib/yubin"] {
        fs::create_dir(directory).expect("it can be made");
    }
}

fn make_directory(path: &Path, account: &Account, mode: u32) {
    fs::create_dir(path).expect("it can be made");
    chown(path, Some(account.uid), Some(account.uid)).expect("root may");
    allow(path, mode);
}

#[track_caller]
fn own(path: &Path, owner: &Owner) {
    let given = chown(path, Some(owner.uid), Some(owner.gid));
    given.unwrap_or_else(|error| panic!("cannot give {} away: {error}", path.display()));
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("root may");
}

fn empty(directory: &Path) {
    let entries = fs::read_dir(directory).expect("it is there");
    for entry in entries.flatten() {
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = match is_directory {
            true => fs::remove_dir_all(entry.path()),
            false => fs::remove_file(entry.path()),
        };
        removed.expect("root may");
    }
}
