//! `redirect-dsn` and `redirect-deliverby` (RFC 6009 §4, §5): what `redirect` asks of the next mail server.

use super::{Extension, Offer};
use crate::actions::{DeliverBy, Redirect};
use crate::checker::Checker;
use crate::run::{Run, Stop};
use crate::text::Text;
use crate::words::{Call, Kind, Tag};

pub(crate) const EXTENSION: Extension = Extension::new("redirect-dsn").offers(&[Offer {
    words: &["redirect"],
    tags: &[Tag::with("notify", Kind::Text), Tag::with("ret", Kind::Text)],
}]);
pub(crate) const DELIVER_BY: Extension = Extension::new("redirect-deliverby").offers(&[Offer {
    words: &["redirect"],
    tags: &[
        Tag::with("bytimerelative", Kind::Number).slot("bytime"),
        Tag::with("bytimeabsolute", Kind::Text).slot("bytime"),
        Tag::with("bymode", Kind::Text),
        Tag::flag("bytrace"),
    ],
}]);

/// When the message is to be there.
#[derive(Debug)]
enum Time {
    Relative(u64),
    Absolute(Text),
}

/// The tags of a `redirect`.
#[derive(Debug)]
pub(crate) struct Options {
    notify: Option<Text>,
    ret: Option<Text>,
    time: Option<Time>,
    mode: Option<Text>,
    trace: bool,
}

/// What the tags of `call` ask for; `None` when one is wrong, which is told.
pub(crate) fn options(checker: &mut Checker<'_>, call: &Call) -> Option<Options> {
    let options = Options {
        notify: call.tag_text("notify"),
        ret: call.tag_text("ret"),
        time: match call.tag_number("bytimerelative") {
            Some(seconds) => Some(Time::Relative(seconds)),
            None => call.tag_text("bytimeabsolute").map(Time::Absolute),
        },
        mode: call.tag_text("bymode"),
        trace: call.has("bytrace"),
    };
    let literal = |text: &Option<Text>| text.as_ref().and_then(|text| text.literal().map(str::to_owned));
    let mut wrong = Vec::new();
    if let Some(text) = literal(&options.notify).filter(|text| notify(text).is_none()) {
        wrong.push(format!(
            "specified :notify value '{text}' is invalid for the redirect command"
        ));
    }
    if let Some(text) = literal(&options.ret).filter(|text| ret(text).is_none()) {
        wrong.push(format!(
            "specified :ret value '{text}' is invalid for the redirect command"
        ));
    }
    if let Some(text) = literal(&options.mode).filter(|text| mode(text).is_none()) {
        wrong.push(format!(
            "specified :bymode value '{text}' is invalid for the redirect command"
        ));
    }
    if let Some(Time::Absolute(text)) = &options.time
        && let Some(text) = text.literal().filter(|text| absolute(text).is_none())
    {
        wrong.push(format!(
            "specified :bytimeabsolute value '{text}' is no date-time (RFC 3339)"
        ));
    }
    if options.time.is_none() && (options.mode.is_some() || options.trace) {
        wrong.push(
            "the :bymode and :bytrace tags for the redirect command cannot be specified without a time"
                .to_owned(),
        );
    }
    let right = wrong.is_empty();
    wrong
        .into_iter()
        .for_each(|text| checker.error(call.position, text));
    right.then_some(options)
}

/// `NEVER`, or some of `SUCCESS`, `FAILURE`, `DELAY`, in upper case.
fn notify(text: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    let words: Vec<&str> = upper.split(',').collect();
    let known = words
        .iter()
        .all(|word| matches!(*word, "SUCCESS" | "FAILURE" | "DELAY"));
    (upper == "NEVER" || known).then_some(upper)
}

fn ret(text: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    matches!(upper.as_str(), "FULL" | "HDRS").then_some(upper)
}

fn mode(text: &str) -> Option<char> {
    match text.to_ascii_lowercase().as_str() {
        "notify" => Some('N'),
        "return" => Some('R'),
        _ => None,
    }
}

/// Seconds since the epoch of `2026-11-29T10:00:00Z`.
fn absolute(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't'])?;
    let number = |text: Option<&str>| text?.parse::<i64>().ok();
    let mut words = date.splitn(3, '-');
    let (year, month, day) = (
        number(words.next())?,
        number(words.next())?,
        number(words.next())?,
    );
    let days = message::date::day_number(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)?;
    let clock = rest.get(..8)?;
    let mut words = clock.splitn(3, ':');
    let (hour, minute, second) = (
        number(words.next())?,
        number(words.next())?,
        number(words.next())?,
    );
    let zone = rest[8..].trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match zone.as_bytes() {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), ..] if zone.len() == 6 => {
            let minutes = number(zone.get(1..3))? * 60 + number(zone.get(4..6))?;
            if *sign == b'-' {
                -minutes * 60
            } else {
                minutes * 60
            }
        }
        _ => return None,
    };
    let in_range = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    in_range.then_some(days * 86_400 + hour * 3600 + minute * 60 + second - offset)
}

impl Options {
    /// The redirect with all but its address.
    ///
    /// # Errors
    /// A value that is none; told.
    pub(crate) fn redirect(&self, run: &mut Run<'_>) -> Result<Redirect, Stop> {
        let mut redirect = Redirect::default();
        if let Some(text) = self.notify.as_ref().map(|text| text.value(run)) {
            let Some(value) = notify(&text) else {
                return run.fail(format!(
                    "specified :notify value '{text}' is invalid for the redirect action"
                ));
            };
            redirect.dsn_notify = Some(value);
        }
        if let Some(text) = self.ret.as_ref().map(|text| text.value(run)) {
            let Some(value) = ret(&text) else {
                return run.fail(format!(
                    "specified :ret value '{text}' is invalid for the redirect action"
                ));
            };
            redirect.dsn_ret = Some(value);
        }
        let Some(time) = &self.time else {
            return Ok(redirect);
        };
        let seconds = match time {
            Time::Relative(seconds) => i64::try_from(*seconds).unwrap_or(i64::MAX),
            Time::Absolute(text) => {
                let text = text.value(run);
                match absolute(&text) {
                    Some(at) => at - run.host.now().secs,
                    None => {
                        return run.fail(format!(
                            "specified :bytimeabsolute value '{text}' is no date-time (RFC 3339)"
                        ));
                    }
                }
            }
        };
        let mode = match self.mode.as_ref().map(|text| text.value(run)) {
            Some(text) => match mode(&text) {
                Some(mode) => mode,
                None => {
                    return run.fail(format!(
                        "specified :bymode value '{text}' is invalid for the redirect action"
                    ));
                }
            },
            None => 'N',
        };
        redirect.deliver_by = Some(DeliverBy {
            seconds,
            mode,
            trace: self.trace,
        });
        Ok(redirect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        assert_eq!(absolute("1970-01-02T00:00:00Z"), Some(86_400));
        assert_eq!(absolute("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(absolute("1970-01-01T01:00:00.25Z"), Some(3600));
        assert_eq!(absolute("1970-13-01T01:00:00Z"), None);
        assert_eq!(absolute("now"), None);
    }
}
