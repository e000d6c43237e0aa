//! `doveadm mailbox`: the mailboxes of users (doveadm-mailbox(1)), one file for each sub-command.

mod create;
mod delete;
mod list;
mod mutf7;
mod path;
mod rename;
mod status;
mod subscribe;

pub(super) use mutf7::run as mutf7;

use super::formatter::Formatter;
use super::mail::{Command, Rows, Task, UserMail, Words, Wrong};
use super::screen::{Cell, Column, Shape};

/// All of them.
pub(super) const COMMANDS: &[&Command] = &[
    &create::COMMAND,
    &delete::COMMAND,
    &list::COMMAND,
    &path::COMMAND,
    &rename::COMMAND,
    &status::COMMAND,
    &subscribe::SUBSCRIBE,
    &subscribe::UNSUBSCRIBE,
];

/// The names that are the arguments: at least one.
fn names(words: &Words) -> Result<Vec<String>, Wrong> {
    match words.args.is_empty() {
        true => Err(Wrong::Usage),
        false => Ok(words.args.clone()),
    }
}

/// What is wrong with a name, whatever the format of the mailboxes.
fn complaint(name: &str, separator: char) -> Option<&'static str> {
    let twice: String = [separator, separator].iter().collect();
    match name {
        "" => Some("Name is empty"),
        name if name.starts_with(separator) => Some("Begins with hierarchy separator"),
        name if name.starts_with('~') => Some("Begins with '~'"),
        name if name.contains(&twice) => Some("Has adjacent hierarchy separators"),
        _ => None,
    }
}
