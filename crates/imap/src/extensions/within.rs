//! WITHIN (RFC 5032): the search keys OLDER and YOUNGER.

use super::Extension;

pub(crate) const EXTENSION: Extension = Extension::of_words(&["WITHIN"]);

/// Whether a message that arrived at `date_secs` is older than `interval_secs` at `now_secs`.
pub(crate) fn is_older(date_secs: i64, interval_secs: u64, now_secs: i64) -> bool {
    let interval = i64::try_from(interval_secs).unwrap_or(i64::MAX);
    date_secs <= now_secs.saturating_sub(interval)
}
