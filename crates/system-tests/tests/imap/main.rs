//! IMAP beside Debian's Dovecot: the same mail, the same lines from the same clients; what each client is told must be the same.
//!
//! The cases are in `scenarios/imap/`, one file a subject; the README there says how they are written. Some of them:
//! `YUBIN_CASES=NAME cargo test -p system-tests --test imap -- --nocapture` (several with commas; a part of `file/name` is
//! enough). Where Yubin tells something else on purpose: `conformance/imap-differences.tsv`.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

mod case;
mod mail;
mod transcript;

use std::collections::HashSet;
use std::path::Path;

use system_tests::Sandbox;
use system_tests::incumbent::Dovecot;

use case::{Case, File};
use transcript::{Account, Transcript};

/// For both; each file adds its own.
const DOVECOT_CONF: &str = "login_greeting = Ready.\nmail_max_userip_connections = 100\n";
const PASSWORD: &str = "secret";

/// The accounts of a case: its own, and the other one that `o>` speaks for.
fn accounts(number: usize) -> [String; 2] {
    [format!("u{number}"), format!("o{number}")]
}

#[test]
fn clients_are_told_what_dovecot_tells_them() {
    let names = std::env::var("YUBIN_CASES").unwrap_or_default();
    let mut reasons = Differences::read();
    let mut differences = String::new();
    let mut count = 0;
    for mut file in case::read() {
        file.cases
            .retain(|case| names.split(',').any(|part| case.name.contains(part)));
        if file.cases.is_empty() {
            continue;
        }
        let Some(both) = Both::start(&file) else { return };
        for (number, case) in file.cases.iter().enumerate() {
            let (theirs, ours) = both.run(number, case);
            if !names.is_empty() {
                show(&format!("== {}\n{theirs}", case.name));
            }
            count += 1;
            let has_reason = reasons.has(&case.name);
            if (theirs != ours) != has_reason {
                differences.push_str(&theirs.difference(&ours, &case.name));
            }
        }
    }
    show(&format!("{count} cases"));
    if names.is_empty() {
        differences.push_str(&reasons.of_nothing());
    }
    assert!(differences.is_empty(), "{differences}");
}

#[allow(
    clippy::print_stdout,
    reason = "a failing test, or one that is asked to, shows it"
)]
fn show(text: &str) {
    println!("{text}");
}

/// Both servers, with the accounts of a file of cases.
struct Both {
    theirs: Dovecot,
    ours: Sandbox,
}

impl Both {
    /// `None` without Dovecot.
    fn start(file: &File) -> Option<Both> {
        let names: Vec<String> = (0..file.cases.len()).flat_map(accounts).collect();
        let users: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), PASSWORD)).collect();
        let conf = format!("{DOVECOT_CONF}{}", file.dovecot_conf);
        let theirs = Dovecot::start(&users, &conf)?;
        let mut ours = Sandbox::start();
        ours.stop();
        ours.append_to("dovecot.conf", &conf);
        for name in &names {
            ours.add_account(name, PASSWORD);
        }
        ours.launch();
        Some(Both { theirs, ours })
    }

    fn run(&self, number: usize, case: &Case) -> (Transcript, Transcript) {
        let [user, other] = accounts(number);
        let account = |port| Account {
            port,
            user: &user,
            other: &other,
            password: PASSWORD,
        };
        let told = |port, home: &Path| {
            mail::put(home, case);
            let folders = case.mail.iter().map(|(folder, _)| folder.clone());
            transcript::look_into(folders, &account(port));
            Transcript::of(case, &account(port), home)
        };
        (
            told(self.theirs.imap, &self.theirs.home(&user)),
            told(self.ours.ports().imap, &self.ours.home(&user)),
        )
    }
}

/// `conformance/imap-differences.tsv`: case and reason.
struct Differences {
    unused: HashSet<String>,
    listed: HashSet<String>,
}

impl Differences {
    fn read() -> Differences {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../conformance/imap-differences.tsv"
        );
        let text = std::fs::read_to_string(path).unwrap();
        let rows = text.lines().skip(1).map(|row| match row.split_once('\t') {
            Some((name, reason)) if !reason.trim().is_empty() => name.to_owned(),
            _ => panic!("imap-differences.tsv: {row:?} is not a case and a reason"),
        });
        let listed: HashSet<String> = rows.collect();
        Differences {
            unused: listed.clone(),
            listed,
        }
    }

    fn has(&mut self, name: &str) -> bool {
        self.unused.remove(name);
        self.listed.contains(name)
    }

    fn of_nothing(&self) -> String {
        let rows = self.unused.iter();
        rows.map(|name| format!("imap-differences.tsv: there is no case {name}\n"))
            .collect()
    }
}
