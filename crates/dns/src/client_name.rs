//! The name of a client: what its address is called, and whether that name has the address.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::timeout;

use crate::{Dns, Failure, Kind, Question, Record};

/// How long the name of a client is looked for; after that it has none.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a client is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientName {
    /// The name that is verified, or `unknown`.
    pub name: String,
    /// The name that the address has, verified or not, or `unknown`.
    pub reverse_name: String,
    /// Why there is no name, or why it is not verified; `None` for a verified name, and for one that has other addresses.
    pub failure: Option<Failure>,
}

impl ClientName {
    /// A client without a name.
    pub fn unknown(failure: Option<Failure>) -> ClientName {
        ClientName {
            name: "unknown".to_owned(),
            reverse_name: "unknown".to_owned(),
            failure,
        }
    }

    /// A name that needs no more proof.
    pub fn verified(name: &str) -> ClientName {
        ClientName {
            name: name.to_owned(),
            reverse_name: name.to_owned(),
            failure: None,
        }
    }

    /// Whether another time may bring another answer.
    pub fn is_temporary(&self) -> bool {
        self.failure.as_ref().is_some_and(Failure::is_temporary)
    }

    /// Whether the address has a name which does not have the address.
    pub fn is_unverified(&self) -> bool {
        self.name != self.reverse_name
    }
}

/// Looks for the name of an address, and whether that name has the address. Takes [`PATIENCE`] at most.
pub async fn client_name(dns: &dyn Dns, address: IpAddr) -> ClientName {
    let found = timeout(PATIENCE, look(dns, address.to_canonical())).await;
    found.unwrap_or_else(|_| ClientName::unknown(Some(Failure::TryAgain)))
}

async fn look(dns: &dyn Dns, address: IpAddr) -> ClientName {
    let question = Question::new(&reverse(address), Kind::Ptr);
    let answer = match dns.look_up(&question).await {
        Ok(answer) => answer,
        Err(failure) => return ClientName::unknown(Some(failure)),
    };
    // As with getnameinfo(3), the first one counts.
    let name = match answer.records.into_iter().next() {
        Some(Record::Name(name)) if is_host_name(&name) => name,
        _ => return ClientName::unknown(Some(Failure::BadName)),
    };
    let kind = if address.is_ipv4() { Kind::A } else { Kind::Aaaa };
    let unverified = |failure| ClientName {
        reverse_name: name.clone(),
        ..ClientName::unknown(failure)
    };
    match dns.look_up(&Question::new(&name, kind)).await {
        Ok(answer) if answer.addresses().any(|own| own == address) => ClientName::verified(&name),
        Ok(_) => unverified(None),
        Err(failure) => unverified(Some(failure)),
    }
}

/// RFC 1035 §3.5, RFC 3596 §2.5: the name under which the name of an address is found.
pub fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().rev();
            let nibbles: String = nibbles
                .map(|octet| format!("{:x}.{:x}.", octet & 15, octet >> 4))
                .collect();
            format!("{nibbles}ip6.arpa")
        }
    }
}

/// Letters, digits, hyphens, underscores and dots, and not an address in disguise.
fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
    };
    let is_number = name.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.');
    name.len() <= 253 && !is_number && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_names_of_their_own() {
        let name = |text: &str| reverse(text.parse().expect("an address"));
        assert_eq!(name("192.0.2.10"), "10.2.0.192.in-addr.arpa");
        assert_eq!(
            name("2001:db8::1"),
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }

    #[test]
    fn not_every_answer_is_a_name() {
        for good in ["a.test", "a-b_c.test", "1.test"] {
            assert!(is_host_name(good), "{good}");
        }
        for bad in ["", "a b.test", "192.0.2.1", "-a.test", "a..test", "a\\000.test"] {
            assert!(!is_host_name(bad), "{bad}");
        }
    }
}
