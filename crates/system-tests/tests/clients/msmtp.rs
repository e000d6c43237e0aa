//! msmtp: STARTTLS and TLS from the start, the certificate verified, with log-in.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use system_tests::{Sandbox, has_program, program};

use crate::{arrived, letter};

#[test]
fn msmtp_sends_with_tls_and_log_in() {
    if !has_program("/usr/bin/msmtp", "msmtp") {
        return;
    }
    let sandbox = Sandbox::start();
    let ports = sandbox.ports();
    let (ca, password) = (sandbox.ca_file(), sandbox.password("alice"));
    let rc = sandbox.scratch().join("msmtprc");
    let account = |name: &str, port: u16, starttls: &str, auth: &str| {
        format!(
            "account {name}\nhost localhost\nport {port}\nfrom sender@example.org\ntls on\ntls_starttls {starttls}\n\
             tls_trust_file {}\nauth {auth}\nuser alice\npassword {password}\n",
            ca.display()
        )
    };
    let text = account("starttls", ports.submission, "on", "plain")
        + &account("implicit", ports.submissions, "off", "login")
        + &format!(
            "account bare\nhost 127.0.0.1\nport {}\nfrom sender@example.org\n",
            ports.smtp
        );
    fs::write(&rc, text).unwrap();
    fs::set_permissions(&rc, fs::Permissions::from_mode(0o600)).unwrap();
    for account in ["starttls", "implicit", "bare"] {
        let mut command = Command::new("msmtp");
        command
            .arg("-C")
            .arg(&rc)
            .args(["-a", account, "alice@localhost"]);
        command.env("HOME", sandbox.scratch());
        program::run(&mut command, letter(account).as_bytes()).success();
        let text = arrived(&sandbox, "alice", &format!("The last line of {account}."));
        assert!(text.contains("\n.a line with a dot\n"), "{text}");
    }
    let mut probe = Command::new("msmtp");
    probe.arg("-C").arg(&rc).args(["-a", "starttls", "--serverinfo"]);
    probe.env("HOME", sandbox.scratch());
    let said = program::run(&mut probe, b"").success();
    for word in ["SIZE 10240000", "PIPELINING", "DSN", "STARTTLS", "PLAIN", "LOGIN"] {
        assert!(said.stdout.contains(word), "{word}: {said}");
    }
}
