//! `special-use` (RFC 8579): mailboxes by what they are for.

use super::{Extension, Offer};
use crate::checker::Checker;
use crate::run::{Run, Stop};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltTest, Call, Given, Kind, Tag, Test, Word};

pub(crate) const EXTENSION: Extension = Extension::new("special-use")
    .off()
    .words(&[Word::test("specialuse_exists", &[], &[], build).own_arguments()])
    .offers(&[Offer {
        words: &["fileinto", "vacation", "notify"],
        tags: &[Tag::with("specialuse", Kind::Text)],
    }]);

/// Whether `flag` can be a special use: `\` and an atom.
pub(crate) fn is_flag(flag: &str) -> bool {
    flag.strip_prefix('\\').is_some_and(|atom| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"(){%*\"\\]".contains(&b))
    })
}

#[derive(Debug)]
struct SpecialUseExists {
    mailbox: Option<Text>,
    flags: Vec<Text>,
}

fn build(checker: &mut Checker<'_>, call: Call) -> BuiltTest {
    let text = match call.positional.as_slice() {
        [] => "the specialuse_exists test expects at least one argument, but none was found".to_owned(),
        [Given::Number(_)] | [_, Given::Number(_)] | [Given::Number(_), _] => {
            "the specialuse_exists test expects a string list as argument, but a number was found".to_owned()
        }
        [Given::Texts(_), _] => {
            "the specialuse_exists test expects a string as argument 1 (mailbox), but a string list was found"
                .to_owned()
        }
        [flags] => return checked(checker, &call, None, flags.clone().into_texts()),
        [mailbox, flags] => {
            let mailbox = mailbox.clone().into_texts().pop();
            return checked(checker, &call, mailbox, flags.clone().into_texts());
        }
        more => format!(
            "the specialuse_exists test requires at most 2 positional argument(s), but {} is/are specified",
            more.len()
        ),
    };
    checker.error(call.position, text);
    None
}

fn checked(checker: &mut Checker<'_>, call: &Call, mailbox: Option<Text>, flags: Vec<Text>) -> BuiltTest {
    for flag in flags.iter().filter_map(Text::literal) {
        if !is_flag(flag) {
            checker.error(
                call.position,
                format!("specialuse_exists test: invalid special-use flag `{flag}' specified"),
            );
            return None;
        }
    }
    Some(Box::new(SpecialUseExists { mailbox, flags }))
}

impl Test for SpecialUseExists {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "specialuse_exists test".to_owned());
        let mailbox = self.mailbox.as_ref().map(|name| name.value(run));
        if let Some(mailbox) = &mailbox
            && !run.host.mailbox_exists(mailbox)
        {
            return Ok(false);
        }
        for flag in &self.flags {
            run.spend(10)?;
            let flag = flag.value(run);
            if !is_flag(&flag) {
                return run.fail(format!(
                    "specialuse_exists test: invalid special-use flag `{flag}' specified"
                ));
            }
            if !run.host.special_use_exists(mailbox.as_deref(), &flag) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
