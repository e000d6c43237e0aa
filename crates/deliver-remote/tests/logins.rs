//! Logging in at a server, by every mechanism.
#![allow(clippy::unwrap_used)] // a test fails by panic

mod peers;

use deliver_remote::NextHop;
use envelope::{DeliveryResult, Outcome};
use peers::{Nature, Peer, Then, remote, run, send, settings, tls_of_server};
use settings::{Postfix, TableRef, TlsLevel};

const MESSAGE: &str = "Subject: x\r\n\r\nbody\r\n";

fn with_login(login: &str) -> Postfix {
    let mut settings = settings();
    settings.smtp_sasl_auth_enable = true;
    settings.smtp_sasl_security_options = vec!["noanonymous".to_owned()];
    settings.smtp_sasl_password_maps = vec![TableRef::new("inline", &format!("{{ 127.0.0.1={login} }}"))];
    settings
}

fn deliver(settings: &Postfix, next_hop: NextHop) -> Outcome {
    run(async {
        send(&remote(settings, ""), next_hop, MESSAGE)
            .await
            .outcomes
            .remove(0)
    })
}

fn server(offers: &'static str) -> Peer {
    Peer::start(Nature {
        offers: vec![offers],
        logs_in: true,
        ..Nature::default()
    })
}

#[test]
fn the_best_mechanism_that_both_have_is_used() {
    for (offers, used) in [
        ("AUTH LOGIN PLAIN", "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\nMAIL"),
        ("AUTH LOGIN", "AUTH LOGIN\r\nYWxpY2U=\r\nc2VjcmV0\r\nMAIL"),
        ("AUTH=PLAIN", "AUTH PLAIN "),
        ("AUTH GSSAPI CRAM-MD5 PLAIN", "AUTH CRAM-MD5\r\n"),
        ("AUTH PLAIN SCRAM-SHA-256", "AUTH SCRAM-SHA-256 biws"),
        ("AUTH SCRAM-SHA-1 CRAM-MD5", "AUTH SCRAM-SHA-1 "),
    ] {
        let peer = server(offers);
        assert_eq!(
            deliver(&with_login("alice:secret"), peer.next_hop()).text,
            "250 2.0.0 taken"
        );
        assert!(peer.heard()[0].contains(used), "{}", peer.heard()[0]);
        let outcome = deliver(&with_login("alice:wrong"), peer.next_hop());
        assert_eq!(outcome.result, DeliveryResult::Deferred, "{offers}");
        let by_whom = "SASL authentication failed; server 127.0.0.1[127.0.0.1] said: 535 5.7.8 no";
        assert_eq!(
            (outcome.text.as_str(), outcome.status.to_string().as_str()),
            (by_whom, "4.7.8")
        );
    }
}

#[test]
fn a_refused_login_may_bounce() {
    let mut settings = with_login("alice:wrong");
    settings.smtp_sasl_auth_soft_bounce = false;
    let outcome = deliver(&settings, server("AUTH PLAIN").next_hop());
    assert_eq!(
        (outcome.result, outcome.status.to_string()),
        (DeliveryResult::Bounced, "5.7.8".to_owned())
    );
}

#[test]
fn passwords_are_not_shown_where_that_is_not_wanted() {
    let peer = server("AUTH PLAIN LOGIN");
    let mut settings = with_login("alice:secret");
    settings.smtp_sasl_security_options = vec!["noplaintext".to_owned()];
    let outcome = deliver(&settings, peer.next_hop());
    assert_eq!(
        outcome.text,
        "SASL authentication failed: server 127.0.0.1[127.0.0.1] offered no compatible authentication mechanisms for this \
         type of connection security"
    );
    assert!(!peer.heard()[0].contains("AUTH"));
    // Inside TLS they may be.
    let directory = tempfile::tempdir().unwrap();
    let (tls, certificate) = tls_of_server(directory.path(), &["localhost"]);
    let secured = Peer::start(Nature {
        offers: vec!["STARTTLS", "AUTH PLAIN SCRAM-SHA-256"],
        logs_in: true,
        tls: Some(tls),
        ..Nature::default()
    });
    settings.smtp_tls_security_level = TlsLevel::Encrypt;
    settings.smtp_sasl_tls_security_options = Vec::new();
    settings.smtp_sasl_mechanism_filter = vec!["plain".to_owned()];
    settings.smtp_sasl_tls_verified_security_options = vec!["noplaintext".to_owned()];
    assert_eq!(deliver(&settings, secured.next_hop()).text, "250 2.0.0 taken");
    assert!(secured.heard()[0].contains("AUTH PLAIN "));
    settings.smtp_tls_security_level = TlsLevel::Verify;
    settings.smtp_tls_CAfile = certificate.display().to_string();
    settings.smtp_sasl_mechanism_filter = Vec::new();
    assert_eq!(deliver(&settings, secured.next_hop()).text, "250 2.0.0 taken");
    assert!(
        secured.heard()[1].contains("AUTH SCRAM-SHA-256 "),
        "{:?}",
        secured.heard()
    );
}

#[test]
fn a_server_without_logins_gets_mail_without() {
    let peer = Peer::start(Nature::default());
    assert_eq!(
        deliver(&with_login("alice:secret"), peer.next_hop()).text,
        "250 2.0.0 taken"
    );
}

#[test]
fn tokens_and_their_refusal() {
    let refusing = Peer::start(Nature {
        offers: vec!["AUTH XOAUTH2"],
        answers: vec![
            ("AUTH", "334 eyJzdGF0dXMiOiI0MDAifQ==\r\n", Then::GoesOn),
            ("\r\n", "", Then::GoesOn),
        ],
        ..Nature::default()
    });
    let mut settings = with_login("alice:token");
    settings.smtp_helo_timeout = std::time::Duration::from_millis(300);
    // This peer says "250 ok" to the empty line, which is no success.
    let outcome = deliver(&settings, refusing.next_hop());
    assert!(
        outcome.text.starts_with("SASL authentication failed; server"),
        "{}",
        outcome.text
    );
    assert!(refusing.heard()[0].contains("AUTH XOAUTH2 dXNlcj1hbGljZQFhdXRoPUJlYXJlciB0b2tlbgEB\r\n\r\n"));
}

#[test]
fn a_server_that_does_not_know_the_password_is_not_believed() {
    let peer = Peer::start(Nature {
        offers: vec!["AUTH SCRAM-SHA-256"],
        answers: vec![("AUTH", "235 2.7.0 welcome\r\n", Then::GoesOn)],
        ..Nature::default()
    });
    let outcome = deliver(&with_login("alice:secret"), peer.next_hop());
    assert_eq!(outcome.result, DeliveryResult::Deferred);
    assert!(
        outcome.text.ends_with("has not shown that it knows the password"),
        "{}",
        outcome.text
    );
    assert!(!peer.heard()[0].contains("MAIL"));
}
