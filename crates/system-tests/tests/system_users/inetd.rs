//! Sessions under inetd as the how-to tells them: started by root, and nobody who hears the client is root.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use system_tests::lines::LineClient;
use system_tests::users::{self, Host, Kind, Scenario, Service};
use system_tests::wait_for;

use crate::roles::{DOVECOT, find};

const ALICE: u32 = 2001;
/// The host's `mail_owner`, and the group and user `mail` of every Debian.
const YUBIN: u32 = 990;
const MAIL: u32 = 8;

fn inside(task: &str) {
    if users::can_make_hosts() {
        users::run_in_host("inetd::inside_the_host", task);
    }
}

#[test]
fn a_mailbox_session_of_root_is_served_by_others() {
    inside("imap");
}

#[test]
fn mail_is_taken_from_a_client_of_inetd() {
    inside("smtp");
}

/// The second test.
#[test]
#[ignore = "run by the others in a host of its own"]
fn inside_the_host() {
    let Some(task) = users::task() else { return };
    let host = Host::make();
    let scenario = Scenario::parse("scenario inetd: one session\n")
        .unwrap()
        .remove(0);
    host.furnish(&scenario);
    match task.as_str() {
        "imap" => imap(&host),
        "smtp" => smtp(&host, &scenario),
        other => panic!("there is no task {other}"),
    }
}

/// What inetd does with a client: the socket on all three descriptors of a program that `uid` runs.
struct Accepted {
    client: LineClient,
    child: Child,
    /// The socket's name in /proc.
    socket: String,
}

fn accept(mut command: Command, uid: u32) -> Accepted {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = LineClient::connect(listener.local_addr().unwrap().port());
    let (socket, _) = listener.accept().unwrap();
    let name = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
    let give = || Stdio::from(OwnedFd::from(socket.try_clone().unwrap()));
    let child = command
        .uid(uid)
        .gid(uid)
        .stdin(give())
        .stdout(give())
        .stderr(give());
    let child = child.spawn().unwrap();
    // The command keeps copies of the descriptors that it was given.
    drop(command);
    Accepted {
        client,
        child,
        socket: name.to_string_lossy().into_owned(),
    }
}

/// Who has the socket open: process and uid, but for this one.
fn holders(socket: &str) -> BTreeMap<u32, u32> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Processes end while they are looked at.
        let Ok(files) = fs::read_dir(entry.path().join("fd")) else {
            continue;
        };
        let links = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
        let has_it = links.into_iter().any(|link| link.as_os_str() == socket);
        if let Ok(owner) = entry.metadata()
            && has_it
            && pid != std::process::id()
        {
            let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
            let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
            let uid = uid.and_then(|ids| ids.split_whitespace().next()?.parse().ok());
            found.insert(pid, uid.unwrap_or(owner.uid()));
        }
    }
    found
}

fn imap(host: &Host) {
    // Debian's Dovecot is not installed where Yubin takes its place.
    let rows = fs::read_to_string("/etc/passwd").unwrap();
    let kept = rows.lines().filter(|row| !row.starts_with("dovenull:"));
    fs::write(
        "/etc/passwd",
        kept.map(|row| format!("{row}\n")).collect::<String>(),
    )
    .unwrap();
    fs::write("/etc/yubin/dovecot.conf", DOVECOT).unwrap();
    fs::write(
        "/var/mail/alice",
        "From a Thu Jan  1 00:00:00 1970\nSubject: one\n\ntext\n\n",
    )
    .unwrap();
    std::os::unix::fs::chown("/var/mail/alice", Some(ALICE), Some(MAIL)).unwrap();
    let mut command = Command::new(host.program());
    command.arg("imap");
    let Accepted {
        mut client,
        mut child,
        socket,
    } = accept(command, 0);
    assert!(client.line().starts_with("* OK [CAPABILITY "));
    wait_for("the supervisor to leave the client to the front", || {
        holders(&socket).values().all(|uid| *uid == YUBIN)
    });
    assert_eq!(find("front", Some(YUBIN)).len(), 1);
    let last = |lines: Vec<String>| lines.last().cloned().unwrap_or_default();
    assert!(last(client.imap("a", "LOGIN alice wrong")).starts_with("a NO "));
    assert!(last(client.imap("b", "LOGIN alice pw")).starts_with("b OK "));
    let selected = client.imap("c", "SELECT INBOX");
    assert!(selected.iter().any(|line| line == "* 1 EXISTS"), "{selected:?}");
    let holders = holders(&socket);
    assert!(
        holders.values().all(|uid| *uid == ALICE || *uid == YUBIN)
            && holders.values().any(|uid| *uid == ALICE),
        "{holders:?}"
    );
    client.imap("d", "LOGOUT");
    assert_eq!(client.try_line().unwrap(), None);
    assert!(child.wait().unwrap().success());
    for role in ["front", "auth", "agent"] {
        assert!(find(role, None).is_empty(), "the session is over: {role}");
    }
}

/// `sendmail -bs` as the user that the how-to names; the system runs.
fn smtp(host: &Host, scenario: &Scenario) {
    let mut service = Service::start(Kind::Yubin, host, scenario);
    let mut command = Command::new(host.program());
    command.args(["sendmail", "-bs", "-C", "/etc/yubin"]);
    let Accepted {
        mut client,
        mut child,
        socket: _,
    } = accept(command, MAIL);
    assert!(client.line().starts_with("220 "));
    for (line, code) in [
        ("HELO test", "250"),
        ("MAIL FROM:<sender@sandbox.test>", "250"),
        ("RCPT TO:<alice@sandbox.test>", "250"),
        ("DATA", "354"),
        ("Subject: by inetd\r\n\r\nhello\r\n.", "250"),
        ("QUIT", "221"),
    ] {
        let answer = client.smtp(line);
        assert!(answer.starts_with(code), "{line}: {answer}");
    }
    assert!(child.wait().unwrap().success());
    wait_for("the mail to arrive", || {
        fs::read_to_string("/var/mail/alice").is_ok_and(|text| text.contains("Subject: by inetd"))
    });
    service.stop();
}
