//! The local time zone, in which the dates of `From ` lines are written.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Seconds east of Greenwich at that moment.
pub(crate) fn offset_secs(secs: i64) -> i32 {
    Timestamp::from_second(secs).map_or(0, |at| TimeZone::system().to_offset(at).seconds())
}

/// The moment of a local date that was taken as if it were UTC.
pub(crate) fn from_local(secs: i64) -> i64 {
    secs - i64::from(offset_secs(secs - i64::from(offset_secs(secs))))
}
