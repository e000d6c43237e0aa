//! What the postmaster is told of sessions that went wrong (`notify_classes`), by Debian's Postfix and by ours.

use std::collections::BTreeMap;

use system_tests::incumbent::{Postfix, free_port};
use system_tests::lines::LineClient;
use system_tests::side_by_side;
use system_tests::{Finished, wait_for};

/// What both are told. Notices wait, so that they can be looked at; a host of its own for each class, so that the class shows.
const SETTINGS: [(&str, &str); 16] = [
    ("myhostname", "mail.example.test"),
    ("myorigin", "example.test"),
    ("mydestination", "example.test"),
    ("mynetworks", "127.0.0.0/8"),
    ("local_recipient_maps", "inline:{ zork=x }"),
    ("relayhost", ""),
    ("smtpd_peername_lookup", "no"),
    ("mail_name", "Postfix"),
    ("error_notice_recipient", "errors@hold.example"),
    ("bounce_notice_recipient", "bounces@hold.example"),
    ("message_size_limit", "15000"),
    ("smtpd_hard_error_limit", "6"),
    ("smtpd_error_sleep_time", "0"),
    ("smtpd_history_flush_threshold", "24"),
    ("smtpd_recipient_restrictions", "permit"),
    ("smtpd_relay_restrictions", "reject_unauth_destination"),
];
/// A session: the name it greets with, what is said after that. An empty line hangs up instead of QUIT.
const SESSIONS: [(&str, &[&str]); 15] = [
    (
        "well",
        &["MAIL FROM:<a@x.test>", "RCPT TO:<zork@example.test>", "RSET"],
    ),
    ("unknown", &["FOO bar", "  SPACED   out  ", "NOOP"]),
    ("gone", &["FOO", ""]),
    ("justgone", &["NOOP", ""]),
    ("errors", &["A", "B", "C", "D", "E", "F"]),
    (
        "nobody",
        &["MAIL FROM:<a@x.test>", "RCPT TO:<nosuch@example.test>"],
    ),
    ("relay", &["MAIL FROM:<a@x.test>", "RCPT TO:<u@far.test>"]),
    ("size", &["MAIL FROM:<a@x.test> SIZE=99999999"]),
    (
        "syntax",
        &[
            "MAIL FROM:bad bad",
            "RCPT TO:<a@b.test>",
            "DATA",
            "HELO",
            "BDAT x",
        ],
    ),
    (
        "long",
        &["FOO word1 word2 word3 word4 word5 word6 word7 word8 word9 word10 word11 word12 word13"],
    ),
    ("etrn", &["ETRN foo.example"]),
    ("forgiven", &["FOO", "MESSAGE"]),
    ("later", &["MESSAGE", "FOO"]),
    (
        "page",
        &[
            "FOO", "NOOP", "NOOP", "NOOP", "NOOP", "NOOP", "NOOP", "RSET", "BAR",
        ],
    ),
    (
        "turned",
        &[
            "NOOP", "NOOP", "NOOP", "NOOP", "NOOP", "NOOP", "NOOP", "RSET", "BAR",
        ],
    ),
];

fn converse(port: u16) {
    for (name, lines) in SESSIONS {
        let mut client = LineClient::connect(port);
        client.line();
        client.smtp(&format!("EHLO {name}.example"));
        for line in lines {
            match *line {
                "" => {}
                "MESSAGE" => {
                    client.smtp("MAIL FROM:<a@x.test>");
                    client.smtp("RCPT TO:<zork@example.test>");
                    client.smtp("DATA");
                    client.say("Subject: x\r\n\r\nbody");
                    assert!(client.smtp(".").starts_with("250"));
                }
                line => drop(client.smtp(line)),
            }
        }
        let is_over = matches!(lines.last(), Some(&"" | &"BDAT x" | &"F"));
        if !is_over {
            client.smtp("QUIT");
        }
    }
}

/// Replies of hosts to RCPT, and whether they are a fault.
const REPLIES: [(&str, bool); 6] = [
    ("550 5.1.1 nobody", false),
    ("500 5.5.2 what is that", true),
    ("509 x", true),
    ("510 x", false),
    ("450 4.2.1 later", false),
    ("555 5.5.4 what", true),
];

fn send_to_hosts(port: u16, hosts: &[u16]) {
    let mut client = LineClient::connect(port);
    client.line();
    client.smtp("EHLO client.example");
    for (index, _) in hosts.iter().enumerate() {
        assert!(client.smtp("MAIL FROM:<a@hold.example>").starts_with("250"));
        assert!(
            client
                .smtp(&format!("RCPT TO:<u@h{index}.example>"))
                .starts_with("250")
        );
        client.smtp("DATA");
        client.say("Subject: x\r\n\r\nbody");
        assert!(client.smtp(".").starts_with("250"));
    }
    client.smtp("QUIT");
}

/// Runs a command of one of the two: its name, arguments.
type Run<'a> = &'a dyn Fn(&str, &[&str]) -> Finished;

/// The notices that wait, by subject, recipient and the session's name.
fn notices(run: Run<'_>) -> BTreeMap<String, Vec<String>> {
    let json = run("postqueue", &["-j"]).success().stdout;
    let value = |line: &str, name: &str| {
        let rest = line.split_once(&format!("\"{name}\": \"")).unwrap().1;
        rest.split_once('"').map(|(value, _)| value.to_owned()).unwrap()
    };
    let mut found = BTreeMap::new();
    for line in json.lines() {
        if !value(line, "sender").starts_with("double-bounce@") {
            continue;
        }
        // It may be gone already when it is looked at.
        let shown = run("postcat", &["-bhq", &value(line, "queue_id")]).stdout;
        if !shown.contains("errors from") {
            continue;
        }
        let mut plain: Vec<String> = shown.lines().filter_map(plain).collect();
        // Postfix forgets the message before it says good-bye.
        if let Some(end) = plain.iter().position(|line| line == " Out: RSET") {
            plain.truncate(end);
        }
        while plain.last().is_some_and(String::is_empty) {
            plain.pop();
        }
        let said = |start: &str| plain.iter().find_map(|line| line.strip_prefix(start));
        let subject = said("Subject: ").unwrap_or_default();
        let session = said(" In:  EHLO ").unwrap_or_default();
        let mut name = format!("{subject} to {}: {session}", value(line, "address"));
        while found.contains_key(&name) {
            name.push('+');
        }
        found.insert(name, plain);
    }
    found
}

/// A line of a notice without ids, dates, and what only one of them says.
fn plain(line: &str) -> Option<String> {
    let left_out = [
        "Received:",
        "\t",
        "Date:",
        "Message-Id:",
        "MIME-Version:",
        "Content-T",
        "For other details",
        "The log of this host",
        // Each says it when it closes the connection.
        " Out: QUIT",
        " Out: 221 ",
    ];
    if left_out.iter().any(|start| line.starts_with(start)) {
        return None;
    }
    let code = line.strip_prefix(" Out: 250");
    let is_ehlo =
        |rest: &str| rest.starts_with(['-', ' ']) && !rest[1..].starts_with(|c: char| c.is_ascii_digit());
    if code.is_some_and(is_ehlo) || line.starts_with(" Out: 220 ") {
        return None;
    }
    Some(match line.split_once(" queued as ") {
        Some((start, _)) => format!("{start} queued as ID"),
        None => line.to_owned(),
    })
}

/// Both, with these settings besides, and what they tell the postmaster.
fn compare(classes: &str, expected: usize) {
    let hosts: Vec<u16> = REPLIES
        .iter()
        .map(|(reply, _)| crate::hosts::refusing(reply))
        .collect();
    let mut routes = String::from("inline:{ { hold.example = slow:[127.0.0.1]:9 }");
    for (index, port) in hosts.iter().enumerate() {
        routes.push_str(&format!(", {{ h{index}.example = smtp:[127.0.0.1]:{port} }}"));
    }
    routes.push_str(" }");
    let mut settings = SETTINGS.to_vec();
    settings.extend([
        ("notify_classes", classes),
        ("transport_maps", &*routes),
        ("default_transport", "slow:[127.0.0.1]:9"),
        ("local_transport", "slow:[127.0.0.1]:9"),
        ("defer_transports", "slow"),
        ("relay_domains", "example"),
    ]);
    let port = free_port();
    let Some(postfix) = Postfix::start(&side_by_side::main_cf(&settings), &[(port, Vec::new())]) else {
        return;
    };
    let mut sandbox = side_by_side::stopped(&settings);
    sandbox.launch();
    let ours = sandbox.ports().smtp;
    for port in [port, ours] {
        converse(port);
        send_to_hosts(port, &hosts);
    }
    let theirs: Run<'_> = &|name, arguments| postfix.command(name, arguments, "");
    let us: Run<'_> = &|name, arguments| sandbox.run(name, arguments, "");
    let (mut wanted, mut found) = (BTreeMap::new(), BTreeMap::new());
    wait_for("Postfix's notices", || {
        wanted = notices(theirs);
        wanted.len() >= expected
    });
    wait_for("our notices", || {
        found = notices(us);
        found.len() >= expected
    });
    let names = |notices: &BTreeMap<String, Vec<String>>| notices.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&wanted), "ours is left, Postfix's right");
    for (name, lines) in &wanted {
        assert_eq!(found[name], *lines, "{name}: ours is left, Postfix's right");
    }
}

#[test]
fn the_postmaster_is_told_as_by_postfix() {
    compare("bounce, policy, protocol", 15);
}

#[test]
fn the_postmaster_hears_of_a_proxy_filter_that_is_away() {
    let filter = format!("127.0.0.1:{}", free_port());
    let mut settings = SETTINGS.to_vec();
    settings.extend([
        ("smtpd_proxy_filter", &*filter),
        ("default_transport", "slow:[127.0.0.1]:9"),
        ("local_transport", "slow:[127.0.0.1]:9"),
        (
            "transport_maps",
            "inline:{ { hold.example = slow:[127.0.0.1]:9 } }",
        ),
        ("defer_transports", "slow"),
    ]);
    let port = free_port();
    let Some(postfix) = Postfix::start(&side_by_side::main_cf(&settings), &[(port, Vec::new())]) else {
        return;
    };
    let mut sandbox = side_by_side::stopped(&settings);
    sandbox.launch();
    for port in [port, sandbox.ports().smtp] {
        let mut client = LineClient::connect(port);
        client.line();
        client.smtp("EHLO away.example");
        client.smtp("MAIL FROM:<a@x.test>");
        let said = client.smtp("RCPT TO:<zork@example.test>");
        assert_eq!(said, "451 4.3.0 Error: queue file write error");
        client.smtp("QUIT");
    }
    let [mut wanted, mut found] = [BTreeMap::new(), BTreeMap::new()];
    wait_for("Postfix's notice", || {
        wanted = notices(&|name, arguments| postfix.command(name, arguments, ""));
        !wanted.is_empty()
    });
    wait_for("our notice", || {
        found = notices(&|name, arguments| sandbox.run(name, arguments, ""));
        !found.is_empty()
    });
    assert_eq!(found, wanted, "ours is left, Postfix's right");
}
