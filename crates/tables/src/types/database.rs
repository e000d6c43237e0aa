//! `hash:`, `btree:`, `dbm:` and `cdb:`: a constant database built by postmap(1) or postalias(1), opened again when
//! it is replaced.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use settings::TableRef;

use crate::cdb::{Cdb, Opened};
use crate::changes::Signature;
use crate::source::{self, Syntax};
use crate::types::texthash::TextHash;
use crate::{Error, Table};

/// How long a source may be newer before a warning: whoever edits it is about to build the database.
const GRACE: Duration = Duration::from_secs(100);

/// What follows the table's name in its database's name; `None` for types without a database of ours.
pub(crate) fn suffix(kind: &str) -> Option<&'static str> {
    match kind {
        "hash" | "btree" | "dbm" => Some(".db"),
        "cdb" => Some(".cdb"),
        _ => None,
    }
}

/// A database file.
#[derive(Debug)]
pub struct Database {
    source: PathBuf,
    file: PathBuf,
    opened: Mutex<Option<(Signature, Arc<Content>)>>,
    warning: Mutex<Option<String>>,
}

#[derive(Debug)]
enum Content {
    Ours(Cdb),
    /// The text source in the place of a database of Berkeley DB.
    Source(TextHash),
}

impl Database {
    pub(crate) fn new(table: &TableRef) -> Database {
        let suffix = suffix(&table.kind).unwrap_or(".db");
        Database {
            source: PathBuf::from(&table.name),
            file: PathBuf::from(format!("{}{suffix}", table.name)),
            opened: Mutex::default(),
            warning: Mutex::default(),
        }
    }

    pub(crate) fn check(&self) -> Option<Error> {
        self.content().err()
    }

    fn content(&self) -> Result<Arc<Content>, Error> {
        let metadata = std::fs::metadata(&self.file).map_err(|error| self.missing(&error))?;
        let now = Signature::of(&metadata);
        let mut opened = self
            .opened
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((then, content)) = opened.as_ref()
            && *then == now
        {
            return Ok(content.clone());
        }
        let content = Arc::new(match Cdb::open(&self.file)? {
            Opened::Ours(cdb) => {
                self.warn_if_stale(&metadata);
                Content::Ours(cdb)
            }
            Opened::BerkeleyDb => Content::Source(self.stand_in()?),
        });
        *opened = Some((now, content.clone()));
        Ok(content)
    }

    fn missing(&self, error: &std::io::Error) -> Error {
        let mut cause = os::words(error);
        if error.kind() == std::io::ErrorKind::NotFound && self.source.exists() {
            let name = self.source.display();
            let how = if self.looks_like_aliases() {
                "newaliases".to_owned()
            } else {
                format!("postmap {name}")
            };
            cause = format!("{cause}. Run {how} to create it");
        }
        Error::Open {
            file: self.file.display().to_string(),
            cause,
        }
    }

    /// The text source, where the database is one of Berkeley DB.
    fn stand_in(&self) -> Result<TextHash, Error> {
        let syntax = if self.looks_like_aliases() {
            Syntax::Aliases
        } else {
            Syntax::Map
        };
        let source = TextHash::with_syntax(&self.source, syntax);
        if let Some(error) = source.check() {
            return Err(Error::Damaged {
                file: self.file.display().to_string(),
                cause: format!(
                    "it was written by Berkeley DB, and its source cannot be read instead ({error})"
                ),
            });
        }
        self.warn(format!(
            "{} was written by Berkeley DB: reading {} instead",
            self.file.display(),
            self.source.display()
        ));
        Ok(source)
    }

    /// Whether more lines of the source are aliases than are map entries.
    fn looks_like_aliases(&self) -> bool {
        let Ok(text) = source::read(&self.source) else {
            return false;
        };
        let first_words = source::logical_lines(&text);
        let with_colon = first_words.iter().filter(|(_, line)| is_alias_line(line)).count();
        with_colon * 2 > first_words.len()
    }

    fn warn_if_stale(&self, database: &std::fs::Metadata) {
        let modified = std::fs::metadata(&self.source).and_then(|source| source.modified());
        if let (Ok(source), Ok(database)) = (modified, database.modified())
            && source > database
            && SystemTime::now()
                .duration_since(source)
                .is_ok_and(|age| age > GRACE)
        {
            self.warn(format!(
                "database {} is older than source file {}",
                self.file.display(),
                self.source.display()
            ));
        }
    }

    fn warn(&self, text: String) {
        *self
            .warning
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(text);
    }
}

/// `name:` or `"a name":` before the first white space outside of quotes, or just after it.
fn is_alias_line(line: &str) -> bool {
    let parsed = source::parse(line, Syntax::Aliases, false);
    let key = line.split(|c: char| c.is_whitespace()).next().unwrap_or("");
    !parsed.entries.is_empty() && (line.starts_with('"') || key.contains(':') || line.contains(" :"))
}

fn find(cdb: &Cdb, key: &str) -> Result<Option<String>, Error> {
    let value = cdb.find(key.as_bytes())?;
    Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
}

impl Table for Database {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        match self.content()?.as_ref() {
            Content::Ours(cdb) => find(cdb, &key.to_lowercase()),
            Content::Source(source) => source.lookup(key),
        }
    }

    fn lookup_unfolded(&self, key: &str) -> Result<Option<String>, Error> {
        match self.content()?.as_ref() {
            Content::Ours(cdb) => find(cdb, key),
            Content::Source(source) => source.lookup_unfolded(key),
        }
    }

    fn take_warning(&self) -> Option<String> {
        self.warning
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take()
    }
}
