//! Tables that are asked for an address and answer with addresses: canonical(5), virtual(5), generic(5).
//!
//! Keys, in this order: `user+extension@domain`, `user@domain`; for domains of this host `user+extension` and `user`; then
//! `@domain`. Tables of patterns see the whole address only.

use address::{Address, list};
use settings::TableRef;

use crate::{Error, Tables, Tell};

/// What a map must know of the host.
pub trait Host {
    /// Whether the address is one of this host, so that the name alone is a key too.
    ///
    /// # Errors
    /// When a lookup fails.
    fn is_local(&self, address: &Address) -> Result<bool, Error>;

    /// An address of a table with the domain that it lacks.
    fn completed(&self, address: Address) -> Address;
}

/// Whether an extension that no key has goes along to the addresses that are found (`propagate_unmatched_extensions`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// It does.
    Propagated,
    /// It does not.
    Dropped,
}

/// The tables of one parameter.
#[derive(Debug)]
pub struct AddressMap {
    name: &'static str,
    tables: Tables,
    delimiters: String,
    extension: Extension,
}

impl AddressMap {
    /// Opens the tables of the parameter `name`, and tells what is wrong with them. `delimiters` is `recipient_delimiter`.
    pub fn open(
        name: &'static str,
        references: &[TableRef],
        (delimiters, extension): (&str, Extension),
        problems: &mut Vec<Error>,
    ) -> AddressMap {
        let (tables, found) = Tables::open(references);
        problems.extend(found);
        AddressMap {
            name,
            tables: tables.titled(name),
            delimiters: delimiters.to_owned(),
            extension,
        }
    }

    /// The parameter's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// As [`Tables::tell_warnings`].
    pub fn tell_warnings(&mut self, tell: &Tell) {
        self.tables.tell_warnings(tell);
    }

    /// Whether there is no table.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Whether there is an entry for the address.
    ///
    /// # Errors
    /// When a table cannot be asked.
    pub fn has(&self, address: &Address, host: &dyn Host) -> Result<bool, Error> {
        Ok(self.find(address, host)?.is_some())
    }

    /// What stands there for the address.
    ///
    /// # Errors
    /// When a table cannot be asked.
    pub fn text(&self, address: &Address, host: &dyn Host) -> Result<Option<String>, Error> {
        Ok(self.find(address, host)?.map(|(value, _)| value))
    }

    /// The addresses that stand for this one; `None` where nothing is found. Empty where what is found is no address.
    ///
    /// # Errors
    /// When a table cannot be asked.
    pub fn lookup(&self, address: &Address, host: &dyn Host) -> Result<Option<Vec<Address>>, Error> {
        let Some((value, extension)) = self.find(address, host)? else {
            return Ok(None);
        };
        if let Some(domain) = value.trim().strip_prefix('@') {
            // `@domain`: the same user there.
            let there = address::Domain::parse(domain).ok();
            let moved = there.map(|domain| host.completed(address.at(Some(domain))));
            return Ok(Some(moved.into_iter().collect()));
        }
        let entries = list::parse(value.as_bytes());
        let named = list::mailboxes(&entries).flat_map(|mailbox| mailbox.recipients().into_iter().flatten());
        let extended = named.map(|found| {
            let local = format!("{}{extension}", found.local());
            host.completed(Address::new(&local, found.domain().cloned()))
        });
        Ok(Some(extended.collect()))
    }

    /// The value, and the extension with its delimiter that goes along.
    fn find(&self, address: &Address, host: &dyn Host) -> Result<Option<(String, String)>, Error> {
        if self.tables.is_empty() {
            return Ok(None);
        }
        for whole in forms(address) {
            if let Some(value) = self.tables.lookup(&whole)? {
                return Ok(Some((value, String::new())));
            }
        }
        let plain = address.strip_extension(&self.delimiters).map(|(plain, _)| plain);
        let extension = match (&plain, self.extension) {
            (Some(plain), Extension::Propagated) => address.local()[plain.local().len()..].to_owned(),
            _ => String::new(),
        };
        let mut parts: Vec<(String, &str)> = Vec::new();
        let plain_forms = plain.iter().flat_map(forms);
        parts.extend(plain_forms.map(|form| (form, extension.as_str())));
        if host.is_local(address)? {
            parts.extend(forms(&address.at(None)).into_iter().map(|form| (form, "")));
            let plain_forms = plain.iter().flat_map(|plain| forms(&plain.at(None)));
            parts.extend(plain_forms.map(|form| (form, extension.as_str())));
        }
        parts.extend(
            address
                .domain()
                .map(|domain| (format!("@{}", domain.as_str()), "")),
        );
        for (part, extension) in parts {
            if let Some(value) = self.tables.lookup_part(&part)? {
                return Ok(Some((value, extension.to_owned())));
            }
        }
        Ok(None)
    }
}

/// An address quoted as in mail, and as it is meant where that is another text.
fn forms(address: &Address) -> Vec<String> {
    let quoted = address.to_string();
    let bare = match address.domain() {
        Some(domain) => format!("{}@{}", address.local(), domain.as_str()),
        None => address.local().to_owned(),
    };
    match bare == quoted {
        true => vec![quoted],
        false => vec![quoted, bare],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Here;

    impl Host for Here {
        fn is_local(&self, address: &Address) -> Result<bool, Error> {
            Ok(address
                .domain()
                .is_none_or(|domain| domain.as_str() == "here.test"))
        }
        fn completed(&self, address: Address) -> Address {
            match address.domain() {
                Some(_) => address,
                None => address.at(address::Domain::parse("here.test").ok()),
            }
        }
    }

    fn found(entries: &str, extension: Extension, address: &str) -> Option<String> {
        let table = TableRef::new("inline", &format!("{{ {entries} }}"));
        let mut problems = Vec::new();
        let map = AddressMap::open("virtual_alias_maps", &[table], ("+", extension), &mut problems);
        assert_eq!(problems, []);
        let address = Address::parse(address).expect("an address");
        let found = map.lookup(&address, &Here).expect("an answer")?;
        let texts: Vec<String> = found.iter().map(Address::to_string).collect();
        Some(texts.join(" "))
    }

    #[test]
    fn keys_are_asked_in_order() {
        let table = "{ u+x@a.test = 1 }, { u@a.test = 2@b.test }, { @a.test = 3@b.test, four }, { v = 5 }, { v+y = 6 }, \
                     { \"o p\"@a.test = 7 }";
        let ask = |address| found(table, Extension::Propagated, address);
        assert_eq!(ask("u+x@a.test").as_deref(), Some("1@here.test"));
        assert_eq!(ask("u+z@a.test").as_deref(), Some("2+z@b.test"));
        assert_eq!(ask("w+z@a.test").as_deref(), Some("3@b.test four@here.test"));
        assert_eq!(ask("v+y@here.test").as_deref(), Some("6@here.test"));
        assert_eq!(ask("v+x@here.test").as_deref(), Some("5+x@here.test"));
        assert_eq!(ask("v@else.test"), None);
        let dropped = found(table, Extension::Dropped, "u+z@a.test");
        assert_eq!(dropped.as_deref(), Some("2@b.test"));
    }

    #[test]
    fn a_domain_is_another_name_of_another() {
        let ask = |address| found("{ @a.test = @b.test }", Extension::Propagated, address);
        assert_eq!(ask("u+x@a.test").as_deref(), Some("u+x@b.test"));
    }

    #[test]
    fn a_table_that_does_not_answer_is_not_one_that_has_nothing() {
        let table = TableRef::new("fail", "x");
        let map = AddressMap::open(
            "canonical_maps",
            &[table],
            ("", Extension::Dropped),
            &mut Vec::new(),
        );
        let address = Address::parse("a@b").expect("an address");
        assert!(map.lookup(&address, &Here).is_err());
    }
}
