//! `newaliases`: builds the databases of `alias_database`, as Postfix's newaliases(1) and `sendmail -bi` do.

use std::process::ExitCode;

use settings::{Postfix, TableRef};
use tables::build::{Options, has_database};
use tables::source::Syntax;

use crate::Invocation;
use crate::postmap::{build_one, fatal};

pub(crate) const HELP: &str = "usage: newaliases [-C DIR] [-oA[TYPE:]FILE]
Builds the alias databases that alias_database in main.cf names (/etc/aliases).
  -C DIR           takes DIR/main.cf (MAIL_CONFIG does the same)
  -oA[TYPE:]FILE   builds this one instead";

/// Builds the databases that `settings` name, or the one that is `named`. As in Postfix it is postalias that builds,
/// and speaks.
pub(crate) fn rebuild(settings: Postfix, named: Option<&str>) -> ExitCode {
    let postalias = Invocation {
        name: "postalias".to_owned(),
        args: Vec::new(),
    };
    let tables: Vec<TableRef> = match named {
        Some(name) => vec![
            name.parse()
                .unwrap_or_else(|_| TableRef::new(&settings.default_database_type, name)),
        ],
        // Tables that are read as they are need no building.
        None => settings
            .alias_database
            .into_iter()
            .filter(|table| has_database(&table.kind))
            .collect(),
    };
    let built = tables
        .iter()
        .try_for_each(|table| build_one(&postalias, table, Options::of(Syntax::Aliases)));
    match built {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => fatal(&postalias, &text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(args: &[&str]) -> ExitCode {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        crate::sendmail::run(&Invocation {
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
            is_same(ran(&["-C", &place.to_string()]), ExitCode::from(75)),
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
        assert!(is_same(
            ran(&["-C", &place.to_string(), "foo"]),
            ExitCode::from(75)
        ));
        assert_eq!(entries("more"), [("daemon".to_owned(), "root".to_owned())]);
    }
}
