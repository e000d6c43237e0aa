//! Dates as Postfix writes them: `Thu, 24 Dec 2020 22:25:24 +0900 (JST)`, the day padded with a space.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A moment (seconds since the Unix epoch) in the system's time zone.
pub fn mail_date(now_secs: i64) -> String {
    in_zone(now_secs, TimeZone::system())
}

/// `20201224132524`: the moment in UTC, for a Message-Id.
pub fn compact(now_secs: i64) -> String {
    moment(now_secs)
        .to_zoned(TimeZone::UTC)
        .strftime("%Y%m%d%H%M%S")
        .to_string()
}

/// Seconds east of Greenwich of the system's time zone at a moment.
pub fn local_offset_secs(now_secs: i64) -> i32 {
    TimeZone::system().to_offset(moment(now_secs)).seconds()
}

fn in_zone(now_secs: i64, zone: TimeZone) -> String {
    moment(now_secs)
        .to_zoned(zone)
        .strftime("%a, %e %b %Y %H:%M:%S %z (%Z)")
        .to_string()
}

fn moment(now_secs: i64) -> Timestamp {
    Timestamp::from_second(now_secs).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_a_zone_and_a_padded_day() {
        assert_eq!(
            in_zone(1_609_459_200, TimeZone::UTC),
            "Fri,  1 Jan 2021 00:00:00 +0000 (UTC)"
        );
        let tokyo = TimeZone::fixed(jiff::tz::offset(9));
        assert!(in_zone(1_608_816_324, tokyo).starts_with("Thu, 24 Dec 2020 22:25:24 +0900"));
        assert_eq!(compact(1_608_816_324), "20201224132524");
    }
}
