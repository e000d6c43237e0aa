//! Searches in slices, by several threads, with an index before them, and results that are kept up to date.

use std::collections::HashSet;
use std::sync::Mutex;

use machine::{Machine, SECOND};
use mailbox::memory::MemoryStore;
use mailbox::{MailboxName, Store};
use proptest::prelude::*;

use super::*;
use crate::session::Settings;
use crate::session::crew::Crew;

fn store(messages: &[String]) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let inbox = store.open(&MailboxName::inbox()).unwrap().id;
    let mut append = store.append(&inbox).unwrap();
    for message in messages {
        append.start(mailbox::Flags::default(), 0).unwrap();
        append.write(message.as_bytes()).unwrap();
    }
    append.commit().unwrap();
    store
}

fn session(store: &Arc<MemoryStore>, settings: Settings) -> Session {
    let mut session = Session::new(store.clone(), Arc::new(|| {}), settings, 1_000 * SECOND);
    talk(&mut session, "s SELECT INBOX\r\n");
    session
}

fn drain(session: &mut Session) -> String {
    let mut out = Vec::new();
    session.next_output(&mut out, usize::MAX);
    String::from_utf8(out).unwrap()
}

fn talk(session: &mut Session, line: &str) -> String {
    session.feed(line.as_bytes(), 1_000 * SECOND);
    drain(session)
}

/// Goes on until something is said; how often the deadline passed.
fn wait(session: &mut Session) -> (String, usize) {
    for times in 1..1000 {
        session.time_out(session.deadline().unwrap());
        let said = drain(session);
        if !said.is_empty() {
            return (said, times);
        }
    }
    panic!("it never ends")
}

fn slices() -> Settings {
    Settings {
        search_slice_bytes: 1,
        ..Settings::default()
    }
}

fn five() -> Arc<MemoryStore> {
    let message = |number: usize| format!("Subject: s{}\r\n\r\nbody {number}\r\n", 9 - number);
    store(&(1..=5).map(message).collect::<Vec<_>>())
}

#[test]
fn a_slice_lets_the_connection_be_looked_after() {
    let mut session = session(&five(), slices());
    assert_eq!(talk(&mut session, "a SEARCH BODY 4\r\nb NOOP\r\n"), "");
    assert!(session.wants_input() && !session.is_finished());
    let (said, times) = wait(&mut session);
    assert_eq!(
        said,
        "* SEARCH 4\r\na OK Search completed.\r\nb OK NOOP completed.\r\n"
    );
    assert!(times >= 4, "{times}");
    talk(&mut session, "c SORT (SUBJECT) UTF-8 TEXT body\r\n");
    assert!(wait(&mut session).0.starts_with("* SORT 5 4 3 2 1\r\nc OK"));
    talk(&mut session, "d THREAD REFS UTF-8 TEXT body\r\n");
    assert!(
        wait(&mut session)
            .0
            .starts_with("* THREAD (1)(2)(3)(4)(5)\r\nd OK")
    );
}

#[test]
fn who_hangs_up_is_not_searched_for() {
    let mut session = session(&five(), slices());
    talk(&mut session, "a SEARCH BODY 4\r\n");
    session.end_of_input(1_000 * SECOND);
    while session.next_event().is_some() {}
    assert!(session.is_finished() && drain(&mut session).is_empty());
}

#[test]
fn who_has_said_everything_is_answered() {
    let mut session = session(&five(), slices());
    talk(&mut session, "a SEARCH BODY 4\r\nb LOGOUT\r\n");
    session.end_of_input(1_000 * SECOND);
    assert!(!session.is_finished());
    assert!(wait(&mut session).0.starts_with("* SEARCH 4\r\na OK"));
}

#[test]
fn who_says_too_much_meanwhile_is_not_listened_to() {
    let mut session = session(&five(), slices());
    talk(&mut session, "a SEARCH BODY 4\r\n");
    let rubbish = "b NOOP\r\n".repeat(UNREAD_BYTES_MAX / 8 + 1);
    talk(&mut session, &rubbish);
    assert!(!session.wants_input());
}

#[test]
fn bye_ends_a_search() {
    let mut session = session(&five(), slices());
    talk(&mut session, "a SEARCH BODY 4\r\n");
    session.bye("Leaving.");
    assert_eq!(drain(&mut session), "* BYE Leaving.\r\n");
}

/// Begins with the last part, and remembers which there were.
#[derive(Debug, Default)]
struct Backwards(Mutex<HashSet<usize>>);

impl Crew for Backwards {
    fn share(&self, parts: usize, work: &(dyn Fn(usize) + Sync)) {
        for part in (0..parts).rev() {
            self.0.lock().unwrap().insert(part);
            work(part);
        }
    }
}

#[test]
fn the_order_in_which_parts_are_done_does_not_matter() {
    let message = |number: usize| format!("Subject: s{}\r\n\r\nbody{}\r\n", number % 7, number % 10);
    let store = store(&(1..=100).map(message).collect::<Vec<_>>());
    let crew = Arc::new(Backwards::default());
    let settings = Settings {
        crew: crew.clone(),
        ..Settings::default()
    };
    let (mut backwards, mut forwards) = (session(&store, settings), session(&store, Settings::default()));
    for command in [
        "a SEARCH BODY body3\r\n",
        "a SORT (SUBJECT) UTF-8 TEXT s3\r\n",
        "a SORT (REVERSE SUBJECT) UTF-8 ALL\r\n",
        "a THREAD REFERENCES UTF-8 ALL\r\n",
    ] {
        assert_eq!(
            talk(&mut backwards, command),
            talk(&mut forwards, command),
            "{command}"
        );
    }
    assert!(crew.0.lock().unwrap().len() > 3);
}

#[test]
fn a_message_that_is_gone_is_not_sorted() {
    let store = five();
    let mut session = session(&store, Settings::default());
    let mut other = self::session(&store, Settings::default());
    talk(&mut other, "a STORE 2 +FLAGS (\\Deleted)\r\nb EXPUNGE\r\n");
    let said = talk(&mut session, "a SORT (SUBJECT) UTF-8 ALL\r\n");
    assert!(
        said.starts_with("* SORT 5 4 3 1\r\na OK [EXPUNGEISSUED] Sort completed."),
        "{said}"
    );
    let said = talk(&mut session, "b UID THREAD REFS UTF-8 ALL\r\n");
    assert!(said.starts_with("* THREAD (1)(3)(4)(5)\r\n"), "{said}");
}

#[test]
fn contexts_of_sorts_tell_places() {
    let store = five();
    let mut session = session(&store, Settings::default());
    let said = talk(
        &mut session,
        "a UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 UNSEEN\r\n",
    );
    assert!(
        said.starts_with("* ESEARCH (TAG \"a\") UID ALL 5,4,3,2,1\r\n"),
        "{said}"
    );
    let said = talk(&mut session, "b STORE 2,4 +FLAGS.SILENT (\\Seen)\r\n");
    assert!(
        said.starts_with("* ESEARCH (TAG \"a\") UID REMOVEFROM (2 4 3 2)\r\n"),
        "{said}"
    );
    let said = talk(&mut session, "c STORE 2,4 -FLAGS.SILENT (\\Seen)\r\n");
    assert!(
        said.starts_with("* ESEARCH (TAG \"a\") UID ADDTO (3 2 2 4)\r\n"),
        "{said}"
    );
    talk(&mut session, "d STORE 1,5 +FLAGS.SILENT (\\Deleted)\r\n");
    let said = talk(&mut session, "e EXPUNGE\r\n");
    assert!(
        said.starts_with("* ESEARCH (TAG \"a\") UID REMOVEFROM (1 5 4 1)\r\n"),
        "{said}"
    );
}

/// What a client makes of `REMOVEFROM` and `ADDTO`.
fn apply(known: &mut Vec<u32>, said: &str) {
    for line in said.lines().filter(|line| line.starts_with("* ESEARCH")) {
        for (word, removes) in [("REMOVEFROM (", true), ("ADDTO (", false)] {
            let Some((_, rest)) = line.split_once(word) else {
                continue;
            };
            let inner = rest.split_once(')').unwrap().0;
            let numbers: Vec<u32> = inner.split(' ').map(|number| number.parse().unwrap()).collect();
            for pair in numbers.chunks(2) {
                let place = pair[0] as usize - 1;
                if removes {
                    assert_eq!(known.remove(place), pair[1], "{line}");
                } else {
                    known.insert(place, pair[1]);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn who_follows_updates_knows_what_a_sort_would_tell(
        steps in proptest::collection::vec((0usize..4, 1u32..8), 1..15),
        subjects in proptest::collection::vec(0u8..4, 7),
    ) {
        let message = |subject: &u8| format!("Subject: s{subject}\r\n\r\nbody\r\n");
        let store = store(&subjects.iter().map(message).collect::<Vec<_>>());
        let mut session = session(&store, Settings::default());
        let query = "(REVERSE SUBJECT) UTF-8 UNSEEN";
        let told = |said: String| -> Vec<u32> {
            let line = said.lines().find(|line| line.starts_with("* SORT")).unwrap().to_owned();
            line["* SORT".len()..].split_whitespace().map(|number| number.parse().unwrap()).collect()
        };
        let mut known = told(talk(&mut session, &format!("a UID SORT {query}\r\n")));
        talk(&mut session, &format!("b UID SORT RETURN (UPDATE COUNT) {query}\r\n"));
        for (what, uid) in steps {
            let command = match what {
                0 => format!("c UID STORE {uid} +FLAGS (\\Seen)\r\n"),
                1 => format!("c UID STORE {uid}:* -FLAGS.SILENT (\\Seen)\r\n"),
                2 => format!("c UID STORE {uid} +FLAGS (\\Deleted)\r\nd EXPUNGE\r\n"),
                _ => format!("c UID COPY {uid} INBOX\r\nd NOOP\r\n"),
            };
            apply(&mut known, &talk(&mut session, &command));
            prop_assert_eq!(&known, &told(talk(&mut session, &format!("e UID SORT {query}\r\n"))));
        }
    }
}
