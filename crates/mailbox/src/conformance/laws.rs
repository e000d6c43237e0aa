//! Laws about messages: appending, bodies, flags, changes, expunging, copying, moving, watching.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use super::{Subject, all, content, everything, flags, inbox, letter, name, ordered, put, uids};
use crate::cache::Entry;
use crate::store::Sought;
use crate::{Derived, Error, FlagChange, Flags, MailboxId, MailboxName, Store, SystemFlags, Uid, UidSet};

/// How long a watch may take to wake.
pub(super) const WAKE_SECS_MAX: u64 = 10;

fn set(uids: &[Uid]) -> UidSet {
    uids.iter().copied().collect()
}

/// Three messages in INBOX.
fn three(store: &dyn Store) -> (MailboxId, Vec<Uid>) {
    let mailbox = inbox(store);
    let put = |n: &str| put(store, &mailbox, &letter(n, n), Flags::default());
    let uids = vec![put("one"), put("two"), put("three")];
    (mailbox, uids)
}

fn second_mailbox(store: &dyn Store) -> MailboxId {
    let second = name(store, &["Second"]);
    store.create(&second, None).expect("a mailbox can be created");
    store.open(&second).expect("it can be opened").id
}

/// What is appended is read back, octet by octet, with its flags and date.
pub fn appended_messages_are_read_back(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let mailbox = inbox(&*store);
    let first = letter(
        "hello",
        "This is a body.\r\n\r\nFrom here on it has\r\n>From lines\r\n.\r\n..",
    );
    let seen = flags(
        SystemFlags::SEEN.union(SystemFlags::FLAGGED),
        &["$Forwarded", "work"],
    );
    let uid = put(&*store, &mailbox, &first, seen.clone());
    let next = put(&*store, &mailbox, &letter("second", "2"), Flags::default());
    assert!(uid > 0 && next > uid, "UIDs ascend");
    let messages = all(&*store, &mailbox);
    assert_eq!(messages.len(), 2, "both are there");
    assert_eq!(
        (messages[0].uid, messages[1].uid),
        (uid, next),
        "ascending by UID"
    );
    assert_eq!(ordered(&messages[0].flags), ordered(&seen), "flags are kept");
    assert_eq!(messages[0].internal_date_secs, 1_600_000_000, "the date is kept");
    assert_eq!(
        messages[0].size_bytes,
        first.len() as u64,
        "the size counts CRLF line ends"
    );
    assert_eq!(
        content(&*store, &mailbox, uid),
        first,
        "the content is what was written"
    );
    assert_eq!(
        content(&*store, &mailbox, next),
        letter("second", "2"),
        "and so is the second's"
    );
    assert!(
        messages.iter().all(|m| m.modseq > 0),
        "every message has a modseq"
    );
    let missing = store.body(&mailbox, next + 1).err();
    assert!(
        matches!(missing, Some(Error::NoSuchMessage(_))),
        "no such message: {missing:?}"
    );
}

/// Nothing of an append is seen before its commit, and nothing after a drop.
pub fn an_append_that_is_dropped_leaves_nothing(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let mailbox = inbox(&*store);
    let mut append = store.append(&mailbox).expect("appending can begin");
    append
        .start(Flags::default(), 5)
        .expect("a message can be started");
    append
        .write(&letter("gone", "gone"))
        .expect("content can be written");
    assert!(
        uids(&*store, &mailbox).is_empty(),
        "before the commit it is not there"
    );
    drop(append);
    assert!(uids(&*store, &mailbox).is_empty(), "and never after a drop");
    assert!(
        uids(&*subject.reopen(), &mailbox).is_empty(),
        "not after reopening either"
    );
}

/// MULTIAPPEND: UIDs in the order of appending, all at once.
pub fn several_messages_are_appended_together(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let mailbox = inbox(&*store);
    let mut append = store.append(&mailbox).expect("appending can begin");
    for number in 0..3 {
        append
            .start(flags(SystemFlags::NONE, &[]), 100 + number)
            .expect("a message can be started");
        for piece in letter(&number.to_string(), "body").chunks(5) {
            append.write(piece).expect("content can come in pieces");
        }
    }
    let appended = append.commit().expect("the append can be committed");
    assert_eq!(appended.uids.len(), 3, "one UID a message");
    assert!(appended.uids.is_sorted(), "in the order of appending");
    assert_eq!(uids(&*store, &mailbox), appended.uids, "and they are there");
    let dates: Vec<i64> = all(&*store, &mailbox)
        .iter()
        .map(|m| m.internal_date_secs)
        .collect();
    assert_eq!(dates, [100, 101, 102], "each with its date");
    assert_eq!(content(&*store, &mailbox, appended.uids[2]), letter("2", "body"));
    let nothing = store
        .append(&mailbox)
        .expect("appending can begin")
        .commit()
        .expect("an empty append is none");
    assert!(nothing.uids.is_empty(), "nothing appended has no UIDs");
}

/// LF, CRLF and a cut between CR and LF come out as CRLF.
pub fn every_line_ends_in_crlf(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let mailbox = inbox(&*store);
    let mut append = store.append(&mailbox).expect("appending can begin");
    append
        .start(Flags::default(), 7)
        .expect("a message can be started");
    for piece in ["Subject: x\n", "A: b\r", "\n\nline\r\n", "last", "\n"] {
        append.write(piece.as_bytes()).expect("content can be written");
    }
    let uid = append.commit().expect("the append can be committed").uids[0];
    let expected = b"Subject: x\r\nA: b\r\n\r\nline\r\nlast\r\n".to_vec();
    assert_eq!(
        content(&*store, &mailbox, uid),
        expected,
        "every line ends in CRLF"
    );
    assert_eq!(
        all(&*store, &mailbox)[0].size_bytes,
        expected.len() as u64,
        "and is counted so"
    );
}

/// Any offset, also beyond the end.
pub fn bodies_are_read_from_any_offset(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let mailbox = inbox(&*store);
    let text: String = (0..3000).map(|n| format!("line {n}\r\n")).collect();
    let whole = letter("long", &text);
    let uid = put(&*store, &mailbox, &whole, Flags::default());
    let body = store.body(&mailbox, uid).expect("the body can be opened");
    let offsets = [
        0,
        1,
        9_999,
        10_000,
        80,
        79,
        20_000,
        3,
        whole.len() - 1,
        whole.len(),
        whole.len() + 10,
    ];
    for offset in offsets {
        let mut piece = [0; 100];
        let mut got = Vec::new();
        while got.len() < 300 {
            let count = body
                .read_at((offset + got.len()) as u64, &mut piece)
                .expect("the body can be read");
            if count == 0 {
                break;
            }
            got.extend_from_slice(&piece[..count]);
        }
        let start = offset.min(whole.len());
        let end = (start + got.len()).min(whole.len());
        assert_eq!(got, &whole[start..end], "from offset {offset}");
        assert!(
            got.len() >= 300 || end == whole.len(),
            "reading from {offset} goes on to the end"
        );
    }
}

/// FLAGS, +FLAGS, -FLAGS.
pub fn flags_are_set_added_and_removed(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let (mailbox, uids) = three(&*store);
    let before = store.status(&mailbox).expect("a status").highest_modseq;
    let both = set(&[uids[0], uids[2], uids[2] + 5]);
    let seen = flags(SystemFlags::SEEN, &["alpha"]);
    let stored = store
        .store_flags(&mailbox, &both, &FlagChange::Add(seen), None)
        .expect("flags can be added");
    let told: Vec<Uid> = stored.messages.iter().map(|m| m.uid).collect();
    assert_eq!(
        told,
        [uids[0], uids[2]],
        "told are those that exist and were asked for"
    );
    assert!(
        stored.messages.iter().all(|m| m.modseq > before),
        "a change gets a newer modseq"
    );
    assert!(
        stored.modified.is_empty(),
        "without UNCHANGEDSINCE nothing is left alone"
    );
    let change = |change| {
        store
            .store_flags(&mailbox, &set(&uids[..1]), &change, None)
            .expect("flags can change")
    };
    change(FlagChange::Add(flags(SystemFlags::DRAFT, &["beta", "ALPHA"])));
    let now = |at: usize| ordered(&all(&*store, &mailbox)[at].flags);
    let union = SystemFlags::SEEN.union(SystemFlags::DRAFT);
    assert_eq!(
        now(0),
        ordered(&flags(union, &["alpha", "beta"])),
        "adding keeps what was there, keywords once"
    );
    change(FlagChange::Remove(flags(SystemFlags::SEEN, &["Alpha"])));
    assert_eq!(
        now(0),
        ordered(&flags(SystemFlags::DRAFT, &["beta"])),
        "removing removes, keywords without case"
    );
    change(FlagChange::Set(flags(SystemFlags::ANSWERED, &["gamma"])));
    assert_eq!(
        now(0),
        ordered(&flags(SystemFlags::ANSWERED, &["gamma"])),
        "setting replaces"
    );
    assert_eq!(now(1), ordered(&Flags::default()), "others stay");
    assert_eq!(
        now(2),
        ordered(&flags(SystemFlags::SEEN, &["alpha"])),
        "others stay"
    );
}

/// RFC 7162 §3.1.3.
pub fn unchanged_since_protects_newer_changes(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let (mailbox, uids) = three(&*store);
    let since = store.status(&mailbox).expect("a status").highest_modseq;
    let flagged = FlagChange::Add(flags(SystemFlags::FLAGGED, &[]));
    store
        .store_flags(&mailbox, &set(&uids[1..2]), &flagged, None)
        .expect("flags can be added");
    let seen = FlagChange::Add(flags(SystemFlags::SEEN, &[]));
    let stored = store
        .store_flags(&mailbox, &everything(), &seen, Some(since))
        .expect("flags can be added");
    assert_eq!(stored.modified, set(&uids[1..2]), "the newer message is reported");
    let now = all(&*store, &mailbox);
    assert_eq!(now[1].flags.system, SystemFlags::FLAGGED, "and left alone");
    assert!(
        now[0].flags.system == SystemFlags::SEEN && now[2].flags.system == SystemFlags::SEEN,
        "others changed"
    );
}

/// STATUS agrees with the listing.
pub fn the_counters_count(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let (mailbox, uids) = three(&*store);
    let change = FlagChange::Add(flags(SystemFlags::SEEN, &[]));
    store
        .store_flags(&mailbox, &set(&uids[..2]), &change, None)
        .expect("flags can be added");
    let change = FlagChange::Add(flags(SystemFlags::DELETED, &[]));
    store
        .store_flags(&mailbox, &set(&uids[1..]), &change, None)
        .expect("flags can be added");
    let status = store.status(&mailbox).expect("a status");
    assert_eq!(
        (status.messages, status.unseen, status.deleted),
        (3, 1, 2),
        "messages, unseen, deleted"
    );
    let messages = all(&*store, &mailbox);
    assert_eq!(
        status.size_bytes,
        messages.iter().map(|m| m.size_bytes).sum::<u64>(),
        "sizes"
    );
    assert!(status.uid_next > uids[2], "UIDNEXT is above every UID");
    assert!(
        status.highest_modseq >= messages.iter().map(|m| m.modseq).max().unwrap_or(0),
        "HIGHESTMODSEQ"
    );
    let opened = store.open(&MailboxName::inbox()).expect("INBOX");
    assert_eq!(status.uid_validity, opened.uid_validity, "UIDVALIDITY");
}

/// changes(since) holds what is newer, and no more than that.
pub fn changes_tell_what_is_newer(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let (mailbox, uids) = three(&*store);
    let since = store.changes(&mailbox, 0).expect("changes").highest_modseq;
    let nothing = store.changes(&mailbox, since).expect("changes");
    assert!(
        nothing.messages.is_empty() && nothing.expunged.is_empty(),
        "nothing happened: {nothing:?}"
    );
    assert_eq!(nothing.highest_modseq, since, "and no modseq was used");
    let seen = FlagChange::Add(flags(SystemFlags::SEEN.union(SystemFlags::DELETED), &[]));
    store
        .store_flags(&mailbox, &set(&uids[..2]), &seen, None)
        .expect("flags can be added");
    store.expunge(&mailbox, &set(&uids[..1])).expect("expunge");
    let new = put(&*store, &mailbox, &letter("four", "4"), Flags::default());
    let changes = store.changes(&mailbox, since).expect("changes");
    let told: Vec<Uid> = changes.messages.iter().map(|m| m.uid).collect();
    assert_eq!(told, [uids[1], new], "the changed and the new message");
    assert!(changes.expunged.contains(uids[0]), "the expunged UID is told");
    assert!(
        ![uids[1], uids[2], new]
            .iter()
            .any(|u| changes.expunged.contains(*u)),
        "no living UID is told expunged"
    );
    assert!(
        changes.uid_next > new && changes.highest_modseq > since,
        "the counters went on"
    );
    assert!(
        store
            .changes(&mailbox, changes.highest_modseq)
            .expect("changes")
            .messages
            .is_empty(),
        "then nothing"
    );
}

/// EXPUNGE takes those that are asked for and have \Deleted.
pub fn only_deleted_messages_are_expunged(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let (mailbox, ids) = three(&*store);
    let deleted = FlagChange::Add(flags(SystemFlags::DELETED, &[]));
    store
        .store_flags(&mailbox, &set(&ids[..2]), &deleted, None)
        .expect("flags can be added");
    let body = store.body(&mailbox, ids[2]).expect("a body can be opened");
    let gone = store.expunge(&mailbox, &set(&ids[1..])).expect("expunge");
    assert_eq!(gone, set(&ids[1..2]), "one was asked for and deleted");
    assert_eq!(uids(&*store, &mailbox), [ids[0], ids[2]], "the others stay");
    assert!(
        matches!(store.body(&mailbox, ids[1]).err(), Some(Error::NoSuchMessage(_))),
        "its body is gone"
    );
    assert_eq!(
        content(&*store, &mailbox, ids[2]),
        letter("three", "three"),
        "the others' bodies are theirs"
    );
    let mut head = [0; 5];
    match body.read_at(0, &mut head) {
        Ok(count) => assert_eq!(
            head[..count],
            b"From:"[..count],
            "a body opened before is the same body"
        ),
        Err(Error::NoSuchMessage(_)) => {}
        Err(error) => panic!("a body opened before is readable or gone: {error}"),
    }
    assert_eq!(
        store.expunge(&mailbox, &everything()).expect("expunge"),
        set(&ids[..1]),
        "the rest of the deleted"
    );
    assert!(
        store
            .expunge(&mailbox, &everything())
            .expect("expunge")
            .is_empty(),
        "then none"
    );
}

/// A UID is given once, also when the newest message is gone and the account was reopened.
pub fn uids_are_never_used_again(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let (mailbox, ids) = three(&*store);
    let deleted = FlagChange::Add(flags(SystemFlags::DELETED, &[]));
    store
        .store_flags(&mailbox, &everything(), &deleted, None)
        .expect("flags can be added");
    store.expunge(&mailbox, &everything()).expect("expunge");
    let next = put(
        &*store,
        &mailbox,
        &letter("n", "n"),
        flags(SystemFlags::DELETED, &[]),
    );
    assert!(next > ids[2], "a UID is not used again");
    store.expunge(&mailbox, &everything()).expect("expunge");
    drop(store);
    let store = subject.reopen();
    let mailbox = inbox(&*store);
    assert!(
        put(&*store, &mailbox, &letter("m", "m"), Flags::default()) > next,
        "nor after reopening"
    );
}

/// A message is recent for one session only.
pub fn recent_is_claimed_once(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let (mailbox, ids) = three(&*store);
    assert_eq!(
        store.status(&mailbox).expect("a status").recent,
        3,
        "unclaimed messages are recent"
    );
    assert_eq!(
        store.claim_recent(&mailbox).expect("recent"),
        set(&ids),
        "the first session gets them"
    );
    assert!(
        store.claim_recent(&mailbox).expect("recent").is_empty(),
        "the second gets none"
    );
    assert_eq!(
        store.status(&mailbox).expect("a status").recent,
        0,
        "none is left"
    );
    let new = put(&*store, &mailbox, &letter("n", "n"), Flags::default());
    assert_eq!(
        subject.reopen().claim_recent(&mailbox).expect("recent"),
        set(&[new]),
        "only the new one is"
    );
}

/// COPY: flags, dates and content go along; the source stays; unknown UIDs are passed over.
pub fn copies_keep_flags_and_dates(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let (mailbox, ids) = three(&*store);
    let second = second_mailbox(&*store);
    put(&*store, &second, &letter("there", "before"), Flags::default());
    let kept = flags(SystemFlags::SEEN, &["label"]);
    store
        .store_flags(&mailbox, &set(&ids[..1]), &FlagChange::Set(kept.clone()), None)
        .expect("flags can be set");
    let copied = store
        .copy(&mailbox, &set(&[ids[0], ids[2], 4_000_000]), &second)
        .expect("copy");
    let sources: Vec<Uid> = copied.pairs.iter().map(|p| p.0).collect();
    assert_eq!(
        sources,
        [ids[0], ids[2]],
        "pairs, ascending by source, without UIDs that are not"
    );
    let there = all(&*store, &second);
    assert_eq!(there.len(), 3, "the copies joined what was there");
    assert_eq!(copied.pairs[0].1, there[1].uid, "the pairs tell the new UIDs");
    assert_eq!(ordered(&there[1].flags), ordered(&kept), "flags go along");
    assert_eq!(there[1].internal_date_secs, 1_600_000_000, "dates go along");
    assert_eq!(
        content(&*store, &second, there[2].uid),
        letter("three", "three"),
        "contents go along"
    );
    assert_eq!(uids(&*store, &mailbox), ids, "the source stays");
    let none = store
        .copy(&mailbox, &set(&[4_000_000]), &second)
        .expect("a copy of nothing");
    assert!(none.pairs.is_empty(), "a copy of nothing copies nothing");
    let own = store
        .copy(&mailbox, &set(&ids[..1]), &mailbox)
        .expect("a copy into the same mailbox");
    assert!(
        own.pairs.len() == 1 && own.pairs[0].1 > ids[2],
        "makes a new message"
    );
}

/// MOVE: each message is in the destination and no longer in the source.
pub fn a_move_leaves_one_of_each(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let (mailbox, ids) = three(&*store);
    let second = second_mailbox(&*store);
    let since = store.changes(&mailbox, 0).expect("changes").highest_modseq;
    let change = FlagChange::Set(flags(SystemFlags::FLAGGED, &["k"]));
    store
        .store_flags(&mailbox, &set(&ids[1..2]), &change, None)
        .expect("flags can be set");
    let moved = store
        .move_messages(&mailbox, &set(&ids[1..]), &second)
        .expect("move");
    assert_eq!(
        moved.pairs.iter().map(|p| p.0).collect::<Vec<_>>(),
        ids[1..],
        "the sources are told"
    );
    assert_eq!(uids(&*store, &mailbox), ids[..1], "the source has them no more");
    let there = all(&*store, &second);
    assert_eq!(
        there.iter().map(|m| m.uid).collect::<Vec<_>>(),
        moved.pairs.iter().map(|p| p.1).collect::<Vec<_>>()
    );
    assert_eq!(
        ordered(&there[0].flags),
        ordered(&flags(SystemFlags::FLAGGED, &["k"])),
        "flags go along"
    );
    assert_eq!(
        content(&*store, &second, there[1].uid),
        letter("three", "three"),
        "contents go along"
    );
    let expunged = store.changes(&mailbox, since).expect("changes").expunged;
    assert!(
        ids[1..].iter().all(|uid| expunged.contains(*uid)),
        "a move is an expunge of the source"
    );
}

/// What one opening does, another sees without being told.
pub fn two_openings_see_each_other(subject: &mut dyn Subject) {
    let one = subject.fresh();
    let (mailbox_one, ids) = three(&*one);
    let two = subject.reopen();
    let mailbox_two = inbox(&*two);
    let since = two.changes(&mailbox_two, 0).expect("changes").highest_modseq;
    let change = FlagChange::Set(flags(SystemFlags::DELETED, &["mine"]));
    one.store_flags(&mailbox_one, &set(&ids[..1]), &change, None)
        .expect("flags can be set");
    let seen = two.changes(&mailbox_two, since).expect("changes");
    assert_eq!(seen.messages.len(), 1, "the other opening sees the flag change");
    assert_eq!(
        ordered(&seen.messages[0].flags),
        ordered(&flags(SystemFlags::DELETED, &["mine"]))
    );
    two.expunge(&mailbox_two, &everything()).expect("expunge");
    assert!(
        one.changes(&mailbox_one, since)
            .expect("changes")
            .expunged
            .contains(ids[0]),
        "and the expunge"
    );
    let a = put(&*one, &mailbox_one, &letter("a", "a"), Flags::default());
    let b = put(&*two, &mailbox_two, &letter("b", "b"), Flags::default());
    let c = put(&*one, &mailbox_one, &letter("c", "c"), Flags::default());
    assert!(a < b && b < c, "both give UIDs in one order");
    assert_eq!(uids(&*one, &mailbox_one), uids(&*two, &mailbox_two), "and agree");
    assert_eq!(content(&*one, &mailbox_one, b), letter("b", "b"));
    assert_eq!(content(&*two, &mailbox_two, c), letter("c", "c"));
    let sub = name(&*one, &["Made"]);
    one.create(&sub, None).expect("create");
    two.open(&sub)
        .expect("a mailbox made by one is there for the other");
}

/// UIDVALIDITY, UIDs, modseqs, flags, dates and expunges survive.
pub fn everything_survives_reopening(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let (mailbox, ids) = three(&*store);
    let start = store.status(&mailbox).expect("a status").highest_modseq;
    let change = FlagChange::Set(flags(
        SystemFlags::ANSWERED.union(SystemFlags::DELETED),
        &["$MDNSent", "own"],
    ));
    store
        .store_flags(&mailbox, &set(&ids[1..2]), &change, None)
        .expect("flags can be set");
    let change = FlagChange::Add(flags(SystemFlags::DELETED, &[]));
    store
        .store_flags(&mailbox, &set(&ids[..1]), &change, None)
        .expect("flags can be set");
    store.expunge(&mailbox, &set(&ids[..1])).expect("expunge");
    store.claim_recent(&mailbox).expect("recent");
    let before = (store.status(&mailbox).expect("a status"), all(&*store, &mailbox));
    drop(store);
    let store = subject.reopen();
    let mailbox = inbox(&*store);
    let after = (store.status(&mailbox).expect("a status"), all(&*store, &mailbox));
    assert_eq!(before.0, after.0, "the status survives");
    for (old, new) in before.1.iter().zip(&after.1) {
        assert_eq!(
            (old.uid, old.modseq, old.size_bytes),
            (new.uid, new.modseq, new.size_bytes),
            "states survive"
        );
        assert_eq!(ordered(&old.flags), ordered(&new.flags), "flags survive");
        assert_eq!(old.internal_date_secs, new.internal_date_secs, "dates survive");
    }
    let changes = store.changes(&mailbox, start).expect("changes");
    assert_eq!(changes.messages.len(), 1, "modseqs compare across reopening");
    assert!(
        changes.expunged.contains(ids[0]) && !changes.expunged.contains(ids[1]),
        "expunges are remembered"
    );
    assert_eq!(content(&*store, &mailbox, ids[1]), letter("two", "two"));
}

/// A watch wakes for a change by another opening, and is silent after it was dropped.
pub fn a_watch_wakes(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let mailbox = inbox(&*store);
    all(&*store, &mailbox);
    let (sender, woken) = mpsc::channel();
    let wake = Arc::new(move || sender.send(()).unwrap_or(()));
    let watch = store.watch(&mailbox, wake).expect("a mailbox can be watched");
    let other = subject.reopen();
    let there = inbox(&*other);
    put(&*other, &there, &letter("news", "n"), Flags::default());
    let wait = Duration::from_secs(WAKE_SECS_MAX);
    woken
        .recv_timeout(wait)
        .expect("a watch wakes when another opening appends");
    assert_eq!(uids(&*store, &mailbox).len(), 1, "and the news can be read then");
    drop(watch);
    while woken.recv_timeout(wait).is_ok() {}
    assert_eq!(
        woken.try_recv(),
        Err(mpsc::TryRecvError::Disconnected),
        "a dropped watch forgets its wake"
    );
}

/// A cache gives, in every opening of the mailbox, what it was first given for a message, or nothing; and nothing of another one.
pub fn a_cache_gives_what_it_was_given(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let (mailbox, uids) = three(&*store);
    let Some(cache) = store.cache(&mailbox) else {
        return;
    };
    let entry = |uid: Uid, kind: Derived, text: &str| Entry {
        uid,
        kind,
        content: text.as_bytes().to_vec(),
    };
    let known = |store: &dyn Store, uid: Uid, kind: Derived| {
        let cache = store.cache(&inbox(store)).expect("it has a cache");
        let mut into = b"before ".to_vec();
        let found = cache.recall(uid, kind, &mut into);
        let content = into
            .strip_prefix(b"before ")
            .expect("what was there stays")
            .to_vec();
        assert!(found || content.is_empty(), "what is not known is not given");
        found.then(|| String::from_utf8(content).expect("it is the text"))
    };
    assert_eq!(
        known(&*store, uids[0], Derived::Head),
        None,
        "a new mailbox knows nothing"
    );
    cache.remember(&[
        entry(uids[0], Derived::Head, "head one"),
        entry(uids[1], Derived::Structure, "structure two"),
    ]);
    cache.remember(&[
        entry(uids[0], Derived::Head, "another"),
        entry(uids[0], Derived::Structure, ""),
        entry(
            uids[2],
            Derived::Head,
            &"x".repeat(crate::cache::ENTRY_BYTES_MAX + 1),
        ),
    ]);
    let second = subject.reopen();
    for store in [&store, &second] {
        let says = |at: usize, kind| known(&**store, uids[at], kind);
        assert_eq!(says(0, Derived::Head).as_deref(), Some("head one"));
        assert_eq!(says(0, Derived::Structure).as_deref(), Some(""));
        assert_eq!(says(1, Derived::Structure).as_deref(), Some("structure two"));
        assert_eq!(says(1, Derived::Head), None);
        assert_eq!(says(2, Derived::Head), None, "what is too large is not kept");
    }
}

/// Who asks a full-text index hears of every message that holds the text, if there is an index.
pub fn an_index_leaves_no_message_out(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let (mailbox, uids) = three(&*store);
    for (text, in_headers, holder) in [("TWO", true, uids[1]), ("THREE", false, uids[2])] {
        let sought = Sought { text, in_headers };
        let candidates = store.candidates(&mailbox, &sought).expect("it can be asked");
        assert!(candidates.is_none_or(|uids| uids.contains(holder)), "{text}");
    }
}
