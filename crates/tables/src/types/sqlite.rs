//! `sqlite:file.cf`: an SQLite database and the query that finds a key in it (sqlite_table(5)).
//!
//! Limits: [`BUSY_PATIENCE`] for somebody who writes, `expansion_limit` values of one key.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use settings::TableRef;

use crate::source::{self, logical_lines};
use crate::{Error, Table, waiting};

/// Why it cannot be opened by somebody else: SQLite opens what belongs to a database by its name.
const NOT_LENT: &str = "A database of sqlite: must be readable for mail_owner itself; one that a reload names is opened after a restart";

/// How long a lookup waits for somebody who writes.
pub const BUSY_PATIENCE: Duration = Duration::from_secs(10);

/// A database and its query.
#[derive(Debug)]
pub struct Sqlite {
    whole: String,
    database: PathBuf,
    query: String,
    result_format: String,
    /// The most values of one key; 0 is no limit.
    expansion_limit: usize,
    /// The domains whose addresses are asked for at all; empty: every key.
    domains: Vec<String>,
    connection: Mutex<Option<Connection>>,
}

impl Sqlite {
    pub(crate) fn open(name: &str) -> Result<(Sqlite, Option<Error>), Error> {
        let text = source::read(Path::new(name)).map_err(|error| match error {
            Error::Open { file, cause } => Error::OpenFile { file, cause },
            other => other,
        })?;
        let wrong = |cause: String| Error::Syntax {
            place: format!("sqlite:{name}"),
            cause,
        };
        let settings = settings_of(&text);
        let value = |wanted: &str| value_of(&settings, wanted);
        let database = value("dbpath").ok_or_else(|| wrong("dbpath is missing".to_owned()))?;
        let limit = value("expansion_limit").unwrap_or_else(|| "0".to_owned());
        let table = Sqlite {
            whole: format!("sqlite:{name}"),
            database: PathBuf::from(database),
            query: match value("query") {
                Some(query) => query,
                None => old_query(&value).ok_or_else(|| wrong("query is missing".to_owned()))?,
            },
            result_format: value("result_format").unwrap_or_else(|| "%s".to_owned()),
            expansion_limit: limit
                .parse()
                .map_err(|_| wrong(format!("expansion_limit: \"{limit}\" is not a number")))?,
            domains: list(&value("domain").unwrap_or_default()),
            connection: Mutex::default(),
        };
        for template in [&table.query, &table.result_format] {
            if let Some(wrong_letter) = unknown_letter(template) {
                return Err(wrong(format!(
                    "\"%{wrong_letter}\" is not known in \"{template}\""
                )));
            }
        }
        let problem = match table.connected() {
            Ok(connection) => {
                *table.slot() = Some(connection);
                None
            }
            Err(error) => Some(error),
        };
        Ok((table, problem))
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Connection>> {
        self.connection
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn failed(&self, cause: impl std::fmt::Display) -> Error {
        Error::Lookup {
            table: self.whole.clone(),
            cause: format!("{}: {cause}", self.database.display()),
        }
    }

    fn connected(&self) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.database, flags).map_err(|error| {
            let own = std::fs::File::open(&self.database).map(drop);
            match own {
                Err(denied) if denied.kind() == ErrorKind::PermissionDenied => {
                    self.failed(format!("{}. {NOT_LENT}", os::words(&denied)))
                }
                _ => self.failed(error),
            }
        })?;
        let patient = connection.busy_timeout(BUSY_PATIENCE);
        patient.map_err(|error| self.failed(error))?;
        Ok(connection)
    }

    /// The columns of all rows, in order.
    fn values(&self, query: &str) -> Result<Vec<String>, Error> {
        let mut slot = self.slot();
        let connection = match slot.as_ref() {
            Some(connection) => connection,
            None => slot.insert(self.connected()?),
        };
        let run = || -> rusqlite::Result<Vec<String>> {
            let mut statement = connection.prepare(query)?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            let mut values = Vec::new();
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    values.extend(text_of(row.get_ref(column)?));
                }
                if self.expansion_limit > 0 && values.len() > self.expansion_limit {
                    break;
                }
            }
            Ok(values)
        };
        let values = run();
        if values.is_err() {
            // The file may have been replaced.
            *slot = None;
        }
        values.map_err(|error| self.failed(error))
    }
}

impl Table for Sqlite {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        let key = key.to_lowercase();
        let domain = key.rsplit_once('@').map(|(_, domain)| domain);
        if !self.domains.is_empty() && !domain.is_some_and(|domain| self.domains.iter().any(|d| d == domain))
        {
            return Ok(None);
        }
        let Some(query) = expanded(&self.query, &key, &key, quoted) else {
            return Ok(None);
        };
        let values = waiting::look(&self.whole, || self.values(&query))?;
        let mut results = Vec::new();
        for value in values.iter().filter(|value| !value.is_empty()) {
            results.extend(expanded(&self.result_format, value, &key, str::to_owned));
        }
        if self.expansion_limit > 0 && results.len() > self.expansion_limit {
            return Err(Error::Lookup {
                table: self.whole.clone(),
                cause: format!("Expansion limit exceeded for key: '{key}'"),
            });
        }
        Ok((!results.is_empty()).then(|| results.join(",")))
    }
}

type Setting = (String, String);

fn settings_of(text: &str) -> Vec<Setting> {
    let lines = logical_lines(text).into_iter();
    lines
        .filter_map(|(_, line)| {
            let (name, value) = line.split_once('=')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

/// The last value of that name, unless it is empty.
fn value_of(settings: &[Setting], wanted: &str) -> Option<String> {
    let found = settings.iter().rev().find(|(name, _)| name == wanted);
    found
        .map(|(_, value)| value.clone())
        .filter(|value| !value.is_empty())
}

/// The database file of a table of this type, as far as the file that names it can be read.
pub fn database_of(table: &TableRef) -> Option<PathBuf> {
    let table = table.behind_proxy();
    let text = (table.kind == "sqlite").then(|| source::read(Path::new(&table.name)));
    let database = value_of(&settings_of(&text?.ok()?), "dbpath")?;
    Some(PathBuf::from(database)).filter(|path| path.is_absolute())
}

fn text_of(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(text) | ValueRef::Blob(text) => Some(String::from_utf8_lossy(text).into_owned()),
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// The query of the parameters before Postfix 2.2.
fn old_query(value: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let (table, select) = (value("table")?, value("select_field")?);
    let (key, more) = (
        value("where_field")?,
        value("additional_conditions").unwrap_or_default(),
    );
    Some(format!("SELECT {select} FROM {table} WHERE {key} = '%s' {more}"))
}

/// SQL's text quoting, without the quotes around it.
fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

fn unknown_letter(template: &str) -> Option<char> {
    let mut letters = template.chars();
    while let Some(c) = letters.next() {
        if c == '%' {
            match letters.next() {
                Some('%' | 's' | 'u' | 'd' | 'S' | 'U' | 'D' | '1'..='9') => {}
                other => return Some(other.unwrap_or(' ')),
            }
        }
    }
    None
}

/// A template with the parts of a text (`%s`, `%u`, `%d`) and of the key (`%S`, `%U`, `%D`, `%1` …); `None` when a part
/// that is asked for is not there: then there is nothing to ask or to answer.
fn expanded(template: &str, text: &str, key: &str, quote: fn(&str) -> String) -> Option<String> {
    let domain_of = |text: &str| text.rsplit_once('@').map(|(_, domain)| domain.to_owned());
    let user_of = |text: &str| text.rsplit_once('@').map_or(text, |(user, _)| user).to_owned();
    let mut out = String::new();
    let mut letters = template.chars();
    while let Some(c) = letters.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let part = match letters.next()? {
            '%' => "%".to_owned(),
            's' => text.to_owned(),
            'S' => key.to_owned(),
            'u' => user_of(text),
            'U' => user_of(key),
            'd' => domain_of(text)?,
            'D' => domain_of(key)?,
            number => {
                let number = number.to_digit(10)? as usize;
                // The first is the last part of the domain.
                let domain = domain_of(key)?;
                domain.rsplit('.').nth(number.checked_sub(1)?)?.to_owned()
            }
        };
        if part.is_empty() {
            return None;
        }
        out.push_str(&quote(&part));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        let query = |template: &str, key: &str| expanded(template, key, key, quoted);
        assert_eq!(query("x='%s'", "o'b@c.d").as_deref(), Some("x='o''b@c.d'"));
        assert_eq!(query("%u|%d|%2|%1|%%", "a@b.c").as_deref(), Some("a|b.c|b|c|%"));
        assert_eq!(query("%u", "plain").as_deref(), Some("plain"));
        assert_eq!(query("%d", "plain"), None);
        assert_eq!(query("%3", "a@b.c"), None);
        assert_eq!(query("%s", ""), None);
        assert_eq!(unknown_letter("%s %x"), Some('x'));
        assert_eq!(unknown_letter("%%x %9"), None);
    }
}
