//! `smtpd_command_filter`: a table that replaces commands; and what the log says of commands that were not as they should be.

use std::sync::Arc;

use maillog::lines::smtpd as lines;
use settings::Postfix;
use smtp::server::{CommandFilter, Note};
use tables::{Error, Tables, Tell};

use super::session::Session;
use super::transaction::Transaction;

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
        // What a table answers with nothing is a command of nothing: Postfix asks the table itself, not a list of tables.
        opened.entry(command, tables::Case::Folded).map_err(|_| {
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
            Note::NotReplaced { after, reply } => {
                let table = self.service.settings.smtpd_command_filter.first();
                let rule = format!(
                    "smtpd_command_filter {}",
                    table.map(ToString::to_string).unwrap_or_default()
                );
                let transaction = self.transaction.as_ref();
                self.service.log.write(&lines::CommandNotReplaced {
                    queue_id: transaction.and_then(Transaction::queue_id),
                    stage: after,
                    peer: self.peer(),
                    reply: &reply.to_string(),
                    rule: Some(rule.as_str()).filter(|_| self.names_rules()),
                });
            }
            Note::IllegalAddress { command, written } => {
                let client = &self.client;
                let text = format!("Illegal address syntax from {client} in {command} command: {written}");
                self.service.log.warning("smtpd", &text);
            }
            _ => {}
        }
    }
}
