//! Tables whose content is in their name: `static:`, `inline:`; and those that only ever fail.

use std::collections::HashMap;

use super::braced_items;
use crate::{Error, Table};

/// `static:value` or `static:{ value with blanks }`: the same answer for every key.
#[derive(Debug)]
pub struct Static(String);

impl Static {
    pub(crate) fn new(name: &str) -> Result<Static, Error> {
        let Some(inner) = name.strip_prefix('{') else {
            return Ok(Static(name.to_owned()));
        };
        let depth = inner.chars().fold(1i64, |depth, c| match c {
            '{' => depth + 1,
            '}' => depth - 1,
            _ => depth,
        });
        match inner.strip_suffix('}').filter(|_| depth == 0) {
            Some(inner) => Ok(Static(inner.trim().to_owned())),
            None => Err(Error::Syntax {
                place: "bad static:name syntax".to_owned(),
                cause: format!("missing '}}' in \"{name}\""),
            }),
        }
    }
}

impl Table for Static {
    fn lookup(&self, _key: &str) -> Result<Option<String>, Error> {
        Ok(Some(self.0.clone()))
    }
}

/// `inline:{ key=value, { key = value with blanks } }`
#[derive(Debug, Default)]
pub struct Inline {
    folded: HashMap<String, String>,
    /// With keys as they are written.
    written: HashMap<String, String>,
    in_order: Vec<String>,
}

impl Inline {
    pub(crate) fn new(name: &str) -> Result<Inline, Error> {
        let table = || format!("inline:{name}");
        let wrong = |cause: &str| Error::Inline {
            table: table(),
            cause: cause.to_owned(),
        };
        let items = braced_items(name).map_err(|_| wrong("bad syntax"))?;
        if items.is_empty() {
            return Err(wrong("empty table"));
        }
        let (mut folded, mut written) = (HashMap::new(), HashMap::new());
        let mut in_order = Vec::new();
        for item in items {
            let (key, value) = item
                .split_once('=')
                .ok_or_else(|| wrong("missing '=' after attribute name"))?;
            let (key, value) = (key.trim(), value.trim());
            // The last one counts.
            written.insert(key.to_owned(), value.to_owned());
            let key = key.to_lowercase();
            if folded.insert(key.clone(), value.to_owned()).is_none() {
                in_order.push(key);
            }
        }
        Ok(Inline {
            folded,
            written,
            in_order,
        })
    }
}

impl Table for Inline {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        Ok(self.folded.get(&key.to_lowercase()).cloned())
    }

    fn lookup_unfolded(&self, key: &str) -> Result<Option<String>, Error> {
        Ok(self.written.get(key).cloned())
    }

    fn entries(&self) -> Result<Vec<(String, String)>, Error> {
        let entry = |key: &String| Some((key.clone(), self.folded.get(key)?.clone()));
        Ok(self.in_order.iter().filter_map(entry).collect())
    }
}

/// `fail:`, and every table that could not be opened.
#[derive(Debug)]
pub struct Unavailable(pub(crate) Error);

impl Table for Unavailable {
    fn lookup(&self, _key: &str) -> Result<Option<String>, Error> {
        Err(self.0.clone())
    }
}
