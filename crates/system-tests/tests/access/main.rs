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
use system_tests::users::{self, Host};
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
const DIFFERENT: &[&str] = &[];
const OUR_FIRST_PORT: u16 = 20_000;
const THEIR_FIRST_PORT: u16 = 30_000;

#[test]
fn lists_say_what_those_of_postfix_say() {
    if !system_tests::has_program("/usr/sbin/postfix", "postfix") || !users::can_make_hosts() {
        return;
    }
    let task = std::env::var("YUBIN_CASES").unwrap_or_default();
    let told = users::run_in_host("inside_the_host", &format!("cases {task}"));
    if !task.is_empty() {
        show(&told["shown"]);
    }
    assert!(told["differences"].trim().is_empty(), "{}", told["differences"]);
}

#[allow(clippy::print_stdout, reason = "it was asked for")]
fn show(text: &str) {
    println!("{text}");
}

/// The second test: a host with a DNS server, Postfix and Yubin.
#[test]
#[ignore = "run by lists_say_what_those_of_postfix_say in a host of its own"]
fn inside_the_host() {
    let Some(task) = users::task() else { return };
    let wanted: Vec<&str> = task["cases".len()..].trim().split(',').collect();
    let (zone, mut cases) = case::read();
    cases.retain(|case| wanted.iter().any(|name| case.name.contains(name)));
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
    let (mut differences, mut shown) = (String::new(), String::new());
    for (number, case) in (0..).zip(&cases) {
        let by_theirs = run(case, THEIR_FIRST_PORT + number, &policy, &|| theirs.log());
        let by_ours = run(case, OUR_FIRST_PORT + number, &policy, &|| ours.log());
        shown.push_str(&format!("== {}\n{by_theirs}", case.name));
        differences.push_str(&explained::difference(
            case,
            &by_ours,
            (&ours, OUR_FIRST_PORT + number),
        ));
        if (by_ours != by_theirs) != DIFFERENT.contains(&case.name.as_str()) {
            let text = format!("== {}\n-- Postfix\n{by_theirs}-- Yubin\n{by_ours}\n", case.name);
            differences.push_str(&text);
        }
    }
    shown.push_str(&format!("{} cases\n", cases.len()));
    users::print_block("differences", &differences);
    users::print_block("shown", &shown);
}

fn theirs(cases: &[Case]) -> Postfix {
    let main_cf: String = MAIN_CF
        .iter()
        .map(|(name, value)| format!("{name} = {value}\n"))
        .collect();
    let services: Vec<_> = (THEIR_FIRST_PORT..)
        .zip(cases)
        .map(|(port, case)| {
            let mut settings = case.settings.clone();
            settings.push(("smtpd_peername_lookup".to_owned(), "yes".to_owned()));
            (port, settings)
        })
        .collect();
    let postfix = Postfix::start(&main_cf, &services).unwrap();
    // Whether it listens was tried by a connection to each port.
    wait_for("the end of the first connections", || {
        postfix.log().matches(": disconnect from ").count() >= cases.len()
    });
    postfix
}

fn ours(cases: &[Case]) -> Sandbox {
    let mut sandbox = Sandbox::start();
    sandbox.stop();
    for (name, value) in MAIN_CF {
        sandbox.edit_main_cf(name, value);
    }
    sandbox.edit_main_cf("smtpd_recipient_restrictions", "");
    let mut rows = String::new();
    for (port, case) in (OUR_FIRST_PORT..).zip(cases) {
        rows.push_str(&format!("127.0.0.1:{port} inet n - n - - smtpd\n"));
        for (name, value) in &case.settings {
            rows.push_str(&format!("  -o {{ {name} = {value} }}\n"));
        }
    }
    sandbox.append_to("master.cf", &rows);
    sandbox.launch();
    sandbox
}

/// One case with one program.
fn run(case: &Case, port: u16, policy: &PolicyServer, log: &dyn Fn() -> String) -> Told {
    let logged = log().len();
    let asked = policy.asked().len();
    let replies = talk(case, SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let end = ": disconnect from ".to_owned();
    wait_for("the end of the session in the log", || {
        log().get(logged..).is_some_and(|new| new.contains(&end))
    });
    Told::new(replies, &log()[logged..], &policy.asked()[asked..])
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
