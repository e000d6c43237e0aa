//! swaks: mail in by plain SMTP, by submission with STARTTLS and log-in, and by submissions.

use std::process::Command;

use system_tests::{Finished, Sandbox, has_program, program};

use crate::{arrived, letter};

fn swaks(sandbox: &Sandbox, port: u16, subject: &str, options: &[&str]) -> Finished {
    let port = port.to_string();
    let mut command = Command::new("swaks");
    command.args([
        "--server",
        "127.0.0.1",
        "--port",
        &port,
        "--helo",
        "client.example.org",
    ]);
    command.args(["--from", "sender@example.org", "--to", "alice@localhost"]);
    command
        .args(["--data", "-"])
        .args(options)
        .env("HOME", sandbox.scratch());
    program::run(&mut command, letter(subject).as_bytes())
}

#[test]
fn swaks_sends_with_and_without_tls() {
    if !has_program("/usr/bin/swaks", "swaks") {
        return;
    }
    let sandbox = Sandbox::start();
    let ports = sandbox.ports();
    swaks(&sandbox, ports.smtp, "plain", &[]).success();
    let text = arrived(&sandbox, "alice", "The last line of plain.");
    assert!(text.contains("\n.a line with a dot\n"), "{text}");
    assert!(text.starts_with("Return-Path: <sender@example.org>\n"), "{text}");
    if !has_program("/usr/share/doc/libnet-ssleay-perl", "libnet-ssleay-perl")
        || !has_program("/usr/share/doc/libio-socket-ssl-perl", "libio-socket-ssl-perl")
    {
        return;
    }
    let (ca, password) = (sandbox.ca_file(), sandbox.password("alice").to_owned());
    let ca = ca.to_string_lossy();
    for mechanism in ["PLAIN", "LOGIN"] {
        for (port, tls) in [
            (ports.submission, "--tls"),
            (ports.submissions, "--tls-on-connect"),
        ] {
            let subject = format!("{mechanism} {tls}");
            let mut options = vec![tls, "--tls-verify", "--tls-ca-path", &ca, "--auth", mechanism];
            options.extend(["--auth-user", "alice", "--auth-password", &password]);
            let said = swaks(&sandbox, port, &subject, &options).success();
            assert!(
                said.stdout.contains("235 2.7.0 Authentication successful"),
                "{said}"
            );
            let text = arrived(&sandbox, "alice", &format!("The last line of {subject}."));
            assert!(text.contains("ESMTPSA id "), "{text}");
        }
    }
    // Without a log-in, submission is closed; and nobody relays.
    let refused = swaks(&sandbox, ports.submission, "none", &["--tls"]);
    assert!(
        refused.stdout.contains("554 5.7.1 ") && refused.code != Some(0),
        "{refused}"
    );
    let wrong = [
        "--auth",
        "PLAIN",
        "--auth-user",
        "alice",
        "--auth-password",
        "wrong",
        "--tls",
    ];
    let refused = swaks(&sandbox, ports.submission, "none", &wrong);
    assert!(refused.stdout.contains("535 5.7.8 "), "{refused}");
}
