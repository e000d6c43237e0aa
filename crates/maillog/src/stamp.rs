//! `Nov 21 21:00:00` in local time, made once a second.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Remembers the text of the current second.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    second: i64,
    text: String,
    zone: Option<TimeZone>,
}

impl Stamps {
    /// The stamp for `second` (since the epoch): day padded by a zero, as postlogd(8) and Dovecot write it.
    pub(crate) fn at(&mut self, second: i64) -> &str {
        if self.text.is_empty() || self.second != second {
            let zone = self.zone.get_or_insert_with(TimeZone::system).clone();
            let moment = Timestamp::from_second(second).unwrap_or_default().to_zoned(zone);
            self.text = moment.strftime("%b %d %H:%M:%S").to_string();
            self.second = second;
        }
        &self.text
    }

    /// Forgets the time zone (it may have changed) at a reload.
    pub(crate) fn forget(&mut self) {
        *self = Stamps::default();
    }
}

/// The local time, as lines of the log begin: `Nov 21 21:00:00`.
pub fn local_time() -> String {
    Stamps::default().at(now()).to_owned()
}

/// Seconds since the epoch.
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
