//! Lists of clients as `mynetworks` and `smtpd_authorized_xforward_hosts` write them: networks, names, `.domains`, tables, `!`
//! before what does not belong; the first entry that matches decides (postconf(5)).

use std::net::IpAddr;
use std::sync::Arc;

use settings::{Network, NetworkPattern, Networks, Postfix};

use crate::{Error, Tables, Tell};

/// A list of clients.
#[derive(Debug, Default)]
pub struct ClientList {
    entries: Vec<(bool, Entry)>,
    /// Whether a name in the list stands for its subdomains too (`parent_domain_matches_subdomains`).
    subdomains: bool,
    parameter: String,
    tell: Telling,
}

/// Who is told of lookups that fail.
#[derive(Default)]
struct Telling(Option<Tell>);

impl std::fmt::Debug for Telling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telling")
    }
}

#[derive(Debug)]
enum Entry {
    Network(Network),
    Name(String),
    Table(String, Tables),
}

impl ClientList {
    /// The list that is the value of `parameter`. A table that cannot be opened is told to `problems`, and every lookup in it
    /// fails.
    pub fn open(
        parameter: &str,
        list: &Networks,
        settings: &Postfix,
        problems: &mut Vec<Error>,
    ) -> ClientList {
        let mut entry = |pattern: &NetworkPattern| match pattern {
            NetworkPattern::Network(network) => Some(Entry::Network(*network)),
            NetworkPattern::Name(name) => Some(Entry::Name(name.to_ascii_lowercase())),
            NetworkPattern::Table(table) => {
                let (tables, found) = Tables::open(std::slice::from_ref(table));
                problems.extend(found);
                Some(Entry::Table(table.to_string(), tables))
            }
            // It was read when the configuration was.
            NetworkPattern::File(_) => None,
        };
        let each = list.patterns.iter();
        let mut parents = settings.parent_domain_matches_subdomains.iter();
        ClientList {
            entries: each
                .filter_map(|(negated, pattern)| Some((*negated, entry(pattern)?)))
                .collect(),
            subdomains: parents.any(|list| list == parameter),
            parameter: parameter.to_owned(),
            tell: Telling::default(),
        }
    }

    /// As [`Tables::tell_warnings`]; of lookups that fail, too.
    pub fn tell_warnings(&mut self, tell: &Tell) {
        self.tell = Telling(Some(Arc::clone(tell)));
        for (_, entry) in &mut self.entries {
            if let Entry::Table(_, table) = entry {
                table.tell_warnings(tell);
            }
        }
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the client is in the list; without a name only its address is compared.
    ///
    /// # Errors
    /// When a table cannot be asked.
    pub fn contains(&self, name: Option<&str>, address: IpAddr) -> Result<bool, Error> {
        let name = name.map(str::to_ascii_lowercase);
        let address = address.to_canonical();
        for (negated, entry) in &self.entries {
            let matches = match entry {
                Entry::Network(network) => network.contains(address),
                Entry::Name(wanted) => name.as_ref().is_some_and(|name| self.names(wanted, name)),
                Entry::Table(shown, table) => self
                    .is_in(table, name.as_deref(), address)
                    .inspect_err(|error| self.failed(shown, error))?,
            };
            if matches {
                return Ok(!negated);
            }
        }
        Ok(false)
    }

    fn is_in(&self, table: &Tables, name: Option<&str>, address: IpAddr) -> Result<bool, Error> {
        let by_name = match name {
            Some(name) => self.finds(table, name)?,
            None => false,
        };
        Ok(by_name || table.has(&address.to_string())?)
    }

    fn failed(&self, table: &str, error: &Error) {
        if let Some(tell) = &self.tell.0 {
            if error.is_unavailable() {
                tell(&format!("{table} is unavailable. {error}"));
            }
            tell(&format!("{}: {table}: table lookup problem", self.parameter));
        }
    }

    fn names(&self, wanted: &str, name: &str) -> bool {
        let within = |domain: &str| name.strip_suffix(domain).is_some_and(|host| host.ends_with('.'));
        match (self.subdomains, wanted.strip_prefix('.')) {
            (true, _) => name == wanted || within(wanted),
            (false, Some(domain)) => within(domain),
            (false, None) => name == wanted,
        }
    }

    /// The name, then its parents: as they are, or with a dot in front.
    fn finds(&self, table: &Tables, name: &str) -> Result<bool, Error> {
        if table.has(name)? {
            return Ok(true);
        }
        for (dot, _) in name.match_indices('.').filter(|(dot, _)| *dot > 0) {
            let key = &name[dot + usize::from(self.subdomains)..];
            if table.has_part(key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Surroundings;

    fn list(parameter: &str, text: &str) -> ClientList {
        let settings = Postfix::defaults(&Surroundings::default());
        let networks = text.parse().expect("a list");
        ClientList::open(parameter, &networks, &settings, &mut Vec::new())
    }

    fn has(list: &ClientList, name: &str, address: &str) -> bool {
        let address = address.parse().expect("an address");
        list.contains(Some(name), address).expect("no broken table")
    }

    #[test]
    fn clients_are_named_in_every_way() {
        let list = list(
            "smtpd_authorized_xforward_hosts",
            "!192.0.2.9, 192.0.2.0/24, filter.test .inside.test \
             inline:{other.test=yes,198.51.100.7=yes,.far.test=yes} cidr:{{203.0.113.64/26 OK}}",
        );
        for (name, address, is_in) in [
            ("unknown", "192.0.2.1", true),
            ("unknown", "192.0.2.9", false),
            ("unknown", "::ffff:192.0.2.1", true),
            ("FILTER.test", "203.0.113.1", true),
            ("a.filter.test", "203.0.113.1", false),
            ("a.inside.test", "203.0.113.1", true),
            ("inside.test", "203.0.113.1", false),
            ("other.test", "203.0.113.1", true),
            ("a.other.test", "203.0.113.1", false),
            ("a.b.far.test", "203.0.113.1", true),
            ("unknown", "198.51.100.7", true),
            ("unknown", "198.51.100.8", false),
            ("unknown", "203.0.113.65", true),
        ] {
            assert_eq!(has(&list, name, address), is_in, "{name} {address}");
        }
        assert!(!has(&ClientList::default(), "localhost", "127.0.0.1"));
    }

    #[test]
    fn names_stand_for_their_subdomains_where_postfix_has_it_so() {
        let list = list("mynetworks", "inside.test, inline:{other.test=yes}");
        assert!(has(&list, "a.inside.test", "203.0.113.1") && has(&list, "a.other.test", "203.0.113.1"));
        assert!(!has(&list, "xinside.test", "203.0.113.1"));
    }

    #[test]
    fn who_cannot_be_looked_up_is_not_out_of_the_list() {
        let list = list("mynetworks", "127.0.0.0/8, fail:x");
        assert!(has(&list, "localhost", "127.0.0.1"));
        assert!(
            list.contains(None, "192.0.2.1".parse().expect("an address"))
                .is_err()
        );
    }
}
