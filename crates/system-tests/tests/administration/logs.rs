//! Debian's `pflogsumm` reads the log of the real binary and counts what happened.

use std::process::Command;

use system_tests::lines::LineClient;
use system_tests::rules::split_rule;
use system_tests::{Sandbox, has_program, program, wait_for};

#[test]
fn pflogsumm_counts_what_happened() {
    if !has_program("/usr/sbin/pflogsumm", "pflogsumm") {
        return;
    }
    let mut sandbox = Sandbox::start();
    sandbox.edit_main_cf("relayhost", "[127.0.0.1]:1");
    sandbox.reload();
    let mut smtp = LineClient::connect(sandbox.ports().smtp);
    smtp.smtp("");
    smtp.smtp("HELO client.example.org");
    // Two are delivered, one is put off; then one is refused, one bounces, and its report is delivered. (Reports do not
    // count as received: no client and no user hands them in.)
    for recipient in ["alice@localhost", "bob@localhost", "alice@elsewhere.example"] {
        smtp.smtp("MAIL FROM:<bob@localhost>");
        assert_eq!(smtp.smtp(&format!("RCPT TO:<{recipient}>")), "250 2.1.5 Ok");
        smtp.smtp("DATA");
        assert!(smtp.smtp("Subject: test\r\n\r\nA line.\r\n.").starts_with("250 "));
    }
    smtp.smtp("MAIL FROM:<bob@localhost>");
    assert!(
        smtp.smtp("RCPT TO:<nobody-here@localhost>")
            .starts_with("550 5.1.1 ")
    );
    smtp.smtp("QUIT");
    sandbox
        .run(
            "sendmail",
            &["-f", "bob@localhost", "nobody-here@localhost"],
            "Subject: test\n\nA line.\n",
        )
        .success();
    let count = |text: &str| sandbox.log().matches(text).count();
    wait_for("three deliveries, a bounce and a deferral", || {
        count("status=sent") == 3 && count("status=bounced") == 1 && count("status=deferred") == 1
    });
    sandbox.stop();
    let mut command = Command::new("/usr/sbin/pflogsumm");
    command.arg(sandbox.directory().join("log/mail.log"));
    let report = program::run(&mut command, b"").success().stdout;
    for wanted in [
        "      4   received",
        "      3   delivered",
        "      1   deferred  (1  deferrals)",
        "      1   bounced",
        "      1   rejected (25%)",
        "      1   senders",
    ] {
        assert!(
            report.lines().any(|line| line.trim_end() == wanted),
            "{wanted}\n{report}"
        );
    }
    assert!(
        report.contains("User unknown in local recipient table"),
        "{report}"
    );
    assert!(report.contains("Connection refused"), "{report}");
}

/// The log of `scenarios/refusals.log` with the field that names rules, and without it, in a directory.
fn refusals() -> (tempfile::TempDir, [std::path::PathBuf; 2]) {
    let with = include_str!("../../scenarios/refusals.log");
    let without: String = with
        .lines()
        .map(|line| format!("{}\n", split_rule(line).0))
        .collect();
    assert!(without.len() < with.len());
    let directory = tempfile::tempdir().unwrap();
    let files = ["with.log", "without.log"].map(|name| directory.path().join(name));
    for (file, text) in files.iter().zip([with, &without]) {
        std::fs::write(file, text).unwrap();
    }
    (directory, files)
}

#[test]
fn pflogsumm_counts_lines_that_name_rules() {
    if !has_program("/usr/sbin/pflogsumm", "pflogsumm") {
        return;
    }
    let (_directory, files) = refusals();
    let [with, without] = files.map(|file| {
        let report = program::run(Command::new("/usr/sbin/pflogsumm").arg(file), b"")
            .success()
            .stdout;
        report
            .split("message deferral detail")
            .next()
            .unwrap_or_default()
            .to_owned()
    });
    assert!(with.contains("     11   rejected "), "{with}");
    assert_eq!(with, without);
}

#[test]
fn fail2ban_finds_who_was_refused_in_lines_that_name_rules() {
    if !has_program("/usr/bin/fail2ban-regex", "fail2ban") {
        return;
    }
    let (_directory, files) = refusals();
    for (mode, matched) in [("more", 8), ("aggressive", 8), ("rbl", 1), ("errors", 1)] {
        for file in &files {
            let filter = format!("/etc/fail2ban/filter.d/postfix.conf[mode={mode}]");
            let mut command = Command::new("/usr/bin/fail2ban-regex");
            command.arg(file).arg(filter);
            let said = program::run(&mut command, b"").success().stdout;
            assert!(
                said.contains(&format!(", {matched} matched, ")),
                "{mode} {}\n{said}",
                file.display()
            );
        }
    }
}
