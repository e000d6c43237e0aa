//! Laws of what stays the same for good: the names of mailboxes and messages (RFC 8474), save dates (RFC 8514); and of what
//! expunged UIDs are told to those who know an older state (RFC 7162).

use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::laws::WAKE_SECS_MAX;
use super::{Subject, all, everything, flags, inbox, letter, name, put};
use crate::store::MailboxId;
use crate::{FlagChange, Flags, Store, SystemFlags, UidSet};

fn object_id(store: &dyn Store, level: &str) -> u64 {
    let opened = store.open(&name(store, &[level]));
    opened.expect("the mailbox can be opened").object_id
}

fn email_ids(store: &dyn Store, mailbox: &MailboxId) -> Vec<u64> {
    all(store, mailbox).iter().map(|m| m.email_id).collect()
}

/// Renaming a mailbox does not change its object id, and no other mailbox has it.
pub fn a_mailbox_is_called_the_same_for_good(subject: &mut dyn Subject) {
    let store = subject.fresh();
    for level in ["one", "two"] {
        store
            .create(&name(&*store, &[level]), None)
            .expect("it can be made");
    }
    let (one, two) = (object_id(&*store, "one"), object_id(&*store, "two"));
    assert_ne!(one, two, "two mailboxes have two names");
    store
        .rename(&name(&*store, &["one"]), &name(&*store, &["three"]))
        .expect("it can be renamed");
    assert_eq!(
        object_id(&*store, "three"),
        one,
        "renaming does not change what a mailbox is called"
    );
    let store = subject.reopen();
    assert_eq!(object_id(&*store, "three"), one, "nor does opening it anew");
    store.delete(&name(&*store, &["two"])).expect("it can be deleted");
    store
        .create(&name(&*store, &["two"]), None)
        .expect("it can be made");
    let again = object_id(&*store, "two");
    assert!(
        again != two && again != one,
        "a mailbox that is made again is another"
    );
}

/// Neither flags nor copying nor moving change a message's email id.
pub fn a_message_is_called_the_same_for_good(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let inbox = inbox(&*store);
    for text in ["first", "second"] {
        put(&*store, &inbox, &letter(text, text), Flags::default());
    }
    store
        .create(&name(&*store, &["other"]), None)
        .expect("it can be made");
    let other = store
        .open(&name(&*store, &["other"]))
        .expect("it can be opened")
        .id;
    let ids = email_ids(&*store, &inbox);
    assert_ne!(ids[0], ids[1], "two messages have two names");
    store
        .copy(&inbox, &everything(), &other)
        .expect("messages can be copied");
    assert_eq!(
        email_ids(&*store, &other),
        ids,
        "a copy is called what the original is"
    );
    let change = FlagChange::Add(flags(SystemFlags::SEEN, &["$Work"]));
    store
        .store_flags(&inbox, &everything(), &change, None)
        .expect("flags can be changed");
    assert_eq!(
        email_ids(&*store, &inbox),
        ids,
        "flags do not change what a message is called"
    );
    store
        .move_messages(&other, &UidSet::from_iter([1]), &inbox)
        .expect("a message can be moved");
    assert_eq!(
        email_ids(&*store, &inbox),
        [ids[0], ids[1], ids[0]],
        "nor does moving it"
    );
    let store = subject.reopen();
    let inbox = super::inbox(&*store);
    assert_eq!(
        email_ids(&*store, &inbox)[..2],
        ids,
        "nor does opening the mailbox anew"
    );
}

/// A save date is when the message came, whatever happens to it later.
pub fn a_save_date_stays(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let inbox = inbox(&*store);
    put(&*store, &inbox, &letter("first", "first"), Flags::default());
    let date = all(&*store, &inbox)[0].save_date_secs;
    assert!(
        date.is_none_or(|secs| secs.get() > 1_700_000_000),
        "a save date is when the message came"
    );
    let change = FlagChange::Add(Flags::system(SystemFlags::FLAGGED));
    store
        .store_flags(&inbox, &everything(), &change, None)
        .expect("flags can be changed");
    let store = subject.reopen();
    let inbox = super::inbox(&*store);
    assert_eq!(
        all(&*store, &inbox)[0].save_date_secs,
        date,
        "neither flags nor time change it"
    );
}

/// Another opening that makes a mailbox, or subscribes to one, wakes those who watch the names.
pub fn a_watch_of_names_wakes(subject: &mut dyn Subject) {
    let store = subject.fresh();
    inbox(&*store);
    let (sender, woken) = mpsc::channel();
    let wake = Arc::new(move || sender.send(()).unwrap_or(()));
    let _watch = store.watch_names(wake).expect("the names can be watched");
    let other = subject.reopen();
    let made = name(&*other, &["made"]);
    let wait = Duration::from_secs(WAKE_SECS_MAX);
    other.create(&made, None).expect("it can be made");
    woken
        .recv_timeout(wait)
        .expect("a watch of the names wakes when a mailbox is made");
    assert!(store.open(&made).is_ok(), "and it can be opened then");
    while woken.try_recv().is_ok() {}
    other.subscribe(&made, true).expect("it can be subscribed to");
    loop {
        woken
            .recv_timeout(wait)
            .expect("a watch of the names wakes when a mailbox is subscribed to");
        let subscriptions = store.subscriptions().expect("subscriptions can be read");
        if subscriptions.contains(&made) {
            break;
        }
    }
}

/// Whoever knows an older state is told of everything that was expunged since, and of nothing that is there.
pub fn what_was_expunged_is_told_from_any_modseq(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let inbox = inbox(&*store);
    let mut known = Vec::new();
    for _ in 0..6 {
        put(
            &*store,
            &inbox,
            &letter("one of many", "x"),
            Flags::system(SystemFlags::DELETED),
        );
        known.push(store.changes(&inbox, 0).expect("it can be listed").highest_modseq);
    }
    let mut gone = UidSet::new();
    for uid in [2, 5, 1] {
        let one = UidSet::from_iter([uid]);
        let expunged = store.expunge(&inbox, &one).expect("it can be expunged");
        assert_eq!(expunged, one, "what was expunged is returned");
        gone.insert(uid);
        known.push(store.changes(&inbox, 0).expect("it can be listed").highest_modseq);
    }
    for (number, &since) in known.iter().enumerate() {
        let changes = store.changes(&inbox, since).expect("changes can be asked for");
        let after: UidSet = [2, 5, 1].into_iter().skip(number.saturating_sub(5)).collect();
        let missing = after.iter().find(|uid| !changes.expunged.contains(*uid));
        assert_eq!(missing, None, "what was expunged after {since} is told");
        if changes.exact {
            assert_eq!(changes.expunged, after, "an exact answer holds nothing else");
        }
        let alive = all(&*store, &inbox);
        assert!(
            alive.iter().all(|m| !changes.expunged.contains(m.uid)),
            "a message that is there was not expunged"
        );
    }
}
