//! Log-ins by a client's certificate (EXTERNAL) over TLS from the start, for mailboxes and SMTP.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use system_tests::{Sandbox, has_program, program, wait_for};

/// Runs openssl in a directory.
#[track_caller]
fn openssl(directory: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(directory);
    program::run(&mut command, b"").success();
}

/// An authority in a directory of its own, with certificates for these users.
fn authority(parent: &Path, name: &str, users: &[&str]) -> PathBuf {
    let directory = parent.join(name);
    fs::create_dir(&directory).unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        &directory,
        &format!("req -x509 -days 2 {key} -subj /CN={name} -keyout ca.key -out ca.pem"),
    );
    for user in users {
        openssl(
            &directory,
            &format!(
                "req {key} -subj /CN={user} -addext extendedKeyUsage=clientAuth -keyout {user}.key -out {user}.csr"
            ),
        );
        openssl(
            &directory,
            &format!(
                "x509 -req -days 2 -copy_extensions copyall -in {user}.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
                 -out {user}.pem"
            ),
        );
    }
    directory
}

/// What a server says to all these lines, with the certificate `DIRECTORY/USER.pem`.
fn converse(port: u16, card: Option<(&Path, &str)>, lines: &str) -> String {
    let mut command = Command::new("openssl");
    command.args([
        "s_client",
        "-quiet",
        "-crlf",
        "-connect",
        &format!("127.0.0.1:{port}"),
    ]);
    if let Some((directory, user)) = card {
        command.arg("-cert").arg(directory.join(format!("{user}.pem")));
        command.arg("-key").arg(directory.join(format!("{user}.key")));
    }
    program::run(&mut command, lines.as_bytes()).stdout
}

/// Gives a user without a password, whom a certificate lets in.
fn add_user_without_password(sandbox: &mut Sandbox, user: &str) {
    sandbox.add_account(user, "pencil");
    let file = sandbox.config_directory().join("users");
    let mut changed = String::new();
    for line in fs::read_to_string(&file).unwrap().lines() {
        let is_theirs = line.starts_with(&format!("{user}:"));
        let line = match is_theirs {
            true => format!("{}nopassword", line.replace("{PLAIN}pencil", "")),
            false => line.to_owned(),
        };
        changed.push_str(&format!("{line}\n"));
    }
    fs::write(file, changed).unwrap();
}

const IMAP: &str = "a AUTHENTICATE EXTERNAL =\nb LOGOUT\n";
const POP3: &str = "CAPA\nAUTH EXTERNAL =\nQUIT\n";
const SMTP: &str = "EHLO client.example\nAUTH EXTERNAL =\nQUIT\n";

#[test]
fn a_certificate_logs_its_user_in() {
    if !has_program("/usr/bin/openssl", "openssl") {
        return;
    }
    let mut sandbox = Sandbox::start();
    add_user_without_password(&mut sandbox, "carol");
    let ours = authority(sandbox.scratch(), "ours", &["carol", "alice"]);
    let theirs = authority(sandbox.scratch(), "theirs", &["carol"]);
    // Version 1 of X.509, which the TLS library cannot read.
    let old = "x509 -req -days 2 -in carol.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out old.pem";
    openssl(&ours, old);
    fs::copy(ours.join("carol.key"), ours.join("old.key")).unwrap();
    let ca = ours.join("ca.pem").display().to_string();
    sandbox.append_to(
        "dovecot.conf",
        &format!(
            "service anvil {{\n  unix_listener anvil-auth-penalty {{\n    mode = 0\n  }}\n}}\nauth_mechanisms = plain external\nauth_ssl_username_from_cert = yes\nssl_verify_client_cert = yes\n\
             ssl_ca = <{ca}\nssl_require_crl = no\nauth_failure_delay = 0\nauth_verbose = yes\n"
        ),
    );
    for (name, value) in [
        ("smtpd_sasl_auth_enable", "yes"),
        ("smtpd_sasl_mechanism_filter", "external, plain"),
        ("smtpd_tls_ask_ccert", "yes"),
        ("smtpd_tls_CAfile", &ca),
    ] {
        sandbox.edit_main_cf(name, value);
    }
    sandbox.restart();
    let ports = sandbox.ports();
    let carol = Some((ours.as_path(), "carol"));
    for (port, lines, offered, good) in [
        (ports.imaps, IMAP, "AUTH=EXTERNAL", "\na OK "),
        (ports.pop3s, POP3, "SASL PLAIN EXTERNAL", "\n+OK Logged in"),
        (ports.submissions, SMTP, "AUTH PLAIN EXTERNAL", "\n235 2.7.0 "),
    ] {
        let said = converse(port, carol, lines).replace('\r', "");
        assert!(said.contains(offered) && said.contains(good), "{said}");
        // Nobody is let in by a certificate where the account has a password, by another authority's, or by none.
        for card in [
            Some((ours.as_path(), "alice")),
            Some((ours.as_path(), "old")),
            Some((theirs.as_path(), "carol")),
            None,
        ] {
            let said = converse(port, card, lines).replace('\r', "");
            assert!(!said.is_empty() && !said.contains(good), "{card:?} {said}");
        }
    }
    let said = converse(ports.imaps, None, "a CAPABILITY\nb LOGOUT\n");
    assert!(
        said.contains("AUTH=PLAIN") && !said.contains("EXTERNAL"),
        "{said}"
    );
    let line = "imap-login: Info: Login: user=<carol>, method=EXTERNAL";
    wait_for("the login in the log", || sandbox.mailbox_log().contains(line));
}

#[test]
fn whoever_must_have_a_certificate_gets_nowhere_without() {
    if !has_program("/usr/bin/openssl", "openssl") {
        return;
    }
    let mut sandbox = Sandbox::start();
    let ours = authority(sandbox.scratch(), "ours", &["carol"]);
    let theirs = authority(sandbox.scratch(), "theirs", &["carol"]);
    let ca = ours.join("ca.pem").display().to_string();
    // ssl_require_crl holds unless it is switched off: the list that is not there is told.
    sandbox.append_to(
        "dovecot.conf",
        &format!("auth_ssl_require_client_cert = yes\nssl_ca = <{ca}\nauth_failure_delay = 0\n"),
    );
    sandbox.edit_main_cf("smtpd_tls_security_level", "encrypt");
    sandbox.edit_main_cf("smtpd_tls_req_ccert", "yes");
    sandbox.edit_main_cf("smtpd_tls_CAfile", &ca);
    sandbox.restart();
    let told = "ssl_require_crl: no list of revoked certificates is in ssl_ca";
    assert!(sandbox.screen().contains(told), "{}", sandbox.screen());
    let ports = sandbox.ports();
    let quit = "QUIT\n";
    let said = converse(ports.submissions, Some((&ours, "carol")), quit);
    assert!(said.contains("221 2.0.0 "), "{said}");
    for card in [Some((theirs.as_path(), "carol")), None] {
        let said = converse(ports.submissions, card, quit);
        assert!(!said.contains("221 "), "{said}");
    }
    let login = format!("a LOGIN alice {}\nb LOGOUT\n", sandbox.password("alice"));
    let said = converse(ports.imaps, Some((&ours, "carol")), &login);
    assert!(said.contains("\na NO ") && said.contains("\nb OK "), "{said}");
    sandbox.append_to("dovecot.conf", "ssl_require_crl = no\n");
    sandbox.restart();
    for (card, good) in [
        (Some((ours.as_path(), "carol")), "\na OK "),
        (None, "\na NO "),
        (Some((theirs.as_path(), "carol")), "\na NO "),
    ] {
        let said = converse(ports.imaps, card, &login);
        assert!(said.contains(good), "{card:?} {said}");
    }
}
