//! Filters of dovecot.conf: what holds for one client, one address, one protocol only.

use system_tests::Sandbox;
use system_tests::lines::LineClient;

#[test]
fn settings_hold_for_whom_the_filters_name() {
    let mut sandbox = Sandbox::start();
    sandbox.set_password("alice", "secret");
    sandbox.append_to(
        "dovecot.conf",
        "local 127.0.0.0/8 {
  login_greeting = Hello from %{lip}
}
protocol imap {
  mail_max_userip_connections = 1
}
protocol pop3 {
  login_greeting = Only by POP3
}
",
    );
    sandbox.reload();
    let login = || {
        let mut imap = LineClient::connect(sandbox.ports().imap);
        let greeting = imap.line();
        assert!(greeting.ends_with(" Hello from 127.0.0.1"), "{greeting}");
        let said = imap.imap("a", "LOGIN alice secret").pop().expect("an answer");
        (imap, said)
    };
    let (first, said) = login();
    assert!(said.starts_with("a OK "), "{said}");
    let (_, said) = login();
    assert!(said.starts_with("a NO [LIMIT] "), "{said}");
    drop(first);
    let mut pop3 = LineClient::connect(sandbox.ports().pop3);
    assert_eq!(pop3.line(), "+OK Only by POP3");
}

#[test]
fn no_password_is_taken_in_the_clear_where_tls_is_required() {
    let mut sandbox = Sandbox::start();
    sandbox.set_password("alice", "secret");
    let told = |sandbox: &Sandbox| {
        // Another address than the server's own, which counts as secured.
        let mut imap = LineClient::connect_from([127, 0, 0, 2], sandbox.ports().imap);
        let greeting = imap.line();
        let said = imap.imap("a", "LOGIN alice secret").pop().expect("an answer");
        (greeting.contains("LOGINDISABLED"), said)
    };
    sandbox.append_to("dovecot.conf", "disable_plaintext_auth = no\n");
    sandbox.reload();
    let (disabled, said) = told(&sandbox);
    assert!(!disabled && said.starts_with("a OK "), "{said}");
    sandbox.append_to("dovecot.conf", "ssl = required\n");
    sandbox.reload();
    let (disabled, said) = told(&sandbox);
    assert!(disabled && said.starts_with("a NO [PRIVACYREQUIRED] "), "{said}");
}
