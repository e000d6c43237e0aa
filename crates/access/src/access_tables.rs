//! access(5) tables: which keys a client, a name or an address is looked up under, in Postfix's order.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use address::Address;
use settings::{Postfix, TableRef};
use tables::{Error, Tables, Tell, watch};

/// The value of a key, and the key.
pub type Found = Option<(String, String)>;

/// A lookup that failed: what was looked for, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The name or address whose keys were asked for.
    pub key: String,
    /// Why.
    pub error: Error,
}

impl Failed {
    fn of(key: &str) -> impl FnOnce(Error) -> Failed {
        move |error| Failed {
            key: key.to_owned(),
            error,
        }
    }
}

/// The tables of a service's lists, each opened once.
#[derive(Default)]
pub struct AccessTables {
    open: Mutex<HashMap<String, Arc<Tables>>>,
    tell: Option<Tell>,
}

/// Tables of a parameter that are asked one after the other; the log names the one that fails.
#[derive(Default)]
pub(crate) struct MapList(Vec<Tables>);

impl MapList {
    /// Opens them; and what is wrong with them.
    pub(crate) fn open(refs: &[TableRef], tell: &Tell) -> (MapList, Vec<Error>) {
        let mut problems = Vec::new();
        let open = |name: &TableRef| {
            let (mut table, broken) = Tables::open(std::slice::from_ref(name));
            table.tell_warnings(tell);
            problems.extend(broken);
            table
        };
        (MapList(refs.iter().map(open).collect()), problems)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first value.
    ///
    /// # Errors
    /// That of the first table that cannot be asked; the log was told.
    pub(crate) fn find(&self, key: &str) -> Result<Option<String>, Error> {
        for table in &self.0 {
            let found = table.lookup(key)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

/// How a table is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    /// The key is all of it.
    Yes,
    /// The key is a part: tables of patterns are passed over.
    No,
}

/// What matters to lookups of main.cf.
#[derive(Debug, Clone)]
pub struct Keys {
    /// A domain stands for its subdomains too (`parent_domain_matches_subdomains`); else `.domain` does.
    pub parents_match: bool,
    /// `recipient_delimiter`
    pub delimiters: String,
    /// `smtpd_null_access_lookup_key`
    pub null_key: String,
}

impl Keys {
    /// Those of `settings`.
    pub fn of(settings: &Postfix) -> Keys {
        let mut parents = settings.parent_domain_matches_subdomains.iter();
        Keys {
            parents_match: parents.any(|list| list == "smtpd_access_maps"),
            delimiters: settings.recipient_delimiter.clone(),
            null_key: settings.smtpd_null_access_lookup_key.clone(),
        }
    }
}

impl AccessTables {
    fn opened(&self) -> MutexGuard<'_, HashMap<String, Arc<Tables>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a table, unless it is open.
    ///
    /// # Errors
    /// What is wrong with it now; its lookups fail until that is mended.
    pub fn add(&self, name: &str) -> Result<(), Error> {
        if self.opened().contains_key(name) {
            return Ok(());
        }
        let table: TableRef = match name.parse() {
            Ok(table) => table,
            // No table at all: nothing is open under this name.
            Err(_) => {
                return Err(Error::UnknownType {
                    kind: name.to_owned(),
                });
            }
        };
        let (mut tables, problems) = Tables::open(&[table]);
        if let Some(tell) = &self.tell {
            tables.tell_warnings(tell);
        }
        self.opened().insert(name.to_owned(), Arc::new(tables));
        problems.into_iter().next().map_or(Ok(()), Err)
    }

    /// Who is told the warnings of tables that are opened from now on.
    pub fn telling(tell: Tell) -> AccessTables {
        AccessTables {
            open: Mutex::default(),
            tell: Some(tell),
        }
    }

    /// The table of that name, if it was opened.
    pub fn find(&self, name: &str) -> Option<Arc<Tables>> {
        self.opened().get(name).cloned()
    }
}

/// Which line of the table of this name decided in the last lookup of this thread; `None` where that is not a table of patterns.
pub(crate) fn line_of(name: &str) -> Option<usize> {
    let name = name.strip_prefix("proxy:").unwrap_or(name);
    let (kind, _) = name.split_once(':')?;
    watch::line().filter(|_| matches!(kind, "pcre" | "regexp" | "cidr"))
}

fn look(tables: &Tables, key: &str, whole: Whole) -> Result<Found, Error> {
    if key.is_empty() {
        return Ok(None);
    }
    watch::forget_line();
    let value = match whole {
        Whole::Yes => tables.lookup(key)?,
        Whole::No => tables.lookup_part(key)?,
    };
    Ok(value.map(|value| (key.to_owned(), value)))
}

/// One key and no other.
///
/// # Errors
/// When the table cannot be asked.
pub fn exact(tables: &Tables, key: &str) -> Result<Found, Failed> {
    look(tables, key, Whole::Yes).map_err(Failed::of(key))
}

/// A name, then its parent domains. A name that is an address has none.
///
/// # Errors
/// When the table cannot be asked.
pub fn domain(tables: &Tables, name: &str, keys: &Keys) -> Result<Found, Failed> {
    domain_from(tables, name, keys, Whole::Yes).map_err(Failed::of(name))
}

fn domain_from(tables: &Tables, name: &str, keys: &Keys, mut whole: Whole) -> Result<Found, Error> {
    let is_address = name.parse::<IpAddr>().is_ok();
    let mut key = name;
    loop {
        let found = look(tables, key, whole)?;
        if found.is_some() || is_address {
            return Ok(found);
        }
        let Some(at) = key.get(1..).and_then(|rest| rest.find('.')) else {
            return Ok(None);
        };
        key = &key[at + 1 + usize::from(keys.parents_match)..];
        whole = Whole::No;
    }
}

/// An address, then the networks it is in: octets, or groups, are cut off at the end.
///
/// # Errors
/// When the table cannot be asked.
pub fn address(tables: &Tables, address: IpAddr) -> Result<Found, Failed> {
    let text = address.to_string();
    address_from(tables, &text, if address.is_ipv4() { '.' } else { ':' }).map_err(Failed::of(&text))
}

fn address_from(tables: &Tables, text: &str, separator: char) -> Result<Found, Error> {
    let (mut key, mut whole) = (text, Whole::Yes);
    loop {
        let found = look(tables, key, whole)?;
        if found.is_some() {
            return Ok(found);
        }
        let Some(at) = key.rfind(separator) else {
            return Ok(None);
        };
        key = &key[..at];
        whole = Whole::No;
    }
}

/// A client: its name, then its address.
///
/// # Errors
/// When the table cannot be asked.
pub fn client(tables: &Tables, name: &str, ip: IpAddr, keys: &Keys) -> Result<Found, Failed> {
    let found = domain(tables, name, keys)?;
    if found.is_some() {
        return Ok(found);
    }
    address(tables, ip)
}

/// A mail address: as it is, without its extension, its domain and parents, its local part with `@`; `None` is the null
/// sender.
///
/// # Errors
/// When the table cannot be asked.
pub fn mail(tables: &Tables, mail: Option<&Address>, keys: &Keys) -> Result<Found, Failed> {
    match mail {
        None => exact(tables, &keys.null_key),
        Some(mail) if mail.domain().is_none() => exact(tables, mail.local()),
        Some(mail) => mail_from(tables, mail, keys).map_err(Failed::of(&whole_text(mail))),
    }
}

fn whole_text(mail: &Address) -> String {
    let domain = mail.domain().map(|domain| domain.as_str());
    format!("{}@{}", mail.local(), domain.unwrap_or_default())
}

fn mail_from(tables: &Tables, mail: &Address, keys: &Keys) -> Result<Found, Error> {
    let bare = mail.strip_extension(&keys.delimiters).map(|(bare, _)| bare);
    let mut found = look(tables, &whole_text(mail), Whole::Yes)?;
    if let (None, Some(bare)) = (&found, &bare) {
        found = look(tables, &whole_text(bare), Whole::No)?;
    }
    if let (None, Some(host)) = (&found, mail.domain()) {
        found = domain_from(tables, host.as_str(), keys, Whole::No)?;
    }
    for local in [Some(mail), bare.as_ref()].into_iter().flatten() {
        if found.is_none() {
            found = look(tables, &format!("{}@", local.local()), Whole::No)?;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(parents_match: bool) -> Keys {
        Keys {
            parents_match,
            delimiters: "+".to_owned(),
            null_key: "<>".to_owned(),
        }
    }

    fn table(entries: &str) -> Tables {
        let name: TableRef = format!("inline:{{{entries}}}").parse().expect("a table");
        Tables::open(&[name]).0
    }

    #[test]
    fn names_are_looked_up_with_their_parents() {
        let found = |entries: &str, name: &str, parents| {
            let found = domain(&table(entries), name, &keys(parents)).expect("it answers");
            found.map(|(key, _)| key)
        };
        assert_eq!(found("a.test=1", "x.a.test", true).as_deref(), Some("a.test"));
        assert_eq!(found("a.test=1", "x.a.test", false), None);
        assert_eq!(found(".a.test=1", "x.a.test", false).as_deref(), Some(".a.test"));
        assert_eq!(found(".a.test=1", "a.test", false), None);
        assert_eq!(found("2.3=1", "1.2.3", true).as_deref(), Some("2.3"));
        assert_eq!(
            found("2.3.4=1", "1.2.3.4", true),
            None,
            "an address has no parents"
        );
    }

    #[test]
    fn addresses_are_looked_up_with_their_networks() {
        let found = |entries: &str, ip: &str| {
            let ip = ip.parse().expect("an address");
            address(&table(entries), ip)
                .expect("it answers")
                .map(|(key, _)| key)
        };
        assert_eq!(found("192.0=1", "192.0.2.1").as_deref(), Some("192.0"));
        assert_eq!(found("192.0.2.1=1", "192.0.2.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(found("2001:db8=1", "2001:db8::1").as_deref(), Some("2001:db8"));
        assert_eq!(found("10=1", "192.0.2.1"), None);
    }

    #[test]
    fn mail_addresses_are_looked_up_from_the_whole_to_the_parts() {
        let found = |entries: &str, text: &str| {
            let address = Address::parse(text).ok();
            let found = mail(&table(entries), address.as_ref(), &keys(true)).expect("it answers");
            found.map(|(key, _)| key)
        };
        assert_eq!(
            found("u+x@a.test=1, u@a.test=2", "u+x@a.test").as_deref(),
            Some("u+x@a.test")
        );
        assert_eq!(
            found("u@a.test=2, a.test=3", "u+x@a.test").as_deref(),
            Some("u@a.test")
        );
        assert_eq!(
            found("a.test=3, u+x@=4", "u+x@b.a.test").as_deref(),
            Some("a.test")
        );
        assert_eq!(found("u@=5", "u+x@a.test").as_deref(), Some("u@"));
        assert_eq!(found("<>=6", "").as_deref(), Some("<>"));
        assert_eq!(found("v@a.test=1", "u@a.test"), None);
    }
}
