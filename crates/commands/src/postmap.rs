//! `postmap` and `postalias`: build and ask lookup tables as Postfix's postmap(1) and postalias(1) do.

use std::io::{BufRead, Read};
use std::path::Path;
use std::process::ExitCode;

use settings::TableRef;
use tables::Tables;
use tables::build::{self, Duplicates, Options};
use tables::source::Syntax;

use crate::message_keys::MessageKeys;
use crate::submission::MESSAGE_BYTES_MAX;
use crate::{Invocation, configuration, eprint_line, print_line};

const HELP: &str = "usage: postmap [-bfhimnNoprsuUvw] [-c DIR] [-d KEY] [-q KEY] [TYPE:]FILE...
Builds the database of a lookup table from its text source FILE, or asks a table.
(postalias is the same for files in the syntax of aliases(5).)
  -b, -h  with -q -: standard input is a message, its body lines or header fields are the keys; -m parts it by MIME
  -c DIR  takes DIR/main.cf (MAIL_CONFIG does the same)
  -d KEY  removes KEY; - reads keys from standard input
  -f      does not fold keys to lower case
  -i      adds entries from standard input to what is there
  -o      does not give the database the owner of the source
  -q KEY  shows the value of KEY; - reads keys from standard input and shows keys and values
  -r      replaces entries that are there already
  -s      shows all entries
  -w      does not warn of entries that are there already";

/// The longest list of keys that is read from standard input.
const KEYS_MAX: usize = 10_000_000;

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    config_directory: Option<String>,
    delete: Option<String>,
    query: Option<String>,
    sequence: bool,
    message: MessageKeys,
    keeps_case: bool,
    incremental: bool,
    keeps_own: bool,
    duplicates: Duplicates,
    tables: Vec<String>,
}

/// Runs `postmap`.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    run_as(invocation, Syntax::Map)
}

/// Runs `postalias`.
pub(crate) fn run_aliases(invocation: &Invocation) -> ExitCode {
    run_as(invocation, Syntax::Aliases)
}

fn run_as(invocation: &Invocation, syntax: Syntax) -> ExitCode {
    if invocation.wants_help() {
        print_line(&HELP.replacen("postmap", &invocation.name, 1));
        return ExitCode::SUCCESS;
    }
    let request = match request_of(&invocation.args) {
        Ok(request) => request,
        Err(text) => return fatal(invocation, &text),
    };
    if request.tables.is_empty() {
        let options = "[-fFimnNoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file...";
        return fatal(invocation, &format!("usage: {} {options}", invocation.name));
    }
    let default_type = match request.tables.iter().all(|table| table.contains(':')) {
        true => String::new(),
        false => default_type(&configuration::directory(request.config_directory.as_deref())),
    };
    let tables: Vec<TableRef> = request
        .tables
        .iter()
        .map(|name| table_ref(name, &default_type))
        .collect();
    let by_message = request.message.headers || request.message.body;
    let done = if (by_message || request.message.mime) && request.query.as_deref() != Some("-") {
        Err("specify -b -h or -m only with \"-q -\"".to_owned())
    } else if let Some(key) = &request.query {
        if request.message.mime && !by_message {
            eprint_line(&format!(
                "{}: warning: ignoring -m option without -b or -h",
                invocation.name
            ));
        }
        query(invocation, &tables, key, &request)
    } else if let Some(key) = &request.delete {
        delete(&tables, key, !request.keeps_case)
    } else if request.sequence {
        sequence(&tables)
    } else {
        create(invocation, &tables, &request, syntax)
    };
    done.unwrap_or_else(|text| fatal(invocation, &text))
}

pub(crate) fn fatal(invocation: &Invocation, text: &str) -> ExitCode {
    invocation.complain(format!("fatal: {text}"));
    ExitCode::FAILURE
}

fn request_of(args: &[String]) -> Result<Request, String> {
    let mut request = Request::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            request.tables.push(arg.clone());
            continue;
        };
        if letters == "-" {
            request.tables.extend(args.by_ref().cloned());
            break;
        }
        for (at, letter) in letters.char_indices() {
            match letter {
                'f' => request.keeps_case = true,
                'i' => request.incremental = true,
                'o' => request.keeps_own = true,
                'r' => request.duplicates = Duplicates::Replace,
                'w' => request.duplicates = Duplicates::Ignore,
                's' => request.sequence = true,
                'b' => request.message.body = true,
                'h' => request.message.headers = true,
                'm' => request.message.mime = true,
                'n' | 'N' | 'p' | 'v' | 'u' | 'U' => {}
                'c' | 'd' | 'q' => {
                    let rest = &letters[at + 1..];
                    let value = if rest.is_empty() {
                        args.next().cloned()
                    } else {
                        Some(rest.to_owned())
                    };
                    let value = value.ok_or_else(|| format!("nothing follows -{letter}"))?;
                    match letter {
                        'c' => request.config_directory = Some(value),
                        'd' => request.delete = Some(value),
                        _ => request.query = Some(value),
                    }
                    break;
                }
                other => return Err(format!("option -{other} is not there")),
            }
        }
    }
    Ok(request)
}

fn table_ref(name: &str, default_type: &str) -> TableRef {
    name.parse().unwrap_or_else(|_| TableRef::new(default_type, name))
}

/// `default_database_type` of main.cf; its default when there is none.
fn default_type(directory: &Path) -> String {
    let mut problems = Vec::new();
    let main = config::main_cf::read(&directory.join("main.cf"), &mut problems);
    let set = main
        .settings
        .iter()
        .rev()
        .find(|setting| setting.name == "default_database_type");
    set.map_or_else(|| "hash".to_owned(), |setting| setting.text.clone())
}

fn create(
    invocation: &Invocation,
    tables: &[TableRef],
    request: &Request,
    syntax: Syntax,
) -> Result<ExitCode, String> {
    let options = Options {
        duplicates: request.duplicates,
        folds: !request.keeps_case,
        is_incremental: request.incremental,
        keeps_owner: !request.keeps_own,
        ..Options::of(syntax)
    };
    for table in tables {
        build_one(invocation, table, options)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds one database and prints its warnings; `-i` reads the standard input.
pub(crate) fn build_one(invocation: &Invocation, table: &TableRef, options: Options) -> Result<(), String> {
    if !build::has_database(&table.kind) {
        let (_, problems) = Tables::open(std::slice::from_ref(table));
        if let Some(error @ tables::Error::UnknownType { .. }) = problems.first() {
            return Err(error.to_string());
        }
        return Err(format!(
            "unsupported dictionary type: {} does not support bulk-mode creation.",
            table.kind
        ));
    }
    let report = if options.is_incremental {
        let text = std::io::read_to_string(std::io::stdin())
            .map_err(|error| format!("standard input: {}", os::words(&error)))?;
        build::build_from_text(table, &text, options)
    } else {
        build::build(table, options)
    };
    let report = report.map_err(|error| match error {
        // Postfix says it so of a source.
        tables::Error::Open { file, cause } if file == table.name => format!("open {file}: {cause}"),
        other => other.to_string(),
    })?;
    for warning in &report.warnings {
        eprint_line(&format!("{}: warning: {warning}", invocation.name));
    }
    Ok(())
}

/// Keys of the standard input, one a line.
fn keys() -> impl Iterator<Item = String> {
    std::io::stdin()
        .lock()
        .lines()
        .map_while(Result::ok)
        .take(KEYS_MAX)
}

fn query(
    invocation: &Invocation,
    refs: &[TableRef],
    key: &str,
    request: &Request,
) -> Result<ExitCode, String> {
    let (tables, problems) = Tables::open(refs);
    let is_fatal = |error: &&tables::Error| !matches!(error, tables::Error::Skipped { .. });
    if let Some(error) = problems.iter().find(is_fatal) {
        return Err(error.to_string());
    }
    let warn = || {
        for warning in tables.take_warnings() {
            eprint_line(&format!("{}: warning: {warning}", invocation.name));
        }
    };
    warn();
    let lookup = |key: &str| {
        let found = if request.keeps_case {
            tables.lookup_unfolded(key)
        } else {
            tables.lookup(key)
        };
        found.map_err(|error| error.to_string())
    };
    let mut has_found = false;
    let mut show = |key: &str| -> Result<(), String> {
        if let Some(value) = lookup(key)? {
            has_found = true;
            print_line(&format!("{key}\t{value}"));
        }
        Ok(())
    };
    if key == "-" && (request.message.headers || request.message.body) {
        let mut message = Vec::new();
        let mut input = std::io::stdin().lock().take(MESSAGE_BYTES_MAX);
        let read = input.read_to_end(&mut message);
        read.map_err(|error| format!("standard input: {}", os::words(&error)))?;
        request
            .message
            .of(&message)
            .iter()
            .try_for_each(|key| show(key))?;
    } else if key == "-" {
        keys().try_for_each(|key| show(&key))?;
    } else if let Some(value) = lookup(key)? {
        has_found = true;
        print_line(&value);
    }
    warn();
    Ok(if has_found {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn delete(refs: &[TableRef], key: &str, folds: bool) -> Result<ExitCode, String> {
    let keys: Vec<String> = if key == "-" {
        keys().collect()
    } else {
        vec![key.to_owned()]
    };
    let mut deleted = 0;
    for table in refs {
        deleted += build::delete(table, &keys, folds).map_err(|error| error.to_string())?;
    }
    Ok(if deleted > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn sequence(refs: &[TableRef]) -> Result<ExitCode, String> {
    for table in refs {
        for (key, value) in build::entries(table).map_err(|error| error.to_string())? {
            print_line(&format!("{key}\t{value}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn arguments() {
        let request = request_of(&args("-fw -c/x -q key hash:/a /b")).unwrap();
        assert!(request.keeps_case && !request.incremental);
        assert_eq!(request.duplicates, Duplicates::Ignore);
        assert_eq!(request.config_directory.as_deref(), Some("/x"));
        assert_eq!(request.query.as_deref(), Some("key"));
        assert_eq!(request.tables, ["hash:/a", "/b"]);
        assert_eq!(
            request_of(&args("-q - hash:/a")).unwrap().query.as_deref(),
            Some("-")
        );
        assert!(request_of(&args("-q")).is_err());
        assert!(request_of(&args("-Z")).is_err());
        assert_eq!(table_ref("/b", "hash"), TableRef::new("hash", "/b"));
    }
}
