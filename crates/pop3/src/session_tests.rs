//! Tests of the session, and the dialogue files against both machines.

use super::*;
use machine::Stamp;
use mailbox::MemoryStore;
use mailbox::{Flags, MailboxName};
use proptest::prelude::*;
use testkit::{Dialogue, Given, MachinePeer, Policy, Ran, Run};

use crate::login::{self, Login};

fn message(number: usize, body: &str) -> String {
    format!("From: a@example.test\r\nTo: bob@example.test\r\nSubject: m{number}\r\n\r\n{body}")
}

fn put(store: &dyn Store, content: &[u8]) {
    let inbox = store.open(&MailboxName::inbox()).unwrap().id;
    let mut append = store.append(&inbox).unwrap();
    append.start(Flags::default(), 0).unwrap();
    append.write(content).unwrap();
    append.commit().unwrap();
}

fn three() -> MemoryStore {
    let store = MemoryStore::new();
    for number in 1..=3 {
        put(
            &store,
            message(number, "line one\r\n.dot\r\nline three\r\n").as_bytes(),
        );
    }
    store
}

fn drain(session: &mut Session, limit: usize) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let before = all.len();
        session.next_output(&mut all, limit);
        assert!(all.len() - before <= limit.max(1), "the limit is kept");
        if all.len() == before {
            return all;
        }
    }
}

/// What a client sees that sends `pieces`, with its output taken `limit` octets at a time.
fn play(store: &MemoryStore, settings: Settings, pieces: &[&[u8]], limit: usize) -> (String, Vec<Event>) {
    let mut session = Session::new(Arc::new(store.clone()), settings, 0);
    let mut seen = Vec::new();
    for piece in pieces {
        session.feed(piece, 1);
        seen.extend(drain(&mut session, limit));
    }
    session.end_of_input(2);
    seen.extend(drain(&mut session, limit));
    let events = std::iter::from_fn(|| session.next_event()).collect();
    assert!(session.is_finished());
    (String::from_utf8(seen).unwrap(), events)
}

fn count(store: &MemoryStore) -> u32 {
    let inbox = store.open(&MailboxName::inbox()).unwrap().id;
    store.status(&inbox).unwrap().messages
}

#[test]
fn deletions_happen_at_quit_only() {
    let store = three();
    let (seen, events) = play(&store, Settings::default(), &[b"DELE 1\r\nSTAT\r\n"], 4096);
    assert_eq!(seen, "+OK Marked to be deleted.\r\n+OK 2 174\r\n");
    assert!(matches!(&events[..], [Event::Ended(ended)] if ended.reason == "Connection closed"));
    assert_eq!(count(&store), 3);
    let (seen, events) = play(
        &store,
        Settings::default(),
        &[b"DELE 2\r\nQUIT\r\nDELE 1\r\n"],
        4096,
    );
    assert_eq!(
        seen,
        "+OK Marked to be deleted.\r\n+OK Logging out, messages deleted.\r\n"
    );
    assert!(
        matches!(&events[..], [Event::Ended(ended)] if ended.counts.deleted == (1, 3) && ended.counts.size_bytes == 261)
    );
    assert_eq!(count(&store), 2);
}

#[test]
fn what_was_retrieved_is_seen() {
    let store = three();
    let inbox = store.open(&MailboxName::inbox()).unwrap().id;
    let keep = Settings {
        no_flag_updates: true,
        ..Settings::default()
    };
    play(&store, keep, &[b"RETR 1\r\nQUIT\r\n"], 4096);
    assert_eq!(store.status(&inbox).unwrap().unseen, 3);
    let (_, events) = play(
        &store,
        Settings::default(),
        &[b"RETR 1\r\nTOP 2 9\r\nQUIT\r\n"],
        4096,
    );
    assert_eq!(store.status(&inbox).unwrap().unseen, 2);
    // The octets that Dovecot 2.3 counts for the same session.
    assert!(
        matches!(&events[..], [Event::Ended(ended)] if ended.counts.retr == (1, 103) && ended.counts.top == (1, 93))
    );
}

#[test]
fn last_is_the_highest_message_touched() {
    let settings = || Settings {
        last: true,
        ..Settings::default()
    };
    let (seen, _) = play(
        &three(),
        settings(),
        &[b"LAST\r\nRETR 2\r\nLAST\r\nRSET\r\nLAST\r\n"],
        4096,
    );
    let short: Vec<&str> = seen
        .lines()
        .filter(|l| l.starts_with("+OK") && !l.contains("octets"))
        .collect();
    assert_eq!(short, ["+OK 0", "+OK 2", "+OK", "+OK 0"]);
}

#[test]
fn a_message_that_another_session_removed_is_refused() {
    let store = three();
    let mut session = Session::new(Arc::new(store.clone()), Settings::default(), 0);
    session.feed(b"STAT\r\n", 1);
    play(&store, Settings::default(), &[b"DELE 1\r\nQUIT\r\n"], 4096);
    session.feed(b"RETR 1\r\nRETR 2\r\n", 2);
    let seen = String::from_utf8(drain(&mut session, 100)).unwrap();
    assert!(
        seen.starts_with("+OK 3 261\r\n-ERR Message 1 expunged.\r\n+OK 87 octets\r\n"),
        "{seen}"
    );
}

#[test]
fn a_large_message_is_not_held_in_memory() {
    let store = MemoryStore::new();
    let body = "0123456789012345678901234567890123456789012345678901234567890123456789\r\n".repeat(100_000);
    put(&store, message(1, &body).as_bytes());
    let mut session = Session::new(Arc::new(store), Settings::default(), 0);
    session.feed(b"RETR 1\r\nNOOP\r\n", 1);
    let mut total = 0;
    let mut piece = Vec::new();
    loop {
        piece.clear();
        session.next_output(&mut piece, 16 * 1024);
        if piece.is_empty() {
            break;
        }
        assert!(session.output.capacity() < 128 * 1024);
        total += piece.len();
    }
    assert!(total > body.len() && session.wants_input());
}

#[test]
fn many_messages_are_listed_in_pieces() {
    let store = MemoryStore::new();
    (0..5000).for_each(|_| put(&store, b"a: b\r\n\r\n"));
    let (seen, _) = play(&store, Settings::default(), &[b"LIST\r\nUIDL\r\nSTAT\r\n"], 777);
    assert_eq!(seen.lines().count(), 2 * 5002 + 1);
    assert!(
        seen.contains("\r\n5000 8\r\n.\r\n+OK\r\n1 0000000100000001\r\n")
            && seen.ends_with(".\r\n+OK 5000 40000\r\n")
    );
}

#[test]
fn a_silent_client_is_sent_away_but_not_a_busy_one() {
    let mut session = Session::new(Arc::new(three()), Settings::default(), 0);
    session.feed(b"DELE 1\r\nRETR 2\r\n", 0);
    let late = session.deadline().unwrap();
    session.time_out(late);
    assert!(!session.is_finished(), "an answer was still to be taken");
    drain(&mut session, 4096);
    session.time_out(session.deadline().unwrap());
    assert!(!session.is_finished(), "an answer was taken since");
    session.time_out(session.deadline().unwrap());
    assert_eq!(
        drain(&mut session, 4096),
        b"-ERR Disconnected for inactivity.\r\n"
    );
    assert!(
        matches!(session.next_event(), Some(Event::Ended(e)) if e.reason == "Disconnected for inactivity")
    );
    assert!(session.is_finished());
}

#[test]
fn a_body_without_a_last_line_end_is_ended() {
    let store = MemoryStore::new();
    put(&store, b"A: b\r\n\r\n.x");
    let (seen, _) = play(
        &store,
        Settings::default(),
        &[b"RETR 1\r\nTOP 1 0\r\nTOP 1 1\r\n"],
        3,
    );
    assert_eq!(
        seen,
        "+OK 10 octets\r\nA: b\r\n\r\n..x\r\n.\r\n+OK\r\nA: b\r\n\r\n.\r\n+OK\r\nA: b\r\n\r\n..x\r\n.\r\n"
    );
}

/// Both machines one after the other, as front and agent run them.
struct Both {
    login: Option<Login>,
    session: Option<Session>,
    store: MemoryStore,
    settings: Settings,
}

impl Both {
    /// Hands over once the login phase is done and its output is taken.
    fn hand_over(&mut self, now: Stamp) {
        if let Some(login) = self.login.take_if(|l| l.is_logged_in()) {
            let mut session = Session::new(Arc::new(self.store.clone()), self.settings.clone(), now);
            session.feed(&login.into_unread(), now);
            self.session = Some(session);
        }
    }
}

impl Machine for Both {
    type Event = login::Event;
    type Answer = login::Answer;

    fn feed(&mut self, input: &[u8], now: Stamp) {
        match (&mut self.login, &mut self.session) {
            (Some(login), _) => login.feed(input, now),
            (None, Some(session)) => session.feed(input, now),
            (None, None) => unreachable!("one of the two is there"),
        }
    }

    fn end_of_input(&mut self, now: Stamp) {
        if let Some(login) = &mut self.login {
            login.end_of_input(now);
        } else if let Some(session) = &mut self.session {
            session.end_of_input(now);
        }
    }

    fn next_event(&mut self) -> Option<login::Event> {
        if let Some(session) = &mut self.session {
            while session.next_event().is_some() {}
        }
        self.login.as_mut().and_then(Machine::next_event)
    }

    fn answer(&mut self, answer: login::Answer, now: Stamp) {
        if let Some(login) = &mut self.login {
            login.answer(answer, now);
        }
    }

    fn next_output(&mut self, into: &mut Vec<u8>, limit: usize) {
        if let Some(login) = &mut self.login {
            login.next_output(into, limit);
        }
        if into.is_empty() {
            self.hand_over(0);
        }
        if let Some(session) = &mut self.session {
            session.next_output(into, limit);
        }
    }

    fn deadline(&self) -> Option<Stamp> {
        self.login
            .as_ref()
            .map_or_else(|| self.session.as_ref()?.deadline(), Machine::deadline)
    }

    fn time_out(&mut self, now: Stamp) {
        if let Some(login) = &mut self.login {
            login.time_out(now);
        } else if let Some(session) = &mut self.session {
            session.time_out(now);
        }
    }

    fn wants_input(&self) -> bool {
        self.login.as_ref().is_some_and(Machine::wants_input)
            || self.session.as_ref().is_some_and(Machine::wants_input)
    }

    fn is_finished(&self) -> bool {
        match (&self.login, &self.session) {
            (Some(login), _) => login.is_finished() && !login.is_logged_in(),
            (None, Some(session)) => session.is_finished(),
            (None, None) => true,
        }
    }
}

/// One user and password; messages by size.
struct House {
    store: MemoryStore,
    user: String,
    password: String,
    login: login::Settings,
    session: Settings,
}

impl House {
    fn new() -> House {
        House {
            store: MemoryStore::new(),
            user: "alice".to_owned(),
            password: "secret".to_owned(),
            login: login::Settings {
                greeting: "Dovecot ready.".to_owned(),
                tls: machine::login::Tls::Offered,
                secured: false,
                plaintext_needs_tls: false,
                mechanisms: vec!["PLAIN".to_owned(), "LOGIN".to_owned()],
            },
            session: Settings::default(),
        }
    }

    fn judge(&self, user: &[u8], password: &[u8]) -> login::Answer {
        let right = user == self.user.as_bytes() && password == self.password.as_bytes();
        if right {
            login::Answer::LoggedIn
        } else {
            login::Answer::Failed
        }
    }
}

impl Policy for House {
    type Machine = Both;

    fn given(&mut self, key: &str, value: &str) -> Given {
        match key {
            "user" => self.user = value.to_owned(),
            "password" => self.password = value.to_owned(),
            "message" => {
                // A message of so many octets, or "three lines" of number N.
                let octets: usize = value.parse().unwrap();
                let header = "From: root@example.test\r\nSubject: testmail\r\n\r\n";
                let line_end = "\r\n";
                let filling = octets - header.len() - line_end.len();
                put(
                    &self.store,
                    format!("{header}{}{line_end}", "x".repeat(filling)).as_bytes(),
                );
            }
            "letter" => {
                let number = value.parse().unwrap();
                put(
                    &self.store,
                    message(number, "line one\r\n.dot\r\nline three\r\n").as_bytes(),
                );
            }
            "disable_plaintext_auth" => self.login.plaintext_needs_tls = value == "yes",
            "pop3_enable_last" => self.session.last = value == "yes",
            _ => return Given::NotHere,
        }
        Given::Set
    }

    fn machine(&mut self, now: Stamp) -> Both {
        Both {
            login: Some(Login::new(self.login.clone(), now)),
            session: None,
            store: self.store.clone(),
            settings: self.session.clone(),
        }
    }

    fn decide(&mut self, event: login::Event, _now: Stamp) -> Option<login::Answer> {
        match event {
            login::Event::StartTls => Some(login::Answer::TlsStarted),
            login::Event::PlainLogin { user, password } => Some(self.judge(&user, &password)),
            login::Event::SaslStart { initial: None, .. } => Some(login::Answer::Challenge(Vec::new())),
            login::Event::SaslStart {
                initial: Some(response),
                ..
            }
            | login::Event::SaslResponse(response) => {
                let mut parts = response.split(|&b| b == 0).skip(1);
                let (user, password) = (parts.next().unwrap_or(b""), parts.next().unwrap_or(b""));
                Some(self.judge(user, password))
            }
            login::Event::ClientId(_) | login::Event::Disconnected(_) => None,
        }
    }

    fn facts(&mut self, kind: &str) -> Option<Vec<String>> {
        (kind == "mailbox").then(|| vec![format!("{} messages", count(&self.store))])
    }
}

#[test]
fn dialogues() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("dialogues");
    for dialogue in Dialogue::all_in(&directory, "pop3").unwrap() {
        for cuts in [None, Some(1), Some(2), Some(3)] {
            let ran = Run { cuts }.run(&dialogue, &mut MachinePeer::new(House::new()));
            assert_eq!(ran.unwrap_or_else(|failure| panic!("{failure}")), Ran::Whole);
        }
    }
}

proptest! {
    #[test]
    fn cuts_do_not_matter(
        commands in proptest::collection::vec(
            prop_oneof![
                Just("STAT"), Just("LIST"), Just("LIST 2"), Just("UIDL"), Just("UIDL 9"), Just("RETR 1"),
                Just("RETR 3"), Just("TOP 2 1"), Just("TOP 1 0"), Just("DELE 2"), Just("DELE x"), Just("RSET"),
                Just("NOOP"), Just("CAPA"), Just("X"), Just(""),
            ],
            0..15,
        ),
        cut in 1usize..12,
        limit in 1usize..200,
    ) {
        let text: String = commands.iter().flat_map(|c| [c, "\r\n"]).collect();
        let whole = play(&three(), Settings::default(), &[text.as_bytes()], 4096);
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
        prop_assert_eq!(whole, play(&three(), Settings::default(), &pieces, limit));
    }

    #[test]
    fn a_body_comes_back_unstuffed(text in "[.a\r\n]{0,80}", limit in 1usize..50) {
        let store = MemoryStore::new();
        put(&store, message(1, &text).as_bytes());
        let inbox = store.open(&MailboxName::inbox()).unwrap().id;
        let body = store.body(&inbox, 1).unwrap();
        let mut stored = vec![0; body.size_bytes() as usize];
        body.read_at(0, &mut stored).unwrap();
        let (seen, _) = play(&store, Settings::default(), &[b"RETR 1\r\n"], limit);
        let content = seen.split_once("\r\n").unwrap().1.strip_suffix("\r\n.\r\n").unwrap();
        let unstuffed: Vec<&str> = content.split('\n').map(|line| line.strip_prefix('.').unwrap_or(line)).collect();
        let mut unstuffed = unstuffed.join("\n") + "\r\n";
        if !stored.ends_with(b"\n") {
            unstuffed.truncate(stored.len());
        }
        prop_assert_eq!(unstuffed.as_bytes(), &stored[..]);
    }

    #[test]
    fn it_never_panics(input in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut session = Session::new(Arc::new(three()), Settings::default(), 0);
        session.feed(&input, 0);
        drain(&mut session, 100);
    }
}
