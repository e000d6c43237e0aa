//! The two mail systems in the host: Debian's Postfix and Yubin, started from the same main.cf and master.cf.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::host::Host;
use super::landing::WHOLE;
use super::scenario::{Mail, Scenario, Way};
use crate::lines::LineClient;
use crate::program::{self, Finished};
use crate::wait::wait_for_value;

/// The log of both.
const LOG: &str = "/var/log/mail.log";
/// The queue of both, so that commands start in the same directory.
const SPOOL: &str = "/var/spool/postfix";
/// How long a queue may be busy with a scenario.
const REST: Duration = Duration::from_secs(40);
/// What cleanup says of a message that it does not take in, which may be one of the maildrop.
const NOT_ACCEPTED: &str = "-- message not accepted, try again later";
/// How often the queue is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The rows of master.cf.
const MASTER_CF: &str = "\
smtp      inet  n - n -     - smtpd
pickup    unix  n - n 60    1 pickup
cleanup   unix  n - n -     0 cleanup
qmgr      unix  n - n 300   1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n -     - trivial-rewrite
bounce    unix  - - n -     0 bounce
defer     unix  - - n -     0 bounce
trace     unix  - - n -     0 bounce
verify    unix  - - n -     1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -     - proxymap
proxywrite unix - - n -     1 proxymap
smtp      unix  - - n -     - smtp
relay     unix  - - n -     - smtp
showq     unix  n - n -     - showq
error     unix  - - n -     - error
retry     unix  - - n -     - error
discard   unix  - - n -     - discard
local     unix  - n n -     - local
virtual   unix  - n n -     - virtual
lmtp      unix  - - n -     - lmtp
anvil     unix  - - n -     1 anvil
scache    unix  - - n -     1 scache
postlog   unix-dgram n - n - 1 postlogd
";
/// Those rows, with the scenario's own in their places and behind them.
fn master_cf(scenario: &Scenario) -> String {
    let name = |row: &str| {
        let mut words = row.split_whitespace().map(str::to_owned);
        (words.next(), words.next())
    };
    let is_usual = |row: &&str| scenario.rows.iter().all(|own| name(own) != name(row));
    let usual = MASTER_CF.lines().filter(is_usual);
    let rows = usual.chain(scenario.rows.iter().map(String::as_str));
    rows.map(|row| format!("{row}\n")).collect()
}

/// The lines of main.cf under every scenario's own.
const MAIN_CF: &str = "\
compatibility_level = 3.6
maillog_file = /var/log/mail.log
myhostname = mail.sandbox.test
mydomain = sandbox.test
myorigin = sandbox.test
mydestination = sandbox.test, mail.sandbox.test, localhost
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
mailbox_size_limit = 0
recipient_delimiter = +
biff = no
";

/// Which mail system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Debian's.
    Postfix,
    /// The program under test.
    Yubin,
}

impl Kind {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Postfix => "Postfix",
            Kind::Yubin => "Yubin",
        }
    }

    fn directory(self) -> &'static Path {
        Path::new(match self {
            Kind::Postfix => "/etc/postfix",
            Kind::Yubin => "/etc/yubin",
        })
    }
}

/// A mail system that runs in the host.
pub struct Service {
    kind: Kind,
    program: PathBuf,
    child: Child,
}

impl Service {
    /// Starts it with an empty queue, the settings of the scenario and its alias databases.
    ///
    /// # Panics
    /// When it does not start, with what it said.
    #[track_caller]
    pub fn start(kind: Kind, host: &Host, scenario: &Scenario) -> Service {
        let directory = kind.directory();
        let mut main_cf = MAIN_CF.to_owned();
        match kind {
            Kind::Postfix => main_cf.push_str("data_directory = /var/lib/postfix\n"),
            Kind::Yubin => {
                main_cf.push_str("queue_directory = /var/spool/postfix\ndata_directory = /var/lib/yubin\n")
            }
        }
        for setting in &scenario.settings {
            let name = setting.split('=').next().unwrap_or_default().trim();
            // Postfix warns of a setting that is there twice.
            let is_other = |line: &&str| line.split('=').next().is_none_or(|other| other.trim() != name);
            main_cf = main_cf
                .lines()
                .filter(is_other)
                .map(|line| format!("{line}\n"))
                .collect();
            main_cf.push_str(&format!("{setting}\n"));
        }
        write_old(&directory.join("main.cf"), &main_cf);
        write_old(&directory.join("master.cf"), &master_cf(scenario));
        if !directory.join("dovecot.conf").exists() && kind == Kind::Yubin {
            fs::write(directory.join("dovecot.conf"), "protocols =\n").expect("it can be written");
        }
        let _ = fs::remove_file(LOG);
        empty_queue(kind, Path::new(SPOOL));
        for path in std::iter::once("/etc/aliases").chain(scenario.aliases.iter().map(String::as_str)) {
            let table = format!("hash:{path}");
            command(kind, host.program(), "postalias", &[&table]).success();
        }
        let child = launch(kind, host.program());
        let mut service = Service {
            kind,
            program: host.program().to_owned(),
            child,
        };
        service.wait_until_started();
        service
    }

    #[track_caller]
    fn wait_until_started(&mut self) {
        let ended = wait_for_value("the mail system to start", || {
            let ended = self.child.try_wait().expect("it is our own child");
            match ended {
                Some(status) => Some(Some(status)),
                None => (self.log().contains("daemon started")
                    && LineClient::try_connect(25).is_ok()
                    && self.takes_mail_of_users())
                .then_some(None),
            }
        });
        if let Some(status) = ended {
            let said = fs::read_to_string("/var/log/said").unwrap_or_default();
            panic!(
                "{} ended while starting ({status}):\n{said}\n{}",
                self.kind.name(),
                self.log()
            );
        }
    }

    /// Whether somebody answers where sendmail(1) asks: the port is there before that.
    fn takes_mail_of_users(&self) -> bool {
        let socket = Path::new(SPOOL).join("public/control");
        self.kind == Kind::Postfix || std::os::unix::net::UnixStream::connect(socket).is_ok()
    }

    /// Hands a mail in; what was not accepted, one line each.
    pub fn submit(&self, mail: &Mail, subject: &str) -> Vec<String> {
        if mail.is_after_release {
            command(self.kind, &self.program, "postsuper", &["-H", "ALL"]).success();
            command(self.kind, &self.program, "postqueue", &["-f"]).success();
            wait_for_value("what was on hold to be delivered", || {
                let listed = command(self.kind, &self.program, "postqueue", &["-j"]).stdout;
                listed.trim().is_empty().then_some(())
            });
        }
        match mail.way {
            Way::Smtp => submit_by_smtp(mail, subject),
            Way::Sendmail(uid) => {
                let mut command = bare_command(self.kind, &self.program, "sendmail");
                command
                    .args(["-i", "-f", &mail.from])
                    .args(&mail.to)
                    .uid(uid)
                    .gid(uid)
                    .current_dir("/");
                let done = program::run(&mut command, content(mail, subject).as_bytes());
                match done.code {
                    Some(0) => Vec::new(),
                    _ => vec![format!(
                        "sendmail: {} {}",
                        done.code.unwrap_or(-1),
                        done.stderr.trim()
                    )],
                }
            }
        }
    }

    /// Waits until nothing is in the queue but what has been put off or held, in the maildrop too; what is still there, when that
    /// takes too long.
    pub fn wait_for_rest(&self) -> Option<String> {
        let start = Instant::now();
        let mut before = String::new();
        loop {
            let listed = command(self.kind, &self.program, "postqueue", &["-j"]).stdout;
            let rests = ["deferred", "hold"].map(|queue| format!("\"queue_name\": \"{queue}\""));
            let log = self.log();
            let is_put_off = |line: &&str| rests.iter().any(|queue| line.contains(queue.as_str()));
            let busy: Vec<&str> = listed.lines().filter(|line| !is_put_off(line)).collect();
            // What the tables do not let in stays in the maildrop.
            let is_kept = |line: &&str| line.contains("\"queue_name\": \"maildrop\"");
            let is_at_rest = busy.iter().all(is_kept) && busy.len() <= log.matches(NOT_ACCEPTED).count();
            let now = format!("{listed}{}", log.len());
            if is_at_rest && now == before {
                return None;
            }
            if start.elapsed() > REST {
                return Some(listed);
            }
            before = now;
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }

    /// Runs one of its commands (`postqueue`, `sendmail`, …), which must end.
    ///
    /// # Panics
    /// When it cannot be started or does not end.
    #[track_caller]
    pub fn run(&self, name: &str, arguments: &[&str]) -> Finished {
        command(self.kind, &self.program, name, arguments)
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(LOG).unwrap_or_default()).into_owned()
    }

    /// What it said on its standard error, as far as known.
    pub fn said(&self) -> String {
        fs::read_to_string("/var/log/said").unwrap_or_default()
    }

    /// The process that was started.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it and waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    #[track_caller]
    pub fn stop(&mut self) {
        let pid = Pid::from_child(&self.child);
        match self.kind {
            // Its master takes a second for a friendly end, and at rest nothing is lost by the other one.
            Kind::Postfix => {
                let _ = kill_process_group(pid, Signal::KILL);
            }
            Kind::Yubin => {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        let what = format!("{} to stop", self.kind.name());
        wait_for_value(&what, || self.child.try_wait().expect("it is our own child"));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Writes a file that looks ten seconds old: Postfix reads one of this second again and again, until it is older.
fn write_old(file: &Path, text: &str) {
    fs::write(file, text).expect("it can be written");
    let written = fs::File::options().append(true).open(file);
    let dated = written.and_then(|file| file.set_modified(SystemTime::now() - Duration::from_secs(10)));
    dated.expect("it was written");
}

fn launch(kind: Kind, program: &Path) -> Child {
    let mut command = match kind {
        Kind::Postfix => {
            let mut command = Command::new("/usr/lib/postfix/sbin/master");
            command.arg("-d");
            command
        }
        Kind::Yubin => {
            let mut command = Command::new(program);
            command.args(["serve", "-c", "/etc/yubin"]);
            command
        }
    };
    let said = fs::File::create("/var/log/said").expect("it can be made");
    let again = said.try_clone().expect("it can be duplicated");
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(said)
        .stderr(again)
        .process_group(0)
        .spawn()
        .expect("it can be started")
}

fn bare_command(kind: Kind, program: &Path, name: &str) -> Command {
    let mut command = match kind {
        Kind::Postfix => Command::new(Path::new("/usr/sbin").join(name)),
        Kind::Yubin => {
            let mut command = Command::new(program);
            command.arg(name);
            command
        }
    };
    command.env("MAIL_CONFIG", kind.directory());
    command
}

fn command(kind: Kind, program: &Path, name: &str, arguments: &[&str]) -> Finished {
    program::run(bare_command(kind, program, name).args(arguments), b"")
}

/// Removes what earlier scenarios left, and makes what is missing.
fn empty_queue(kind: Kind, spool: &Path) {
    match kind {
        Kind::Yubin => {
            let _ = fs::remove_dir_all(spool);
            fs::create_dir(spool).expect("it can be made");
        }
        Kind::Postfix => {
            remove_files(spool);
            if !spool.join("active").exists() {
                program::run(Command::new("chown").args(["postfix", "/var/lib/postfix"]), b"").success();
                let mut check = Command::new("/usr/sbin/postfix");
                program::run(check.args(["-c", "/etc/postfix", "check"]), b"").success();
            }
        }
    }
}

fn remove_files(directory: &Path) {
    for entry in fs::read_dir(directory).expect("it is there").flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => remove_files(&entry.path()),
            _ => {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn content(mail: &Mail, subject: &str) -> String {
    if let Some(own) = &mail.content {
        return format!(
            "{WHOLE}\nMessage-ID: <{subject}@sandbox.test>\nDate: Sat, 28 Nov 2026 12:00:00 +0000\n{own}"
        );
    }
    let mut text = format!(
        "From: <{}>\nTo: undisclosed-recipients:;\nSubject: {subject}\nMessage-ID: <{subject}@sandbox.test>\n\
         Date: Sat, 28 Nov 2026 12:00:00 +0000\n",
        mail.from
    );
    if let Some(header) = &mail.header {
        text.push_str(&header.replace(':', ": "));
        text.push('\n');
    }
    text.push('\n');
    for _ in 0..mail.lines {
        text.push_str(&"x".repeat(69));
        text.push('\n');
    }
    text
}

fn submit_by_smtp(mail: &Mail, subject: &str) -> Vec<String> {
    let mut refused = Vec::new();
    let mut client = LineClient::connect(25);
    client.smtp("");
    client.smtp("EHLO client.sandbox.test");
    client.smtp(&format!("MAIL FROM:<{}>", mail.from));
    for recipient in &mail.to {
        let said = client.smtp(&format!("RCPT TO:<{recipient}>"));
        if !said.starts_with('2') {
            refused.push(said);
        }
    }
    if refused.len() < mail.to.len() {
        client.smtp("DATA");
        let said = client.smtp(&format!(
            "{}.",
            content(mail, subject)
                .replace("\n.", "\n..")
                .replace('\n', "\r\n")
        ));
        if !said.starts_with('2') {
            refused.push(said);
        }
    }
    client.say("QUIT");
    refused
}
