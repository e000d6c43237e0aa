//! The lines as the incumbents write them, the file sink, and what Debian's pflogsumm counts in a log of ours.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use envelope::{DeliveryResult, Outcome, QueueId, StatusCode};
use maillog::lines::login::{Elements, Protection};
use maillog::lines::smtpd::{Cut, Decision};
use maillog::lines::{Peer, auth, bounce, cleanup, delivery, login, master, pickup, qmgr, session, smtpd};
use maillog::{Delays, Destination, Destinations, Line, Log, Options, Severity, Tag};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PEER: Peer<'static> = Peer {
    name: "localhost",
    address: LOCAL,
};

fn id(text: &str) -> QueueId {
    QueueId::parse(text).unwrap()
}

fn outcome(result: DeliveryResult, status: StatusCode, relay: &str, text: &str) -> Outcome {
    Outcome {
        result,
        status,
        text: text.to_owned(),
        relay: relay.to_owned(),
        detail: Default::default(),
    }
}

fn delays() -> Delays {
    Delays {
        before_queue_manager_micros: 20_000,
        in_queue_manager_micros: 10_000,
        connection_micros: 10_000,
        transmission_micros: 20_000,
    }
}

fn refused_relay() -> smtpd::Decided<'static> {
    smtpd::Decided {
        queue_id: None,
        decision: Decision::Reject,
        stage: "RCPT",
        peer: PEER,
        text: "554 5.7.1 <bob@elsewhere.test>: Relay access denied",
        sender: Some("a@x.test"),
        recipient: Some("bob@elsewhere.test"),
        protocol: "ESMTP",
        helo: Some("vm"),
        rule: None,
    }
}

fn same(line: &dyn Line, expected: &str) {
    assert_eq!(line.to_text(), expected);
}

/// The texts on the right were written by Postfix 3.7.11.
#[test]
fn smtpd_lines() {
    let queue_id = &id("D9DF698C2D9");
    same(
        &smtpd::Connect { peer: PEER },
        "connect from localhost[127.0.0.1]",
    );
    same(
        &smtpd::Client {
            queue_id: Some(queue_id),
            peer: PEER,
            sasl: None,
            sasl_sender: None,
            original: None,
        },
        "D9DF698C2D9: client=localhost[127.0.0.1]",
    );
    let sasl = Some(smtpd::Sasl {
        method: "PLAIN",
        username: "alice",
    });
    same(
        &smtpd::Client {
            queue_id: Some(queue_id),
            peer: PEER,
            sasl,
            sasl_sender: None,
            original: None,
        },
        "D9DF698C2D9: client=localhost[127.0.0.1], sasl_method=PLAIN, sasl_username=alice",
    );
    let behind = |address| smtpd::Client {
        queue_id: Some(queue_id),
        peer: PEER,
        sasl: None,
        sasl_sender: None,
        original: Some(smtpd::Original {
            queue_id: Some("ABC123"),
            name: None,
            address,
            is_told: true,
        }),
    };
    let client = "D9DF698C2D9: client=localhost[127.0.0.1], orig_queue_id=ABC123, orig_client=unknown";
    same(&behind(Some("192.0.2.1")), &format!("{client}[192.0.2.1]"));
    same(&behind(None), client);
    same(
        &refused_relay(),
        "NOQUEUE: reject: RCPT from localhost[127.0.0.1]: 554 5.7.1 <bob@elsewhere.test>: Relay access denied; \
         from=<a@x.test> to=<bob@elsewhere.test> proto=ESMTP helo=<vm>",
    );
    let rule = Some("smtpd_relay_restrictions: check_helo_access inline:{ vm=REJECT }: vm rule=<x>\n");
    let named = smtpd::Decided {
        rule,
        ..refused_relay()
    };
    let text = named.to_text();
    assert!(
        text.ends_with(
            " helo=<vm> rule=<smtpd_relay_restrictions: check_helo_access inline:{ vm=REJECT }: vm rule=_x>?>"
        ),
        "{text}"
    );
    let ended = |cut, after, content_bytes| smtpd::Ended {
        cut,
        after,
        content_bytes,
        peer: PEER,
    };
    same(
        &ended(Cut::LostConnection, "CONNECT", None),
        "lost connection after CONNECT from localhost[127.0.0.1]",
    );
    same(
        &ended(Cut::LostConnection, "DATA", Some(0)),
        "lost connection after DATA (0 bytes) from localhost[127.0.0.1]",
    );
    same(
        &ended(Cut::TooManyErrors, "UNKNOWN", None),
        "too many errors after UNKNOWN from localhost[127.0.0.1]",
    );
    let failed = smtpd::SaslFailed {
        peer: PEER,
        method: "PLAIN",
        reason: "",
        username: Some("alice"),
    };
    same(
        &failed,
        "localhost[127.0.0.1]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=alice",
    );
    assert_eq!(failed.severity(), Severity::Warning);
}

/// The texts on the right were written by Postfix 3.7.11.
#[test]
fn queue_lines() {
    let queue_id = &id("D9DF698C2D9");
    same(
        &cleanup::MessageId {
            queue_id,
            message_id: "<20261121214142.023357@vm>",
        },
        "D9DF698C2D9: message-id=<20261121214142.023357@vm>",
    );
    same(
        &pickup::PickedUp {
            queue_id: &id("6F5BA98C321"),
            uid: 0,
            sender: "alice@example.test",
        },
        "6F5BA98C321: uid=0 from=<alice@example.test>",
    );
    same(
        &qmgr::Active {
            queue_id,
            sender: "a@x.test",
            size_bytes: 394,
            recipients: 1,
        },
        "D9DF698C2D9: from=<a@x.test>, size=394, nrcpt=1 (queue active)",
    );
    same(&qmgr::Removed { queue_id }, "D9DF698C2D9: removed");
    same(
        &bounce::Notification {
            queue_id,
            report: bounce::Report::NonDelivery,
            report_id: &id("30A1298C31B"),
        },
        "D9DF698C2D9: sender non-delivery notification: 30A1298C31B",
    );
    same(
        &master::Started {
            version: "3.7.11",
            configuration: "/etc/postfix",
        },
        "daemon started -- version 3.7.11, configuration /etc/postfix",
    );
}

#[test]
fn delivery_lines() {
    let sent = outcome(
        DeliveryResult::Sent,
        StatusCode::success(0, 0),
        "local",
        "delivered to mailbox",
    );
    let mut line = delivery::Delivery {
        agent: "local",
        queue_id: &id("84CFC98C164"),
        to: "root@localhost",
        original_to: Some("root@localhost"),
        connection_uses: 1,
        delays: delays(),
        outcome: &sent,
        purpose: delivery::Purpose::Delivery,
        is_soft: false,
    };
    same(
        &line,
        "84CFC98C164: to=<root@localhost>, relay=local, delay=0.06, delays=0.02/0.01/0.01/0.02, dsn=2.0.0, \
         status=sent (delivered to mailbox)",
    );
    line.original_to = Some("postmaster");
    line.connection_uses = 3;
    let start = "84CFC98C164: to=<root@localhost>, orig_to=<postmaster>, relay=local, conn_use=3, delay=";
    assert!(line.to_text().starts_with(start), "{}", line.to_text());
    let unknown = StatusCode::permanent(1, 1);
    let bounced = outcome(DeliveryResult::Bounced, unknown, "local", "unknown user: \"x\"");
    line.outcome = &bounced;
    let end = "dsn=5.1.1, status=bounced (unknown user: \"x\")";
    assert!(line.to_text().ends_with(end), "{}", line.to_text());
    line.is_soft = true;
    let end = "dsn=4.1.1, status=SOFTBOUNCE (unknown user: \"x\")";
    assert!(line.to_text().ends_with(end), "{}", line.to_text());
    let feedback = qmgr::Feedback {
        is_failure: true,
        name: "d@dead.test",
        limit: 2,
        window: 1,
        success: 0.0,
        failure: 1.0,
        failed_cohorts: 1.0 / 3.0,
    };
    same(
        &feedback,
        "qmgr_queue_throttle: queue d@dead.test: limit 2 window 1 success 0 failure 1 fail_cohorts 0.333333",
    );
}

/// The texts on the right were written by Dovecot 2.3.19.
#[test]
fn mailbox_lines() {
    let elements = Elements {
        user: "alice",
        method: "PLAIN",
        remote: LOCAL,
        local: LOCAL,
        mail_pid: Some(23848),
        protection: Protection::Tls,
        session: "TYkmOtBgiMZ/AAAB",
    };
    same(
        &login::Login {
            service: "imap-login",
            elements,
        },
        "Login: user=<alice>, method=PLAIN, rip=127.0.0.1, lip=127.0.0.1, mpid=23848, TLS, session=<TYkmOtBgiMZ/AAAB>",
    );
    let elements = Elements {
        mail_pid: None,
        protection: Protection::Secured,
        session: "ofxjOtBgmrV/AAAB",
        ..elements
    };
    let (service, reason) = ("imap-login", "Connection closed");
    same(
        &login::Disconnected {
            service,
            reason,
            failed_attempts: 1,
            duration_secs: 2,
            elements,
        },
        "Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<alice>, method=PLAIN, \
         rip=127.0.0.1, lip=127.0.0.1, secured, session=<ofxjOtBgmrV/AAAB>",
    );
    let who = session::Who {
        service: "imap",
        user: "alice",
        session: "s",
    };
    let counts = session::ImapCounts {
        in_bytes: 27,
        out_bytes: 600,
        ..Default::default()
    };
    same(
        &session::ImapDisconnected {
            who,
            reason: "Logged out",
            counts,
        },
        "Disconnected: Logged out in=27 out=600 deleted=0 expunged=0 trashed=0 hdr_count=0 hdr_bytes=0 body_count=0 \
         body_bytes=0",
    );
    same(
        &session::Pop3Disconnected {
            who,
            reason: "Logged out",
            text: "top=0/0, retr=0/0, del=0/1, size=635",
        },
        "Disconnected: Logged out top=0/0, retr=0/0, del=0/1, size=635",
    );
    let refused = auth::Refused {
        database: "passwd-file",
        user: "alice",
        remote: Some(LOCAL),
        session: "s",
        reason: "Password mismatch",
        severity: Severity::Info,
    };
    same(&refused, "passwd-file(alice,127.0.0.1,<s>): Password mismatch");
}

fn options(path: &Path) -> Options {
    Options {
        to: Destinations::all(Destination::File(path.to_owned())),
        hostname: "mx.foo.example".to_owned(),
        syslog_name: "postfix".to_owned(),
        instance_name: "dovecot".to_owned(),
        debug: false,
    }
}

/// The lines of a file without their time stamps.
fn lines_of(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| {
        let (stamp, rest) = line.split_at(16);
        assert!(
            stamp.as_bytes()[3] == b' ' && stamp.as_bytes()[9] == b':' && stamp.ends_with(' '),
            "{line}"
        );
        rest.to_owned()
    });
    lines.collect()
}

#[test]
fn a_file_gets_whole_lines_and_follows_a_rename() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mail.log");
    let log = Log::open(&options(&path)).unwrap();
    let pid = std::process::id();
    log.write(&smtpd::Connect { peer: PEER });
    log.named("postfix/submission").write(&smtpd::Connect {
        peer: Peer {
            name: "",
            address: LOCAL,
        },
    });
    log.warning("qmgr", "two\nlines\r");
    let who = session::Who {
        service: "imap",
        user: "a>\n",
        session: "s",
    };
    log.write(&session::Saved {
        who,
        message_id: "<m>",
        mailbox: "INBOX",
    });
    log.write(&master::Mailbox::Killed { signal: 15 });
    log.flush();
    assert_eq!(
        lines_of(&path),
        [
            format!("mx postfix/smtpd[{pid}]: connect from localhost[127.0.0.1]"),
            format!("mx postfix/submission/smtpd[{pid}]: connect from unknown[127.0.0.1]"),
            format!("mx postfix/qmgr[{pid}]: warning: two?lines?"),
            format!("imap(a>?)<{pid}><s>: Info: msgid=<m>: saved mail to INBOX"),
            "master: Warning: Killed with signal 15".to_owned(),
        ]
    );
    std::fs::rename(&path, directory.path().join("mail.log.1")).unwrap();
    log.write(&master::Terminating { signal: 15 });
    drop(log);
    assert_eq!(
        lines_of(&path),
        [format!("mx postfix/master[{pid}]: terminating on signal 15")]
    );
}

#[test]
fn nothing_is_lost_when_many_write_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mail.log");
    let log = Log::open(&options(&path)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let log = log.clone();
            scope.spawn(move || {
                for n in 0..500 {
                    log.warning("smtpd", &format!("{thread} {n}"));
                }
            });
        }
    });
    drop(log);
    assert_eq!(lines_of(&path).len(), 8 * 500);
}

#[test]
fn a_log_that_cannot_be_opened_says_which() {
    let complaint = Log::open(&options(Path::new("/nonexistent/mail.log")))
        .unwrap_err()
        .to_string();
    assert_eq!(
        complaint,
        "cannot open log file /nonexistent/mail.log: No such file or directory"
    );
    assert!(Destination::of_maillog_file("", "nonsense").is_err());
    assert_eq!(
        Destination::of_maillog_file("", "mail").unwrap(),
        Destination::Syslog(maillog::Facility::MAIL)
    );
    assert_eq!(
        Destination::of_log_path("/dev/stderr", "mail").unwrap(),
        Destination::Stderr
    );
}

#[test]
fn memory_keeps_lines_for_tests() {
    let (log, captured) = Log::to_memory();
    log.write(&smtpd::Connect { peer: PEER });
    let (tag, severity, text) = (Tag::Mailbox("auth"), Severity::Error, "cannot read");
    log.write(&maillog::lines::problem::Problem { tag, severity, text });
    assert_eq!(
        captured.lines(),
        [
            "postfix/smtpd: connect from localhost[127.0.0.1]",
            "auth: Error: cannot read"
        ]
    );
}

/// Three messages: one sent, one deferred and then sent, one bounced; one refusal, one warning.
fn write_a_day(log: &Log) {
    let counts = "ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5";
    let sent = outcome(
        DeliveryResult::Sent,
        StatusCode::success(0, 0),
        "local",
        "delivered to maildir",
    );
    let refused = "connect to 127.0.0.1[127.0.0.1]:2526: Connection refused";
    let deferred = outcome(
        DeliveryResult::Deferred,
        StatusCode::temporary(4, 1),
        "none",
        refused,
    );
    let bounced = outcome(
        DeliveryResult::Bounced,
        StatusCode::permanent(1, 1),
        "local",
        "unknown user: \"nobody\"",
    );
    for (name, size_bytes, outcomes) in [
        ("D9DF698C2D1", 1000, vec![&sent]),
        ("D9DF698C2D2", 2000, vec![&deferred, &sent]),
        ("D9DF698C2D3", 3000, vec![&bounced]),
    ] {
        let queue_id = &id(name);
        log.write(&smtpd::Connect { peer: PEER });
        log.write(&smtpd::Client {
            queue_id: Some(queue_id),
            peer: PEER,
            sasl: None,
            sasl_sender: None,
            original: None,
        });
        log.write(&cleanup::MessageId {
            queue_id,
            message_id: "<1@x.test>",
        });
        log.write(&smtpd::Disconnect {
            peer: PEER,
            commands: counts,
        });
        log.write(&qmgr::Active {
            queue_id,
            sender: "a@x.test",
            size_bytes,
            recipients: 1,
        });
        for outcome in outcomes {
            let (to, original_to, connection_uses) = ("alice@example.test", None, 1);
            let (agent, delays) = ("local", delays());
            log.write(&delivery::Delivery {
                agent,
                queue_id,
                to,
                original_to,
                connection_uses,
                delays,
                outcome,
                purpose: delivery::Purpose::Delivery,
                is_soft: false,
            });
        }
        log.write(&qmgr::Removed { queue_id });
    }
    log.write(&refused_relay());
    log.warning("smtpd", "a warning");
}

#[test]
fn pflogsumm_counts_what_happened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mail.log");
    let log = Log::open(&options(&path)).unwrap();
    write_a_day(&log);
    drop(log);
    let output = match std::process::Command::new("/usr/sbin/pflogsumm")
        .arg(&path)
        .output()
    {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: needs Debian package pflogsumm");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let summary = String::from_utf8_lossy(&output.stdout).into_owned();
    let totals: Vec<String> = summary
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for expected in [
        "3 received",
        "2 delivered",
        "1 deferred (1 deferrals)",
        "1 bounced",
        "1 rejected (33%)",
        "6000 bytes received",
        "3000 bytes delivered",
        "1 senders",
        "1 recipients",
    ] {
        assert!(
            totals.iter().any(|line| line == expected),
            "{expected} is not in\n{summary}"
        );
    }
    assert!(summary.contains("Relay access denied (total: 1)"), "{summary}");
    assert!(summary.contains("a warning"), "{summary}");
}

#[test]
fn a_system_of_one_half_speaks_in_its_words() {
    let (log, captured) = Log::to_memory();
    for halves in [
        maillog::Halves::Both,
        maillog::Halves::Mta,
        maillog::Halves::Mailboxes,
    ] {
        let log = log.of(halves);
        log.warning("master", "one");
        log.mailbox_error("auth", "two");
    }
    assert_eq!(
        captured.lines(),
        [
            "postfix/master: warning: one",
            "auth: Error: two",
            "postfix/master: warning: one",
            "postfix/auth: error: two",
            "master: Warning: one",
            "auth: Error: two",
        ]
    );
}
