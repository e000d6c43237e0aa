//! What doveconf prints, against the installed doveconf on the same file.

use std::path::Path;
use std::process::Command;

use config::doveconf::{Printout, Which};
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
    let printout = Printout::new(Some(&tree), false);
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
