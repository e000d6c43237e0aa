//! A pair of configurations written for Debian's Postfix and Dovecot, unchanged: the system starts from it, tells what is
//! not there yet, and serves the rest.

use std::fs;
use std::path::Path;

use system_tests::lines::LineClient;
use system_tests::{Sandbox, wait_for};

const MAIN_CF: &str = include_str!("../../../config/tests/pair/main.cf");
const MASTER_CF: &str = include_str!("../../../config/tests/pair/master.cf");
const DOVECOT_CONF: &str = include_str!("../../../config/tests/pair/dovecot.conf");

/// Puts the pair into `directory`, on the ports of the sandbox, with a certificate and the account alice.
fn write_pair(sandbox: &Sandbox, directory: &Path, (uid, gid): (u32, u32)) {
    let ports = sandbox.ports();
    let moved = [
        ("47025", ports.smtp),
        ("47587", ports.submission),
        ("47465", ports.submissions),
        ("47143", ports.imap),
        ("47993", ports.imaps),
        ("47110", ports.pop3),
        ("47995", ports.pop3s),
        ("47024", system_tests::incumbent::free_port()),
    ];
    let write = |name: &str, text: &str| {
        let mut text = text.replace("@DIR@", &directory.to_string_lossy());
        for (from, to) in moved {
            text = text.replace(from, &to.to_string());
        }
        let text = text.replace("uid=999 gid=995", &format!("uid={uid} gid={gid}"));
        fs::write(directory.join(name), text).unwrap();
    };
    write("main.cf", MAIN_CF);
    write("master.cf", MASTER_CF);
    write("dovecot.conf", &format!("{DOVECOT_CONF}\nbase_dir = @DIR@/run\n"));
    write("users", "alice:{PLAIN}secret::::::\n");
    for name in ["cert.pem", "key.pem"] {
        fs::copy(
            sandbox.config_directory().join("tls").join(name),
            directory.join(name),
        )
        .unwrap();
    }
    fs::create_dir_all(directory.join("home/alice")).unwrap();
    for path in [directory.to_owned(), directory.join("home/alice")] {
        std::os::unix::fs::chown(path, Some(uid), Some(gid)).unwrap();
    }
}

#[test]
fn the_incumbents_pair_starts_as_it_is() {
    let mut sandbox = super::stopped_system();
    let directory = sandbox.scratch().join("pair");
    fs::create_dir(&directory).unwrap();
    // Started by root, the mail of the one virtual user is what the process gives up root for.
    let own = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    let owner = if own.0 == 0 { (65_534, 65_534) } else { own };
    write_pair(&sandbox, &directory, owner);
    let log = directory.join("postfix.log");
    let reads = |file: &Path| fs::read_to_string(file).unwrap_or_default();
    let place = directory.to_string_lossy().into_owned();
    sandbox.launch_with(&["serve", "-c", &place], |_| {
        reads(&log).contains("daemon started")
    });
    let told = sandbox.screen();
    for line in [
        "dovecot.conf:5: protocols: sieve is not there yet",
        "dovecot.conf:80: service auth: inet_listener: nobody listens there yet",
    ] {
        assert!(told.contains(line), "{line} is not in\n{told}");
    }
    let mut imap = LineClient::connect(sandbox.ports().imap);
    imap.line();
    let said = imap.imap("a", "LOGIN alice secret");
    assert!(said.last().unwrap().starts_with("a OK "), "{said:?}");
    let said = imap.imap("b", "SELECT INBOX");
    assert!(said.last().unwrap().starts_with("b OK "), "{said:?}");
    let mut smtp = LineClient::connect(sandbox.ports().smtp);
    assert_eq!(smtp.smtp(""), "220 localhost ESMTP Postfix");
    smtp.smtp("EHLO client.example.org");
    smtp.smtp("MAIL FROM:<a@example.org>");
    assert_eq!(
        smtp.smtp("RCPT TO:<a@elsewhere.example>"),
        "554 5.7.1 <a@elsewhere.example>: Relay access denied"
    );
    assert_eq!(smtp.smtp("RCPT TO:<alice@example.test>"), "250 2.1.5 Ok");
    smtp.smtp("DATA");
    let said = smtp.smtp("Subject: test\r\n\r\nA line.\r\n.");
    let id = said
        .strip_prefix("250 2.0.0 Ok: queued as ")
        .expect(&said)
        .to_owned();
    // virtual_transport names the LMTP server of the pair's other half.
    wait_for("the delivery over LMTP", || {
        let log = reads(&log);
        let mut lines = log.lines().filter(|line| line.contains(&id));
        lines.any(|line| {
            line.contains("postfix/lmtp[") && line.contains("status=sent (250 2.0.0 <alice@example.test>")
        })
    });
    let mut pop3 = LineClient::connect(sandbox.ports().pop3);
    assert!(pop3.line().starts_with("+OK "));
    sandbox.stop();
}
