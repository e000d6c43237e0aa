//! `hash:`, `btree:`, `dbm:`, `cdb:` and `lmdb:`: a database built by postmap(1) or postalias(1), opened again when it is
//! replaced. `.cdb` and `.lmdb` files are those of other programs, too.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use settings::TableRef;

use crate::cdb::{Cdb, Opened};
use crate::changes::{Moment, Signature};
use crate::files::{self, Watched};
use crate::lmdb::Lmdb;
use crate::source::{self, Syntax};
use crate::types::texthash::TextHash;
use crate::{Error, Table};

/// How long a source may be newer before a warning: whoever edits it is about to build the database.
const GRACE: Duration = Duration::from_secs(100);

/// How often what is not there is looked for again because the file was changed meanwhile.
const CHANGES_MAX: usize = 100;

/// What follows the table's name in its database's name; `None` for types without a database of ours.
pub(crate) fn suffix(kind: &str) -> Option<&'static str> {
    match kind {
        "hash" | "btree" | "dbm" => Some(".db"),
        "cdb" => Some(".cdb"),
        "lmdb" => Some(".lmdb"),
        _ => None,
    }
}

/// A database file.
#[derive(Debug)]
pub struct Database {
    source: PathBuf,
    file: Watched,
    is_lmdb: bool,
    /// A table of Sendmail: its text will do where no database can be read, and it never has the form of aliases.
    is_sendmail: bool,
    opened: Mutex<Option<Seen>>,
    warning: Mutex<Option<String>>,
}

/// What the file was, and when that was last so.
#[derive(Debug)]
struct Seen {
    moment: Moment,
    signature: Signature,
    content: Arc<Content>,
}

#[derive(Debug)]
enum Content {
    Ours(Cdb),
    Lmdb(Lmdb),
    /// The text source in the place of a database of Berkeley DB.
    Source(TextHash),
}

impl Database {
    pub(crate) fn new(table: &TableRef) -> Database {
        let suffix = suffix(&table.kind).unwrap_or(".db");
        Database {
            source: PathBuf::from(&table.name),
            file: Watched::new(PathBuf::from(format!("{}{suffix}", table.name))),
            is_lmdb: table.kind == "lmdb",
            is_sendmail: table.kind == settings::SendmailFiles::KIND,
            opened: Mutex::default(),
            warning: Mutex::default(),
        }
    }

    pub(crate) fn check(&self) -> Option<Error> {
        self.content().err()
    }

    /// What the file is now, or was in this tick.
    fn content(&self) -> Result<Arc<Content>, Error> {
        if let Some(seen) = self.seen().as_ref()
            && seen.moment == Moment::now()
        {
            return Ok(Arc::clone(&seen.content));
        }
        self.content_now()
    }

    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn content_now(&self) -> Result<Arc<Content>, Error> {
        let moment = Moment::now();
        let is_text = self.is_sendmail && self.is_out_of_reach();
        let found = match is_text {
            true => files::metadata(&self.source),
            false => self.file.metadata(),
        };
        let found = found.map_err(|error| self.missing(&error));
        let mut seen = self.seen();
        let metadata = found.inspect_err(|_| *seen = None)?;
        let signature = Signature::of(&metadata);
        if let Some(seen) = seen.as_mut()
            && seen.signature == signature
        {
            seen.moment = moment;
            return Ok(Arc::clone(&seen.content));
        }
        *seen = None;
        let content = Arc::new(match is_text {
            true => Content::Source(TextHash::with_syntax(&self.source, Syntax::Map)),
            false => self.opened(&metadata)?,
        });
        *seen = Some(Seen {
            moment,
            signature,
            content: Arc::clone(&content),
        });
        Ok(content)
    }

    /// Whether there is no database, or none that we may read, as Sendmail's often are; and a text that we may read.
    fn is_out_of_reach(&self) -> bool {
        use std::io::ErrorKind::{NotFound, PermissionDenied};
        let opened = files::open(self.file.path());
        let is_out = opened.is_err_and(|error| matches!(error.kind(), NotFound | PermissionDenied));
        is_out && files::open(&self.source).is_ok()
    }

    fn opened(&self, metadata: &std::fs::Metadata) -> Result<Content, Error> {
        let content = match self.is_lmdb {
            true => Content::Lmdb(Lmdb::open(self.file.path())?),
            false => match Cdb::open(self.file.path())? {
                Opened::Ours(cdb) => Content::Ours(cdb),
                Opened::BerkeleyDb => return Ok(Content::Source(self.stand_in()?)),
            },
        };
        self.warn_if_stale(metadata);
        Ok(content)
    }

    fn find(&self, content: &Content, key: &str, folds: bool) -> Result<Option<String>, Error> {
        let folded;
        let wanted = match folds {
            true => {
                folded = key.to_lowercase();
                folded.as_str()
            }
            false => key,
        };
        let value = match content {
            Content::Ours(cdb) => cdb.find(wanted.as_bytes())?,
            Content::Lmdb(lmdb) => lmdb.find(wanted.as_bytes())?,
            Content::Source(source) if folds => return source.lookup(key),
            Content::Source(source) => return source.lookup_unfolded(key),
        };
        Ok(value.map(text_of))
    }

    /// As [`Database::find`]; where somebody writes into the file itself, what is not there must be looked for again.
    fn find_surely(&self, key: &str, folds: bool) -> Result<Option<String>, Error> {
        for _ in 0..CHANGES_MAX {
            let content = self.content()?;
            if let Some(value) = self.find(&content, key, folds)? {
                return Ok(Some(value));
            }
            if Arc::ptr_eq(&content, &self.content_now()?) {
                return Ok(None);
            }
        }
        Err(Error::Damaged {
            file: self.file.path().display().to_string(),
            cause: "it changes faster than it can be read".to_owned(),
        })
    }

    fn missing(&self, error: &std::io::Error) -> Error {
        let mut cause = os::words(error);
        if error.kind() == std::io::ErrorKind::NotFound && files::metadata(&self.source).is_ok() {
            let name = self.source.display();
            let how = if self.looks_like_aliases() {
                "newaliases".to_owned()
            } else {
                format!("postmap {name}")
            };
            cause = format!("{cause}. Run {how} to create it");
        }
        Error::Open {
            file: self.file.path().display().to_string(),
            cause,
        }
    }

    /// The text source, where the database is one of Berkeley DB.
    fn stand_in(&self) -> Result<TextHash, Error> {
        let syntax = if !self.is_sendmail && self.looks_like_aliases() {
            Syntax::Aliases
        } else {
            Syntax::Map
        };
        let source = TextHash::with_syntax(&self.source, syntax);
        if let Some(error) = source.check() {
            return Err(Error::Damaged {
                file: self.file.path().display().to_string(),
                cause: format!(
                    "it was written by Berkeley DB, and its source cannot be read instead ({error})"
                ),
            });
        }
        self.warn(format!(
            "{} was written by Berkeley DB: reading {} instead",
            self.file.path().display(),
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
        let modified = files::metadata(&self.source).and_then(|source| source.modified());
        if let (Ok(source), Ok(database)) = (modified, database.modified())
            && source > database
            && SystemTime::now()
                .duration_since(source)
                .is_ok_and(|age| age > GRACE)
        {
            self.warn(format!(
                "database {} is older than source file {}",
                self.file.path().display(),
                self.source.display()
            ));
        }
    }

    fn warn(&self, text: String) {
        *self.warning.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

/// `name:` or `"a name":` before the first white space outside of quotes, or just after it.
fn is_alias_line(line: &str) -> bool {
    let parsed = source::parse(line, Syntax::Aliases, false);
    let key = line.split(|c: char| c.is_whitespace()).next().unwrap_or("");
    !parsed.entries.is_empty() && (line.starts_with('"') || key.contains(':') || line.contains(" :"))
}

fn text_of(value: Vec<u8>) -> String {
    String::from_utf8(value).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

impl Table for Database {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        self.find_surely(key, true)
    }

    fn lookup_unfolded(&self, key: &str) -> Result<Option<String>, Error> {
        self.find_surely(key, false)
    }

    fn entries(&self) -> Result<Vec<(String, String)>, Error> {
        let records = match self.content()?.as_ref() {
            Content::Ours(cdb) => cdb.records()?,
            Content::Lmdb(lmdb) => lmdb.records()?,
            Content::Source(source) => return source.entries(),
        };
        let entry = |(key, value)| (text_of(key), text_of(value));
        Ok(records.into_iter().map(entry).collect())
    }

    fn take_warning(&self) -> Option<String> {
        self.warning.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
