//! What trusted clients tell of others: XFORWARD for the log, XCLIENT in place of the client itself; and who is trusted.

use std::net::IpAddr;

use access::Client;
use maillog::lines::smtpd::Original;
use settings::{NetworkPattern, Networks};
use smtp::server::{Attribute, Attributes, Told};
use tables::{Tables, Tell};

/// A list of clients as `smtpd_authorized_xforward_hosts` writes it: networks, names, `.domains`, tables; the first entry that
/// matches decides.
#[derive(Default)]
pub(super) struct Trusted(Vec<(bool, Entry)>);

enum Entry {
    Network(settings::Network),
    Name(String),
    Table(Tables),
}

impl Trusted {
    /// The list of a parameter. A table that cannot be opened is told to `tell`, and nobody is in it.
    pub(super) fn open(list: &Networks, tell: &Tell) -> Trusted {
        let entry = |pattern: &NetworkPattern| match pattern {
            NetworkPattern::Network(network) => Some(Entry::Network(*network)),
            NetworkPattern::Name(name) => Some(Entry::Name(name.to_ascii_lowercase())),
            NetworkPattern::Table(table) => {
                let (mut tables, problems) = Tables::open(std::slice::from_ref(table));
                problems.iter().for_each(|problem| tell(&problem.to_string()));
                tables.tell_warnings(tell);
                Some(Entry::Table(tables))
            }
            // It was read when the configuration was.
            NetworkPattern::File(_) => None,
        };
        let each = list.patterns.iter();
        Trusted(
            each.filter_map(|(negated, pattern)| Some((*negated, entry(pattern)?)))
                .collect(),
        )
    }

    /// Whether this client is in the list. Whom a table cannot tell about is not trusted.
    pub(super) fn has(&self, client: &Client) -> bool {
        let name = client.name.to_ascii_lowercase();
        let address = client.address.to_canonical();
        for (negated, entry) in &self.0 {
            let matches = match entry {
                Entry::Network(network) => network.contains(address),
                Entry::Name(wanted) if wanted.starts_with('.') => name.ends_with(wanted.as_str()),
                Entry::Name(wanted) => *wanted == name,
                Entry::Table(table) => {
                    let shown = address.to_string();
                    let mut keys = [name.as_str(), &shown].into_iter();
                    let found: Result<bool, tables::Error> =
                        keys.try_fold(false, |found, key| Ok(found || table.has(key)?));
                    match found {
                        Ok(found) => found,
                        Err(_) => return false,
                    }
                }
            };
            if matches {
                return !negated;
            }
        }
        false
    }
}

/// The client behind a trusted one, for the log and for what the queue keeps. What was not told is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Forwarded {
    name: Option<String>,
    address: Option<String>,
    port: Option<String>,
    protocol: Option<String>,
    helo: Option<String>,
    ident: Option<String>,
    source: Option<String>,
    /// Something about the client itself was told, be it that it is not known.
    tells_of_client: bool,
}

impl Forwarded {
    /// Takes what one command told.
    pub(super) fn take(&mut self, attributes: Attributes) {
        for (attribute, told) in attributes {
            let place = match attribute {
                Attribute::Name => &mut self.name,
                Attribute::Address => &mut self.address,
                Attribute::Port => &mut self.port,
                Attribute::Protocol => &mut self.protocol,
                Attribute::Helo => &mut self.helo,
                Attribute::Ident => &mut self.ident,
                Attribute::Source => &mut self.source,
                // XFORWARD does not have them.
                Attribute::ReverseName
                | Attribute::Login
                | Attribute::DestinationAddress
                | Attribute::DestinationPort => continue,
            };
            *place = known(told);
            self.tells_of_client |= !matches!(attribute, Attribute::Ident | Attribute::Source);
        }
    }

    /// What the log's line about the client says of it.
    pub(super) fn original(&self) -> Original<'_> {
        Original {
            queue_id: self.ident.as_deref(),
            name: self.name.as_deref(),
            address: self.address.as_deref(),
            is_told: self.tells_of_client,
        }
    }

    /// What the queue keeps in place of what it would keep of the client itself; empty is unknown.
    pub(super) fn attributes(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for (name, value) in [
            ("log_client_name", &self.name),
            ("log_client_address", &self.address),
            ("log_client_port", &self.port),
            ("log_helo_name", &self.helo),
            ("log_protocol_name", &self.protocol),
        ] {
            all.push((name.to_owned(), value.clone().unwrap_or_default()));
        }
        all.extend(self.ident.clone().map(|ident| ("log_ident".to_owned(), ident)));
        let is_remote = self.source.as_deref() == Some("REMOTE");
        all.extend(is_remote.then(|| (crate::cleanup::CONTEXT.to_owned(), "remote".to_owned())));
        all
    }
}

fn known(told: Told) -> Option<String> {
    match told {
        Told::Known(value) => Some(value),
        Told::Unavailable | Told::UnavailableNow => None,
    }
}

/// The client that XCLIENT makes of this one.
pub(super) fn introduced(client: &Client, attributes: &Attributes) -> Client {
    let mut client = client.clone();
    let unknown = || "unknown".to_owned();
    for (attribute, told) in attributes {
        match (attribute, told) {
            (Attribute::Name, told) => {
                client.name_is_pending = *told == Told::UnavailableNow;
                client.name = known(told.clone()).unwrap_or_else(unknown);
            }
            (Attribute::ReverseName, told) => {
                client.reverse_name = known(told.clone()).unwrap_or_else(unknown);
            }
            (Attribute::Address, Told::Known(address)) => {
                // The machine has read it already.
                client.address = address.parse::<IpAddr>().unwrap_or(client.address);
            }
            _ => {}
        }
    }
    client
}

/// The last value of an attribute, where there is one.
pub(super) fn value(attributes: &Attributes, wanted: Attribute) -> Option<Option<String>> {
    let mut all = attributes.iter().rev();
    let (_, told) = all.find(|(attribute, _)| *attribute == wanted)?;
    Some(known(told.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn client(name: &str, address: &str) -> Client {
        Client {
            name: name.to_owned(),
            reverse_name: name.to_owned(),
            name_is_pending: false,
            address: address.parse().expect("an address"),
        }
    }

    #[test]
    fn trusted_clients_are_named_in_every_way() {
        let tell: Tell = Arc::new(|_: &str| {});
        let list =
            "!192.0.2.9, 192.0.2.0/24, filter.test .inside.test inline:{other.test=yes,198.51.100.7=yes}";
        let trusted = Trusted::open(&list.parse().expect("a list"), &tell);
        for (name, address, is_trusted) in [
            ("unknown", "192.0.2.1", true),
            ("unknown", "192.0.2.9", false),
            ("unknown", "::ffff:192.0.2.1", true),
            ("FILTER.test", "203.0.113.1", true),
            ("a.inside.test", "203.0.113.1", true),
            ("inside.test", "203.0.113.1", false),
            ("other.test", "203.0.113.1", true),
            ("unknown", "198.51.100.7", true),
            ("unknown", "198.51.100.8", false),
        ] {
            assert_eq!(
                trusted.has(&client(name, address)),
                is_trusted,
                "{name} {address}"
            );
        }
        assert!(!Trusted::default().has(&client("localhost", "127.0.0.1")));
    }

    #[test]
    fn mail_from_no_client_has_no_original_one() {
        let known = |text: &str| Told::Known(text.to_owned());
        let mut forwarded = Forwarded::default();
        forwarded.take(vec![
            (Attribute::Source, known("LOCAL")),
            (Attribute::Ident, known("4XvGfk5c3zz1")),
        ]);
        let original = forwarded.original();
        assert_eq!(
            (original.queue_id, original.is_told),
            (Some("4XvGfk5c3zz1"), false)
        );
        forwarded.take(vec![(Attribute::Name, Told::Unavailable)]);
        assert!(forwarded.original().is_told, "it is known that it is unknown");
    }

    #[test]
    fn another_client_is_introduced() {
        let known = |text: &str| Told::Known(text.to_owned());
        let attributes = vec![
            (Attribute::Name, Told::UnavailableNow),
            (Attribute::Address, known("2001:db8::1")),
            (Attribute::Login, Told::Unavailable),
        ];
        let other = introduced(&client("filter.test", "127.0.0.1"), &attributes);
        assert_eq!(other.to_string(), "unknown[2001:db8::1]");
        assert!(other.name_is_pending && other.reverse_name == "filter.test");
        assert_eq!(value(&attributes, Attribute::Login), Some(None));
        assert_eq!(value(&attributes, Attribute::Helo), None);
    }
}
