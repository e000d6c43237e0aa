//! `praliases`: shows the aliases, as Sendmail's praliases(8) does.

use std::process::ExitCode;

use settings::TableRef;
use tables::Tables;

use crate::getopt::{Part, parts_of};
use crate::{EX_USAGE, Invocation, configuration, eprint_line, print_line};

const HELP: &str = "usage: praliases [-C DIR] [-f [TYPE:]FILE] [NAME ...]
Shows the aliases of alias_database in main.cf (/etc/aliases): all of them, or the named ones.
  -C DIR            takes DIR/main.cf (MAIL_CONFIG does the same)
  -f [TYPE:]FILE    shows this table instead";
const EX_NOINPUT: u8 = 66;

/// Runs `praliases`.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let parts = match parts_of(&invocation.args, "", "Cf") {
        Ok(parts) => parts,
        Err(text) => {
            invocation.complain(text);
            eprint_line("usage: praliases [-C cffile] [-f aliasfile] [key ...]");
            return ExitCode::from(EX_USAGE);
        }
    };
    let (mut directory, mut file, mut names) = (None, None, Vec::new());
    for part in parts {
        match part {
            Part::Value('C', value) => directory = Some(value),
            Part::Value(_, value) => file = Some(value),
            Part::Word(word) => names.push(word),
            Part::Flag(_) => {}
        }
    }
    let tables = match file {
        Some(file) => vec![file.parse().unwrap_or_else(|_| TableRef::new("hash", &file))],
        None => match configuration::postfix(&configuration::directory(directory.as_deref())) {
            Ok(settings) => settings.alias_database,
            Err(text) => {
                invocation.complain(text);
                return ExitCode::from(EX_NOINPUT);
            }
        },
    };
    // A table that cannot be read does not hide the others; Sendmail's says so and ends well, which scripts cannot see.
    let shown = tables.iter().filter(|table| match show(table, &names) {
        Ok(()) => true,
        Err(error) => {
            invocation.complain(error);
            false
        }
    });
    match shown.count() == tables.len() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(EX_NOINPUT),
    }
}

fn show(table: &TableRef, names: &[String]) -> Result<(), tables::Error> {
    let (opened, problems) = Tables::open(std::slice::from_ref(table));
    if let Some(problem) = problems.into_iter().next() {
        return Err(problem);
    }
    if names.is_empty() {
        for (name, value) in opened.entries()? {
            print_line(&format!("{name}:{value}"));
        }
        return Ok(());
    }
    for name in names {
        match opened.entry(name, tables::Case::Folded)? {
            Some(value) => print_line(&format!("{}:{value}", name.to_lowercase())),
            None => print_line(&format!("{name}: No such key")),
        }
    }
    Ok(())
}
