//! What senders are told: of delays, of success at hosts with and without DSN, of users that are not there.

use system_tests::wait_for;

use super::{Network, has};

const ZONE: &str = "\
dest.test MX 10 b.dest.test
b.dest.test A 127.0.0.2
plain.test MX 10 c.plain.test
c.plain.test A 127.0.0.3
late.test SERVFAIL
";

/// Waits until a report in bob's mailbox has all of these lines, and returns it.
#[track_caller]
fn wait_for_report(network: &Network, lines: &[&str]) -> String {
    let mut found = String::new();
    wait_for(&format!("a report with {lines:?}"), || {
        let reports = network.sender.maildir("bob", "Maildir");
        let mut texts = reports
            .iter()
            .map(|report| String::from_utf8_lossy(report).into_owned());
        let has_all = |text: &String| lines.iter().all(|line| text.contains(&format!("\n{line}\n")));
        found = texts.find(has_all).unwrap_or_default();
        !found.is_empty()
    });
    found
}

/// Queues a letter whose sender wants to hear of its success.
#[track_caller]
fn send_with_request(network: &Network, recipient: &str) {
    let letter = format!("Subject: {recipient}\n\nhello\n");
    let arguments = [
        "-f",
        "bob",
        "-N",
        "success,failure",
        "-V",
        "envelope-1",
        recipient,
    ];
    network.sender.run("sendmail", &arguments, &letter).success();
}

#[test]
fn senders_hear_of_success_and_of_unknown_users() {
    let network = Network::start(ZONE);
    let with_dsn = network.receiver("b.dest.test", "127.0.0.2", "dest.test");
    let mut without = network.receiver("c.plain.test", "127.0.0.3", "plain.test");
    without.edit_main_cf("smtpd_discard_ehlo_keywords", "dsn");
    without.reload();

    // The host that has the mailbox makes the report, and sends it by the sender's own exchanger.
    network.dns.set(&format!(
        "{ZONE}sender.test MX 10 a.sender.test\na.sender.test A 127.0.0.1\n"
    ));
    send_with_request(&network, "alice@dest.test");
    wait_for("the mail", || has(&with_dsn, "alice@dest.test"));
    let delivered = wait_for_report(
        &network,
        &[
            "Final-Recipient: rfc822; alice@dest.test",
            "Action: delivered",
            "Status: 2.0.0",
        ],
    );
    assert!(
        delivered.contains("\nReporting-MTA: dns; b.dest.test\n"),
        "{delivered}"
    );
    assert!(
        delivered.contains("\nOriginal-Envelope-Id: envelope-1\n"),
        "{delivered}"
    );
    assert!(
        !network
            .sender
            .log()
            .contains("sender delivery status notification")
    );

    // Here it ends: the sender's host says that it was passed on.
    send_with_request(&network, "alice@plain.test");
    wait_for("the mail", || has(&without, "alice@plain.test"));
    let relayed = wait_for_report(
        &network,
        &[
            "Final-Recipient: rfc822; alice@plain.test",
            "Action: relayed",
            "Remote-MTA: dns; c.plain.test",
        ],
    );
    assert!(
        relayed.contains("\nReporting-MTA: dns; sender.test\n"),
        "{relayed}"
    );

    for domain in ["dest.test", "plain.test"] {
        let recipient = format!("nobody@{domain}");
        send_with_request(&network, &recipient);
        network.wait_for(&recipient, "dsn=5.1.1, status=bounced (host ");
        wait_for_report(
            &network,
            &[
                &format!("Final-Recipient: rfc822; {recipient}"),
                "Action: failed",
                "Status: 5.1.1",
            ],
        );
    }
}

#[test]
fn senders_are_warned_of_delays_and_hear_when_they_are_over() {
    let mut network = Network::start(ZONE);
    let receiver = network.receiver("b.dest.test", "127.0.0.2", "dest.test, late.test");
    for (name, value) in [
        ("delay_warning_time", "1s"),
        ("confirm_delay_cleared", "yes"),
        ("minimal_backoff_time", "1s"),
        ("maximal_backoff_time", "1s"),
        ("queue_run_delay", "1s"),
    ] {
        network.sender.edit_main_cf(name, value);
    }
    network.sender.reload();
    let letter = "Subject: late\n\nhello\n";
    let arguments = ["-f", "bob", "alice@late.test", "alice@dest.test"];
    network.sender.run("sendmail", &arguments, letter).success();
    let warning = wait_for_report(
        &network,
        &[
            "Subject: Delayed Mail (still being retried)",
            "Final-Recipient: rfc822; alice@late.test",
            "Action: delayed",
        ],
    );
    assert!(warning.contains("\nWill-Retry-Until: "), "{warning}");
    assert!(!warning.contains("alice@dest.test"), "{warning}");
    network
        .dns
        .set(&ZONE.replace("late.test SERVFAIL", "late.test MX 10 b.dest.test"));
    wait_for("the mail that was late", || {
        let letters = receiver.maildir("alice", "Maildir");
        letters.len() == 2 && has(&receiver, "late")
    });
    let over = wait_for_report(
        &network,
        &["Final-Recipient: rfc822; alice@late.test", "Action: relayed"],
    );
    assert!(!over.contains("alice@dest.test"), "they had it before: {over}");
    // One warning, however often it was tried.
    let warnings = network.sender.log().matches("sender delay notification").count();
    assert_eq!(warnings, 1);
}
