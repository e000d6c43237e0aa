//! Dates as IMAP writes them: `7-Feb-1994` and `" 7-Feb-1994 21:52:25 -0800"` (RFC 3501 §9).

use super::Error;
use super::cursor::Cursor;

/// Seconds in a day.
pub const DAY_SECS: i64 = 86_400;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

const WRONG: Error = Error::Invalid("Invalid date");

/// A search date, quoted or not, as days since the Unix epoch.
pub fn decode_day(text: &[u8]) -> Result<i64, Error> {
    let mut cursor = Cursor::new(text.strip_prefix(b" ").unwrap_or(text));
    let day = day(&mut cursor)?;
    cursor.end()?;
    Ok(day)
}

/// The content of a date-time string, as seconds since the Unix epoch.
pub fn decode_date_time(text: &[u8]) -> Result<i64, Error> {
    let mut cursor = Cursor::new(text.strip_prefix(b" ").unwrap_or(text));
    let days = day(&mut cursor)?;
    cursor.space()?;
    let hour = two_digits(&mut cursor, 23)?;
    cursor.expect(b':', "a colon")?;
    let minute = two_digits(&mut cursor, 59)?;
    cursor.expect(b':', "a colon")?;
    let second = two_digits(&mut cursor, 60)?;
    cursor.space()?;
    let sign = match cursor.peek() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Err(WRONG),
    };
    cursor.eat(b'+');
    cursor.eat(b'-');
    let zone = cursor.word(|b| b.is_ascii_digit(), "a zone")?;
    let (hours, minutes) = match zone.parse::<i64>() {
        Ok(number) if zone.len() == 4 => (number / 100, number % 100),
        _ => return Err(WRONG),
    };
    cursor.end()?;
    Ok(days * DAY_SECS + hour * 3600 + minute * 60 + second - sign * (hours * 3600 + minutes * 60))
}

/// `2006-11-02T22:29:34Z`, with fractions of a second or another zone (RFC 3339), as seconds since the Unix epoch.
pub fn decode_internet_time(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize, max: i64| {
        let digits = text.get(from..to)?;
        let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
        digits
            .parse::<i64>()
            .ok()
            .filter(|number| is_number && *number <= max)
    };
    let separators = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")];
    let is_there = |&(at, mark): &(usize, &str)| {
        text.get(at..at + 1)
            .is_some_and(|found| found.eq_ignore_ascii_case(mark))
    };
    if !separators.iter().all(is_there) {
        return None;
    }
    let date = (number(0, 4, 9999)?, number(5, 7, 12)?, number(8, 10, 31)?);
    let days = days_from_civil(date.0, date.1, date.2);
    if civil_from_days(days) != date {
        return None;
    }
    let secs = number(11, 13, 23)? * 3600 + number(14, 16, 59)? * 60 + number(17, 19, 60)?;
    let mut zone = text.get(19..)?;
    if let Some(fraction) = zone.strip_prefix('.') {
        zone = fraction.trim_start_matches(|digit: char| digit.is_ascii_digit());
    }
    let away = match zone.as_bytes() {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), zone @ ..] => {
            let (hours, minutes) = std::str::from_utf8(zone).ok()?.split_once(':')?;
            let away = hours.parse::<u32>().ok()?.min(99) * 3600 + minutes.parse::<u32>().ok()?.min(59) * 60;
            if *sign == b'-' {
                -i64::from(away)
            } else {
                i64::from(away)
            }
        }
        _ => return None,
    };
    Some(days * DAY_SECS + secs - away)
}

fn two_digits(cursor: &mut Cursor<'_>, max: i64) -> Result<i64, Error> {
    let digits = cursor.word(|b| b.is_ascii_digit(), "two digits")?;
    match digits.parse() {
        Ok(number) if digits.len() == 2 && number <= max => Ok(number),
        _ => Err(WRONG),
    }
}

/// A number of so many digits.
fn digits(cursor: &mut Cursor<'_>, count: std::ops::RangeInclusive<usize>) -> Result<i64, Error> {
    let digits = cursor.word(|b| b.is_ascii_digit(), "digits")?;
    match digits.parse() {
        Ok(number) if count.contains(&digits.len()) => Ok(number),
        _ => Err(WRONG),
    }
}

fn day(cursor: &mut Cursor<'_>) -> Result<i64, Error> {
    let day = digits(cursor, 1..=2)?;
    cursor.expect(b'-', "a dash")?;
    let name = cursor.word(|b| b.is_ascii_alphabetic(), "a month")?;
    let month = MONTHS
        .iter()
        .position(|m| m.eq_ignore_ascii_case(name))
        .ok_or(WRONG)? as i64
        + 1;
    cursor.expect(b'-', "a dash")?;
    let year = digits(cursor, 4..=4)?;
    let days = days_from_civil(year, month, day);
    if civil_from_days(days) != (year, month, day) {
        return Err(WRONG);
    }
    Ok(days)
}

/// Appends an INTERNALDATE with its quotes, in UTC as Dovecot does with a server in UTC.
pub fn encode_date_time(out: &mut Vec<u8>, secs: i64) {
    let (year, month, day) = civil_from_days(secs.div_euclid(DAY_SECS));
    let of_day = secs.rem_euclid(DAY_SECS);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    out.push(b'"');
    push_digits(out, day, 2);
    out.push(b'-');
    out.extend_from_slice(MONTHS[(month - 1) as usize].as_bytes());
    out.push(b'-');
    push_digits(out, year, 4);
    for (before, number) in [(b' ', hour), (b':', minute), (b':', second)] {
        out.push(before);
        push_digits(out, number, 2);
    }
    out.extend_from_slice(b" +0000\"");
}

/// A number that is not negative, with leading zeros, without allocating.
fn push_digits(out: &mut Vec<u8>, number: i64, count: u32) {
    for place in (0..count).rev() {
        out.push(b'0' + (number / 10i64.pow(place) % 10) as u8);
    }
}

/// Days since the Unix epoch of a date of the Gregorian calendar (eras of 400 years, years from March).
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since the Unix epoch.
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(decode_date_time(b"07-Feb-1994 21:52:25 -0800"), Ok(760_686_745));
        assert_eq!(decode_date_time(b" 7-Feb-1994 21:52:25 -0800"), Ok(760_686_745));
        assert_eq!(decode_day(b"1-Jan-1970"), Ok(0));
        assert!(decode_day(b"30-Feb-2020").is_err());
        assert!(decode_day(b"1-Foo-2020").is_err());
        assert_eq!(decode_day(b" 1-Jan-1970"), Ok(0));
        for wrong in ["1-Jan-70", "1-Jan-970", "001-Jan-1970", "1-Jan-01970"] {
            assert!(decode_day(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(secs in -2_000_000_000i64..8_000_000_000) {
            let mut out = Vec::new();
            encode_date_time(&mut out, secs);
            prop_assert_eq!(decode_date_time(&out[1..out.len() - 1]), Ok(secs));
        }
    }
}
