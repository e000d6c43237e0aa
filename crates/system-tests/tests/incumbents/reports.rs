//! Reports about the same mail by Debian's Postfix and by ours: who gets one, and what it says.

use std::collections::BTreeMap;

use system_tests::incumbent::{Postfix, free_port};
use system_tests::lines::LineClient;
use system_tests::{Finished, Sandbox, wait_for, wait_for_value};

/// What both are told. Mail to other hosts waits, so that reports can be looked at.
const SETTINGS: [(&str, &str); 14] = [
    ("myhostname", "mail.example.test"),
    ("myorigin", "example.test"),
    ("mydestination", "example.test"),
    ("mynetworks", "127.0.0.0/8"),
    ("local_recipient_maps", ""),
    ("relayhost", ""),
    ("defer_transports", "smtp"),
    ("mail_name", "Postfix"),
    ("delay_warning_time", "1s"),
    ("minimal_backoff_time", "1s"),
    ("queue_run_delay", "1s"),
    ("notify_classes", "bounce, 2bounce, delay"),
    ("bounce_notice_recipient", "copy@hold.example"),
    ("delay_notice_recipient", "late@hold.example"),
];
/// The name of this parameter can be no field's.
const DOUBLE: (&str, &str) = ("2bounce_notice_recipient", "double@hold.example");
const TEMPLATES: &str = "\
failure_template = <<EOF
Charset: us-ascii
From: Postal Service <MAILER-DAEMON>
Subject: No such house
Postmaster-Subject: Copy: no such house

This is $myhostname.

We found nobody.
EOF

delay_template = <<EOF
We are late: $maximal_queue_lifetime_days $delay_warning_time_seconds $$.
EOF

success_template = <<EOF
Subject: It arrived

It arrived.
EOF

bogus_template = <<EOF
nothing
EOF
";

/// Aliases of what is done at once, so that nothing else is late; one is a list with an owner.
const ALIASES: &str = "many |true, |/bin/true\nlist |true\nowner-list boss@hold.example\ncmd |true\n";

fn send(client: &mut LineClient, from: &str, recipients: &[&str]) {
    assert!(client.smtp(&format!("MAIL FROM:{from}")).starts_with("250"));
    for recipient in recipients {
        assert!(client.smtp(&format!("RCPT TO:{recipient}")).starts_with("250"));
    }
    client.smtp("DATA");
    client.say("From: a@example.test\r\nTo: b@example.test\r\nSubject: test\r\nMessage-Id: <1@x>\r\nDate: Sat, 28 Nov 2026 10:00:00 +0000\r\n\r\nbody line");
    assert!(client.smtp(".").starts_with("250"));
}

fn fill(port: u16) {
    let mut client = LineClient::connect(port);
    client.line();
    client.smtp("EHLO client.example.test");
    send(&mut client, "<plain@hold.example>", &["<nosuch1@example.test>"]);
    send(
        &mut client,
        "<dsn@hold.example> RET=HDRS ENVID=abc+2Bd",
        &[
            "<nosuch2@example.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;orig@x.example",
            "<nosuch3@example.test> NOTIFY=NEVER",
            "<nosuch4@example.test>",
        ],
    );
    send(
        &mut client,
        "<never@hold.example>",
        &["<nosuch5@example.test> NOTIFY=NEVER"],
    );
    send(
        &mut client,
        "<full@hold.example> RET=FULL",
        &["<nosuch6@example.test> NOTIFY=FAILURE"],
    );
    send(&mut client, "<>", &["<nosuch7@example.test>"]);
    for alias in ["many", "list", "cmd"] {
        let sender = format!("<{alias}-snd@hold.example>");
        let recipient = format!("<{alias}@example.test> NOTIFY=SUCCESS ORCPT=rfc822;orig@x.example");
        send(&mut client, &sender, &[&recipient]);
    }
    send(&mut client, "<late1@hold.example>", &["<slow@slow.example>"]);
    send(
        &mut client,
        "<late2@hold.example>",
        &["<slow@slow.example> NOTIFY=FAILURE"],
    );
    client.smtp("QUIT");
}

/// Runs a command of one of the two: its name, arguments.
type Run<'a> = &'a dyn Fn(&str, &[&str]) -> Finished;

/// The reports that wait, by recipient and what they are about.
fn reports(run: Run<'_>) -> BTreeMap<String, Vec<String>> {
    let json = run("postqueue", &["-j"]).success().stdout;
    let value = |line: &str, name: &str| {
        let rest = line.split_once(&format!("\"{name}\": \"")).unwrap().1;
        rest.split_once('"').map(|(value, _)| value.to_owned()).unwrap()
    };
    let mut found = BTreeMap::new();
    for line in json.lines() {
        let sender = value(line, "sender");
        if sender != "MAILER-DAEMON" && !sender.starts_with("double-bounce@") {
            continue;
        }
        let shown = run("postcat", &["-bhq", &value(line, "queue_id")])
            .success()
            .stdout;
        let mut plain: Vec<String> = shown.lines().filter_map(plain).collect();
        let is_about = |line: &&String| line.starts_with("Final-Recipient");
        let about = plain.iter().filter(is_about).min().cloned();
        if plain.iter().filter(is_about).count() > 1 {
            // Who was tried first is not said.
            plain.sort();
        }
        let from = sender.trim_end_matches("mail.example.test");
        let name = format!(
            "{} from {from}: {}",
            value(line, "address"),
            about.unwrap_or_default()
        );
        found.insert(name, plain);
    }
    found
}

/// A line of a report without ids, dates and encodings.
fn plain(line: &str) -> Option<String> {
    let id_fields = [
        "X-Postfix-Queue-ID:",
        "Arrival-Date:",
        "Will-Retry-Until:",
        "Date:",
        "Message-Id:",
        "Received:",
        "\t",
        " boundary=",
    ];
    if let Some(field) = id_fields.iter().find(|field| line.starts_with(**field)) {
        return (!field.starts_with(['\t', ' ']) && *field != "Received:").then(|| (*field).to_owned());
    }
    // What only one of them says: our last line of words, Postfix's name for the null sender.
    let null = [
        "Return-Path: <>",
        "Return-Path: <MAILER-DAEMON@mail",
        "X-Postfix-Sender: rfc822; MAILER-DAEMON@mail",
    ];
    if line.starts_with("(message ") || null.iter().any(|start| line.starts_with(start)) {
        return None;
    }
    // 8bit here, 7bit there; where there are no others, both mean the same.
    if line.starts_with("Content-Transfer-Encoding:") || line.is_empty() {
        return None;
    }
    if line.starts_with("--") {
        return Some("--boundary".to_owned());
    }
    let line = line.split("; charset=").next().unwrap_or_default();
    Some(line.trim_end_matches(';').to_owned())
}

#[test]
fn reports_are_those_of_postfix() {
    let root = tempfile::tempdir().unwrap();
    let templates = root.path().join("bounce.cf");
    std::fs::write(&templates, TEMPLATES).unwrap();
    let templates = templates.to_string_lossy().into_owned();
    std::fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut settings = SETTINGS.to_vec();
    let aliases = root.path().join("aliases");
    std::fs::write(&aliases, ALIASES).unwrap();
    let aliases = format!("texthash:{}", aliases.display());
    settings.extend([
        DOUBLE,
        ("bounce_template_file", &templates),
        ("alias_maps", &aliases),
    ]);
    let main_cf: String = settings
        .iter()
        .map(|(name, value)| format!("{name} = {value}\n"))
        .collect();
    let port = free_port();
    let Some(postfix) = Postfix::start(&main_cf, &[(port, Vec::new())]) else {
        return;
    };
    let mut sandbox = Sandbox::start();
    sandbox.stop();
    for (name, value) in &settings {
        sandbox.edit_main_cf(name, value);
    }
    sandbox.launch();
    fill(port);
    fill(sandbox.ports().smtp);
    let wanted = wait_for_value("Postfix's reports", || {
        let found = reports(&|name, arguments| postfix.command(name, arguments, ""));
        (found.len() == 13).then_some(found)
    });
    let mut found = BTreeMap::new();
    let ours: Run<'_> = &|name, arguments| sandbox.run(name, arguments, "");
    wait_for("our reports", || {
        found = reports(ours);
        found.len() >= wanted.len()
    });
    let names = |reports: &BTreeMap<String, Vec<String>>| reports.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&wanted), "ours is left, Postfix's right");
    for (name, lines) in &wanted {
        assert_eq!(found[name], *lines, "{name}: ours is left, Postfix's right");
    }
    let shown = ours("postconf", &["-b"]);
    assert!(
        shown
            .stdout
            .contains("expanded_delay_text = <<EOF\nWe are late: 5 1 $.\nEOF\n"),
        "{}",
        shown.stdout
    );
    assert!(
        shown
            .stderr
            .contains("unknown template name: bogus_template -- ignoring this template"),
        "{}",
        shown.stderr
    );
}
