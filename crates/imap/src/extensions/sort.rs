//! SORT, SORT=DISPLAY (RFC 5256, RFC 5957): what messages are compared by. ESORT is in [`super::esearch`].

use std::cmp::Ordering;

use address::list::{self, Entry};
use message::subject::Base;
use message::{casemap, encoded_word, header};

use super::{Command, Extension};
use crate::session::Session;
use crate::session::search::{Purpose, sent};
use crate::session::view::Row;
use crate::wire::cursor::Cursor;
use crate::wire::sort::{Criterion, SortKey, decode_sort};
use crate::wire::Result;

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["SORT", "SORT=DISPLAY"],
    commands: &[
        Command {
            name: "SORT",
            needs_mailbox: true,
            run: |session, tag, arguments| session.sort(tag, false, arguments),
        },
        Command {
            name: "UID SORT",
            needs_mailbox: true,
            run: |session, tag, arguments| session.sort(tag, true, arguments),
        },
    ],
};

impl Session {
    fn sort(&mut self, tag: &str, by_uid: bool, arguments: &mut Cursor<'_>) -> Result<()> {
        let sort = decode_sort(arguments, by_uid)?;
        self.search(tag, sort.search, Purpose::Sort(sort.criteria.into()));
        Ok(())
    }
}

/// What one criterion compares.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    /// Seconds or octets.
    Number(i64),
    /// In the form of [`casemap`].
    Text(Box<str>),
}

/// What the criteria of a SORT compare of one message, in their order.
pub(crate) type Keys = Box<[Value]>;

/// Whether any of the criteria is about what stands in the header.
pub(crate) fn needs_header(criteria: &[Criterion]) -> bool {
    let is_of_row = |criterion: &Criterion| matches!(criterion.key, SortKey::Arrival | SortKey::Size);
    !criteria.iter().all(is_of_row)
}

/// What is compared of a message with this row and this header.
pub(crate) fn keys(criteria: &[Criterion], row: &Row, block: &[u8]) -> Keys {
    criteria
        .iter()
        .map(|criterion| value(criterion.key, row, block))
        .collect()
}

fn value(key: SortKey, row: &Row, block: &[u8]) -> Value {
    let text = |text: String| Value::Text(text.into_boxed_str());
    match key {
        SortKey::Arrival => Value::Number(row.state.internal_date_secs),
        SortKey::Size => Value::Number(i64::try_from(row.state.size_bytes).unwrap_or(i64::MAX)),
        SortKey::Date => Value::Number(sent_or_arrived(row, block)),
        SortKey::Subject => text(base_subject(block).text),
        SortKey::From => text(first_local_part(block, "from")),
        SortKey::To => text(first_local_part(block, "to")),
        SortKey::Cc => text(first_local_part(block, "cc")),
        SortKey::DisplayFrom => text(first_display_name(block, "from")),
        SortKey::DisplayTo => text(first_display_name(block, "to")),
    }
}

/// When a message was sent, or where it does not say so, when it arrived (RFC 5256 §2.2).
pub(crate) fn sent_or_arrived(row: &Row, block: &[u8]) -> i64 {
    header::find_all(block, "date")
        .last()
        .and_then(|field| sent::moment(field.body))
        .unwrap_or(row.state.internal_date_secs)
}

/// The base subject; of several subjects that of the last, which ENVELOPE shows.
pub(crate) fn base_subject(block: &[u8]) -> Base {
    header::find_all(block, "subject")
        .last()
        .map_or_else(Base::default, |field| Base::of(&field.text()))
}

/// The first address of a field, or the name of its group.
fn first(block: &[u8], name: &str) -> Option<Entry> {
    let field = header::find(block, name)?;
    list::parse(field.body).into_iter().next()
}

fn first_local_part(block: &[u8], name: &str) -> String {
    let octets = match first(block, name) {
        Some(Entry::Mailbox(mailbox)) => mailbox.local,
        Some(Entry::Group { name, .. }) => name,
        None => Vec::new(),
    };
    casemap::of(&encoded_word::decode(&octets))
}

/// The name that people read, or the address where there is none (RFC 5957 §3).
fn first_display_name(block: &[u8], name: &str) -> String {
    let octets = match first(block, name) {
        Some(Entry::Mailbox(mailbox)) => match mailbox.name.filter(|name| !name.is_empty()) {
            Some(name) => name,
            None => {
                let mut address = mailbox.local;
                address.push(b'@');
                address.extend_from_slice(mailbox.domain.as_deref().unwrap_or(b"MISSING_DOMAIN"));
                address
            }
        },
        Some(Entry::Group { name, .. }) => name,
        None => Vec::new(),
    };
    casemap::of(&encoded_word::decode(&octets))
}

/// The positions of messages in their order. Where all is the same, the one that is first in the mailbox comes first.
pub(crate) fn order(criteria: &[Criterion], keys: &[Keys]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    // Stable: what is the same stays in the order of the mailbox.
    order.sort_by(|&left, &right| compare(criteria, &keys[left], &keys[right]));
    order
}

/// Which of two messages comes first.
pub(crate) fn compare(criteria: &[Criterion], left: &Keys, right: &Keys) -> Ordering {
    for ((criterion, left), right) in criteria.iter().zip(left).zip(right) {
        let ordering = match criterion.reverse {
            true => right.cmp(left),
            false => left.cmp(right),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}
