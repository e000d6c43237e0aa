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
pub struct Inline {
    folded: HashMap<String, String>,
    /// With keys as they are written.
    written: HashMap<String, String>,
}

impl Inline {
    pub(crate) fn new(name: &str) -> Result<Inline, Error> {
        let wrong = |cause: &str| Error::Syntax {
            place: format!("inline:{name}"),
            cause: cause.to_owned(),
        };
        let (mut folded, mut written) = (HashMap::new(), HashMap::new());
        for item in braced_items(name).map_err(wrong)? {
            let (key, value) = item.split_once('=').ok_or_else(|| wrong("key = value wanted"))?;
            let (key, value) = (key.trim(), value.trim());
            for (entries, key) in [(&mut folded, key.to_lowercase()), (&mut written, key.to_owned())] {
                entries.entry(key).or_insert_with(|| value.to_owned());
            }
        }
        if folded.is_empty() {
            return Err(wrong("at least one key = value wanted"));
        }
        Ok(Inline { folded, written })
    }
}

impl Table for Inline {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        Ok(self.folded.get(&key.to_lowercase()).cloned())
    }

    fn lookup_unfolded(&self, key: &str) -> Result<Option<String>, Error> {
        Ok(self.written.get(key).cloned())
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
