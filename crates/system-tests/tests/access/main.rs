//! Restriction lists beside Debian's Postfix: the same settings, tables, DNS and policy server; what a client is told, what the
//! log says and what the policy server is asked must be the same.
//!
//! The cases are in `scenarios/access.cases`. One of them: `YUBIN_CASES=NAME cargo test -p system-tests --test access --
//! --nocapture` (several with commas; a part of a name is enough).

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

mod case;
mod explained;
mod policy_server;

use std::net::{Ipv4Addr, SocketAddr};

use system_tests::incumbent::Postfix;
use system_tests::lines::LineClient;
use system_tests::side_by_side::{self, Ledger, OUR_FIRST_PORT, THEIR_FIRST_PORT, main_cf};
use system_tests::users::Host;
use system_tests::{Sandbox, wait_for};
use testkit::DnsServer;

use case::{Case, Told};
use policy_server::PolicyServer;

/// What both have in common.
const MAIN_CF: &[(&str, &str)] = &[
    ("myhostname", "mx.example.test"),
    ("mydestination", "$myhostname, localhost, example.test"),
    ("myorigin", "example.test"),
    ("local_recipient_maps", "inline:{ alice=x, bob=x, postmaster=x }"),
    ("local_transport", "discard"),
    ("default_transport", "discard"),
    ("relay_transport", "discard"),
    ("mynetworks", "127.0.0.9/32"),
    ("relay_domains", "relay.example"),
    ("virtual_alias_domains", "alias.example"),
    (
        "virtual_alias_maps",
        "inline:{ v@alias.example=alice@example.test }",
    ),
    ("inet_protocols", "ipv4"),
    ("recipient_delimiter", "+"),
    (
        "smtpd_relay_restrictions",
        "permit_mynetworks, reject_unauth_destination",
    ),
    ("smtpd_error_sleep_time", "0"),
    ("smtpd_peername_lookup", "yes"),
    ("smtpd_client_connection_count_limit", "0"),
    ("fast_flush_domains", "relay.example"),
    ("smtpd_policy_service_retry_delay", "1s"),
];
/// Cases in which Yubin says something else on purpose; the reasons are in `conformance/differences.tsv`.
const DIFFERENT: &[&str] = &["own limits: too many recipients"];

#[test]
fn lists_say_what_those_of_postfix_say() {
    side_by_side::compare();
}

/// The second test: a host with a DNS server, Postfix and Yubin.
#[test]
#[ignore = "run by lists_say_what_those_of_postfix_say in a host of its own"]
fn inside_the_host() {
    let Some(is_wanted) = side_by_side::wanted() else {
        return;
    };
    let (zone, mut cases) = case::read();
    cases.retain(|case| is_wanted(&case.name));
    assert!(!cases.is_empty());
    let _host = Host::make();
    std::fs::write(
        "/etc/resolv.conf",
        "nameserver 127.0.0.1\nsearch .\noptions timeout:1 attempts:1\n",
    )
    .unwrap();
    let names = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n";
    std::fs::write("/etc/nsswitch.conf", names).unwrap();
    let _dns = DnsServer::start_on("127.0.0.1:53".parse().unwrap(), &zone);
    let policy = PolicyServer::start(9998);
    let theirs = theirs(&cases);
    let ours = ours(&cases);
    let mut ledger = Ledger::new(DIFFERENT);
    for (number, case) in (0..).zip(&cases) {
        let our_port = OUR_FIRST_PORT + number;
        let (by_theirs, _) = run(case, THEIR_FIRST_PORT + number, &policy, &|| theirs.log());
        let (by_ours, rules) = run(case, our_port, &policy, &|| ours.log());
        ledger.told(&case.name, &by_theirs);
        ledger.differ(&explained::difference(
            case,
            (&by_ours, &rules),
            (&ours, our_port),
        ));
        ledger.compare(&case.name, &by_theirs, &by_ours);
    }
    ledger.tell();
}

fn theirs(cases: &[Case]) -> Postfix {
    let services: Vec<_> = (THEIR_FIRST_PORT..)
        .zip(cases)
        .map(|(port, case)| {
            let mut settings = case.settings.clone();
            settings.push(("smtpd_peername_lookup".to_owned(), "yes".to_owned()));
            (port, settings)
        })
        .collect();
    let postfix = Postfix::start(&main_cf(MAIN_CF), &services).unwrap();
    // Whether it listens was tried by a connection to each port.
    wait_for("the end of the first connections", || {
        postfix.log().matches(": disconnect from ").count() >= cases.len()
    });
    postfix
}

fn ours(cases: &[Case]) -> Sandbox {
    let mut sandbox = side_by_side::stopped(MAIN_CF);
    sandbox.edit_main_cf("smtpd_recipient_restrictions", "");
    let rows = (OUR_FIRST_PORT..).zip(cases);
    let rows: String = rows
        .map(|(port, case)| side_by_side::row(port, &case.settings))
        .collect();
    sandbox.append_to("master.cf", &rows);
    sandbox.launch();
    sandbox
}

/// The rules that lines about refusals name; `Err` is a line without.
type Rules = Vec<Result<String, String>>;

/// One case with one program.
fn run(case: &Case, port: u16, policy: &PolicyServer, log: &dyn Fn() -> String) -> (Told, Rules) {
    let logged = log().len();
    let asked = policy.asked().len();
    let replies = talk(case, SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let end = ": disconnect from ".to_owned();
    wait_for("the end of the session in the log", || {
        log().get(logged..).is_some_and(|new| new.contains(&end))
    });
    let log = log();
    let told = Told::new(replies, &log[logged..], &policy.asked()[asked..]);
    (told, case::rules(&log[logged..]))
}

/// Says the case's lines; all replies.
fn talk(case: &Case, server: SocketAddr) -> Vec<String> {
    let mut client = LineClient::connect_from(case.from, server.port());
    let mut replies = vec![reply(&mut client)];
    for line in &case.lines {
        match line.strip_prefix("| ") {
            Some(content) => client.say(content),
            None => {
                if client.try_send(format!("{line}\r\n").as_bytes()).is_err() {
                    break;
                }
                let said = reply(&mut client);
                // Capabilities are another matter.
                let is_greeting = line.starts_with("EHLO") && said.starts_with("250");
                replies.push(if is_greeting { "250".to_owned() } else { said });
            }
        }
    }
    let _ = client.try_send(b"QUIT\r\n");
    while matches!(client.try_line(), Ok(Some(_))) {}
    replies
}

/// A whole reply; empty when the connection is over.
fn reply(client: &mut LineClient) -> String {
    let mut lines = Vec::new();
    while let Ok(Some(line)) = client.try_line() {
        let is_last = line.as_bytes().get(3) != Some(&b'-');
        lines.push(line);
        if is_last {
            break;
        }
    }
    lines.join("\n")
}
