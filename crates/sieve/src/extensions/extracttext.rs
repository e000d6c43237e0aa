//! `extracttext` (RFC 5703 §7): the text of a part into a variable.

use super::Extension;
use super::variables::{Modifier, modified, modifiers};
use crate::checker::Checker;
use crate::run::{Run, Step, Variable};
use crate::trace::Level;
use crate::words::{BuiltCommand, Call, Command, Kind, Tag, Word};

pub(crate) const EXTENSION: Extension = Extension::new("extracttext").words(&[Word::command(
    "extracttext",
    &[("varname", Kind::Text)],
    &[
        Tag::with("first", Kind::Number),
        Tag::flag("lower").slot(""),
        Tag::flag("upper").slot(""),
        Tag::flag("lowerfirst").slot(""),
        Tag::flag("upperfirst").slot(""),
        Tag::flag("quotewildcard").slot(""),
        Tag::flag("length").slot(""),
    ],
    build,
)]);

#[derive(Debug)]
struct ExtractText {
    variable: Variable,
    first: Option<usize>,
    modifiers: Vec<Modifier>,
}

fn build(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    if !checker.has("variables") {
        checker.error(
            call.position,
            "extracttext extension cannot be used without variables extension",
        );
        return None;
    }
    if checker.loops.is_empty() {
        checker.error(
            call.position,
            "the extracttext command is not placed inside a foreverypart loop",
        );
        return None;
    }
    let modifiers = modifiers(checker, &call)?;
    let variable = checker.target(call.position, &call.text(0))?;
    let first = call
        .tag_number("first")
        .map(|first| usize::try_from(first).unwrap_or(usize::MAX));
    Some(Box::new(ExtractText {
        variable,
        first,
        modifiers,
    }))
}

impl Command for ExtractText {
    fn run(&self, run: &mut Run<'_>) -> Step {
        run.trace(Level::Commands, |_| "extracttext command".to_owned());
        let Some(&(index, _)) = run.loops.last() else {
            return Ok(());
        };
        let parts = run.mail.parts();
        // A loop around an edit that left fewer parts.
        let text = if index < parts.list.len() && parts.list[index].content_type.is_kind("text") {
            let content = parts.content(index);
            run.spend(content.len() as u64 / 16)?;
            match parts.type_name(index).as_str() {
                "text/html" => super::body::without_markup(&content),
                _ => content,
            }
        } else {
            String::new()
        };
        let text = match self.first {
            Some(first) => text.chars().take(first).collect(),
            None => text,
        };
        let value = modified(&self.modifiers, text);
        run.set_variable(&self.variable, value);
        Ok(())
    }
}
