//! `newaliases`: builds the databases of `alias_database`, as Postfix's newaliases(1) and `sendmail -bi` do.

use std::path::Path;
use std::process::ExitCode;

use settings::TableRef;
use tables::build::{Options, has_database};
use tables::source::Syntax;

use crate::postmap::{build_one, fatal};
use crate::{Invocation, configuration, print_line};

const HELP: &str = "usage: newaliases [-C DIR] [-oA[TYPE:]FILE]
Builds the alias databases that alias_database in main.cf names (/etc/aliases).
  -C DIR           takes DIR/main.cf (MAIL_CONFIG does the same)
  -oA[TYPE:]FILE   builds this one instead";

/// Runs the command. `sendmail -bi` and `sendmail -I` come here too.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let (mut directory, mut named) = (None, None);
    let mut args = invocation.args.iter();
    while let Some(arg) = args.next() {
        if let Some(rest) = arg.strip_prefix("-C") {
            directory = if rest.is_empty() {
                args.next().cloned()
            } else {
                Some(rest.to_owned())
            };
        } else if let Some(rest) = arg.strip_prefix("-oA") {
            named = Some(rest.to_owned());
        }
        // Other options are sendmail's; none changes what is built.
    }
    match rebuild(invocation, &configuration::directory(directory.as_deref()), named) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => fatal(invocation, &text),
    }
}

fn rebuild(invocation: &Invocation, directory: &Path, named: Option<String>) -> Result<(), String> {
    let main_cf = directory.join("main.cf");
    if !main_cf.exists() {
        return Err(format!("open {}: No such file or directory", main_cf.display()));
    }
    let options = config::Options {
        surroundings: config::this_machine(),
        dovecot: config::DovecotFile::Without,
        overrides: Vec::new(),
    };
    let postfix = config::load(directory, &options).postfix;
    let tables: Vec<TableRef> = match named {
        Some(name) => vec![
            name.parse()
                .unwrap_or_else(|_| TableRef::new(&postfix.default_database_type, &name)),
        ],
        // Tables that are read as they are need no building.
        None => postfix
            .alias_database
            .into_iter()
            .filter(|table| has_database(&table.kind))
            .collect(),
    };
    tables
        .iter()
        .try_for_each(|table| build_one(invocation, table, Options::of(Syntax::Aliases)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(args: &[&str]) -> ExitCode {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        run(&Invocation {
            name: "newaliases".to_owned(),
            args,
        })
    }

    fn is_same(code: ExitCode, expected: ExitCode) -> bool {
        format!("{code:?}") == format!("{expected:?}")
    }

    #[test]
    fn the_databases_of_alias_database_are_built() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().display();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        assert!(
            is_same(ran(&["-C", &place.to_string()]), ExitCode::FAILURE),
            "there is no main.cf"
        );
        write(
            "main.cf",
            &format!("alias_database = hash:{place}/aliases, texthash:{place}/other\n"),
        );
        assert!(
            is_same(ran(&[&format!("-C{place}")]), ExitCode::FAILURE),
            "there is no source"
        );
        write("aliases", "postmaster: root\n");
        write("more", "daemon: root\n");
        assert!(is_same(ran(&["-C", &place.to_string()]), ExitCode::SUCCESS));
        let entries =
            |name: &str| tables::build::entries(&TableRef::new("hash", &format!("{place}/{name}"))).unwrap();
        assert_eq!(entries("aliases"), [("postmaster".to_owned(), "root".to_owned())]);
        assert!(is_same(
            ran(&["-C", &place.to_string(), &format!("-oA{place}/more")]),
            ExitCode::SUCCESS
        ));
        assert_eq!(entries("more"), [("daemon".to_owned(), "root".to_owned())]);
    }
}
