//! What clients see of each other and of deliveries while they are connected; a mail system whose mailboxes are mbox.

use std::fs;

use system_tests::lines::LineClient;
use system_tests::{Sandbox, wait_for};

use crate::{deliver, letter};

fn logged_in(sandbox: &Sandbox, user: &str) -> LineClient {
    let mut imap = LineClient::connect(sandbox.ports().imap);
    assert!(imap.line().starts_with("* OK "));
    let password = sandbox.password(user);
    let said = imap.imap("login", &format!("LOGIN {user} {password}"));
    assert!(said.last().unwrap().starts_with("login OK "), "{said:?}");
    imap
}

#[test]
fn a_client_that_idles_hears_of_mail_and_of_other_clients() {
    let sandbox = Sandbox::start();
    let mut idler = logged_in(&sandbox, "alice");
    idler.imap("s", "SELECT INBOX");
    assert_eq!(idler.ask("i IDLE", |_| true), ["+ idling"]);
    deliver(&sandbox, "alice", "while idle");
    let until = |idler: &mut LineClient, wanted: &str| while idler.line() != wanted {};
    until(&mut idler, "* 1 EXISTS");
    let mut other = logged_in(&sandbox, "alice");
    other.imap("s", "SELECT INBOX");
    other.imap("f", "STORE 1 +FLAGS (\\Flagged)");
    loop {
        let line = idler.line();
        if line.starts_with("* 1 FETCH (") && line.contains("\\Flagged") {
            break;
        }
    }
    other.imap("d", "STORE 1 +FLAGS (\\Deleted)");
    other.imap("e", "EXPUNGE");
    until(&mut idler, "* 1 EXPUNGE");
    let done = idler.ask("DONE", |line| line.starts_with("i "));
    assert!(done.last().unwrap().starts_with("i OK "), "{done:?}");
    // An idle client is told when the server goes.
    idler.say("j IDLE");
    assert_eq!(idler.line(), "+ idling");
    let mut sandbox = sandbox;
    sandbox.stop();
    assert!(idler.line().starts_with("* BYE "));
}

#[test]
fn mail_in_mbox_files_is_delivered_and_read() {
    let mut sandbox = Sandbox::start();
    let directory = sandbox.directory().to_owned();
    sandbox.edit_main_cf("home_mailbox", "");
    let location = format!(
        "mail_location = mbox:~/mail:INBOX={}/mail/%u\n",
        directory.display()
    );
    sandbox.append_to("dovecot.conf", &location);
    sandbox.restart();
    let mbox = directory.join("mail/alice");
    for (number, subject) in (1..).zip(["one", "two"]) {
        let mut smtp = LineClient::connect(sandbox.ports().smtp);
        smtp.smtp("");
        smtp.smtp("HELO client.example.org");
        smtp.smtp("MAIL FROM:<sender@example.org>");
        smtp.smtp("RCPT TO:<alice@localhost>");
        smtp.smtp("DATA");
        let text = letter(subject).replace("\n.", "\n..").replace('\n', "\r\n");
        assert!(
            smtp.smtp(&format!("{text}From here on.\r\n."))
                .starts_with("250 2.0.0 ")
        );
        // Two that are delivered at the same time come in any order.
        wait_for("the letter", || {
            let text = fs::read_to_string(&mbox).unwrap_or_default();
            text.matches("\n>From here on.\n").count() == number
        });
    }
    let mut imap = logged_in(&sandbox, "alice");
    let said = imap.imap("s", "SELECT INBOX");
    assert!(said.contains(&"* 2 EXISTS".to_owned()), "{said:?}");
    let said = imap.imap(
        "f",
        "FETCH 2 (BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT])",
    );
    assert!(said.contains(&"Subject: two".to_owned()), "{said:?}");
    assert!(said.contains(&"The last line of two.".to_owned()), "{said:?}");
    imap.imap("d", "STORE 1 +FLAGS (\\Deleted)");
    imap.imap("m", "CREATE Kept");
    let said = imap.imap("c", "COPY 2 Kept");
    assert!(said.last().unwrap().starts_with("c OK "), "{said:?}");
    imap.imap("e", "EXPUNGE");
    imap.imap("l", "LOGOUT");
    let text = fs::read_to_string(&mbox).unwrap();
    assert_eq!(
        text.matches("\nReturn-Path: <sender@example.org>\n").count(),
        1,
        "{text}"
    );
    assert!(sandbox.home("alice").join("mail/Kept").is_file());
    let mut pop3 = LineClient::connect(sandbox.ports().pop3);
    pop3.line();
    pop3.say("USER alice");
    pop3.line();
    pop3.say(&format!("PASS {}", sandbox.password("alice")));
    assert_eq!(pop3.line(), "+OK Logged in.");
    let list = pop3.ask("LIST", |line| line == ".");
    assert_eq!(list[0], "+OK 1 messages:");
    let said = pop3.ask("RETR 1", |line| line == ".");
    assert!(said.contains(&"..a line with a dot".to_owned()), "{said:?}");
}

#[test]
fn aliases_change_with_newaliases() {
    let sandbox = Sandbox::start();
    let mut smtp = LineClient::connect(sandbox.ports().smtp);
    smtp.smtp("");
    smtp.smtp("HELO client.example.org");
    smtp.smtp("MAIL FROM:<sender@example.org>");
    assert!(smtp.smtp("RCPT TO:<staff@localhost>").starts_with("550 5.1.1 "));
    sandbox.append_to("aliases", "staff: alice, bob\n");
    sandbox.run("newaliases", &[], "").success();
    deliver_to_both(&sandbox);
}

#[track_caller]
fn deliver_to_both(sandbox: &Sandbox) {
    let mut smtp = LineClient::connect(sandbox.ports().smtp);
    smtp.smtp("");
    smtp.smtp("HELO client.example.org");
    smtp.smtp("MAIL FROM:<sender@example.org>");
    assert_eq!(smtp.smtp("RCPT TO:<staff@localhost>"), "250 2.1.5 Ok");
    smtp.smtp("DATA");
    assert!(
        smtp.smtp("Subject: to staff\r\n\r\nTo all of you.\r\n.")
            .starts_with("250 2.0.0 ")
    );
    for user in ["alice", "bob"] {
        let text = crate::arrived(sandbox, user, "To all of you.");
        assert!(text.contains("\nX-Original-To: staff@localhost\n"), "{text}");
    }
}

#[test]
fn a_client_that_speaks_no_tls_is_logged() {
    let sandbox = Sandbox::start();
    let mut client = LineClient::connect(sandbox.ports().imaps);
    client.say("a LOGIN alice secret");
    wait_for("the line in the log", || {
        let log = sandbox.mailbox_log();
        log.contains("imap-login: Info: Disconnected: TLS handshake failed (no auth attempts in ")
    });
}
