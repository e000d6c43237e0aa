//! mutt: sends in batch by SMTP with TLS, and reads by IMAP and POP3 at a terminal, keys pushed by its configuration.

use std::fs;
use std::process::Command;

use system_tests::{Finished, Sandbox, has_program, program};

use crate::{arrived, deliver};

fn rc(sandbox: &Sandbox) -> std::path::PathBuf {
    let path = sandbox.scratch().join("muttrc");
    let (ca, password) = (sandbox.ca_file(), sandbox.password("alice"));
    let text = format!(
        "set certificate_file = {}\nset ssl_verify_host = no\nset ssl_force_tls = yes\nset copy = no\n\
         set from = alice@localhost\nset imap_user = alice\nset imap_pass = {password}\nset smtp_pass = {password}\n\
         set pop_user = alice\nset pop_pass = {password}\nset confirmcreate = no\nset confirmappend = no\n\
         set delete = yes\nset move = no\nset wait_key = no\nset folder = {}\nset mail_check = 0\n",
        ca.display(),
        sandbox.scratch().display(),
    );
    fs::write(&path, text).unwrap();
    path
}

/// mutt at a terminal of its own.
fn at_terminal(sandbox: &Sandbox, options: &str) -> Finished {
    let rc = rc(sandbox);
    let line = format!("mutt -n -F {} {options}", rc.display());
    let mut command = Command::new("/usr/bin/script");
    command.args(["-q", "-e", "-c", &line, "/dev/null"]);
    command
        .env("HOME", sandbox.scratch())
        .env("TERM", "xterm")
        .env("LC_ALL", "C.UTF-8");
    program::run(&mut command, b"")
}

#[test]
fn mutt_sends() {
    if !has_program("/usr/bin/mutt", "mutt") {
        return;
    }
    let sandbox = Sandbox::start();
    let ports = sandbox.ports();
    let rc = rc(&sandbox);
    let attachment = sandbox.scratch().join("attachment.txt");
    fs::write(&attachment, "attached text\n").unwrap();
    for (name, scheme, port) in [
        ("starttls", "smtp", ports.submission),
        ("implicit", "smtps", ports.submissions),
    ] {
        let mut command = Command::new("mutt");
        command.args(["-n", "-x", "-F"]).arg(&rc);
        command.args(["-e", &format!("set smtp_url = {scheme}://alice@localhost:{port}")]);
        command
            .args(["-s", name, "-a"])
            .arg(&attachment)
            .args(["--", "bob@localhost"]);
        command.env("HOME", sandbox.scratch()).env("LC_ALL", "C.UTF-8");
        let text = format!("Grüße\n.dot\nThe last line of {name}.\n");
        program::run(&mut command, text.as_bytes()).success();
        let text = arrived(&sandbox, "bob", &format!("The last line of {name}."));
        assert!(text.contains("filename=\"attachment.txt\""), "{text}");
    }
}

#[test]
fn mutt_reads_by_imap_and_pop3() {
    if !has_program("/usr/bin/mutt", "mutt") || !has_program("/usr/bin/script", "bsdutils") {
        return;
    }
    let sandbox = Sandbox::start();
    let ports = sandbox.ports();
    deliver(&sandbox, "alice", "one");
    deliver(&sandbox, "alice", "two");
    for (name, folder) in [
        ("imap", format!("imap://alice@localhost:{}/INBOX", ports.imap)),
        ("imaps", format!("imaps://alice@localhost:{}/INBOX", ports.imaps)),
        ("pop", format!("pop://alice@localhost:{}", ports.pop3)),
        ("pops", format!("pops://alice@localhost:{}", ports.pop3s)),
    ] {
        let saved = sandbox.scratch().join(name);
        let keys = format!(
            "<first-entry><tag-pattern>~A<enter><tag-prefix><pipe-message>cat >>{}<enter><quit>",
            saved.display()
        );
        let said = at_terminal(&sandbox, &format!("-R -f '{folder}' -e \"push '{keys}'\""));
        let text = fs::read_to_string(&saved).unwrap_or_else(|error| panic!("{name}: {error}: {said}"));
        assert!(
            text.contains("The last line of one.") && text.contains("The last line of two."),
            "{text}"
        );
    }
    // Save one message into another mailbox, flag the other, delete what was saved.
    let folder = format!("imaps://alice@localhost:{}/INBOX", ports.imaps);
    let keys = "<first-entry><save-message>=Archive<enter><next-entry><flag-message><sync-mailbox><quit>";
    let base = format!("set folder=imaps://alice@localhost:{}/", ports.imaps);
    let said = at_terminal(
        &sandbox,
        &format!("-e '{base}' -f '{folder}' -e \"push '{keys}'\""),
    );
    let (inbox, archive) = (
        sandbox.maildir("alice", "Maildir"),
        sandbox.maildir("alice", "Maildir/.Archive"),
    );
    assert_eq!((inbox.len(), archive.len()), (1, 1), "{said}");
}
