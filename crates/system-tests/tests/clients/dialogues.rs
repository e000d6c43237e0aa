//! The protocol crates' dialogue files over TCP, each against a new embedded system made to fit its `given` lines, and
//! the dialogues that textbooks print.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use system_tests::Sandbox;
use system_tests::lines::LineClient;
use testkit::{Dialogue, Ran, Run, TcpPeer};

use crate::arrived;

/// How a system is made to fit a protocol's dialogues.
struct Fitting {
    /// The crate, and the extension of its files.
    protocol: &'static str,
    port: fn(&Sandbox) -> u16,
    /// What every dialogue takes for granted.
    prepare: fn(&mut Sandbox),
    /// One `given` line; whether it can be had.
    fit: fn(&mut Sandbox, &str, &str) -> bool,
}

impl Fitting {
    /// Runs every dialogue file of the crate. Returns the names of those that did not run to their last line.
    fn run(&self) -> Vec<String> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(self.protocol)
            .join("dialogues");
        let mut others = Vec::new();
        let mut failures = Vec::new();
        for dialogue in Dialogue::all_in(&directory, self.protocol).expect("the crate has dialogues") {
            let mut sandbox = Sandbox::start();
            (self.prepare)(&mut sandbox);
            let mut given = dialogue.given.iter();
            if !given.all(|(key, value)| (self.fit)(&mut sandbox, key, value)) {
                others.push(dialogue.name);
                continue;
            }
            sandbox.reload();
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, (self.port)(&sandbox)));
            let mut peer = TcpPeer::connect(address, Box::new(|_, _| true)).expect("the port is open");
            match (Run { cuts: Some(7) }).run(&dialogue, &mut peer) {
                Ok(Ran::Whole) => {}
                Ok(Ran::Skipped(_)) => others.push(dialogue.name),
                Err(failure) => failures.push(failure.to_string()),
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n\n"));
        others
    }
}

#[test]
fn smtp_dialogues_hold_over_tcp() {
    let fitting = Fitting {
        protocol: "smtp",
        port: |sandbox| sandbox.ports().smtp,
        prepare: |sandbox| {
            sandbox.edit_main_cf("smtpd_tls_security_level", "none");
            sandbox.edit_main_cf("smtpd_error_sleep_time", "0");
            sandbox.edit_main_cf("mynetworks", "192.0.2.0/24");
            sandbox.edit_main_cf("mydestination", "$myhostname, localhost, example.test");
        },
        fit: |sandbox, key, value| {
            let (first, second) = value.split_once(' ').unwrap_or((value, ""));
            match key {
                "domain" => return value == "example.test",
                "relays" => sandbox.edit_main_cf("relay_domains", value),
                "users" => return value == "alice bob",
                "setting" => sandbox.edit_main_cf(first, second),
                "login" => {
                    sandbox.set_password(first, second);
                    sandbox.edit_main_cf("smtpd_sasl_auth_enable", "yes");
                }
                _ => return false,
            }
            true
        },
    };
    // One is about LMTP, some need a client that speaks TLS or a clock that can be moved.
    let others = [
        "auth-needs-tls.smtp",
        "lmtp.smtp",
        "starttls.smtp",
        "timeout.smtp",
    ];
    assert_eq!(fitting.run(), others);
}

#[test]
fn pop3_dialogues_hold_over_tcp() {
    let fitting = Fitting {
        protocol: "pop3",
        port: |sandbox| sandbox.ports().pop3,
        prepare: |sandbox| sandbox.set_password("alice", "secret"),
        fit: |sandbox, key, value| {
            let header = "From: a@example.test\r\nTo: bob@example.test\r\n";
            match key {
                "letter" => {
                    let text = format!("{header}Subject: m{value}\r\n\r\nline one\r\n.dot\r\nline three\r\n");
                    sandbox.put_message("alice", &format!("{value}.test"), text.as_bytes());
                }
                "user" => sandbox.add_account(value, "password"),
                "password" => return value == "password",
                "message" => {
                    let octets: usize = value.parse().expect("a number of octets");
                    let body = "x".repeat(octets - header.len() - 4);
                    let text = format!("{header}\r\n{body}\r\n");
                    sandbox.put_message("student", "1.test", text.as_bytes());
                }
                "pop3_enable_last" => sandbox.append_to("dovecot.conf", &format!("{key} = {value}\n")),
                _ => return false,
            }
            true
        },
    };
    // One needs a clock that can be moved, one a client that is not on this host.
    assert_eq!(fitting.run(), ["idle.pop3", "stls.pop3"]);
}

#[test]
fn imap_dialogues_hold_over_tcp() {
    let fitting = Fitting {
        protocol: "imap",
        port: |sandbox| sandbox.ports().imap,
        prepare: |sandbox| sandbox.set_password("alice", "secret"),
        fit: |_, key, value| {
            matches!(
                (key, value),
                ("account", "alice secret, no mail yet") | ("separator", ".")
            )
        },
    };
    // One needs namespaces with another separator.
    assert_eq!(fitting.run(), ["list-extended.imap"]);
}

#[test]
fn mail_is_not_flushed_for_domains_that_are_not_relayed_for() {
    let sandbox = Sandbox::start();
    let mut smtp = LineClient::connect(sandbox.ports().smtp);
    smtp.smtp("");
    smtp.smtp("EHLO client.example.org");
    assert_eq!(
        smtp.smtp("ETRN elsewhere.example"),
        "459 <elsewhere.example>: service unavailable"
    );
}

/// The SMTP dialogue by hand, as textbooks print it: lower case, no space after the colons.
#[test]
fn a_message_typed_by_hand_is_delivered() {
    let sandbox = Sandbox::start();
    let mut smtp = LineClient::connect(sandbox.ports().smtp);
    let greeting = smtp.line();
    assert_eq!(greeting, "220 localhost.localdomain ESMTP Postfix");
    let mut say = |line: &str, reply: &str| {
        let said = smtp.ask(line, |_| true).remove(0);
        match reply.strip_suffix("...") {
            Some(start) => assert!(said.starts_with(start), "{line}: {said}"),
            None => assert_eq!(said, reply, "{line}"),
        }
        said
    };
    say("helo mail.side-7w.org", "250 localhost.localdomain");
    say("mail from:char@side-7w.org", "250 2.1.0 Ok");
    say("rcpt to:alice@localhost", "250 2.1.5 Ok");
    say("data", "354 End data with <CR><LF>.<CR><LF>");
    let text = "From:char@side-7w.org\r\nTo:amuro@example.org\r\nSubject:Test\r\n\r\nTest Mail\r\n.";
    let queued = say(text, "250 2.0.0 Ok: queued as ...");
    say("quit", "221 2.0.0 Bye");
    let id = queued.rsplit(' ').next().unwrap();
    let message = arrived(&sandbox, "alice", "Test Mail");
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines[0], "Return-Path: <char@side-7w.org>");
    assert_eq!(lines[1], "X-Original-To: alice@localhost");
    assert_eq!(lines[2], "Delivered-To: alice@localhost");
    assert!(
        lines[3].starts_with("Received: from mail.side-7w.org (localhost [127.0.0.1])"),
        "{message}"
    );
    assert_eq!(
        lines[4],
        format!("\tby localhost.localdomain (Postfix) with SMTP id {id}")
    );
    assert!(lines[5].starts_with("\tfor <alice@localhost>; "), "{message}");
    assert!(
        message.contains("\nFrom:char@side-7w.org\nTo:amuro@example.org\nSubject:Test\n"),
        "{message}"
    );
    assert!(message.ends_with("\n\nTest Mail\n"), "{message}");
}

/// The POP3 dialogue by hand, as textbooks print it.
#[test]
fn a_message_is_listed_by_hand() {
    let mut sandbox = Sandbox::start();
    sandbox.add_account("student", "password");
    crate::deliver(&sandbox, "student", "testmail");
    let octets = sandbox.maildir("student", "Maildir")[0].len();
    let lines = sandbox.maildir("student", "Maildir")[0]
        .iter()
        .filter(|&&octet| octet == b'\n')
        .count();
    let size = octets + lines;
    let mut pop3 = LineClient::connect(sandbox.ports().pop3);
    assert_eq!(pop3.line(), "+OK Yubin ready.");
    let one = |_: &str| true;
    assert_eq!(pop3.ask("USER student", one), ["+OK"]);
    assert_eq!(pop3.ask("PASS password", one), ["+OK Logged in."]);
    let list = pop3.ask("LIST", |line| line == ".");
    assert_eq!(list, ["+OK 1 messages:", &format!("1 {size}"), "."]);
    assert_eq!(pop3.ask("QUIT", one), ["+OK Logging out."]);
    assert!(pop3.try_line().unwrap().is_none());
}
