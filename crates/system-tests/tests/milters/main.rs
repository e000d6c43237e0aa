//! Milters beside Debian's Postfix: the same settings and the same filters; what a client is told, what the filters hear, what
//! the log says and what is delivered must be the same.
//!
//! The cases are in `scenarios/milters.cases`. One of them: `YUBIN_CASES=NAME cargo test -p system-tests --test milters --
//! --nocapture` (several with commas; a part of a name is enough).

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

mod case;
mod filter;
mod proxy;
mod real_filters;
mod scripted;
mod sink;

use std::net::{Ipv4Addr, SocketAddr};

use system_tests::incumbent::Postfix;
use system_tests::lines::LineClient;
use system_tests::side_by_side::{self, Ledger, OUR_FIRST_PORT, THEIR_FIRST_PORT, main_cf};
use system_tests::users::Host;
use system_tests::{Sandbox, wait_for};

use case::{Case, Told};
use scripted::Scripted;
use sink::Sink;

/// What both have in common.
const MAIN_CF: &[(&str, &str)] = &[
    ("myhostname", "mx.example.test"),
    ("mydestination", "$myhostname, localhost, example.test"),
    ("myorigin", "example.test"),
    ("local_recipient_maps", "inline:{ a=x, b=x, c=x, copy=x, root=x }"),
    ("local_transport", "smtp:[127.0.0.1]:9025"),
    ("default_transport", "smtp:[127.0.0.1]:9025"),
    ("relay_transport", "smtp:[127.0.0.1]:9025"),
    ("mynetworks", "127.0.0.9/32"),
    ("virtual_alias_domains", "alias.example"),
    ("virtual_alias_maps", "inline:{ v@alias.example=b@example.test }"),
    ("inet_protocols", "ipv4"),
    (
        "smtpd_relay_restrictions",
        "permit_mynetworks, reject_unauth_destination",
    ),
    ("smtpd_recipient_restrictions", ""),
    ("smtpd_error_sleep_time", "0"),
    ("notify_classes", ""),
    ("smtpd_peername_lookup", "no"),
    ("smtp_tls_security_level", "none"),
    ("smtp_destination_recipient_limit", "50"),
    ("smtp_connection_cache_on_demand", "no"),
    ("smtpd_tls_security_level", "none"),
    ("milter_macro_v", "V"),
    (
        "smtpd_discard_ehlo_keywords",
        "starttls, chunking, etrn, vrfy, smtputf8",
    ),
];
/// Cases in which Yubin says something else on purpose; the reasons are in `conformance/differences.tsv`.
const DIFFERENT: &[&str] = &[
    "MAIL quarantine",
    "MAIL continue with data",
    "MAIL reply without NUL",
    "EOM shutdown",
    "EOM close",
    "replbody LF",
    "no such name",
    "helo twice inside a transaction",
    "proxy: no such name",
    "proxy: end of data restriction",
    "proxy: held",
    "proxy: discarded",
    "proxy: too large",
];
const CLIENT: [u8; 4] = [127, 0, 0, 2];

#[test]
fn filters_are_heard_as_by_postfix() {
    side_by_side::compare();
}

/// What the programs talk to.
struct Surroundings {
    filters: [Scripted; 2],
    proxy: Scripted,
    sink: Sink,
}

/// The second test: a host with filters, Postfix and Yubin.
#[test]
#[ignore = "run by filters_are_heard_as_by_postfix in a host of its own"]
fn inside_the_host() {
    let Some(is_wanted) = side_by_side::wanted() else {
        return;
    };
    let mut cases = case::read();
    cases.retain(|case| is_wanted(&case.name));
    assert!(!cases.is_empty());
    let _host = Host::make();
    let around = Surroundings {
        filters: [9001, 9002].map(filter::start),
        proxy: proxy::start(9003),
        sink: Sink::start(9025),
    };
    let theirs = theirs(&cases);
    let mut ours = std::env::var_os("YUBIN_ONLY_POSTFIX")
        .is_none()
        .then(|| ours(&cases));
    let mut ledger = Ledger::new(DIFFERENT);
    for (number, case) in (0..).zip(&cases) {
        let by_theirs = by_theirs(case, THEIR_FIRST_PORT + number, &around, &theirs);
        ledger.told(&case.name, &by_theirs);
        if let Some(ours) = &mut ours {
            let by_ours = by_ours(case, OUR_FIRST_PORT + number, &around, ours);
            ledger.compare(&case.name, &by_theirs, &by_ours);
        }
    }
    ledger.tell();
}

fn theirs(cases: &[Case]) -> Postfix {
    let services: Vec<_> = (THEIR_FIRST_PORT..)
        .zip(cases)
        .map(|(port, case)| match case.sendmail {
            None => (port, case.settings.clone()),
            Some(_) => (port, Vec::new()),
        })
        .collect();
    let postfix = Postfix::start_with_cleanups(&main_cf(MAIN_CF), &services).unwrap();
    // Each was knocked at.
    wait_for("the end of the first sessions", || {
        let log = postfix.log();
        let ends = [": disconnect from ", ": fatal: "].map(|words| log.matches(words).count());
        ends.iter().sum::<usize>() >= cases.len()
    });
    postfix
}

fn ours(cases: &[Case]) -> Sandbox {
    let mut sandbox = side_by_side::stopped(MAIN_CF);
    let rows = (OUR_FIRST_PORT..).zip(cases);
    let rows = rows.map(|(port, case)| match case.sendmail {
        None => side_by_side::row_with_cleanup(port, &case.settings),
        Some(_) => side_by_side::row(port, &[]),
    });
    sandbox.append_to("master.cf", &rows.collect::<String>());
    sandbox.launch();
    sandbox
}

fn by_theirs(case: &Case, port: u16, around: &Surroundings, theirs: &Postfix) -> Told {
    let Some(arguments) = &case.sendmail else {
        return run(case, port, around, &|| theirs.log());
    };
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let set = |(name, value): &(String, String)| theirs.edit(&format!("{name}={value}"));
    case.settings.iter().for_each(set);
    let leave = |letter: &str| theirs.sendmail(&words, letter).success();
    let told = run_local(case, around, &|| theirs.log(), &|letter| drop(leave(letter)));
    for (name, _) in &case.settings {
        theirs.command("postconf", &["-X", name], "").success();
    }
    theirs
        .command("postsuper", &["-d", "ALL", "maildrop", "hold"], "")
        .success();
    told
}

/// Mail that a user of the host leaves.
fn run_local(case: &Case, around: &Surroundings, log: &dyn Fn() -> String, leave: &dyn Fn(&str)) -> Told {
    prepare(case, around);
    let logged = log().len();
    let content = case.lines.iter().filter_map(|line| line.strip_prefix('|'));
    let letter: String = content
        .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
        .collect();
    leave(&letter);
    let new = || log().get(logged..).unwrap_or_default().to_owned();
    wait_for(&format!("the mail to be gone: {}\n{}", case.name, new()), || {
        let log = new();
        let id = log
            .split(": uid=")
            .next()
            .and_then(|before| before.rsplit(' ').next());
        let ends = ["removed", "milter-reject:", "milter-hold:", "milter-discard:"];
        let is_left = log.contains(": uid=");
        is_left && id.is_some_and(|id| ends.iter().any(|end| log.contains(&format!("{id}: {end}"))))
    });
    wait_for(&format!("the filters to be left: {}", case.name), || {
        !around.filters.iter().any(Scripted::is_busy) && !around.proxy.is_busy()
    });
    let is_own = |text: &String| !text.starts_with("MAIL FROM:<> ") && !text.starts_with("MAIL FROM:<>\n");
    // What is put off may be tried again at once, or later: the first attempt counts.
    let told = Told {
        replies: Vec::new(),
        log: lines_of(first_attempt(&new())),
        heard: first_sessions(heard(around)),
        mail: around.sink.take().into_iter().filter(is_own).collect(),
    };
    told.settled(0)
}

fn by_ours(case: &Case, port: u16, around: &Surroundings, ours: &mut Sandbox) -> Told {
    let of_all: Vec<_> = case.settings.iter().filter(|_| case.sendmail.is_some()).collect();
    let main_cf = ours.config_directory().join("main.cf");
    let before = std::fs::read_to_string(&main_cf).unwrap();
    of_all
        .iter()
        .for_each(|(name, value)| ours.edit_main_cf(name, value));
    if !of_all.is_empty() {
        ours.reload();
    }
    let told = match &case.sendmail {
        None => run(case, port, around, &|| ours.log()),
        Some(arguments) => {
            let words: Vec<&str> = arguments.split_whitespace().collect();
            let leave = |letter: &str| drop(ours.run("sendmail", &words, letter).success());
            let told = run_local(case, around, &|| ours.log(), &leave);
            ours.run("postsuper", &["-d", "ALL", "maildrop", "hold"], "")
                .success();
            told
        }
    };
    std::fs::write(&main_cf, before).unwrap();
    if !of_all.is_empty() {
        ours.reload();
    }
    told
}

fn prepare(case: &Case, around: &Surroundings) {
    for (filter, script) in around.filters.iter().zip(&case.scripts) {
        filter.play(script);
    }
    around.proxy.play(&case.proxy);
    around.sink.take();
}

/// One case with one program.
fn run(case: &Case, port: u16, around: &Surroundings, log: &dyn Fn() -> String) -> Told {
    prepare(case, around);
    let logged = log().len();
    let replies = talk(case, SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let new = || log().get(logged..).unwrap_or_default().to_owned();
    wait_for(
        &format!("the end of the session in the log: {}\n{}", case.name, new()),
        || {
            [": disconnect from ", ": fatal: "]
                .iter()
                .any(|end| new().contains(end))
        },
    );
    wait_for(&format!("the filters to be left: {}", case.name), || {
        !around.filters.iter().any(Scripted::is_busy) && !around.proxy.is_busy()
    });
    wait_for(&format!("the mail to be gone: {}\n{}", case.name, new()), || {
        is_settled(&replies, &new())
    });
    let told = Told {
        replies,
        log: lines_of(&new()),
        heard: heard(around),
        mail: around.sink.take(),
    };
    told.settled(port)
}

fn heard(around: &Surroundings) -> Vec<String> {
    let numbered = |(number, filter): (usize, &Scripted)| -> Vec<String> {
        let lines = filter.heard().into_iter();
        lines.map(|line| format!("{number} {line}")).collect()
    };
    let by_filters = (1..).zip(&around.filters).flat_map(numbered);
    let by_proxy = around.proxy.heard().into_iter().map(|line| format!("3 {line}"));
    by_filters.chain(by_proxy).collect()
}

/// Whether all mail that was taken has left, is held, or goes nowhere.
fn is_settled(replies: &[String], log: &str) -> bool {
    let taken = replies.iter().filter_map(|reply| reply.split_once("queued as "));
    let ends = [
        "removed",
        "milter-reject:",
        "milter-hold:",
        "milter-discard:",
        "milter-header-hold:",
        "milter-header-discard:",
        "discard:",
        "hold:",
    ];
    let earlier = [
        "NOQUEUE: milter-discard",
        "NOQUEUE: milter-hold",
        "NOQUEUE: hold",
        "NOQUEUE: discard",
    ];
    taken.map(|(_, id)| id).all(|id| {
        let mut own = ends.iter().map(|what| format!("{id}: {what}"));
        own.any(|what| log.contains(&what)) || earlier.iter().any(|what| log.contains(what))
    })
}

/// Up to the second message that pickup names.
fn first_attempt(log: &str) -> &str {
    let second = log.match_indices(": uid=").nth(1);
    second.map_or(log, |(at, _)| &log[..at])
}

/// Up to the end of the first session with each filter.
fn first_sessions(heard: Vec<String>) -> Vec<String> {
    let mut over: Vec<String> = Vec::new();
    let mut kept = Vec::new();
    for line in heard {
        let number = line.split(' ').next().unwrap_or_default().to_owned();
        if over.contains(&number) {
            continue;
        }
        if line.ends_with(" QUIT") {
            over.push(number);
        }
        kept.push(line);
    }
    kept
}

/// What smtpd and cleanup wrote.
fn lines_of(log: &str) -> Vec<String> {
    let text = |line: &str| {
        let from = ["smtpd[", "cleanup["]
            .iter()
            .find_map(|tag| line.split_once(tag))?;
        Some(from.1.split_once("]: ")?.1.to_owned())
    };
    log.lines().filter_map(text).collect()
}

/// Says the case's lines; all replies.
fn talk(case: &Case, server: SocketAddr) -> Vec<String> {
    let mut client = LineClient::connect_from(CLIENT, server.port());
    let mut replies = vec![client.try_reply()];
    for line in &case.lines {
        match line.strip_prefix('|') {
            Some(content) => client.say(content.strip_prefix(' ').unwrap_or(content)),
            None => {
                if client.try_send(format!("{line}\r\n").as_bytes()).is_err() {
                    break;
                }
                let said = client.try_reply();
                let is_refused = line == "DATA" && !said.starts_with("354");
                replies.push(said);
                if is_refused {
                    break;
                }
            }
        }
    }
    // Who hung up may have done so before or after the next lines.
    while replies.last().is_some_and(String::is_empty) {
        replies.pop();
    }
    let _ = client.try_send(b"QUIT\r\n");
    while matches!(client.try_line(), Ok(Some(_))) {}
    replies
}
