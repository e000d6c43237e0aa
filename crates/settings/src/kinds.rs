//! The shapes a parameter's text can have, and how each becomes a Rust value.

use std::path::PathBuf;
use std::time::Duration;

use crate::{Error, Networks, TableRef};

/// A shape: the marker written in a parameter's row.
pub trait Kind {
    /// What the typed field holds.
    type Value;
    /// The shape's name for people and printers.
    const SHAPE: Shape;

    /// Reads a text in which `$name` is replaced already.
    ///
    /// # Errors
    /// [`Error::Shape`] with a text for the administrator.
    fn read(text: &str) -> Result<Self::Value, Error>;

    /// Everything that is wrong with a text: each wrong word of a list is told.
    fn faults(text: &str) -> Vec<Error> {
        let Err(first) = Self::read(text) else {
            return Vec::new();
        };
        let is_list = matches!(Self::SHAPE, Shape::List | Shape::Tables | Shape::Networks);
        let each = words(text);
        let mut faults: Vec<Error> = each.iter().filter_map(|word| Self::read(word).err()).collect();
        if !is_list || faults.is_empty() {
            faults = vec![first];
        }
        faults
    }

    /// The value that stands in when even the default cannot be read (a defect of the table).
    fn fallback() -> Self::Value;
}

/// The shape of a parameter's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Any text.
    Text,
    /// `yes` or `no`.
    YesNo,
    /// A time with a unit; the letter is the unit that a bare number has (`s`, `m`, `h`, `d`).
    Time(char),
    /// A number of bytes.
    Bytes,
    /// A number.
    Count,
    /// An SMTP reply code.
    ReplyCode,
    /// Words between commas or white space.
    List,
    /// A file or directory.
    Path,
    /// Lookup tables, `type:name`.
    Tables,
    /// Networks, and files and tables of them.
    Networks,
    /// One or several of these words.
    Choice(&'static [&'static str]),
    /// Dovecot's time: `2 mins`; a bare number is seconds.
    Interval,
    /// Dovecot's time in milliseconds.
    Milliseconds,
    /// Dovecot's size: `64 k`, `10 M`.
    Size,
    /// An octal mode.
    Mode,
}

fn wrong(text: &str, expected: &str) -> Error {
    Error::Shape(format!("\"{text}\" is not {expected}"))
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident => $value:ty, $shape:expr, $fallback:expr, |$text:ident| $read:expr;)*) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug, Clone, Copy)]
            pub struct $name;
            impl Kind for $name {
                type Value = $value;
                const SHAPE: Shape = $shape;
                fn read($text: &str) -> Result<$value, Error> {
                    $read
                }
                fn fallback() -> $value {
                    $fallback
                }
            }
        )*
    };
}

kinds! {
    /// Any text, white space at both ends taken off.
    Text => String, Shape::Text, String::new(), |text| Ok(text.trim().to_owned());
    /// Any text, white space at its ends kept.
    Verbatim => String, Shape::Text, String::new(), |text| Ok(text.to_owned());
    /// `yes` or `no`, without regard to case.
    YesNo => bool, Shape::YesNo, false, |text| yes_no(text);
    /// A time; a bare number is seconds.
    Seconds => Duration, Shape::Time('s'), Duration::ZERO, |text| time(text, 's');
    /// A time; a bare number is minutes.
    Minutes => Duration, Shape::Time('m'), Duration::ZERO, |text| time(text, 'm');
    /// A time; a bare number is hours.
    Hours => Duration, Shape::Time('h'), Duration::ZERO, |text| time(text, 'h');
    /// A time; a bare number is days.
    Days => Duration, Shape::Time('d'), Duration::ZERO, |text| time(text, 'd');
    /// Bytes.
    Bytes => u64, Shape::Bytes, 0, |text| number(text);
    /// A count.
    Count => usize, Shape::Count, 0, |text| number(text).and_then(|n| usize::try_from(n).map_err(|_| wrong(text, "a number in range")));
    /// A three-digit SMTP reply code.
    ReplyCode => u16, Shape::ReplyCode, 450, |text| reply_code(text);
    /// Words between commas or white space; `{ … }` stays together.
    List => Vec<String>, Shape::List, Vec::new(), |text| Ok(words(text));
    /// A path; empty when not set.
    Path => PathBuf, Shape::Path, PathBuf::new(), |text| Ok(PathBuf::from(text.trim()));
    /// Lookup tables.
    Tables => Vec<TableRef>, Shape::Tables, Vec::new(), |text| words(text).iter().map(|word| word.parse()).collect();
    /// Networks.
    NetworkList => Networks, Shape::Networks, Networks::default(), |text| text.parse();
    /// Dovecot's time.
    Interval => Duration, Shape::Interval, Duration::ZERO, |text| interval(text, "secs");
    /// Dovecot's time, a bare number being milliseconds.
    Milliseconds => Duration, Shape::Milliseconds, Duration::ZERO, |text| interval(text, "msecs");
    /// Dovecot's size in bytes; `unlimited` is `u64::MAX`.
    Size => u64, Shape::Size, 0, |text| size(text);
    /// An octal mode.
    Mode => u32, Shape::Mode, 0, |text| u32::from_str_radix(text.trim(), 8).map_err(|_| wrong(text, "an octal mode"));
}

fn yes_no(text: &str) -> Result<bool, Error> {
    match text.trim().to_ascii_lowercase().as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(wrong(text, "yes or no")),
    }
}

fn number(text: &str) -> Result<u64, Error> {
    text.trim().parse().map_err(|_| wrong(text, "a number from 0"))
}

fn reply_code(text: &str) -> Result<u16, Error> {
    match text.trim().parse::<u16>() {
        Ok(code) if (200..600).contains(&code) => Ok(code),
        _ => Err(wrong(text, "a reply code from 200 to 599")),
    }
}

/// Postfix's time: a number and one of `s m h d w`; without a letter, `unit`.
///
/// # Errors
/// [`Error::Shape`] when it is not that.
pub fn time(text: &str, unit: char) -> Result<Duration, Error> {
    const EXPECTED: &str = "a time: write a number and one of s, m, h, d, w (300s, 5d)";
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let amount: u64 = text[..digits].parse().map_err(|_| wrong(text, EXPECTED))?;
    let letter = match text[digits..].chars().as_str() {
        "" => unit,
        other if other.len() == 1 => other.chars().next().unwrap_or(unit),
        _ => return Err(wrong(text, EXPECTED)),
    };
    let factor = match letter.to_ascii_lowercase() {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong(text, EXPECTED)),
    };
    // Postfix keeps times in an int.
    match amount.checked_mul(factor) {
        Some(seconds) if seconds <= u64::from(u32::MAX) => Ok(Duration::from_secs(seconds)),
        _ => Err(wrong(text, "a time in range")),
    }
}

/// Words between commas or white space; a word in `{ }` stays one word with its braces.
pub fn words(text: &str) -> Vec<String> {
    let mut list = Vec::new();
    let mut word = String::new();
    let mut depth = 0usize;
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && (c == ',' || c.is_ascii_whitespace()) {
            if !word.is_empty() {
                list.push(std::mem::take(&mut word));
            }
        } else {
            word.push(c);
        }
    }
    if !word.is_empty() {
        list.push(word);
    }
    list
}

/// The number and the unit word of a Dovecot amount (`10 M`, `2mins`).
fn amount(text: &str) -> Option<(u64, String)> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    Some((
        text[..digits].parse().ok()?,
        text[digits..].trim().to_ascii_lowercase(),
    ))
}

/// Dovecot's time; `unit` is what a bare number means.
///
/// # Errors
/// [`Error::Shape`] when it is not that.
pub fn interval(text: &str, unit: &str) -> Result<Duration, Error> {
    const EXPECTED: &str = "a time: write a number and one of msecs, secs, mins, hours, days, weeks";
    if matches!(text.trim(), "infinite" | "unlimited") {
        return Ok(Duration::from_secs(u64::from(u32::MAX)));
    }
    let (number, word) = amount(text).ok_or_else(|| wrong(text, EXPECTED))?;
    let word = if word.is_empty() { unit } else { word.as_str() };
    let units = [
        ("milliseconds", 1u64),
        ("msecs", 1),
        ("seconds", 1000),
        ("secs", 1000),
        ("minutes", 60_000),
    ];
    let longer = [
        ("mins", 60_000u64),
        ("hours", 3_600_000),
        ("days", 86_400_000),
        ("weeks", 604_800_000),
    ];
    // Dovecot takes any beginning of a unit's name; a lone `m` is minutes there.
    let factor = if word == "m" {
        Some(60_000)
    } else {
        units
            .iter()
            .chain(&longer)
            .find(|(name, _)| name.starts_with(word))
            .map(|(_, factor)| *factor)
    };
    factor
        .and_then(|factor| number.checked_mul(factor))
        .map(Duration::from_millis)
        .ok_or_else(|| wrong(text, EXPECTED))
}

/// Dovecot's size.
///
/// # Errors
/// [`Error::Shape`] when it is not a number with B, k, M, G or T.
pub fn size(text: &str) -> Result<u64, Error> {
    const EXPECTED: &str = "a size: write a number and one of B, k, M, G, T";
    if matches!(text.trim(), "infinite" | "unlimited") {
        return Ok(u64::MAX);
    }
    let (number, word) = amount(text).ok_or_else(|| wrong(text, EXPECTED))?;
    let shift = match word.trim_end_matches("b").trim_end_matches("i") {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(wrong(text, EXPECTED)),
    };
    number
        .checked_mul(1u64 << shift)
        .ok_or_else(|| wrong(text, "a size in range"))
}
