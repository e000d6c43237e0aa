//! `postmap` and `postalias`: build and ask lookup tables as Postfix's postmap(1) and postalias(1) do.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use settings::TableRef;
use tables::build::{self, Duplicates, Options};
use tables::source::Syntax;
use tables::{Tables, file_values};

use crate::getopt::{Part, parts_of};
use crate::message_keys::MessageKeys;
use crate::submission::MESSAGE_BYTES_MAX;
use crate::{Invocation, configuration, eprint_line, print_bytes, print_line};

const HELP: &str = "usage: postmap [-bfFhimnNoprsuUvw] [-c DIR] [-d KEY] [-q KEY] [TYPE:]FILE...
Builds the database of a lookup table from its text source FILE, or asks a table.
(postalias is the same for files in the syntax of aliases(5).)
  -b, -h  with -q -: standard input is a message, its body lines or header fields are the keys; -m parts it by MIME
  -c DIR  takes DIR/main.cf (MAIL_CONFIG does the same)
  -d KEY  removes KEY; - reads keys from standard input
  -f      does not fold keys to lower case
  -F      values are names of files, whose content is the value
  -i      adds entries from standard input to what is there
  -n, -N  have no effect: keys and values are kept without a zero octet at their end, and found so
  -o      does not give the database the owner of the source
  -p      does not give the database the permissions of the source
  -q KEY  shows the value of KEY; - reads keys from standard input and shows keys and values
  -r      replaces entries that are there already
  -s      shows all entries of the first table
  -u, -U  have no effect: keys and values are UTF-8
  -w      does not warn of entries that are there already";

/// The longest list of keys that is read from standard input.
const KEYS_MAX: usize = 10_000_000;
/// How much of the answers is written at once, in bytes.
const OUTPUT_BYTES: usize = 64 * 1024;

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    config_directory: Option<String>,
    delete: Option<String>,
    query: Option<String>,
    sequence: bool,
    message: MessageKeys,
    keeps_case: bool,
    reads_files: bool,
    incremental: bool,
    keeps_own: bool,
    own_mode: bool,
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
    let request = match request_of(&invocation.args, syntax) {
        Ok(request) => request,
        Err(Wrong::Getopt(text)) => {
            invocation.complain(text);
            return usage(invocation, syntax);
        }
        Err(Wrong::Fatal(text)) => return fatal(invocation, &text),
    };
    if request.tables.is_empty() {
        return usage(invocation, syntax);
    }
    let directory = match configuration_directory(&request) {
        Ok(directory) => directory,
        Err(text) => return fatal(invocation, &text),
    };
    let default_type = match request.tables.iter().all(|table| table.contains(':')) {
        true => String::new(),
        false => default_type(&directory),
    };
    let tables: Result<Vec<TableRef>, String> = request
        .tables
        .iter()
        .map(|name| table_ref(name, &default_type))
        .collect();
    tables
        .and_then(|tables| act(invocation, &tables, &request, syntax))
        .unwrap_or_else(|text| fatal(invocation, &text))
}

fn act(
    invocation: &Invocation,
    tables: &[TableRef],
    request: &Request,
    syntax: Syntax,
) -> Result<ExitCode, String> {
    let by_message = request.message.headers || request.message.body;
    if (by_message || request.message.mime) && request.query.as_deref() != Some("-") {
        return Err("specify -b -h or -m only with \"-q -\"".to_owned());
    }
    if let Some(key) = &request.query {
        if request.message.mime && !by_message {
            eprint_line(&format!(
                "{}: warning: ignoring -m option without -b or -h",
                invocation.name
            ));
        }
        return match key.as_str() {
            "-" => query_many(invocation, tables, request, syntax),
            key => query_one(invocation, tables, key, request),
        };
    }
    if let Some(key) = &request.delete {
        delete(tables, key, !request.keeps_case)
    } else if request.sequence {
        sequence(invocation, tables, request, syntax)
    } else {
        create(invocation, tables, request, syntax)
    }
}

pub(crate) fn fatal(invocation: &Invocation, text: &str) -> ExitCode {
    invocation.complain(format!("fatal: {text}"));
    ExitCode::FAILURE
}

fn usage(invocation: &Invocation, syntax: Syntax) -> ExitCode {
    let options = match syntax {
        Syntax::Map => "[-bfFhimnNoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
        Syntax::Aliases => "[-Nfinoprsuvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
    };
    fatal(invocation, &format!("usage: {} {options}", invocation.name))
}

/// The directory of main.cf. Where it was named there must be one; our tables need none.
fn configuration_directory(request: &Request) -> Result<PathBuf, String> {
    let directory = configuration::directory(request.config_directory.as_deref());
    if request.config_directory.is_some() {
        let file = directory.join("main.cf");
        std::fs::metadata(&file)
            .map_err(|error| format!("open {}: {}", file.display(), os::words(&error)))?;
    }
    Ok(directory)
}

/// What is wrong with the arguments.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    /// What getopt(3) says; the usage follows.
    Getopt(String),
    Fatal(String),
}

fn request_of(args: &[String], syntax: Syntax) -> Result<Request, Wrong> {
    let letters = match syntax {
        Syntax::Map => "bfFhimnNoprsuUvw",
        Syntax::Aliases => "NfinoprsuUvw",
    };
    let mut request = Request::default();
    let only_one = |is_free: bool, text: &str| match is_free {
        true => Ok(()),
        false => Err(Wrong::Fatal(text.to_owned())),
    };
    for part in parts_of(args, letters, "cdq").map_err(Wrong::Getopt)? {
        let asked = (
            request.query.is_some(),
            request.delete.is_some(),
            request.sequence,
        );
        match part {
            Part::Word(word) => request.tables.push(word),
            Part::Value('c', value) => request.config_directory = Some(value),
            Part::Value('d', value) => {
                only_one(asked == (false, false, false), "specify only one of -s -q or -d")?;
                request.delete = Some(value);
            }
            Part::Value(_, value) => {
                only_one(asked == (false, false, false), "specify only one of -s -q or -d")?;
                request.query = Some(value);
            }
            Part::Flag('s') => {
                only_one(!asked.0 && !asked.1, "specify only one of -s or -q or -d")?;
                request.sequence = true;
            }
            Part::Flag(letter) => request.flag(letter),
        }
    }
    Ok(request)
}

impl Request {
    fn flag(&mut self, letter: char) {
        match letter {
            'b' => self.message.body = true,
            'f' => self.keeps_case = true,
            'F' => self.reads_files = true,
            'h' => self.message.headers = true,
            'i' => self.incremental = true,
            'm' => self.message.mime = true,
            'o' => self.keeps_own = true,
            'p' => self.own_mode = true,
            'r' => self.duplicates = Duplicates::Replace,
            'w' => self.duplicates = Duplicates::Ignore,
            // n, N, u, U, v: nothing to do.
            _ => {}
        }
    }
}

fn table_ref(name: &str, default_type: &str) -> Result<TableRef, String> {
    match name.contains(':') {
        true => name
            .parse()
            .map_err(|_| format!("open dictionary: expecting \"type:name\" form instead of \"{name}\"")),
        false => Ok(TableRef::new(default_type, name)),
    }
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
        keeps_mode: !request.own_mode,
        reads_files: request.reads_files,
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

/// Opened tables and what was asked of them.
struct Asking<'r> {
    invocation: &'r Invocation,
    refs: &'r [TableRef],
    tables: Tables,
    request: &'r Request,
}

impl<'r> Asking<'r> {
    /// Opens tables; one that cannot be opened ends the command.
    fn open(invocation: &'r Invocation, refs: &'r [TableRef], request: &'r Request) -> Result<Self, String> {
        let (tables, problems) = Tables::open(refs);
        let asking = Asking {
            invocation,
            refs,
            tables,
            request,
        };
        asking.warn();
        let is_fatal = |error: &&tables::Error| !matches!(error, tables::Error::Skipped { .. });
        match problems.iter().find(is_fatal) {
            Some(error) => Err(error.to_string()),
            None => Ok(asking),
        }
    }

    fn warn(&self) {
        let is_silent = |text: &String| {
            self.request.duplicates == Duplicates::Ignore && text.contains(": duplicate entry: ")
        };
        for warning in self.tables.take_warnings() {
            if !is_silent(&warning) {
                eprint_line(&format!("{}: warning: {warning}", self.invocation.name));
            }
        }
    }

    fn lookup(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        // A key of nothing is in no table that lists its keys.
        if key.is_empty() && self.refs.iter().all(|table| build::has_database(&table.kind)) {
            return Ok(None);
        }
        let case = match self.request.keeps_case {
            true => tables::Case::Kept,
            false => tables::Case::Folded,
        };
        let found = self.tables.entry(key, case);
        let found = found.map_err(|error| error.to_string())?;
        if let (Some(table), Some("")) = (self.refs.first(), found.as_deref()) {
            for text in [
                format!("table {table}: key {key}: empty string result is not allowed"),
                format!("table {table} should return NO RESULT in case of NOT FOUND"),
            ] {
                eprint_line(&format!("{}: warning: {text}", self.invocation.name));
            }
        }
        match found {
            Some(value) if self.request.reads_files => self.content(key, &value).map(Some),
            found => Ok(found.map(String::into_bytes)),
        }
    }

    /// With `-F`: what the files hold that a value names, or held when the database was built.
    fn content(&self, key: &str, value: &str) -> Result<Vec<u8>, String> {
        let table = self.refs.first();
        let is_built = table.is_some_and(|table| build::has_database(&table.kind));
        if !is_built {
            return file_values::content(value);
        }
        file_values::decoded(value).ok_or_else(|| {
            let name = table.map(|table| match build::database_name(table) {
                Some(file) => format!("{}:{file}", table.kind),
                None => table.to_string(),
            });
            let name = name.unwrap_or_default();
            eprint_line(&format!(
                "{}: warning: table {name}: key {key}: malformed BASE64 value: {value}",
                self.invocation.name
            ));
            format!("table {name}: query error")
        })
    }
}

/// What stands between keys and values that are shown.
fn between(syntax: Syntax) -> &'static [u8] {
    match syntax {
        Syntax::Map => b"\t",
        Syntax::Aliases => b":\t",
    }
}

/// `-q KEY`: the tables are opened one after the other, until one has it.
fn query_one(
    invocation: &Invocation,
    refs: &[TableRef],
    key: &str,
    request: &Request,
) -> Result<ExitCode, String> {
    for table in refs {
        let asking = Asking::open(invocation, std::slice::from_ref(table), request)?;
        let found = asking.lookup(key);
        asking.warn();
        if let Some(mut value) = found? {
            value.push(b'\n');
            print_bytes(&value);
            return Ok(ExitCode::SUCCESS);
        }
    }
    Ok(ExitCode::FAILURE)
}

/// `-q -`: the keys are on the standard input, or in the message there.
fn query_many(
    invocation: &Invocation,
    refs: &[TableRef],
    request: &Request,
    syntax: Syntax,
) -> Result<ExitCode, String> {
    let asking = refs
        .iter()
        .map(|table| Asking::open(invocation, std::slice::from_ref(table), request))
        .collect::<Result<Vec<Asking<'_>>, String>>()?;
    let between = between(syntax);
    let (mut has_found, mut output) = (false, Vec::with_capacity(OUTPUT_BYTES));
    let mut show = |key: &str| -> Result<(), String> {
        for table in &asking {
            let found = table.lookup(key);
            table.warn();
            let Some(value) = found? else { continue };
            has_found = true;
            output.extend_from_slice(key.as_bytes());
            output.extend_from_slice(between);
            output.extend_from_slice(&value);
            output.push(b'\n');
            if output.len() >= OUTPUT_BYTES {
                print_bytes(&output);
                output.clear();
            }
            break;
        }
        Ok(())
    };
    let done = if request.message.headers || request.message.body {
        let mut message = Vec::new();
        let mut input = std::io::stdin().lock().take(MESSAGE_BYTES_MAX);
        let read = input.read_to_end(&mut message);
        read.map_err(|error| format!("standard input: {}", os::words(&error)))?;
        request.message.of(&message).iter().try_for_each(|key| show(key))
    } else {
        keys().try_for_each(|key| show(&key))
    };
    // What was found before an error is an answer.
    print_bytes(&output);
    done?;
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
        let is_known = Tables::is_known(&table.kind);
        if is_known && !build::has_database(&table.kind) {
            return Err(format!("{table} map requires O_RDONLY access mode"));
        }
        deleted += build::delete(table, &keys, folds).map_err(|error| error.to_string())?;
    }
    Ok(if deleted > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// `-s`: all entries of the first table.
fn sequence(
    invocation: &Invocation,
    refs: &[TableRef],
    request: &Request,
    syntax: Syntax,
) -> Result<ExitCode, String> {
    let asking = Asking::open(invocation, refs.get(..1).unwrap_or_default(), request)?;
    let entries = asking.tables.entries();
    asking.warn();
    let mut output = Vec::new();
    for (key, value) in entries.map_err(|error| error.to_string())? {
        let value = match request.reads_files {
            true => asking.content(&key, &value)?,
            false => value.into_bytes(),
        };
        output.extend_from_slice(key.as_bytes());
        output.extend_from_slice(between(syntax));
        output.extend_from_slice(&value);
        output.push(b'\n');
    }
    print_bytes(&output);
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn request_of_map(args: &[String]) -> Result<Request, Wrong> {
        request_of(args, Syntax::Map)
    }

    #[test]
    fn arguments() {
        let request = request_of_map(&args("-fw -c/x -q key hash:/a /b")).unwrap();
        assert!(request.keeps_case && !request.incremental);
        assert_eq!(request.duplicates, Duplicates::Ignore);
        assert_eq!(request.config_directory.as_deref(), Some("/x"));
        assert_eq!(request.query.as_deref(), Some("key"));
        assert_eq!(request.tables, ["hash:/a", "/b"]);
        assert_eq!(
            request_of_map(&args("-q - hash:/a")).unwrap().query.as_deref(),
            Some("-")
        );
        assert!(request_of_map(&args("-q")).is_err());
        assert!(request_of_map(&args("-Z")).is_err());
        assert_eq!(table_ref("/b", "hash"), Ok(TableRef::new("hash", "/b")));
        assert!(table_ref("hash:", "hash").is_err());
        assert!(request_of_map(&args("-q a -s hash:a")).is_err());
        assert!(request_of(&args("-F hash:a"), Syntax::Aliases).is_err());
    }
}
