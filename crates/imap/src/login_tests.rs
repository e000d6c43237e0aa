//! Tests of the login phase.

use super::*;
use proptest::prelude::*;

fn settings() -> Settings {
    Settings {
        greeting: "Dovecot ready.".into(),
        tls: Tls::Offered,
        secured: false,
        plaintext_needs_tls: false,
        mechanisms: vec!["PLAIN".into(), "LOGIN".into()],
    }
}

fn introduction() -> Introduction {
    Introduction {
        id: vec![("name".into(), "Dovecot".into())],
        ..Introduction::default()
    }
}

/// Plays a client against the machine; `alice`/`secret` is right. Returns what the client saw.
fn play(settings: Settings, pieces: &[&[u8]]) -> (String, Login) {
    let mut login = Login::new(settings, introduction(), 0);
    for piece in pieces {
        login.feed(piece, 1);
        while let Some(event) = login.next_event() {
            match event {
                Event::StartTls => login.answer(Answer::TlsStarted, 2),
                Event::PlainLogin { user, password } if user == b"alice" && password == b"secret" => {
                    login.answer(Answer::LoggedIn, 2);
                }
                Event::SaslStart { initial: None, .. } => login.answer(Answer::Challenge(Vec::new()), 2),
                Event::SaslStart { initial: Some(r), .. } | Event::SaslResponse(r)
                    if r == b"\0alice\0secret" =>
                {
                    login.answer(Answer::LoggedIn, 2);
                }
                Event::PlainLogin { .. } | Event::SaslStart { .. } | Event::SaslResponse(_) => {
                    login.answer(Answer::Failed, 2);
                }
                Event::ClientId(_) | Event::Disconnected(_) => {}
            }
        }
    }
    let mut out = Vec::new();
    login.next_output(&mut out, usize::MAX);
    (String::from_utf8(out).unwrap(), login)
}

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ STARTTLS \
                        AUTH=PLAIN AUTH=LOGIN] Dovecot ready.\r\n";

#[test]
fn a_plain_login_hands_over_what_follows() {
    let (seen, login) = play(
        settings(),
        &[b"a LOGIN alice {6+}\r\nsecret\r\nb SELECT INBOX\r\n"],
    );
    assert!(seen.starts_with(GREETING), "{seen}");
    assert!(seen.contains("\r\na OK [CAPABILITY IMAP4rev1 "), "{seen}");
    assert!(login.is_finished() && login.is_logged_in());
    assert_eq!(login.into_unread(), b"b SELECT INBOX\r\n");
}

#[test]
fn a_trusted_client_may_still_start_tls() {
    let trusted = Settings {
        secured: true,
        plaintext_needs_tls: true,
        ..settings()
    };
    let (seen, _) = play(
        trusted.clone(),
        &[b"a STARTTLS\r\n", b"b STARTTLS\r\nc CAPABILITY\r\n"],
    );
    assert!(seen.starts_with(GREETING), "{seen}");
    assert!(
        seen.contains("\r\na OK Begin TLS negotiation now.\r\nb BAD TLS is already active.\r\n"),
        "{seen}"
    );
    assert_eq!(seen.matches("STARTTLS").count(), 1, "{seen}");
    let without = Settings {
        tls: Tls::Unavailable,
        ..trusted
    };
    let (seen, _) = play(without, &[b"a STARTTLS\r\n"]);
    assert!(
        seen.contains("a BAD TLS support isn't enabled.\r\n") && !seen.contains("STARTTLS"),
        "{seen}"
    );
}

#[test]
fn sasl_with_and_without_initial_response() {
    let (seen, login) = play(settings(), &[b"a AUTHENTICATE plain AGFsaWNlAHNlY3JldA==\r\n"]);
    assert!(login.is_logged_in(), "{seen}");
    let (seen, login) = play(
        settings(),
        &[b"a AUTHENTICATE PLAIN\r\n", b"AGFsaWNlAHNlY3JldA==\r\n"],
    );
    assert!(seen.contains("\r\n+ \r\na OK"), "{seen}");
    assert!(login.is_logged_in());
    let (seen, _) = play(
        settings(),
        &[b"a AUTHENTICATE PLAIN\r\n*\r\nb AUTHENTICATE X\r\nc AUTHENTICATE PLAIN =\r\n"],
    );
    assert!(
        seen.contains("a BAD Authentication aborted by client.\r\n"),
        "{seen}"
    );
    assert!(
        seen.contains("b NO [ALERT] Unsupported authentication mechanism.\r\n"),
        "{seen}"
    );
    assert!(
        seen.ends_with("c NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"),
        "{seen}"
    );
}

#[test]
fn plaintext_before_the_handshake_is_dropped() {
    let (seen, login) = play(
        settings(),
        &[b"a STARTTLS\r\nb LOGIN alice secret\r\n", b"c CAPABILITY\r\n"],
    );
    assert!(
        seen.contains("a OK Begin TLS negotiation now.\r\n* CAPABILITY IMAP4rev1"),
        "{seen}"
    );
    assert!(!seen.contains("\r\nb "), "{seen}");
    assert!(!seen[GREETING.len()..].contains("STARTTLS "), "{seen}");
    assert!(!login.is_finished());
}

#[test]
fn plaintext_is_refused_without_tls() {
    let strict = Settings {
        plaintext_needs_tls: true,
        ..settings()
    };
    let (seen, login) = play(
        strict,
        &[b"a LOGIN alice secret\r\nb AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\n"],
    );
    assert!(seen.contains("STARTTLS LOGINDISABLED] Dovecot"), "{seen}");
    assert!(seen.contains("a NO [PRIVACYREQUIRED] "), "{seen}");
    assert!(seen.contains("b NO [PRIVACYREQUIRED] "), "{seen}");
    assert!(!login.is_logged_in());
}

#[test]
fn nonsense_ends_the_conversation() {
    let (seen, login) = play(settings(), &[b"a FOO\r\n\r\nc LOGIN {99999999}\r\nd NOOP\r\n"]);
    assert!(
        seen.contains("a BAD Error in IMAP command received by server.\r\n* BAD "),
        "{seen}"
    );
    assert!(
        seen.ends_with("* BYE Too many invalid IMAP commands.\r\n"),
        "{seen}"
    );
    assert!(login.is_finished());
}

#[test]
fn id_and_logout() {
    let (seen, login) = play(
        settings(),
        &[b"a ID (\"name\" \"x\" \"os\" NIL)\r\nb ID NIL\r\nc LOGOUT\r\nd NOOP\r\n"],
    );
    assert!(
        seen.contains("* ID (\"name\" \"Dovecot\")\r\na OK ID completed.\r\n"),
        "{seen}"
    );
    assert!(
        seen.ends_with("* BYE Logging out\r\nc OK Logout completed.\r\n"),
        "{seen}"
    );
    assert!(login.is_finished() && !login.is_logged_in());
}

#[test]
fn silence_is_bounded() {
    let mut login = Login::new(settings(), introduction(), 0);
    assert_eq!(login.deadline(), Some(IDLE_SECS_MAX * SECOND));
    login.time_out(IDLE_SECS_MAX * SECOND);
    assert_eq!(
        login.next_event(),
        Some(Event::Disconnected(Disconnect::Inactivity))
    );
    assert!(login.is_finished());
}

proptest! {
    #[test]
    fn never_panics_and_cuts_do_not_matter(
        words in proptest::collection::vec(
            prop::sample::select(vec!["a ", "LOGIN ", "{3+}\r\n", "{5}\r\n", "alice", "\r\n", "AUTHENTICATE PLAIN", "*", "ID NIL",
                "(", "\"x\"", " ", "\u{e9}", "NOOP", "=", "AGFsaWNlAHNlY3JldA==", "{99999+}\r\n", "\0"]), 0..30),
        cut in 1usize..7,
    ) {
        let text = words.concat();
        let (whole, _) = play(settings(), &[text.as_bytes()]);
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
        let (cut_up, _) = play(settings(), &pieces);
        prop_assert_eq!(whole, cut_up);
    }
}

#[test]
fn literal_minus_is_kept_to() {
    let offered = Offered::by(crate::extensions::Wanted {
        literal_minus: true,
        capability: "+ XTEST",
        ..Default::default()
    });
    let introduction = Introduction {
        id: Vec::new(),
        offered,
    };
    let mut login = Login::new(settings(), introduction, 0);
    let mut out = Vec::new();
    login.next_output(&mut out, 1000);
    let greeting = String::from_utf8_lossy(&out);
    assert!(greeting.contains(" IDLE LITERAL- XTEST "), "{greeting}");
    login.feed(b"a LOGIN {4097+}\r\n", 0);
    out.clear();
    login.next_output(&mut out, 1000);
    assert_eq!(out, b"* BYE Non-synchronizing literal size too large\r\n");
    assert!(!login.is_logged_in() && matches!(login.next_event(), Some(Event::Disconnected(_))));
}
