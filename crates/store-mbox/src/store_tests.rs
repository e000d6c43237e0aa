//! Tests of the store: the conformance suite, other programs at the same files, crashes.

use super::*;
use mailbox::conformance::{self, Subject};
use os::locks::Tries;
use std::path::Path;
use std::time::Duration;

struct Account {
    directory: tempfile::TempDir,
}

impl Account {
    fn new() -> Account {
        Account {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn open(&self) -> MboxStore {
        let tries = Tries {
            attempts: 100,
            pause: Duration::from_millis(5),
        };
        let locks = Locks {
            tries,
            ..Locks::default()
        };
        let path = self.directory.path();
        MboxStore::new(path.join("mail"), path.join("spool-ann"), locks).unwrap()
    }

    fn inbox(&self) -> PathBuf {
        self.directory.path().join("spool-ann")
    }
}

impl Subject for Account {
    fn fresh(&mut self) -> Box<dyn Store> {
        *self = Account::new();
        self.reopen()
    }

    fn reopen(&mut self) -> Box<dyn Store> {
        Box::new(self.open())
    }
}

#[test]
fn it_conforms() {
    conformance::suite(&mut Account::new());
}

#[test]
fn it_behaves_like_the_model() {
    for seed in 0..4 {
        conformance::model(&mut Account::new(), seed, 60);
    }
}

const FROM: &str = "From a@example.test Thu Dec 24 22:25:24 2020";

fn put_by_hand(path: &Path, content: &str) {
    crate::deliver(path, FROM, &mut content.as_bytes(), &Locks::default()).unwrap();
}

fn inbox(store: &MboxStore) -> MailboxId {
    store.open(&MailboxName::inbox()).unwrap().id
}

fn all(store: &MboxStore) -> Vec<MessageState> {
    store.changes(&inbox(store), 0).unwrap().messages
}

fn text(store: &MboxStore, uid: Uid) -> String {
    let body = store.body(&inbox(store), uid).unwrap();
    let mut content = vec![0; body.size_bytes() as usize + 10];
    let mut length = 0;
    loop {
        match body.read_at(length as u64, &mut content[length..]).unwrap() {
            0 => break,
            count => length += count,
        }
    }
    String::from_utf8(content[..length].to_vec()).unwrap()
}

fn add_flags(store: &MboxStore, uid: Uid, system: SystemFlags) {
    let change = FlagChange::Add(Flags::system(system));
    store
        .store_flags(&inbox(store), &[uid].into_iter().collect(), &change, None)
        .unwrap();
}

#[test]
fn mail_by_other_programs_is_noticed() {
    let account = Account::new();
    let store = account.open();
    assert!(all(&store).is_empty());
    put_by_hand(&account.inbox(), "Subject: one\n\n1\n");
    assert_eq!(text(&store, all(&store)[0].uid), "Subject: one\r\n\r\n1\r\n");
    put_by_hand(&account.inbox(), "Subject: two\n\n2\n");
    let uids: Vec<Uid> = all(&store).iter().map(|m| m.uid).collect();
    assert_eq!(uids, [1, 2]);
    // mutt sorts, marks and removes: what stays keeps its UID.
    let file = std::fs::read_to_string(account.inbox()).unwrap();
    let second = file
        .find("From a@example.test Thu Dec 24 22:25:24 2020\nSubject: two")
        .unwrap();
    let new = format!(
        "{}{}",
        file[second..].replace("Subject: two", "Subject: two\nStatus: RO"),
        &file[..second]
    );
    std::fs::write(account.inbox(), new).unwrap();
    let now = all(&store);
    assert_eq!(now.iter().map(|m| m.uid).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(now[1].flags.system, SystemFlags::SEEN);
    assert_eq!(text(&store, 2), "Subject: two\r\n\r\n2\r\n");
    std::fs::write(account.inbox(), "").unwrap();
    assert!(all(&store).is_empty());
}

#[test]
fn a_body_is_never_another_messages() {
    let account = Account::new();
    let store = account.open();
    put_by_hand(&account.inbox(), "Subject: one\n\n1\n");
    put_by_hand(&account.inbox(), "Subject: two\n\n2\n");
    all(&store);
    let body = store.body(&inbox(&store), 2).unwrap();
    let file = std::fs::read_to_string(account.inbox()).unwrap();
    std::fs::write(
        account.inbox(),
        file.replace("Subject: two\n\n2", "Subject: xxx\n\n3"),
    )
    .unwrap();
    let mut content = [0; 100];
    assert!(matches!(
        body.read_at(0, &mut content),
        Err(Error::NoSuchMessage(2))
    ));
    std::fs::write(account.inbox(), &file[..20]).unwrap();
    assert!(matches!(
        body.read_at(0, &mut content),
        Err(Error::NoSuchMessage(2))
    ));
}

#[test]
fn flags_are_written_for_other_programs() {
    let account = Account::new();
    put_by_hand(&account.inbox(), "Subject: one\n\n1\n");
    put_by_hand(&account.inbox(), "Subject: two\n\n2\n");
    let store = account.open();
    add_flags(&store, 2, SystemFlags::SEEN.union(SystemFlags::FLAGGED));
    drop(store);
    let file = std::fs::read_to_string(account.inbox()).unwrap();
    assert!(
        file.contains("Status: RO\nX-Status: F\nX-UID: 2\nContent-Length: 2\nSubject: two\n\n2\n\n"),
        "{file}"
    );
    let store = account.open();
    assert_eq!(
        all(&store)[1].flags.system,
        SystemFlags::SEEN.union(SystemFlags::FLAGGED)
    );
    add_flags(&store, 1, SystemFlags::DELETED);
    store.expunge(&inbox(&store), &[1].into_iter().collect()).unwrap();
    let file = std::fs::read_to_string(account.inbox()).unwrap();
    assert!(file.starts_with(&format!("{FROM}\nX-IMAPbase: ")), "{file}");
    assert_eq!(file.matches("\nX-UID:").count(), 1);
    assert_eq!(text(&store, 2), "Subject: two\r\n\r\n2\r\n");
}

#[test]
fn what_dovecot_wrote_is_taken_over() {
    let account = Account::new();
    // Laid out as Dovecot 2.3 does it: the body's From line is covered by Content-Length.
    let body = "body\nFrom b@example.test Thu Dec 24 22:25:24 2020\nend\n";
    let file = format!(
        "{FROM}\nSubject: one\nX-IMAPbase: 1795298593 0000000009 kw1\nX-UID: 4\nStatus: R\nX-Keywords: kw1      \n\
         Content-Length: {}\nX-Status: A\n\n{body}\n{FROM}\nSubject: two\nX-UID: 7\nStatus: \n\n2\n\n",
        body.len()
    );
    std::fs::write(account.inbox(), file).unwrap();
    let store = account.open();
    let opened = store.open(&MailboxName::inbox()).unwrap();
    assert_eq!(opened.uid_validity, 1_795_298_593);
    let messages = all(&store);
    assert_eq!(messages.iter().map(|m| m.uid).collect::<Vec<_>>(), [4, 7]);
    assert_eq!(
        messages[0].flags.system,
        SystemFlags::SEEN.union(SystemFlags::ANSWERED)
    );
    assert_eq!(messages[0].flags.keywords[0].as_str(), "kw1");
    assert_eq!(
        text(&store, 4),
        format!("Subject: one\r\n\r\n{}", body.replace('\n', "\r\n"))
    );
    assert_eq!(store.status(&opened.id).unwrap().uid_next, 10);
}

#[test]
fn what_the_file_notes_is_taken_over_once() {
    let account = Account::new();
    let file = format!("{FROM}\nX-IMAPbase: 1795298593 0000000004\nX-UID: 4\nSubject: one\n\n1\n\n");
    std::fs::write(account.inbox(), file).unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let open = || {
        let said = Arc::clone(&said);
        account
            .open()
            .reporting(Arc::new(move |text: &str| lock(&said).push(text.to_owned())))
    };
    let store = open();
    assert_eq!(
        store.open(&MailboxName::inbox()).unwrap().uid_validity,
        1_795_298_593
    );
    put_by_hand(&account.inbox(), "Subject: two\n\n2\n");
    assert_eq!(all(&store)[1].uid, 5);
    drop(store);
    for file in ["yubin.index", "yubin.index.log"] {
        std::fs::remove_file(account.directory.path().join("mail/.imap/INBOX").join(file)).unwrap();
    }
    // UID 5 is nowhere noted, and must not come back for another message.
    let again = open();
    assert_ne!(
        again.open(&MailboxName::inbox()).unwrap().uid_validity,
        1_795_298_593
    );
    assert_eq!(all(&again).len(), 2);
    assert!(lock(&said).len() == 1 && lock(&said)[0].contains("is missing"));
}

fn append(store: &MboxStore, content: &str) -> Uid {
    let mut append = store.append(&inbox(store)).unwrap();
    append.start(Flags::default(), 1_600_000_000).unwrap();
    append.write(content.as_bytes()).unwrap();
    append.commit().unwrap().uids[0]
}

/// Messages that are hardly any: what they are must not depend on what stands around them.
const ODD: [&str; 7] = [
    "Subject: no empty line\n",
    "",
    "\n",
    "\nonly a body\n",
    " begins folded\nSubject: x\n\nbody\n",
    "\tbegins folded, no empty line\n",
    "Subject: empty body\n\n",
];

#[test]
fn odd_messages_keep_uid_flags_and_content() {
    let account = Account::new();
    let mut file = String::new();
    for odd in ODD {
        file.push_str(&format!("{FROM}\n{odd}\n"));
    }
    std::fs::write(account.inbox(), format!("{FROM}\nSubject: first\n\nx\n\n{file}")).unwrap();
    let store = account.open();
    let uids: Vec<Uid> = all(&store).iter().map(|m| m.uid).collect();
    assert_eq!(uids, (1..=8).collect::<Vec<_>>());
    let look = |store: &MboxStore| -> Vec<(Uid, String, SystemFlags)> {
        let messages = all(store);
        let rows = messages.iter().filter(|m| m.uid > 1 && m.uid < 16);
        rows.map(|m| (m.uid, text(store, m.uid), m.flags.system))
            .collect()
    };
    for (at, odd) in ODD.iter().enumerate() {
        add_flags(&store, at as Uid + 2, SystemFlags::FLAGGED);
        assert_eq!(append(&store, odd), at as Uid + 9);
        add_flags(&store, at as Uid + 9, SystemFlags::FLAGGED);
    }
    let before = look(&store);
    for (at, (_, text, flags)) in before.iter().enumerate() {
        assert_eq!(*text, ODD[at % ODD.len()].replace('\n', "\r\n"));
        assert_eq!(*flags, SystemFlags::FLAGGED);
    }
    // Another program appends; the store is closed and opened; a message before them goes.
    put_by_hand(&account.inbox(), "Subject: by hand\n\nx\n");
    assert_eq!(look(&store), before);
    drop(store);
    let store = account.open();
    assert_eq!(
        look(&store),
        before,
        "{}",
        std::fs::read_to_string(account.inbox()).unwrap()
    );
    add_flags(&store, 1, SystemFlags::DELETED);
    store.expunge(&inbox(&store), &[1].into_iter().collect()).unwrap();
    assert_eq!(
        look(&store),
        before,
        "{}",
        std::fs::read_to_string(account.inbox()).unwrap()
    );
    assert_eq!(all(&store).last().unwrap().uid, 16);
}

fn listed(store: &MboxStore) -> Vec<(String, bool, bool)> {
    let row = |e: &ListEntry| (e.name.to_string(), e.selectable, e.no_inferiors);
    store.list().unwrap().iter().map(row).collect()
}

#[test]
fn directories_are_made_and_removed() {
    let account = Account::new();
    let store = account.open();
    let name = |name: &str| MailboxName::new(name, '/');
    store.create_node(&name("g")).unwrap();
    let g = ("g".to_owned(), false, false);
    assert_eq!(listed(&store)[1], g);
    assert!(matches!(store.open(&name("g")), Err(Error::NotSelectable(_))));
    store.create(&name("g/x"), None).unwrap();
    assert_eq!(listed(&store)[1..], [g, ("g/x".to_owned(), true, true)]);
    assert!(matches!(
        store.create(&name("g/x/y"), None),
        Err(Error::InvalidName(..))
    ));
    assert!(matches!(store.delete(&name("g")), Err(Error::HasChildren(_))));
    store.delete(&name("g/x")).unwrap();
    store.delete(&name("g")).unwrap();
    assert_eq!(listed(&store).len(), 1);
    // INBOX is a file elsewhere: there may be a directory of that name.
    store.create(&name("INBOX/x"), None).unwrap();
    store.open(&name("INBOX/x")).unwrap();
    assert_eq!(listed(&store)[1..], [("INBOX/x".to_owned(), true, true)]);
}

#[test]
fn a_namespace_shows_other_names() {
    let account = Account::new();
    let name = |name: &str| MailboxName::new(name, '.');
    let store = account
        .open()
        .shown("mail.", '.', vec![("mail.a.Sent".to_owned(), SpecialUse::Sent)]);
    store.create(&name("mail.a.Sent"), None).unwrap();
    store.subscribe(&name("mail.a.Sent"), true).unwrap();
    assert!(account.directory.path().join("mail/a/Sent").is_file());
    let list = store.list().unwrap();
    let names: Vec<&str> = list.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["INBOX", "mail.a", "mail.a.Sent"]);
    assert_eq!(list[2].special_use, [SpecialUse::Sent]);
    assert_eq!(store.subscriptions().unwrap(), [name("mail.a.Sent")]);
    store.rename(&name("mail.a.Sent"), &name("mail.b")).unwrap();
    store.open(&name("mail.b")).unwrap();
    assert!(store.create(&name("elsewhere"), None).is_err());
}

#[test]
fn a_fifo_is_no_mailbox_and_nobody_waits_for_it() {
    let account = Account::new();
    let store = account.open();
    let made = std::process::Command::new("mkfifo")
        .args([account.inbox(), account.directory.path().join("mail/pipe")])
        .status()
        .unwrap();
    assert!(made.success());
    for name in ["INBOX", "pipe"] {
        let opened = store.open(&MailboxName::new(name, '/'));
        assert!(matches!(opened, Err(Error::Damaged(_))), "{name}: {opened:?}");
    }
    assert!(crate::deliver(&account.inbox(), FROM, &mut &b"x"[..], &Locks::default()).is_err());
}

#[test]
fn what_is_no_mbox_is_left_alone() {
    let account = Account::new();
    std::fs::write(account.inbox(), "#!/bin/sh\necho hello\n").unwrap();
    let store = account.open();
    assert!(matches!(
        store.open(&MailboxName::inbox()),
        Err(Error::Damaged(_))
    ));
    assert_eq!(
        std::fs::read(account.inbox()).unwrap(),
        b"#!/bin/sh\necho hello\n"
    );
}

#[test]
fn no_file_is_open_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let account = Account::new();
    let store = account.open();
    let name = MailboxName::new("Sent", '/');
    store.create(&name, None).unwrap();
    store.subscribe(&name, true).unwrap();
    for name in [&MailboxName::inbox(), &name] {
        let id = store.open(name).unwrap().id;
        let mut append = store.append(&id).unwrap();
        append.start(Flags::default(), 1_600_000_000).unwrap();
        append.write(b"Subject: one\r\n\r\n1\r\n").unwrap();
        append.commit().unwrap();
    }
    drop(store);
    let (mut found, mut left) = (Vec::new(), vec![account.directory.path().to_owned()]);
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()) {
            let meta = entry.metadata().unwrap();
            match meta.is_dir() {
                true => left.push(entry.path()),
                false => found.push((entry.path(), meta.permissions().mode() & 0o777)),
            }
        }
    }
    for name in [
        "yubin.index",
        "yubin.index.log",
        ".subscriptions",
        "yubin.uidvalidity",
        "Sent",
    ] {
        assert!(
            found.iter().any(|(path, _)| path.ends_with(name)),
            "{name} is not there"
        );
    }
    found.retain(|(_, mode)| *mode != 0o600);
    assert_eq!(found, []);
}

/// Keeps a spool in which the user may make no files.
#[derive(Debug)]
struct Keeping {
    spool: PathBuf,
    asked: Mutex<Vec<&'static str>>,
}

impl Keeping {
    fn in_spool(&self, what: &'static str, work: impl FnOnce(&Path)) {
        use std::os::unix::fs::PermissionsExt;
        self.asked.lock().unwrap().push(what);
        std::fs::set_permissions(&self.spool, std::fs::Permissions::from_mode(0o755)).unwrap();
        work(&self.spool);
        std::fs::set_permissions(&self.spool, std::fs::Permissions::from_mode(0o555)).unwrap();
    }
}

impl crate::keeper::Keeper for Keeping {
    fn create(&self, user: &str) -> std::io::Result<()> {
        self.in_spool("create", |spool| std::fs::write(spool.join(user), "").unwrap());
        Ok(())
    }

    fn lock(&self, user: &str, _: Tries) -> std::io::Result<()> {
        let lock = format!("{user}.lock");
        self.in_spool("lock", |spool| std::fs::write(spool.join(lock), "").unwrap());
        Ok(())
    }

    fn unlock(&self, user: &str) -> std::io::Result<()> {
        let lock = format!("{user}.lock");
        self.in_spool("unlock", |spool| std::fs::remove_file(spool.join(lock)).unwrap());
        Ok(())
    }
}

#[test]
fn the_keeper_makes_and_locks_an_inbox_in_the_spool() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    let keeper = Arc::new(Keeping {
        spool: spool.clone(),
        asked: Mutex::default(),
    });
    keeper.in_spool("", |_| {});
    keeper.asked.lock().unwrap().clear();
    if std::fs::write(spool.join("probe"), "").is_ok() {
        println!("skipped: root may write everywhere");
        return;
    }
    let root = dir.path().join("mail");
    let open = || MboxStore::new(root.clone(), spool.join("ann"), Locks::default()).unwrap();
    let unkept = open();
    let mut unkept = unkept.append(&inbox(&unkept)).unwrap();
    unkept.start(Flags::default(), 0).unwrap();
    unkept.write(b"Subject: x\n\nx\n").unwrap();
    assert!(unkept.commit().is_err(), "nobody makes the file");
    let store = open().kept_by(Kept {
        keeper: keeper.clone(),
        user: "ann".to_owned(),
    });
    assert!(all(&store).is_empty());
    append(&store, "Subject: x\n\nx\n");
    assert_eq!(all(&store).len(), 1);
    assert_eq!(*keeper.asked.lock().unwrap(), ["create", "lock", "unlock"]);
    // Other mailboxes are the user's alone.
    let sent = MailboxName::new("Sent", '/');
    store.create(&sent, None).unwrap();
    store
        .copy(
            &inbox(&store),
            &[1].into_iter().collect(),
            &store.open(&sent).unwrap().id,
        )
        .unwrap();
    assert_eq!(keeper.asked.lock().unwrap().len(), 3);
}
