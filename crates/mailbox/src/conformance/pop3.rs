//! What is kept for POP3.

use super::{Subject, everything, inbox, letter, put, uids};
use crate::{FlagChange, Flags, SystemFlags, Uid, UidSet};

/// Identifiers that were saved stay with their messages, for all openings; or the store has no place for them, and none is there.
pub fn unique_identifiers_are_kept_or_forgotten(subject: &mut dyn Subject) {
    let store = subject.fresh();
    let mailbox = inbox(&*store);
    for subject in ["one", "two", "three"] {
        put(&*store, &mailbox, &letter(subject, subject), Flags::default());
    }
    let ids = uids(&*store, &mailbox);
    assert!(
        store.pop3_notes(&mailbox).expect("notes").is_empty(),
        "none at first"
    );
    let saved = [
        (ids[0], "first.1".to_owned()),
        (ids[2], "third.3".to_owned()),
        (9_999, "of nobody".to_owned()),
    ];
    store
        .save_uidls(&mailbox, &saved)
        .expect("identifiers can be saved");
    let keeps = !store.pop3_notes(&mailbox).expect("notes").is_empty();
    // What it changes of the message meanwhile does not matter.
    let change = FlagChange::Set(Flags::system(SystemFlags::SEEN));
    store
        .store_flags(&mailbox, &everything(), &change, None)
        .expect("flags can be set");
    let first: UidSet = std::iter::once(ids[0]).collect();
    let change = FlagChange::Add(Flags::system(SystemFlags::DELETED));
    store.store_flags(&mailbox, &first, &change, None).expect("flags");
    store.expunge(&mailbox, &first).expect("expunge");
    drop(store);
    let store = subject.reopen();
    let mailbox = inbox(&*store);
    let notes = store.pop3_notes(&mailbox).expect("notes");
    let mut kept: Vec<(Uid, Option<&str>)> = notes
        .iter()
        .map(|(uid, note)| (*uid, note.uidl.as_deref()))
        .collect();
    kept.sort_unstable();
    let expected = if keeps {
        vec![(ids[2], Some("third.3"))]
    } else {
        Vec::new()
    };
    assert_eq!(kept, expected, "identifiers stay while their messages do");
}
