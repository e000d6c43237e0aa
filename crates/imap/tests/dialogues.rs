//! Runs `dialogues/*.imap` against the two machines over the in-memory store; and, when asked, against a server.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use imap::extensions::{Offered, Wanted};
use imap::login::{self, Answer, Introduction, Login};
use imap::session::{Session, Settings};
use machine::{Machine, Stamp};
use mailbox::memory::MemoryStore;
use testkit::{Dialogue, Given, MachinePeer, Policy, Ran, Run, TcpPeer};

/// Login phase and session of one connection, one after the other, as the processes around them do it.
enum Connection {
    Login(Box<Login>, Arc<MemoryStore>),
    Session(Box<Session>),
}

impl Connection {
    /// The session takes over when the login phase has said its last word.
    fn turn(&mut self, now: Stamp) {
        let Connection::Login(login, store) = self else {
            return;
        };
        if !(login.is_finished() && login.is_logged_in()) {
            return;
        }
        let settings = Settings {
            id: introduction().id,
            offered: introduction().offered,
            ..Settings::default()
        };
        let mut session = Session::new(store.clone(), Arc::new(|| {}), settings, now);
        let ended = std::mem::replace(login.as_mut(), Login::new(offers(), introduction(), now));
        session.feed(&ended.into_unread(), now);
        *self = Connection::Session(Box::new(session));
    }
}

fn offers() -> login::Settings {
    login::Settings {
        greeting: "Dovecot ready.".into(),
        tls: machine::login::Tls::Offered,
        secured: false,
        plaintext_needs_tls: false,
        mechanisms: vec!["PLAIN".into(), "LOGIN".into()],
    }
}

fn introduction() -> Introduction {
    let wanted = Wanted {
        plugins: &["imap_zlib".to_owned()],
        ..Wanted::default()
    };
    Introduction {
        id: vec![("name".into(), "Dovecot".into())],
        offered: Offered::by(wanted),
    }
}

impl Machine for Connection {
    type Event = login::Event;
    type Answer = Answer;

    fn feed(&mut self, input: &[u8], now: Stamp) {
        match self {
            Connection::Login(login, _) => login.feed(input, now),
            Connection::Session(session) => session.feed(input, now),
        }
    }

    fn end_of_input(&mut self, now: Stamp) {
        match self {
            Connection::Login(login, _) => login.end_of_input(now),
            Connection::Session(session) => session.end_of_input(now),
        }
    }

    fn next_event(&mut self) -> Option<login::Event> {
        match self {
            Connection::Login(login, _) => login.next_event(),
            Connection::Session(session) => {
                while session.next_event().is_some() {}
                None
            }
        }
    }

    fn answer(&mut self, answer: Answer, now: Stamp) {
        if let Connection::Login(login, _) = self {
            login.answer(answer, now);
        }
    }

    fn next_output(&mut self, into: &mut Vec<u8>, limit: usize) {
        match self {
            Connection::Login(login, _) => {
                let before = into.len();
                login.next_output(into, limit);
                if into.len() == before {
                    self.turn(testkit::machine_peer::START);
                }
            }
            Connection::Session(session) => session.next_output(into, limit),
        }
    }

    fn deadline(&self) -> Option<Stamp> {
        match self {
            Connection::Login(login, _) => login.deadline(),
            Connection::Session(session) => session.deadline(),
        }
    }

    fn time_out(&mut self, now: Stamp) {
        match self {
            Connection::Login(login, _) => login.time_out(now),
            Connection::Session(session) => session.time_out(now),
        }
    }

    fn wants_input(&self) -> bool {
        match self {
            Connection::Login(login, _) => login.wants_input(),
            Connection::Session(session) => session.wants_input(),
        }
    }

    fn is_finished(&self) -> bool {
        match self {
            Connection::Login(login, _) => login.is_finished() && !login.is_logged_in(),
            Connection::Session(session) => session.is_finished(),
        }
    }
}

/// An account `alice`, password `secret`, whose mail is in memory.
struct Memory {
    store: Arc<MemoryStore>,
}

impl Policy for Memory {
    type Machine = Connection;

    fn given(&mut self, key: &str, value: &str) -> Given {
        match (key, value) {
            ("account", "alice secret, no mail yet") | ("separator", ".") => Given::Set,
            ("separator", "/") => {
                self.store = Arc::new(MemoryStore::with_separator('/'));
                Given::Set
            }
            _ => Given::NotHere,
        }
    }

    fn machine(&mut self, now: Stamp) -> Connection {
        Connection::Login(
            Box::new(Login::new(offers(), introduction(), now)),
            self.store.clone(),
        )
    }

    fn decide(&mut self, event: login::Event, _now: Stamp) -> Option<Answer> {
        match event {
            login::Event::StartTls => Some(Answer::TlsStarted),
            login::Event::PlainLogin { user, password } => {
                let right = user == b"alice" && password == b"secret";
                Some(if right { Answer::LoggedIn } else { Answer::Failed })
            }
            login::Event::SaslStart { initial: None, .. } => Some(Answer::Challenge(Vec::new())),
            login::Event::SaslStart {
                initial: Some(response),
                ..
            }
            | login::Event::SaslResponse(response) => {
                let right = response == b"\0alice\0secret";
                Some(if right { Answer::LoggedIn } else { Answer::Failed })
            }
            login::Event::ClientId(_) | login::Event::Disconnected(_) => None,
        }
    }

    fn facts(&mut self, _kind: &str) -> Option<Vec<String>> {
        None
    }
}

fn dialogues() -> Vec<Dialogue> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialogues");
    Dialogue::all_in(&directory, "imap").expect("the dialogues are readable")
}

#[test]
fn against_the_machines() {
    for dialogue in dialogues() {
        for cuts in [None, Some(1), Some(2), Some(3)] {
            let mut peer = MachinePeer::new(Memory {
                store: Arc::new(MemoryStore::with_separator('.')),
            });
            let ran = Run { cuts }
                .run(&dialogue, &mut peer)
                .unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!(ran, Ran::Whole);
        }
    }
}

/// `IMAP_SERVER=address:port IMAP_HOME=alice's-home`: her `Maildir` there is removed before each dialogue.
#[test]
#[ignore = "needs a server: IMAP_SERVER, IMAP_HOME"]
#[allow(clippy::disallowed_types)]
fn against_a_server() {
    let address: SocketAddr = std::env::var("IMAP_SERVER").unwrap().parse().unwrap();
    let maildir = Path::new(&std::env::var("IMAP_HOME").unwrap()).join("Maildir");
    let mut failures = Vec::new();
    for dialogue in dialogues() {
        let _ = std::fs::remove_dir_all(&maildir);
        let holds = |key: &str, value: &str| key == "account" || (key, value) == ("separator", ".");
        let mut peer = TcpPeer::connect(address, Box::new(holds)).unwrap();
        if let Err(failure) = Run::default().run(&dialogue, &mut peer) {
            failures.push(failure.to_string());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
