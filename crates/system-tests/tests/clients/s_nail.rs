//! s-nail: sends by submission and reads by IMAP and POP3, each with TLS and the certificate verified.

use std::process::Command;

use system_tests::{Finished, Sandbox, has_program, program};

use crate::{arrived, deliver};

fn s_nail(sandbox: &Sandbox, options: &[&str], input: &str) -> Finished {
    let mut command = Command::new("s-nail");
    command.args([
        "-:/",
        "-Sv15-compat",
        "-Sttycharset=utf-8",
        "-Shostname=client.example.org",
    ]);
    command.arg(format!("-Stls-ca-file={}", sandbox.ca_file().display()));
    command
        .args(["-Stls-ca-no-defaults", "-Stls-verify=strict"])
        .args(options);
    command.env("HOME", sandbox.scratch()).env("TERM", "dumb");
    command
        .env("MAIL", sandbox.scratch().join("no-mail"))
        .env("LC_ALL", "C.UTF-8");
    program::run(&mut command, input.as_bytes())
}

#[test]
fn s_nail_sends() {
    if !has_program("/usr/bin/s-nail", "s-nail") {
        return;
    }
    let sandbox = Sandbox::start();
    let (ports, password) = (sandbox.ports(), sandbox.password("alice"));
    for (name, scheme, port, starttls) in [
        ("starttls", "submission", ports.submission, "-Ssmtp-use-starttls"),
        (
            "implicit",
            "submissions",
            ports.submissions,
            "-Snosmtp-use-starttls",
        ),
    ] {
        let mta = format!("-Smta={scheme}://alice:{password}@localhost:{port}");
        let options = [
            "-Ssendwait",
            &mta,
            starttls,
            "-s",
            name,
            "-r",
            "sender@example.org",
            "bob@localhost",
        ];
        s_nail(&sandbox, &options, &format!("Grüße\nThe last line of {name}.\n")).success();
        let text = arrived(&sandbox, "bob", &format!("The last line of {name}."));
        assert!(text.contains(&format!("Subject: {name}\n")), "{text}");
    }
}

#[test]
fn s_nail_reads_by_imap_and_pop3() {
    if !has_program("/usr/bin/s-nail", "s-nail") {
        return;
    }
    let sandbox = Sandbox::start();
    let (ports, password) = (sandbox.ports(), sandbox.password("alice"));
    deliver(&sandbox, "alice", "one");
    deliver(&sandbox, "alice", "two");
    for (scheme, port, option) in [
        ("imap", ports.imap, "-Simap-use-starttls"),
        ("imaps", ports.imaps, "-Snoimap-use-starttls"),
        ("pop3", ports.pop3, "-Spop3-use-starttls"),
        ("pop3s", ports.pop3s, "-Snopop3-use-starttls"),
    ] {
        let folder = format!("{scheme}://alice:{password}@localhost:{port}");
        let said = s_nail(&sandbox, &["-R", option, "-f", &folder], "from *\ntype 2\nexit\n").success();
        assert!(said.stdout.contains("The last line of two."), "{scheme}: {said}");
        assert!(said.stdout.contains(".a line with a dot"), "{scheme}: {said}");
        assert!(said.stdout.contains(" one"), "{scheme}: {said}");
    }
    // Not read-only: a deletion reaches the server.
    let folder = format!("imaps://alice:{password}@localhost:{}", ports.imaps);
    s_nail(&sandbox, &["-f", &folder], "delete 1\nquit\n").success();
    assert_eq!(sandbox.maildir("alice", "Maildir").len(), 1);
}
