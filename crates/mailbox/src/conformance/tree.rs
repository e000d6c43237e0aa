//! Laws about mailboxes: names, hierarchy, creation, renaming, subscriptions.

use super::{Subject, content, everything, inbox, letter, name, put, uids};
use crate::{Error, Flags, MailboxName, SpecialUse, Store};

fn listed(store: &dyn Store) -> Vec<String> {
    let entries = store.list().expect("mailboxes can be listed");
    entries
        .iter()
        .filter(|e| e.selectable)
        .map(|e| e.name.to_string())
        .collect()
}

/// Creates a child of an existing mailbox; `false` when the store cannot hold both (a file is no folder).
fn create_child(store: &dyn Store, child: &MailboxName) -> bool {
    match store.create(child, None) {
        Ok(()) => true,
        Err(Error::InvalidName(..)) => false,
        Err(error) => panic!("a child is created, or refused as InvalidName: {error}"),
    }
}

/// INBOX exists in an empty account, is listed first and cannot be deleted.
pub fn inbox_is_there(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let opened = store
        .open(&MailboxName::inbox())
        .expect("INBOX can be opened in a new account");
    assert_ne!(opened.uid_validity, 0, "UIDVALIDITY is never 0");
    store
        .create(&name(&*store, &["Archive"]), None)
        .expect("a mailbox can be created");
    assert_eq!(
        listed(&*store),
        ["INBOX", &name(&*store, &["Archive"]).to_string()],
        "INBOX is listed first"
    );
    assert!(
        store.delete(&MailboxName::inbox()).is_err(),
        "INBOX cannot be deleted"
    );
    let status = store.status(&opened.id).expect("INBOX has a status");
    assert_eq!(
        (status.messages, status.uid_next),
        (0, 1),
        "a new INBOX is empty and its first UID is 1"
    );
}

/// Create, list, delete, and the errors of doing so twice.
pub fn mailboxes_are_created_listed_and_deleted(subject: &mut dyn Subject) {
    let store = subject.fresh();
    inbox(&*store);
    let (work, deep) = (name(&*store, &["Work"]), name(&*store, &["Deep", "Below"]));
    store.create(&work, None).expect("a mailbox can be created");
    store
        .create(&deep, None)
        .expect("a mailbox can be created together with the node above it");
    assert!(
        matches!(store.create(&work, None), Err(Error::MailboxExists(_))),
        "creating twice is refused"
    );
    let entries = store.list().expect("mailboxes can be listed");
    let names: Vec<String> = entries.iter().map(|e| e.name.to_string()).collect();
    let node = name(&*store, &["Deep"]);
    let expected = [
        "INBOX".to_owned(),
        node.to_string(),
        deep.to_string(),
        work.to_string(),
    ];
    assert_eq!(names, expected, "INBOX first, then by name, nodes included");
    if !entries[1].selectable {
        assert!(
            store.open(&node).is_err(),
            "what cannot be selected cannot be opened"
        );
    }
    assert!(
        matches!(
            store.open(&name(&*store, &["None"])),
            Err(Error::NoSuchMailbox(_))
        ),
        "no such mailbox"
    );
    let opened = store.open(&work).expect("the mailbox can be opened");
    put(&*store, &opened.id, &letter("x", "y"), Flags::default());
    store
        .delete(&work)
        .expect("a mailbox with messages can be deleted");
    assert!(
        matches!(store.delete(&work), Err(Error::NoSuchMailbox(_))),
        "deleting twice is refused"
    );
    let gone = store.status(&opened.id);
    assert!(
        matches!(gone, Err(Error::NoSuchMailbox(_) | Error::UidValidityChanged)),
        "an open mailbox that was deleted is gone: {gone:?}"
    );
    assert!(
        !listed(&*store).contains(&work.to_string()),
        "a deleted mailbox is not listed"
    );
    store.delete(&deep).expect("a child can be deleted");
}

/// Empty, over-long and empty-levelled names.
pub fn names_that_cannot_be_are_refused(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let separator = store.namespaces()[0].separator;
    let long = "x".repeat(crate::name::NAME_BYTES_MAX + 1);
    for text in [
        String::new(),
        long,
        format!("a{separator}{separator}b"),
        format!("{separator}a"),
        "a\u{0}b".to_owned(),
        "a\nb".to_owned(),
    ] {
        let created = store.create(&MailboxName::new(&text, separator), None);
        assert!(
            matches!(created, Err(Error::InvalidName(..))),
            "{text:?} is refused as InvalidName: {created:?}"
        );
    }
    let odd = name(&*store, &["日本語 & \"x\" ~%*"]);
    store.create(&odd, None).expect("any other text can be a name");
    assert!(
        listed(&*store).contains(&odd.to_string()),
        "a name is listed as it was given"
    );
    store.open(&odd).expect("it can be opened");
}

/// RENAME takes the children along and keeps messages, UIDs and UIDVALIDITY.
pub fn a_mailbox_is_renamed_with_its_children(subject: &mut dyn Subject) {
    let store = subject.fresh();
    inbox(&*store);
    let (old, new) = (name(&*store, &["Old"]), name(&*store, &["New"]));
    let (old_child, new_child) = (name(&*store, &["Old", "Child"]), name(&*store, &["New", "Child"]));
    store.create(&old, None).expect("a mailbox can be created");
    let opened = store.open(&old).expect("it can be opened");
    let uid = put(&*store, &opened.id, &letter("kept", "body"), Flags::default());
    let has_child = create_child(&*store, &old_child);
    store.rename(&old, &new).expect("a mailbox can be renamed");
    assert!(
        matches!(store.open(&old), Err(Error::NoSuchMailbox(_))),
        "the old name is gone"
    );
    let again = store.open(&new).expect("the new name can be opened");
    assert_eq!(
        again.uid_validity, opened.uid_validity,
        "a rename keeps UIDVALIDITY"
    );
    assert_eq!(
        content(&*store, &again.id, uid),
        letter("kept", "body"),
        "a rename keeps messages and UIDs"
    );
    if has_child {
        store.open(&new_child).expect("the child went along");
        assert!(store.open(&old_child).is_err(), "the child's old name is gone");
    }
    let other = name(&*store, &["Other"]);
    store.create(&other, None).expect("another can be created");
    assert!(
        matches!(store.rename(&other, &new), Err(Error::MailboxExists(_))),
        "no mailbox is renamed over"
    );
    let none = name(&*store, &["None"]);
    assert!(
        matches!(store.rename(&none, &old), Err(Error::NoSuchMailbox(_))),
        "what is not cannot be renamed"
    );
}

/// RENAME INBOX: an empty INBOX stays (RFC 9051 §6.3.6).
pub fn renaming_inbox_moves_its_messages(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let id = inbox(&*store);
    put(&*store, &id, &letter("one", "1"), Flags::default());
    let old_mail = name(&*store, &["old-mail"]);
    store
        .rename(&MailboxName::inbox(), &old_mail)
        .expect("INBOX can be renamed");
    let id = inbox(&*store);
    assert!(uids(&*store, &id).is_empty(), "INBOX is empty afterwards");
    let target = store
        .open(&old_mail)
        .expect("its messages are in the new mailbox")
        .id;
    let moved = uids(&*store, &target);
    assert_eq!(moved.len(), 1, "every message moved");
    assert_eq!(
        content(&*store, &target, moved[0]),
        letter("one", "1"),
        "and is what it was"
    );
}

/// Subscriptions: ordered, idempotent, of names that need not exist, kept.
pub fn subscriptions_are_a_list_of_names(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let (first, second) = (name(&*store, &["A list"]), name(&*store, &["B"]));
    assert!(
        store
            .subscriptions()
            .expect("subscriptions can be read")
            .is_empty(),
        "at first there are none"
    );
    for wanted in [&second, &first, &second] {
        store
            .subscribe(wanted, true)
            .expect("a name can be subscribed, twice too");
    }
    assert_eq!(
        subject.reopen().subscriptions().expect("readable"),
        [first.clone(), second.clone()]
    );
    for unwanted in [&first, &first] {
        store
            .subscribe(unwanted, false)
            .expect("a name can be unsubscribed, twice too");
    }
    assert_eq!(
        subject.reopen().subscriptions().expect("readable"),
        [second],
        "what is left"
    );
}

/// What a mailbox was made for stays with it, also under another name, and goes with it.
pub fn what_a_mailbox_is_for_is_kept(subject: &mut dyn Subject) {
    let store = subject.fresh();
    inbox(&*store);
    let (sent, moved) = (name(&*store, &["Out"]), name(&*store, &["Gone out"]));
    store
        .create(&sent, Some(SpecialUse::Sent))
        .expect("a mailbox can be created for a use");
    store.rename(&sent, &moved).expect("it can be renamed");
    let store = subject.reopen();
    let entries = store.list().expect("mailboxes can be listed");
    let entry = entries.iter().find(|entry| entry.name == moved);
    let uses = entry.map(|entry| (entry.exists, entry.special_use.clone()));
    assert_eq!(uses, Some((true, vec![SpecialUse::Sent])), "its use is kept");
    store.delete(&moved).expect("it can be deleted");
    store.create(&moved, None).expect("and made again");
    let entries = store.list().expect("mailboxes can be listed");
    let entry = entries.iter().find(|entry| entry.name == moved);
    assert_eq!(
        entry.map(|entry| entry.special_use.clone()),
        Some(Vec::new()),
        "a new mailbox of the name is for nothing"
    );
}

/// A mailbox that was deleted and made again never shows its old UIDs under the old UIDVALIDITY.
pub fn a_mailbox_made_again_has_another_uid_validity(subject: &mut dyn Subject) {
    let store = subject.fresh();
    inbox(&*store);
    let again = name(&*store, &["Again"]);
    store.create(&again, None).expect("a mailbox can be created");
    let first = store.open(&again).expect("it can be opened");
    put(&*store, &first.id, &letter("first", "1"), Flags::default());
    store.delete(&again).expect("it can be deleted");
    store.create(&again, None).expect("it can be created again");
    let second = store.open(&again).expect("it can be opened again");
    assert_ne!(
        first.uid_validity, second.uid_validity,
        "UIDVALIDITY tells the two apart"
    );
    assert!(uids(&*store, &second.id).is_empty(), "the second is empty");
    match store.changes(&first.id, 0) {
        Ok(changes) => assert_eq!(
            changes.uid_validity, second.uid_validity,
            "an old id shows the new mailbox as new"
        ),
        Err(Error::NoSuchMailbox(_) | Error::UidValidityChanged) => {}
        Err(error) => panic!("an old id is void or shows the new mailbox: {error}"),
    }
    let _ = store.expunge(&first.id, &everything());
}
