//! Log-ins to mailboxes and SMTP by mechanisms that send no password.

use sasl::client::{Client, Surroundings};
use sasl::{Credentials, Password, wire};
use system_tests::lines::LineClient;
use system_tests::{Sandbox, wait_for};

fn client(mechanism: &str, user: &str, password: &str) -> Client {
    let credentials = Credentials {
        authzid: String::new(),
        user: user.to_owned(),
        password: Password::new(password),
    };
    let surroundings = Surroundings {
        random: [6; 18],
        ..Surroundings::default()
    };
    Client::choose([mechanism], credentials, &surroundings).unwrap()
}

/// The last line of an exchange; `begin` is said first, `more` begins the server's challenges.
fn exchange(lines: &mut LineClient, client: &mut Client, begin: &str, more: &str) -> String {
    let initial = client
        .initial()
        .map(|response| format!(" {}", wire::encode(&response)));
    lines.say(&format!(
        "{begin} {}{}",
        client.name(),
        initial.unwrap_or_default()
    ));
    loop {
        let line = lines.line();
        match line.strip_prefix(more) {
            Some(challenge) => {
                let challenge = wire::decode(challenge.trim_end().as_bytes()).unwrap();
                let response = client.answer(&challenge);
                lines.say(&response.map_or("*".to_owned(), |response| wire::encode(&response)));
            }
            None if line.starts_with('*') => {}
            None => return line,
        }
    }
}

#[test]
fn mailboxes_and_smtp_have_what_auth_mechanisms_names() {
    let mut sandbox = Sandbox::start();
    sandbox.add_account("carol", "pencil");
    sandbox.append_to(
        "dovecot.conf",
        "service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n\
         auth_mechanisms = cram-md5 scram-sha-1 scram-sha-256 scram-sha-256-plus\nauth_failure_delay = 0\nauth_verbose = yes\n",
    );
    sandbox.edit_main_cf("smtpd_sasl_auth_enable", "yes");
    sandbox.edit_main_cf("smtpd_tls_auth_only", "no");
    sandbox.restart();
    let ports = sandbox.ports();
    for (port, greeting, begin, more, good, bad) in [
        (
            ports.imap,
            "",
            "a AUTHENTICATE",
            "+ ",
            "a OK ",
            "a NO [AUTHENTICATIONFAILED]",
        ),
        (ports.pop3, "", "AUTH", "+ ", "+OK Logged in", "-ERR [AUTH] "),
        (
            ports.smtp,
            "EHLO client.example",
            "AUTH",
            "334 ",
            "235 2.7.0 ",
            "535 5.7.8 ",
        ),
    ] {
        for mechanism in ["CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
            for (user, password, wanted) in [
                ("carol", "pencil", good),
                ("carol", "pen", bad),
                ("nobody", "pencil", bad),
                // Her password is kept in a form that does not serve.
                ("alice", "pencil", bad),
            ] {
                let mut lines = LineClient::connect(port);
                lines.line();
                if !greeting.is_empty() {
                    lines.smtp(greeting);
                }
                let mut client = client(mechanism, user, password);
                let last = exchange(&mut lines, &mut client, begin, more);
                assert!(last.starts_with(wanted), "{begin} {mechanism} {user}: {last}");
                assert!(wanted == bad || client.is_satisfied(None));
            }
        }
    }
    let mut lines = LineClient::connect(ports.imap);
    let greeting = lines.line();
    assert!(
        greeting.contains("AUTH=CRAM-MD5 AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-256] "),
        "{greeting}"
    );
    let told = "Requested SCRAM-SHA-256 scheme, but we have only CRYPT";
    wait_for("the reason in the log", || sandbox.mailbox_log().contains(told));
}
