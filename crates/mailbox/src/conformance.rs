//! The conformance suite: what every [`Store`] must do, one function a law, and a seeded model test.
//!
//! A store's own tests implement [`Subject`] and call [`suite`] and [`model`]. Every law panics with the
//! sentence that was broken.

mod laws;
mod model;
mod objects;
mod pop3;
mod tree;

pub use laws::*;
pub use model::model;
pub use objects::*;
pub use pop3::*;
pub use tree::*;

use crate::{Flags, Keyword, MailboxId, MailboxName, MessageState, Store, SystemFlags, Uid, UidSet};

/// A store under test.
pub trait Subject {
    /// A store over a new, empty account. The account of the call before may be forgotten.
    fn fresh(&mut self) -> Box<dyn Store>;

    /// The same account opened once more, as another process or the next start does it. Earlier handles may
    /// be alive or dropped.
    fn reopen(&mut self) -> Box<dyn Store>;
}

/// Runs every law, each on a fresh account.
pub fn suite(subject: &mut dyn Subject) {
    inbox_is_there(subject);
    mailboxes_are_created_listed_and_deleted(subject);
    names_that_cannot_be_are_refused(subject);
    a_mailbox_is_renamed_with_its_children(subject);
    renaming_inbox_moves_its_messages(subject);
    subscriptions_are_a_list_of_names(subject);
    what_a_mailbox_is_for_is_kept(subject);
    a_mailbox_made_again_has_another_uid_validity(subject);
    appended_messages_are_read_back(subject);
    an_append_that_is_dropped_leaves_nothing(subject);
    several_messages_are_appended_together(subject);
    every_line_ends_in_crlf(subject);
    bodies_are_read_from_any_offset(subject);
    flags_are_set_added_and_removed(subject);
    unchanged_since_protects_newer_changes(subject);
    the_counters_count(subject);
    changes_tell_what_is_newer(subject);
    only_deleted_messages_are_expunged(subject);
    uids_are_never_used_again(subject);
    recent_is_claimed_once(subject);
    copies_keep_flags_and_dates(subject);
    a_move_leaves_one_of_each(subject);
    two_openings_see_each_other(subject);
    everything_survives_reopening(subject);
    a_cache_gives_what_it_was_given(subject);
    an_index_leaves_no_message_out(subject);
    a_watch_wakes(subject);
    a_mailbox_is_called_the_same_for_good(subject);
    a_message_is_called_the_same_for_good(subject);
    a_save_date_stays(subject);
    a_watch_of_names_wakes(subject);
    what_was_expunged_is_told_from_any_modseq(subject);
    unique_identifiers_are_kept_or_forgotten(subject);
}

/// `first/second` in the store's own separator and namespace.
pub(crate) fn name(store: &dyn Store, levels: &[&str]) -> MailboxName {
    let namespace = store
        .namespaces()
        .into_iter()
        .next()
        .expect("a store has a personal namespace");
    let text = format!(
        "{}{}",
        namespace.prefix,
        levels.join(&namespace.separator.to_string())
    );
    MailboxName::new(&text, namespace.separator)
}

pub(crate) fn inbox(store: &dyn Store) -> MailboxId {
    store.open(&MailboxName::inbox()).expect("INBOX can be opened").id
}

/// A little message, every line ending in CRLF.
pub(crate) fn letter(subject: &str, body: &str) -> Vec<u8> {
    format!("From: alice@example.test\r\nTo: bob@example.test\r\nSubject: {subject}\r\n\r\n{body}\r\n")
        .into_bytes()
}

/// Appends one message and returns its UID.
pub(crate) fn put(store: &dyn Store, mailbox: &MailboxId, content: &[u8], flags: Flags) -> Uid {
    let mut append = store.append(mailbox).expect("appending can begin");
    append
        .start(flags, 1_600_000_000)
        .expect("a message can be started");
    append.write(content).expect("content can be written");
    append.commit().expect("the append can be committed").uids[0]
}

/// Everything in the mailbox.
pub(crate) fn all(store: &dyn Store, mailbox: &MailboxId) -> Vec<MessageState> {
    store
        .changes(mailbox, 0)
        .expect("the mailbox can be listed")
        .messages
}

pub(crate) fn uids(store: &dyn Store, mailbox: &MailboxId) -> Vec<Uid> {
    all(store, mailbox).iter().map(|m| m.uid).collect()
}

pub(crate) fn everything() -> UidSet {
    let mut set = UidSet::new();
    set.insert_range(1, Uid::MAX);
    set
}

pub(crate) fn content(store: &dyn Store, mailbox: &MailboxId, uid: Uid) -> Vec<u8> {
    let body = store.body(mailbox, uid).expect("the body can be opened");
    let mut content = Vec::new();
    let mut piece = [0; 37];
    loop {
        let count = body
            .read_at(content.len() as u64, &mut piece)
            .expect("the body can be read");
        if count == 0 {
            break;
        }
        content.extend_from_slice(&piece[..count]);
    }
    assert_eq!(
        body.size_bytes(),
        content.len() as u64,
        "size_bytes() is what can be read"
    );
    content
}

pub(crate) fn flags(system: SystemFlags, keywords: &[&str]) -> Flags {
    Flags {
        system,
        keywords: keywords.iter().map(|k| Keyword::new(k)).collect(),
    }
}

/// Flags with the keywords in an order that can be compared: how a store orders them is its own matter.
pub(crate) fn ordered(flags: &Flags) -> (SystemFlags, Vec<String>) {
    let mut keywords: Vec<String> = flags
        .keywords
        .iter()
        .map(|k| k.as_str().to_ascii_lowercase())
        .collect();
    keywords.sort();
    (flags.system, keywords)
}
