//! A session under COMPRESS=DEFLATE over the in-memory store.

use std::sync::Arc;

use machine::{Machine, SECOND};
use mailbox::memory::MemoryStore;
use mailbox::{MailboxName, Store};

use super::*;
use crate::extensions::{Offered, Wanted};
use crate::session::{Event, Settings};

fn session(store: &Arc<MemoryStore>) -> Session {
    let settings = Settings {
        offered: Offered::by(Wanted {
            plugins: &["imap_zlib".to_owned()],
            ..Wanted::default()
        }),
        ..Settings::default()
    };
    Session::new(store.clone(), Arc::new(|| {}), settings, SECOND)
}

/// What the machine says, as it goes over the wire.
fn said(session: &mut Session) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let before = out.len();
        session.next_output(&mut out, 4096);
        if out.len() == before {
            return out;
        }
    }
}

fn heard(peer: &mut Streams, wire: &[u8]) -> String {
    peer.feed(wire);
    let mut plain = Vec::new();
    while peer.has_received() || plain.is_empty() {
        let before = plain.len();
        peer.decode(&mut plain).unwrap();
        if plain.len() == before {
            break;
        }
    }
    String::from_utf8(plain).unwrap()
}

fn coded(peer: &mut Streams, text: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    peer.encode(text.as_bytes(), &mut wire);
    peer.flush(&mut wire);
    wire
}

#[test]
fn both_ways_are_compressed_from_the_answer_on() {
    let store = Arc::new(MemoryStore::new());
    let opened = store.open(&MailboxName::inbox()).unwrap();
    let mut append = store.append(&opened.id).unwrap();
    append.start(mailbox::Flags::default(), 0).unwrap();
    append
        .write(&b"Subject: x\r\n\r\n0123456789\r\n".repeat(50_000))
        .unwrap();
    append.commit().unwrap();
    let mut session = session(&store);
    let mut peer = Streams::new();
    // What follows the command is compressed already, in the same packet.
    let mut input = b"a COMPRESS DEFLATE\r\n".to_vec();
    input.extend(coded(&mut peer, "b SELECT INBOX\r\n"));
    session.feed(&input, SECOND);
    let wire = said(&mut session);
    let plain = wire.strip_prefix(b"a OK Begin compression\r\n").unwrap();
    let text = heard(&mut peer, plain);
    assert!(
        text.ends_with("b OK [READ-WRITE] Select completed.\r\n"),
        "{text}"
    );
    session.feed(
        &coded(&mut peer, "c FETCH 1 BODY.PEEK[]\r\nd COMPRESS DEFLATE\r\n"),
        SECOND,
    );
    let wire = said(&mut session);
    assert!(wire.len() < 100_000);
    let text = heard(&mut peer, &wire);
    assert!(text.len() > 1_000_000 && text.contains("c OK Fetch completed.\r\nd NO [COMPRESSIONACTIVE] "));
    let Compression::On(streams) = &session.compression else {
        panic!("compression is on")
    };
    assert!(streams.encoder.is_none() && streams.window.len() <= WINDOW_BYTES && !streams.has_received());
    for octet in coded(&mut peer, "e LOGOUT\r\n") {
        session.feed(&[octet], SECOND);
    }
    assert!(heard(&mut peer, &said(&mut session)).ends_with("e OK Logout completed.\r\n"));
}

#[test]
fn what_expands_is_taken_as_it_can_be_answered() {
    let mut session = session(&Arc::new(MemoryStore::new()));
    session.feed(b"a COMPRESS DEFLATE\r\n", SECOND);
    said(&mut session);
    let mut peer = Streams::new();
    let wire = coded(&mut peer, &"n NOOP\r\n".repeat(100_000));
    session.feed(&wire, SECOND);
    assert!(!session.wants_input());
    assert!(session.framing.unread().len() <= WINDOW_BYTES);
    let text = heard(&mut peer, &said(&mut session));
    assert_eq!(text.matches("n OK NOOP completed.").count(), 100_000);
    assert!(session.wants_input());
}

#[test]
fn rubbish_ends_the_session() {
    let mut session = session(&Arc::new(MemoryStore::new()));
    session.feed(b"a COMPRESS DEFLATE\r\n", SECOND);
    said(&mut session);
    session.feed(
        b"b NOOP in plain text, which is no stream\r\n\xff\xff\xff\xff",
        SECOND,
    );
    said(&mut session);
    let ended = std::iter::from_fn(|| session.next_event());
    assert!(ended.into_iter().any(|event| matches!(event, Event::Ended(_))));
}

#[test]
fn it_is_there_where_it_is_asked_for() {
    let store = Arc::new(MemoryStore::new());
    let mut session = Session::new(store, Arc::new(|| {}), Settings::default(), SECOND);
    session.feed(b"a COMPRESS DEFLATE\r\n", SECOND);
    let text = String::from_utf8(said(&mut session)).unwrap();
    assert!(
        text.starts_with("a BAD Error in IMAP command COMPRESS: Unknown command"),
        "{text}"
    );
}
