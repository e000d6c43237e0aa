//! `smtpd_command_filter`: a table that replaces commands; and what the log says of commands that were not as they should be.

use std::sync::Arc;

use maillog::lines::smtpd as lines;
use settings::Postfix;
use smtp::server::{CommandFilter, Note};
use tables::{Error, Tables, Tell};

use super::session::Session;

/// The filter of a service, if it has one. A failed lookup is told to `tell`.
pub(super) fn open(settings: &Postfix, tell: &Tell, problems: &mut Vec<Error>) -> Option<CommandFilter> {
    let [table, ..] = settings.smtpd_command_filter.as_slice() else {
        return None;
    };
    let (mut opened, found) = Tables::open(std::slice::from_ref(table));
    problems.extend(found);
    opened.tell_warnings(tell);
    let (table, tell) = (table.clone(), Arc::clone(tell));
    Some(CommandFilter(Arc::new(move |command: &str| {
        opened.lookup(command).map_err(|_| {
            let start: String = command.chars().take(100).collect();
            tell(&format!("{table} lookup error for \"{start}\""));
        })
    })))
}

impl Session {
    /// The line of the log about a command that was replaced or whose address is none.
    pub(super) fn tell_of_command(&self, note: &Note) {
        match note {
            Note::Replaced { command, by } => self.service.log.write(&lines::CommandReplaced {
                peer: self.peer(),
                command,
                by,
            }),
            Note::IllegalAddress { command, written } => {
                let client = &self.client;
                let text = format!("Illegal address syntax from {client} in {command} command: {written}");
                self.service.log.warning("smtpd", &text);
            }
            _ => {}
        }
    }
}
