//! Tables whose content is in their name: `static:`, `inline:`; and those that only ever fail.

use std::collections::HashMap;

use super::braced_items;
use crate::{Error, Table};

/// `static:value` or `static:{ value with blanks }`: the same answer for every key.
#[derive(Debug)]
pub struct Static(String);

impl Static {
    pub(crate) fn new(name: &str) -> Static {
        let inner = name.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        Static(inner.map_or(name, str::trim).to_owned())
    }
}

impl Table for Static {
    fn lookup(&self, _key: &str) -> Result<Option<String>, Error> {
        Ok(Some(self.0.clone()))
    }
}

/// `inline:{ key=value, { key = value with blanks } }`
#[derive(Debug, Default)]
pub struct Inline(HashMap<String, String>);

impl Inline {
    pub(crate) fn new(name: &str) -> Result<Inline, Error> {
        let wrong = |cause: &str| Error::Syntax {
            place: format!("inline:{name}"),
            cause: cause.to_owned(),
        };
        let mut entries = HashMap::new();
        for item in braced_items(name).map_err(wrong)? {
            let (key, value) = item.split_once('=').ok_or_else(|| wrong("key = value wanted"))?;
            entries
                .entry(key.trim().to_lowercase())
                .or_insert_with(|| value.trim().to_owned());
        }
        if entries.is_empty() {
            return Err(wrong("at least one key = value wanted"));
        }
        Ok(Inline(entries))
    }
}

impl Table for Inline {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        Ok(self.0.get(&key.to_lowercase()).cloned())
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
