//! Tests of what is told when: QRESYNC, NOTIFY, OBJECTID, over the in-memory store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use machine::{Machine, SECOND};
use mailbox::memory::MemoryStore;

use super::*;

/// A session, and how often it was woken.
struct Client {
    session: Session,
    wakes: Arc<AtomicUsize>,
    heard: usize,
}

impl Client {
    fn new(store: &Arc<MemoryStore>) -> Client {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&wakes);
        let wake: Wake = Arc::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        Client {
            session: Session::new(store.clone(), wake, Settings::default(), 1_000 * SECOND),
            wakes,
            heard: 0,
        }
    }

    fn drain(&mut self) -> String {
        let mut out = Vec::new();
        loop {
            let before = out.len();
            self.session.next_output(&mut out, 4096);
            if out.len() == before {
                return String::from_utf8(out).unwrap();
            }
        }
    }

    fn say(&mut self, line: &str) -> String {
        self.session
            .feed(format!("{line}\r\n").as_bytes(), 1_000 * SECOND);
        self.drain()
    }

    /// What it is told without asking, once it was woken.
    fn hear(&mut self) -> String {
        let wakes = self.wakes.load(Ordering::SeqCst);
        if std::mem::replace(&mut self.heard, wakes) < wakes {
            self.session.wake(1_000 * SECOND);
        }
        self.drain()
    }
}

fn two(messages: usize) -> (Client, Client) {
    let store = Arc::new(MemoryStore::new());
    let (first, mut second) = (Client::new(&store), Client::new(&store));
    for _ in 0..messages {
        append(&mut second, "INBOX");
    }
    second.say("s SELECT INBOX");
    (first, second)
}

fn append(client: &mut Client, mailbox: &str) {
    let answer = client.say(&format!("a APPEND {mailbox} {{17+}}\r\nSubject: x\r\n\r\nabc"));
    assert!(answer.contains("a OK"), "{answer}");
}

#[test]
fn a_client_that_comes_back_is_told_what_it_missed() {
    let (mut first, mut second) = two(4);
    first.say("a ENABLE QRESYNC");
    first.say("b SELECT INBOX");
    second.say("c STORE 2,3 +FLAGS.SILENT (\\Deleted)");
    second.say("d EXPUNGE");
    assert_eq!(
        first.say("e NOOP"),
        "* VANISHED 2:3\r\ne OK [HIGHESTMODSEQ 7] NOOP completed.\r\n"
    );
    assert_eq!(first.say("f NOOP"), "f OK NOOP completed.\r\n");
    first.say("g UNSELECT");
    second.say("h STORE 1 +FLAGS (\\Flagged)");
    let answer = first.say("i SELECT INBOX (QRESYNC (1 5 2:4))");
    assert!(
        answer.ends_with("* VANISHED (EARLIER) 2:3\r\ni OK [READ-WRITE] Select completed.\r\n"),
        "{answer}"
    );
    let answer = first.say("j SELECT INBOX (QRESYNC (1 7))");
    assert!(
        answer.ends_with(
            "* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ (8))\r\nj OK [READ-WRITE] Select completed.\r\n"
        ),
        "{answer}"
    );
    let answer = first.say("k SELECT INBOX (QRESYNC (2 1))");
    assert!(
        !answer.contains("VANISHED") && !answer.contains("FETCH"),
        "another UIDVALIDITY: {answer}"
    );
    second.say("l STORE 1 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(second.say("m CLOSE"), "m OK Close completed.\r\n");
    append(&mut first, "INBOX");
    first.say("n STORE 1:* +FLAGS.SILENT (\\Deleted)");
    let closed = first.say("o CLOSE");
    assert!(closed.starts_with("o OK [HIGHESTMODSEQ "), "{closed}");
}

#[test]
fn the_selected_mailbox_is_told_between_commands() {
    let (mut first, mut second) = two(3);
    first.say("a SELECT INBOX");
    first.say("b NOTIFY SET (SELECTED (MessageNew (UID RFC822.SIZE) MessageExpunge FlagChange))");
    assert_eq!(first.hear(), "");
    second.say("c STORE 1 +FLAGS (\\Deleted)");
    assert_eq!(first.hear(), "* 1 FETCH (FLAGS (\\Deleted))\r\n");
    second.say("d EXPUNGE");
    assert_eq!(first.hear(), "* 1 EXPUNGE\r\n");
    append(&mut second, "INBOX");
    assert_eq!(first.hear(), "* 3 EXISTS\r\n* 3 FETCH (UID 4 RFC822.SIZE 17)\r\n");
    // During IDLE too, which goes on afterwards.
    assert_eq!(first.say("e IDLE"), "+ idling\r\n");
    append(&mut second, "INBOX");
    assert_eq!(first.hear(), "* 4 EXISTS\r\n* 4 FETCH (UID 5 RFC822.SIZE 17)\r\n");
    assert_eq!(first.say("DONE"), "e OK Idle completed.\r\n");
}

#[test]
fn expunges_wait_for_a_command_with_selected_delayed() {
    let (mut first, mut second) = two(2);
    first.say("a SELECT INBOX");
    first.say("b NOTIFY SET (SELECTED-DELAYED (MessageNew MessageExpunge))");
    second.say("c STORE 1 +FLAGS (\\Deleted)");
    second.say("d EXPUNGE");
    append(&mut second, "INBOX");
    assert_eq!(
        first.hear(),
        "* 3 EXISTS\r\n",
        "flags are not wanted, expunges wait"
    );
    assert_eq!(first.say("e NOOP"), "* 1 EXPUNGE\r\ne OK NOOP completed.\r\n");
}

#[test]
fn after_notify_none_only_own_commands_are_told() {
    let (mut first, mut second) = two(3);
    first.say("a SELECT INBOX");
    assert_eq!(first.say("b NOTIFY NONE"), "b OK NOTIFY completed.\r\n");
    append(&mut second, "INBOX");
    second.say("c STORE 1 +FLAGS (\\Flagged)");
    assert_eq!(first.hear(), "");
    assert_eq!(first.say("d NOOP"), "d OK NOOP completed.\r\n");
    let stored = first.say("e STORE 2 +FLAGS (\\Deleted)");
    assert_eq!(
        stored,
        "* 2 FETCH (FLAGS (\\Deleted \\Recent))\r\ne OK Store completed.\r\n".replace(" \\Recent", "")
    );
    assert_eq!(
        first.say("f EXPUNGE"),
        "* 2 EXPUNGE\r\nf OK Expunge completed.\r\n"
    );
    // Once it wants to hear again, it is told all of it.
    let answer = first.say("g NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))");
    assert_eq!(
        answer,
        "g OK NOTIFY completed.\r\n* 1 FETCH (FLAGS (\\Flagged))\r\n* 3 EXISTS\r\n"
    );
}

#[test]
fn other_mailboxes_are_told_by_status_and_list() {
    let (mut first, mut second) = two(1);
    second.say("a CREATE other");
    let answer = first
        .say("b NOTIFY SET STATUS (PERSONAL (MessageNew MessageExpunge MailboxName SubscriptionChange))");
    assert_eq!(
        answer,
        "* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1 UNSEEN 1)\r\n\
         * STATUS other (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 2 UNSEEN 0)\r\nb OK NOTIFY completed.\r\n"
    );
    append(&mut second, "other");
    assert_eq!(first.hear(), "* STATUS other (MESSAGES 1 UIDNEXT 2 UNSEEN 1)\r\n");
    second.say("c STORE 1 +FLAGS (\\Flagged)");
    assert_eq!(first.hear(), "", "flags are not wanted");
    second.say("d CREATE new");
    assert_eq!(first.hear(), "* LIST () \"/\" new\r\n");
    second.say("e RENAME new newer");
    assert_eq!(first.hear(), "* LIST () \"/\" newer (\"OLDNAME\" (new))\r\n");
    second.say("f SUBSCRIBE newer");
    assert_eq!(first.hear(), "* LIST (\\Subscribed) \"/\" newer\r\n");
    second.say("g UNSUBSCRIBE newer");
    assert_eq!(first.hear(), "* LIST () \"/\" newer\r\n");
    second.say("h DELETE newer");
    assert_eq!(first.hear(), "* LIST (\\NonExistent) \"/\" newer\r\n");
    // The selected mailbox has no STATUS.
    first.say("i SELECT other");
    append(&mut second, "other");
    assert_eq!(first.hear(), "");
    first.say("j UNSELECT");
    append(&mut second, "other");
    assert_eq!(first.hear(), "* STATUS other (MESSAGES 3 UIDNEXT 4 UNSEEN 3)\r\n");
}

#[test]
fn too_many_mailboxes_are_an_overflow() {
    let (mut first, mut second) = two(1);
    for number in 0..=1000 {
        second.say(&format!("a CREATE m{number}"));
    }
    let answer = first.say("b NOTIFY SET (PERSONAL (MessageNew MessageExpunge))");
    assert_eq!(
        answer,
        "* OK [NOTIFICATIONOVERFLOW] Too many mailboxes to watch.\r\nb OK NOTIFY completed.\r\n"
    );
    append(&mut second, "m1");
    assert_eq!(first.hear(), "");
}

#[test]
fn names_for_good_are_told_everywhere() {
    let (mut first, mut second) = two(1);
    let id = |answer: &str, word: &str| {
        let (_, rest) = answer
            .split_once(&format!("{word} ("))
            .unwrap_or_else(|| panic!("{answer}"));
        rest.split(')').next().unwrap().to_owned()
    };
    let made = id(&first.say("a CREATE one"), "MAILBOXID");
    first.say("b RENAME one two");
    assert_eq!(id(&first.say("c STATUS two (MAILBOXID)"), "MAILBOXID"), made);
    assert_eq!(id(&first.say("d SELECT two"), "MAILBOXID"), made);
    let email = id(&second.say("e FETCH 1 EMAILID"), "EMAILID");
    let thread = id(&second.say("f FETCH 1 (THREADID)"), "THREADID");
    second.say("g MOVE 1 two");
    first.say("g NOOP");
    assert_eq!(id(&first.say("h FETCH 1 EMAILID"), "EMAILID"), email);
    assert_eq!(
        first.say(&format!("i SEARCH EMAILID {email}")),
        "* SEARCH 1\r\ni OK Search completed.\r\n"
    );
    assert_eq!(
        first.say(&format!("j SEARCH THREADID {thread} NOT EMAILID {email}")),
        "* SEARCH\r\nj OK Search completed.\r\n"
    );
}
