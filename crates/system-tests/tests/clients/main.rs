//! The real binary with real clients: golden dialogues over TCP, and a round trip with every client that Debian has
//! and administrators use, each with STARTTLS and with TLS from the start where the client can.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

mod certificates;
mod commands;
mod curl;
mod dialogues;
mod fetchmail;
mod filters;
mod getmail;
mod mbsync;
mod mechanisms;
mod msmtp;
mod mutt;
mod python;
mod s_nail;
mod sessions;
mod swaks;

use system_tests::{Sandbox, wait_for};

/// A message to alice with a subject of its own.
fn letter(subject: &str) -> String {
    format!(
        "From: Sender <sender@example.org>\nTo: alice@localhost\nSubject: {subject}\n\nA line.\n.a line with a dot\n\n\
         The last line of {subject}.\n"
    )
}

/// Waits until exactly one message in the inbox of `user` holds this text, and returns it.
#[track_caller]
fn arrived(sandbox: &Sandbox, user: &str, text: &str) -> String {
    let mut found = Vec::new();
    wait_for(&format!("{text:?} to arrive at {user}"), || {
        found = sandbox.maildir(user, "Maildir");
        found.retain(|octets| String::from_utf8_lossy(octets).contains(text));
        !found.is_empty()
    });
    assert_eq!(found.len(), 1, "{text:?} arrived more than once");
    String::from_utf8_lossy(&found[0]).into_owned()
}

/// Puts a letter into the inbox of `user` by SMTP and waits for it.
#[track_caller]
fn deliver(sandbox: &Sandbox, user: &str, subject: &str) {
    let mut smtp = system_tests::lines::LineClient::connect(sandbox.ports().smtp);
    assert!(smtp.smtp("").starts_with("220 "));
    assert!(smtp.smtp("HELO client.example.org").starts_with("250 "));
    assert!(smtp.smtp("MAIL FROM:<sender@example.org>").starts_with("250 "));
    assert!(
        smtp.smtp(&format!("RCPT TO:<{user}@localhost>"))
            .starts_with("250 ")
    );
    assert!(smtp.smtp("DATA").starts_with("354 "));
    let text = letter(subject).replace("\n.", "\n..").replace('\n', "\r\n");
    assert!(smtp.smtp(&format!("{text}.")).starts_with("250 "));
    assert!(smtp.smtp("QUIT").starts_with("221 "));
    arrived(sandbox, user, &format!("The last line of {subject}."));
}
