//! The store against the conformance suite, against other programs on the same maildir, and against Dovecot's files.

#![allow(clippy::unwrap_used)]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mailbox::conformance::{self, Subject};
use mailbox::{
    FlagChange, Flags, Keyword, MailboxId, MailboxName, MessageState, SpecialUse, Store, SystemFlags, Uid,
    UidSet,
};
use store_maildir::{MaildirStore, Options, deliver};

struct Maildir {
    directory: tempfile::TempDir,
    options: Options,
}

impl Maildir {
    fn new() -> Maildir {
        let options = Options {
            host: "test".to_owned(),
            ..Options::default()
        };
        Maildir {
            directory: tempfile::tempdir().unwrap(),
            options,
        }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("Maildir")
    }

    fn store(&self) -> MaildirStore {
        MaildirStore::new(&self.root(), self.options.clone())
    }
}

impl Subject for Maildir {
    fn fresh(&mut self) -> Box<dyn Store> {
        self.directory = tempfile::tempdir().unwrap();
        self.reopen()
    }

    fn reopen(&mut self) -> Box<dyn Store> {
        Box::new(self.store())
    }
}

/// Of many messages that arrive together one file is open, and at the end all are there.
#[test]
fn messages_that_arrive_together_hold_one_descriptor() {
    let maildir = Maildir::new();
    let store = maildir.store();
    let inbox = store.open(&MailboxName::inbox()).unwrap().id;
    let mut append = store.append(&inbox).unwrap();
    for number in 0..50 {
        append.start(Flags::default(), number).unwrap();
        append.write(b"Subject: x\n\nbody\n").unwrap();
    }
    let tmp = maildir.root().join("tmp");
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let links = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    assert_eq!(links.filter(|link| link.starts_with(&tmp)).count(), 1);
    assert_eq!(append.commit().unwrap().uids, (1..=50).collect::<Vec<_>>());
}

#[test]
fn it_conforms() {
    conformance::suite(&mut Maildir::new());
}

#[test]
fn it_conforms_with_another_separator_and_a_prefix() {
    let mut subject = Maildir::new();
    subject.options.separator = '/';
    subject.options.prefix = "Mail/".to_owned();
    conformance::suite(&mut subject);
}

#[test]
fn it_behaves_as_the_model() {
    for seed in 0..6 {
        conformance::model(&mut Maildir::new(), seed, 120);
    }
}

fn inbox(store: &dyn Store) -> MailboxId {
    store.open(&MailboxName::inbox()).unwrap().id
}

fn all(store: &dyn Store, id: &MailboxId) -> Vec<MessageState> {
    store.changes(id, 0).unwrap().messages
}

fn everything() -> UidSet {
    let mut set = UidSet::new();
    set.insert_range(1, Uid::MAX);
    set
}

fn put(store: &dyn Store, id: &MailboxId, text: &str) -> Uid {
    let mut append = store.append(id).unwrap();
    append.start(Flags::default(), 1_600_000_000).unwrap();
    append.write(text.as_bytes()).unwrap();
    append.commit().unwrap().uids[0]
}

fn body(store: &dyn Store, id: &MailboxId, uid: Uid) -> String {
    let body = store.body(id, uid).unwrap();
    let mut text = vec![0; body.size_bytes() as usize];
    assert_eq!(body.read_at(0, &mut text).unwrap(), text.len());
    String::from_utf8(text).unwrap()
}

fn files(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_other_programs_do_is_noticed_at_once() {
    let maildir = Maildir::new();
    let store = maildir.store();
    let id = inbox(&store);
    let (new, cur) = (maildir.root().join("new"), maildir.root().join("cur"));
    for round in 0..50 {
        let before = store.changes(&id, 0).unwrap();
        let delivered = deliver(&maildir.root(), &mut b"A: b\n\nx\n".as_slice(), "test").unwrap();
        let since = store.changes(&id, before.highest_modseq).unwrap();
        assert_eq!(since.messages.len(), 1, "round {round}: a delivery");
        let uid = since.messages[0].uid;
        assert!(files(&new).is_empty(), "it was moved to cur");
        let base = delivered.path.file_name().unwrap().to_str().unwrap().to_owned();
        std::fs::rename(cur.join(format!("{base}:2,")), cur.join(format!("{base}:2,FS"))).unwrap();
        let flagged = store.changes(&id, since.highest_modseq).unwrap();
        assert_eq!(flagged.messages.len(), 1, "round {round}: a rename");
        assert_eq!(
            flagged.messages[0].flags.system,
            SystemFlags::FLAGGED.union(SystemFlags::SEEN)
        );
        assert!(flagged.messages[0].modseq > since.highest_modseq);
        // A copy with an old date, as rsync makes it, without sizes in its name.
        let copied = cur.join(format!("{round}.copied"));
        std::fs::write(&copied, "A: b\nB: c\n\nbody\n").unwrap();
        std::fs::File::options()
            .write(true)
            .open(&copied)
            .unwrap()
            .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(5))
            .unwrap();
        let with_copy = store.changes(&id, flagged.highest_modseq).unwrap();
        assert_eq!(with_copy.messages.len(), 1, "round {round}: a copy");
        assert_eq!(
            (
                with_copy.messages[0].size_bytes,
                with_copy.messages[0].internal_date_secs
            ),
            (20, 5)
        );
        std::fs::remove_file(cur.join(format!("{base}:2,FS"))).unwrap();
        let gone = store.changes(&id, with_copy.highest_modseq).unwrap();
        assert!(gone.expunged.contains(uid), "round {round}: a removal");
        assert_eq!(all(&store, &id).len(), round + 1);
    }
}

#[test]
fn a_file_renamed_under_us_is_found_again() {
    let maildir = Maildir::new();
    let store = maildir.store();
    let id = inbox(&store);
    let uids: Vec<Uid> = (0..3)
        .map(|n| put(&store, &id, &format!("A: b\r\n\r\n{n}\r\n")))
        .collect();
    let cur = maildir.root().join("cur");
    for name in files(&cur) {
        std::fs::rename(cur.join(&name), cur.join(name.replace(":2,", ":2,RS"))).unwrap();
    }
    assert_eq!(body(&store, &id, uids[1]), "A: b\r\n\r\n1\r\n");
    for name in files(&cur) {
        std::fs::rename(cur.join(&name), cur.join(name.replace(":2,RS", ":2,S"))).unwrap();
    }
    let flagged = FlagChange::Add(Flags::system(SystemFlags::FLAGGED));
    let stored = store.store_flags(&id, &everything(), &flagged, None).unwrap();
    let wanted = SystemFlags::FLAGGED.union(SystemFlags::SEEN);
    assert!(
        stored.messages.iter().all(|m| m.flags.system == wanted),
        "{stored:?}"
    );
    for name in files(&cur) {
        assert!(name.ends_with(":2,FS"), "{name}");
        std::fs::rename(cur.join(&name), cur.join(name.replace(":2,FS", ":2,FST"))).unwrap();
    }
    store.create(&MailboxName::new("Else", '.'), None).unwrap();
    let elsewhere = store.open(&MailboxName::new("Else", '.')).unwrap().id;
    assert_eq!(
        store
            .move_messages(&id, &everything(), &elsewhere)
            .unwrap()
            .pairs
            .len(),
        3
    );
    assert!(all(&store, &id).is_empty() && files(&cur).is_empty());
    assert!(
        all(&store, &elsewhere)
            .iter()
            .all(|m| m.flags.system.contains(SystemFlags::DELETED))
    );
}

#[test]
fn a_maildir_of_dovecot_keeps_its_uids_and_keywords() {
    let maildir = Maildir::new();
    let root = maildir.root();
    for part in [
        "cur",
        "new",
        "tmp",
        ".Sub.Folder/cur",
        ".Sub.Folder/new",
        ".Sub.Folder/tmp",
    ] {
        std::fs::create_dir_all(root.join(part)).unwrap();
    }
    let names = [
        "1795297831.M1P7.vm,S=7,W=9:2,Sab",
        "1795297831.M2P7.vm:2,",
        "1795297999.later:2,",
    ];
    for name in names {
        std::fs::write(root.join("cur").join(name), "A: b\n\nx").unwrap();
    }
    std::fs::write(root.join("new/1795298000.new"), "A: b\n\nnew\n").unwrap();
    std::fs::write(root.join("dovecot-keywords"), "0 $Label\n1 foo\n").unwrap();
    let list = "3 V1795297833 N12 Gd9ab21142712026b961e000083ecc375\n4 :1795297831.M1P7.vm,S=7,W=9\n\
        9 W9 :1795297831.M2P7.vm\n";
    std::fs::write(root.join("dovecot-uidlist"), list).unwrap();
    std::fs::write(root.join("subscriptions"), "V\t2\n\nSub\tFolder\n").unwrap();

    let store = maildir.store();
    let opened = store.open(&MailboxName::inbox()).unwrap();
    assert_eq!(opened.uid_validity, 1795297833);
    assert_eq!(
        store.status(&opened.id).unwrap().recent,
        1,
        "only what was in new"
    );
    let messages = all(&store, &opened.id);
    assert_eq!(messages.iter().map(|m| m.uid).collect::<Vec<_>>(), [4, 9, 12, 13]);
    assert_eq!(messages[0].flags.keywords, ["$Label", "foo"].map(Keyword::new));
    assert_eq!(messages[1].size_bytes, 9, "counted");
    assert_eq!(
        store.claim_recent(&opened.id).unwrap(),
        [13].into_iter().collect()
    );
    let listed: Vec<(String, bool)> = store
        .list()
        .unwrap()
        .iter()
        .map(|e| (e.name.to_string(), e.selectable))
        .collect();
    let wanted = [("INBOX", true), ("Sub", false), ("Sub.Folder", true)];
    assert_eq!(
        listed,
        wanted.map(|(name, selectable)| (name.to_owned(), selectable))
    );
    assert_eq!(
        store.subscriptions().unwrap(),
        [MailboxName::new("Sub.Folder", '.')]
    );
    let bar = FlagChange::Add(Flags {
        system: SystemFlags::NONE,
        keywords: vec![Keyword::new("bar")],
    });
    store
        .store_flags(&opened.id, &[4].into_iter().collect(), &bar, None)
        .unwrap();
    assert!(root.join("cur/1795297831.M1P7.vm,S=7,W=9:2,Sabc").exists());
    assert_eq!(
        std::fs::read_to_string(root.join("dovecot-keywords")).unwrap(),
        "0 $Label\n1 foo\n2 bar\n"
    );
}

#[test]
fn what_is_no_file_is_no_message() {
    let maildir = Maildir::new();
    let store = maildir.store();
    let id = inbox(&store);
    put(&store, &id, "A: b\r\n\r\nx\r\n");
    let root = maildir.root();
    let paths = [root.join("new/1.fifo"), root.join("cur/2.fifo:2,")];
    assert!(
        std::process::Command::new("mkfifo")
            .args(&paths)
            .status()
            .unwrap()
            .success()
    );
    std::os::unix::fs::symlink(&paths[0], root.join("cur/3.link:2,")).unwrap();
    let messages = all(&store, &id);
    // The link may lead to a message by the time it is read.
    assert_eq!(messages.iter().map(|m| m.uid).collect::<Vec<_>>(), [1, 2]);
    assert!(store.body(&id, 2).is_err());
    assert!(paths[0].exists(), "left where it is");
}

#[test]
fn what_dovecot_knew_is_taken_over_once() {
    let maildir = Maildir::new();
    let root = maildir.root();
    for part in ["new", "cur", "tmp"] {
        std::fs::create_dir_all(root.join(part)).unwrap();
    }
    std::fs::write(root.join("cur/1.a:2,"), "A: b\n\nx\n").unwrap();
    std::fs::write(root.join("dovecot-uidlist"), "3 V1795297833 N2 G1\n1 :1.a\n").unwrap();
    let said = Arc::new(std::sync::Mutex::new(Vec::new()));
    let store = || {
        let said = Arc::clone(&said);
        maildir.store().reporting(Arc::new(move |text: &str| {
            said.lock().unwrap().push(text.to_owned())
        }))
    };
    let first = store();
    let opened = first.open(&MailboxName::inbox()).unwrap();
    assert_eq!(opened.uid_validity, 1795297833);
    assert_eq!(put(&first, &opened.id, "A: b\r\n\r\nours\r\n"), 2);
    first
        .store_flags(
            &opened.id,
            &[2].into_iter().collect(),
            &FlagChange::Add(Flags::system(SystemFlags::DELETED)),
            None,
        )
        .unwrap();
    first.expunge(&opened.id, &[2].into_iter().collect()).unwrap();
    assert!(said.lock().unwrap().is_empty());
    for file in ["yubin.index", "yubin.index.log"] {
        std::fs::remove_file(root.join(file)).unwrap();
    }
    // The list still says that the next UID is 2; it must not be given to another message.
    let again = store();
    let reopened = again.open(&MailboxName::inbox()).unwrap();
    assert_ne!(reopened.uid_validity, opened.uid_validity);
    assert_eq!(all(&again, &reopened.id).len(), 1);
    let said = said.lock().unwrap();
    assert!(said.len() == 1 && said[0].contains("is missing"), "{said:?}");
}

#[test]
fn an_append_that_died_before_its_file_was_placed_is_finished() {
    let maildir = Maildir::new();
    let store = maildir.store();
    let id = inbox(&store);
    let uid = put(&store, &id, "A: b\r\n\r\nkept\r\n");
    let (tmp, cur) = (maildir.root().join("tmp"), maildir.root().join("cur"));
    let name = files(&cur).remove(0);
    let back = || std::fs::rename(cur.join(&name), tmp.join(name.split(':').next().unwrap())).unwrap();
    back();
    let again = maildir.store();
    let id = inbox(&again);
    assert_eq!(body(&again, &id, uid), "A: b\r\n\r\nkept\r\n");
    back();
    assert_eq!(all(&again, &id).iter().map(|m| m.uid).collect::<Vec<_>>(), [uid]);
    assert_eq!(files(&cur).concat(), name);
}

#[test]
fn a_delivered_message_outlives_the_uid_that_nobody_was_shown() {
    for shown in [false, true] {
        let maildir = Maildir::new();
        let store = maildir.store();
        let id = inbox(&store);
        let log = maildir.root().join("yubin.index.log");
        assert!(all(&store, &id).is_empty());
        let before = std::fs::read(&log).unwrap();
        let mut append = store.append(&id).unwrap();
        append.start(Flags::default(), 1_600_000_000).unwrap();
        append.write(b"A: b\r\n\r\nkept\r\n").unwrap();
        append.deliver().unwrap();
        if shown {
            assert_eq!(all(&store, &id).len(), 1);
        }
        drop(store);
        // The power fails: what was not waited for is gone.
        let mut after = std::fs::read(&log).unwrap();
        let header = 40;
        after[header..].copy_from_slice(&before[header..]);
        std::fs::write(&log, &after).unwrap();
        let again = maildir.store();
        let reopened = inbox(&again);
        assert_eq!(reopened == id, !shown, "a UID that was shown is not given again");
        assert_eq!(
            all(&again, &reopened).iter().map(|m| m.uid).collect::<Vec<_>>(),
            [1]
        );
        assert_eq!(body(&again, &reopened, 1), "A: b\r\n\r\nkept\r\n");
    }
}

#[test]
fn a_lost_index_is_rebuilt_with_a_new_uid_validity() {
    let maildir = Maildir::new();
    let store = maildir.store();
    let opened = store.open(&MailboxName::inbox()).unwrap();
    put(&store, &opened.id, "A: b\r\n\r\nkept\r\n");
    std::fs::write(maildir.root().join("yubin.index"), "nonsense").unwrap();
    let again = maildir.store();
    let reopened = again.open(&MailboxName::inbox()).unwrap();
    assert!(reopened.uid_validity > opened.uid_validity);
    assert_eq!(all(&again, &reopened.id).len(), 1);
    assert!(matches!(
        store.changes(&opened.id, 0),
        Ok(_) | Err(mailbox::Error::UidValidityChanged)
    ));
}

#[test]
fn two_stores_at_once_stay_consistent() {
    let maildir = Maildir::new();
    let first = maildir.store();
    let second_name = MailboxName::new("Second", '.');
    inbox(&first);
    first.create(&second_name, None).unwrap();
    let root = maildir.root();
    std::thread::scope(|scope| {
        for worker in 0..3u32 {
            let store = maildir.store();
            let second_name = second_name.clone();
            scope.spawn(move || {
                let (a, b) = (inbox(&store), store.open(&second_name).unwrap().id);
                for round in 0..25 {
                    let uid = put(&store, &a, &format!("A: b\r\n\r\n{worker} {round}\r\n"));
                    let one: UidSet = [uid].into_iter().collect();
                    let flag = FlagChange::Add(Flags::system(SystemFlags::SEEN));
                    store.store_flags(&a, &everything(), &flag, None).unwrap();
                    match round % 3 {
                        0 => drop(store.move_messages(&a, &one, &b).unwrap()),
                        1 => drop(store.copy(&b, &everything(), &b).unwrap().pairs.len()),
                        _ => drop(store.move_messages(&b, &everything(), &a).unwrap()),
                    }
                }
            });
        }
        scope.spawn(|| {
            for round in 0..25 {
                let text = format!("A: b\n\ndelivered {round}\n");
                deliver(&root, &mut text.as_bytes(), "test").unwrap();
            }
        });
    });
    let texts = |store: &MaildirStore| {
        let mut texts = Vec::new();
        for id in [inbox(store), store.open(&second_name).unwrap().id] {
            let messages = all(store, &id);
            assert!(messages.windows(2).all(|pair| pair[0].uid < pair[1].uid));
            texts.extend(messages.iter().map(|m| body(store, &id, m.uid)));
        }
        texts.sort();
        texts
    };
    let (one, two) = (texts(&first), texts(&maildir.store()));
    assert_eq!(one, two);
    for worker in 0..3 {
        for round in 0..25 {
            assert!(
                one.contains(&format!("A: b\r\n\r\n{worker} {round}\r\n")),
                "{worker} {round}"
            );
        }
    }
    assert!(one.iter().filter(|text| text.contains("delivered")).count() >= 25);
    assert!(files(&root.join("tmp")).is_empty() && files(&root.join(".Second/tmp")).is_empty());
}

#[test]
fn a_delivery_wakes_whoever_watches() {
    let maildir = Maildir::new();
    let store = maildir.store();
    let id = inbox(&store);
    let (sender, receiver) = std::sync::mpsc::channel();
    let wake: mailbox::Wake = Arc::new(move || {
        let _ = sender.send(());
    });
    let watch = store.watch(&id, wake).unwrap();
    deliver(&maildir.root(), &mut b"A: b\n\nx\n".as_slice(), "test").unwrap();
    receiver.recv_timeout(Duration::from_secs(10)).expect("woken");
    drop(watch);
}

/// Names the maildir on which this program, started by the test below, works until it is killed.
const WORK_UNTIL_KILLED: &str = "STORE_MAILDIR_WORK_UNTIL_KILLED";

/// Appends numbered messages, moves every third, expunges every fifth; says what it begins and what is done.
fn work_until_killed(root: &Path, from: u32) {
    use std::io::Write;
    let store = MaildirStore::new(root, Options::default());
    let second = MailboxName::new("Second", '.');
    let _ = store.create(&second, None);
    let (a, b) = (inbox(&store), store.open(&second).unwrap().id);
    let say = |word: &str, number: u32| {
        let mut out = std::io::stdout();
        writeln!(out, "\nack {word} {number}").unwrap();
        out.flush().unwrap();
    };
    for number in from.. {
        let one: UidSet = [put(&store, &a, &format!("A: b\r\n\r\n{number}\r\n"))]
            .into_iter()
            .collect();
        say("appended", number);
        if number % 3 == 0 {
            store.move_messages(&a, &one, &b).unwrap();
            say("moved", number);
        } else if number % 5 == 1 {
            let deleted = FlagChange::Add(Flags::system(SystemFlags::DELETED));
            store.store_flags(&a, &one, &deleted, None).unwrap();
            say("expunging", number);
            store.expunge(&a, &one).unwrap();
            say("expunged", number);
        }
    }
}

#[test]
fn a_killed_process_loses_nothing_it_has_acknowledged() {
    if let Some(root) = std::env::var_os(WORK_UNTIL_KILLED) {
        let from = std::env::var("FROM").unwrap().parse().unwrap();
        work_until_killed(Path::new(&root), from);
    }
    let maildir = Maildir::new();
    let mut last = std::collections::BTreeMap::new();
    for round in 0..10u64 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "a_killed_process_loses_nothing_it_has_acknowledged",
                "--nocapture",
            ])
            .env(WORK_UNTIL_KILLED, maildir.root())
            .env("FROM", (round * 100_000).to_string())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let output = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut acknowledged = 0;
        for line in std::io::BufRead::lines(output) {
            let line = line.unwrap();
            let Some((word, number)) = line.strip_prefix("ack ").and_then(|rest| rest.split_once(' ')) else {
                continue;
            };
            last.insert(number.parse::<u32>().unwrap(), word.to_owned());
            acknowledged += 1;
            // Somewhere in the work that follows; what was said before it dies is still read.
            if acknowledged == 20 + round * 7 {
                std::thread::sleep(Duration::from_micros(round * 137));
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(acknowledged > 0, "the work began");
        check_after_kill(&maildir, &last);
    }
}

fn check_after_kill(maildir: &Maildir, last: &std::collections::BTreeMap<u32, String>) {
    let store = maildir.store();
    let (a, b) = (
        inbox(&store),
        store.open(&MailboxName::new("Second", '.')).unwrap().id,
    );
    let numbers = |id: &MailboxId| -> Vec<u32> {
        let read = |m: &MessageState| {
            let text = body(&store, id, m.uid);
            assert_eq!(text.len() as u64, m.size_bytes);
            text.strip_prefix("A: b\r\n\r\n").unwrap().trim().parse().unwrap()
        };
        all(&store, id).iter().map(read).collect()
    };
    let (in_a, in_b) = (numbers(&a), numbers(&b));
    for (number, word) in last {
        let (in_a, in_b) = (in_a.contains(number), in_b.contains(number));
        match word.as_str() {
            "appended" => assert!(in_a || in_b, "{number} was appended"),
            "moved" => assert!(in_b && !in_a, "{number} was moved"),
            "expunging" => {}
            "expunged" => assert!(!in_a && !in_b, "{number} was expunged"),
            word => panic!("{word}"),
        }
    }
}

/// Every file below, with its mode.
fn modes(path: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for entry in std::fs::read_dir(path).unwrap().map(Result::unwrap) {
        let meta = entry.metadata().unwrap();
        match meta.is_dir() {
            true => modes(&entry.path(), found),
            false => found.push((entry.path(), meta.permissions().mode() & 0o777)),
        }
    }
}

#[test]
fn no_file_is_more_open_than_its_maildir() {
    let maildir = Maildir::new();
    let store = maildir.store();
    let id = inbox(&store);
    put(&store, &id, "Subject: one\r\n\r\n1\r\n");
    let labelled = Flags {
        keywords: vec![Keyword::new("$Label")],
        ..Flags::default()
    };
    store
        .store_flags(&id, &everything(), &FlagChange::Add(labelled), None)
        .unwrap();
    let name = MailboxName::new("Sent", '.');
    store.create(&name, Some(SpecialUse::Sent)).unwrap();
    store.subscribe(&name, true).unwrap();
    put(
        &store,
        &store.open(&name).unwrap().id,
        "Subject: two\r\n\r\n2\r\n",
    );
    let mut found = Vec::new();
    modes(&maildir.root(), &mut found);
    for name in [
        "yubin.index",
        "yubin.index.log",
        "dovecot-keywords",
        "subscriptions",
        "maildirfolder",
        "yubin.uidvalidity",
    ] {
        assert!(
            found.iter().any(|(path, _)| path.ends_with(name)),
            "{name} is not there"
        );
    }
    found.retain(|(_, mode)| *mode != 0o600);
    assert_eq!(found, []);
}

#[test]
fn a_maildir_of_a_group_has_an_index_of_the_group() {
    let maildir = Maildir::new();
    for part in ["", "cur", "new", "tmp"] {
        let path = maildir.root().join(part);
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o770)).unwrap();
    }
    inbox(&maildir.store());
    let mode = |name: &str| maildir.root().join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("yubin.index"), mode("yubin.index.log")), (0o660, 0o660));
}
