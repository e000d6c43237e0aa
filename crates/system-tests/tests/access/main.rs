//! Restriction lists beside Debian's Postfix: the same settings, tables, DNS and policy server; what a client is told, what the
//! log says and what the policy server is asked must be the same.
//!
//! The cases are in `scenarios/access.cases`. One of them: `YUBIN_CASES=NAME cargo test -p system-tests --test access --
//! --nocapture` (several with commas; a part of a name is enough).

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

mod cards;
mod case;
mod effects;
mod explained;
mod policy_server;
mod verified;

use std::fs::Permissions;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use system_tests::incumbent::Postfix;
use system_tests::lines::LineClient;
use system_tests::side_by_side::{self, Ledger, OUR_FIRST_PORT, THEIR_FIRST_PORT, main_cf};
use system_tests::users::Host;
use system_tests::{Sandbox, wait_for};
use testkit::DnsServer;

use cards::Cards;
use case::{Case, Told};
use effects::Program;
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
    ("smtpd_tls_security_level", "none"),
    ("smtpd_tls_loglevel", "1"),
    ("smtpd_tls_auth_only", "no"),
];
/// How many services, one for each case, run at once: each `yubin explain` reads the settings of all.
const CASES_AT_ONCE: usize = 50;
/// Cases in which Yubin says something else on purpose; the reasons are in `conformance/differences.tsv`.
const DIFFERENT: &[&str] = &[
    "own limits: too many recipients",
    "the message with a copy for each of two recipients",
    "the message redirected and on hold",
];

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
    let (zone, mut cases) = case::read("access.cases");
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
    let mut ledger = Ledger::new(DIFFERENT);
    for cases in cases.chunks(CASES_AT_ONCE) {
        compare(cases, &policy, &mut ledger);
    }
    ledger.tell();
}

/// Has both programs go through these cases.
fn compare(cases: &[Case], policy: &PolicyServer, ledger: &mut Ledger) {
    let mut ours = side_by_side::stopped(MAIN_CF);
    let cards = Cards::make(ours.scratch().join("cards"));
    let cases = named(cases, &ours, &cards);
    serve(&mut ours, &cases, &cards);
    let theirs = theirs(&cases, &ours, &cards);
    let postfix = Program {
        log: &|| theirs.log(),
        command: &|name, arguments| theirs.command(name, arguments, "").stdout,
    };
    let yubin = Program {
        log: &|| ours.log(),
        command: &|name, arguments| ours.run(name, arguments, "").stdout,
    };
    for (number, case) in (0..).zip(&cases) {
        let our_port = OUR_FIRST_PORT + number;
        let (by_theirs, _) = run(case, THEIR_FIRST_PORT + number, (policy, &cards), &postfix);
        let (by_ours, rules) = run(case, our_port, (policy, &cards), &yubin);
        ledger.told(&case.name, &by_theirs);
        ledger.differ(&explained::difference(
            case,
            (&by_ours, &rules),
            (&ours, our_port),
        ));
        ledger.compare(&case.name, &by_theirs, &by_ours);
    }
}

/// Where both find who may log in.
fn auth_socket(ours: &Sandbox) -> PathBuf {
    ours.scratch().join("sockets/auth")
}

/// The cases with fingerprints and credentials in them.
fn named(cases: &[Case], ours: &Sandbox, cards: &Cards) -> Vec<Case> {
    let mut names = cards.fingerprints();
    let password = ours.password("alice");
    for (name, password) in [("alice", password), ("wrong", "wrong")] {
        let credentials = STANDARD.encode(format!("\0alice\0{password}"));
        names.push((name.to_owned(), credentials));
    }
    cases.iter().map(|case| case.clone().with(&names)).collect()
}

/// The settings that name files.
fn files(cards: &Cards) -> [(&'static str, String); 3] {
    [
        ("smtpd_tls_cert_file", cards.file("server.pem")),
        ("smtpd_tls_key_file", cards.file("server.key")),
        ("smtpd_tls_CAfile", cards.file("ours.pem")),
    ]
}

fn theirs(cases: &[Case], ours: &Sandbox, cards: &Cards) -> Postfix {
    let services: Vec<_> = (THEIR_FIRST_PORT..)
        .zip(cases)
        .map(|(port, case)| {
            let mut settings = case.settings.clone();
            settings.push(("smtpd_peername_lookup".to_owned(), "yes".to_owned()));
            (port, settings)
        })
        .collect();
    let mut text = main_cf(MAIN_CF);
    let socket = auth_socket(ours).display().to_string();
    let own = [
        ("smtpd_sasl_type", "dovecot".to_owned()),
        ("smtpd_sasl_path", socket),
    ];
    for (name, value) in files(cards).into_iter().chain(own) {
        text.push_str(&format!("{name} = {value}\n"));
    }
    let postfix = Postfix::start(&text, &services).unwrap();
    // Whether it listens was tried by a connection to each port.
    wait_for("the end of the first connections", || {
        postfix.log().matches(": disconnect from ").count() >= cases.len()
    });
    postfix
}

/// Starts Yubin.
fn serve(sandbox: &mut Sandbox, cases: &[Case], cards: &Cards) {
    sandbox.edit_main_cf("smtpd_recipient_restrictions", "");
    for (name, value) in files(cards) {
        sandbox.edit_main_cf(name, &value);
    }
    let socket = auth_socket(sandbox);
    let directory = socket.parent().unwrap();
    std::fs::create_dir(directory).unwrap();
    // Postfix is somebody else.
    std::fs::set_permissions(directory, Permissions::from_mode(0o777)).unwrap();
    let lines = format!(
        "auth_failure_delay = 0\nservice auth {{\n  unix_listener {} {{\n    mode = 0666\n  }}\n}}\n",
        socket.display()
    );
    sandbox.append_to("dovecot.conf", &lines);
    let rows = (OUR_FIRST_PORT..).zip(cases);
    let rows: String = rows
        .map(|(port, case)| side_by_side::row(port, &case.settings))
        .collect();
    sandbox.append_to("master.cf", &rows);
    sandbox.launch();
}

/// The rules that lines about refusals name; `Err` is a line without.
type Rules = Vec<Result<String, String>>;

/// One case with one program.
fn run(
    case: &Case,
    port: u16,
    (policy, cards): (&PolicyServer, &Cards),
    program: &Program<'_>,
) -> (Told, Rules) {
    let logged = (program.log)().len();
    let asked = policy.asked().len();
    let replies = talk(case, SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Some(cards));
    let end = ": disconnect from ".to_owned();
    wait_for("the end of the session in the log", || {
        (program.log)()
            .get(logged..)
            .is_some_and(|new| new.matches(&end).count() >= case.sessions())
    });
    let mut ids = replies
        .iter()
        .filter_map(|reply| Some(reply.split_once("queued as ")?.1));
    let effects = ids
        .next()
        .zip(case.end.as_deref())
        .map(|(id, end)| program.effects(id, end));
    let log = (program.log)();
    let told = Told::new(replies, &log[logged..], &policy.asked()[asked..]);
    (
        told.with_effects(effects.unwrap_or_default()),
        case::rules(&log[logged..]),
    )
}

/// Says the case's lines; all replies. Cases with TLS need cards.
fn talk(case: &Case, server: SocketAddr, cards: Option<&Cards>) -> Vec<String> {
    let connect = || {
        let mut client = LineClient::connect_from(case.from, server.port());
        let is_through = !case.is_wrapped || {
            let card = cards.unwrap().client(case.card.as_deref());
            client.start_tls(&card).is_ok()
        };
        let greeting = if is_through {
            client.try_reply()
        } else {
            "no TLS".to_owned()
        };
        (client, greeting)
    };
    let part = |client: &mut LineClient| {
        let _ = client.try_send(b"QUIT\r\n");
        while matches!(client.try_line(), Ok(Some(_))) {}
    };
    let (mut client, greeting) = connect();
    let mut replies = vec![greeting];
    let (mut together, mut unanswered) = (String::new(), Vec::new());
    for line in &case.lines {
        if line == case::AGAIN {
            part(&mut client);
            let (next, greeting) = connect();
            client = next;
            replies.push(greeting);
            continue;
        }
        if line == case::LISTEN {
            replies.push(client.try_reply());
            continue;
        }
        if let Some(content) = line.strip_prefix("| ") {
            together.push_str(&format!("{content}\r\n"));
            continue;
        }
        let command = line.strip_prefix(">> ").unwrap_or(line);
        together.push_str(&format!("{command}\r\n"));
        unanswered.push(command);
        if line.starts_with(">> ") {
            continue;
        }
        if client.try_send(std::mem::take(&mut together).as_bytes()).is_err() {
            // Nobody hears it; the client may come again.
            unanswered.clear();
            continue;
        }
        for command in unanswered.drain(..) {
            let said = client.try_reply();
            let is_secured = command == "STARTTLS" && said.starts_with("220");
            // Capabilities are another matter.
            let is_greeting = command.starts_with("EHLO") && said.starts_with("250");
            replies.push(if is_greeting { "250".to_owned() } else { said });
            let card = || cards.unwrap().client(case.card.as_deref());
            if is_secured && client.start_tls(&card()).is_err() {
                replies.push("no TLS".to_owned());
            }
        }
    }
    part(&mut client);
    replies
}
