//! When a message says that it was sent: its day for SEARCH, its moment for SORT and THREAD.

use message::date::Date;
use message::header;

use crate::wire::date::days_from_civil;

/// The day that the Date field of a header names, its time and zone disregarded (RFC 3501 §6.4.4), since the Unix epoch.
pub(crate) fn day(block: &[u8]) -> Option<i64> {
    header::find(block, "date").and_then(|field| day_of(&field.unfolded()))
}

/// The moment that the Date field of a header names (RFC 5256 §2.2), in seconds since the Unix epoch.
pub(crate) fn moment(field: &[u8]) -> Option<i64> {
    Date::parse(field).ok().map(|date| date.secs)
}

fn day_of(field: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(field).ok()?;
    let text = text.split_once(',').map_or(text, |(_, rest)| rest);
    let mut words = text.split_ascii_whitespace();
    let day: i64 = words.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let name = words.next()?.get(..3)?.to_ascii_lowercase();
    let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let month = months.iter().position(|month| *month == name)? as i64 + 1;
    let year: i64 = words
        .next()?
        .parse()
        .ok()
        .filter(|year| (0..=9999).contains(year))?;
    let year = match year {
        0..50 => year + 2000,
        50..1000 => year + 1900,
        _ => year,
    };
    Some(days_from_civil(year, month, day))
}
