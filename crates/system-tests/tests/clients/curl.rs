//! curl: smtp, imap and pop3 URLs, plain, with STARTTLS and with TLS from the start.

use std::fs;
use std::process::Command;

use system_tests::{Finished, Sandbox, has_program, program};

use crate::{arrived, deliver, letter};

/// curl as alice, with this URL; `tls` adds what the connection needs.
fn curl(sandbox: &Sandbox, url: &str, tls: &[&str], options: &[&str], input: &str) -> Finished {
    let mut command = Command::new("curl");
    command.args(["-q", "-sS", "--max-time", "50", "--noproxy", "*"]);
    command.args(["--user", &format!("alice:{}", sandbox.password("alice"))]);
    command.arg("--cacert").arg(sandbox.ca_file());
    command.args(tls).args(options).arg(url);
    program::run(&mut command, input.as_bytes())
}

#[test]
fn curl_sends_by_smtp() {
    if !has_program("/usr/bin/curl", "curl") {
        return;
    }
    let sandbox = Sandbox::start();
    let ports = sandbox.ports();
    for (name, scheme, port, tls) in [
        ("starttls", "smtp", ports.submission, &["--ssl-reqd"][..]),
        ("implicit", "smtps", ports.submissions, &[]),
    ] {
        let url = format!("{scheme}://localhost:{port}/client.example.org");
        let options = [
            "--mail-from",
            "sender@example.org",
            "--mail-rcpt",
            "alice@localhost",
            "-T",
            "-",
        ];
        let text = letter(name).replace('\n', "\r\n");
        curl(&sandbox, &url, tls, &options, &text).success();
        let text = arrived(&sandbox, "alice", &format!("The last line of {name}."));
        assert!(text.contains("\n.a line with a dot\n"), "{text}");
    }
}

#[test]
fn curl_reads_by_imap_and_pop3() {
    if !has_program("/usr/bin/curl", "curl") {
        return;
    }
    let sandbox = Sandbox::start();
    let ports = sandbox.ports();
    deliver(&sandbox, "alice", "for curl");
    for (scheme, port, tls) in [
        ("imap", ports.imap, &[][..]),
        ("imap", ports.imap, &["--ssl-reqd"]),
        ("imaps", ports.imaps, &[]),
    ] {
        let base = format!("{scheme}://localhost:{port}");
        let said = curl(&sandbox, &format!("{base}/INBOX;MAILINDEX=1"), tls, &[], "").success();
        let lines = "\r\n.a line with a dot\r\n\r\nThe last line of for curl.\r\n";
        assert!(said.stdout.contains(lines), "{said}");
        let url = format!("{base}/INBOX;UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)");
        let said = curl(&sandbox, &url, tls, &[], "").success();
        assert_eq!(said.stdout, "Subject: for curl\r\n\r\n");
        let said = curl(&sandbox, &base, tls, &[], "").success();
        assert!(
            said.stdout.contains("* LIST (") && said.stdout.contains("INBOX"),
            "{said}"
        );
        let said = curl(&sandbox, &format!("{base}/INBOX?SUBJECT%20curl"), tls, &[], "").success();
        assert_eq!(said.stdout, "* SEARCH 1\r\n");
    }
    let appended = letter("by append").replace('\n', "\r\n");
    let file = sandbox.scratch().join("appended");
    fs::write(&file, &appended).unwrap();
    let inbox = format!("imaps://localhost:{}/INBOX", ports.imaps);
    curl(&sandbox, &inbox, &[], &["-T", &file.to_string_lossy()], "").success();
    let stored = ["-X", "STORE 2 +FLAGS (\\Flagged)"];
    let said = curl(&sandbox, &inbox, &[], &stored, "").success();
    assert!(said.stdout.contains("\\Flagged"), "{said}");
    for (scheme, port, tls) in [
        ("pop3", ports.pop3, &[][..]),
        ("pop3", ports.pop3, &["--ssl-reqd"]),
        ("pop3s", ports.pop3s, &[]),
    ] {
        let base = format!("{scheme}://localhost:{port}");
        let said = curl(&sandbox, &base, tls, &[], "").success();
        assert_eq!(said.stdout.lines().count(), 2, "{said}");
        let said = curl(&sandbox, &format!("{base}/2"), tls, &[], "").success();
        assert_eq!(said.stdout, appended);
        let said = curl(&sandbox, &base, tls, &["-X", "TOP 1 0"], "").success();
        assert!(!said.stdout.contains("A line."), "{said}");
    }
    let url = format!("pop3s://localhost:{}/2", ports.pop3s);
    curl(&sandbox, &url, &[], &["-X", "DELE", "--list-only"], "").success();
    let said = curl(
        &sandbox,
        &format!("pop3s://localhost:{}", ports.pop3s),
        &[],
        &[],
        "",
    )
    .success();
    assert_eq!(said.stdout.lines().count(), 1, "{said}");
}
