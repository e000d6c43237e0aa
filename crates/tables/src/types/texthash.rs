//! `texthash:`: a map's text source read as it is, and again when it changes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::changes::Signature;
use crate::source::{self, Syntax};
use crate::{Error, Table};

type Entries = HashMap<String, String>;

/// A text file as a table.
#[derive(Debug)]
pub struct TextHash {
    path: PathBuf,
    syntax: Syntax,
    read: Mutex<Option<(Signature, Arc<Entries>)>>,
    warning: Mutex<Option<String>>,
}

impl TextHash {
    pub(crate) fn new(path: &str) -> TextHash {
        TextHash::with_syntax(Path::new(path), Syntax::Map)
    }

    /// A source of either syntax (in the place of a database that we cannot read).
    pub(crate) fn with_syntax(path: &Path, syntax: Syntax) -> TextHash {
        TextHash {
            path: path.to_owned(),
            syntax,
            read: Mutex::default(),
            warning: Mutex::default(),
        }
    }

    pub(crate) fn check(&self) -> Option<Error> {
        self.entries().err()
    }

    fn entries(&self) -> Result<Arc<Entries>, Error> {
        let failed = |error: std::io::Error| Error::Open {
            file: self.path.display().to_string(),
            cause: os::words(&error),
        };
        let now = Signature::of(&std::fs::metadata(&self.path).map_err(failed)?);
        let mut read = self
            .read
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((then, entries)) = read.as_ref()
            && *then == now
        {
            return Ok(entries.clone());
        }
        let found = source::parse(&source::read(&self.path)?, self.syntax, true);
        let mut entries = HashMap::with_capacity(found.entries.len());
        let mut warning = found.warnings.first().map(|(line, text)| {
            format!(
                "{}, line {line}: {text} -- ignoring this line",
                self.path.display()
            )
        });
        for entry in found.entries {
            let text = || {
                format!(
                    "{}, line {}: duplicate entry: \"{}\"",
                    self.path.display(),
                    entry.line,
                    entry.key
                )
            };
            if entries.contains_key(&entry.key) && warning.is_none() {
                warning = Some(text());
            }
            entries.entry(entry.key).or_insert(entry.value);
        }
        *self
            .warning
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = warning;
        let entries = Arc::new(entries);
        *read = Some((now, entries.clone()));
        Ok(entries)
    }
}

impl Table for TextHash {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        Ok(self.entries()?.get(&key.to_lowercase()).cloned())
    }

    fn take_warning(&self) -> Option<String> {
        self.warning
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take()
    }
}
