//! The scenarios of `scenarios/` under both mail systems, at the same time, each in a host of its own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use system_tests::users::{self, Differences, Host, Kind, Scenario, Service, Snapshot, Told};

/// Names scenarios to run, with commas between; all without it.
const CHOICE: &str = "YUBIN_SCENARIOS";
/// What is compared with Postfix; `Postfix` shows which scenarios do not end in the same way every time.
const SECOND: &str = "YUBIN_SECOND";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn chosen() -> Vec<Scenario> {
    let mut all = Scenario::all_in(&directory());
    if let Ok(choice) = std::env::var(CHOICE) {
        all.retain(|scenario| choice.split(',').any(|part| scenario.name.contains(part)));
    }
    all
}

#[test]
fn mail_lands_where_postfix_puts_it() {
    if !system_tests::has_program("/usr/sbin/postfix", "postfix") || !users::can_make_hosts() {
        return;
    }
    let second = std::env::var(SECOND).unwrap_or_else(|_| "Yubin".to_owned());
    let yubin = std::thread::spawn(move || users::run_in_host("delivery::inside_the_host", &second));
    let postfix = users::run_in_host("delivery::inside_the_host", "Postfix");
    let yubin = yubin.join().unwrap();
    let all = chosen();
    let report = report(&all, &postfix, &yubin);
    show(&report.table);
    assert!(report.different.is_empty(), "{}", report.different);
}

struct Report {
    table: String,
    different: String,
}

fn report(all: &[Scenario], postfix: &Told, yubin: &Told) -> Report {
    let mut differences = Differences::read();
    let (mut table, mut different) = (String::new(), String::new());
    let shows_all = std::env::var_os(CHOICE).is_some();
    for scenario in all {
        let name = scenario.name.as_str();
        let (first, second) = (&postfix[name], &yubin[name]);
        let lines = users::compare(first, second);
        let count = lines.len();
        let left = differences.unexplained(name, lines);
        let verdict = match (count, left.len()) {
            (0, _) => "equal",
            (_, 0) => "equal but for delivery-differences.tsv",
            _ => "DIFFERENT",
        };
        writeln!(table, "{name:<34} {verdict}").unwrap();
        if shows_all {
            writeln!(table, "--- Postfix\n{first}--- Yubin\n{second}").unwrap();
        }
        if !left.is_empty() {
            let lines = left.join("\n  ");
            writeln!(
                different,
                "{name} ({}): - Postfix, + Yubin\n  {lines}\n",
                scenario.why
            )
            .unwrap();
        }
    }
    for row in differences.unused(|of| !shows_all && (of == "*" || postfix.contains_key(of))) {
        writeln!(
            different,
            "a difference of delivery-differences.tsv is gone: {row}"
        )
        .unwrap();
    }
    Report { table, different }
}

/// The second test: runs the scenarios under one of the two.
#[test]
#[ignore = "run by mail_lands_where_postfix_puts_it in a host of its own"]
fn inside_the_host() {
    let Some(task) = users::task() else { return };
    let kind = match task.as_str() {
        "Yubin" => Kind::Yubin,
        _ => Kind::Postfix,
    };
    // Before the directory may be hidden.
    let scenarios = chosen();
    let host = Host::make();
    for scenario in &scenarios {
        users::print_block(&scenario.name, &run(kind, &host, scenario));
    }
}

fn run(kind: Kind, host: &Host, scenario: &Scenario) -> String {
    host.furnish(scenario);
    let before = Snapshot::take();
    let mut service = Service::start(kind, host, scenario);
    let mut told = String::new();
    for (number, mail) in scenario.mails.iter().enumerate() {
        for refused in service.submit(mail, &format!("{}-{number}", scenario.name)) {
            writeln!(told, "refused {refused}").unwrap();
        }
        // In order, so that what comes of one mail does not depend on the next.
        if let Some(busy) = service.wait_for_rest() {
            writeln!(told, "the queue does not come to rest: {busy}").unwrap();
        }
    }
    service.stop();
    told + &Snapshot::take().tell(&before, &service.log())
}

#[allow(
    clippy::print_stdout,
    reason = "what a test prints is shown with its failure, or with --nocapture"
)]
fn show(text: &str) {
    println!("{text}");
}
