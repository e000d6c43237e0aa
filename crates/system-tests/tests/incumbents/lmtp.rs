//! LMTP and the LDA beside Debian's Dovecot: the dialogues, and where mail lands with which header and log line.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use system_tests::incumbent::dialogues_of;
use system_tests::incumbent::mailboxes::{Mailboxes, Program};
use testkit::{Dialogue, Run, TcpPeer};

const PROGRAMS: [Program; 2] = [Program::Dovecot, Program::Yubin];
const SHORT: &str = "Message-ID: <1@b.example>\nSubject: x\n\nx\n";

#[test]
fn the_dialogues_are_those_of_dovecot() {
    for program in PROGRAMS {
        for dialogue in Dialogue::all_in(&dialogues_of("smtp"), "lmtp").unwrap() {
            let Some(mailboxes) = Mailboxes::start(program, "recipient_delimiter = +\n", "") else {
                return;
            };
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, mailboxes.lmtp));
            let mut peer = TcpPeer::connect(address, Box::new(|_, _| true)).unwrap();
            if let Err(failure) = Run::default().run(&dialogue, &mut peer) {
                panic!("{program:?}: {failure}");
            }
        }
    }
}

/// What is left behind: replies and exit codes, mail, log lines.
type Outcome = (Vec<String>, BTreeMap<String, Vec<String>>, Vec<String>);

/// Does the same with both programs; nothing where Debian's is not there.
fn both(dovecot_conf: &str, fields: &str, act: impl Fn(&Mailboxes) -> Vec<String>) -> Option<Outcome> {
    let mut outcomes = Vec::new();
    for program in PROGRAMS {
        let mailboxes = Mailboxes::start(program, dovecot_conf, fields)?;
        let said = act(&mailboxes);
        let landed = mailboxes.landed();
        outcomes.push((said, landed, mailboxes.deliveries()));
    }
    let [theirs, ours] = <[Outcome; 2]>::try_from(outcomes).ok()?;
    assert_eq!(ours, theirs, "{dovecot_conf}");
    Some(ours)
}

fn large(octets: usize) -> String {
    let lines = format!("{}\n", "y".repeat(99)).repeat(octets / 100);
    format!("Message-ID: <large@b.example>\n\n{lines}")
}

#[test]
fn headers_and_mailboxes_are_those_of_dovecot() {
    for conf in [
        "recipient_delimiter = +\n",
        "lmtp_save_to_detail_mailbox = yes\n",
        "lmtp_save_to_detail_mailbox = yes\nlda_mailbox_autocreate = yes\nlda_mailbox_autosubscribe = yes\n",
        "recipient_delimiter = -\nlmtp_hdr_delivery_address = none\n",
        "lmtp_add_received_header = no\nlmtp_hdr_delivery_address = original\n",
    ] {
        let outcome = both(conf, "", |mailboxes| {
            let mut said = mailboxes.send(&["alice@example.test"], SHORT);
            said.extend(mailboxes.send(&["alice+Box@example.test"], SHORT));
            said.extend(mailboxes.send(&["alice-Box@example.test", "nobody@example.test"], SHORT));
            said.extend(mailboxes.send(
                &["bob@example.test", "ALICE@example.test", "bob@example.test"],
                SHORT,
            ));
            said
        });
        let Some((_, landed, _)) = outcome else { return };
        assert!(landed.contains_key("bob"), "{landed:?}");
    }
}

const QUOTA: &str = "mail_plugins = quota\nlda_mailbox_autocreate = yes\nlmtp_save_to_detail_mailbox = yes\n";

#[test]
fn quota_is_that_of_dovecot() {
    for (conf, fields) in [
        (
            "plugin {\n  quota = maildir:User quota\n  quota_rule = *:storage=10K\n}\n",
            "",
        ),
        (
            "quota_full_tempfail = yes\nplugin {\n  quota = count:User quota\n  quota_rule = *:storage=10K\n}\nprotocol lmtp {\n  mailbox_list_index = yes\n}\nplugin {\n  quota_vsizes = yes\n}\n",
            "",
        ),
        (
            "plugin {\n  quota = maildir:User quota\n  quota_rule = *:messages=2\n  quota_exceeded_message = No room.\n}\n",
            "",
        ),
        (
            "plugin {\n  quota = maildir:User quota\n  quota_rule = *:storage=1G\n}\n",
            "userdb_quota_rule=*:storage=10K",
        ),
        (
            "plugin {\n  quota = maildir:User quota\n  quota_rule = *:storage=10K\n  quota_rule2 = Junk:ignore\n  quota_rule3 = Trash:storage=+20K\n  quota_grace = 0%%\n}\n",
            "",
        ),
        (
            "lmtp_rcpt_check_quota = yes\nplugin {\n  quota = maildir:User quota\n  quota_rule = *:messages=2\n}\n",
            "",
        ),
    ] {
        let outcome = both(&format!("{QUOTA}{conf}"), fields, |mailboxes| {
            let mut said = mailboxes.send(&["alice@example.test"], &large(8_000));
            for address in [
                "alice+Junk@example.test",
                "alice@example.test",
                "alice+Trash@example.test",
            ] {
                said.extend(mailboxes.send(&[address], &large(2_700)));
            }
            said.extend(mailboxes.send(&["alice@example.test", "bob@example.test"], &large(9_000)));
            said
        });
        let Some((said, ..)) = outcome else { return };
        assert!(
            said.iter().any(|reply| !reply.starts_with("250")),
            "{conf}: {said:?}"
        );
    }
}

#[test]
fn the_lda_is_that_of_dovecot() {
    let conf = "lda_mailbox_autocreate = yes\nmail_plugins = quota\n\
                plugin {\n  quota = maildir:User quota\n  quota_rule = *:storage=10K\n}\n";
    let outcome = both(conf, "", |mailboxes| {
        let calls: [(&[&str], &str); 6] = [
            (&["-d", "alice@example.test"], SHORT),
            (
                &["-d", "alice@example.test", "-m", "Box", "-f", "x@y.example", "-e"],
                SHORT,
            ),
            (
                &[
                    "-kd",
                    "bob@example.test",
                    "-a",
                    "bob+x@example.test",
                    "-r",
                    "bob@example.test",
                ],
                "From x Thu Jan  1 00:00:00 1970\nSubject: y\n\nFrom z\n",
            ),
            (&["-d", "nobody@example.test"], SHORT),
            (&["-e", "-d", "alice@example.test"], &large(20_000)),
            (
                &["-e", "-d", "alice@example.test", "-o", "quota_full_tempfail=yes"],
                &large(20_000),
            ),
        ];
        let codes = calls
            .iter()
            .map(|(arguments, message)| format!("{:?}", mailboxes.lda(arguments, message).code));
        codes.collect()
    });
    let Some((codes, landed, _)) = outcome else { return };
    assert_eq!(
        codes,
        [
            "Some(0)", "Some(0)", "Some(0)", "Some(67)", "Some(77)", "Some(75)"
        ]
    );
    assert!(landed.contains_key("alice/.Box"));
}

#[test]
fn the_socket_in_the_file_system_is_its_owners_and_mail_is_the_users() {
    let Some(mailboxes) = Mailboxes::start(Program::Yubin, "", "") else {
        return;
    };
    let socket = std::fs::metadata(mailboxes.socket()).unwrap();
    assert_eq!((socket.permissions().mode() & 0o777, socket.uid()), (0o600, 8));
    let mut stream = std::os::unix::net::UnixStream::connect(mailboxes.socket()).unwrap();
    let script = b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n";
    std::io::Write::write_all(&mut stream, script).unwrap();
    let mut replies = String::new();
    std::io::Read::read_to_string(&mut stream, &mut replies).unwrap();
    assert!(replies.contains(" Saved\r\n221 2.0.0 Bye\r\n"), "{replies}");
    let landed = mailboxes.landed();
    assert!(
        landed["bob"][0].contains("Received: from x\n\tby mx.example.test with LMTP"),
        "{landed:?}"
    );
    let maildir = std::fs::metadata(mailboxes.home("bob").join("Maildir")).unwrap();
    assert_eq!((maildir.uid(), maildir.permissions().mode() & 0o777), (8, 0o700));
}
