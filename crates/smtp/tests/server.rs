//! The server machine: dialogue files, cuts of the byte stream, smuggling, floods of nonsense.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test says what it saw, and fails by panic

mod memory;

use machine::Machine;
use memory::Memory;
use proptest::prelude::*;
use smtp::server::{Answer, Ending, Event, Note, Protocol, Words};
use smtp::transcript::{Fault, Voice};
use std::path::Path;
use testkit::{Dialogue, MachinePeer, Peer, Ran, Run, TcpPeer};

fn dialogues() -> Vec<Dialogue> {
    Dialogue::all_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("dialogues"), "smtp").unwrap()
}

#[test]
fn every_dialogue_runs_and_cuts_do_not_matter() {
    for dialogue in dialogues() {
        for cuts in std::iter::once(None).chain((1..=20).map(Some)) {
            let ran = Run { cuts }.run(&dialogue, &mut MachinePeer::new(Memory::new()));
            assert_eq!(ran.unwrap_or_else(|failure| panic!("{failure}")), Ran::Whole);
        }
    }
}

/// The mail system in memory behind Dovecot's LMTP.
fn dovecot() -> Memory {
    let mut memory = Memory::new();
    memory.config.protocol = Protocol::Lmtp;
    memory.config.words = Words::Dovecot;
    memory.config.strict_envelopes = true;
    memory
}

#[test]
fn lmtp_is_spoken_as_dovecot_speaks_it() {
    let dialogues =
        Dialogue::all_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("dialogues"), "lmtp").unwrap();
    assert!(dialogues.len() > 1);
    for dialogue in dialogues {
        for cuts in std::iter::once(None).chain((1..=20).map(Some)) {
            let ran = Run { cuts }.run(&dialogue, &mut MachinePeer::new(dovecot()));
            assert_eq!(ran.unwrap_or_else(|failure| panic!("{failure}")), Ran::Whole);
        }
    }
}

/// With `YUBIN_SMTP_PEER=127.0.0.1:2525` the files also run against that server (Debian's Postfix, or the built
/// binary) which must know example.test with alice and bob. `YUBIN_SMTP_PEER_SETTINGS` lists what else holds there, as
/// in `smtpd_hard_error_limit 100, message_size_limit 20480000`.
#[test]
fn every_dialogue_runs_against_the_server_named_in_the_environment() {
    let Ok(address) = std::env::var("YUBIN_SMTP_PEER") else {
        println!("skipped: YUBIN_SMTP_PEER is not set");
        return;
    };
    let settings = std::env::var("YUBIN_SMTP_PEER_SETTINGS").unwrap_or_default();
    for dialogue in dialogues() {
        let holds = |key: &str, value: &str| match key {
            "domain" => value == "example.test",
            "users" => value.split(' ').all(|user| ["alice", "bob"].contains(&user)),
            "login" => value == "alice secret",
            "setting" => settings.split(", ").any(|setting| setting == value),
            _ => false,
        };
        let mut peer = TcpPeer::connect(address.parse().unwrap(), Box::new(holds)).unwrap();
        match Run::default().run(&dialogue, &mut peer) {
            Ok(ran) => println!("{}: {ran:?}", dialogue.name),
            Err(failure) => println!("DIFFERS {failure}"),
        }
    }
}

/// A session whose machine keeps what was said.
#[test]
fn a_transcript_shows_no_password_and_every_fault() {
    let mut config = smtp::server::Config::new("mx.example.test");
    config.auth.mechanisms_without_tls = vec!["LOGIN".to_owned()];
    config.transcript_lines = Some(100);
    let mut server = smtp::server::Server::new(std::sync::Arc::new(config), 0);
    server.feed(b"EHLO x\r\nAUTH LOGIN dXNlcg==\r\nc2VjcmV0\r\nFOO\r\nQUIT\r\n", 0);
    let mut transcript = None;
    while let Some(event) = server.next_event() {
        let answer = match &event {
            Event::Auth { .. } => Answer::Challenge(b"Password:".to_vec()),
            Event::AuthResponse(_) => Answer::AuthFailure(String::new()),
            Event::Note(Note::Transcript(said, ending)) => {
                transcript = Some((said.clone(), *ending));
                continue;
            }
            event if event.needs_answer() => Answer::Accept,
            _ => continue,
        };
        server.answer(answer, 0);
    }
    let (transcript, ending) = transcript.unwrap();
    assert_eq!(ending, Some(Ending::Quit));
    let faults: Vec<Fault> = transcript.faults().collect();
    assert_eq!(faults, [Fault::Protocol], "a wrong password is none, FOO is one");
    let heard: Vec<&str> = transcript
        .lines()
        .filter(|(voice, _)| *voice == Voice::In)
        .map(|(_, line)| line)
        .collect();
    assert_eq!(
        heard,
        ["EHLO x", "AUTH LOGIN (masked)", "(masked)", "FOO", "QUIT"]
    );
}

const ENVELOPE: &str = "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice@example.test>\r\n";

/// What is queued when `rest` follows an envelope.
fn queued(setting: &str, rest: &[u8], cuts: Option<u64>) -> (Vec<memory::Queued>, String) {
    let mut policy = Memory::new();
    testkit::Policy::given(&mut policy, "setting", setting);
    let mut peer = MachinePeer::new(policy);
    let input = [ENVELOPE.as_bytes(), rest].concat();
    let pieces = cuts.map_or(vec![&input[..]], |seed| testkit::Seed::new(seed).cut(&input, 7));
    pieces.into_iter().for_each(|piece| peer.send(piece).unwrap());
    peer.end_of_input();
    let output = String::from_utf8_lossy(&peer.take_output()).into_owned();
    (peer.policy().queue.clone(), output)
}

#[test]
fn never_two_messages_out_of_one() {
    let evil = "MAIL FROM:<evil@x>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: evil\r\n\r\n.\r\n";
    let ends = [
        "\n.\n",
        "\n.\r\n",
        "\r\n.\n",
        "\r.\r",
        "\r\n.\r",
        "\r.\r\n",
        "\r\n.\r\r\n",
        "\n\n.\r\n",
        "\r\n\0.\r\n",
        "\r\n.\0\r\n",
        "\r\n. \r\n",
        "\n.\r",
        "\r.\n",
        "\r\r\n.\n",
        "\n\r.\n",
        "\n.\n\r",
    ];
    for mode in ["normalize", "yes", "note", "reject"] {
        for end in ends {
            for cuts in [None, Some(1), Some(2)] {
                let setting = format!("smtpd_forbid_bare_newline {mode}");
                let data = format!("DATA\r\nSubject: good\r\n\r\ntext{end}{evil}");
                let (queue, output) = queued(&setting, data.as_bytes(), cuts);
                assert!(queue.len() <= 1, "{mode} {end:?}: {queue:#?}");
                assert!(queue.iter().all(|q| q.from == "a@b"), "{mode} {end:?}");
                assert_eq!(output.matches("354 ").count(), 1, "{mode} {end:?}: {output}");
                let chunk = format!("Subject: good\r\n\r\ntext{end}{evil}");
                let bdat = format!("BDAT {} LAST\r\n{chunk}", chunk.len());
                let (queue, output) = queued(&setting, bdat.as_bytes(), cuts);
                assert!(
                    queue.len() <= 1 && queue.iter().all(|q| q.from == "a@b"),
                    "{mode} {end:?}"
                );
                assert_eq!(output.matches("354 ").count(), 0, "{mode} {end:?}: {output}");
            }
        }
    }
}

#[test]
fn a_bare_line_feed_is_refused_where_it_is_forbidden() {
    let reject = "smtpd_forbid_bare_newline reject";
    let (queue, output) = queued(reject, b"DATA\r\na: b\n\nx\r\n.\r\nNOOP\r\n", None);
    assert_eq!(queue, []);
    assert!(
        output.contains("550 5.5.2 mail.example.test Error: bare <LF> received\r\n250 2.0.0 Ok\r\n"),
        "{output}"
    );
    let (_, output) = queued(reject, b"NOOP\nNOOP\r\n", None);
    assert!(
        output.ends_with("550 5.5.2 mail.example.test Error: bare <LF> received\r\n"),
        "{output}"
    );
    let (queue, _) = queued(
        "smtpd_forbid_bare_newline normalize",
        b"DATA\r\na: b\n\nx\r\n.\r\nNOOP\n",
        None,
    );
    assert_eq!(queue[0].content, b"a: b\r\n\r\nx\r\n");
    let (queue, _) = queued(
        "smtpd_forbid_bare_newline no",
        b"DATA\na: b\n\nx\n.\nNOOP\n",
        None,
    );
    assert_eq!(queue[0].content, b"a: b\r\n\r\nx\r\n");
}

#[test]
fn a_large_message_comes_through_as_it_is() {
    let message = testkit::messages::Message::new(4, 3_000_000).build();
    let mut wire = b"DATA\r\n".to_vec();
    for line in message.split_inclusive(|b| *b == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
    }
    wire.extend_from_slice(b".\r\nQUIT\r\n");
    let (queue, output) = queued("smtpd_timeout 300", &wire, None);
    assert!(queue[0].content == message);
    assert!(output.ends_with("221 2.0.0 Bye\r\n"));
}

/// Words that mean something, and octets that should not.
fn nonsense() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "EHLO x",
        "HELO",
        "LHLO x",
        "MAIL FROM:<a@b>",
        "MAIL FROM:",
        "RCPT TO:<alice@example.test>",
        "DATA",
        "BDAT 5",
        "BDAT 3 LAST",
        "BDAT 0",
        "BDAT x",
        "RSET",
        "NOOP",
        "VRFY a",
        "ETRN a.b",
        "HELP",
        "AUTH PLAIN",
        "AUTH LOGIN AA==",
        "*",
        "AGFsaWNlAHNlY3JldA==",
        "STARTTLS",
        ".",
        "..",
        "a: b",
        "\r\n",
        "\r\n",
        "\r\n",
        "\n",
        "\r",
        "\0",
        " ",
        "<",
        ">",
        "\"",
        "SIZE=5",
        "\u{3042}",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ]);
    let octets = prop::collection::vec(any::<u8>(), 0..4);
    let piece = prop_oneof![12 => word.prop_map(|w| w.as_bytes().to_vec()), 1 => octets];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nonsense_never_panics_and_cuts_never_matter(input in nonsense(), seed: u64, mode in 0..4usize) {
        let setting = format!("smtpd_forbid_bare_newline {}", ["no", "normalize", "note", "reject"][mode]);
        let run = |cuts: bool| {
            let mut policy = Memory::new();
            testkit::Policy::given(&mut policy, "setting", &setting);
            testkit::Policy::given(&mut policy, "setting", "smtpd_tls_security_level none");
            testkit::Policy::given(&mut policy, "login", "alice secret");
            policy.config.limits.line_octets_max = 40;
            let mut peer = MachinePeer::new(policy);
            let pieces = match cuts {
                true => testkit::Seed::new(seed).cut(&input, 9),
                false => vec![&input[..]],
            };
            pieces.into_iter().for_each(|piece| peer.send(piece).unwrap());
            peer.end_of_input();
            let output = String::from_utf8_lossy(&peer.take_output()).into_owned();
            // Whether somebody did not wait is a matter of what came at once.
            let log = peer.policy().log.iter().filter(|line| !line.starts_with("ImproperPipelining"));
            let log: Vec<String> = log.cloned().collect();
            (output, peer.policy().queue.clone(), log)
        };
        let whole = run(false);
        prop_assert_eq!(&run(true), &whole);
        for line in whole.0.lines() {
            prop_assert!(line.as_bytes()[..3].iter().all(u8::is_ascii_digit), "{}", line);
        }
    }
}
