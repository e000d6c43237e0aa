//! Tests of the session over messages and stores that are not as they should be.

use std::sync::Arc;

use machine::{Machine, SECOND};
use mailbox::memory::MemoryStore;
use mailbox::{
    Append, Body, Changes, Copied, Error, FlagChange, ListEntry, MailboxId, MailboxName, ModSeq, Namespace,
    Opened, Result, SpecialUse, Status, Store, Stored, Uid, UidSet, Wake, Watch,
};

use mailbox::store::Sought;

use super::*;

/// A store of which message 2 is shorter than it says and message 3 cannot be read. It has an index, which knows one word
/// and that it is in message 1 at most.
struct Broken(MemoryStore);

struct Short(Arc<dyn Body>);

impl Body for Short {
    fn size_bytes(&self) -> u64 {
        self.0.size_bytes() + 5
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.0.read_at(offset, into)
    }
}

impl Store for Broken {
    fn body(&self, mailbox: &MailboxId, uid: Uid) -> Result<Arc<dyn Body>> {
        match uid {
            2 => Ok(Arc::new(Short(self.0.body(mailbox, uid)?))),
            3 => Err(Error::Damaged("message 3 is unreadable".to_owned())),
            _ => self.0.body(mailbox, uid),
        }
    }

    fn candidates(&self, _: &MailboxId, sought: &Sought<'_>) -> Result<Option<UidSet>> {
        Ok((sought.text == "INDEXED" && !sought.in_headers).then(|| UidSet::from_iter([1])))
    }

    fn namespaces(&self) -> Vec<Namespace> {
        self.0.namespaces()
    }
    fn list(&self) -> Result<Vec<ListEntry>> {
        self.0.list()
    }
    fn open(&self, name: &MailboxName) -> Result<Opened> {
        self.0.open(name)
    }
    fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<()> {
        self.0.create(name, special_use)
    }
    fn delete(&self, name: &MailboxName) -> Result<()> {
        self.0.delete(name)
    }
    fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<()> {
        self.0.rename(from, to)
    }
    fn subscriptions(&self) -> Result<Vec<MailboxName>> {
        self.0.subscriptions()
    }
    fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Result<()> {
        self.0.subscribe(name, subscribed)
    }
    fn status(&self, mailbox: &MailboxId) -> Result<Status> {
        self.0.status(mailbox)
    }
    fn changes(&self, mailbox: &MailboxId, since: ModSeq) -> Result<Changes> {
        self.0.changes(mailbox, since)
    }
    fn claim_recent(&self, mailbox: &MailboxId) -> Result<UidSet> {
        self.0.claim_recent(mailbox)
    }
    fn append(&self, mailbox: &MailboxId) -> Result<Box<dyn Append>> {
        self.0.append(mailbox)
    }
    fn copy(&self, from: &MailboxId, uids: &UidSet, to: &MailboxId) -> Result<Copied> {
        self.0.copy(from, uids, to)
    }
    fn move_messages(&self, from: &MailboxId, uids: &UidSet, to: &MailboxId) -> Result<Copied> {
        self.0.move_messages(from, uids, to)
    }
    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored> {
        self.0.store_flags(mailbox, uids, change, unchanged_since)
    }
    fn expunge(&self, mailbox: &MailboxId, uids: &UidSet) -> Result<UidSet> {
        self.0.expunge(mailbox, uids)
    }
    fn watch(&self, mailbox: &MailboxId, wake: Wake) -> Result<Watch> {
        self.0.watch(mailbox, wake)
    }
    fn watch_names(&self, wake: Wake) -> Result<Watch> {
        self.0.watch_names(wake)
    }
}

fn session(store: impl Store + 'static) -> Session {
    Session::new(
        Arc::new(store),
        Arc::new(|| {}),
        Settings::default(),
        1_000 * SECOND,
    )
}

fn talk(session: &mut Session, input: &[u8]) -> Vec<u8> {
    session.feed(input, 1_000 * SECOND);
    let mut out = Vec::new();
    loop {
        let before = out.len();
        session.next_output(&mut out, 4096);
        if out.len() == before {
            return out;
        }
    }
}

fn say(session: &mut Session, input: &str) -> String {
    String::from_utf8_lossy(&talk(session, input.as_bytes())).into_owned()
}

fn deliver(store: &dyn Store, message: &[u8]) {
    let opened = store.open(&MailboxName::inbox()).unwrap();
    let mut append = store.append(&opened.id).unwrap();
    append.start(mailbox::Flags::default(), 760_686_745).unwrap();
    append.write(message).unwrap();
    append.commit().unwrap();
}

#[test]
fn a_message_that_cannot_be_read_ends_nothing() {
    let store = Broken(MemoryStore::new());
    (0..4).for_each(|_| deliver(&store, b"A: b\r\n\r\nx\r\n"));
    let mut session = session(store);
    say(&mut session, "a SELECT INBOX\r\n");
    let fetched = say(&mut session, "b FETCH 1:* BODY.PEEK[]\r\n");
    let expected = "* 1 FETCH (BODY[] {11}\r\nA: b\r\n\r\nx\r\n)\r\n* 2 FETCH (BODY[] {16}\r\nA: b\r\n\r\nx\r\n     )\r\n\
                    * 4 FETCH (BODY[] {11}\r\nA: b\r\n\r\nx\r\n)\r\nb NO [SERVERBUG] ";
    assert!(fetched.starts_with(expected), "{fetched}");
    let found = say(&mut session, "c SEARCH BODY x\r\n");
    assert!(
        found.starts_with("* SEARCH 1 2 4\r\nc NO [SERVERBUG] "),
        "{found}"
    );
    let problems: Vec<Event> = std::iter::from_fn(|| session.next_event()).collect();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(!session.is_finished());
}

#[test]
fn nul_is_never_sent() {
    let store = MemoryStore::new();
    deliver(&store, b"Subject: a\0b\r\nX: 1\r\n\r\nx\0y\r\n");
    let mut session = session(store);
    say(&mut session, "a SELECT INBOX\r\n");
    let fetched = talk(
        &mut session,
        b"b FETCH 1 (ENVELOPE BODY.PEEK[TEXT] BODY.PEEK[HEADER.FIELDS (SUBJECT)])\r\n",
    );
    let contains = |text: &[u8]| fetched.windows(text.len()).any(|window| window == text);
    assert!(
        contains("{5}\r\na\u{fffd}b".as_bytes()),
        "{}",
        fetched.escape_ascii()
    );
    assert!(
        contains(b"BODY[TEXT] {5}\r\nx\x80y\r\n"),
        "{}",
        fetched.escape_ascii()
    );
    assert!(
        contains(b"{16}\r\nSubject: a\x80b\r\n\r\n"),
        "{}",
        fetched.escape_ascii()
    );
}

#[test]
fn fields_left_out_leave_all_else() {
    let store = MemoryStore::new();
    deliver(
        &store,
        b"Subject: x\r\nno field\r\nTo: y\r\n folded\r\nFrom x\r\n\r\nbody\r\n",
    );
    let mut session = session(store);
    say(&mut session, "a SELECT INBOX\r\n");
    for (names, left) in [
        ("SUBJECT", "no field\r\nTo: y\r\n folded\r\nFrom x\r\n\r\n"),
        ("TO", "Subject: x\r\nno field\r\nFrom x\r\n\r\n"),
        ("SUBJECT TO", "no field\r\nFrom x\r\n\r\n"),
    ] {
        let fetched = say(
            &mut session,
            &format!("b FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT ({names})]\r\n"),
        );
        assert!(
            fetched.contains(&format!("{{{}}}\r\n{left})", left.len())),
            "{fetched}"
        );
    }
    let fetched = say(&mut session, "b FETCH 1 BODY.PEEK[HEADER.FIELDS (TO)]\r\n");
    assert!(fetched.contains("\r\nTo: y\r\n folded\r\n\r\n)"), "{fetched}");
    assert!(say(&mut session, "b FETCH 1 BODY[1.]\r\n").contains("b BAD "));
}

#[test]
fn what_an_index_rules_out_is_not_read() {
    let store = Broken(MemoryStore::new());
    for text in ["indexed", "indexed too, which the index does not know", "x"] {
        deliver(&store.0, format!("Subject: s\r\n\r\n{text}\r\n").as_bytes());
    }
    let settings = Settings::default();
    let mut session = Session::new(Arc::new(store), Arc::new(|| {}), settings, 0);
    say(&mut session, "a SELECT INBOX\r\n");
    let asked = |session: &mut Session, key: &str| say(session, &format!("b SEARCH {key}\r\n"));
    let found = "* SEARCH 1\r\nb OK Search completed.\r\n";
    assert_eq!(asked(&mut session, "BODY indexed"), found);
    assert_eq!(asked(&mut session, "UNSEEN BODY Indexed NOT SUBJECT t"), found);
    // What may hold is not what must: the others are read, and message 3 cannot be.
    assert!(asked(&mut session, "OR BODY indexed SUBJECT t").contains("b NO "));
    assert!(asked(&mut session, "NOT BODY indexed").contains("b NO "));
}

#[test]
fn addresses_and_missing_dates_are_searched_as_dovecot_does() {
    let store = MemoryStore::new();
    deliver(&store, b"From: a\r\n @\r\n b\r\n\r\nx\r\n");
    let mut session = session(store);
    say(&mut session, "a SELECT INBOX\r\n");
    for (key, found) in [
        ("FROM a@b", true),
        ("FROM a@c", false),
        ("HEADER FROM a@b", false),
        ("SENTBEFORE 1-Jan-2020", true),
        ("SENTON 1-Jan-1970", true),
        ("SENTSINCE 1-Jan-2020", false),
    ] {
        let answer = say(&mut session, &format!("b SEARCH {key}\r\n"));
        assert_eq!(answer.starts_with("* SEARCH 1\r\n"), found, "{key}: {answer}");
    }
    assert!(say(&mut session, "b SEARCH BEFORE 1-Jan-95\r\n").contains("b BAD "));
}

#[test]
fn a_selected_mailbox_that_is_renamed_is_gone_after_the_answer() {
    let mut session = session(MemoryStore::new());
    say(&mut session, "a CREATE x\r\na SELECT x\r\n");
    assert_eq!(
        say(&mut session, "b RENAME x y\r\n"),
        "b OK Rename completed.\r\n"
    );
    assert!(
        say(&mut session, "c STATUS inbox (MESSAGES)\r\n").starts_with("* STATUS inbox (MESSAGES 0)\r\n")
    );
}

#[test]
fn condstore_is_announced_when_it_is_first_used() {
    let store = MemoryStore::new();
    deliver(&store, b"A: b\r\n\r\nx\r\n");
    let mut session = session(store);
    say(&mut session, "a SELECT INBOX\r\n");
    let stored = say(&mut session, "b STORE 1 (UNCHANGEDSINCE 1) +FLAGS (x)\r\n");
    assert!(stored.starts_with("* OK [HIGHESTMODSEQ "), "{stored}");
    let stored = say(&mut session, "c UID STORE 1 +FLAGS.SILENT (y)\r\n");
    assert!(stored.contains("* 1 FETCH (UID 1 MODSEQ ("), "{stored}");
    assert!(!stored.contains("FETCH (UID 1 MODSEQ (2) FLAGS"), "{stored}");
    let stored = say(&mut session, "d STORE 1 +FLAGS (z)\r\n");
    assert!(
        stored.contains(" FLAGS (\\Recent x y z))") || stored.contains(" FLAGS (\\Recent y z))"),
        "{stored}"
    );
}

#[test]
fn append_needs_a_message() {
    let mut session = session(MemoryStore::new());
    let text = |what: &str| format!("a BAD Error in IMAP command APPEND: {what}\r\n");
    assert_eq!(
        say(&mut session, "a APPEND INBOX\r\n"),
        text("Missing message size")
    );
    assert_eq!(say(&mut session, "a APPEND\r\n"), text("Missing arguments"));
    assert_eq!(
        say(&mut session, "a APPEND INBOX abc\r\n"),
        text("Invalid arguments")
    );
    assert_eq!(say(&mut session, "b NOOP\r\n"), "b OK NOOP completed.\r\n");
}
