//! `imap4flags` (RFC 5232): flags and keywords for stored messages.

use super::{Extension, Offer};
use crate::checker::Checker;
use crate::matching::Matcher;
use crate::run::{Run, Step, Stop, Variable};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltCommand, BuiltTest, Call, Command, Given, Kind, Tag, Test, Word};

pub(crate) const EXTENSION: Extension = Extension::new("imap4flags")
    .conflicts(&[("imapflags", CONFLICT)])
    .words(&[
        Word::command("setflag", &[], &[], set).own_arguments(),
        Word::command("addflag", &[], &[], add).own_arguments(),
        Word::command("removeflag", &[], &[], remove).own_arguments(),
        Word::test("hasflag", &[], &[], hasflag)
            .matching()
            .own_arguments(),
    ])
    .offers(&[Offer {
        words: &["keep", "fileinto"],
        tags: &[Tag::with("flags", Kind::Texts)],
    }]);

/// What is said when both are required.
pub(crate) const CONFLICT: &str =
    "the (deprecated) imapflags extension cannot be used together with the imap4flags extension";

/// The flags that IMAP itself defines and clients may set.
const SYSTEM: [&str; 5] = ["\\Flagged", "\\Answered", "\\Deleted", "\\Seen", "\\Draft"];
/// How many flags one message has.
const FLAGS_MAX: usize = 1_000;

/// The flags of some strings, in order, each once; what is no flag is left out.
pub(crate) fn split<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut flags: Vec<String> = Vec::new();
    for word in texts.into_iter().flat_map(str::split_ascii_whitespace) {
        let system = SYSTEM.iter().find(|known| known.eq_ignore_ascii_case(word));
        let flag = match system {
            Some(known) => (*known).to_owned(),
            None if is_keyword(word) => word.to_owned(),
            None => continue,
        };
        if flags.len() < FLAGS_MAX && !flags.iter().any(|known| known.eq_ignore_ascii_case(&flag)) {
            flags.push(flag);
        }
    }
    flags
}

/// Whether `word` can be a keyword (RFC 9051 `flag-keyword`).
fn is_keyword(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"(){%*\"\\]".contains(&b))
}

/// How a command changes flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Set,
    Add,
    Remove,
}

impl Change {
    fn apply(self, flags: &mut Vec<String>, given: Vec<String>) {
        match self {
            Change::Set => *flags = given,
            Change::Add => {
                let all: Vec<String> = flags.drain(..).chain(given).collect();
                *flags = split(all.iter().map(String::as_str));
            }
            Change::Remove => flags.retain(|flag| !given.iter().any(|gone| gone.eq_ignore_ascii_case(flag))),
        }
    }
}

#[derive(Debug)]
struct Flag {
    change: Change,
    variable: Option<Variable>,
    flags: Vec<Text>,
}

fn set(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    build(checker, call, Change::Set)
}

fn add(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    build(checker, call, Change::Add)
}

fn remove(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    build(checker, call, Change::Remove)
}

/// The optional variables in front and the flags.
fn arguments(checker: &mut Checker<'_>, call: &Call) -> Option<(Vec<Text>, Vec<Text>)> {
    let (title, position) = (&call.title, call.position);
    let text = match call.positional.as_slice() {
        [] => format!("the {title} expects at least one argument, but none was found"),
        [Given::Number(_), ..] => format!(
            "the {title} expects either a string (variable name) or a string-list (list of flags) as first argument, but a number was found"
        ),
        [flags] => return Some((Vec::new(), flags.clone().into_texts())),
        [_, _, ..] if !checker.has("variables") => format!(
            "the {title} only allows for the specification of a variable name when the variables extension is active"
        ),
        [_, Given::Number(_)] => {
            format!(
                "the {title} expects a string list (list of flags) as second argument when two arguments are specified, but a number was found"
            )
        }
        [variables, flags] => return Some((variables.clone().into_texts(), flags.clone().into_texts())),
        [..] => format!(
            "the {title} requires at most 2 positional argument(s), but {} is/are specified",
            call.positional.len()
        ),
    };
    checker.error(position, text);
    None
}

fn build(checker: &mut Checker<'_>, call: Call, change: Change) -> BuiltCommand {
    let (variables, flags) = arguments(checker, &call)?;
    let variable = match variables.as_slice() {
        [] => None,
        [name, ..] => Some(checker.target(call.position, name)?),
    };
    Some(Box::new(Flag {
        change,
        variable,
        flags,
    }))
}

impl Command for Flag {
    fn run(&self, run: &mut Run<'_>) -> Step {
        let texts: Vec<String> = self.flags.iter().map(|text| text.value(run)).collect();
        let given = split(texts.iter().map(String::as_str));
        let word = match self.change {
            Change::Set => "set",
            Change::Add => "add",
            Change::Remove => "remove",
        };
        run.trace(Level::Commands, |_| format!("{word}flag command"));
        run.trace(Level::Commands, |_| {
            format!("  {word} flags `{}'", given.join(" "))
        });
        run.spend(given.len() as u64)?;
        match &self.variable {
            Some(variable) => {
                let value = run.value_of(variable);
                let mut flags = split([value.as_str()]);
                self.change.apply(&mut flags, given);
                run.set_variable(variable, flags.join(" "));
            }
            None => change_own(run, self.change, given),
        }
        Ok(())
    }
}

/// Changes the flags of the internal variable.
pub(crate) fn change_own(run: &mut Run<'_>, change: Change, given: Vec<String>) {
    change.apply(&mut run.flags, given);
}

#[derive(Debug)]
struct HasFlag {
    variables: Vec<Variable>,
    keys: Vec<Text>,
    matcher: Matcher,
}

fn hasflag(checker: &mut Checker<'_>, call: Call) -> BuiltTest {
    let (names, keys) = arguments(checker, &call)?;
    let mut variables = Vec::new();
    for name in &names {
        variables.push(checker.target(call.position, name)?);
    }
    Some(Box::new(HasFlag {
        variables,
        keys,
        matcher: call.matcher,
    }))
}

impl Test for HasFlag {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "hasflag test".to_owned());
        let mut flags = Vec::new();
        if self.variables.is_empty() {
            flags.extend(run.flags.iter().cloned());
            flags.extend(run.mail.flags.iter().cloned());
        }
        for variable in &self.variables {
            flags.extend(split([run.value_of(variable).as_str()]));
        }
        if matches!(
            self.matcher.kind,
            crate::matching::MatchType::Is
                | crate::matching::MatchType::Contains
                | crate::matching::MatchType::Matches
        ) {
            // A key may be several flags.
            let keys: Vec<String> = self.keys.iter().map(|key| key.value(run)).collect();
            let words = keys.iter().flat_map(|key| key.split_ascii_whitespace());
            let keys: Vec<Text> = words.map(Text::from_literal).collect();
            return self.matcher.any(run, &keys, flags);
        }
        self.matcher.any(run, &self.keys, flags)
    }
}
