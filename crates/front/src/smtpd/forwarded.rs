//! What trusted clients tell of others: XFORWARD for the log, XCLIENT in place of the client itself.

use std::net::IpAddr;

use access::Client;
use maillog::lines::smtpd::Original;
use smtp::server::{Attribute, Attributes, Told};

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

    fn client(name: &str, address: &str) -> Client {
        Client {
            name: name.to_owned(),
            reverse_name: name.to_owned(),
            name_is_pending: false,
            address: address.parse().expect("an address"),
        }
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
