//! SORT, SORT=DISPLAY (RFC 5256, RFC 5957): what messages are compared by. ESORT is in [`super::esearch`].

use std::cmp::Ordering;

use super::{Command, Extension};
use crate::session::Session;
use crate::session::search::Purpose;
use crate::session::search::facts::Facts;
use crate::session::view::Row;
use crate::wire::Result;
use crate::wire::cursor::Cursor;
use crate::wire::sort::{Criterion, SortKey, decode_sort};

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
    /// In the form of `message::casemap`.
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
pub(crate) fn keys(criteria: &[Criterion], row: &Row, facts: &Facts) -> Keys {
    criteria
        .iter()
        .map(|criterion| value(criterion.key, row, facts))
        .collect()
}

fn value(key: SortKey, row: &Row, facts: &Facts) -> Value {
    match key {
        SortKey::Arrival => Value::Number(row.state.internal_date_secs),
        SortKey::Size => Value::Number(i64::try_from(row.state.size_bytes).unwrap_or(i64::MAX)),
        SortKey::Date => Value::Number(sent_or_arrived(row, facts)),
        SortKey::Subject => Value::Text(facts.subject.text.as_str().into()),
        SortKey::From => Value::Text(facts.from.local.clone()),
        SortKey::To => Value::Text(facts.to.local.clone()),
        SortKey::Cc => Value::Text(facts.cc.local.clone()),
        SortKey::DisplayFrom => Value::Text(facts.from.display.clone()),
        SortKey::DisplayTo => Value::Text(facts.to.display.clone()),
    }
}

/// When a message was sent, or where it does not say so, when it arrived (RFC 5256 §2.2).
pub(crate) fn sent_or_arrived(row: &Row, facts: &Facts) -> i64 {
    facts.sent.unwrap_or(row.state.internal_date_secs)
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
