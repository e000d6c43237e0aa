//! The query language of doveadm-search-query(7): keys of IMAP's SEARCH with OR between two of them, mailboxes, and more ways
//! to write dates and sizes.

use imap::wire::search::Key;
use imap::wire::sequence::{STAR, SequenceSet};
use mailbox::{Keyword, SystemFlags};

/// How deep NOT and parentheses may nest.
const DEPTH_MAX: usize = 40;
const DAY_SECS: i64 = 86_400;

/// What a message must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Query {
    /// In a mailbox whose name fits a pattern.
    Mailbox(String),
    /// In the mailbox with this GUID.
    MailboxGuid(String),
    /// With this GUID.
    Guid(String),
    /// A moment of the message, and the seconds since the Unix epoch between which it lies: `from <= moment < to`.
    When(Moment, i64, i64),
    /// Anything that IMAP has.
    Key(Key),
    Not(Box<Query>),
    And(Vec<Query>),
    Or(Vec<Query>),
}

/// A moment that is known of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Received,
    Saved,
    /// Its Date field.
    Sent,
}

impl Query {
    /// Reads the words of a query; all must hold.
    ///
    /// # Errors
    /// What Dovecot says of it.
    pub(crate) fn parse(words: &[String], now_secs: i64) -> Result<Query, String> {
        let mut reader = Reader {
            words: words.iter(),
            now_secs,
        };
        match reader.list(0)? {
            (query, Some(_)) => Ok(query),
            (_, None) => Err("Unexpected ')'".to_owned()),
        }
    }

    /// The patterns of the mailboxes in which messages can be; `None` when they can be in any.
    pub(crate) fn mailboxes(&self) -> Option<Vec<&str>> {
        match self {
            Query::Mailbox(pattern) => Some(vec![pattern]),
            Query::And(all) => {
                let mut named = all.iter().filter_map(Query::mailboxes).peekable();
                named.peek()?;
                Some(named.flatten().collect())
            }
            Query::Or(all) => {
                let named: Option<Vec<_>> = all.iter().map(Query::mailboxes).collect();
                Some(named?.into_iter().flatten().collect())
            }
            _ => None,
        }
    }

    /// Whether each way to be found names a mailbox or its GUID, and something besides.
    pub(crate) fn is_careful(&self) -> (bool, bool) {
        match self {
            Query::Mailbox(_) | Query::MailboxGuid(_) => (true, false),
            Query::And(all) => all.iter().fold((false, false), |known, query| {
                let own = query.is_careful();
                (known.0 | own.0, known.1 | own.1)
            }),
            Query::Or(all) => all.iter().fold((true, true), |known, query| {
                let own = query.is_careful();
                (known.0 & own.0, known.1 & own.1)
            }),
            _ => (false, true),
        }
    }
}

struct Reader<'a> {
    words: std::slice::Iter<'a, String>,
    now_secs: i64,
}

/// What ended a list.
struct End;

impl<'a> Reader<'a> {
    /// Keys up to the end or a parenthesis: all must hold, or, with OR between them, one. The second is `None` when a parenthesis
    /// ended it.
    fn list(&mut self, depth: usize) -> Result<(Query, Option<End>), String> {
        if depth > DEPTH_MAX {
            return Err("Too deeply nested".to_owned());
        }
        let (mut all, mut ors, mut awaits) = (Vec::new(), 0, false);
        let end = loop {
            let Some(word) = self.words.next() else {
                break Some(End);
            };
            if word == ")" {
                break None;
            }
            if word.eq_ignore_ascii_case("OR") {
                ors += 1;
                awaits = true;
            } else {
                let key = self.key(word, depth)?;
                all.push(key);
                awaits = false;
            }
            // Between any two keys there is an OR, or between none. One may stand before the first.
            if ors > 0 && all.len() > ors + 1 {
                return Err("Use parenthesis when mixing ANDs and ORs".to_owned());
            }
        };
        if awaits {
            return Err("Missing argument".to_owned());
        }
        if all.is_empty() {
            return Err("No search parameters inside list".to_owned());
        }
        let query = match (all.len(), ors) {
            (1, _) => all.remove(0),
            (_, 0) => Query::And(all),
            _ => Query::Or(all),
        };
        Ok((query, end))
    }

    fn key(&mut self, word: &str, depth: usize) -> Result<Query, String> {
        if word == "(" {
            return match self.list(depth + 1)? {
                (query, None) => Ok(query),
                (_, Some(End)) => Err("Missing ')'".to_owned()),
            };
        }
        let name = word.to_ascii_uppercase();
        if name == "NOT" {
            let word = self.words.next().ok_or("Missing argument")?;
            if depth > DEPTH_MAX {
                return Err("Too deeply nested".to_owned());
            }
            let inner = self.key(word, depth + 1)?;
            return Ok(Query::Not(Box::new(inner)));
        }
        if let Some(key) = simple(&name) {
            return Ok(Query::Key(key));
        }
        if word.starts_with(|first: char| first.is_ascii_digit() || first == '*') {
            let set = sequence_set(word).ok_or("Invalid messageset")?;
            return Ok(Query::Key(Key::Sequence(set)));
        }
        self.with_value(&name)
    }

    fn value(&mut self, name: &str) -> Result<&'a str, String> {
        let missing = || format!("Missing parameter for search key (for search key: {name})");
        self.words.next().map(String::as_str).ok_or_else(missing)
    }

    fn with_value(&mut self, name: &str) -> Result<Query, String> {
        if let Some(found) = self.dated(name)? {
            return Ok(found);
        }
        let octets = |text: &str| text.as_bytes().to_vec();
        Ok(Query::Key(match name {
            "MAILBOX" => return Ok(Query::Mailbox(self.value(name)?.to_owned())),
            "MAILBOX-GUID" => return Ok(Query::MailboxGuid(self.value(name)?.to_owned())),
            "GUID" | "X-GUID" => return Ok(Query::Guid(self.value(name)?.to_owned())),
            "BCC" | "CC" | "FROM" | "TO" => {
                Key::Address(name.to_ascii_lowercase(), octets(self.value(name)?))
            }
            "SUBJECT" => Key::Header(octets("subject"), octets(self.value(name)?)),
            "BODY" => Key::Body(octets(self.value(name)?)),
            "TEXT" => Key::Text(octets(self.value(name)?)),
            "HEADER" => {
                let field = self.value(name)?;
                Key::Header(octets(field), octets(self.value(name)?))
            }
            "KEYWORD" => Key::Keyword(Keyword::new(self.value(name)?)),
            "UNKEYWORD" => Key::Not(Box::new(Key::Keyword(Keyword::new(self.value(name)?)))),
            "LARGER" => Key::Larger(self.size(name)?),
            "SMALLER" => Key::Smaller(self.size(name)?),
            "UID" => Key::Uid(sequence_set(self.value(name)?).ok_or("Invalid UID messageset")?),
            "MODSEQ" => Key::ModSeq(self.number(name, "Invalid MODSEQ value")?),
            "OLDER" => Key::Older(self.number(name, "Invalid search interval parameter")?),
            "YOUNGER" => Key::Younger(self.number(name, "Invalid search interval parameter")?),
            _ => return Err(format!("Unknown argument {name}")),
        }))
    }

    fn number(&mut self, name: &str, wrong: &str) -> Result<u64, String> {
        self.value(name)?.parse().map_err(|_| wrong.to_owned())
    }

    fn size(&mut self, name: &str) -> Result<u64, String> {
        let text = self.value(name)?;
        size(text).ok_or_else(|| format!("Invalid size: {text}"))
    }

    /// BEFORE, ON and SINCE of the three moments.
    fn dated(&mut self, name: &str) -> Result<Option<Query>, String> {
        let (moment, how) = match name {
            _ if name.starts_with("SENT") => (Moment::Sent, &name[4..]),
            _ if name.starts_with("SAVED") => (Moment::Saved, &name[5..]),
            _ => (Moment::Received, name),
        };
        if !matches!(how, "BEFORE" | "ON" | "SINCE") {
            return Ok(None);
        }
        let text = self.value(name)?;
        let date = When::parse(text, self.now_secs)
            .ok_or_else(|| format!("Invalid search date parameter: {text}"))?;
        let (from, to) = match (date, moment) {
            // The day that the field names, whatever its zone.
            (When::Day(day), Moment::Sent) => {
                return Ok(Some(Query::Key(match how {
                    "BEFORE" => Key::SentBefore(day),
                    "ON" => Key::SentOn(day),
                    _ => Key::SentSince(day),
                })));
            }
            (When::Day(day), _) => (midnight(day), midnight(day + 1)),
            (When::Secs(secs), _) => (secs, secs.saturating_add(DAY_SECS)),
        };
        Ok(Some(match how {
            "BEFORE" => Query::When(moment, i64::MIN, from),
            "ON" => Query::When(moment, from, to),
            _ => Query::When(moment, from, i64::MAX),
        }))
    }
}

fn simple(name: &str) -> Option<Key> {
    let not = |key| Key::Not(Box::new(key));
    let flag = |name: &str| match name {
        "ANSWERED" => Some(Key::Flag(SystemFlags::ANSWERED)),
        "DELETED" => Some(Key::Flag(SystemFlags::DELETED)),
        "DRAFT" => Some(Key::Flag(SystemFlags::DRAFT)),
        "FLAGGED" => Some(Key::Flag(SystemFlags::FLAGGED)),
        "SEEN" => Some(Key::Flag(SystemFlags::SEEN)),
        _ => None,
    };
    match name {
        "ALL" => Some(Key::All),
        "NEW" => Some(Key::New),
        "RECENT" => Some(Key::Recent),
        "OLD" => Some(not(Key::Recent)),
        _ => flag(name).or_else(|| Some(not(flag(name.strip_prefix("UN")?)?))),
    }
}

/// `1:3,7,*`.
fn sequence_set(text: &str) -> Option<SequenceSet> {
    let number = |text: &str| match text {
        "*" => Some(STAR),
        _ => text.parse().ok().filter(|number| *number != 0),
    };
    let range = |part: &str| match part.split_once(':') {
        Some((from, to)) => Some((number(from)?, number(to)?)),
        None => number(part).map(|number| (number, number)),
    };
    let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
    ranges.map(SequenceSet)
}

/// A number of octets with or without a unit: `100`, `50k`, `1MB`, `2GiB`.
fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let unit = text[digits..].to_ascii_lowercase();
    let power = match unit.strip_suffix("ib").or_else(|| unit.strip_suffix('i')) {
        Some(unit) if !unit.is_empty() => unit,
        _ => unit
            .strip_suffix('b')
            .filter(|unit| !unit.is_empty())
            .unwrap_or(&unit),
    };
    let shift = match power {
        "" | "b" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

/// A date as a query has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Days since the Unix epoch.
    Day(i64),
    /// Seconds since the Unix epoch.
    Secs(i64),
}

impl When {
    /// `2007-04-13`, `13-Apr-2007`, `1176418800`, or an interval before now: `2w`, `3days`.
    fn parse(text: &str, now_secs: i64) -> Option<When> {
        if let Ok(secs) = text.parse::<i64>() {
            return (secs >= 0).then_some(When::Secs(secs));
        }
        if let Ok(day) = imap::wire::date::decode_day(text.as_bytes()) {
            return Some(When::Day(day));
        }
        let parts: Vec<&str> = text.split('-').collect();
        if let [year, month, day] = parts[..] {
            let fits = (year.len(), month.len(), day.len()) == (4, 2, 2);
            let number = |text: &str| text.parse::<i64>().ok();
            let (year, month, day) = (number(year)?, number(month)?, number(day)?);
            let fits = fits && (1..=12).contains(&month) && (1..=31).contains(&day);
            return fits.then(|| When::Day(imap::wire::date::days_from_civil(year, month, day)));
        }
        interval_secs(text).map(|secs| When::Secs(now_secs.saturating_sub(secs)))
    }
}

fn interval_secs(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: i64 = text[..digits].parse().ok()?;
    let word = text[digits..].trim_start().to_ascii_lowercase();
    let units = [
        ("secs", 1),
        ("mins", 60),
        ("hours", 3600),
        ("days", DAY_SECS),
        ("weeks", 7 * DAY_SECS),
    ];
    // A unit may be cut short: "min" and "m" are minutes.
    let fits = |name: &str| name.starts_with(&word) || (word == "seconds" && name == "secs");
    let (_, secs) = units
        .iter()
        .find(|(name, _)| !word.is_empty() && (fits(name) || *name == word.replace("ute", "")))?;
    number.checked_mul(*secs)
}

/// When a day begins here.
fn midnight(day: i64) -> i64 {
    let (year, month, of_month) = imap::wire::date::civil_from_days(day);
    let date = || -> Option<i64> {
        let date = jiff::civil::Date::new(
            i16::try_from(year).ok()?,
            i8::try_from(month).ok()?,
            i8::try_from(of_month).ok()?,
        );
        let zoned = date.ok()?.to_zoned(jiff::tz::TimeZone::system()).ok()?;
        Some(zoned.timestamp().as_second())
    };
    date().unwrap_or(day.saturating_mul(DAY_SECS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Query, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Query::parse(&words, 1_000_000)
    }

    #[test]
    fn queries_are_read_as_dovecot_reads_them() {
        let seen = || Query::Key(Key::Flag(SystemFlags::SEEN));
        let mailbox = |name: &str| Query::Mailbox(name.to_owned());
        assert_eq!(parse("seen"), Ok(seen()));
        assert_eq!(parse("or seen"), Ok(seen()));
        assert_eq!(
            parse("mailbox A ( seen or mailbox B )"),
            Ok(Query::And(vec![
                mailbox("A"),
                Query::Or(vec![seen(), mailbox("B")])
            ]))
        );
        assert_eq!(
            parse("since 1h"),
            Ok(Query::When(Moment::Received, 996_400, i64::MAX))
        );
        assert_eq!(parse("savedon 5"), Ok(Query::When(Moment::Saved, 5, 86_405)));
        assert_eq!(parse("larger 2MB"), Ok(Query::Key(Key::Larger(2 << 20))));
        assert_eq!(parse("sentbefore 1970-01-03"), Ok(Query::Key(Key::SentBefore(2))));
        assert_eq!(
            parse("9,*"),
            Ok(Query::Key(Key::Sequence(SequenceSet(vec![(9, 9), (STAR, STAR)]))))
        );
        for (line, complaint) in [
            ("seen or", "Missing argument"),
            ("not", "Missing argument"),
            ("( seen", "Missing ')'"),
            ("seen )", "Unexpected ')'"),
            ("( )", "No search parameters inside list"),
            (
                "seen or flagged from x",
                "Use parenthesis when mixing ANDs and ORs",
            ),
            (
                "seen flagged or draft",
                "Use parenthesis when mixing ANDs and ORs",
            ),
            ("from", "Missing parameter for search key (for search key: FROM)"),
            ("since 1y", "Invalid search date parameter: 1y"),
            ("since 2023-1-1", "Invalid search date parameter: 2023-1-1"),
            ("larger 1kx", "Invalid size: 1kx"),
            ("uid x", "Invalid UID messageset"),
            ("0", "Invalid messageset"),
            ("foo", "Unknown argument FOO"),
        ] {
            assert_eq!(parse(line), Err(complaint.to_owned()), "{line}");
        }
        assert!(parse(&"( ".repeat(100)).is_err() && parse(&"not ".repeat(100)).is_err());
    }

    #[test]
    fn what_a_query_is_about() {
        let about = |line: &str| {
            let query = parse(line).expect("a query");
            let mailboxes = query.mailboxes().map(|names| names.join(" "));
            (mailboxes, query.is_careful())
        };
        let some = |names: &str| Some(names.to_owned());
        assert_eq!(about("seen"), (None, (false, true)));
        assert_eq!(about("mailbox a"), (some("a"), (true, false)));
        assert_eq!(about("mailbox a all"), (some("a"), (true, true)));
        assert_eq!(
            about("( mailbox a 1 ) or ( mailbox b 2 )"),
            (some("a b"), (true, true))
        );
        assert_eq!(about("mailbox a or all"), (None, (false, false)));
        assert_eq!(about("not mailbox a"), (None, (false, true)));
    }
}
