//! What is wrong with a service's lists, found before anybody connects: names that are no restriction, lists that would let
//! everybody relay.

use settings::{Postfix, TableRef};

use crate::lists::{STAGES, Stage, WARN_ONLY, expanded, list_of, tables_in};
use crate::restrictions;

/// Whether a table, a server or a list stands behind the name.
pub(crate) fn takes_argument(word: &str) -> bool {
    restrictions::find(word).is_some_and(|known| known.takes_argument)
}

/// Restrictions of which one must stand in the relay or the recipient list, before a `permit` (smtpd(8): "specify at least
/// one working instance of").
pub const CLOSING: [&str; 6] = [
    "reject_unauth_destination",
    "defer_unauth_destination",
    "reject",
    "defer",
    "defer_if_permit",
    "check_relay_domains",
];

/// What is the matter with a name in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// There is no such restriction: a mistake.
    Unknown(String),
    /// A list of `smtpd_restriction_classes` that is not defined, or stands in itself.
    Class(String),
}

impl Gap {
    fn of(word: &str) -> Option<Gap> {
        // A table by itself is an old way to write check_*_access.
        if restrictions::find(word).is_some() || word == WARN_ONLY || word.contains(':') {
            None
        } else {
            Some(Gap::Unknown(word.to_owned()))
        }
    }
}

/// Every name that there could be.
pub fn known_names() -> impl Iterator<Item = &'static str> {
    let there = restrictions::RESTRICTIONS.iter().map(|known| known.name);
    there.chain([WARN_ONLY])
}

/// Names in the service's lists that are no restriction of ours, each with its parameter.
pub fn gaps(settings: &Postfix) -> Vec<(&'static str, Gap)> {
    let mut gaps = Vec::new();
    for stage in STAGES {
        let list = expanded(settings, list_of(settings, stage), 0);
        let mut words = list.iter();
        while let Some(word) = words.next() {
            let gap = match Gap::of(word) {
                Some(Gap::Unknown(name)) if settings.smtpd_restriction_classes.contains(&name) => {
                    Some(Gap::Class(name))
                }
                gap => gap,
            };
            gaps.extend(gap.map(|gap| (stage.parameter(), gap)));
            if takes_argument(word) {
                skip_argument(&mut words);
            }
        }
    }
    gaps
}

/// The tables that the service's lists name, each with its parameter.
pub fn tables(settings: &Postfix) -> Vec<(&'static str, TableRef)> {
    let mut tables = Vec::new();
    for stage in STAGES {
        let list = expanded(settings, list_of(settings, stage), 0);
        let named = tables_in(&list).filter_map(|word| word.parse().ok());
        tables.extend(named.map(|table| (stage.parameter(), table)));
    }
    tables
}

/// Skips the argument of a restriction: a word, or words in braces.
pub(crate) fn skip_argument<'a>(words: &mut impl Iterator<Item = &'a String>) {
    let Some(first) = words.next() else { return };
    if first.starts_with('{') && !first.ends_with('}') {
        words.by_ref().find(|word| word.ends_with('}'));
    }
}

/// Whether the relay or the recipient list refuses strangers' mail for elsewhere.
pub fn is_closed(settings: &Postfix) -> bool {
    [Stage::Relay, Stage::Recipient].into_iter().any(|stage| {
        let list = expanded(settings, list_of(settings, stage), 0);
        let mut words = list.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "permit" => return false,
                WARN_ONLY => skip_argument(&mut words),
                name if CLOSING.contains(&name) => return true,
                name if takes_argument(name) => skip_argument(&mut words),
                _ => {}
            }
        }
        false
    })
}
