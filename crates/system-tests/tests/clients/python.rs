//! Python's smtplib, imaplib and poplib: sockets in the clear, STARTTLS/STLS, and TLS from the start. And its zlib, which
//! compresses IMAP.

use std::process::Command;

use system_tests::{Sandbox, has_program, program};

#[test]
fn python_makes_a_round_trip() {
    if !has_program("/usr/bin/python3", "python3") {
        return;
    }
    let sandbox = Sandbox::start();
    let ports = sandbox.ports();
    let mut command = Command::new("/usr/bin/python3");
    command.arg("-").arg(sandbox.ca_file());
    command.args(["alice", sandbox.password("alice")]);
    let numbers = [
        ports.smtp,
        ports.submission,
        ports.submissions,
        ports.imap,
        ports.imaps,
        ports.pop3,
        ports.pop3s,
    ];
    command.args(numbers.map(|port| port.to_string()));
    let said = program::run(&mut command, include_bytes!("round_trip.py")).success();
    assert!(said.stdout.ends_with("round trip complete\n"), "{said}");
}

#[test]
fn a_session_is_compressed() {
    if !has_program("/usr/bin/python3", "python3") {
        return;
    }
    let mut sandbox = Sandbox::start();
    sandbox.stop();
    sandbox.append_to("dovecot.conf", "protocol imap {\n  mail_plugins = imap_zlib\n}\n");
    sandbox.launch();
    let ports = sandbox.ports();
    let mut command = Command::new("/usr/bin/python3");
    command.arg("-").arg(sandbox.ca_file());
    command.args(["alice", sandbox.password("alice")]);
    command.args([ports.imap, ports.imaps].map(|port| port.to_string()));
    let said = program::run(&mut command, include_bytes!("compressed.py")).success();
    assert!(said.stdout.ends_with("compressed\n"), "{said}");
}
