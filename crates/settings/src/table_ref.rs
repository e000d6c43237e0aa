//! A lookup table as a parameter names it: `hash:/etc/aliases`.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// `kind:name`; the name of `proxy:` is again `kind:name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct TableRef {
    /// The type: `hash`, `texthash`, `regexp`, `proxy` …
    pub kind: String,
    /// What follows the first colon: a path, a query, `{ … }` for inline tables.
    pub name: String,
}

impl TableRef {
    /// A table of its parts.
    pub fn new(kind: &str, name: &str) -> TableRef {
        TableRef {
            kind: kind.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The table behind `proxy:`, or the table itself.
    pub fn behind_proxy(&self) -> TableRef {
        if self.kind == "proxy" {
            self.name.parse().unwrap_or_else(|_| self.clone())
        } else {
            self.clone()
        }
    }
}

impl FromStr for TableRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<TableRef, Error> {
        match text.split_once(':') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() => Ok(TableRef::new(kind, name)),
            _ => Err(Error::Shape(format!(
                "\"{text}\" is not a lookup table: write type:name (hash:/etc/aliases)"
            ))),
        }
    }
}

impl fmt::Display for TableRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}
