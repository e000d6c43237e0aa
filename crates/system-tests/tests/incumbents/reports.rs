//! Reports about the same mail by Debian's Postfix and by ours: who gets one, and what it says.

use std::collections::BTreeMap;

use system_tests::incumbent::{Postfix, free_port};
use system_tests::lines::LineClient;
use system_tests::side_by_side;
use system_tests::{Finished, Sandbox, has_program, wait_for, wait_for_value};

use super::sinks::Sink;

/// What both are told. Mail to other hosts waits, so that reports can be looked at.
const SETTINGS: [(&str, &str); 15] = [
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
    (
        "virtual_alias_maps",
        "inline:{ { vtwo@example.test = cmd@example.test, list@example.test }, vone@example.test=cmd@example.test }",
    ),
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
    send_letter(client, (from, recipients), "\r\nbody line");
}

/// Sends a letter whose usual header is followed by this.
fn send_letter(client: &mut LineClient, (from, recipients): (&str, &[&str]), rest: &str) {
    assert!(client.smtp(&format!("MAIL FROM:{from}")).starts_with("250"));
    for recipient in recipients {
        assert!(client.smtp(&format!("RCPT TO:{recipient}")).starts_with("250"));
    }
    client.smtp("DATA");
    let header = "From: a@example.test\r\nTo: b@example.test\r\nSubject: test\r\nMessage-Id: <1@x>\r\nDate: Sat, 28 Nov 2026 10:00:00 +0000";
    client.say(&format!("{header}\r\n{rest}"));
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
    for alias in ["many", "list", "cmd", "vtwo", "vone"] {
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
        let shown = run("postcat", &["-bhq", &value(line, "queue_id")]);
        if shown.code != Some(0) {
            // It is tried every second, and then its file goes from queue to queue: postcat may miss it. Look again later.
            continue;
        }
        let mut plain: Vec<String> = shown.stdout.lines().filter_map(plain).collect();
        let is_about = |line: &&String| line.starts_with("Final-Recipient");
        let about = plain.iter().filter(is_about).min().cloned();
        // Of two messages to one recipient each has its own copy for the postmaster.
        let of = plain
            .iter()
            .find(|line| line.starts_with("X-Postfix-Sender"))
            .cloned();
        if plain.iter().filter(is_about).count() > 1 {
            // Who was tried first is not said.
            plain.sort();
        }
        let from = sender.trim_end_matches("mail.example.test");
        let name = format!(
            "{} from {from}: {} {}",
            value(line, "address"),
            about.unwrap_or_default(),
            of.unwrap_or_default()
        );
        found.insert(name, plain);
    }
    found
}

/// A line with what is quoted-printable in it: octets over 127.
fn in_plain_text(line: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = line.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let octet = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match octet.filter(|octet| *first == b'=' && *octet > 127) {
            Some(octet) => {
                octets.push(octet);
                rest = &after[2..];
            }
            None => {
                octets.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
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
    // These three have their row in differences.tsv: Postfix has backslashes in other characters, or the wrong type.
    let odd = ["X-Postfix-Sender:", "Original-Recipient:", "Return-Path:"];
    if let Some(field) = odd.iter().find(|field| line.starts_with(**field))
        && (line.contains('\\') || !line.is_ascii())
    {
        return Some(format!("{field} other characters"));
    }
    let line = line.split("; charset=").next().unwrap_or_default();
    let line = &in_plain_text(line);
    Some(line.trim_end_matches(';').to_owned())
}

/// Both mail systems with the same settings.
struct Both {
    postfix: Postfix,
    sandbox: Sandbox,
    port: u16,
    // The last field: the files that both read.
    _root: tempfile::TempDir,
}

impl Both {
    /// With the settings of all tests, these and these aliases; `None` without Debian's Postfix.
    fn start(more: &[(&str, &str)], aliases: &str) -> Option<Both> {
        let root = tempfile::tempdir().unwrap();
        let templates = root.path().join("bounce.cf");
        std::fs::write(&templates, TEMPLATES).unwrap();
        let templates = templates.to_string_lossy().into_owned();
        std::fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let table = root.path().join("aliases");
        std::fs::write(&table, aliases).unwrap();
        let aliases = format!("texthash:{}", table.display());
        let mut settings = SETTINGS.to_vec();
        settings.extend([
            DOUBLE,
            ("bounce_template_file", &templates),
            ("alias_maps", &aliases),
        ]);
        settings.extend(more);
        let port = free_port();
        let postfix = Postfix::start(&side_by_side::main_cf(&settings), &[(port, Vec::new())])?;
        let mut sandbox = side_by_side::stopped(&settings);
        sandbox.launch();
        Some(Both {
            postfix,
            sandbox,
            port,
            _root: root,
        })
    }

    /// Has both sent the same, and compares so many reports.
    #[allow(clippy::print_stdout, reason = "what a test prints is shown with its failure")]
    fn compare(&self, fill: impl Fn(u16), count: usize) {
        fill(self.port);
        fill(self.sandbox.ports().smtp);
        let mut last = 0;
        let wanted = wait_for_value("Postfix's reports", || {
            let found = reports(&|name, arguments| self.postfix.command(name, arguments, ""));
            if found.len() != last {
                println!("Postfix has {} of {count}: {:?}", found.len(), found.keys());
                last = found.len();
            }
            (found.len() == count).then_some(found)
        });
        let mut found = BTreeMap::new();
        let mut last = Vec::new();
        wait_for("our reports", || {
            found = reports(&|name, arguments| self.sandbox.run(name, arguments, ""));
            let missing: Vec<&String> = wanted.keys().filter(|name| !found.contains_key(*name)).collect();
            if missing != last {
                println!("still missing: {missing:?}");
                last = missing;
            }
            last.is_empty()
        });
        let names = |reports: &BTreeMap<String, Vec<String>>| reports.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(&wanted), "ours is left, Postfix's right");
        let mut different = String::new();
        for (name, lines) in wanted.iter().filter(|(name, lines)| found[*name] != **lines) {
            let (ours, theirs) = (found[name].join("\n"), lines.join("\n"));
            different.push_str(&format!(
                "---- {name}, ours:\n{ours}\n---- Postfix's:\n{theirs}\n"
            ));
        }
        assert!(different.is_empty(), "\n{different}");
    }
}

#[test]
fn reports_are_those_of_postfix() {
    let Some(both) = Both::start(&[], ALIASES) else {
        return;
    };
    both.compare(fill, 16);
    let shown = both.sandbox.run("postconf", &["-b"], "");
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

/// One alias each: to another host, to two, to nobody, to a list with an owner and nobody, to a
/// command and another host, to one that is refused.
const MORE_ALIASES: &str = "\
fwd away@hold.example
two away@hold.example, also@hold.example
gone nosuch21@example.test
list2 nosuch22@example.test
owner-list2 boss@hold.example
mixed |true, away@hold.example
told u27@error.example
";

fn fill_more(port: u16) {
    let mut client = LineClient::connect(port);
    client.line();
    client.smtp("EHLO client.example.test");
    let success = "NOTIFY=SUCCESS,FAILURE";
    let orcpt = "ORCPT=rfc822;orig@x.example";
    let utf8 = "SMTPUTF8 RET=HDRS ENVID=e+2Bd";
    // The sender, the recipient or both need SMTPUTF8.
    let utf8_recipient = "<nös11@example.test> ORCPT=utf-8;nös11@example.test";
    for (from, to) in [
        (format!("<snd-é@hold.example> {utf8}"), "<nosuch11@example.test>"),
        (format!("<ascii12@hold.example> {utf8}"), "<nös12@example.test>"),
        (format!("<snd-ü@hold.example> {utf8}"), utf8_recipient),
        (
            "<full-é@hold.example> SMTPUTF8 RET=FULL".to_owned(),
            "<nosuch13@example.test>",
        ),
        (
            "<flag@hold.example> SMTPUTF8 RET=FULL".to_owned(),
            "<nosuch14@example.test>",
        ),
        (
            "<xtext@hold.example>".to_owned(),
            "<nosuch15@example.test> ORCPT=rfc822;a+2Bb@x.example",
        ),
        (
            "<utf8or@hold.example>".to_owned(),
            "<nosuch16@example.test> ORCPT=utf-8;b\\x{F6}@x.example",
        ),
        // A report that comes back goes to the postmaster, and what comes back from there nowhere.
        ("<nosuch17@example.test>".to_owned(), "<nosuch18@example.test>"),
        (
            "<double-bounce@mail.example.test>".to_owned(),
            "<nosuch19@example.test>",
        ),
    ] {
        send(&mut client, &from, &[to]);
    }
    // To a host without DSN and SMTPUTF8, and by transports without hosts.
    for (from, to) in [
        (
            "<passed@hold.example> RET=HDRS ENVID=e24",
            "<u24@sink.example> NOTIFY=SUCCESS,FAILURE",
        ),
        ("<refused@hold.example> SMTPUTF8", "<ü25@sink.example>"),
        (
            "<dropped@hold.example>",
            "<u26@discard.example> NOTIFY=SUCCESS,FAILURE",
        ),
        (
            "<told@hold.example>",
            "<told@example.test> NOTIFY=SUCCESS,FAILURE",
        ),
    ] {
        send(&mut client, from, &[to]);
    }
    // More than bounce_size_limit, in the body and in the header.
    let body = format!("\r\n{}", "a line of thirty octets, a line\r\n".repeat(50));
    let from = "<big@hold.example> RET=FULL";
    send_letter(&mut client, (from, &["<nosuch20@example.test>"]), body.trim_end());
    let fields = format!("{}\r\nbody", "X-Field: of thirty octets or so\r\n".repeat(50));
    let from = "<bighead@hold.example> RET=FULL";
    send_letter(&mut client, (from, &["<nosuch23@example.test>"]), &fields);
    for alias in ["fwd", "two", "gone", "list2", "mixed"] {
        let sender = format!("<{alias}-snd@hold.example> RET=HDRS ENVID=abc");
        // Of an alias that only leads to failure Postfix tells the success, too; that is a row of differences.tsv.
        let notify = if alias == "gone" {
            "NOTIFY=FAILURE"
        } else {
            success
        };
        let recipient = format!("<{alias}@example.test> {notify} {orcpt}");
        send(&mut client, &sender, &[&recipient]);
    }
    client.smtp("QUIT");
}

#[test]
fn more_reports_are_those_of_postfix() {
    if !has_program("/usr/sbin/smtp-sink", "postfix") {
        return;
    }
    let sink = Sink::start(1, &["-N"]);
    let transports = format!(
        "inline:{{ {{sink.example = relay:[127.0.0.1]:{}}}, {{discard.example = discard:silently}}, {{error.example = error:5.1.2 moved \
         away}} }}",
        sink.port
    );
    let settings = [
        ("bounce_size_limit", "1000"),
        ("delay_warning_time", "0"),
        ("transport_maps", transports.as_str()),
    ];
    if let Some(both) = Both::start(&settings, MORE_ALIASES) {
        both.compare(fill_more, 35);
    }
}
