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

/// Plays a client against the machine; `alice`/`secret` is right. Returns what the client saw.
fn play(settings: Settings, pieces: &[&[u8]]) -> (String, Login) {
    let mut login = Login::new(settings, 0);
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
                Event::ClientId(_) => unreachable!("POP3 has no ID"),
                Event::Disconnected(_) => {}
            }
        }
    }
    let mut seen = Vec::new();
    login.next_output(&mut seen, usize::MAX);
    (String::from_utf8(seen).unwrap(), login)
}

#[test]
fn user_and_pass_log_in_and_the_rest_is_handed_over() {
    let (seen, login) = play(settings(), &[b"USER alice\r\nPASS secret\r\nLIST\r\nQU"]);
    assert_eq!(seen, "+OK Dovecot ready.\r\n+OK\r\n+OK Logged in.\r\n");
    assert!(login.is_logged_in() && login.is_finished() && !login.wants_input());
    assert_eq!(login.into_unread(), b"LIST\r\nQU");
}

#[test]
fn a_trusted_client_may_still_start_tls() {
    let trusted = Settings {
        secured: true,
        plaintext_needs_tls: true,
        ..settings()
    };
    let (seen, _) = play(trusted, &[b"CAPA\r\nSTLS\r\n", b"STLS\r\nCAPA\r\n"]);
    assert!(
        seen.contains("\r\n+OK Begin TLS negotiation now.\r\n-ERR TLS is already active.\r\n"),
        "{seen}"
    );
    assert_eq!(seen.matches("STLS\r\n").count(), 1, "{seen}");
}

#[test]
fn a_wrong_password_needs_a_new_user() {
    let (seen, _) = play(
        settings(),
        &[b"PASS x\r\nUSER alice\r\nPASS x\r\nPASS secret\r\nQUIT\r\n"],
    );
    assert_eq!(
        seen,
        "+OK Dovecot ready.\r\n-ERR No username given.\r\n+OK\r\n-ERR [AUTH] Authentication failed.\r\n\
         -ERR No username given.\r\n+OK Logging out\r\n"
    );
}

#[test]
fn a_password_may_hold_spaces() {
    let mut login = Login::new(settings(), 0);
    login.feed(b"user bob\r\npass  a b \r\n", 1);
    assert_eq!(
        login.next_event(),
        Some(Event::PlainLogin {
            user: b"bob".to_vec(),
            password: b" a b ".to_vec()
        })
    );
    assert!(!login.wants_input());
}

#[test]
fn capa_lists_what_dovecot_lists() {
    let (seen, _) = play(settings(), &[b"CAPA\r\n"]);
    assert_eq!(
        seen,
        "+OK Dovecot ready.\r\n+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nAUTH-RESP-CODE\r\n\
         STLS\r\nUSER\r\nSASL PLAIN LOGIN\r\nUTF8\r\nLANG\r\n.\r\n"
    );
}

#[test]
fn plaintext_waits_for_tls_when_told_so() {
    let strict = Settings {
        plaintext_needs_tls: true,
        ..settings()
    };
    let (seen, _) = play(
        strict,
        &[
            b"USER alice\r\nAUTH PLAIN\r\nSTLS\r\nUSER evil\r\n",
            b"CAPA\r\nUSER alice\r\n",
        ],
    );
    assert_eq!(
        seen,
        format!(
            "+OK Dovecot ready.\r\n{PLAINTEXT_REFUSED}\r\n\
             -ERR [AUTH] Plaintext authentication disabled.\r\n+OK Begin TLS negotiation now.\r\n\
             +OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nAUTH-RESP-CODE\r\nUSER\r\n\
             SASL PLAIN LOGIN\r\nUTF8\r\nLANG\r\n.\r\n+OK\r\n"
        )
    );
}

#[test]
fn sasl_with_and_without_an_initial_response() {
    let (seen, login) = play(settings(), &[b"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n"]);
    assert_eq!(seen, "+OK Dovecot ready.\r\n+OK Logged in.\r\n");
    assert!(login.is_logged_in());
    let (seen, login) = play(
        settings(),
        &[b"AUTH plain\r\n*\r\nAUTH PLAIN\r\n!!\r\nAUTH PLAIN\r\nAGFsaWNlAHNlY3JldA==\r\n"],
    );
    assert_eq!(
        seen,
        "+OK Dovecot ready.\r\n+ \r\n-ERR Authentication aborted by client.\r\n+ \r\n\
         -ERR [AUTH] Invalid base64 in response\r\n+ \r\n+OK Logged in.\r\n"
    );
    assert!(login.is_logged_in());
}

#[test]
fn nonsense_is_limited() {
    let (seen, login) = play(
        settings(),
        &[b"X\r\nGET / HTTP/1.0\r\nUSER a\r\nX\r\nX\r\n\r\nUSER a\r\n"],
    );
    assert_eq!(
        seen,
        "+OK Dovecot ready.\r\n-ERR Unknown command.\r\n-ERR Unknown command.\r\n+OK\r\n-ERR Unknown command.\r\n\
         -ERR Unknown command.\r\n-ERR Unknown command.\r\n-ERR Too many invalid bad commands.\r\n"
    );
    assert!(login.is_finished() && !login.is_logged_in());
}

#[test]
fn a_silent_client_is_sent_away() {
    let mut login = Login::new(settings(), 0);
    assert_eq!(login.deadline(), Some(IDLE_SECS_MAX * SECOND));
    login.feed(b"NOO", 5);
    assert_eq!(login.deadline(), Some(5 + IDLE_SECS_MAX * SECOND));
    login.time_out(IDLE_SECS_MAX * SECOND + 5);
    assert_eq!(
        login.next_event(),
        Some(Event::Disconnected(Disconnect::Inactivity))
    );
    assert!(login.is_finished());
}

#[test]
fn a_closed_connection_ends_it() {
    let mut login = Login::new(settings(), 0);
    login.feed(b"USER a\r\nPASS b\r\n", 1);
    login.end_of_input(1);
    assert!(matches!(login.next_event(), Some(Event::PlainLogin { .. })));
    login.answer(Answer::Failed, 1);
    assert_eq!(
        login.next_event(),
        Some(Event::Disconnected(Disconnect::ConnectionClosed))
    );
}

proptest! {
    #[test]
    fn cuts_do_not_matter(
        lines in proptest::collection::vec(
            prop_oneof![
                Just("USER alice"), Just("PASS secret"), Just("PASS no"), Just("CAPA"), Just("AUTH PLAIN"),
                Just("*"), Just("X y"), Just("AUTH"), Just("QUIT"), Just("AGFsaWNlAHNlY3JldA"),
            ],
            0..12,
        ),
        cut in 1usize..9,
    ) {
        let text: String = lines.iter().flat_map(|l| [l, "\r\n"]).collect();
        let (whole, login) = play(settings(), &[text.as_bytes()]);
        let unread = login.is_logged_in().then(|| login.into_unread());
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
        let (cut_up, login) = play(settings(), &pieces);
        prop_assert_eq!(whole, cut_up);
        if let Some(unread) = unread {
            prop_assert_eq!(unread, login.into_unread());
        }
    }

    #[test]
    fn it_never_panics(input in proptest::collection::vec(any::<u8>(), 0..600)) {
        play(settings(), &[&input]);
    }
}
