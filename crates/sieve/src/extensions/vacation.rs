//! `vacation` (RFC 5230) and `vacation-seconds` (RFC 6131).

use super::{Extension, Offer, fcc};
use crate::actions::{Action, Vacation};
use crate::checker::Checker;
use crate::parts;
use crate::result::Keep;
use crate::run::{Run, Step};
use crate::settings::{self, Settings};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltCommand, Call, Command, Kind, Tag, Word};

pub(crate) const EXTENSION: Extension = Extension::new("vacation").words(&[Word::command(
    "vacation",
    &[("reason", Kind::Text)],
    &[
        Tag::with("days", Kind::Number).slot("period"),
        Tag::with("subject", Kind::Text),
        Tag::with("from", Kind::Text),
        Tag::with("addresses", Kind::Texts),
        Tag::flag("mime"),
        Tag::with("handle", Kind::Text),
    ],
    build,
)]);
pub(crate) const SECONDS: Extension = Extension::new("vacation-seconds")
    .off()
    .implies(&["vacation"])
    .offers(&[Offer {
        words: &["vacation"],
        tags: &[Tag::with("seconds", Kind::Number).slot("period")],
    }]);

const DAY_SECS: u64 = 86_400;

/// How long one sender gets no second answer, in seconds: at least, at most (0 is no limit), when nothing is said.
struct Periods {
    min: u64,
    max: u64,
    default: u64,
}

impl Periods {
    fn of(settings: &Settings) -> Periods {
        let get = |name, default| {
            let set = settings.text(name).and_then(|text| settings::seconds(text).ok());
            set.unwrap_or(default)
        };
        Periods {
            min: get("sieve_vacation_min_period", DAY_SECS),
            max: get("sieve_vacation_max_period", 0),
            default: get("sieve_vacation_default_period", 7 * DAY_SECS),
        }
    }
}

#[derive(Debug)]
struct VacationCommand {
    reason: Text,
    seconds: u64,
    subject: Option<Text>,
    from: Option<Text>,
    addresses: Vec<Text>,
    handle: Option<Text>,
    mime: bool,
    fcc: Option<fcc::Fcc>,
}

fn build(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    let periods = Periods::of(checker.settings());
    let seconds = period(checker, &call, &periods);
    let from = call.tag_text("from");
    if let Some(literal) = from.as_ref().and_then(Text::literal)
        && !literal.is_empty()
        && let Err(why) = parts::single(literal)
    {
        checker.error(
            call.position,
            format!("specified :from address '{literal}' is invalid for vacation action: {why}"),
        );
        return None;
    }
    Some(Box::new(VacationCommand {
        reason: call.text(0),
        seconds,
        subject: call.tag_text("subject"),
        from,
        addresses: call.tag_texts("addresses").unwrap_or_default(),
        handle: call.tag_text("handle"),
        mime: call.has("mime"),
        fcc: fcc::of(checker, &call)?,
    }))
}

fn period(checker: &mut Checker<'_>, call: &Call, periods: &Periods) -> u64 {
    let days = call
        .tag_number("days")
        .map(|days| ("days", days, days.saturating_mul(DAY_SECS)));
    let given = call
        .tag_number("seconds")
        .map(|seconds| ("seconds", seconds, seconds))
        .or(days);
    let Some((tag, number, seconds)) = given else {
        return periods.default;
    };
    if seconds < periods.min {
        checker.warning(
            call.position,
            format!("specified :{tag} value '{number}' is under the minimum"),
        );
        return periods.min;
    }
    if periods.max > 0 && seconds > periods.max {
        checker.warning(
            call.position,
            format!("specified :{tag} value '{number}' is over the maximum"),
        );
        return periods.max;
    }
    seconds
}

impl Command for VacationCommand {
    fn run(&self, run: &mut Run<'_>) -> Step {
        let reason = self.reason.value(run);
        run.trace(Level::Actions, |_| "vacation action".to_owned());
        run.trace(Level::Actions, |_| {
            format!("  auto-reply with message `{reason}'")
        });
        let subject = self.subject.as_ref().map(|text| text.value(run));
        let mut from = self
            .from
            .as_ref()
            .map(|text| text.value(run))
            .filter(|text| !text.is_empty());
        if let Some(text) = from.as_deref()
            && let Err(why) = parts::single(text)
        {
            run.warning(format!(
                "specified :from address '{text}' is invalid for vacation action: {why}"
            ));
            from = None;
        }
        let mut addresses = Vec::new();
        for text in &self.addresses {
            run.spend(1)?;
            let text = text.value(run);
            match parts::single(&text) {
                Ok(address) => addresses.push(address.whole()),
                Err(why) => run.error(format!(
                    "specified :addresses item '{text}' is invalid: {why} for vacation action (ignored)"
                )),
            }
        }
        let handle = match self.handle.as_ref().map(|text| text.value(run)) {
            Some(handle) => handle,
            // Two answers are the same when their texts in the script are: what variables put into them does not count.
            None => format!(
                "{}{}{}{}",
                self.reason.written(),
                self.subject
                    .as_ref()
                    .map_or("<default-subject>".to_owned(), Text::written),
                self.from
                    .as_ref()
                    .map_or("<default-from>".to_owned(), Text::written),
                if self.mime { "<MIME>" } else { "<NO-MIME>" }
            ),
        };
        let vacation = Vacation {
            reason,
            seconds: self.seconds,
            subject,
            from,
            handle,
            addresses,
            mime: self.mime,
            fcc: self.fcc.as_ref().map(|fcc| fcc.store(run)),
        };
        run.add(Action::Vacation(vacation), Keep::Stays)
    }
}
