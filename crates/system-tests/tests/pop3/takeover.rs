//! Mailboxes that another server had: its clients do not download again. And room that POP3 makes.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use system_tests::Sandbox;
use system_tests::incumbent::Dovecot;
use system_tests::lines::LineClient;

const LETTER: &str = "From: a@example.test\nX-UIDL: of-old.1\nSubject: one\n\ntext\n";

fn log_in(port: u16, user: &str, password: &str) -> LineClient {
    let one = |_: &str| true;
    let mut client = LineClient::connect(port);
    client.line();
    client.ask(&format!("USER {user}"), one);
    let answer = client.ask(&format!("PASS {password}"), one);
    assert_eq!(answer, ["+OK Logged in."]);
    client
}

/// What UIDL shows.
fn uidls(port: u16, user: &str, password: &str) -> Vec<String> {
    let mut client = log_in(port, user, password);
    let shown = client.ask("UIDL", |line| line == ".");
    assert_eq!(client.ask("QUIT", |_| true), ["+OK Logging out."]);
    shown
}

/// Copies a tree and gives it to whom `owner` belongs.
fn copy(from: &Path, to: &Path, owner: &Path) {
    let whose = fs::metadata(owner).unwrap();
    fs::create_dir_all(to).unwrap();
    chown(to, Some(whose.uid()), Some(whose.gid())).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target, owner);
        } else {
            fs::copy(entry.path(), &target).unwrap();
            chown(&target, Some(whose.uid()), Some(whose.gid())).unwrap();
        }
    }
}

#[test]
fn what_dovecot_showed_is_shown() {
    for conf in [
        "",
        "pop3_uidl_format = %v.%u\n",
        "pop3_save_uidl = yes\npop3_reuse_xuidl = yes\npop3_uidl_duplicates = rename\n",
    ] {
        let Some(dovecot) = Dovecot::start(&[("alice", "secret")], conf) else {
            return;
        };
        for number in 1..=3 {
            dovecot.put_message(
                "alice",
                &format!("170000000{number}.M1P1.test"),
                LETTER.as_bytes(),
            );
        }
        let shown = uidls(dovecot.pop3, "alice", "secret");
        assert_eq!(shown.len(), 5, "{shown:?}");
        let mut sandbox = Sandbox::start();
        sandbox.stop();
        // What was saved is shown even where the settings do not make it.
        if !conf.contains("save") {
            sandbox.append_to("dovecot.conf", conf);
        }
        sandbox.add_account("carol", "secret");
        let home = sandbox.home("carol");
        let _ = fs::remove_dir_all(home.join("Maildir"));
        copy(
            &dovecot.home("alice").join("Maildir"),
            &home.join("Maildir"),
            &home,
        );
        sandbox.launch();
        assert_eq!(uidls(sandbox.ports().pop3, "carol", "secret"), shown, "{conf}");
        // And once more when the index is lost, as far as the identifiers do not come from it.
        if conf.contains("save") {
            sandbox.stop();
            for file in ["yubin.index", "yubin.index.log"] {
                let _ = fs::remove_file(home.join("Maildir").join(file));
            }
            sandbox.launch();
            assert_eq!(uidls(sandbox.ports().pop3, "carol", "secret"), shown);
        }
    }
}

#[test]
fn what_courier_showed_is_shown() {
    let mut sandbox = Sandbox::start();
    sandbox.stop();
    sandbox.add_account("carol", "secret");
    for number in 1..=4 {
        sandbox.put_message(
            "carol",
            &format!("170000000{number}.M1P1.test"),
            LETTER.as_bytes(),
        );
    }
    let list = "/2 9 1600000000\n1700000002.M1P1.test:2,S 80 7:1600000000\n1700000001.M1P1.test 80 3:0\n\
                1700000003.M1P1.test 80 0:0\n";
    fs::write(sandbox.home("carol").join("Maildir/courierpop3dsizelist"), list).unwrap();
    sandbox.launch();
    let shown = uidls(sandbox.ports().pop3, "carol", "secret");
    assert_eq!(
        shown[..4],
        ["+OK", "1 UID7-1600000000", "2 UID3", "3 1700000003.M1P1.test"]
    );
    assert!(shown[4].starts_with("4 00000004"), "{shown:?}");
    assert_eq!(uidls(sandbox.ports().pop3, "carol", "secret"), shown);
}

#[test]
fn deleted_mail_makes_room_in_the_quota() {
    let mut sandbox = Sandbox::start();
    sandbox.stop();
    let quota = "mail_plugins = $mail_plugins quota\nplugin {\n  quota = maildir:User quota\n  quota_rule = *:bytes=1000\n}\n";
    sandbox.append_to("dovecot.conf", quota);
    sandbox.add_account("carol", "secret");
    sandbox.launch();
    let mut imap = LineClient::connect(sandbox.ports().imap);
    imap.line();
    imap.imap("a", "LOGIN carol secret");
    let mut append = || {
        imap.say("b APPEND INBOX {700+}");
        imap.say(&"x".repeat(700));
        imap.imap("c", "NOOP").concat()
    };
    assert!(append().contains("b OK"));
    assert!(append().contains("b NO [OVERQUOTA]"));
    let mut pop3 = log_in(sandbox.ports().pop3, "carol", "secret");
    assert_eq!(pop3.ask("DELE 1", |_| true), ["+OK Marked to be deleted."]);
    assert!(append().contains("b NO [OVERQUOTA]"), "nothing is deleted yet");
    assert_eq!(pop3.ask("QUIT", |_| true), ["+OK Logging out, messages deleted."]);
    assert!(append().contains("b OK"));
}

#[test]
fn who_waits_for_the_only_session_gets_it() {
    let mut sandbox = Sandbox::start();
    sandbox.stop();
    sandbox.append_to("dovecot.conf", "pop3_lock_session = yes\n");
    sandbox.add_account("carol", "secret");
    sandbox.put_message("carol", "1700000001.M1P1.test", LETTER.as_bytes());
    sandbox.launch();
    let port = sandbox.ports().pop3;
    let mut first = log_in(port, "carol", "secret");
    assert_eq!(first.ask("STAT", |_| true).len(), 1);
    let mut second = log_in(port, "carol", "secret");
    second.say("STAT");
    first.ask("DELE 1", |_| true);
    first.ask("QUIT", |_| true);
    assert_eq!(second.line(), "+OK 0 0", "it sees what the first one left");
}
