//! Agents for many users: INBOXes that the users may not make themselves, and a system that has room for a few agents only.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{Resource, Rlimit, setrlimit};
use system_tests::lines::LineClient;
use system_tests::users::{self, Host, Kind, Scenario, Service};
use system_tests::{program, wait_for};

use crate::crowd;
use crate::roles::{DOVECOT, Imap, find, send};

/// Where LMTP is served.
const LMTP: u16 = 24;
/// The group `mail`, whose the spool is.
const MAIL: u32 = 8;
/// How many descriptors a process may open in a small system.
const DESCRIPTORS: u64 = 200;
/// How many agents that is room for.
const AGENTS_MAX: usize = 9;
/// How many users get a letter there.
const CROWD: u32 = 60;

#[track_caller]
fn inside(task: &str) -> Option<users::Told> {
    users::can_make_hosts().then(|| users::run_in_host("agents::inside_the_host", task))
}

#[test]
fn an_inbox_in_the_spool_is_made_for_its_user() {
    inside("spool");
}

#[test]
fn a_small_system_serves_many_users() {
    if let Some(told) = inside("small") {
        println!("{}", told["figures"]);
    }
}

/// The second test.
#[test]
#[ignore = "run by the others in a host of its own"]
fn inside_the_host() {
    let Some(task) = users::task() else { return };
    let host = Host::make();
    let scenario = Scenario::parse("scenario agents: many\nset smtpd_recipient_limit = 1000\n");
    let scenario = scenario.unwrap().remove(0);
    host.furnish(&scenario);
    let more = format!(
        "mail_privileged_group = mail\nservice lmtp {{\n  inet_listener lmtp {{\n    port = {LMTP}\n  }}\n}}\n"
    );
    let dovecot = DOVECOT
        .replace("protocols = imap", "protocols = imap lmtp")
        // Whoever ends here before that was asked to.
        .replace("default_idle_kill = 1s", "default_idle_kill = 10 mins");
    fs::write("/etc/yubin/dovecot.conf", dovecot + &more).unwrap();
    if task == "small" {
        crowd::make(CROWD);
        let few = Rlimit {
            current: Some(DESCRIPTORS),
            maximum: Some(DESCRIPTORS),
        };
        setrlimit(Resource::Nofile, few).unwrap();
    }
    let mut service = Service::start(Kind::Yubin, &host, &scenario);
    match task.as_str() {
        "spool" => spool(&host, &service),
        "small" => small(&service),
        other => panic!("there is no task {other}"),
    }
    service.stop();
}

/// Nobody has a file in /var/mail yet, and nobody but root and the group mail may make one.
fn spool(host: &Host, service: &Service) {
    assert_eq!(fs::read_dir("/var/mail").unwrap().count(), 0);
    let mut lmtp = LineClient::connect(LMTP);
    assert!(lmtp.line().starts_with("220 "));
    lmtp.ask("LHLO test", |line| line.starts_with("250 "));
    for line in ["MAIL FROM:<a@example.test>", "RCPT TO:<carol>"] {
        lmtp.ask(line, |line| line.starts_with("250 "));
    }
    lmtp.ask("DATA", |line| line.starts_with("354 "));
    let said = lmtp.ask("Subject: by-lmtp\r\n\r\nhello\r\n.", |_| true);
    assert!(said[0].starts_with("250 "), "{said:?}: {}", service.log());
    is_users("carol", 2003);

    let mut alice = Imap::log_in("alice");
    alice.append("Subject: by-append\r\n\r\nhello\r\n");
    is_users("alice", 2001);
    // What is there is locked and changed by the same means.
    alice.append("Subject: second\r\n\r\nhello\r\n");
    alice.ask("SELECT INBOX");
    alice.ask("STORE 1 +FLAGS (\\Deleted)");
    alice.ask("EXPUNGE");
    let text = fs::read_to_string("/var/mail/alice").unwrap();
    assert!(
        !text.contains("by-append") && text.contains("Subject: second"),
        "{text}"
    );
    alice.ask("LOGOUT");

    let mut command = Command::new(host.program());
    command.args(["dovecot-lda", "-c", "/etc/yubin/dovecot.conf", "-d", "bob"]);
    program::run(&mut command, b"Subject: by-lda\n\nhello\n").success();
    is_users("bob", 2002);

    let left: Vec<_> = fs::read_dir("/var/mail").unwrap().flatten().collect();
    assert_eq!(left.len(), 3, "no lock is left: {left:?}");
    let log = service.log();
    assert!(
        !log.contains("mail_privileged_group") && !log.contains("denied"),
        "{log}"
    );
}

#[track_caller]
fn is_users(name: &str, uid: u32) {
    let file = fs::metadata(Path::new("/var/mail").join(name)).unwrap();
    assert_eq!(
        (file.uid(), file.gid(), file.mode() & 0o777),
        (uid, MAIL, 0o600),
        "{name}"
    );
    assert!(file.len() > 0, "{name}");
}

/// More users than agents: mail comes to everybody, and who logs in is served, also beside sessions that last.
fn small(service: &Service) {
    let addresses: Vec<String> = (0..CROWD)
        .map(|number| format!("{}@sandbox.test", crowd::user(number)))
        .collect();
    send("crowd", &addresses).unwrap();
    let has_mail = |number: u32| {
        fs::metadata(format!("/var/mail/{}", crowd::user(number))).is_ok_and(|file| file.len() > 0)
    };
    let mut most = 0;
    wait_for("everybody's mail", || {
        most = most.max(find("agent", None).len());
        (0..CROWD).all(has_mail)
    });
    assert!((1..=AGENTS_MAX).contains(&most), "{most} agents at a time");
    let mut sessions: Vec<Imap> = (0..5).map(|number| Imap::log_in(&crowd::user(number))).collect();
    for number in 5..20 {
        let mut session = Imap::log_in(&crowd::user(number));
        let lines = session.ask("SELECT INBOX");
        assert!(lines.iter().any(|line| line == "* 1 EXISTS"), "{lines:?}");
        session.ask("LOGOUT");
        most = most.max(find("agent", None).len());
    }
    assert!(most <= AGENTS_MAX, "{most} agents at a time");
    for session in &mut sessions {
        session.ask("NOOP");
    }
    let log = service.log();
    for trouble in ["Too many open files", "cannot start", "role agent:"] {
        assert!(!log.contains(trouble), "{trouble}: {log}");
    }
    let waited = log.matches("delivery was interrupted").count();
    let figures =
        format!("{CROWD} users, at most {most} agents seen at a time, {waited} deliveries tried again");
    users::print_block("figures", &figures);
}
