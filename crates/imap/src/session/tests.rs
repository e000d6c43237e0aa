//! Tests of the session over the in-memory store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use machine::{Machine, SECOND};
use mailbox::memory::MemoryStore;
use mailbox::{MailboxName, Store};
use proptest::prelude::*;

use super::*;

fn session(store: &Arc<MemoryStore>) -> Session {
    Session::new(
        store.clone(),
        Arc::new(|| {}),
        Settings::default(),
        1_000 * SECOND,
    )
}

fn drain(session: &mut Session, limit: usize) -> String {
    let mut out = Vec::new();
    loop {
        let before = out.len();
        session.next_output(&mut out, limit);
        if out.len() == before {
            return String::from_utf8(out).unwrap();
        }
    }
}

fn talk(session: &mut Session, input: &str) -> String {
    session.feed(input.as_bytes(), 1_000 * SECOND);
    drain(session, 4096)
}

fn deliver(store: &MemoryStore, message: &[u8]) {
    let opened = store.open(&MailboxName::inbox()).unwrap();
    let mut append = store.append(&opened.id).unwrap();
    append.start(mailbox::Flags::default(), 760_686_745).unwrap();
    append.write(message).unwrap();
    append.commit().unwrap();
}

const MESSAGE: &[u8] = b"From: a@x.org\r\nTo: =?utf-8?q?J=C3=BCrgen?= <b@x.org>, grp: c@x, d@y;\r\nSubject: Hello \"w\"\r\n\
Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nMessage-Id: <1@x>\r\nMIME-Version: 1.0\r\n\
Content-Type: multipart/mixed; boundary=\"bb\"\r\n\r\npre\r\n--bb\r\nContent-Type: text/plain; charset=utf-8\r\n\
Content-Disposition: inline\r\n\r\nhello\r\nworld\r\n--bb\r\nContent-Type: message/rfc822\r\n\r\nFrom: q@q\r\n\
Subject: inner\r\n\r\ninner body\r\n--bb\r\nContent-Type: image/png; name=x.png\r\nContent-Transfer-Encoding: base64\r\n\
Content-Disposition: attachment; filename=\"x.png\"\r\nContent-Language: en, de\r\nContent-ID: <cid>\r\n\
Content-Description: desc\r\nContent-MD5: abc\r\nContent-Location: http://x\r\n\r\nAAAA\r\n--bb--\r\npost\r\n";

/// What Dovecot 2.3 answered for [`MESSAGE`].
#[test]
fn fetch_is_dovecots() {
    let store = Arc::new(MemoryStore::new());
    deliver(&store, MESSAGE);
    let mut session = session(&store);
    talk(&mut session, "s SELECT INBOX\r\n");
    let full = talk(&mut session, "a FETCH 1 FULL\r\n");
    assert_eq!(
        full,
        "* 1 FETCH (FLAGS (\\Recent) INTERNALDATE \"08-Feb-1994 05:52:25 +0000\" RFC822.SIZE 659 ENVELOPE \
         (\"Mon, 7 Feb 1994 21:52:25 -0800\" {9}\r\nHello \"w\" ((NIL NIL \"a\" \"x.org\")) ((NIL NIL \"a\" \"x.org\")) \
         ((NIL NIL \"a\" \"x.org\")) ((\"=?utf-8?q?J=C3=BCrgen?=\" NIL \"b\" \"x.org\")(NIL NIL \"grp\" NIL)\
         (NIL NIL \"c\" \"x\")(NIL NIL \"d\" \"y\")(NIL NIL NIL NIL)) NIL NIL NIL \"<1@x>\") \
         BODY ((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 12 1)(\"message\" \"rfc822\" NIL NIL NIL \
         \"7bit\" 39 (NIL \"inner\" ((NIL NIL \"q\" \"q\")) ((NIL NIL \"q\" \"q\")) ((NIL NIL \"q\" \"q\")) NIL NIL NIL \
         NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 0) 3)(\"image\" \"png\" (\"name\" \
         \"x.png\") \"<cid>\" \"desc\" \"base64\" 4) \"mixed\"))\r\na OK Fetch completed.\r\n"
    );
    let structure = talk(&mut session, "b FETCH 1 BODYSTRUCTURE\r\n");
    assert_eq!(
        structure,
        "* 1 FETCH (BODYSTRUCTURE ((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 12 1 NIL (\"inline\" \
         NIL) NIL NIL)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 39 (NIL \"inner\" ((NIL NIL \"q\" \"q\")) ((NIL NIL \
         \"q\" \"q\")) ((NIL NIL \"q\" \"q\")) NIL NIL NIL NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL \
         NIL \"7bit\" 10 0 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)(\"image\" \"png\" (\"name\" \"x.png\") \"<cid>\" \"desc\" \
         \"base64\" 4 \"abc\" (\"attachment\" (\"filename\" \"x.png\")) (\"en\" \"de\") \"http://x\") \"mixed\" \
         (\"boundary\" \"bb\") NIL NIL NIL))\r\nb OK Fetch completed.\r\n"
    );
    let sections = talk(
        &mut session,
        "c FETCH 1 (BODY.PEEK[HEADER.FIELDS (SUBJECT to)] BODY.PEEK[1] BODY.PEEK[2.HEADER] BODY.PEEK[2.TEXT] \
         BODY.PEEK[2.1] BODY.PEEK[2.MIME] BODY.PEEK[3]<1.2> BODY.PEEK[9] BODY.PEEK[1.1])\r\n",
    );
    assert_eq!(
        sections,
        "* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT TO)] {77}\r\nTo: =?utf-8?q?J=C3=BCrgen?= <b@x.org>, grp: c@x, d@y;\r\n\
         Subject: Hello \"w\"\r\n\r\n BODY[1] {12}\r\nhello\r\nworld BODY[2.HEADER] {29}\r\nFrom: q@q\r\nSubject: inner\
         \r\n\r\n BODY[2.TEXT] {10}\r\ninner body BODY[2.1] {10}\r\ninner body BODY[2.MIME] {32}\r\nContent-Type: \
         message/rfc822\r\n\r\n BODY[3]<1> {2}\r\nAA BODY[9] {0}\r\n BODY[1.1] {12}\r\nhello\r\nworld)\r\n\
         c OK Fetch completed.\r\n"
    );
    let seen = talk(
        &mut session,
        "d UID FETCH 1 BODY[TEXT]<0.5>\r\ne FETCH 1 BODY[]<700.5>\r\n",
    );
    assert_eq!(
        seen,
        "* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent) BODY[TEXT]<0> {5}\r\npre\r\n)\r\nd OK Fetch completed.\r\n\
         * 1 FETCH (BODY[]<700> {0}\r\n)\r\ne OK Fetch completed.\r\n"
    );
}

#[test]
fn two_sessions_see_each_other() {
    let store = Arc::new(MemoryStore::new());
    for _ in 0..3 {
        deliver(&store, MESSAGE);
    }
    let (mut one, mut two) = (session(&store), session(&store));
    assert!(talk(&mut one, "a SELECT INBOX\r\n").contains("* 3 EXISTS\r\n* 3 RECENT\r\n"));
    assert!(talk(&mut two, "a SELECT INBOX\r\n").contains("* 3 EXISTS\r\n* 0 RECENT\r\n"));
    let stored = talk(&mut one, "b STORE 1:2 +FLAGS (\\Deleted $Work)\r\n");
    assert!(stored.ends_with(
        "* 1 FETCH (FLAGS (\\Deleted \\Recent $Work))\r\n* 2 FETCH (FLAGS (\\Deleted \\Recent $Work))\r\nb OK Store completed.\r\n"
    ));
    let seen = talk(&mut two, "b NOOP\r\n");
    assert!(
        seen.contains("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)\r\n"),
        "{seen}"
    );
    assert!(seen.contains("* 2 FETCH (FLAGS (\\Deleted $Work))\r\n"), "{seen}");
    assert_eq!(
        talk(&mut one, "c EXPUNGE\r\n"),
        "* 2 EXPUNGE\r\n* 1 EXPUNGE\r\n* 1 RECENT\r\nc OK Expunge completed.\r\n"
    );
    // No EXPUNGE may come between here and the end of a FETCH, STORE or SEARCH by sequence number.
    let fetched = talk(
        &mut two,
        "c FETCH 1:3 (UID)\r\nd FETCH 1 BODY.PEEK[1]\r\ne SEARCH ALL\r\n",
    );
    assert!(
        fetched.starts_with("* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\nc OK"),
        "{fetched}"
    );
    assert!(
        fetched.contains("* 1 FETCH (BODY[1] NIL)\r\nd OK [EXPUNGEISSUED] "),
        "{fetched}"
    );
    assert!(
        fetched.ends_with("* SEARCH 3\r\ne OK Search completed.\r\n"),
        "{fetched}"
    );
    assert_eq!(
        talk(&mut two, "f UID SEARCH ALL\r\n"),
        "* SEARCH 3\r\n* 2 EXPUNGE\r\n* 1 EXPUNGE\r\nf OK Search completed.\r\n"
    );
}

#[test]
fn idle_pushes_when_woken() {
    let store = Arc::new(MemoryStore::new());
    let woken = Arc::new(AtomicUsize::new(0));
    let count = woken.clone();
    let wake = Arc::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let mut session = Session::new(store.clone(), wake, Settings::default(), 0);
    talk(&mut session, "a SELECT INBOX\r\n");
    assert_eq!(talk(&mut session, "b IDLE\r\n"), "+ idling\r\n");
    deliver(&store, MESSAGE);
    assert!(woken.load(Ordering::SeqCst) > 0, "the store calls");
    session.wake(2_000 * SECOND);
    assert_eq!(drain(&mut session, 100), "* 1 EXISTS\r\n* 1 RECENT\r\n");
    let notice = session.deadline().unwrap();
    session.time_out(notice);
    assert_eq!(drain(&mut session, 100), "* OK Still here\r\n");
    assert_eq!(
        talk(&mut session, "DONE\r\nc NOOP\r\n"),
        "b OK Idle completed.\r\nc OK NOOP completed.\r\n"
    );
}

#[test]
fn a_silent_client_is_logged_out() {
    let mut session = session(&Arc::new(MemoryStore::new()));
    let deadline = session.deadline().unwrap();
    assert_eq!(deadline, (1_000 + IDLE_SECS_MAX) * SECOND);
    session.time_out(deadline);
    assert_eq!(drain(&mut session, 100), "* BYE Disconnected for inactivity.\r\n");
    assert!(matches!(session.next_event(), Some(Event::Ended(_))));
    assert!(session.is_finished());
}

#[test]
fn a_large_body_is_never_held() {
    let store = Arc::new(MemoryStore::new());
    let mut message = b"Subject: big\r\n\r\n".to_vec();
    message.extend(b"0123456789abcdef0123456789abcde\r\n".repeat(30_000));
    deliver(&store, &message);
    let mut session = session(&store);
    talk(&mut session, "a SELECT INBOX\r\n");
    session.feed(b"b FETCH 1 BODY.PEEK[]\r\nc NOOP\r\n", 0);
    assert!(!session.wants_input());
    let mut total = 0;
    loop {
        let mut piece = Vec::new();
        session.next_output(&mut piece, 1000);
        assert!(piece.len() <= 1200, "{}", piece.len());
        if piece.is_empty() {
            break;
        }
        total += piece.len();
    }
    assert!(total > message.len());
    assert!(session.wants_input());
    assert_eq!(session.output.capacity(), 0, "an idle session holds no buffer");
}

#[test]
fn searches() {
    let store = Arc::new(MemoryStore::new());
    deliver(&store, MESSAGE);
    deliver(
        &store,
        "From: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?= <jp@example.jp>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
         Date: Tue, 1 Mar 2022 10:00:00 +0900\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\nSch=C3=B6ne T=\r\nage\r\n"
            .as_bytes(),
    );
    let mut session = session(&store);
    talk(
        &mut session,
        "a SELECT INBOX\r\nb STORE 2 +FLAGS.SILENT (\\Seen $Work)\r\n",
    );
    for (keys, found) in [
        ("ALL", " 1 2"),
        ("SEEN", " 2"),
        ("UNSEEN", " 1"),
        ("NEW", " 1"),
        ("OLD", ""),
        ("KEYWORD $work", " 2"),
        ("UNKEYWORD $Work", " 1"),
        ("FROM \"a@X\"", " 1"),
        ("CHARSET UTF-8 FROM {6+}\r\n日本", " 2"),
        ("CHARSET UTF-8 SUBJECT {7+}\r\ngrÜße", " 2"),
        ("CHARSET ISO-8859-1 SUBJECT grue", ""),
        ("BODY \"tage\"", " 2"),
        ("CHARSET UTF-8 TEXT {6+}\r\nSCHÖN", " 2"),
        ("BODY \"inner body\"", " 1"),
        ("BODY desc", ""),
        ("TEXT desc", " 1"),
        ("BODY \"hello \\\"w\"", ""),
        ("TEXT \"hello \\\"w\"", " 1"),
        ("HEADER Message-Id \"\"", " 1"),
        ("HEADER X-None \"\"", ""),
        ("LARGER 600", " 1"),
        ("SMALLER 600", " 2"),
        ("ON 8-Feb-1994", " 1 2"),
        ("BEFORE 8-Feb-1994", ""),
        ("SINCE 8-Feb-1994", " 1 2"),
        ("SENTON 7-Feb-1994", " 1"),
        ("SENTSINCE 1-Mar-2022", " 2"),
        ("SENTBEFORE 1-Mar-2022", " 1"),
        ("OR FROM jp NOT SEEN", " 1 2"),
        ("(FROM jp SEEN) 1:*", " 2"),
        ("UID 2:99", " 2"),
        ("2", " 2"),
        ("NOT 2", " 1"),
        ("OLDER 100", ""),
        ("YOUNGER 100", " 1 2"),
    ] {
        let answer = talk(&mut session, &format!("c SEARCH {keys}\r\n"));
        assert_eq!(
            answer,
            format!("* SEARCH{found}\r\nc OK Search completed.\r\n"),
            "{keys}"
        );
    }
    assert_eq!(
        talk(&mut session, "d SEARCH CHARSET X-FOO SUBJECT x\r\n"),
        "d NO [BADCHARSET] Unknown charset.\r\n"
    );
    assert_eq!(
        talk(
            &mut session,
            "e UID SEARCH RETURN (MIN MAX COUNT) ALL\r\nf SEARCH RETURN () SEEN\r\n"
        ),
        "* ESEARCH (TAG \"e\") UID MIN 1 MAX 2 COUNT 2\r\ne OK Search completed.\r\n\
         * ESEARCH (TAG \"f\") ALL 2\r\nf OK Search completed.\r\n"
    );
}

#[test]
fn modseqs() {
    let store = Arc::new(MemoryStore::new());
    deliver(&store, MESSAGE);
    deliver(&store, MESSAGE);
    let mut session = session(&store);
    assert!(talk(&mut session, "a SELECT INBOX (CONDSTORE)\r\n").contains("[HIGHESTMODSEQ "));
    let modseq = session.view.as_ref().unwrap().modseq;
    let stored = talk(&mut session, "b STORE 1 +FLAGS.SILENT (\\Seen)\r\n");
    // In silence: the modseq and nothing else (RFC 7162 §3.1.3).
    let silent = format!("* 1 FETCH (MODSEQ ({}))\r\nb OK Store completed.\r\n", modseq + 1);
    assert_eq!(stored, silent);
    let changed = talk(
        &mut session,
        &format!("c FETCH 1:2 (FLAGS) (CHANGEDSINCE {modseq})\r\n"),
    );
    assert!(
        changed.starts_with("* 1 FETCH (FLAGS (\\Seen \\Recent) MODSEQ ("),
        "{changed}"
    );
    assert!(!changed.contains("* 2 FETCH"), "{changed}");
    let refused = talk(
        &mut session,
        &format!("d STORE 1:2 (UNCHANGEDSINCE {modseq}) +FLAGS (\\Flagged)\r\n"),
    );
    assert!(refused.contains("d OK [MODIFIED 1] "), "{refused}");
    assert!(refused.contains("* 2 FETCH"), "{refused}");
    let found = talk(&mut session, &format!("e SEARCH MODSEQ {}\r\n", modseq + 1));
    assert!(found.starts_with("* SEARCH 1 2 (MODSEQ "), "{found}");
}

/// A client that believes what it is told (RFC 3501 §7.4.1): which UID each sequence number is, as far as it knows.
#[derive(Default)]
struct Client {
    numbers: Vec<Option<u32>>,
}

impl Client {
    fn hear(&mut self, told: &str, may_expunge: bool) {
        for line in told.lines().filter_map(|line| line.strip_prefix("* ")) {
            let mut words = line.split(' ');
            let Some(number) = words.next().and_then(|word| word.parse::<usize>().ok()) else {
                continue;
            };
            match words.next() {
                Some("EXISTS") => {
                    assert!(number >= self.numbers.len(), "EXISTS shrank: {told}");
                    self.numbers.resize(number, None);
                }
                Some("EXPUNGE") => {
                    assert!(may_expunge, "EXPUNGE at the wrong moment: {told}");
                    self.numbers.remove(number - 1);
                }
                Some("FETCH") => {
                    if let Some((_, rest)) = line.split_once("UID ") {
                        let uid = rest.split([' ', ')']).next().unwrap().parse().unwrap();
                        let known = self.numbers[number - 1].get_or_insert(uid);
                        assert_eq!(*known, uid, "{told}");
                    }
                }
                _ => {}
            }
        }
    }
}

proptest! {
    #[test]
    fn clients_never_lose_count(steps in proptest::collection::vec((0usize..3, 0usize..8), 1..40)) {
        let store = Arc::new(MemoryStore::new());
        let mut sessions = [session(&store), session(&store), session(&store)];
        let mut clients = [Client::default(), Client::default(), Client::default()];
        for (session, client) in sessions.iter_mut().zip(&mut clients) {
            client.hear(&talk(session, "a SELECT INBOX\r\n"), false);
        }
        for (who, step) in steps {
            let count = clients[who].numbers.len();
            let (command, may_expunge) = match step {
                0 | 1 => ("a APPEND INBOX {3+}\r\nabc\r\n".to_owned(), true),
                2 if count > 0 => (format!("a STORE {count} +FLAGS (\\Deleted)\r\n"), false),
                3 if count > 0 => ("a STORE 1 +FLAGS (\\Deleted)\r\n".to_owned(), false),
                4 => ("a EXPUNGE\r\n".to_owned(), true),
                5 if count > 0 => ("a FETCH 1:* (UID BODY[])\r\n".to_owned(), false),
                6 => ("a UID SEARCH ALL\r\n".to_owned(), true),
                7 => ("a SEARCH SEEN\r\n".to_owned(), false),
                _ => ("a NOOP\r\n".to_owned(), true),
            };
            clients[who].hear(&talk(&mut sessions[who], &command), may_expunge);
        }
        for (session, client) in sessions.iter_mut().zip(&mut clients) {
            client.hear(&talk(session, "a NOOP\r\n"), true);
            let inbox = store.open(&MailboxName::inbox()).unwrap().id;
            let uids: Vec<u32> = store.changes(&inbox, 0).unwrap().messages.iter().map(|m| m.uid).collect();
            prop_assert_eq!(client.numbers.len(), uids.len());
            if !uids.is_empty() {
                client.hear(&talk(session, "a FETCH 1:* UID\r\n"), false);
                prop_assert_eq!(client.numbers.iter().map(|uid| uid.unwrap()).collect::<Vec<_>>(), uids);
            }
        }
    }

    #[test]
    fn cuts_do_not_matter(cut in 1usize..40, limit in 1usize..200) {
        let script = "a SELECT INBOX\r\nb APPEND INBOX (\\Seen) {11+}\r\nSubject: x\n\r\nc FETCH 1:* (FLAGS BODY.PEEK[])\r\n\
            d STORE 1 +FLAGS (\\Deleted)\r\ne FOO\r\nf CREATE {3+}\r\na/b\r\ng LIST \"\" *\r\nh COPY 1 a/b\r\ni EXPUNGE\r\n\
            j APPEND nosuch {3+}\r\nabc\r\nk STATUS a/b (MESSAGES UIDNEXT)\r\nl IDLE\r\nDONE\r\nm SEARCH TEXT {5+}\r\nhello\r\n\
            n CLOSE\r\no LOGOUT\r\n";
        let run = |cut: usize, limit: usize| {
            let store = Arc::new(MemoryStore::new());
            deliver(&store, MESSAGE);
            let mut session = session(&store);
            let mut seen = String::new();
            for piece in script.as_bytes().chunks(cut) {
                session.feed(piece, 1_000 * SECOND);
                seen.push_str(&drain(&mut session, limit));
            }
            (seen, session.is_finished() || session.next_event().is_some())
        };
        prop_assert_eq!(run(cut, limit), run(script.len(), 1 << 20));
    }

    #[test]
    fn never_panics(words in proptest::collection::vec(prop::sample::select(vec![
        "a ", "UID ", "FETCH ", "STORE ", "SEARCH ", "APPEND ", "LIST ", "1:*", "*", "2", " ", "(", ")", "\"", "INBOX", "{3+}\r\n",
        "abc", "BODY[]", "BODY[1.1]", "<0.1>", "\\Seen", "+FLAGS ", "\r\n", "SELECT ", "EXPUNGE", "COPY ", "MOVE ", "IDLE", "DONE",
        "RENAME ", "DELETE ", "CLOSE", "NOOP", "a SELECT INBOX\r\n", "a FETCH 1 FULL\r\n", "ALL", "\u{e9}", "LSUB ",
    ]), 0..40)) {
        let store = Arc::new(MemoryStore::new());
        deliver(&store, MESSAGE);
        let mut session = session(&store);
        talk(&mut session, &words.concat());
    }
}

/// Performance goal: an idle session costs a few KiB, most of them the connection's.
#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Session>() <= 512, "{}", size_of::<Session>());
    assert!(size_of::<view::Row>() <= 88, "{}", size_of::<view::Row>());
}

#[test]
fn half_a_message_is_no_message() {
    let store = Arc::new(MemoryStore::new());
    let mut session = session(&store);
    assert_eq!(talk(&mut session, "a APPEND INBOX {10}\r\n"), "+ OK\r\n");
    assert_eq!(talk(&mut session, "12345"), "");
    session.end_of_input(2_000 * SECOND);
    assert!(matches!(session.next_event(), Some(Event::Ended(ended)) if ended.reason == "Connection closed"));
    assert!(session.is_finished());
    let inbox = store.open(&MailboxName::inbox()).unwrap().id;
    assert_eq!(store.status(&inbox).unwrap().messages, 0);
}

#[test]
fn a_shutdown_is_announced() {
    let mut session = session(&Arc::new(MemoryStore::new()));
    talk(&mut session, "a SELECT INBOX\r\nb IDLE\r\n");
    session.bye("Server shutting down.");
    assert_eq!(drain(&mut session, 100), "* BYE Server shutting down.\r\n");
    assert!(session.next_event().is_some() && session.is_finished());
}

#[test]
fn the_settings_say_how_often_idle_speaks_and_how_long_a_command_is() {
    let settings = Settings {
        command_bytes_max: 100,
        idle_notify: 7 * SECOND,
        ..Settings::default()
    };
    let mut session = Session::new(Arc::new(MemoryStore::new()), Arc::new(|| {}), settings, 0);
    let long = format!("a NOOP {}\r\n", "x".repeat(200));
    let refused = talk(&mut session, &long);
    let text = "a BAD Error in IMAP command NOOP: Too long argument\r\n";
    assert_eq!(refused, text);
    let many = format!("a uid fetch {}\r\n", "1 ".repeat(200));
    let text = "a BAD Error in IMAP command UID FETCH: IMAP command line too large\r\n";
    assert_eq!(talk(&mut session, &many), text);
    talk(&mut session, "b IDLE\r\n");
    let first = session.deadline().unwrap();
    session.time_out(first);
    assert_eq!(session.deadline(), Some(first + 7 * SECOND));
}
