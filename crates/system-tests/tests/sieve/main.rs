//! Sieve scripts beside Debian's Pigeonhole: the same scripts and messages are given to its `sieve-test` and to ours; the
//! actions, and what is said of scripts with mistakes, line for line, must be the same.
//!
//! The pairs are in `scenarios/sieve/*.cases`: a line `== message=NAME` and a script; `different=yes` where we differ on purpose,
//! for a reason in `conformance/differences.tsv`. One of them: `YUBIN_CASES=tests.cases:31 cargo test -p system-tests --test sieve`.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many pairs there are at least.
const PAIRS_MIN: usize = 150;

/// A script with its message.
struct Pair {
    name: String,
    message: String,
    script: String,
    different: bool,
}

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/sieve")
}

fn pairs() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for file in ["errors.cases", "actions.cases", "tests.cases"] {
        let text = std::fs::read_to_string(scenarios().join(file)).unwrap();
        let mut open = false;
        for (number, line) in text.lines().enumerate() {
            if let Some(options) = line.strip_prefix("==") {
                let option = |name: &str| {
                    let words = options.split_whitespace();
                    words
                        .filter_map(|word| word.strip_prefix(name)?.strip_prefix('='))
                        .next()
                };
                open = true;
                pairs.push(Pair {
                    name: format!("{file}:{}", number + 1),
                    message: option("message").unwrap_or("plain").to_owned(),
                    script: String::new(),
                    different: option("different").is_some(),
                });
            } else if open {
                let script = &mut pairs.last_mut().unwrap().script;
                script.push_str(line);
                script.push('\n');
            }
        }
    }
    pairs
}

/// A configuration that both read.
fn configuration(directory: &Path) -> String {
    let own = directory.display();
    let included = scenarios().join("included");
    let included = included.display();
    // Pigeonhole's tools give up root's rights.
    let ids = if rustix::process::geteuid().is_root() {
        "mail_uid = 65534\nmail_gid = 65534\nfirst_valid_uid = 1\n"
    } else {
        ""
    };
    format!(
        "protocols =\n{ids}mail_location = maildir:{own}/mail\npostmaster_address = postmaster@example.com\n\
         log_path = /dev/stderr\nplugin {{\n  sieve = file:{included};active={own}/active.sieve\n  sieve_dir = {included}\n\
         sieve_user_email = bob@example.com\n  sieve_plugins = sieve_extprograms\n  sieve_pipe_bin_dir = {own}\n\
         sieve_filter_bin_dir = {own}\n  sieve_execute_bin_dir = {own}\n\
         sieve_spamtest_status_type = score\n  sieve_spamtest_status_header = X-Spam-Score\n  sieve_spamtest_max_value = 10\n\
         sieve_extensions = +vacation-seconds +editheader +mboxmetadata +servermetadata +spamtest +spamtestplus +virustest \
         +special-use +vnd.dovecot.debug +vnd.dovecot.environment +vnd.dovecot.report +vnd.dovecot.pipe +vnd.dovecot.filter \
         +vnd.dovecot.execute +imapflags +notify\n}}\n"
    )
}

/// What is shown, as lines that can be compared: in no order between the two streams, without what only one of them says.
fn lines(command: &mut Command) -> Vec<String> {
    let output = command.output().unwrap();
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let compiled = !text.contains("failed to compile");
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| line.strip_prefix("sieve-test: ").unwrap_or(line))
        .filter(|line| !line.trim().is_empty())
        .filter(|line| {
            let theirs = [
                "failed to compile",
                "checked duplicate",
                "ignored unknown extension",
                "final result: success",
            ];
            !theirs.iter().any(|words| line.contains(words))
        })
        // Of a run Pigeonhole does not always say where.
        .map(|line| {
            if compiled {
                without_place(line)
            } else {
                line.to_owned()
            }
        })
        .collect();
    lines.sort();
    lines
}

fn without_place(line: &str) -> String {
    for word in ["error: ", "warning: ", "info: "] {
        if let Some(at) = line.find(word).filter(|&at| line[..at].ends_with(": ")) {
            return line[at..].to_owned();
        }
    }
    line.to_owned()
}

#[test]
fn scripts_do_what_pigeonhole_does() {
    if !testkit::skip::has_program("/usr/bin/sieve-test", "dovecot-sieve") {
        return;
    }
    let sandbox = tempfile::tempdir().unwrap();
    let directory = sandbox.path();
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o777)).unwrap();
    let configuration_file = directory.join("dovecot.conf");
    std::fs::write(&configuration_file, configuration(directory)).unwrap();
    let wanted = std::env::var("YUBIN_CASES").ok();
    let pairs = pairs();
    assert!(pairs.len() >= PAIRS_MIN);
    let mut wrong = Vec::new();
    for (number, pair) in pairs.iter().enumerate() {
        if wanted.as_ref().is_some_and(|wanted| !pair.name.contains(wanted)) {
            continue;
        }
        let script = directory.join(format!("s{number}.sieve"));
        std::fs::write(&script, &pair.script).unwrap();
        let message = scenarios().join("messages").join(format!("{}.eml", pair.message));
        let run = |program: &mut Command| {
            let arguments = [
                Path::new("-c"),
                &configuration_file,
                Path::new("-C"),
                &script,
                &message,
            ];
            lines(
                program
                    .args(arguments)
                    .env("HOME", directory)
                    .current_dir(directory),
            )
        };
        let theirs = run(&mut Command::new("/usr/bin/sieve-test"));
        let ours = run(Command::new(system_tests::binary()).arg("sieve-test"));
        if (theirs == ours) == pair.different {
            wrong.push(difference(pair, &theirs, &ours));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} pairs:\n{}",
        wrong.len(),
        pairs.len(),
        wrong.join("\n")
    );
}

#[test]
fn our_own_tests_of_the_language_pass() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sieve/tests/suite");
    let mut files: Vec<_> = std::fs::read_dir(suite)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "svtest"));
    files.sort();
    assert!(!files.is_empty());
    let output = Command::new(system_tests::binary())
        .arg("sieve-testsuite")
        .args(&files)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let (failed, errors) = (
        text.lines().filter(|line| line.contains("FAIL")),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{}\n{errors}",
        failed.collect::<Vec<_>>().join("\n")
    );
}

fn difference(pair: &Pair, theirs: &[String], ours: &[String]) -> String {
    if theirs == ours {
        return format!("{}: the same, but said to be different", pair.name);
    }
    let (theirs, ours): (BTreeSet<_>, BTreeSet<_>) = (theirs.iter().collect(), ours.iter().collect());
    let only = |mark: char, one: &BTreeSet<&String>, other: &BTreeSet<&String>| {
        let lines = one.difference(other).map(|line| format!("  {mark} {line}\n"));
        lines.collect::<String>()
    };
    format!(
        "{}:\n{}{}",
        pair.name,
        only('<', &theirs, &ours),
        only('>', &ours, &theirs)
    )
}
