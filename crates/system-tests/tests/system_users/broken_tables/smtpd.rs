//! What smtpd asks tables: each use with each broken table, a service of its own.

use std::fs::Permissions;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use system_tests::incumbent::Postfix;
use system_tests::lines::LineClient;
use system_tests::rules::split_rule;
use system_tests::side_by_side::{self, Ledger, OUR_FIRST_PORT, Setting, THEIR_FIRST_PORT, main_cf};
use system_tests::users::{self, Host};
use system_tests::{Sandbox, has_program, wait_for};

use super::{faults, is_chosen};

/// What both have in common.
const MAIN_CF: &[(&str, &str)] = &[
    ("myhostname", "mx.example.test"),
    ("mydestination", "$myhostname, localhost, example.test"),
    ("myorigin", "example.test"),
    ("local_recipient_maps", "inline:{ alice=x, postmaster=x }"),
    ("local_transport", "discard"),
    ("default_transport", "discard"),
    ("relay_transport", "discard"),
    ("virtual_transport", "discard"),
    ("mynetworks", "127.0.0.9/32"),
    ("relay_domains", "relay.example"),
    ("virtual_mailbox_domains", "mailbox.example"),
    ("virtual_alias_domains", "alias.example"),
    ("inet_protocols", "ipv4"),
    ("smtpd_error_sleep_time", "0"),
    ("smtpd_peername_lookup", "no"),
    ("smtpd_client_connection_count_limit", "0"),
    (
        "smtpd_relay_restrictions",
        "permit_mynetworks, reject_unauth_destination",
    ),
];

/// A use of a table: its name, the settings, with `TABLE` for the table, and the recipient.
const USES: &[(&str, &str, &str)] = &[
    (
        "client",
        "smtpd_client_restrictions = check_client_access TABLE",
        "alice@example.test",
    ),
    (
        "helo",
        "smtpd_helo_restrictions = check_helo_access TABLE",
        "alice@example.test",
    ),
    (
        "sender",
        "smtpd_sender_restrictions = check_sender_access TABLE",
        "alice@example.test",
    ),
    (
        "recipient",
        "smtpd_recipient_restrictions = check_recipient_access TABLE, permit",
        "alice@example.test",
    ),
    (
        "relay",
        "smtpd_relay_restrictions = check_recipient_access TABLE, reject_unauth_destination",
        "x@elsewhere.example",
    ),
    (
        "data",
        "smtpd_data_restrictions = check_sender_access TABLE",
        "alice@example.test",
    ),
    (
        "end-of-data",
        "smtpd_end_of_data_restrictions = check_sender_access TABLE",
        "alice@example.test",
    ),
    (
        "virtual-alias",
        "virtual_alias_maps = TABLE",
        "nobody@example.test",
    ),
    (
        "virtual-alias-domain",
        "virtual_alias_maps = TABLE",
        "x@alias.example",
    ),
    ("canonical", "canonical_maps = TABLE", "nobody@example.test"),
    (
        "recipient-canonical",
        "recipient_canonical_maps = TABLE",
        "nobody@example.test",
    ),
    (
        "local-recipient",
        "local_recipient_maps = TABLE",
        "alice@example.test",
    ),
    (
        "alias",
        "alias_maps = TABLE; local_recipient_maps = $alias_maps",
        "alice@example.test",
    ),
    (
        "relay-recipient",
        "relay_recipient_maps = TABLE",
        "x@relay.example",
    ),
    (
        "virtual-mailbox",
        "virtual_mailbox_maps = TABLE",
        "x@mailbox.example",
    ),
    (
        "unlisted-sender",
        "smtpd_reject_unlisted_sender = yes; relay_recipient_maps = TABLE",
        "alice@example.test",
    ),
    (
        "sender-login",
        "smtpd_sender_login_maps = TABLE; smtpd_sender_restrictions = reject_sender_login_mismatch",
        "alice@example.test",
    ),
    (
        "sender-login-known",
        "smtpd_sender_login_maps = TABLE; smtpd_sender_restrictions = reject_known_sender_login_mismatch",
        "alice@example.test",
    ),
    (
        "sender-login logged-in",
        "smtpd_sasl_auth_enable = yes; smtpd_sender_login_maps = TABLE; smtpd_sender_restrictions = reject_sender_login_mismatch",
        "alice@example.test",
    ),
    (
        "sender-login-auth logged-in",
        "smtpd_sasl_auth_enable = yes; smtpd_sender_login_maps = TABLE; smtpd_sender_restrictions = reject_authenticated_sender_login_mismatch",
        "alice@example.test",
    ),
    (
        "sender-login-known logged-in",
        "smtpd_sasl_auth_enable = yes; smtpd_sender_login_maps = TABLE; smtpd_sender_restrictions = reject_known_sender_login_mismatch",
        "alice@example.test",
    ),
    (
        "sender-login-unknown",
        "smtpd_sasl_auth_enable = yes; smtpd_sender_login_maps = TABLE; smtpd_sender_restrictions = reject_unauthenticated_sender_login_mismatch",
        "alice@example.test",
    ),
    ("transport", "transport_maps = TABLE", "alice@example.test"),
    (
        "transport-elsewhere",
        "transport_maps = TABLE",
        "x@elsewhere.example",
    ),
    (
        "transport-deferring",
        "transport_maps = TABLE; smtpd_relay_restrictions = permit_mynetworks, defer_unauth_destination",
        "x@elsewhere.example",
    ),
    ("transport-relayed", "transport_maps = TABLE", "x@relay.example"),
    (
        "transport-trusted",
        "transport_maps = TABLE; mynetworks = 127.0.0.0/8",
        "alice@example.test",
    ),
    (
        "transport-trusted-elsewhere",
        "transport_maps = TABLE; mynetworks = 127.0.0.0/8",
        "x@elsewhere.example",
    ),
    (
        "transport-trusted-unasked",
        "transport_maps = TABLE; mynetworks = 127.0.0.0/8; smtpd_reject_unlisted_recipient = no",
        "x@elsewhere.example",
    ),
    (
        "transport-aliased",
        "transport_maps = TABLE; virtual_alias_maps = static:alice@example.test",
        "x@alias.example",
    ),
    (
        "transport-of-sender",
        "transport_maps = TABLE; smtpd_reject_unlisted_sender = yes; smtpd_reject_unlisted_recipient = no; smtpd_relay_restrictions = check_client_access static:OK, reject_unauth_destination",
        "x@elsewhere.example",
    ),
    (
        "transport-access",
        "transport_maps = TABLE; smtpd_reject_unlisted_recipient = no; smtpd_relay_restrictions = check_recipient_access inline:{ { x = REJECT } }, check_client_access static:OK, reject_unauth_destination",
        "x@elsewhere.example",
    ),
    (
        "transport-sender-access",
        "transport_maps = TABLE; smtpd_reject_unlisted_recipient = no; smtpd_relay_restrictions = check_sender_access inline:{ { x = REJECT } }, check_client_access static:OK, reject_unauth_destination",
        "x@elsewhere.example",
    ),
    ("relocated", "relocated_maps = TABLE", "alice@example.test"),
    (
        "relocated-elsewhere",
        "relocated_maps = TABLE",
        "x@elsewhere.example",
    ),
    (
        "relocated-trusted",
        "relocated_maps = TABLE; mynetworks = 127.0.0.0/8",
        "x@elsewhere.example",
    ),
    (
        "sender-relayhost",
        "sender_dependent_relayhost_maps = TABLE; mynetworks = 127.0.0.0/8",
        "x@elsewhere.example",
    ),
    (
        "sender-transport",
        "sender_dependent_default_transport_maps = TABLE; mynetworks = 127.0.0.0/8",
        "x@elsewhere.example",
    ),
    (
        "sender-transport-stranger",
        "sender_dependent_default_transport_maps = TABLE",
        "x@elsewhere.example",
    ),
    ("domains", "relay_domains = TABLE", "x@elsewhere.example"),
    (
        "domains-unasked",
        "relay_domains = TABLE; smtpd_reject_unlisted_recipient = no; smtpd_relay_restrictions = check_client_access static:OK, reject_unauth_destination",
        "x@elsewhere.example",
    ),
    (
        "transport-unknown-domain",
        "transport_maps = TABLE; smtpd_sender_restrictions = reject_unknown_sender_domain; smtpd_reject_unlisted_recipient = no; smtpd_relay_restrictions = check_client_access static:OK, reject_unauth_destination",
        "x@elsewhere.example",
    ),
    (
        "relocated-aliased",
        "relocated_maps = TABLE; virtual_alias_maps = static:alice@example.test",
        "x@alias.example",
    ),
    ("transport-unaliased", "transport_maps = TABLE", "x@alias.example"),
];

/// The uses that are tried with every fault.
const USUAL_USES: &[&str] = &["recipient"];
/// The faults that every use is tried with.
const USUAL_FAULTS: &[&str] = &[
    "hash-missing",
    "hash-garbage",
    "texthash-missing",
    "tcp-dies",
    "fail",
    "fail-behind-good",
];

/// The faults that uses of main.cf are tried with, each time by a start of both programs.
const FEW_FAULTS: &[&str] = &["fail-behind-good"];

/// A use with a broken table.
struct Case {
    name: String,
    settings: Vec<Setting>,
    to: &'static str,
}

impl Case {
    /// Whether the table is one of main.cf, which a service of its own cannot set: those of recipients and addresses.
    fn is_of_main_cf(&self) -> bool {
        let is_of_service =
            |(name, _): &Setting| name.starts_with("smtpd_") && name != "smtpd_reject_unlisted_sender";
        !self.settings.iter().all(is_of_service)
    }
}

fn cases() -> Vec<Case> {
    let pairs = USES
        .iter()
        .flat_map(|using| faults::TABLES.iter().map(move |fault| (using, fault)));
    // Each use with the usual faults, each fault with the usual uses.
    let wanted =
        pairs.filter(|(using, fault)| USUAL_FAULTS.contains(&fault.0) || USUAL_USES.contains(&using.0));
    let all = wanted.map(|((using, settings, to), (fault, table))| Case {
        name: format!("{using} {fault}"),
        settings: settings
            .split("; ")
            .map(|line| side_by_side::setting(&line.replace("TABLE", table)))
            .collect(),
        to,
    });
    let is_few = |case: &Case| {
        let fault = case.name.rsplit(' ').next().unwrap_or_default();
        !case.is_of_main_cf() || FEW_FAULTS.contains(&fault)
    };
    all.filter(|case| is_chosen(&case.name) && is_few(case)).collect()
}

/// Where Yubin says something else on purpose; the reasons are in `conformance/differences.tsv`.
const DIFFERENT: &[&str] = &[];

#[test]
fn a_client_is_told_what_postfix_tells() {
    if !has_program("/usr/sbin/postfix", "postfix") || !users::can_make_hosts() {
        return;
    }
    let told = users::run_in_host("broken_tables::smtpd::inside_the_host", "cases");
    if std::env::var_os(super::CHOICE).is_some() {
        super::show(&told["shown"]);
    }
    assert!(told["differences"].trim().is_empty(), "{}", told["differences"]);
}

/// The second test.
#[test]
#[ignore = "run by a_client_is_told_what_postfix_tells in a host of its own"]
fn inside_the_host() {
    if users::task().is_none() {
        return;
    }
    let _host = Host::make();
    faults::prepare();
    let (of_main_cf, cases): (Vec<Case>, Vec<Case>) = cases().into_iter().partition(Case::is_of_main_cf);
    let mut ledger = Ledger::new(DIFFERENT);
    for case in &of_main_cf {
        one_by_one(case, &mut ledger);
    }
    if cases.is_empty() {
        return ledger.tell();
    }
    let mut ours = side_by_side::stopped(MAIN_CF);
    ours.edit_main_cf("smtpd_recipient_restrictions", "");
    let socket = serve_log_ins(&ours);
    let rows = (OUR_FIRST_PORT..).zip(&cases);
    let rows: String = rows
        .map(|(port, case)| side_by_side::row(port, &case.settings))
        .collect();
    ours.append_to("master.cf", &rows);
    ours.launch();
    let theirs = (THEIR_FIRST_PORT..).zip(&cases);
    let services: Vec<_> = theirs.map(|(port, case)| (port, case.settings.clone())).collect();
    let main_cf = main_cf(MAIN_CF) + &format!("smtpd_sasl_type = dovecot\nsmtpd_sasl_path = {socket}\n");
    let theirs = Postfix::start(&main_cf, &services).unwrap();
    let credentials = STANDARD.encode(format!("\0alice\0{}", ours.password("alice")));
    let (by_theirs, by_ours) = std::thread::scope(|scope| {
        let by_theirs = scope.spawn(|| all((&cases, &credentials), THEIR_FIRST_PORT, &|| theirs.log()));
        let by_ours = all((&cases, &credentials), OUR_FIRST_PORT, &|| ours.log());
        (by_theirs.join().unwrap(), by_ours)
    });
    for (case, (by_theirs, by_ours)) in cases.iter().zip(by_theirs.iter().zip(&by_ours)) {
        ledger.told(&case.name, by_theirs);
        ledger.compare(&case.name, by_theirs, by_ours);
    }
    ledger.tell();
}

/// Has Yubin tell Postfix who may log in: at this socket.
fn serve_log_ins(ours: &Sandbox) -> String {
    let directory = ours.scratch().join("sockets");
    std::fs::create_dir(&directory).unwrap();
    // Postfix is somebody else.
    std::fs::set_permissions(&directory, Permissions::from_mode(0o777)).unwrap();
    let socket = directory.join("auth").display().to_string();
    let listener = format!("service auth {{\n  unix_listener {socket} {{\n    mode = 0666\n  }}\n}}\n");
    ours.append_to("dovecot.conf", &listener);
    socket
}

/// A case of main.cf: both programs are started for it.
fn one_by_one(case: &Case, ledger: &mut Ledger) {
    let own = case
        .settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let is_other = |(name, _): &(&str, &str)| case.settings.iter().all(|(own, _)| own != name);
    let settings: Vec<(&str, &str)> = MAIN_CF.iter().copied().filter(is_other).chain(own).collect();
    let (our_port, their_port) = (OUR_FIRST_PORT - 1, THEIR_FIRST_PORT - 1);
    let theirs = Postfix::start(&main_cf(&settings), &[(their_port, Vec::new())]).unwrap();
    let mut ours = side_by_side::stopped(&settings);
    ours.edit_main_cf("smtpd_recipient_restrictions", "");
    ours.append_to("master.cf", &side_by_side::row(our_port, &[]));
    ours.launch();
    let by_theirs = run((case, ""), their_port, &|| theirs.log());
    let by_ours = run((case, ""), our_port, &|| ours.log());
    ledger.told(&case.name, &by_theirs);
    ledger.compare(&case.name, &by_theirs, &by_ours);
}

/// All cases with one program.
fn all((cases, credentials): (&[Case], &str), first_port: u16, log: &dyn Fn() -> String) -> Vec<String> {
    (first_port..)
        .zip(cases)
        .map(|(port, case)| run((case, credentials), port, log))
        .collect()
}

/// What a client is told, and the warnings in the log.
fn run((case, credentials): (&Case, &str), port: u16, log: &dyn Fn() -> String) -> String {
    let logged = log().len();
    let mut client = LineClient::connect_from(Ipv4Addr::new(127, 0, 0, 2).octets(), port);
    let mut told = format!("S: {}\n", reply(&mut client).replace("Yubin", "Postfix"));
    let mut is_accepted = false;
    let log_in = format!("AUTH PLAIN {credentials}");
    let log_in = Some(log_in.as_str()).filter(|_| case.name.contains(" logged-in "));
    let rest = [
        "MAIL FROM:<sender@relay.example>",
        &format!("RCPT TO:<{}>", case.to),
        "DATA",
        "Subject: x\r\n\r\nx\r\n.",
        "QUIT",
    ];
    for line in std::iter::once("EHLO client.example").chain(log_in).chain(rest) {
        if line.starts_with("Subject:") && !is_accepted {
            continue;
        }
        if client.try_send(format!("{line}\r\n").as_bytes()).is_err() {
            break;
        }
        let said = reply(&mut client);
        is_accepted = said.starts_with("354");
        let (said, _) = said.split_once("queued as").unwrap_or((&said, ""));
        told.push_str(&format!("S: {said}\n"));
    }
    while matches!(client.try_line(), Ok(Some(_))) {}
    // Sessions from 127.0.0.1 only saw whether somebody listens; they may be logged late.
    let is_end = |line: &str| {
        !line.contains("[127.0.0.1]")
            && [": disconnect from ", ": fatal: "]
                .iter()
                .any(|end| line.contains(end))
    };
    wait_for("the end of the session in the log", || {
        log().get(logged..).is_some_and(|new| new.lines().any(is_end))
    });
    let warned = warnings(&log()[logged..]);
    let is_access = |(_, value): &Setting| value.starts_with("check_");
    match case.settings.iter().any(is_access) {
        true => told + &warned,
        // The others say which table failed in words of their own, or not yet.
        false => {
            let refusals = warned.lines().filter(|line| line.starts_with("log NOQUEUE"));
            refusals.fold(told, |told, line| told + line + "\n")
        }
    }
}

fn warnings(log: &str) -> String {
    let of_smtpd = log.lines().filter_map(|line| line.split_once("smtpd["));
    let texts = of_smtpd.filter_map(|(_, line)| line.split_once("]: "));
    let mut found: Vec<String> = texts
        .map(|(_, text)| split_rule(text).0)
        .filter(|text| {
            ["warning: ", "fatal: ", "NOQUEUE: "]
                .iter()
                .any(|start| text.starts_with(start))
        })
        // Postfix says it of a socketmap's server a second time.
        .filter(|text| !text.starts_with("warning: connect to 127."))
        .map(|text| format!("log {}\n", without_cause(text)))
        .collect();
    found.dedup();
    found.concat()
}

/// Why a file is no database, or an answer no answer, is told in words of one's own.
fn without_cause(text: &str) -> String {
    let own_words = [
        (" is unavailable. open database ", ": "),
        ("read TCP map reply from ", ": "),
        (" lookup error: ", ""),
    ];
    for (start, end) in own_words {
        if let Some((before, after)) = text.split_once(start) {
            let kept = if end.is_empty() {
                ""
            } else {
                after.split(end).next().unwrap_or_default()
            };
            return format!("{before}{start}{kept}{end}*");
        }
    }
    text.to_owned()
}

/// A whole reply; that to EHLO is another matter but for its words that a table takes away.
fn reply(client: &mut LineClient) -> String {
    let reply = client.try_reply();
    match reply.contains("PIPELINING") {
        true => "250 with PIPELINING".to_owned(),
        false => reply,
    }
}
