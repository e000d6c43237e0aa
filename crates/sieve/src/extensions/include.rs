//! `include` (RFC 6609): scripts in scripts, `return`, and variables that they share.

use super::Extension;
use crate::checker::{Checker, Included};
use crate::diagnostics::Stage;
use crate::host::Location;
use crate::run::{Run, Step, Stop};
use crate::trace::Level;
use crate::words::{BuiltCommand, Call, Command, Kind, Tag, Word};

pub(crate) const EXTENSION: Extension = Extension::new("include").words(&[
    Word::command(
        "include",
        &[("value", Kind::Text)],
        &[
            Tag::flag("personal").slot("location"),
            Tag::flag("global").slot("location"),
            Tag::flag("once").slot(""),
            Tag::flag("optional").slot(""),
        ],
        include,
    ),
    Word::command("return", &[], &[], |_, _| Some(Box::new(Return))),
    Word::command("global", &[("value", Kind::Texts)], &[], global),
]);

/// The longest name of a script, in characters.
const NAME_MAX: usize = 256;

#[derive(Debug)]
struct Include {
    name: String,
    /// Its number among the units of the program; `None` when it is optional and missing.
    unit: Option<usize>,
    once: bool,
}

fn include(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    let position = call.position;
    let name = call.text(0);
    let Some(name) = name.literal().map(str::to_owned) else {
        checker.error(
            position,
            "the include command requires a constant string for its value argument",
        );
        return None;
    };
    let valid = !name.is_empty()
        && name.chars().count() <= NAME_MAX
        && !name.contains(|c: char| c.is_control() || c == '/');
    if !valid || name.starts_with('.') {
        checker.error(position, format!("include: invalid script name '{name}'"));
        return None;
    }
    let location = if call.has("global") {
        Location::Global
    } else {
        Location::Personal
    };
    let (word, optional) = (location.word(), call.has("optional"));
    let unit = match checker.include(location, &name) {
        Included::Unit(unit) => Some(unit),
        Included::Missing if optional => None,
        Included::Missing => {
            checker.error(
                position,
                format!("included {word} script '{name}' does not exist"),
            );
            return None;
        }
        Included::Unavailable => {
            checker.error(
                position,
                format!(
                    "include: {word} location for included script `{name}' is unavailable (contact system administrator for more information)"
                ),
            );
            return None;
        }
        Included::TooMany(max) => {
            checker.error(
                position,
                format!("failed to include script '{name}': no more than {max} includes allowed"),
            );
            return None;
        }
        Included::TooDeep(max) => {
            checker.included_script_is_faulty();
            checker.error(position, format!("cannot nest includes deeper than {max} levels"));
            return None;
        }
        // The script that is being checked cannot be run a second time in itself.
        Included::Circular if call.has("once") => None,
        Included::Circular => {
            checker.included_script_is_faulty();
            checker.error(position, "circular include");
            return None;
        }
        Included::Faulty(stage) => {
            checker.included_script_is_faulty();
            let what = match stage {
                Stage::Parse => "parse",
                Stage::Validation => "validate",
                Stage::Generation => "generate code for",
            };
            checker.error(position, format!("failed to {what} included script '{name}'"));
            return None;
        }
    };
    Some(Box::new(Include {
        name,
        unit,
        once: call.has("once"),
    }))
}

impl Command for Include {
    fn run(&self, run: &mut Run<'_>) -> Step {
        let Some(index) = self.unit else {
            return Ok(());
        };
        let name = &self.name;
        if self.once && run.included.contains(&index) {
            run.trace(Level::Commands, |_| {
                format!("include: skipped include for script `{name}'; already run once")
            });
            return Ok(());
        }
        if run.units.contains(&index) {
            return match self.once {
                true => Ok(()),
                false => run.fail(format!(
                    "failed to include script '{name}': it is already being executed (circular include)"
                )),
            };
        }
        let max = run.settings.include_nesting_max;
        if run.units.len() > max {
            return run.fail(format!(
                "failed to include script '{name}': scripts cannot be nested deeper than {max} levels"
            ));
        }
        run.trace(Level::Commands, |_| format!("include: start script `{name}'"));
        run.included.insert(index);
        run.units.push(index);
        let program = run.program;
        let result = run.block(&program.units[index].block);
        run.units.pop();
        run.trace(Level::Commands, |_| format!("include: finished script `{name}'"));
        match result {
            Err(Stop::Return) => Ok(()),
            other => other,
        }
    }
}

#[derive(Debug)]
struct Return;

impl Command for Return {
    fn run(&self, run: &mut Run<'_>) -> Step {
        run.trace(Level::Commands, |_| {
            "return command; exiting included script".to_owned()
        });
        Err(Stop::Return)
    }
}

/// Only the checker has to know.
#[derive(Debug)]
struct Global;

impl Command for Global {
    fn run(&self, _run: &mut Run<'_>) -> Step {
        Ok(())
    }
}

fn global(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    if !checker.has("variables") {
        checker.error(
            call.position,
            "global command requires that variables extension is active",
        );
        return None;
    }
    for name in call.texts(0) {
        checker.declare_global(call.position, &name.written());
    }
    Some(Box::new(Global))
}
