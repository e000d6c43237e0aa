//! Mailbox services from one dovecot.conf, served by Debian's Dovecot or by Yubin: what LMTP and the LDA leave behind.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::free_port;
use crate::lines::LineClient;
use crate::program::{self, Finished};
use crate::wait::wait_for;

/// `mail`: nobody else has files there.
const OWNER: (u32, u32) = (8, 8);

/// Whose program serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Debian's Dovecot.
    Dovecot,
    /// This one, all roles in one process.
    Yubin,
}

/// A running service for `alice@example.test` and `bob@example.test`.
pub struct Mailboxes {
    program: Program,
    root: tempfile::TempDir,
    /// Where it speaks LMTP.
    pub lmtp: u16,
    child: Option<Child>,
    conversations: Cell<usize>,
}

impl Mailboxes {
    /// Starts `program` with further lines of dovecot.conf and of the userdb (`alice`'s extra fields); `None` where Debian's
    /// packages are not there or the test is not root.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn start(program: Program, dovecot_conf: &str, fields: &str) -> Option<Mailboxes> {
        let root = super::directory("/usr/lib/dovecot/lmtp", "dovecot-lmtpd")?;
        let mut mailboxes = Mailboxes {
            program,
            root,
            lmtp: free_port(),
            child: None,
            // The first is the one that looks whether it listens.
            conversations: Cell::new(1),
        };
        let own = mailboxes.root.path().display().to_string();
        for made in ["run", "state", "home", "home/alice", "home/bob"] {
            fs::create_dir(mailboxes.path(made)).expect("it can be made");
            if made.starts_with("home") {
                chown(mailboxes.path(made), Some(OWNER.0), Some(OWNER.1)).expect("root may");
            }
        }
        let mut users = String::new();
        for user in ["alice", "bob"] {
            let (uid, gid) = OWNER;
            let more = if user == "alice" { fields } else { "" };
            users.push_str(&format!(
                "{user}@example.test:{{PLAIN}}secret:{uid}:{gid}::{own}/home/{user}::{more}\n"
            ));
        }
        fs::write(mailboxes.path("users"), users).expect("it can be written");
        let configuration = mailboxes.configuration(&own, dovecot_conf);
        fs::write(mailboxes.path("dovecot.conf"), configuration).expect("it can be written");
        mailboxes.launch();
        super::wait_until_open((Ipv4Addr::LOCALHOST, mailboxes.lmtp).into());
        wait_for("the socket in the file system", || mailboxes.socket().exists());
        Some(mailboxes)
    }

    fn configuration(&self, own: &str, more: &str) -> String {
        let (lmtp, (uid, gid)) = (self.lmtp, OWNER);
        format!(
            "base_dir = {own}/run\nstate_dir = {own}/state\nlog_path = {own}/log\nprotocols = lmtp\nssl = no\n\
             listen = 127.0.0.1\nlogin_greeting = ready.\nhostname = mx.example.test\n\
             first_valid_uid = 1\nfirst_valid_gid = 1\nmail_uid = {uid}\nmail_gid = {gid}\n\
             mail_location = maildir:~/Maildir\nnamespace inbox {{\n  inbox = yes\n}}\n\
             passdb {{\n  driver = passwd-file\n  args = {own}/users\n}}\n\
             userdb {{\n  driver = passwd-file\n  args = {own}/users\n}}\n\
             service lmtp {{\n  unix_listener lmtp {{\n    mode = 0600\n    user = mail\n  }}\n\
             \x20 inet_listener lmtp {{\n    port = {lmtp}\n  }}\n}}\n{more}"
        )
    }

    fn launch(&mut self) {
        let conf = self.path("dovecot.conf");
        if self.program == Program::Dovecot {
            let mut command = Command::new("/usr/sbin/dovecot");
            command.arg("-c").arg(conf).stdin(Stdio::null());
            let started = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
            assert!(
                started.is_ok_and(|status| status.success()),
                "Dovecot does not start"
            );
            return;
        }
        let mut command = Command::new(crate::sandbox::binary());
        command.args(["serve", "--single", "--mailboxes", "-c"]).arg(conf);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        self.child = Some(command.spawn().expect("the program starts"));
    }

    /// Sends a message with LF lines over LMTP; the replies to the recipients that were accepted and to those that were not,
    /// in order, without what differs from run to run.
    ///
    /// # Panics
    /// When the server does not answer in time.
    #[track_caller]
    pub fn send(&self, recipients: &[&str], message: &str) -> Vec<String> {
        let mut client = LineClient::connect(self.lmtp);
        client.smtp("");
        client.smtp("LHLO client.example");
        client.smtp("MAIL FROM:<sender@b.example>");
        let mut replies = Vec::new();
        let mut accepted = 0;
        for recipient in recipients {
            let reply = client.smtp(&format!("RCPT TO:<{recipient}>"));
            if reply.starts_with("250") {
                accepted += 1;
            } else {
                replies.push(reply);
            }
        }
        if accepted > 0 {
            client.smtp("DATA");
            message.lines().for_each(|line| client.say(line));
            client.say(".");
            let answers = (0..accepted).map(|_| client.line());
            replies.extend(answers.map(|line| without_session(&line)));
        }
        client.smtp("QUIT");
        self.conversations.set(self.conversations.get() + 1);
        replies
    }

    /// Runs `dovecot-lda` of the same program as root.
    pub fn lda(&self, arguments: &[&str], message: &str) -> Finished {
        let mut command = match self.program {
            Program::Dovecot => Command::new("/usr/lib/dovecot/dovecot-lda"),
            Program::Yubin => {
                let mut command = Command::new(crate::sandbox::binary());
                command.arg("dovecot-lda");
                command
            }
        };
        command.arg("-c").arg(self.path("dovecot.conf")).args(arguments);
        program::run(&mut command, message.as_bytes())
    }

    /// All messages by folder (`alice`, `alice/.Box`), without what differs from run to run; folders without mail are left
    /// out. `alice/maildirsize` is the file's text, its notes summed up.
    pub fn landed(&self) -> BTreeMap<String, Vec<String>> {
        let mut landed = BTreeMap::new();
        for user in ["alice", "bob"] {
            let maildir = self.path("home").join(user).join("Maildir");
            let Ok(entries) = fs::read_dir(&maildir) else {
                continue;
            };
            let mut folders = vec![(user.to_owned(), maildir.clone())];
            for entry in entries.map_while(Result::ok) {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with('.') && entry.path().is_dir() {
                    folders.push((format!("{user}/{name}"), entry.path()));
                }
            }
            for (name, folder) in folders {
                let mut messages: Vec<String> = ["cur", "new"]
                    .iter()
                    .filter_map(|part| fs::read_dir(folder.join(part)).ok())
                    .flat_map(|entries| entries.map_while(Result::ok))
                    .map(|entry| shown(&fs::read_to_string(entry.path()).expect("it can be read")))
                    .collect();
                messages.sort();
                if !messages.is_empty() {
                    landed.insert(name, messages);
                }
            }
            if let Ok(text) = fs::read_to_string(maildir.join("maildirsize")) {
                landed.insert(format!("{user}/maildirsize"), vec![summed(&text)]);
            }
        }
        landed
    }

    /// The log's lines about deliveries, sorted, without what differs from run to run. The end of every
    /// conversation is waited for.
    ///
    /// # Panics
    /// When the log does not tell of it in time.
    #[track_caller]
    pub fn deliveries(&self) -> Vec<String> {
        let log = || fs::read_to_string(self.path("log")).unwrap_or_default();
        let is_told = || log().matches(": Disconnect from ").count() >= self.conversations.get();
        wait_for("the log to tell of every conversation's end", is_told);
        let mut lines = self.delivery_log();
        lines.sort();
        lines
    }

    fn delivery_log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        let about = log
            .lines()
            .filter(|line| line.contains("): Info: msgid=") || line.contains(">: Info: msgid="));
        about
            .map(|line| {
                let at = line.find(": Info: ").unwrap_or(0);
                let service = line.find("lmtp(").or(line.find("lda(")).unwrap_or(0);
                let tag = line[service..at].split('<').next().unwrap_or_default();
                format!("{tag}{}", &line[at..])
            })
            .collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The mail directory of a user.
    pub fn home(&self, user: &str) -> PathBuf {
        self.path("home").join(user)
    }

    /// The socket in the file system.
    pub fn socket(&self) -> PathBuf {
        self.path("run/lmtp")
    }
}

/// `250 2.0.0 <alice@example.test> SESSION Saved` without the session.
fn without_session(reply: &str) -> String {
    match reply
        .strip_suffix(" Saved")
        .and_then(|rest| rest.rsplit_once(' '))
    {
        Some((rest, _)) => format!("{rest} SESSION Saved"),
        None => reply.to_owned(),
    }
}

/// A message without the session's name and the date in Received.
fn shown(message: &str) -> String {
    let lines = message.lines().map(|line| {
        if line.starts_with("\tid ") {
            "\tid SESSION".to_owned()
        } else if line.starts_with('\t') {
            line.split(';').next().unwrap_or_default().to_owned()
        } else {
            line.to_owned()
        }
    });
    let mut shown: Vec<String> = Vec::new();
    let mut repeated = 0;
    for line in lines {
        if shown.last() == Some(&line) {
            repeated += 1;
            continue;
        }
        shown.push(line);
    }
    if repeated > 0 {
        shown.push(format!("(and {repeated} lines that repeat the one before)"));
    }
    shown.join("\n")
}

/// The limit, and the sum of octets and messages. Session names differ in length, so octets are shown as hundreds.
fn summed(text: &str) -> String {
    let mut lines = text.lines();
    let limit = lines.next().unwrap_or_default();
    let (mut octets, mut messages) = (0_i64, 0_i64);
    for line in lines {
        let mut numbers = line
            .split_whitespace()
            .map(|word| word.parse::<i64>().unwrap_or(0));
        octets += numbers.next().unwrap_or(0);
        messages += numbers.next().unwrap_or(0);
    }
    format!(
        "{limit}: about {} hundred octets, {messages} messages",
        octets / 100
    )
}

impl Drop for Mailboxes {
    fn drop(&mut self) {
        match &mut self.child {
            Some(child) => {
                // Both fail when it has ended already.
                let _ = child.kill();
                let _ = child.wait();
            }
            None => {
                let conf: &Path = &self.path("dovecot.conf");
                program::run(
                    Command::new("/usr/bin/doveadm").arg("-c").arg(conf).arg("stop"),
                    b"",
                );
            }
        }
    }
}
