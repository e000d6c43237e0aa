//! `spamtest`, `spamtestplus`, `virustest` (RFC 5235): what a scanner before us wrote into the header, on the standard's
//! scale.

use super::Extension;
use crate::checker::Checker;
use crate::mail::header_text;
use crate::matching::Matcher;
use crate::regular;
use crate::run::{Run, Stop};
use crate::settings::Settings;
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltTest, Call, Kind, Tag, Test, Word};

pub(crate) const SPAM: Extension = Extension::new("spamtest")
    .off()
    .words(SPAM_WORDS)
    .conflicts(&[("spamtestplus", BOTH)]);
pub(crate) const SPAM_PLUS: Extension = Extension::new("spamtestplus")
    .off()
    .words(SPAM_WORDS)
    .conflicts(&[("spamtest", BOTH)]);
pub(crate) const VIRUS: Extension = Extension::new("virustest").off().words(&[Word::test(
    "virustest",
    &[("value", Kind::Text)],
    &[],
    |_, call| {
        Some(Box::new(Scan {
            what: What::Virus,
            percent: false,
            keys: call.texts(0),
            matcher: call.matcher,
        }))
    },
)
.matching()]);

/// What is said when both are required.
const BOTH: &str = "the spamtest and spamtestplus extensions should not be specified at the same time";

const SPAM_WORDS: &[Word] = &[Word::test(
    "spamtest",
    &[("value", Kind::Text)],
    &[Tag::flag("percent")],
    spamtest,
)
.matching()];

/// Which scanner is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Spam,
    Virus,
}

#[derive(Debug)]
struct Scan {
    what: What,
    percent: bool,
    keys: Vec<Text>,
    matcher: Matcher,
}

fn spamtest(checker: &mut Checker<'_>, call: Call) -> BuiltTest {
    let percent = call.has("percent");
    if percent && !checker.has("spamtestplus") {
        checker.error(
            call.position,
            "the spamtest test only accepts the :percent argument when the spamtestplus extension is active",
        );
        return None;
    }
    Some(Box::new(Scan {
        what: What::Spam,
        percent,
        keys: call.texts(0),
        matcher: call.matcher,
    }))
}

impl Test for Scan {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        let (title, prefix, top) = match self.what {
            What::Spam => ("spamtest test", "sieve_spamtest_", 10.0),
            What::Virus => ("virustest test", "sieve_virustest_", 5.0),
        };
        run.trace(Level::Tests, |_| title.to_owned());
        let settings = std::sync::Arc::clone(&run.settings);
        let score = Scanner::of(&settings, prefix).and_then(|scanner| scanner.score(run, top, self.percent));
        let value = score.unwrap_or(0).to_string();
        run.trace(Level::Matching, |_| format!("  score: {value}"));
        self.matcher.any(run, &self.keys, [value])
    }
}

/// How a scanner's header field is read.
struct Scanner<'a> {
    settings: &'a Settings,
    prefix: &'a str,
    kind: &'a str,
    header: (&'a str, Option<&'a str>),
    max: Maximum<'a>,
}

enum Maximum<'a> {
    None,
    Value(f64),
    Header(&'a str, Option<&'a str>),
}

/// `Name` or `Name: expression`.
fn name_and_expression(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((name, expression)) => (name.trim(), Some(expression.trim())),
        None => (text.trim(), None),
    }
}

impl<'a> Scanner<'a> {
    /// As the settings say; `None` when they are not there or make no sense: the test is 0 then, "not tested".
    fn of(settings: &'a Settings, prefix: &'a str) -> Option<Scanner<'a>> {
        let get = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| format!("{prefix}{name}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            settings.first(&names)
        };
        let header = name_and_expression(get(&["status_header"])?);
        let kind = get(&["status_type"]).unwrap_or("score");
        let max = match get(&["score_max_header", "max_header"]) {
            Some(text) => {
                let (name, expression) = name_and_expression(text);
                Maximum::Header(name, expression)
            }
            None => match get(&["score_max_value", "max_value"]) {
                Some(text) => Maximum::Value(text.parse().ok()?),
                None => Maximum::None,
            },
        };
        (kind == "text" || !matches!(max, Maximum::None)).then_some(Scanner {
            settings,
            prefix,
            kind,
            header,
            max,
        })
    }

    /// The score from 1 to `top`, or in percent.
    fn score(&self, run: &Run<'_>, top: f64, percent: bool) -> Option<u64> {
        let status = value(run, self.header)?;
        if self.kind == "text" {
            let level = (0..=top as u64).find(|level| {
                let names = [
                    format!("{}text_value/{level}", self.prefix),
                    format!("{}text_value{level}", self.prefix),
                ];
                let text = names.iter().find_map(|name| self.settings.text(name));
                text.is_some_and(|text| text.trim().eq_ignore_ascii_case(status.trim()))
            })?;
            return Some(match (level, percent) {
                (0, _) | (_, false) => level,
                (level, true) => ((level as f64 - 1.0) / (top - 1.0) * 100.0).round() as u64,
            });
        }
        let score = match self.kind {
            "strlen" => status.trim().len() as f64,
            _ => number(&status)?,
        };
        let max = match self.max {
            Maximum::Value(max) => max,
            Maximum::Header(name, expression) => number(&value(run, (name, expression))?)?,
            Maximum::None => return None,
        };
        let ratio = if max <= 0.0 || score <= 0.0 {
            0.0
        } else {
            (score / max).min(1.0)
        };
        Some(match percent {
            true => (ratio * 100.0 + 0.000_01) as u64,
            // 1 is clean, the rest is divided evenly.
            false => (ratio * (top - 1.0) + 1.000_01) as u64,
        })
    }
}

/// The value of a field, or what the first group of the expression finds in it.
fn value(run: &Run<'_>, (name, expression): (&str, Option<&str>)) -> Option<String> {
    let text = run.mail.bodies(name).next().map(header_text)?;
    let Some(expression) = expression else {
        return Some(text);
    };
    let regex = regular::compile(expression, true).ok()?;
    let found = regex.captures(&text)?;
    let group = found.get(1).or_else(|| found.get(0))?;
    Some(group.as_str().to_owned())
}

/// The number at the start of `text`, `-1.5/5` is -1.5.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let end = text
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || *c == '.' || (*at == 0 && matches!(c, '-' | '+'))))
        .map_or(text.len(), |(at, _)| at);
    text[..end].parse().ok()
}
