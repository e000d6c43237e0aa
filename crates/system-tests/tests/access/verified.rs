//! Address verification beside Debian's Postfix: what clients are told, what the log says of them and of probes. The cases are in
//! `scenarios/verify.cases`; a setting `main NAME = VALUE` is one of main.cf, and has both programs started for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use system_tests::incumbent::Postfix;
use system_tests::lines::LineClient;
use system_tests::side_by_side::{
    self, Ledger, OUR_FIRST_PORT, Setting, THEIR_FIRST_PORT, compare_by, main_cf,
};
use system_tests::users::Host;
use system_tests::{Sandbox, wait_for};

use super::case::{self, Case, Told, without_queue_id};
use super::{Rules, explained, talk};

/// What both have in common. Each host behind a port says something else of recipients: [`serve`].
const MAIN_CF: &[(&str, &str)] = &[
    ("myhostname", "mx.example.test"),
    ("mydestination", "$myhostname, localhost, example.test"),
    ("myorigin", "example.test"),
    ("mynetworks", "127.0.0.9/32"),
    ("relay_domains", "relay.example"),
    ("local_recipient_maps", ""),
    (
        "alias_maps",
        "inline:{ { team = alice, bob } { one = alice } { ill = alice, nobodyhere } { command = \"|/bin/true\" } \
         { away = a@ok.relay.example } { file = /var/mail/file } }",
    ),
    ("home_mailbox", "Maildir/"),
    ("virtual_alias_domains", "alias.example"),
    (
        "virtual_alias_maps",
        "inline:{ { good@alias.example = a@ok.relay.example } { bad@alias.example = b@no.relay.example } \
         { both@alias.example = c@no.relay.example, d@ok.relay.example } }",
    ),
    ("virtual_mailbox_domains", "box.example"),
    ("virtual_mailbox_base", "/var/mail"),
    ("virtual_mailbox_maps", "inline:{ good@box.example=good/ }"),
    ("virtual_uid_maps", "static:1234"),
    ("virtual_gid_maps", "static:1234"),
    (
        "transport_maps",
        "inline:{ { ok.relay.example = smtp:[127.0.0.1]:40001 } { no.relay.example = smtp:[127.0.0.1]:40002 } \
         { later.relay.example = smtp:[127.0.0.1]:40003 } { mute.relay.example = smtp:[127.0.0.1]:40004 } \
         { dies.relay.example = smtp:[127.0.0.1]:40005 } { away.relay.example = smtp:[127.0.0.1]:40006 } \
         { long.relay.example = smtp:[127.0.0.1]:40007 } { latest.relay.example = smtp:[127.0.0.1]:40008 } { void.relay.example = error:5.1.2 nothing there } }",
    ),
    ("inet_protocols", "ipv4"),
    ("recipient_delimiter", "+"),
    ("smtp_helo_timeout", "3s"),
    (
        "smtpd_relay_restrictions",
        "permit_mynetworks, reject_unauth_destination",
    ),
    (
        "smtpd_recipient_restrictions",
        "reject_unverified_recipient, permit",
    ),
    ("smtpd_error_sleep_time", "0"),
    ("smtpd_hard_error_limit", "100"),
    ("smtpd_peername_lookup", "no"),
    ("smtpd_client_connection_count_limit", "0"),
    ("address_verify_poll_delay", "1s"),
];

/// Cases in which Yubin says something else on purpose; the reasons are in `conformance/differences.tsv`.
const DIFFERENT: &[&str] = &[];

#[test]
fn addresses_are_verified_as_postfix_does_it() {
    compare_by("verified::inside_the_host");
}

/// The second test.
#[test]
#[ignore = "run by addresses_are_verified_as_postfix_does_it in a host of its own"]
fn inside_the_host() {
    let Some(is_wanted) = side_by_side::wanted() else {
        return;
    };
    let (_, mut cases) = case::read("verify.cases");
    cases.retain(|case| is_wanted(&case.name));
    assert!(!cases.is_empty());
    let _host = Host::make();
    for (port, host) in (40_001..).zip(["ok", "no", "later", "mute", "dies"]) {
        start(port, host);
    }
    start(40_007, "long");
    start(40_008, "latest");
    let mut ledger = Ledger::new(DIFFERENT);
    for (main, cases) in groups(cases) {
        side_by_side(&main, &cases, &mut ledger);
    }
    ledger.tell();
}

/// The cases by what they want of main.cf, which is taken out of them.
fn groups(cases: Vec<Case>) -> BTreeMap<Vec<Setting>, Vec<Case>> {
    let mut groups: BTreeMap<_, Vec<Case>> = BTreeMap::new();
    for mut case in cases {
        let mut main = Vec::new();
        case.settings.retain(|(name, value)| {
            let own = name.strip_prefix("main ");
            main.extend(own.map(|name| (name.to_owned(), value.clone())));
            own.is_none()
        });
        groups.entry(main).or_default().push(case);
    }
    groups
}

fn side_by_side(main: &[Setting], cases: &[Case], ledger: &mut Ledger) {
    let own = main.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let settings: BTreeMap<&str, &str> = MAIN_CF.iter().copied().chain(own).collect();
    let settings: Vec<(&str, &str)> = settings.into_iter().collect();
    let services: Vec<_> = (THEIR_FIRST_PORT..)
        .zip(cases)
        .map(|(port, case)| (port, case.settings.clone()))
        .collect();
    let theirs = Postfix::start(&main_cf(&settings), &services).unwrap();
    wait_for("the end of the first connections", || {
        theirs.log().matches(": disconnect from ").count() >= cases.len()
    });
    let mut ours = side_by_side::stopped(&settings);
    let rows = (OUR_FIRST_PORT..).zip(cases);
    let rows: String = rows
        .map(|(port, case)| side_by_side::row(port, &case.settings))
        .collect();
    ours.append_to("master.cf", &rows);
    ours.launch();
    for (number, case) in (0..).zip(cases) {
        let our_port = OUR_FIRST_PORT + number;
        let by_theirs = run(case, THEIR_FIRST_PORT + number, &|| theirs.log());
        let by_ours = run(case, our_port, &|| ours.log());
        ledger.told(&case.name, &by_theirs);
        ledger.compare(&case.name, &by_theirs, &by_ours);
        ledger.differ(&rehearsed(case, &by_ours, (&ours, our_port)));
    }
}

/// What `yubin explain` says otherwise of what is known by now; and that it sends no probe.
fn rehearsed(case: &Case, by_ours: &Verified, (ours, port): (&Sandbox, u16)) -> String {
    let is_known = |reply: &String| !reply.contains(IN_PROGRESS);
    if !by_ours.told.replies().iter().all(is_known) {
        return String::new();
    }
    // Another process sees what is on disk.
    if case.name.contains("in memory") {
        return String::new();
    }
    let probes = |log: String| log.matches("cleanup[").count();
    let before = probes(ours.log());
    let mut difference = explained::difference(case, (&by_ours.told, &by_ours.rules), (ours, port));
    if probes(ours.log()) != before {
        difference.push_str(&format!("== {}\n-- explain sent a probe\n", case.name));
    }
    difference
}

const IN_PROGRESS: &str = "verification in progress";

/// What a program told of a case.
struct Verified {
    told: Told,
    /// What the log says of what became of probes, in no order.
    probes: Vec<String>,
    /// Of our refusals; Postfix names none.
    rules: Rules,
}

impl PartialEq for Verified {
    fn eq(&self, other: &Verified) -> bool {
        (&self.told, &self.probes) == (&other.told, &other.probes)
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told.fmt(f)?;
        self.probes.iter().try_for_each(|line| writeln!(f, "log {line}"))
    }
}

fn run(case: &Case, port: u16, log: &dyn Fn() -> String) -> Verified {
    let logged = log().len();
    let replies = talk(case, SocketAddr::from((Ipv4Addr::LOCALHOST, port)), None);
    let new = || log().get(logged..).unwrap_or_default().to_owned();
    wait_for("the end of the session in the log", || {
        new().contains(": disconnect from ")
    });
    let begun = replies.iter().filter(|reply| reply.contains(IN_PROGRESS)).count();
    wait_for("the end of the probes", || {
        let new = new();
        let probes: Vec<&str> = new.lines().filter_map(id_of_probe).collect();
        let is_over = |id: &&str| new.contains(&format!("{id}: removed"));
        probes.len() >= begun && probes.iter().all(is_over)
    });
    let new = new();
    let mut probes: Vec<String> = new.lines().filter_map(of_probe).collect();
    probes.sort();
    if case.name.contains("uncached") {
        // Postfix sends one for each time that a client asks while it waits.
        probes = BTreeSet::from_iter(probes).into_iter().collect();
    }
    Verified {
        told: Told::new(replies, &new, &[]),
        probes,
        rules: case::rules(&new),
    }
}

/// The queue id in the line that says that a probe is about to be sent.
fn id_of_probe(line: &str) -> Option<&str> {
    let (_, text) = line.split_once("]: ")?;
    let (id, _) = text.split_once(": from=<double-bounce@")?;
    Some(id)
}

/// A line about a message, without what differs from run to run.
fn of_probe(line: &str) -> Option<String> {
    let (tag, text) = line.split_once("]: ")?;
    let (_, agent) = tag.rsplit_once('/')?;
    let agent = agent.split('[').next()?;
    let text = without_queue_id(text);
    if let Some((from, _)) = text.split_once(", size=") {
        return Some(format!("{agent} {from}"));
    }
    let (to, _) = text.split_once(", delay=")?;
    let (_, status) = text.split_once(", dsn=")?;
    // Whether a connection was used before depends on how fast everything goes.
    let to = to.split(", conn_use=").next()?;
    Some(format!("{agent} {to}, dsn={status}"))
}

/// Listens until the process ends.
fn start(port: u16, host: &'static str) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            thread::spawn(move || {
                let _ = serve(stream, host);
            });
        }
    });
}

/// What a host says of recipients.
fn serve(mut stream: TcpStream, host: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    if host == "mute" {
        lines.next();
        return Ok(());
    }
    stream.set_nodelay(true)?;
    stream.write_all(b"220 host.example ESMTP\r\n")?;
    while let Some(Ok(line)) = lines.next() {
        let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let said = match (word.as_str(), host) {
            ("EHLO", _) => "250-host.example\r\n250 PIPELINING\r\n".to_owned(),
            ("QUIT", _) => "221 2.0.0 Bye\r\n".to_owned(),
            ("RCPT", "dies") => return Ok(()),
            ("RCPT", "no") => "550 5.1.1 nobody is called so\r\n".to_owned(),
            ("RCPT", "later") => "450 4.2.1 not now\r\n".to_owned(),
            ("RCPT", "long") => format!("550 5.1.1 {}\r\n", "no ".repeat(140).trim_end()),
            ("DATA", "latest") => "550 5.1.1 nobody after all\r\n".to_owned(),
            ("DATA", _) => {
                stream.write_all(b"354 go on\r\n")?;
                lines
                    .by_ref()
                    .find(|line| line.as_ref().is_ok_and(|line| line == "."));
                "250 2.0.0 taken\r\n".to_owned()
            }
            _ => "250 2.1.5 fine\r\n".to_owned(),
        };
        stream.write_all(said.as_bytes())?;
        if word == "QUIT" {
            break;
        }
    }
    Ok(())
}

#[test]
fn what_was_found_is_there_after_a_crash() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut ours = side_by_side::stopped(&[
        ("relay_domains", "relay.example"),
        (
            "transport_maps",
            &format!("inline:{{relay.example=smtp:[127.0.0.1]:{port}}}"),
        ),
        ("smtpd_recipient_restrictions", "reject_unverified_recipient"),
    ]);
    ours.launch();
    start(port, "ok");
    let ask = |ours: &Sandbox| {
        let mut client = LineClient::connect(ours.ports().smtp);
        client.smtp("");
        client.smtp("HELO client.example");
        client.smtp("MAIL FROM:<sender@example.net>");
        client.smtp("RCPT TO:<a@relay.example>")
    };
    assert_eq!(ask(&ours), "250 2.1.5 Ok");
    ours.kill();
    // Another probe, if there were one, would find nobody; and nobody would wait for it.
    ours.edit_main_cf("transport_maps", "inline:{relay.example=smtp:[127.0.0.1]:1}");
    ours.edit_main_cf("address_verify_poll_count", "1");
    ours.launch();
    assert_eq!(ask(&ours), "250 2.1.5 Ok");
}
