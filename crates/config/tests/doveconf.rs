//! What doveconf prints, against the installed doveconf on the same file.

use std::path::Path;
use std::process::Command;

use config::doveconf::{For, Form, Printout, Which};
use config::dovecot_conf;

/// Settings whose default is Yubin's own, or that Debian's build sets at run time.
const OWN: &[&str] = &[
    "base_dir",
    "login_greeting",
    "state_dir",
    "managesieve_notify_capability",
    "managesieve_sieve_capability",
];

#[allow(clippy::print_stdout, reason = "a test that does not run says so")]
fn theirs(file: &Path, flags: &[&str]) -> Option<Vec<String>> {
    match Command::new("doveconf").arg("-c").arg(file).args(flags).output() {
        Ok(output) if output.status.success() => Some(
            String::from_utf8_lossy(&output.stdout)
                .lines()
                .filter(|line| !line.starts_with("# "))
                .map(str::to_owned)
                .collect(),
        ),
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => {
            println!("skipped: needs Debian package dovecot-core");
            None
        }
    }
}

fn trimmed(lines: Vec<String>) -> Vec<String> {
    let own = |line: &str| {
        OWN.iter()
            .any(|name| line.split_once(" =").is_some_and(|(known, _)| known == *name))
    };
    lines
        .into_iter()
        .filter(|line| !own(line))
        .map(|line| line.trim_end().to_owned())
        .collect()
}

fn compare(text: &str) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("a file");
    let tree = dovecot_conf::read(file.path(), &mut Vec::new());
    let printout = Printout::new(Some(&tree), Form::default());
    for (which, flag) in [(Which::Changed, "-n"), (Which::All, "-a")] {
        let Some(theirs) = theirs(file.path(), &[flag]) else {
            return;
        };
        let (ours, theirs) = (trimmed(printout.lines(which)), trimmed(theirs));
        let at = ours
            .iter()
            .zip(&theirs)
            .position(|(a, b)| a != b)
            .unwrap_or(ours.len().min(theirs.len()));
        let part = |lines: &[String]| lines[at.saturating_sub(3)..(at + 6).min(lines.len())].join("\n");
        assert!(
            ours == theirs,
            "{flag}: ours:\n{}\ntheirs:\n{}",
            part(&ours),
            part(&theirs)
        );
    }
    for name in [
        "ssl",
        "passdb",
        "service/imap-login",
        "plugin/sieve",
        "auth_failure_delay",
        "namespace",
        "login_greeting",
        "mail_plugins",
    ] {
        let Some(theirs) = theirs(file.path(), &[name]) else {
            return;
        };
        assert_eq!(trimmed(printout.named(name, false)), trimmed(theirs), "{name}");
    }
}

#[test]
fn an_empty_file() {
    compare("");
}

#[test]
fn every_kind_of_block() {
    compare(include_str!("dv.conf"));
}

#[test]
fn values_in_their_forms() {
    compare(
        "ssl_key = </etc/hostname\nlog_timestamp = \"%Y \"\nauth_cache_size = 2048\nauth_cache_ttl = 120 mins\n\
         default_vsz_limit = 1G\nlogin_greeting = a \"b\" c\nmail_plugins = $mail_plugins quota\nprotocol lmtp {\n}\nservice director {\n  fifo_listener login/proxy-notify {\n  }\n}\nprotocol lda {\n  mail_debug = yes\n}\nprotocol lda {\n  mail_plugins = $mail_plugins acl\n}\n\
         service auth {\n  unix_listener auth-client {\n    mode = 0666\n  }\n  inet_listener {\n    port = 4077\n  }\n}\n",
    );
}

#[test]
fn what_is_written_in_blocks_is_shown() {
    compare(
        "protocols = imap imaps pop3s\nlogin_greeting = \"  lead\"\nnamespace inbox {\n  inbox = yes\n  mailbox Drafts {\n    \
         auto = no\n    special_use = \\Drafts\n  }\n}\nservice imap-login {\n  inet_listener imap {\n    port = 143\n    \
         ssl = no\n  }\n  inet_listener imaps {\n    ssl = yes\n  }\n}\n",
    );
}

#[test]
fn settings_of_one_connection() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let text = "login_greeting = a\nprotocol imap {\n  mail_plugins = x\n  ssl = required\n}\nlocal 127.0.0.1 {\n  login_greeting = b\n  \
        protocol imap {\n    login_greeting = c\n  }\n}\nremote 10.0.0.0/8 {\n  ssl = no\n}\n";
    std::fs::write(file.path(), text).expect("a file");
    let tree = dovecot_conf::read(file.path(), &mut Vec::new());
    let local = Some([127, 0, 0, 1].into());
    for (connection, flags) in [
        (For::default(), &[][..]),
        (
            For {
                protocol: Some("imap".into()),
                ..For::default()
            },
            &["-f", "protocol=imap"],
        ),
        (
            For {
                local,
                ..For::default()
            },
            &["-f", "local=127.0.0.1"],
        ),
        (
            For {
                local,
                protocol: Some("imap".into()),
                ..For::default()
            },
            &["-f", "local=127.0.0.1", "-f", "service=imap"],
        ),
        (
            For {
                remote: Some([10, 1, 1, 1].into()),
                ..For::default()
            },
            &["-f", "remote=10.1.1.1"],
        ),
    ] {
        let mut printout = Printout::new(Some(&tree), Form::default());
        printout.apply(&connection);
        let names = ["login_greeting", "ssl", "mail_plugins"];
        let ours: Vec<String> = names
            .iter()
            .flat_map(|name| printout.named(name, false))
            .collect();
        let Some(theirs) = theirs(file.path(), &[flags, &names[..]].concat()) else {
            return;
        };
        assert_eq!(trimmed(ours), trimmed(theirs), "{flags:?}");
    }
}

#[test]
fn flat_lines_and_contents() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("dovecot.conf");
    std::fs::write(dir.path().join("motd"), "Hello\n").expect("a file");
    let text = "login_greeting = <motd\npassdb {\n  driver = static\n}\nservice auth {\n  unix_listener /run/a {\n    mode = 0600\n  }\n}\n\
        plugin {\n  quota = x\n}\n";
    std::fs::write(&file, text).expect("a file");
    let tree = dovecot_conf::read(&file, &mut Vec::new());
    let printout = Printout::new(Some(&tree), Form::default());
    let flat = printout.flat(Which::Changed);
    for line in [
        "login_greeting=<motd",
        "passdb/0/driver=static",
        "plugin/quota=x",
        "service/auth/unix_listener/\\srun\\sa/mode=0600",
    ] {
        assert!(flat.iter().any(|known| known == line), "{line}: {flat:#?}");
    }
    assert!(
        printout
            .flat(Which::All)
            .iter()
            .any(|line| line == "passdb/0/deny=no")
    );
    let form = Form {
        contents: true,
        ..Form::default()
    };
    assert_eq!(
        Printout::new(Some(&tree), form).named("login_greeting", true),
        ["Hello\n"]
    );
}
