//! fetchmail: fetches by POP3 and IMAP with TLS, hands over to a program and to SMTP, keeps or deletes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use system_tests::{Finished, Sandbox, has_program, program};

use crate::{arrived, deliver};

/// fetchmail's exit code when there was nothing to fetch.
const NOTHING_NEW: Option<i32> = Some(1);

/// Polls once: `protocol` as `poll` takes it, `user` options as a `user` clause takes them.
fn fetchmail(sandbox: &Sandbox, protocol: &str, user: &str, more: &str) -> Finished {
    let (ca, password) = (sandbox.ca_file(), sandbox.password("alice"));
    let rc = sandbox.scratch().join("fetchmailrc");
    let text = format!(
        "set no bouncemail\npoll localhost {protocol} timeout 40\n  user alice password \"{password}\" {user}\n  \
         sslcertck sslcertfile {} {more}\n",
        ca.display()
    );
    fs::write(&rc, text).unwrap();
    fs::set_permissions(&rc, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = Command::new("fetchmail");
    command
        .arg("-f")
        .arg(&rc)
        .args(["--nosyslog", "--nodetach", "-d0", "-v"]);
    command
        .env("HOME", sandbox.scratch())
        .env("FETCHMAILHOME", sandbox.scratch())
        .env("USER", "tester");
    program::run(&mut command, b"")
}

#[test]
fn fetchmail_fetches() {
    if !has_program("/usr/bin/fetchmail", "fetchmail") {
        return;
    }
    let sandbox = Sandbox::start();
    let ports = sandbox.ports();
    deliver(&sandbox, "alice", "one");
    deliver(&sandbox, "alice", "two");
    let fetched = sandbox.scratch().join("fetched");
    let mda = format!("mda \"cat >>{}\"", fetched.display());
    for (name, protocol, ssl) in [
        (
            "STLS",
            format!("service {} protocol POP3 uidl", ports.pop3),
            "sslproto tls1.2+",
        ),
        ("pop3s", format!("service {} protocol POP3", ports.pop3s), "ssl"),
        (
            "STARTTLS",
            format!("service {} protocol IMAP", ports.imap),
            "sslproto tls1.2+",
        ),
    ] {
        let said = fetchmail(&sandbox, &protocol, &format!("{ssl} fetchall keep"), &mda).success();
        let text = fs::read_to_string(&fetched).unwrap_or_else(|error| panic!("{name}: {error}: {said}"));
        assert!(
            text.contains("The last line of one.") && text.contains("The last line of two."),
            "{text}"
        );
        fs::remove_file(&fetched).unwrap();
    }
    // By UIDL nothing is fetched twice.
    let protocol = format!("service {} protocol POP3 uidl", ports.pop3);
    fetchmail(&sandbox, &protocol, "keep", &mda);
    let again = fetchmail(&sandbox, &protocol, "keep", &mda);
    assert_eq!(again.code, NOTHING_NEW, "{again}");
    // And into bob's mailbox by SMTP, off the server.
    let protocol = format!("service {} protocol IMAP", ports.imaps);
    let smtp = format!("smtphost localhost/{} smtpname bob@localhost", ports.smtp);
    fetchmail(&sandbox, &protocol, "ssl fetchall nokeep", &smtp).success();
    arrived(&sandbox, "bob", "The last line of one.");
    arrived(&sandbox, "bob", "The last line of two.");
    assert_eq!(sandbox.maildir("alice", "Maildir").len(), 0);
}
