//! `duplicate` (RFC 7352): whether this message was here before.

use super::Extension;
use crate::actions::Action;
use crate::checker::Checker;
use crate::headers::check_names;
use crate::host::DuplicateKey;
use crate::result::Keep;
use crate::run::{Run, Stop};
use crate::settings::{self, Settings};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltTest, Call, Kind, Tag, Test, Word};

pub(crate) const EXTENSION: Extension = Extension::new("duplicate").words(&[Word::test(
    "duplicate",
    &[],
    &[
        Tag::with("header", Kind::Text),
        Tag::with("uniqueid", Kind::Text),
        Tag::with("handle", Kind::Text),
        Tag::with("seconds", Kind::Number),
        Tag::flag("last"),
    ],
    build,
)]);

/// How long a message is remembered when the script says nothing, in seconds. `sieve_duplicate_default_period`.
const PERIOD_DEFAULT_SECS: u64 = 12 * 3600;
/// How long it is remembered at most, in seconds. `sieve_duplicate_max_period`.
const PERIOD_MAX_SECS: u64 = 2 * 86_400;

/// A time that the administrator set, in seconds.
fn period(settings: &Settings, name: &str, default: u64) -> u64 {
    let set = settings.text(name).and_then(|text| settings::seconds(text).ok());
    set.unwrap_or(default)
}

#[derive(Debug)]
struct Duplicate {
    header: Option<Text>,
    unique_id: Option<Text>,
    handle: Option<Text>,
    seconds: Option<u64>,
    last: bool,
}

fn build(checker: &mut Checker<'_>, call: Call) -> BuiltTest {
    let (header, unique_id) = (call.tag_text("header"), call.tag_text("uniqueid"));
    if header.is_some() && unique_id.is_some() {
        checker.error(
            call.position,
            "conflicting :header and :uniqueid arguments specified for the duplicate test",
        );
        return None;
    }
    check_names(checker, call.position, header.as_slice());
    let max = period(checker.settings(), "sieve_duplicate_max_period", PERIOD_MAX_SECS);
    if call.tag_number("seconds").is_some_and(|seconds| seconds > max) {
        checker.warning(
            call.position,
            format!("specified :seconds value '{max}' is over the maximum"),
        );
    }
    Some(Box::new(Duplicate {
        header,
        unique_id,
        handle: call.tag_text("handle"),
        seconds: call.tag_number("seconds"),
        last: call.has("last"),
    }))
}

impl Test for Duplicate {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "duplicate test".to_owned());
        let id = match (&self.unique_id, &self.header) {
            (Some(id), _) => Some(id.value(run)),
            (None, Some(header)) => {
                let name = header.value(run);
                run.mail.text_of(&name)
            }
            (None, None) => run.mail.text_of("message-id"),
        };
        let Some(id) = id else {
            return Ok(false);
        };
        let key = DuplicateKey {
            handle: self.handle.as_ref().map(|handle| handle.value(run)),
            id,
        };
        let duplicate = run.host.is_duplicate(&key);
        if !duplicate || self.last {
            let settings = &run.settings;
            let default = period(settings, "sieve_duplicate_default_period", PERIOD_DEFAULT_SECS);
            let max = period(settings, "sieve_duplicate_max_period", PERIOD_MAX_SECS);
            let seconds = self.seconds.unwrap_or(default).min(max);
            let mark = Action::DuplicateMark {
                key,
                seconds,
                last: self.last,
            };
            run.add(mark, Keep::Stays)?;
        }
        Ok(duplicate)
    }
}
