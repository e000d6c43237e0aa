//! `vnd.dovecot.pipe`: give the message to a program that the administrator provided.

use super::Extension;
use crate::actions::{Action, Pipe};
use crate::checker::Checker;
use crate::result::Keep;
use crate::run::{Run, Step};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltCommand, Call, Command, Given, Tag, Word};

pub(crate) const EXTENSION: Extension =
    Extension::new("vnd.dovecot.pipe")
        .off()
        .words(&[Word::command("pipe", &[], &[Tag::flag("try")], build).own_arguments()]);

/// The program and its arguments, as `pipe`, `filter` and `execute` take them.
pub(crate) struct External {
    pub(crate) program: Text,
    pub(crate) arguments: Vec<Text>,
}

/// What a program of `pipe`, `filter` or `execute` may be called.
fn is_program_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(|c: char| c == '/' || c.is_control())
}

/// What an argument of such a program may be.
fn is_argument(argument: &str) -> bool {
    !argument.contains(|c: char| c.is_control())
}

/// The positional arguments of such a command.
pub(crate) fn external(checker: &mut Checker<'_>, call: &Call) -> Option<External> {
    let (title, position) = (&call.title, call.position);
    let (program, arguments) = match call.positional.as_slice() {
        [] => {
            checker.error(
                position,
                format!("the {title} expects at least one positional argument, but none was found"),
            );
            return None;
        }
        [Given::Text(program)] => (program.clone(), Vec::new()),
        [
            Given::Text(program),
            arguments @ (Given::Text(_) | Given::Texts(_)),
        ] => (program.clone(), arguments.clone().into_texts()),
        [Given::Text(_), other] => {
            let found = other.name();
            checker.error(
                position,
                format!(
                    "the {title} expects a string list as argument 2 (arguments), but a {found} was found"
                ),
            );
            return None;
        }
        [other] | [other, _] => {
            let found = other.name();
            checker.error(
                position,
                format!("the {title} expects a string as argument 1 (program-name), but a {found} was found"),
            );
            return None;
        }
        _ => {
            checker.error(
                position,
                format!("the {title} expects at most two positional arguments, but more were found"),
            );
            return None;
        }
    };
    if let Some(name) = program.literal()
        && !is_program_name(name)
    {
        checker.error(position, format!("{title}: invalid program name '{name}'"));
        return None;
    }
    for argument in arguments.iter().filter_map(Text::literal) {
        if !is_argument(argument) {
            let shown: String = argument
                .chars()
                .map(|c| if c.is_control() { '?' } else { c })
                .collect();
            checker.error(
                position,
                format!("{title}: specified external program argument `{shown}' is invalid"),
            );
            return None;
        }
    }
    Some(External { program, arguments })
}

/// The same as they are now.
///
/// # Errors
/// One that is not allowed; told.
pub(crate) fn values(
    run: &mut Run<'_>,
    title: &str,
    program: &Text,
    arguments: &[Text],
) -> Result<(String, Vec<String>), crate::run::Stop> {
    let name = program.value(run);
    if !is_program_name(&name) {
        return run.fail(format!("{title} action: invalid program name `{name}'"));
    }
    let arguments: Vec<String> = arguments.iter().map(|argument| argument.value(run)).collect();
    if let Some(wrong) = arguments.iter().find(|argument| !is_argument(argument)) {
        return run.fail(format!(
            "{title} action: specified external program argument `{wrong}' is invalid"
        ));
    }
    Ok((name, arguments))
}

#[derive(Debug)]
struct PipeCommand {
    program: Text,
    arguments: Vec<Text>,
    copy: bool,
    tries: bool,
}

fn build(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    let External { program, arguments } = external(checker, &call)?;
    Some(Box::new(PipeCommand {
        program,
        arguments,
        copy: call.has("copy"),
        tries: call.has("try"),
    }))
}

impl Command for PipeCommand {
    fn run(&self, run: &mut Run<'_>) -> Step {
        let (program, arguments) = values(run, "pipe", &self.program, &self.arguments)?;
        run.trace(Level::Actions, |_| "pipe action".to_owned());
        run.trace(Level::Actions, |_| {
            format!("  pipe message to program `{program}'")
        });
        let pipe = Pipe {
            program,
            arguments,
            tries: self.tries,
        };
        let keep = if self.copy { Keep::Stays } else { Keep::Cancelled };
        run.add(Action::Pipe(pipe), keep)
    }
}
