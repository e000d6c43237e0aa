//! What NOTIFY says: groups of mailboxes, and the events that each is watched for (RFC 5465 §6, §8).

use crate::wire::cursor::Cursor;
use crate::wire::fetch::{self, Item};
use crate::wire::{Error, Result};

/// The most groups in one NOTIFY.
const GROUPS_MAX: usize = 64;
/// The most names of mailboxes in one group.
const NAMES_MAX: usize = 1000;

/// A NOTIFY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// Tell of nothing.
    None,
    /// Tell of these.
    Set(Set),
    /// These events are not watched for.
    Unsupported(Vec<&'static str>),
}

/// What is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Set {
    /// The state of each mailbox is wanted at once.
    pub(super) status: bool,
    /// Of the selected mailbox.
    pub(super) selected: Option<Selected>,
    /// Of the others.
    pub(super) groups: Vec<(Which, Events)>,
}

/// What is to be told of the selected mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Selected {
    /// Expunges only when a command is answered.
    pub(super) delayed: bool,
    pub(super) events: Events,
    /// What is told of a new message beside that it is there.
    pub(super) items: Vec<Item>,
}

/// A group of mailboxes; names as on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Which {
    Inboxes,
    Personal,
    Subscribed,
    Subtree(Vec<Vec<u8>>),
    Mailboxes(Vec<Vec<u8>>),
}

/// A set of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Events(u8);

impl Events {
    pub(super) const NEW: Events = Events(1);
    pub(super) const EXPUNGE: Events = Events(2);
    pub(super) const FLAGS: Events = Events(4);
    pub(super) const NAMES: Events = Events(8);
    pub(super) const SUBSCRIPTIONS: Events = Events(16);
    /// What happens to messages.
    pub(super) const MESSAGES: Events = Events(7);

    pub(super) fn with(self, other: Events) -> Events {
        Events(self.0 | other.0)
    }

    /// Whether one of `other` is in it.
    pub(super) fn has(self, other: Events) -> bool {
        self.0 & other.0 != 0
    }
}

/// A list of events as it stands there.
#[derive(Default)]
struct Listed {
    events: Events,
    items: Vec<Item>,
    unsupported: Vec<&'static str>,
}

/// Reads the arguments.
///
/// # Errors
/// In Dovecot's words.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Request> {
    cursor.space()?;
    if cursor.eat_word("NONE") {
        return Ok(Request::None);
    }
    if !cursor.eat_word("SET") {
        return Err(Error::Expected("NONE or SET"));
    }
    let mut set = Set::default();
    let mut unsupported = Vec::new();
    let mut count = 0;
    while cursor.eat(b' ') && !cursor.at_end() {
        if count == 0 && cursor.eat_word("STATUS") {
            set.status = true;
            count = 1;
            continue;
        }
        count += 1;
        if count > GROUPS_MAX {
            return Err(Error::TooMany);
        }
        unsupported.extend(group(cursor, &mut set)?);
    }
    cursor.end()?;
    match unsupported.is_empty() {
        true => Ok(Request::Set(set)),
        false => Ok(Request::Unsupported(unsupported)),
    }
}

/// `(filter events)`; returns the events that are not watched for.
fn group(cursor: &mut Cursor<'_>, set: &mut Set) -> Result<Vec<&'static str>> {
    cursor.expect(b'(', "a group")?;
    let filter = cursor.atom("mailboxes")?.to_ascii_uppercase();
    let delayed = filter == "SELECTED-DELAYED";
    if delayed || filter == "SELECTED" {
        cursor.space()?;
        let listed = events(cursor, true)?;
        cursor.expect(b')', "a )")?;
        let (new, gone) = (listed.events.has(Events::NEW), listed.events.has(Events::EXPUNGE));
        if set.selected.is_some() {
            return Err(Error::Invalid("Duplicate selected filter"));
        }
        if new != gone {
            return Err(Error::Invalid("MessageNew and MessageExpunge must be together"));
        }
        if listed.events.has(Events::FLAGS) && !new {
            return Err(Error::Invalid(
                "FlagChange requires MessageNew and MessageExpunge",
            ));
        }
        set.selected = Some(Selected {
            delayed,
            events: listed.events,
            items: listed.items,
        });
        return Ok(listed.unsupported);
    }
    let which = match filter.as_str() {
        "INBOXES" => Which::Inboxes,
        "PERSONAL" => Which::Personal,
        "SUBSCRIBED" => Which::Subscribed,
        "SUBTREE" => Which::Subtree(names(cursor)?),
        "MAILBOXES" => Which::Mailboxes(names(cursor)?),
        _ => return Err(Error::Expected("mailboxes")),
    };
    cursor.space()?;
    let listed = events(cursor, false)?;
    cursor.expect(b')', "a )")?;
    set.groups.push((which, listed.events));
    Ok(listed.unsupported)
}

/// One name, or several in parentheses.
fn names(cursor: &mut Cursor<'_>) -> Result<Vec<Vec<u8>>> {
    cursor.space()?;
    if !cursor.eat(b'(') {
        return Ok(vec![cursor.astring()?]);
    }
    let mut names = vec![cursor.astring()?];
    while !cursor.eat(b')') {
        if names.len() == NAMES_MAX {
            return Err(Error::TooMany);
        }
        cursor.space()?;
        names.push(cursor.astring()?);
    }
    Ok(names)
}

/// NONE, or the events in parentheses. Only of the selected mailbox may MessageNew be told with items of FETCH.
fn events(cursor: &mut Cursor<'_>, of_selected: bool) -> Result<Listed> {
    let mut listed = Listed::default();
    if cursor.eat_word("NONE") {
        return Ok(listed);
    }
    cursor.expect(b'(', "events")?;
    loop {
        let event = match cursor.atom("an event")?.to_ascii_uppercase().as_str() {
            "MESSAGENEW" => Events::NEW,
            "MESSAGEEXPUNGE" => Events::EXPUNGE,
            "FLAGCHANGE" => Events::FLAGS,
            "MAILBOXNAME" => Events::NAMES,
            "SUBSCRIPTIONCHANGE" => Events::SUBSCRIPTIONS,
            other => {
                const UNSUPPORTED: [&str; 3] = [
                    "AnnotationChange",
                    "MailboxMetadataChange",
                    "ServerMetadataChange",
                ];
                let known = UNSUPPORTED.iter().find(|name| name.eq_ignore_ascii_case(other));
                listed.unsupported.push(known.ok_or(Error::Expected("an event"))?);
                Events::default()
            }
        };
        listed.events = listed.events.with(event);
        if cursor.eat(b')') {
            return Ok(listed);
        }
        cursor.space()?;
        if event == Events::NEW && of_selected && cursor.peek() == Some(b'(') {
            listed.items = fetch::decode_items(cursor).map_err(|error| match error {
                Error::UnknownParameter(name) => Error::InvalidFetchList(name),
                error => error,
            })?;
            if cursor.eat(b')') {
                return Ok(listed);
            }
            cursor.space()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(text: &str) -> Result<Request> {
        read(&mut Cursor::new(text.as_bytes()))
    }

    #[test]
    fn groups_are_read() {
        let Ok(Request::Set(set)) = said(
            " set status (selected-delayed (MessageNew (uid) MessageExpunge)) (subtree (a \"b c\") (MailboxName))",
        ) else {
            panic!("it is well-formed");
        };
        assert!(set.status);
        let selected = set.selected.unwrap();
        assert_eq!((selected.delayed, selected.items), (true, vec![Item::Uid]));
        let names = vec![b"a".to_vec(), b"b c".to_vec()];
        assert_eq!(set.groups, [(Which::Subtree(names), Events::NAMES)]);
        assert_eq!(said(" NONE"), Ok(Request::None));
        assert_eq!(
            said(" SET (PERSONAL (AnnotationChange MessageNew))"),
            Ok(Request::Unsupported(vec!["AnnotationChange"]))
        );
    }

    #[test]
    fn selected_mailboxes_have_rules() {
        for (text, complaint) in [
            (
                " SET (SELECTED (MessageNew))",
                "MessageNew and MessageExpunge must be together",
            ),
            (
                " SET (SELECTED (FlagChange))",
                "FlagChange requires MessageNew and MessageExpunge",
            ),
            (
                " SET (SELECTED NONE) (SELECTED NONE)",
                "Duplicate selected filter",
            ),
        ] {
            assert_eq!(said(text), Err(Error::Invalid(complaint)), "{text}");
        }
        for text in [
            " SET ()",
            " SET (SELECTED)",
            " SET (PERSONAL ())",
            " SET (SUBTREE () NONE)",
            "",
        ] {
            assert!(matches!(said(text), Err(Error::Expected(_))), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(words in proptest::collection::vec(
            "SET|STATUS|SELECTED|PERSONAL|SUBTREE|MessageNew|MessageExpunge|NONE|\\(|\\)| |a|UID", 0..20
        )) {
            let _ = said(&words.concat());
        }
    }
}
