//! IMAP and POP3 beside Debian's Dovecot: the same mail, the same lines from the same clients; what each client is told must be
//! the same. The cases are in `scenarios/imap/` and `scenarios/pop3/`, one file a subject; the README in each says how they are
//! written. Where Yubin tells something else on purpose: `conformance/imap-differences.tsv` and `pop3-differences.tsv`.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

mod case;
mod mail;
mod transcript;

use std::collections::HashSet;
use std::path::Path;

use crate::Sandbox;
use crate::incumbent::Dovecot;

use case::{Case, File};
use transcript::{Account, Transcript};

/// For both; each file adds its own.
const DOVECOT_CONF: &str = "login_greeting = Ready.\nmail_max_userip_connections = 100\nauth_failure_delay = 0\n\
    service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n";
const PASSWORD: &str = "secret";

/// The accounts of a case: its own, and the other one that `o>` speaks for.
fn accounts(number: usize) -> [String; 2] {
    [format!("u{number}"), format!("o{number}")]
}

/// What is spoken in a file of cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Protocol {
    Imap,
    Pop3,
}

impl Protocol {
    /// `imap`, `pop3`: a directory of `scenarios/`, and the service's name in logs.
    fn name(self) -> &'static str {
        match self {
            Protocol::Imap => "imap",
            Protocol::Pop3 => "pop3",
        }
    }
}

/// Has both servers go through the cases of a protocol, or those that `YUBIN_CASES` names (parts of `file/name`, with commas
/// between them). Skips without Dovecot.
///
/// # Panics
/// When there is a difference without a reason, or a reason without a difference.
pub fn compare(protocol: Protocol) {
    let names = std::env::var("YUBIN_CASES").unwrap_or_default();
    let mut reasons = Differences::read(protocol);
    let mut differences = String::new();
    let mut count = 0;
    for mut file in case::read(protocol) {
        file.cases
            .retain(|case| names.split(',').any(|part| case.name.contains(part)));
        if file.cases.is_empty() {
            continue;
        }
        let Some(both) = Both::start(protocol, &file) else {
            return;
        };
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
    protocol: Protocol,
    theirs: Dovecot,
    ours: Sandbox,
}

impl Both {
    /// `None` without Dovecot.
    fn start(protocol: Protocol, file: &File) -> Option<Both> {
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
        Some(Both {
            protocol,
            theirs,
            ours,
        })
    }

    fn run(&self, number: usize, case: &Case) -> (Transcript, Transcript) {
        let [user, other] = accounts(number);
        let told = |port, home: &Path, log: &dyn Fn() -> String| {
            let account = Account {
                protocol: self.protocol,
                port,
                user: &user,
                other: &other,
                password: PASSWORD,
                log,
            };
            mail::put(home, case);
            if self.protocol == Protocol::Imap {
                let folders = case.mail.iter().map(|(folder, _)| folder.clone());
                transcript::look_into(folders, &account);
            }
            Transcript::of(case, &account, home)
        };
        let (theirs, ours, ports) = (&self.theirs, &self.ours, self.ours.ports());
        let (their_port, our_port) = match self.protocol {
            Protocol::Imap => (theirs.imap, ports.imap),
            Protocol::Pop3 => (theirs.pop3, ports.pop3),
        };
        (
            told(their_port, &theirs.home(&user), &|| theirs.log()),
            told(our_port, &ours.home(&user), &|| ours.mailbox_log()),
        )
    }
}

/// `conformance/PROTOCOL-differences.tsv`: case and reason.
struct Differences {
    file: String,
    unused: HashSet<String>,
    listed: HashSet<String>,
}

impl Differences {
    fn read(protocol: Protocol) -> Differences {
        let file = format!("{}-differences.tsv", protocol.name());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance");
        let text = std::fs::read_to_string(path.join(&file)).unwrap();
        let rows = text.lines().skip(1).map(|row| match row.split_once('\t') {
            Some((name, reason)) if !reason.trim().is_empty() => name.to_owned(),
            _ => panic!("{file}: {row:?} is not a case and a reason"),
        });
        let listed: HashSet<String> = rows.collect();
        Differences {
            unused: listed.clone(),
            listed,
            file,
        }
    }

    fn has(&mut self, name: &str) -> bool {
        self.unused.remove(name);
        self.listed.contains(name)
    }

    fn of_nothing(&self) -> String {
        let rows = self.unused.iter();
        rows.map(|name| format!("{}: there is no case {name}\n", self.file))
            .collect()
    }
}
