//! `date` and `currentdate` (RFC 5260).

use message::date::Date;

use super::Extension;
use crate::checker::Checker;
use crate::headers::Index;
use crate::mail::header_text;
use crate::matching::Matcher;
use crate::run::{Run, Stop};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltTest, Call, Kind, Tag, Test, Word};

pub(crate) const EXTENSION: Extension = Extension::new("date").words(&[
    Word::test(
        "date",
        &[
            ("header name", Kind::Text),
            ("date part", Kind::Text),
            ("key list", Kind::Texts),
        ],
        &[
            Tag::with("zone", Kind::Text).slot("zone"),
            Tag::flag("originalzone").slot("zone"),
        ],
        date,
    )
    .matching(),
    Word::test(
        "currentdate",
        &[("date part", Kind::Text), ("key list", Kind::Texts)],
        &[Tag::with("zone", Kind::Text).slot("zone")],
        currentdate,
    )
    .matching(),
]);

const PARTS: [&str; 13] = [
    "year", "month", "day", "date", "julian", "hour", "minute", "second", "time", "iso8601", "std11", "zone",
    "weekday",
];
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The zone in which a date is looked at.
#[derive(Debug)]
enum Zone {
    Local,
    Original,
    Given(Text),
}

#[derive(Debug)]
struct DateTest {
    /// `None` is now.
    header: Option<Text>,
    index: Option<Index>,
    zone: Zone,
    part: Text,
    keys: Vec<Text>,
    matcher: Matcher,
}

fn date(checker: &mut Checker<'_>, call: Call) -> BuiltTest {
    build(checker, call, true)
}

fn currentdate(checker: &mut Checker<'_>, call: Call) -> BuiltTest {
    build(checker, call, false)
}

fn build(checker: &mut Checker<'_>, call: Call, has_header: bool) -> BuiltTest {
    let first = usize::from(has_header);
    let index = Index::of(checker, &call).ok()?;
    let part = call.text(first);
    if let Some(name) = part.literal()
        && !PARTS.iter().any(|part| part.eq_ignore_ascii_case(name))
    {
        checker.warning(
            call.position,
            format!("specified date part `{name}' is not known"),
        );
    }
    let zone = match call.tag_text("zone") {
        Some(zone) => {
            if let Some(literal) = zone.literal()
                && offset(literal).is_none()
            {
                checker.warning(
                    call.position,
                    format!("specified :zone argument '{literal}' is not a valid timezone"),
                );
            }
            Zone::Given(zone)
        }
        None if call.has("originalzone") => Zone::Original,
        None => Zone::Local,
    };
    Some(Box::new(DateTest {
        header: has_header.then(|| call.text(0)),
        index,
        zone,
        part,
        keys: call.texts(first + 1),
        matcher: call.matcher,
    }))
}

/// Seconds east of Greenwich of `+hhmm`.
fn offset(zone: &str) -> Option<i32> {
    let digits = zone
        .get(1..)
        .filter(|digits| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()))?;
    let number: i32 = digits.parse().ok()?;
    let secs = (number / 100 * 60 + number % 100) * 60;
    match zone.as_bytes()[0] {
        b'+' => Some(secs),
        b'-' => Some(-secs),
        _ => None,
    }
}

impl Test for DateTest {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        let title = if self.header.is_some() {
            "date"
        } else {
            "currentdate"
        };
        run.trace(Level::Tests, |_| format!("{title} test"));
        let dates = self.dates(run);
        let part = self.part.value(run).to_ascii_lowercase();
        let mut values = Vec::new();
        for date in dates {
            run.spend(2)?;
            let offset_secs = match &self.zone {
                Zone::Original => date.offset_secs,
                Zone::Local => run.host.offset_at(date.secs),
                Zone::Given(zone) => {
                    let zone = zone.value(run);
                    match offset(&zone) {
                        Some(offset) => offset,
                        None => run.host.offset_at(date.secs),
                    }
                }
            };
            values.extend(part_of(Date { offset_secs, ..date }, &part));
        }
        self.matcher.any(run, &self.keys, values)
    }
}

impl DateTest {
    fn dates(&self, run: &mut Run<'_>) -> Vec<Date> {
        let Some(header) = &self.header else {
            return vec![run.host.now()];
        };
        let name = header.value(run);
        let mut texts: Vec<String> = run.mail.bodies(&name).map(header_text).collect();
        match self.index.map(|index| index.place(texts.len())) {
            Some(place) => texts = place.map(|place| texts.swap_remove(place)).into_iter().collect(),
            // The first one counts, as with Pigeonhole.
            None => texts.truncate(1),
        }
        // Of Received and its like the date stands behind the last semicolon.
        let dates = texts.iter().map(|text| text.rsplit(';').next().unwrap_or(text));
        dates
            .filter_map(|text| Date::parse(text.as_bytes()).ok())
            .collect()
    }
}

/// A part of a date in its zone (RFC 5260 §4.2).
fn part_of(date: Date, part: &str) -> Option<String> {
    let c = date.civil();
    let minutes = date.offset_secs.abs() / 60;
    let sign = if date.offset_secs < 0 { '-' } else { '+' };
    let zone = format!("{sign}{:02}{:02}", minutes / 60, minutes % 60);
    let time = format!("{:02}:{:02}:{:02}", c.hour, c.minute, c.second);
    Some(match part {
        "year" => format!("{:04}", c.year),
        "month" => format!("{:02}", c.month),
        "day" => format!("{:02}", c.day),
        "date" => format!("{:04}-{:02}-{:02}", c.year, c.month, c.day),
        // Days since 17 November 1858.
        "julian" => (date.day_number() + 40_587).to_string(),
        "hour" => format!("{:02}", c.hour),
        "minute" => format!("{:02}", c.minute),
        "second" => format!("{:02}", c.second),
        "time" => time,
        "iso8601" => date.rfc3339(),
        "std11" => {
            let (weekday, month) = (
                WEEKDAYS[c.weekday as usize % 7],
                MONTHS[(c.month as usize + 11) % 12],
            );
            format!("{weekday}, {:02} {month} {:04} {time} {zone}", c.day, c.year)
        }
        "zone" => zone,
        "weekday" => c.weekday.to_string(),
        _ => return None,
    })
}
