//! `yubin status`: who is limited, and why; what the log says of it; anvil's figures.

use serde_json::Value;
use system_tests::lines::LineClient;
use system_tests::rules::split_rule;
use system_tests::wait_for;

const STRANGER: [u8; 4] = [127, 0, 0, 5];

/// A session with the SMTP service, greeted.
fn session(port: u16) -> LineClient {
    let mut client = LineClient::connect_from(STRANGER, port);
    let greeting = client.line();
    assert!(greeting.starts_with("220 "), "{greeting}");
    client.smtp("HELO stranger.test");
    client
}

#[test]
fn who_is_limited_is_shown_with_the_reason() {
    let mut sandbox = super::stopped_system();
    for (name, value) in [
        ("smtpd_client_event_limit_exceptions", "192.0.2.0/24"),
        ("smtpd_client_connection_count_limit", "2"),
        ("smtpd_client_message_rate_limit", "1"),
        ("smtpd_soft_error_limit", "1"),
        ("message_size_limit", "1000"),
    ] {
        sandbox.edit_main_cf(name, value);
    }
    let down = sandbox.run("status", &["limits"], "");
    assert_eq!(
        (down.code, down.stdout.as_str()),
        (Some(1), "the mail system does not run\n")
    );
    sandbox.launch();
    let nobody = sandbox.run("status", &[], "").success().stdout;
    assert!(
        nobody.starts_with("the mail system runs: PID: ") && nobody.ends_with("\nnobody is limited\n"),
        "{nobody}"
    );

    let port = sandbox.ports().smtp;
    let (mut one, mut two) = (session(port), session(port));
    let third = LineClient::connect_from(STRANGER, port).line();
    assert!(third.starts_with("421 4.7.0 "), "{third}");
    let too_big = one.smtp("MAIL FROM:<> SIZE=5000");
    assert!(too_big.starts_with("5"), "{too_big}");
    assert!(one.smtp("MAIL FROM:<>").starts_with("250 "));
    one.smtp("RSET");
    let too_much = one.smtp("MAIL FROM:<>");
    assert!(
        too_much.starts_with("450 4.7.1 Error: too much mail"),
        "{too_much}"
    );
    for _ in 0..2 {
        two.smtp("WHAT");
    }
    wait_for("the end of the third session", || {
        sandbox.log().matches(": disconnect from ").count() >= 1
    });

    let said = sandbox.run("status", &["limits", "--json"], "").success().stdout;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["running"], true);
    let client = &said["limits"]["clients"][0];
    assert_eq!(
        (&client["address"], &client["is_limited"]),
        (&"127.0.0.5".into(), &true.into()),
        "{said}"
    );
    assert_eq!(client["figures"][0]["count"], 2, "{said}");
    assert_eq!(client["figures"][0]["limit"], 2, "{said}");
    let refused: Vec<&str> = client["refused"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["parameter"].as_str())
        .collect();
    assert_eq!(
        refused,
        [
            "smtpd_client_connection_count_limit",
            "smtpd_client_message_rate_limit"
        ]
    );
    assert_eq!(client["slowed"][0]["soft_limit"], 1, "{said}");
    let text = sandbox.run("status", &["limits"], "").success().stdout;
    let line = "  connections at once: 2 of 2 (smtpd_client_connection_count_limit): one more is refused\n";
    assert!(text.contains(line), "{text}");

    let log = sandbox.log();
    let rule_of = |text: &str| {
        let line = log.lines().find(|line| line.contains(text)).unwrap_or_default();
        split_rule(line).1.map(str::to_owned)
    };
    let is_by = |text: &str, rule: &str| assert_eq!(rule_of(text).as_deref(), Some(rule), "{text}");
    is_by(
        "Connection concurrency limit exceeded: 3 from ",
        "smtpd_client_connection_count_limit: 2",
    );
    is_by(
        "Message delivery request rate limit exceeded: 2 ",
        "smtpd_client_message_rate_limit: 1",
    );
    is_by(": reject: MAIL from ", "message_size_limit");
    drop((one, two));
    sandbox.stop();
    let log = sandbox.log();
    for words in [
        "max connection rate 3/60s for (",
        "max connection count 3 for (",
        "max message rate 2/60s for (",
        "max cache size 1 at ",
    ] {
        assert!(log.contains(&format!("]: statistics: {words}")), "{words}\n{log}");
    }
}

#[test]
fn addresses_whose_logins_wait_are_shown() {
    let mut sandbox = super::stopped_system();
    sandbox.append_to("dovecot.conf", "disable_plaintext_auth = no\n");
    sandbox.launch();
    let mut client = LineClient::connect_from(STRANGER, sandbox.ports().imap);
    client.line();
    let refused = client.imap("a", "LOGIN nobody wrong");
    assert!(refused.iter().any(|line| line.starts_with("a NO")), "{refused:?}");
    let said = sandbox.run("status", &["--json", "limits"], "").success().stdout;
    let said: Value = serde_json::from_str(&said).unwrap();
    let penalty = &said["limits"]["penalties"][0];
    assert_eq!(penalty["address"], "127.0.0.5", "{said}");
    let text = sandbox.run("status", &[], "").success().stdout;
    assert!(
        text.contains(
            "\nlogins from 127.0.0.5: each waits 4 s after wrong passwords, 1 in a row; forgotten in "
        ),
        "{text}"
    );
}
