//! `vnd.dovecot.filter` and `vnd.dovecot.execute`: run a program that the administrator provided, and go on with what it
//! wrote.

use super::Extension;
use super::pipe::{External, external, values};
use crate::checker::Checker;
use crate::host::{ProgramCall, ProgramEnd};
use crate::mail::Mail;
use crate::run::{Run, Step, Stop, Variable};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltCommand, BuiltTest, Call, Command, Kind, Tag, Test, Word};

pub(crate) const FILTER: Extension = Extension::new("vnd.dovecot.filter").off().words(&[
    Word::command("filter", &[], &[], |c, call| command(filter(c, call))).own_arguments(),
    Word::test("filter", &[], &[], |c, call| test(filter(c, call))).own_arguments(),
]);
pub(crate) const EXECUTE: Extension = Extension::new("vnd.dovecot.execute").off().words(&[
    Word::command("execute", &[], TAGS, |c, call| command(execute(c, call))).own_arguments(),
    Word::test("execute", &[], TAGS, |c, call| test(execute(c, call))).own_arguments(),
]);

const TAGS: &[Tag] = &[
    Tag::with("input", Kind::Text).slot("input"),
    Tag::flag("pipe").slot("input"),
    Tag::with("output", Kind::Text),
];

/// What the program reads.
#[derive(Debug)]
enum Input {
    Nothing,
    Message,
    Text(Text),
}

/// What becomes of what it writes.
#[derive(Debug)]
enum Output {
    Nothing,
    Message,
    Variable(Variable),
}

#[derive(Debug)]
struct Invocation {
    name: &'static str,
    program: Text,
    arguments: Vec<Text>,
    input: Input,
    output: Output,
}

fn command(built: Option<Invocation>) -> BuiltCommand {
    Some(Box::new(built?))
}

fn test(built: Option<Invocation>) -> BuiltTest {
    Some(Box::new(built?))
}

fn filter(checker: &mut Checker<'_>, call: Call) -> Option<Invocation> {
    let External { program, arguments } = external(checker, &call)?;
    Some(Invocation {
        name: "filter",
        program,
        arguments,
        input: Input::Message,
        output: Output::Message,
    })
}

fn execute(checker: &mut Checker<'_>, call: Call) -> Option<Invocation> {
    let External { program, arguments } = external(checker, &call)?;
    let output = match call.tag_text("output") {
        Some(_) if !checker.has("variables") => {
            let title = &call.title;
            checker.error(
                call.position,
                format!(
                    "the {title} only allows for the specification of an :output argument when the variables extension is active"
                ),
            );
            return None;
        }
        Some(name) => Output::Variable(checker.target(call.position, &name)?),
        None => Output::Nothing,
    };
    let input = match call.tag_text("input") {
        Some(text) => Input::Text(text),
        None if call.has("pipe") => Input::Message,
        None => Input::Nothing,
    };
    Some(Invocation {
        name: "execute",
        program,
        arguments,
        input,
        output,
    })
}

impl Invocation {
    /// Whether the program succeeded.
    fn carry_out(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        let (program, arguments) = values(run, self.name, &self.program, &self.arguments)?;
        let name = self.name;
        run.trace(Level::Actions, |_| format!("{name} action"));
        run.spend(1_000)?;
        let input = match &self.input {
            Input::Nothing => Vec::new(),
            Input::Message => run.mail.bytes().to_vec(),
            Input::Text(text) => text.value(run).into_bytes(),
        };
        let call = ProgramCall {
            command: self.name,
            program,
            arguments,
            input,
        };
        match run.host.program(&call) {
            ProgramEnd::Success(written) => {
                match &self.output {
                    Output::Nothing => {}
                    // A filter that writes nothing is taken for one that failed to.
                    Output::Message if written.is_empty() => return Ok(false),
                    Output::Message => run.mail = Mail::new(written),
                    Output::Variable(variable) => {
                        run.set_variable(variable, String::from_utf8_lossy(&written).into_owned());
                    }
                }
                Ok(true)
            }
            ProgramEnd::Failure => Ok(false),
            ProgramEnd::Trouble(why) => {
                run.error(format!("{name} action: {why}"));
                Ok(false)
            }
        }
    }
}

impl Command for Invocation {
    fn run(&self, run: &mut Run<'_>) -> Step {
        self.carry_out(run).map(|_| ())
    }
}

impl Test for Invocation {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        self.carry_out(run)
    }
}
