//! The IMAP and POP3 dialogues against Debian's Dovecot.

use std::net::{Ipv4Addr, SocketAddr};

use system_tests::incumbent::{Dovecot, dialogues_of};
use testkit::dialogue::Step;
use testkit::{Dialogue, Run, TcpPeer};

/// Dialogues in which Yubin answers otherwise on purpose: with what Dovecot 2.3 does not have (REPLACE, UTF8=ACCEPT, APPENDLIMIT; UTF8
/// and LANG of POP3).
const DIFFERENT: &[&str] = &["multiappend.imap", "utf8.pop3"];

const ACCOUNTS: &[(&str, &str)] = &[("alice", "secret"), ("student", "password")];

/// Makes the new accounts what a dialogue takes for granted; whether that can be done.
fn fit(dovecot: &Dovecot, dialogue: &Dialogue) -> bool {
    let header = "From: a@example.test\r\nTo: bob@example.test\r\n";
    dialogue.given.iter().all(|(key, value)| match key.as_str() {
        "letter" => {
            let text = format!("{header}Subject: m{value}\r\n\r\nline one\r\n.dot\r\nline three\r\n");
            dovecot.put_message("alice", &format!("{value}.test"), text.as_bytes());
            true
        }
        "message" => {
            let octets: usize = value.parse().expect("a number of octets");
            let body = "x".repeat(octets - header.len() - 4);
            dovecot.put_message("student", "1.test", format!("{header}\r\n{body}\r\n").as_bytes());
            true
        }
        "user" => value == "student",
        "password" => value == "password",
        "pop3_enable_last" => value == "yes",
        "account" => value == "alice secret, no mail yet",
        "separator" => value == ".",
        _ => false,
    })
}

/// The other program's name, and the settings that a dialogue asks for.
fn settings_of(dialogue: &Dialogue) -> String {
    let mut settings = "login_greeting = Yubin ready.\n".to_owned();
    for (name, value) in &dialogue.given {
        if name.starts_with("pop3_") {
            settings.push_str(&format!("{name} = {value}\n"));
        }
    }
    settings
}

#[test]
fn imap_and_pop3_dialogues_are_those_of_dovecot() {
    let mut failures = Vec::new();
    for protocol in ["imap", "pop3"] {
        for dialogue in Dialogue::all_in(&dialogues_of(protocol), protocol).unwrap() {
            // No handshake from here, and nobody's clock can be moved.
            let is_possible = |(_, step): &(usize, Step)| !matches!(step, Step::Tls | Step::Pass(_));
            if !dialogue.steps.iter().all(is_possible) {
                continue;
            }
            let Some(dovecot) = Dovecot::start(ACCOUNTS, &settings_of(&dialogue)) else {
                return;
            };
            if !fit(&dovecot, &dialogue) {
                continue;
            }
            let port = match protocol {
                "imap" => dovecot.imap,
                _ => dovecot.pop3,
            };
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let mut peer = TcpPeer::connect(address, Box::new(|_, _| true)).unwrap();
            if let Err(failure) = Run::default().run(&dialogue, &mut peer) {
                failures.push((dialogue.name.clone(), failure.to_string()));
            }
        }
    }
    let (expected, new): (Vec<_>, Vec<_>) = failures
        .iter()
        .partition(|(name, _)| DIFFERENT.contains(&name.as_str()));
    let texts: Vec<&str> = new.iter().map(|(_, text)| text.as_str()).collect();
    assert!(texts.is_empty(), "{}", texts.join("\n\n"));
    assert_eq!(
        expected.len(),
        DIFFERENT.len(),
        "a difference is gone: {expected:?}"
    );
}
