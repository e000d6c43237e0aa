//! CHILDREN (RFC 3348): `\HasChildren` and `\HasNoChildren` in LIST.

use super::Extension;

pub(crate) const EXTENSION: Extension = Extension::of_words(&["CHILDREN"]);

/// The attribute of a mailbox; `sorted` holds all names in ascending order.
pub(crate) fn attribute(name: &str, separator: char, sorted: &[&str]) -> &'static str {
    let prefix = format!("{name}{separator}");
    let at = sorted.partition_point(|other| *other < prefix.as_str());
    let has_child = sorted.get(at).is_some_and(|other| other.starts_with(&prefix));
    if has_child {
        "\\HasChildren"
    } else {
        "\\HasNoChildren"
    }
}
