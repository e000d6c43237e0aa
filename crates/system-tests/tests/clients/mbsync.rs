//! mbsync: 200 messages up and down, flags and deletions both ways, a mailbox beside the inbox.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use system_tests::{Sandbox, has_program, program};

/// How many messages are synchronised.
const MESSAGES: usize = 200;

struct Account<'a> {
    sandbox: &'a Sandbox,
    ssl: &'a str,
    port: u16,
}

impl Account<'_> {
    /// The Maildir of one computer that synchronises.
    fn maildir(&self, computer: &str) -> PathBuf {
        self.sandbox.scratch().join(computer).join("INBOX")
    }

    fn sync(&self, computer: &str) {
        let Account { sandbox, ssl, port } = self;
        let home = sandbox.scratch().join(computer);
        let (ca, password) = (sandbox.ca_file(), sandbox.password("alice"));
        let text = format!(
            "IMAPAccount a\nHost localhost\nPort {port}\nUser alice\nPass {password}\nSSLType {ssl}\n\
             CertificateFile {ca}\nSystemCertificates no\nAuthMechs PLAIN\n\nIMAPStore far\nAccount a\n\n\
             MaildirStore near\nPath {home}/\nInbox {home}/INBOX\nSubFolders Verbatim\n\n\
             Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n",
            ca = ca.display(),
            home = home.display(),
        );
        let rc = sandbox.scratch().join(format!("{computer}.mbsyncrc"));
        fs::write(&rc, text).unwrap();
        fs::set_permissions(&rc, fs::Permissions::from_mode(0o600)).unwrap();
        let mut command = Command::new("mbsync");
        command.arg("-c").arg(&rc).arg("-a").env("HOME", &home);
        let said = program::run(&mut command, b"").success();
        assert!(!said.stderr.contains("rror"), "{said}");
    }
}

fn make_maildir(path: &Path) {
    for folder in ["cur", "new", "tmp"] {
        fs::create_dir_all(path.join(folder)).unwrap();
    }
}

/// Body line "number N" of each message, with the flags in its file name. What mbsync adds is not looked at.
fn content(maildir: &Path) -> BTreeMap<String, (String, String)> {
    let mut found = BTreeMap::new();
    for folder in ["cur", "new"] {
        for entry in fs::read_dir(maildir.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).replace("\r\n", "\n");
            let text: String = text
                .lines()
                .filter(|line| !line.starts_with("X-TUID: "))
                .fold(String::new(), |whole, line| whole + line + "\n");
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let flags = name.rsplit_once(":2,").map_or("", |(_, flags)| flags).to_owned();
            let id = text
                .lines()
                .find_map(|line| line.strip_prefix("Message-Id: "))
                .unwrap()
                .to_owned();
            assert!(
                found.insert(id.clone(), (text, flags)).is_none(),
                "{id} twice in {}",
                maildir.display()
            );
        }
    }
    found
}

fn file_of(maildir: &Path, number: usize) -> PathBuf {
    let wanted = format!("Message-Id: <{number}@example.org>");
    let folders = ["cur", "new"].map(|folder| fs::read_dir(maildir.join(folder)).unwrap());
    let mut paths = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    paths
        .find(|path| {
            fs::read_to_string(path)
                .unwrap()
                .lines()
                .any(|line| line.trim_end() == wanted)
        })
        .expect("the message is there")
}

fn set_flags(maildir: &Path, number: usize, flags: &str) {
    let path = file_of(maildir, number);
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let stem = name.split(":2,").next().unwrap();
    fs::rename(&path, maildir.join("cur").join(format!("{stem}:2,{flags}"))).unwrap();
}

#[test]
fn mbsync_synchronises_two_computers() {
    if !has_program("/usr/bin/mbsync", "isync") {
        return;
    }
    let sandbox = Sandbox::start();
    let account = |ssl, port| Account {
        sandbox: &sandbox,
        ssl,
        port,
    };
    let ports = sandbox.ports();
    let (laptop, desktop) = (account("STARTTLS", ports.imap), account("IMAPS", ports.imaps));
    let (near, other) = (laptop.maildir("laptop"), desktop.maildir("desktop"));
    make_maildir(&near);
    make_maildir(&other);
    for number in 0..MESSAGES {
        let flags = if number % 3 == 0 { "S" } else { "" };
        let body = "A line of text that is repeated.\n".repeat(number % 50 + 1);
        let text = format!(
            "From: a@example.org\nSubject: number {number}\nMessage-Id: <{number}@example.org>\n\nnumber {number}\n{body}"
        );
        fs::write(near.join(format!("cur/{number}.test:2,{flags}")), text).unwrap();
    }
    // Up from one computer, down to the other: the same messages with the same flags.
    laptop.sync("laptop");
    assert_eq!(sandbox.maildir("alice", "Maildir").len(), MESSAGES);
    desktop.sync("desktop");
    let before = content(&near);
    assert_eq!(before.len(), MESSAGES);
    assert_eq!(content(&other), before);
    // Flags, deletions and a new mailbox travel back.
    for number in 0..20 {
        set_flags(&other, number, "FRS");
    }
    for number in 20..40 {
        set_flags(&other, number, "ST");
    }
    set_flags(&near, 100, "DS");
    let drafts = other.with_file_name("Drafts");
    make_maildir(&drafts);
    fs::copy(file_of(&other, 50), drafts.join("new/copy.test")).unwrap();
    desktop.sync("desktop");
    laptop.sync("laptop");
    desktop.sync("desktop");
    let after = content(&near);
    assert_eq!(after.len(), MESSAGES - 20);
    assert_eq!(content(&other), after);
    assert_eq!(after["<7@example.org>"].1, "FRS");
    assert_eq!(after["<100@example.org>"].1, "DS");
    assert_eq!(after["<101@example.org>"].1, before["<101@example.org>"].1);
    assert_eq!(content(&near.with_file_name("Drafts")).len(), 1);
    assert_eq!(sandbox.maildir("alice", "Maildir").len(), MESSAGES - 20);
}
