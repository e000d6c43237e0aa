//! The table types, one file each, and the word by which each is known.

pub mod chained;
pub mod cidr;
pub mod connections;
pub mod database;
pub mod fixed;
pub mod nis;
pub mod patterns;
pub mod pcre;
pub mod randmap;
pub mod regexp;
pub mod socketmap;
pub mod sqlite;
pub mod system_users;
pub mod tcp;
pub mod texthash;

use settings::TableRef;

use crate::{Error, Matter, Table};

/// How deep tables may stand within tables (`unionmap:{pipemap:{…}}`).
pub const DEPTH_MAX: usize = 8;

/// Types that Postfix has and Yubin does not yet.
const NOT_YET: [&str; 8] = [
    "ldap", "memcache", "mongodb", "mysql", "netinfo", "nisplus", "pgsql", "sdbm",
];

/// The types that can be opened, as `postconf -m` lists them.
pub const NAMES: [&str; 22] = [
    "btree",
    "cdb",
    "cidr",
    "dbm",
    "environ",
    "fail",
    "hash",
    "inline",
    "internal",
    "lmdb",
    "pcre",
    "pipemap",
    "proxy",
    "randmap",
    "regexp",
    "socketmap",
    "sqlite",
    "static",
    "tcp",
    "texthash",
    "unionmap",
    "unix",
];

/// Whether a table holds patterns, which are compared with the whole of what is looked up.
pub(crate) fn has_patterns(table: &TableRef) -> bool {
    let kind = match table.kind.as_str() {
        "proxy" => table.behind_proxy().kind,
        kind => kind.to_owned(),
    };
    ["cidr", "pcre", "regexp", "tcp"].contains(&kind.as_str())
}

/// Opens one table, and tells what is wrong with it now; what cannot be opened answers with an error.
pub(crate) fn open(table: &TableRef, matter: Matter) -> (Box<dyn Table>, Option<Error>) {
    match open_at(table, Standing { depth: 0, matter }) {
        Ok(opened) => opened,
        Err(error) => (Box::new(fixed::Unavailable(error.clone())), Some(error)),
    }
}

/// How deep within others a table stands, and what it decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    depth: usize,
    matter: Matter,
}

impl Standing {
    /// That of a table within this one.
    pub(crate) fn below(self) -> Standing {
        Standing {
            depth: self.depth + 1,
            ..self
        }
    }

    /// Refuses a table whose server anybody might stand in for, where it would decide about rights.
    fn allows(self, table: &TableRef) -> Result<(), Error> {
        let what = match table.kind.as_str() {
            "tcp" | "nis" => "security sensitive",
            "socketmap" => "security-sensitive",
            _ => return Ok(()),
        };
        match self.matter {
            Matter::Usual | Matter::Transport => Ok(()),
            Matter::Rights => Err(Error::NotAllowed {
                table: table.to_string(),
                what,
            }),
        }
    }
}

pub(crate) fn open_at(
    table: &TableRef,
    standing: Standing,
) -> Result<(Box<dyn Table>, Option<Error>), Error> {
    let whole = table.to_string();
    standing.allows(table)?;
    if standing.depth > DEPTH_MAX {
        return Err(Error::Syntax {
            place: whole,
            cause: "tables stand too deep within tables".to_owned(),
        });
    }
    let name = table.name.as_str();
    match table.kind.as_str() {
        "proxy" => {
            let inner = table.behind_proxy();
            if inner.kind == "proxy" {
                let cause = "proxy: wants another table behind it".to_owned();
                return Err(Error::Syntax { place: whole, cause });
            }
            open_at(&inner, standing.below())
        }
        kind if database::suffix(kind).is_some() || kind == settings::SendmailFiles::KIND => {
            let opened = database::Database::new(table);
            let problem = opened.check();
            Ok((Box::new(opened), problem))
        }
        "texthash" => {
            let opened = texthash::TextHash::new(name);
            let problem = opened.check();
            Ok((Box::new(opened), problem))
        }
        "regexp" => patterns::open(name, &regexp::DIALECT, standing.matter),
        "pcre" => patterns::open(name, &pcre::DIALECT, standing.matter),
        "cidr" => cidr::open(name),
        "static" => Ok((Box::new(fixed::Static::new(name)?), None)),
        "inline" => Ok((Box::new(fixed::Inline::new(name)?), None)),
        "internal" => Ok((Box::new(fixed::Inline::default()), None)),
        "fail" => {
            let error = Error::Lookup {
                table: whole,
                cause: "Application error".to_owned(),
            };
            Ok((Box::new(fixed::Unavailable(error)), None))
        }
        "unix" => Ok((Box::new(system_users::SystemUsers::new(name)?), None)),
        "environ" => Ok((Box::new(randmap::Environment), None)),
        "randmap" => Ok((Box::new(randmap::Random::new(name)?), None)),
        "tcp" => Ok((Box::new(tcp::Tcp::new(name)?), None)),
        "socketmap" => Ok((Box::new(socketmap::SocketMap::new(name)?), None)),
        "sqlite" => {
            let (opened, problem) = sqlite::Sqlite::open(name)?;
            Ok((Box::new(opened), problem))
        }
        "unionmap" | "pipemap" => chained::open(table, standing),
        "nis" => Ok((nis::open(&whole)?, None)),
        kind if NOT_YET.contains(&kind) => Err(not_yet(&whole, kind)),
        kind => Err(Error::UnknownType {
            kind: kind.to_owned(),
        }),
    }
}

fn not_yet(table: &str, kind: &str) -> Error {
    Error::NotYet {
        table: table.to_owned(),
        kind: kind.to_owned(),
    }
}

/// The items of `{ … }`: parted by white space and commas; an item in braces is one item without them.
pub(crate) fn braced_items(text: &str) -> Result<Vec<String>, &'static str> {
    let bare = |item: String| match item.strip_prefix('{').and_then(|item| item.strip_suffix('}')) {
        Some(inner) => inner.trim().to_owned(),
        None => item,
    };
    let items = raw_items(text)?.into_iter().map(bare);
    Ok(items.filter(|item| !item.is_empty()).collect())
}

/// As [`braced_items`]; an item in braces keeps them.
pub(crate) fn raw_items(text: &str) -> Result<Vec<String>, &'static str> {
    let inner = text
        .trim()
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .ok_or("{ … } wanted")?;
    let (mut items, mut current, mut depth) = (Vec::new(), String::new(), 0usize);
    for c in inner.chars() {
        match c {
            '{' => {
                depth += 1;
                current.push(c);
            }
            '}' => {
                depth = depth.checked_sub(1).ok_or("a } too many")?;
                current.push(c);
            }
            c if depth == 0 && (c.is_whitespace() || c == ',') => {
                items.push(std::mem::take(&mut current));
            }
            c => current.push(c),
        }
    }
    if depth > 0 {
        return Err("a } is missing");
    }
    items.push(current);
    Ok(items
        .into_iter()
        .map(|item| item.trim().to_owned())
        .filter(|item| !item.is_empty())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_in_braces() {
        assert_eq!(
            braced_items("{ {key = a b}, k2=c }").unwrap(),
            ["key = a b", "k2=c"]
        );
        assert_eq!(
            braced_items("{static:a,static:{b c}}").unwrap(),
            ["static:a", "static:{b c}"]
        );
        assert_eq!(braced_items("{ }").unwrap(), [""; 0]);
        assert_eq!(raw_items("{ {x y}, z {} }").unwrap(), ["{x y}", "z", "{}"]);
        assert!(braced_items("{ {a }").is_err());
        assert!(braced_items("a").is_err());
    }
}
