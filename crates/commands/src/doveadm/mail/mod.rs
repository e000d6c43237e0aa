//! The commands of `doveadm` that work on users' mail: what they have in common. Each is a [`Task`] that is done for one user
//! after another ([`users`]), with that user's rights.

mod copy;
mod deduplicate;
mod expunge;
mod fetch;
mod find;
mod flags;
mod import;
mod index;
pub(super) mod query;
mod resync;
mod save;
mod search;
mod session;
pub(super) mod transfer;
mod users;

use std::process::ExitCode;

use super::formatter::Formatter;
use super::screen::{Cell, Column, Form, NotInTable, Screen, Shape};
use super::{Call, TEMPORARY, USAGE, fatal, settings_with};
use crate::eprint_line;
use crate::getopt::{Part, parts_of};
pub(super) use find::{fits, guid_of, saved_secs};
pub(super) use session::{IMPOSSIBLE, NOT_FOUND, UserMail};

/// A command.
pub(super) struct Command {
    /// Its words: `mailbox status`.
    pub(super) name: &'static str,
    /// What follows the options that all have.
    pub(super) usage: &'static str,
    /// Letters of options without a value, of options with one, and the names of long ones, which all take one.
    pub(super) options: (&'static str, &'static str, &'static [&'static str]),
    /// In which form it shows rows where nobody says.
    pub(super) formatter: Formatter,
    /// Whether it reads something from standard input.
    pub(super) reads_input: bool,
    /// What is to be done.
    pub(super) make: fn(&Words) -> Result<Box<dyn Task>, Wrong>,
}

/// What is wrong with a command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The usage says what is right.
    Usage,
    /// Exit code and text, which is of its own or follows `Fatal:`.
    Said(u8, String),
    Fatal(u8, String),
}

impl Wrong {
    pub(super) fn fatal(text: impl Into<String>) -> Wrong {
        Wrong::Fatal(TEMPORARY, text.into())
    }
}

/// The options and arguments of a command that are its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Words {
    flags: Vec<char>,
    values: Vec<(String, String)>,
    pub(super) args: Vec<String>,
}

impl Words {
    pub(super) fn has(&self, flag: char) -> bool {
        self.flags.contains(&flag)
    }

    /// What an option says; the last one, if it is there several times.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let mut values = self.values.iter().rev();
        values
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first arguments and the rest.
    pub(super) fn split<const N: usize>(&self) -> Result<([&str; N], &[String]), Wrong> {
        let (first, rest) = self.args.split_at_checked(N).ok_or(Wrong::Usage)?;
        let mut words = [""; N];
        for (word, arg) in words.iter_mut().zip(first) {
            *word = arg;
        }
        Ok((words, rest))
    }

    /// As many arguments and no more.
    pub(super) fn exactly<const N: usize>(&self) -> Result<[&str; N], Wrong> {
        let (first, rest) = self.split()?;
        match rest.first() {
            None => Ok(first),
            Some(_) if N == 0 => Err(Wrong::Said(
                USAGE,
                format!("Error: Extraneous arguments found: {}", rest.join(" ")),
            )),
            Some(_) => Err(Wrong::Usage),
        }
    }

    /// The query that these arguments are.
    pub(super) fn query(&self, args: &[String]) -> Result<query::Query, Wrong> {
        if args.is_empty() {
            return Err(Wrong::Usage);
        }
        query::Query::parse(args, now_secs()).map_err(Wrong::fatal)
    }
}

/// What is done for one user after another.
pub(super) trait Task {
    /// The columns of what is shown; none where nothing is.
    fn columns(&self) -> Vec<Column> {
        Vec::new()
    }

    /// Does it. What goes wrong is told through `mail`.
    fn run(&mut self, mail: &mut UserMail, rows: &mut Rows<'_>);

    /// After all users.
    fn finish(&mut self, rows: &mut Rows<'_>) {
        let _ = rows;
    }
}

/// Where a task puts its rows.
pub(super) struct Rows<'a> {
    screen: &'a mut Screen,
    /// The user, where each row begins with its name.
    user: Option<String>,
    /// The user, for what is said of errors.
    who: String,
    /// A table was to show several lines: nothing more comes.
    stopped: bool,
}

impl Rows<'_> {
    pub(super) fn add(&mut self, cells: Vec<Cell>) {
        if self.stopped {
            return;
        }
        let user = self.user.as_deref().map(Cell::from);
        let row = user.into_iter().chain(cells).collect();
        if let Err(NotInTable) = self.screen.row(row) {
            let who = &self.who;
            eprint_line(&format!(
                "doveadm({who}): Fatal: table formatter doesn't support multi-line values"
            ));
            self.stopped = true;
        }
    }

    /// Whether nothing more can be shown.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }
}

/// All commands on mail.
const COMMANDS: &[&Command] = &[
    &copy::COPY,
    &copy::MOVE,
    &deduplicate::COMMAND,
    &expunge::COMMAND,
    &fetch::COMMAND,
    &flags::ADD,
    &flags::REMOVE,
    &flags::REPLACE,
    &import::COMMAND,
    &index::COMMAND,
    &index::PURGE,
    &resync::COMMAND,
    &save::COMMAND,
    &search::COMMAND,
];

/// The command whose name the first words are, and what follows them; or, where only the beginning of a name is there, all of that
/// beginning.
pub(super) fn command_of<'a>(
    word: &str,
    args: &'a [String],
) -> Result<(&'static Command, &'a [String]), Vec<&'static Command>> {
    let all = COMMANDS.iter().chain(super::mailbox::COMMANDS).copied();
    let mut begun = Vec::new();
    for command in all {
        let mut names = command.name.split(' ');
        if names.next() != Some(word) {
            continue;
        }
        let rest: Vec<&str> = names.collect();
        let here = args.get(..rest.len());
        if here.is_some_and(|here| here.iter().map(String::as_str).eq(rest.iter().copied())) {
            return Ok((command, &args[rest.len()..]));
        }
        begun.push(command);
    }
    Err(begun)
}

/// Runs a command.
pub(super) fn run(command: &'static Command, args: &[String], call: &Call) -> ExitCode {
    let (whose, words) = match parse(command, args) {
        Ok(parsed) => parsed,
        Err(wrong) => return complain(command, wrong),
    };
    // That words make no sense is told before anybody's mail is touched.
    let task = match (command.make)(&words) {
        Ok(task) => task,
        Err(wrong) => return complain(command, wrong),
    };
    let settings = match settings_with(&call.config_file, &call.overrides) {
        Ok(settings) => settings,
        Err(text) => return fatal(&text),
    };
    let form = match call.is_helper {
        true => Form::Sent,
        false => Form::Shown(call.formatter.unwrap_or(command.formatter)),
    };
    let run = users::Run {
        command,
        words,
        call,
        settings,
    };
    let mut columns = task.columns();
    let shows = !columns.is_empty();
    if whose.are_many() {
        columns.insert(0, Column::called("username", "Username", Shape::Untitled));
    }
    let mut screen = Screen::new(form, columns);
    let code = users::run(&run, &whose, task, &mut screen);
    if shows {
        screen.finish();
    }
    ExitCode::from(code)
}

fn complain(command: &Command, wrong: Wrong) -> ExitCode {
    match wrong {
        Wrong::Usage => {
            eprint_line(&usage_of(command));
            ExitCode::from(USAGE)
        }
        Wrong::Said(code, text) => {
            eprint_line(&text);
            ExitCode::from(code)
        }
        Wrong::Fatal(code, text) => {
            eprint_line(&format!("Fatal: {text}"));
            ExitCode::from(code)
        }
    }
}

fn usage_of(command: &Command) -> String {
    format!("doveadm {} {}", command.name, all_arguments(command))
}

/// What may follow a command's name.
pub(super) fn all_arguments(command: &Command) -> String {
    format!("[-u <user>|-A] [-S <socket_path>] {}", command.usage)
}

fn parse(command: &Command, args: &[String]) -> Result<(users::Whose, Words), Wrong> {
    let (flags, values, long) = command.options;
    let last = command.name.rsplit(' ').next().unwrap_or_default();
    let said = |text: String| Wrong::Said(USAGE, format!("{last}: {text}"));
    let (args, mut own) = long_values(args, long).map_err(said)?;
    let (flags, values) = (format!("{flags}A"), format!("{values}uFS"));
    let parts = parts_of(&args, &flags, &values).map_err(said)?;
    let mut words = Words::default();
    let mut whose = users::Whose::Own;
    for part in parts {
        match part {
            Part::Flag('A') => whose = users::Whose::All,
            Part::Value('u', user) if whose != users::Whose::All => whose = users::Whose::of_mask(user),
            Part::Value('u', _) => {}
            Part::Value('F', file) => whose = users::Whose::Listed(file.into()),
            Part::Value('S', socket) => {
                return Err(Wrong::fatal(format!(
                    "-S {socket}: there is no server of doveadm to ask; the command does the work itself"
                )));
            }
            Part::Flag(flag) => words.flags.push(flag),
            Part::Value(option, value) => own.push((option.to_string(), value)),
            Part::Word(word) => words.args.push(word),
        }
    }
    words.values = own;
    Ok((whose, words))
}

type Values = Vec<(String, String)>;

/// Takes the long options out of `args`.
fn long_values(args: &[String], long: &[&str]) -> Result<(Vec<String>, Values), String> {
    let (mut rest, mut values) = (Vec::new(), Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let Some(name) = arg.strip_prefix("--").filter(|name| !name.is_empty()) else {
            rest.push(arg.clone());
            if arg == "--" {
                rest.extend(args.by_ref().cloned());
            }
            continue;
        };
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (name, None),
        };
        if !long.contains(&name) {
            return Err(format!("unrecognized option '--{name}'"));
        }
        let value = value.or_else(|| args.next().cloned());
        let value = value.ok_or_else(|| format!("option '--{name}' requires an argument"))?;
        values.push((name.to_owned(), value));
    }
    Ok((rest, values))
}

pub(super) fn now_secs() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}
