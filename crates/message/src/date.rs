//! Dates: RFC 5322 header dates, IMAP's INTERNALDATE, and the asctime form of mbox.

use crate::Error;

/// A moment with the zone it is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// Seconds since the Unix epoch.
    pub secs: i64,
    /// Seconds east of Greenwich.
    pub offset_secs: i32,
}

/// A date on the wall: what the calendar and the clock show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// 0 is Sunday.
    pub weekday: u32,
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
/// No written date is looked at beyond this.
const DATE_BYTES_MAX: usize = 200;

impl Date {
    /// A header date (RFC 5322 §3.3 and the obsolete forms of §4.3: two-digit years, named zones, comments, no
    /// weekday, no seconds); also the asctime order `Thu Dec 24 22:25:24 2020`. A missing zone is UTC.
    ///
    /// # Errors
    /// [`Error::Date`].
    pub fn parse(text: &[u8]) -> Result<Date, Error> {
        let text = without_comments(&text[..text.len().min(DATE_BYTES_MAX)]);
        let words: Vec<&str> = text
            .split([' ', '\t', '\r', '\n', ','])
            .filter(|w| !w.is_empty())
            .collect();
        let words = match words.split_first() {
            Some((first, rest)) if weekday(first).is_some() => rest,
            _ => words.as_slice(),
        };
        match *words {
            [month_name, day, time, year, ..] if month(month_name).is_some() => {
                build(year, month(month_name), day, time, words.get(4).copied())
            }
            [day, month_name, year, time, ..] => {
                build(year, month(month_name), day, time, words.get(4).copied())
            }
            [date, time, ..] if date.contains('-') => {
                // 24-Dec-2020, as some mailers write.
                let mut parts = date.splitn(3, '-');
                let (day, name, year) = (parts.next(), parts.next(), parts.next());
                build(
                    year.unwrap_or(""),
                    name.and_then(month),
                    day.unwrap_or(""),
                    time,
                    words.get(2).copied(),
                )
            }
            _ => None,
        }
        .ok_or(Error::Date)
    }

    /// `24-Dec-2020 22:25:24 +0900`, as IMAP's date-time stands between its quotes.
    ///
    /// # Errors
    /// [`Error::Date`].
    pub fn parse_internal(text: &str) -> Result<Date, Error> {
        let mut words = text.trim_start().split(' ');
        let (Some(date), Some(time), Some(zone), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Error::Date);
        };
        let mut parts = date.split('-');
        let (Some(day), Some(name), Some(year), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Error::Date);
        };
        let strict = year.len() == 4 && time.len() == 8 && zone.len() == 5 && zone.starts_with(['+', '-']);
        build(year, month(name), day, time, Some(zone))
            .filter(|_| strict)
            .ok_or(Error::Date)
    }

    /// `Thu, 24 Dec 2020 22:25:24 +0900`; a day below 10 is padded with a space, as Postfix does.
    pub fn rfc5322(&self) -> String {
        let c = self.civil();
        format!(
            "{}, {:2} {} {:04} {:02}:{:02}:{:02} {}",
            WEEKDAYS[c.weekday as usize],
            c.day,
            MONTHS[c.month as usize - 1],
            c.year,
            c.hour,
            c.minute,
            c.second,
            self.zone()
        )
    }

    /// `24-Dec-2020 22:25:24 +0900`, as INTERNALDATE stands between its quotes.
    pub fn internal(&self) -> String {
        let c = self.civil();
        let month = MONTHS[c.month as usize - 1];
        format!(
            "{:02}-{month}-{:04} {:02}:{:02}:{:02} {}",
            c.day,
            c.year,
            c.hour,
            c.minute,
            c.second,
            self.zone()
        )
    }

    /// `2020-12-24T22:25:24+09:00` (RFC 3339).
    pub fn rfc3339(&self) -> String {
        let c = self.civil();
        let zone = self.zone();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}:{}",
            c.year,
            c.month,
            c.day,
            c.hour,
            c.minute,
            c.second,
            &zone[..3],
            &zone[3..]
        )
    }

    /// `Thu Dec 24 22:25:24 2020`, in the zone of this date, as `mailq` and the `From ` line of mbox write it.
    pub fn asctime(&self) -> String {
        let c = self.civil();
        let (weekday, month) = (WEEKDAYS[c.weekday as usize], MONTHS[c.month as usize - 1]);
        format!(
            "{weekday} {month} {:2} {:02}:{:02}:{:02} {:04}",
            c.day, c.hour, c.minute, c.second, c.year
        )
    }

    /// What the calendar and the clock in this zone show.
    pub fn civil(&self) -> Civil {
        let local = self
            .secs
            .saturating_add(i64::from(self.offset_secs))
            .clamp(SECS_MIN, SECS_MAX);
        let (days, second_of_day) = (local.div_euclid(86_400), local.rem_euclid(86_400) as u32);
        let (year, month, day) = civil_of_days(days);
        Civil {
            year,
            month,
            day,
            hour: second_of_day / 3600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
            weekday: (days + 4).rem_euclid(7) as u32,
        }
    }

    /// Days from the Unix epoch to the calendar day in this date's zone (IMAP's SENTON, ON and the like compare days).
    pub fn day_number(&self) -> i64 {
        (self.secs + i64::from(self.offset_secs)).div_euclid(86_400)
    }

    fn zone(&self) -> String {
        let minutes = self.offset_secs.abs() / 60;
        let sign = if self.offset_secs < 0 { '-' } else { '+' };
        format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
    }
}

/// The days from the Unix epoch to a calendar day; `None` when there is no such day.
pub fn day_number(year: i64, month: u32, day: u32) -> Option<i64> {
    let is_day =
        (0..=9999).contains(&year) && (1..=12).contains(&month) && day >= 1 && day <= days_in(year, month);
    is_day.then(|| days_of_civil(year, month, day))
}

/// The month that a three-letter English name stands for, 1 to 12; case does not matter.
pub fn month(name: &str) -> Option<u32> {
    let three = name.get(..3).filter(|_| name.len() <= 9)?;
    MONTHS
        .iter()
        .position(|m| m.eq_ignore_ascii_case(three))
        .map(|i| i as u32 + 1)
}

/// The years 0 to 9999.
const SECS_MIN: i64 = -62_167_219_200;
const SECS_MAX: i64 = 253_402_300_799;

fn weekday(name: &str) -> Option<usize> {
    let three = name
        .get(..3)
        .filter(|_| name.bytes().all(|b| b.is_ascii_alphabetic()))?;
    WEEKDAYS.iter().position(|d| d.eq_ignore_ascii_case(three))
}

fn days_in(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from the epoch, for the Gregorian calendar; years begin in March so that leap days come last.
fn days_of_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_of_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn build(year: &str, month: Option<u32>, day: &str, time: &str, zone: Option<&str>) -> Option<Date> {
    let digits = |text: &str, widths: std::ops::RangeInclusive<usize>| {
        let fits = widths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.parse::<u32>().ok()).flatten()
    };
    let written = i64::from(digits(year, 2..=4)?);
    // RFC 5322 §4.3.
    let full_year = match (year.len(), written) {
        (2, 0..=49) => written + 2000,
        (2 | 3, _) => written + 1900,
        _ => written,
    };
    let days = day_number(full_year, month?, digits(day, 1..=2)?)?;
    let mut parts = time.split(':');
    let hour = digits(parts.next()?, 1..=2).filter(|&h| h < 24)?;
    let minute = digits(parts.next()?, 1..=2).filter(|&m| m < 60)?;
    // 60 is a leap second.
    let second = parts
        .next()
        .map_or(Some(0), |s| digits(s, 1..=2))
        .filter(|&s| s <= 60)?;
    if parts.next().is_some() {
        return None;
    }
    let offset_secs = zone.and_then(zone_offset).unwrap_or(0);
    let local = days * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    Some(Date {
        secs: local - i64::from(offset_secs),
        offset_secs,
    })
}

/// `+0900`, `GMT`, `EST` …; `None` for names that say nothing (RFC 5322 §4.3 reads them as -0000).
fn zone_offset(zone: &str) -> Option<i32> {
    let hours = match zone.to_ascii_uppercase().as_str() {
        "UT" | "GMT" | "UTC" | "Z" => 0,
        "EST" | "CDT" => -5,
        "EDT" => -4,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        "JST" => 9,
        text => {
            let (sign, digits) = match text.split_at_checked(1)? {
                ("+", digits) => (1, digits),
                ("-", digits) => (-1, digits),
                _ => return None,
            };
            let number: i32 = digits
                .parse()
                .ok()
                .filter(|_| digits.len() == 4 && !digits.starts_with(['+', '-']))?;
            let (hours, minutes) = (number / 100, number % 100);
            return (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60));
        }
    };
    Some(hours * 3600)
}

fn without_comments(text: &[u8]) -> String {
    let mut depth = 0usize;
    let mut kept = String::new();
    for &byte in text {
        match byte {
            b'(' => depth += 1,
            b')' if depth > 0 => {
                depth -= 1;
                kept.push(' ');
            }
            _ if depth > 0 => {}
            byte if byte.is_ascii() => kept.push(char::from(byte)),
            _ => kept.push('?'),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn header_dates_are_read() {
        let expected = Date {
            secs: 1_608_816_324,
            offset_secs: 32_400,
        };
        for text in [
            "Thu, 24 Dec 2020 22:25:24 +0900",
            "24 Dec 2020 22:25:24 +0900 (JST)",
            " Thu , 24 Dec 20 22:25:24 +0900",
            "Thu, 24 Dec 2020 22:25:24 JST",
            "Thu, 24-Dec-2020 22:25:24 +0900",
            "Thursday,(c)24 December\r\n 2020 22:25:24 +0900",
        ] {
            assert_eq!(Date::parse(text.as_bytes()), Ok(expected), "{text}");
        }
        let utc = |text: &str| Date::parse(text.as_bytes()).map(|d| d.secs);
        assert_eq!(utc("Thu, 24 Dec 2020 13:25 GMT"), Ok(1_608_816_300));
        assert_eq!(utc("Thu Dec 24 13:25:24 2020"), Ok(1_608_816_324));
        assert_eq!(utc("24 Dec 2020 08:25:24 EST"), Ok(1_608_816_324));
        assert_eq!(utc("24 Dec 2020 13:25:24 XYZ"), Ok(1_608_816_324));
        assert_eq!(utc("29 Feb 2000 00:00:00 +0000"), Ok(951_782_400));
        for bad in [
            "",
            "yesterday",
            "32 Dec 2020 00:00:00 +0000",
            "29 Feb 2001 00:00:00",
            "1 Foo 2020 00:00",
            "1 Jan 2020 25:00:00",
            "1 Jan 2020 10",
        ] {
            assert_eq!(utc(bad), Err(Error::Date), "{bad}");
        }
    }

    #[test]
    fn dates_are_written() {
        let date = Date {
            secs: 1_606_825_924,
            offset_secs: -12_600,
        };
        assert_eq!(date.rfc5322(), "Tue,  1 Dec 2020 09:02:04 -0330");
        assert_eq!(date.internal(), "01-Dec-2020 09:02:04 -0330");
        assert_eq!(date.asctime(), "Tue Dec  1 09:02:04 2020");
        assert_eq!(Date::parse_internal(" 1-Dec-2020 09:02:04 -0330"), Ok(date));
        for bad in [
            "",
            "1-Dec-2020 09:02:04",
            "1-Dec-20 09:02:04 +0000",
            "1-Dec-2020 9:2:4 +0000",
            "1-Dec-2020 09:02:04 GMT",
        ] {
            assert_eq!(Date::parse_internal(bad), Err(Error::Date), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(secs in SECS_MIN + 86_400..SECS_MAX - 86_400, minutes in -14 * 60..14 * 60i32) {
            let date = Date { secs, offset_secs: minutes * 60 };
            prop_assert_eq!(Date::parse(date.rfc5322().as_bytes()), Ok(date));
            prop_assert_eq!(Date::parse_internal(&date.internal()), Ok(date));
            let zoneless = Date { offset_secs: 0, ..date };
            prop_assert_eq!(Date::parse(zoneless.asctime().as_bytes()), Ok(zoneless));
        }

        #[test]
        fn never_panics(text in proptest::collection::vec(any::<u8>(), 0..60), words in "[0-9:+A-Zadenru ,-]{0,40}", secs in any::<i64>()) {
            let _ = (Date::parse(&text), Date::parse(words.as_bytes()), Date::parse_internal(&words));
            let _ = Date { secs, offset_secs: 0 }.rfc5322();
        }
    }
}
