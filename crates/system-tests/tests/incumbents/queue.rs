//! mailq, postqueue, postsuper, postcat and qshape on the same mail in Debian's Postfix and in ours.

use std::collections::BTreeMap;

use system_tests::incumbent::{Postfix, free_port};
use system_tests::lines::LineClient;
use system_tests::side_by_side;
use system_tests::{Finished, Sandbox, wait_for};

/// What both are told. Nothing is delivered: the transport waits.
const SETTINGS: [(&str, &str); 6] = [
    ("myhostname", "mail.example.test"),
    ("mydestination", "localhost"),
    ("mynetworks", "127.0.0.0/8"),
    ("defer_transports", "smtp"),
    ("smtputf8_enable", "yes"),
    ("relayhost", ""),
];
/// The mail: options of MAIL, sender, recipients with their options. Each sender once, so that its message can be told
/// from the others.
const MAIL: [(&str, &str, &[&str]); 7] = [
    ("", "one@s1.test", &["<bob@remote.example>"]),
    (
        "",
        "several@s22.test",
        &["<b1@remote.example>", "<b2@b.remote.example>", "<b3@other.test>"],
    ),
    ("", "", &["<bob@a.b.remote.example>"]),
    (" SMTPUTF8", "alicé@s333.test", &["<böb@remote.example>"]),
    ("", "big@s4444.test", &["<bob@remote.example>"]),
    (
        " RET=HDRS ENVID=abc+2Bd BODY=8BITMIME",
        "dsn@s55555.test",
        &[
            "<n1@remote.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;orig@x.example",
            "<n2@remote.example> NOTIFY=NEVER",
        ],
    ),
    (
        "",
        "\"odd \\\"q x\"@s66666666.test",
        &["<\"a b\"@remote.example>"],
    ),
];
/// Named attributes that both keep.
const ATTRIBUTES: [&str; 9] = [
    "encoding",
    "envelope_id",
    "ret_flags",
    "notify_flags",
    "dsn_orig_rcpt",
    "log_client_address",
    "log_helo_name",
    "log_protocol_name",
    "log_ident",
];

fn fill(port: u16) {
    let mut client = LineClient::connect(port);
    client.line();
    client.smtp("EHLO client.example.test");
    for (options, sender, recipients) in MAIL {
        assert!(
            client
                .smtp(&format!("MAIL FROM:<{sender}>{options}"))
                .starts_with("250")
        );
        for recipient in recipients {
            assert!(client.smtp(&format!("RCPT TO:{recipient}")).starts_with("250"));
        }
        client.smtp("DATA");
        client.say("From: a@example.test\r\nTo: b@example.test\r\nSubject: test\r\n\r\nbody line");
        if sender.starts_with("big") {
            (0..3000).for_each(|_| client.say(&"x".repeat(70)));
        }
        assert!(client.smtp(".").starts_with("250"));
    }
    client.smtp("QUIT");
}

/// One of the two.
enum Side {
    Postfix(Postfix),
    Ours(Box<Sandbox>),
}

impl Side {
    fn run(&self, name: &str, arguments: &[&str], input: &str) -> Finished {
        match self {
            Side::Postfix(postfix) => postfix.command(name, arguments, input),
            Side::Ours(sandbox) => sandbox.run(name, arguments, input),
        }
    }

    /// The queue ids by the senders' names before the `@`.
    fn ids(&self) -> BTreeMap<String, String> {
        let json = self.run("postqueue", &["-j"], "").success().stdout;
        let value = |line: &str, name: &str| {
            let rest = line.split_once(&format!("\"{name}\": \"")).unwrap().1;
            rest.split_once("\", \"")
                .map(|(value, _)| value.to_owned())
                .unwrap()
        };
        let lines = json.lines().filter(|line| !line.is_empty());
        lines
            .map(|line| {
                let sender = value(line, "sender");
                let name = sender.split('@').next().unwrap();
                (name.to_owned(), value(line, "queue_id"))
            })
            .collect()
    }

    /// What a command says, with names for queue ids; `{one}` in the arguments is the id of that sender's message.
    fn say(&self, name: &str, arguments: &str, input: &str) -> (String, String, Option<i32>) {
        let ids = self.ids();
        let with_ids = |text: &str| {
            let named = ids.iter();
            named.fold(text.to_owned(), |text, (name, id)| {
                text.replace(&format!("{{{name}}}"), id)
            })
        };
        let without_ids = |text: &str| {
            let named = ids.iter();
            named.fold(text.to_owned(), |text, (name, id)| {
                text.replace(id, &format!("{{{name}}}"))
            })
        };
        let arguments = with_ids(arguments);
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let done = self.run(name, &words, &with_ids(input));
        (
            without_ids(&done.stdout),
            without_ids(&done.stderr).replace("/usr/sbin/", ""),
            done.code,
        )
    }

    /// The list as it is shown, in an order of ours; each head must be laid out in columns.
    fn screen(&self) -> Vec<String> {
        let text = self.run("postqueue", &["-p"], "").success().stdout;
        let mut blocks: Vec<&str> = text.split("\n\n").collect();
        let end = blocks.pop().unwrap();
        let words: Vec<&str> = end.split(' ').collect();
        let mut shown = vec![words.get(3..).unwrap_or(&words).join(" ")];
        for (at, block) in blocks.into_iter().enumerate() {
            let mut lines: Vec<&str> = block.lines().collect();
            if at == 0 {
                shown.push(lines.remove(0).to_owned());
            }
            let head = lines.remove(0);
            let words: Vec<&str> = head.split_whitespace().take(6).collect();
            let [id, size, weekday, _, _, time] = words.as_slice() else {
                panic!("{text}")
            };
            let end = head.find(time).unwrap() + time.len();
            let (date, rest) = (&head[head.find(weekday).unwrap()..end], head[end..].trim_start());
            let flags: String = id.chars().filter(|c| !c.is_ascii_alphanumeric()).collect();
            let wanted = match id.len() {
                ..=14 => format!("{id:<11} {size:>7} {date:<20} {rest}"),
                _ => format!("{id:<17} {size:>8} {date:<19} {rest}"),
            };
            assert_eq!(head, wanted, "{text}");
            // Who was tried first is not said.
            lines[1..].sort_unstable();
            shown.push(format!("{rest} {flags}\n{}", lines.join("\n")));
        }
        shown[1..].sort();
        shown
    }
}

/// Both with these settings besides, and with what `fill` sends to a port.
fn filled(settings: &[(&str, &str)], fill: impl Fn(u16)) -> Option<[Side; 2]> {
    let settings = [&SETTINGS[..], settings].concat();
    let port = free_port();
    let postfix = Postfix::start(&side_by_side::main_cf(&settings), &[(port, Vec::new())])?;
    let mut sandbox = side_by_side::stopped(&settings);
    sandbox.launch();
    fill(port);
    fill(sandbox.ports().smtp);
    Some([Side::Postfix(postfix), Side::Ours(Box::new(sandbox))])
}

/// Both with the same mail, all of it deferred.
fn both() -> Option<[Side; 2]> {
    let sides = filled(&[], fill)?;
    for side in &sides {
        wait_for("all mail to be deferred", || {
            let json = side.run("postqueue", &["-j"], "").success().stdout;
            json.matches("deferred transport").count() == 10
        });
    }
    Some(sides)
}

#[track_caller]
fn compare<T: PartialEq + std::fmt::Debug>(
    what: &str,
    [postfix, ours]: &[Side; 2],
    look: impl Fn(&Side) -> T,
) {
    let (wanted, found) = (look(postfix), look(ours));
    assert_eq!(found, wanted, "{what}: ours is left, Postfix's right");
}

/// The queues look the same, at the latest after a moment.
#[track_caller]
fn screens_agree(what: &str, [postfix, ours]: &[Side; 2]) {
    let mut last = (Vec::new(), Vec::new());
    let agree = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_for(&format!("the same screen after {what}"), || {
            last = (ours.screen(), postfix.screen());
            last.0 == last.1
        });
    }));
    assert!(
        agree.is_ok(),
        "{what}: ours:\n{}\nPostfix's:\n{}",
        last.0.join("\n"),
        last.1.join("\n")
    );
}

#[test]
fn the_queue_is_shown_and_changed_as_by_postfix() {
    let Some(sides) = both() else { return };
    screens_agree("the start", &sides);
    compare("postqueue -j", &sides, |side| {
        let (json, ..) = side.say("postqueue", "-j", "");
        let mut lines: Vec<String> = json.lines().map(without_numbers).collect();
        lines.sort();
        lines
    });
    for arguments in [
        "deferred",
        "-s deferred",
        "-p -m 1 deferred",
        "-b 3 -t 1 -l -w 100 deferred",
        "-s -p -m 2 -b 4 deferred active",
        "-n 2 -w 40 deferred",
        "-p -m 3 incoming active deferred hold",
        "-t 30 -b 12 deferred",
        "hold",
        "nosuch",
        "nosuch deferred",
        "",
    ] {
        compare(&format!("qshape {arguments}"), &sides, |side| {
            side.say("qshape", arguments, "").0
        });
    }
    let changes = [
        ("-h {one}", ""),
        ("-h {one} -h NOSUCH1 -h no/id", ""),
        ("-h {one} -h {several} -H {one}", ""),
        ("-H - -h {one}", "{several}\n{big}\nNOPE\nb-d\n"),
        ("-e {dsn} -e {dsn}", ""),
        ("-h ALL deferred", ""),
        ("-H {MAILER-DAEMON} deferred", ""),
        ("-f NOSUCH1", ""),
        ("-h ALL -H {big} -d {big} -h {big}", ""),
        ("-d - -h -", "{one}\n"),
        ("-d ALL bogus", ""),
        ("-d", ""),
        ("-x", ""),
        ("-ps", ""),
        ("-p", ""),
        ("-s", ""),
        ("-S deferred", ""),
        ("-s bogus", ""),
        ("-d NOSUCH1 -d ABC", ""),
        ("-r - -d no/id", "NOSUCH1\n\n"),
        ("-e {dsn} -e {one} -h {one}", ""),
        ("-h {dsn} hold deferred", ""),
        ("-d {one} deferred", ""),
        ("-d {several} -d {MAILER-DAEMON} hold", ""),
        ("-r {alicé}", ""),
        ("-d ALL incoming", ""),
    ];
    for (arguments, input) in changes {
        compare(&format!("postsuper {arguments}"), &sides, |side| {
            side.say("postsuper", arguments, input)
        });
        if !arguments.starts_with("-r") && !arguments.ends_with("incoming") {
            screens_agree(arguments, &sides);
        }
    }
    for (name, arguments) in [
        ("postqueue", ""),
        ("postqueue", "-x"),
        ("postqueue", "-i b-d"),
        ("postqueue", "-p -j"),
        ("postqueue", "-p more"),
        ("postqueue", "-i NOSUCH1"),
        ("postqueue", "-s no..site"),
        ("postqueue", "-f more"),
        ("postqueue", "-f -p"),
        ("postqueue", "-i"),
        ("postcat", "-q ALL"),
        ("postcat", "-e -h -b -q NOSUCH1"),
        ("postcat", "-s x -q NOSUCH1"),
        ("postcat", "-q NOSUCH1"),
        ("postcat", "-q no/id"),
        ("postcat", "-x"),
        ("postcat", "-q"),
        ("postcat", "/nonexistent/file"),
    ] {
        compare(&format!("{name} {arguments}"), &sides, |side| {
            side.say(name, arguments, "")
        });
    }
    for side in &sides {
        side.say("postsuper", "-d ALL", "");
    }
    screens_agree("the end", &sides);
}

/// A JSON object without the digits of its time and its size, its recipients in an order of ours.
fn without_numbers(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line;
    for name in ["\"arrival_time\": ", "\"message_size\": "] {
        let (before, behind) = rest.split_once(name).unwrap_or_else(|| panic!("{line}"));
        kept.push_str(before);
        kept.push_str(name);
        rest = behind.trim_start_matches(|c: char| c.is_ascii_digit());
        assert!(rest.starts_with(", ") && rest.len() < behind.len(), "{line}");
    }
    // Who was tried first is not said.
    let (before, recipients) = rest.split_once("[").unwrap_or_else(|| panic!("{line}"));
    let mut recipients: Vec<&str> = recipients.trim_end_matches("]}").split("}, {").collect();
    recipients
        .iter_mut()
        .for_each(|text| *text = text.trim_matches(['{', '}']));
    recipients.sort_unstable();
    format!("{kept}{before}{recipients:?}")
}

/// A line of postcat without what differs: attributes that only one side keeps, dates, sizes and offsets.
fn plain(line: &str) -> Option<String> {
    let is_counter = |c: char| c.is_ascii_digit() || c == ' ';
    let (prefix, rest) = line.split_at(line.len() - line.trim_start_matches(is_counter).len());
    let shape: String = prefix.split_whitespace().map(|_| "# ").collect();
    if let Some(attribute) = rest.strip_prefix("named_attribute: ")
        && !ATTRIBUTES.contains(&attribute.split('=').next()?)
    {
        return None;
    }
    for name in [
        "message_size:",
        "message_arrival_time:",
        "create_time:",
        "named_attribute: log_ident",
    ] {
        if rest.starts_with(name) {
            return Some(format!("{shape}{name}"));
        }
    }
    // The lines of Received are indented, its last one begins with the date.
    for dated in ["Received:", "\tby ", "\tfor ", "\t", "Message-Id:", "Date:"] {
        if rest.starts_with(dated) {
            return Some(format!("{shape}{dated}"));
        }
    }
    if let Some(deferred) = rest.find("deferred/") {
        let (before, file) = rest.split_at(deferred + "deferred/".len());
        let file = file.split_once('/').map(|(_, file)| file)?;
        return Some(format!("{shape}{before}{file}"));
    }
    Some(format!("{shape}{rest}"))
}

#[test]
fn a_message_is_shown_as_by_postfix() {
    let Some(sides) = both() else { return };
    for arguments in [
        "-q {dsn}",
        "-q {one}",
        "-q {alicé}",
        "-hq {dsn}",
        "-bq {dsn}",
        "-eq {dsn}",
        "-bhq {dsn}",
        "-beq {dsn}",
        "-ehq {dsn}",
        "-dq {dsn}",
        "-rq {dsn}",
        "-e -h -b -q {one}",
        "-hbe -r -q {big}",
        "-q {one} {several}",
    ] {
        compare(&format!("postcat {arguments}"), &sides, |side| {
            let (shown, said, code) = side.say("postcat", arguments, "");
            assert!(said.is_empty(), "{said}");
            let lines: Vec<String> = shown.lines().filter_map(plain).collect();
            (lines, code)
        });
    }
}

/// Recipients: one whose host says nothing, one whose host says much.
fn fill_active(port: u16) {
    let mut client = LineClient::connect(port);
    client.line();
    client.smtp("EHLO client.example.test");
    let mail: [(&str, &[&str]); 4] = [
        ("now@s1.test", &["u@silent.example", "v@silent.example"]),
        ("wordy@s1.test", &["w@wordy.example"]),
        ("held@s1.test", &["x@remote.example"]),
        ("expired@s1.test", &["y@remote.example", "z@remote.example"]),
    ];
    for (sender, recipients) in mail {
        assert!(client.smtp(&format!("MAIL FROM:<{sender}>")).starts_with("250"));
        for recipient in recipients {
            assert!(client.smtp(&format!("RCPT TO:<{recipient}>")).starts_with("250"));
        }
        client.smtp("DATA");
        client.say("Subject: test\r\n\r\nbody line");
        assert!(client.smtp(".").starts_with("250"));
    }
    client.smtp("QUIT");
}

/// More than fits on a line, with characters that no screen should see.
const WORDY: &str = "450-4.2.1 The mailbox that you are trying to reach is full of words that nobody will ever read, and\r\n\
     450-4.2.1 \u{7}its \"owner\" is \\ on holiday in Köln until the end of the month; please be so kind\r\n\
     450 4.2.1 as to try again later";

#[test]
fn long_ids_active_mail_and_long_reasons_are_shown_as_by_postfix() {
    let (silent, wordy) = (crate::hosts::silent(), crate::hosts::refusing(WORDY));
    let routes = format!(
        "inline:{{ {{ silent.example = relay:[127.0.0.1]:{silent} }}, {{ wordy.example = relay:[127.0.0.1]:{wordy} }} }}"
    );
    let settings = [("enable_long_queue_ids", "yes"), ("transport_maps", &*routes)];
    let Some(sides) = filled(&settings, fill_active) else {
        return;
    };
    for side in &sides {
        wait_for("all mail to be tried", || {
            let json = side.run("postqueue", &["-j"], "").success().stdout;
            json.matches("delay_reason").count() == 4 && json.contains("\"active\"")
        });
    }
    // Both hosts have the same port for both sides: what they said is the same.
    screens_agree("the start", &sides);
    for (arguments, input) in [
        ("-h {held} -h {expired}", ""),
        ("-e {expired} -e {wordy}", ""),
        ("-e ALL hold", ""),
    ] {
        compare(&format!("postsuper {arguments}"), &sides, |side| {
            side.say("postsuper", arguments, input)
        });
        screens_agree(arguments, &sides);
    }
    compare("postqueue -j", &sides, |side| {
        let (json, ..) = side.say("postqueue", "-j", "");
        let mut lines: Vec<String> = json.lines().map(without_numbers).collect();
        lines.sort();
        lines
    });
    for arguments in ["-hq {now}", "-eq {now}", "-bq {expired}"] {
        compare(&format!("postcat {arguments}"), &sides, |side| {
            let (shown, said, code) = side.say("postcat", arguments, "");
            // Only the running queue manager knows what is active; ours is not asked for a file.
            let shown = shown.replace(" active/", " incoming/");
            let lines: Vec<String> = shown.lines().filter_map(plain).collect();
            (lines, said, code)
        });
    }
}
