//! `makemap`: builds, adds to and shows tables from lines of standard input, as Sendmail's makemap(8) does.
//!
//! What it makes is what `postmap` makes: `hash:NAME` in main.cf reads it. Exit codes are those of sysexits.h.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;
use std::process::ExitCode;

use settings::TableRef;
use tables::build;
use tables::cdb::Record;

use crate::getopt::{Part, parts_of};
use crate::{EX_USAGE, Invocation, eprint_line, print_bytes, print_line};

const HELP: &str = "usage: makemap [-N] [-d] [-e] [-f] [-o] [-r] [-v] [-C FILE] [-D CHARACTER] [-i TYPE] [-t CHARACTER] TYPE NAME
       makemap -u [-t CHARACTER] TYPE NAME
       makemap -l
Builds the table NAME from lines of standard input, a key and a value each.
  -C FILE       takes TrustedUser, who will own the table, from this sendmail.cf
  -D CHARACTER  lines that begin with it are comments, instead of #
  -d            keeps entries with the same key
  -e            takes keys without a value
  -f            does not fold keys to lower case
  -i TYPE       the type when TYPE is not there
  -l            lists the types
  -N, -s, -c N  have no effect
  -o            adds to the table that is there
  -r            replaces entries that are there already
  -t CHARACTER  stands between key and value, instead of white space
  -u            shows all entries
  -v            says what is added";
const USAGE: [&str; 3] = [
    "Usage: makemap [-C cffile] [-N] [-c cachesize] [-D commentchar]",
    "               [-d] [-e] [-f] [-i type] [-l] [-o] [-r] [-s] [-t delimiter]",
    "               [-u] [-v] type mapname",
];
/// Types of Sendmail's that are there, in the order of `-l`.
const TYPES: [&str; 6] = ["hash", "btree", "cdb", "lmdb", "dbm", "text"];
/// The first of the types that Sendmail's own has.
const IMPLICIT: &str = "hash";
const EX_DATAERR: u8 = 65;
const EX_NOINPUT: u8 = 66;
const EX_CANTCREAT: u8 = 73;
/// A new table's permissions where there is no text beside it; it may hold what is nobody's business.
const MODE: u32 = 0o640;

#[derive(Debug, Default)]
struct Request {
    cf_file: Option<String>,
    comment: Option<char>,
    delimiter: Option<char>,
    fallback: Option<String>,
    appends: bool,
    keeps_case: bool,
    keeps_duplicates: bool,
    is_verbose: bool,
    lists: bool,
    replaces: bool,
    shows: bool,
    takes_empty: bool,
    words: Vec<String>,
}

/// Why the command ends, and with which code.
struct Failure(u8, String);

/// Runs `makemap`.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let request = match request_of(&invocation.args) {
        Ok(request) => request,
        Err(text) => {
            invocation.complain(text);
            return usage();
        }
    };
    if request.lists {
        TYPES.iter().for_each(|name| print_line(name));
        print_line("implicit");
        return ExitCode::SUCCESS;
    }
    let [kind, name] = request.words.as_slice() else {
        return usage();
    };
    match act(invocation, &request, kind, name) {
        Ok(code) => code,
        Err(Failure(code, text)) => {
            invocation.complain(text);
            ExitCode::from(code)
        }
    }
}

fn usage() -> ExitCode {
    USAGE.iter().for_each(|line| eprint_line(line));
    ExitCode::from(EX_USAGE)
}

fn request_of(args: &[String]) -> Result<Request, String> {
    let mut request = Request::default();
    for part in parts_of(args, "NdeflorsuvV", "CDcit")? {
        match part {
            Part::Word(word) => request.words.push(word),
            Part::Value('C', value) => request.cf_file = Some(value),
            Part::Value('D', value) => request.comment = value.chars().next(),
            Part::Value('i', value) => request.fallback = Some(value),
            Part::Value('t', value) => match value.chars().next() {
                Some(first) => request.delimiter = Some(first),
                None => eprint_line("Invalid separator"),
            },
            Part::Flag(letter) => request.flag(letter),
            Part::Value(..) => {}
        }
    }
    Ok(request)
}

impl Request {
    fn flag(&mut self, letter: char) {
        match letter {
            'd' => self.keeps_duplicates = true,
            'e' => self.takes_empty = true,
            'f' => self.keeps_case = true,
            'l' => self.lists = true,
            'o' => self.appends = true,
            'r' => self.replaces = true,
            'u' => self.shows = true,
            'v' => self.is_verbose = true,
            // N, s: our tables have no zero octets, and are made anew beside the old ones.
            _ => {}
        }
    }
}

fn act(invocation: &Invocation, request: &Request, kind: &str, name: &str) -> Result<ExitCode, Failure> {
    let owner = trusted_user(request.cf_file.as_deref())?;
    let known = |kind: &str| TYPES.contains(&kind) || kind == "implicit";
    let fallback = request.fallback.as_deref().filter(|kind| known(kind));
    let kind = Some(kind)
        .filter(|kind| known(kind))
        .or(fallback)
        .ok_or_else(|| {
            let text = format!("error opening type {kind} map {name}: Unknown database type");
            Failure(EX_CANTCREAT, text)
        })?;
    let kind = if kind == "implicit" { IMPLICIT } else { kind };
    let target = Target::of(kind, name);
    let failed = |cause: String| {
        Failure(
            EX_CANTCREAT,
            format!("error opening type {kind} map {name}: {cause}"),
        )
    };
    if request.shows {
        show(
            &target.records().map_err(failed)?,
            request.delimiter.unwrap_or('\t'),
        );
        return Ok(ExitCode::SUCCESS);
    }
    let mut records = match request.appends && target.is_there() {
        true => target.records().map_err(failed)?,
        false => Vec::new(),
    };
    let code = read_entries(invocation, request, name, &mut records);
    target.store(&records, owner).map_err(failed)?;
    Ok(code)
}

/// The owner of new tables, where root makes them and sendmail.cf names one. A file that was named must be there.
fn trusted_user(cf_file: Option<&str>) -> Result<Option<(u32, u32)>, Failure> {
    const DEFAULT: &str = "/etc/mail/sendmail.cf";
    let file = cf_file.unwrap_or(DEFAULT);
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(_) if cf_file.is_none() => return Ok(None),
        Err(error) => return Err(Failure(EX_NOINPUT, format!("{file}: {}", os::words(&error)))),
    };
    let named = text.lines().find_map(|line| line.strip_prefix("O TrustedUser="));
    let Some(named) = named.map(str::trim).filter(|_| os::is_root()) else {
        return Ok(None);
    };
    let found = os::users::user_by_name(named).map_err(|error| Failure(EX_NOINPUT, error.to_string()))?;
    Ok(found.map(|user| (user.uid, user.gid)))
}

/// Where entries are kept.
enum Target {
    Database(TableRef),
    /// A text file, which `texthash:` and Sendmail's `text` read.
    Text(String),
}

impl Target {
    fn of(kind: &str, name: &str) -> Target {
        if kind == "text" {
            return Target::Text(name.to_owned());
        }
        let table = TableRef::new(kind, name);
        let whole = build::database_name(&table).unwrap_or_default();
        let suffix = whole.strip_prefix(name).unwrap_or_default();
        // The name may have its suffix already.
        Target::Database(TableRef::new(kind, name.strip_suffix(suffix).unwrap_or(name)))
    }

    fn is_there(&self) -> bool {
        match self {
            Target::Database(table) => {
                build::database_name(table).is_some_and(|file| Path::new(&file).exists())
            }
            Target::Text(file) => Path::new(file).exists(),
        }
    }

    fn records(&self) -> Result<Vec<Record>, String> {
        let record = |entry: tables::source::Entry| (entry.key.into_bytes(), entry.value.into_bytes());
        match self {
            Target::Database(table) => build::records(table).map_err(cause_of),
            Target::Text(file) => {
                let text = tables::source::read(Path::new(file)).map_err(cause_of)?;
                let found = tables::source::parse(&text, tables::source::Syntax::Map, false);
                Ok(found.entries.into_iter().map(record).collect())
            }
        }
    }

    fn store(&self, records: &[Record], owner: Option<(u32, u32)>) -> Result<(), String> {
        match self {
            Target::Database(table) => {
                build::store(table, records, mode_beside(table), owner).map_err(cause_of)
            }
            Target::Text(file) => {
                std::fs::write(file, lines_of(records, '\t')).map_err(|error| os::words(&error))
            }
        }
    }
}

/// The permissions of the text from which a table is usually made: whoever may read the one may read the other.
fn mode_beside(table: &TableRef) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    let text = std::fs::metadata(&table.name);
    text.map_or(MODE, |text| text.permissions().mode() & 0o666)
}

/// Why, without the file, which is named before.
fn cause_of(error: tables::Error) -> String {
    match error {
        tables::Error::Open { cause, .. }
        | tables::Error::Write { cause, .. }
        | tables::Error::Damaged { cause, .. } => cause,
        other => other.to_string(),
    }
}

fn show(records: &[Record], delimiter: char) {
    print_bytes(&lines_of(records, delimiter));
}

fn lines_of(records: &[Record], delimiter: char) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in records {
        out.extend_from_slice(key);
        out.extend_from_slice(delimiter.encode_utf8(&mut [0; 4]).as_bytes());
        out.extend_from_slice(value);
        out.push(b'\n');
    }
    out
}

/// Adds the entries of the standard input; what is wrong with a line is said, and makes the exit code.
fn read_entries(
    invocation: &Invocation,
    request: &Request,
    name: &str,
    records: &mut Vec<Record>,
) -> ExitCode {
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    for (at, (key, _)) in records.iter().enumerate() {
        places.entry(key.clone()).or_insert(at);
    }
    let mut is_good = true;
    for (number, line) in (1..).zip(std::io::stdin().lock().lines()) {
        let added = match line {
            Ok(line) => add(request, &line, (&mut places, records)),
            Err(error) => Err(os::words(&error)),
        };
        if let Err(text) = added {
            is_good = false;
            invocation.complain(format!("{name}: line {number}: {text}"));
        }
    }
    match is_good {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(EX_DATAERR),
    }
}

type Content<'c> = (&'c mut HashMap<Vec<u8>, usize>, &'c mut Vec<Record>);

fn add(request: &Request, line: &str, (places, records): Content<'_>) -> Result<(), String> {
    let Some((key, value)) = entry_of(request, line)? else {
        return Ok(());
    };
    if request.is_verbose {
        print_line(&format!("key=`{key}', val=`{value}'"));
    }
    let (bytes, value) = (key.clone().into_bytes(), value.to_owned().into_bytes());
    match places.get(&bytes) {
        Some(_) if request.keeps_duplicates => records.push((bytes, value)),
        Some(place) if request.replaces => {
            if let Some(record) = records.get_mut(*place) {
                record.1 = value;
            }
        }
        Some(_) => return Err(format!("key {key}: duplicate key")),
        None => {
            places.insert(bytes.clone(), records.len());
            records.push((bytes, value));
        }
    }
    Ok(())
}

/// The key and the value of a line; `None` for comments and empty lines.
fn entry_of<'l>(request: &Request, line: &'l str) -> Result<Option<(String, &'l str)>, String> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.starts_with(request.comment.unwrap_or('#')) {
        return Ok(None);
    }
    let is_between = |c: char| match request.delimiter {
        Some(delimiter) => c == delimiter,
        None => c.is_ascii_whitespace(),
    };
    if line.starts_with(is_between) {
        return Err("syntax error (leading space)".to_owned());
    }
    let end = line.find(is_between).unwrap_or(line.len());
    let (key, rest) = line.split_at(end);
    let value = rest.trim_start_matches(is_between);
    if value.is_empty() && !request.takes_empty {
        return Err(format!("no RHS for LHS {key}"));
    }
    let key = match request.keeps_case {
        true => key.to_owned(),
        false => key.to_lowercase(),
    };
    Ok(Some((key, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Request {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        request_of(&args).expect("good arguments")
    }

    /// What Debian's makemap 8.17 makes of the same lines.
    #[test]
    fn lines() {
        let of = |options: &str, line: &str| {
            entry_of(&request(options), line).map(|found| found.map(|(key, value)| format!("{key}={value}")))
        };
        let some = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(of("", "Key1 value one  "), some("key1=value one  "));
        assert_eq!(of("-f", "Key1\t v"), some("Key1=v"));
        assert_eq!(of("", "# c"), Ok(None));
        assert_eq!(of("-D ;", "#q r"), some("#q=r"));
        assert_eq!(of("-t :", "a b:c d"), some("a b=c d"));
        assert_eq!(of("-e", "k"), some("k="));
        assert_eq!(of("", "k "), Err("no RHS for LHS k".to_owned()));
        assert_eq!(of("", " k v"), Err("syntax error (leading space)".to_owned()));
    }

    #[test]
    fn repeated_keys() {
        let added = |options: &str| {
            let (mut places, mut records) = (HashMap::new(), Vec::new());
            let request = request(options);
            let results = ["k 1", "K 2"].map(|line| add(&request, line, (&mut places, &mut records)));
            let values: Vec<_> = records.into_iter().map(|(_, value)| value).collect();
            (results[1].clone(), values)
        };
        assert_eq!(
            added(""),
            (Err("key k: duplicate key".to_owned()), vec![b"1".to_vec()])
        );
        assert_eq!(added("-r"), (Ok(()), vec![b"2".to_vec()]));
        assert_eq!(added("-d"), (Ok(()), vec![b"1".to_vec(), b"2".to_vec()]));
    }
}
