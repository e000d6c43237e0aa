//! `texthash:`: a map's text source read as it is, and again when it changes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::changes::Signature;
use crate::files::Watched;
use crate::source::{self, Syntax};
use crate::{Error, Table};

type Entries = HashMap<String, String>;

/// How many warnings about one reading are kept.
const WARNINGS_MAX: usize = 1_000;

/// A text file as a table.
#[derive(Debug)]
pub struct TextHash {
    path: Watched,
    syntax: Syntax,
    read: Mutex<Option<(Signature, Arc<Entries>)>>,
    warnings: Mutex<VecDeque<String>>,
}

impl TextHash {
    pub(crate) fn new(path: &str) -> TextHash {
        TextHash::with_syntax(Path::new(path), Syntax::Map)
    }

    /// A source of either syntax (in the place of a database that we cannot read).
    pub(crate) fn with_syntax(path: &Path, syntax: Syntax) -> TextHash {
        TextHash {
            path: Watched::new(path.to_owned()),
            syntax,
            read: Mutex::default(),
            warnings: Mutex::default(),
        }
    }

    pub(crate) fn check(&self) -> Option<Error> {
        self.content().err()
    }

    fn content(&self) -> Result<Arc<Entries>, Error> {
        let failed = |error: std::io::Error| Error::Open {
            file: self.path.path().display().to_string(),
            cause: os::words(&error),
        };
        let now = Signature::of(&self.path.metadata().map_err(failed)?);
        let mut read = self
            .read
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((then, entries)) = read.as_ref()
            && *then == now
        {
            return Ok(entries.clone());
        }
        let found = source::parse(&source::read(self.path.path())?, self.syntax, false);
        let mut entries = HashMap::with_capacity(found.entries.len());
        let place = self.path.path().display();
        let bad = found.warnings.into_iter().map(|(line, text)| {
            let text = text.strip_suffix(source::IGNORED).unwrap_or(&text);
            let ignored = match text.starts_with("logical line ") {
                true => "",
                false => source::IGNORED,
            };
            (line, source::of_line(&place, line, &format!("{text}{ignored}")))
        });
        let mut warnings: Vec<(usize, String)> = bad.take(WARNINGS_MAX).collect();
        for entry in found.entries {
            let key = entry.key.to_lowercase();
            if entries.contains_key(&key) && warnings.len() < WARNINGS_MAX {
                let text = format!("{place}, line {}: duplicate entry: \"{}\"", entry.line, entry.key);
                warnings.push((entry.line, text));
            }
            entries.entry(key).or_insert(entry.value);
        }
        warnings.sort_by_key(|(line, _)| *line);
        *self
            .warnings
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) =
            warnings.into_iter().map(|(_, text)| text).collect();
        let entries = Arc::new(entries);
        *read = Some((now, entries.clone()));
        Ok(entries)
    }
}

impl Table for TextHash {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        Ok(self.content()?.get(&key.to_lowercase()).cloned())
    }

    fn lookup_unfolded(&self, key: &str) -> Result<Option<String>, Error> {
        // Asked by people only: the text is read again rather than kept twice.
        let found = source::parse(&source::read(self.path.path())?, self.syntax, false);
        let entry = found.entries.into_iter().find(|entry| entry.key == key);
        let _ = self.content()?;
        Ok(entry.map(|entry| entry.value))
    }

    fn entries(&self) -> Result<Vec<(String, String)>, Error> {
        // Asked by people only, who want the order of the file.
        let found = source::parse(&source::read(self.path.path())?, self.syntax, true);
        let kept = self.content()?;
        let mut seen = HashSet::new();
        let mut is_first =
            |entry: &source::Entry| kept.contains_key(&entry.key) && seen.insert(entry.key.clone());
        let first = found.entries.into_iter().filter(|entry| is_first(entry));
        Ok(first.map(|entry| (entry.key, entry.value)).collect())
    }

    fn take_warning(&self) -> Option<String> {
        self.warnings
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .pop_front()
    }
}
