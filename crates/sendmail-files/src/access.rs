//! `access`: what is decided of clients, senders and recipients (Sendmail's cf/README, "Anti-spam configuration control").

use std::net::IpAddr;

use address::Address;

use crate::{Failure, LABELS_MAX, Lookup, split_detail};

/// What a value says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// `OK`: taken, whatever else is in the table.
    Ok,
    /// `RELAY`: passed on, too.
    Relay,
    /// `REJECT`
    Reject,
    /// `DISCARD`: taken, and dropped without a word.
    Discard,
    /// `SKIP`: nothing is decided, and parents are not looked up.
    Skip,
    /// `QUARANTINE:reason`: kept in the queue.
    Quarantine(String),
    /// `ERROR:…`, or a text of one's own.
    Refuse(Failure),
}

impl Decision {
    /// What `value` says.
    pub fn parse(value: &str) -> Decision {
        let value = value.trim();
        match value.to_ascii_uppercase().as_str() {
            "OK" => return Decision::Ok,
            "RELAY" => return Decision::Relay,
            "REJECT" => return Decision::Reject,
            "DISCARD" => return Decision::Discard,
            "SKIP" => return Decision::Skip,
            _ => {}
        }
        match value.split_once(':') {
            Some((word, text)) if word.eq_ignore_ascii_case("ERROR") => {
                Decision::Refuse(Failure::parse(text))
            }
            Some((word, text)) if word.eq_ignore_ascii_case("QUARANTINE") => {
                Decision::Quarantine(text.trim().to_owned())
            }
            _ => Decision::Refuse(Failure::parse(value)),
        }
    }

    /// As an action of access(5), about a thing of this kind.
    pub fn action(&self, tag: Tag) -> String {
        match self {
            // Who is taken as a recipient may still be nobody, and is passed on only as `RELAY`.
            Decision::Ok | Decision::Relay if tag == Tag::To => "DUNNO".to_owned(),
            Decision::Ok | Decision::Relay => "OK".to_owned(),
            Decision::Reject if tag == Tag::To => "550 5.2.1 Mailbox disabled for this recipient".to_owned(),
            Decision::Reject => "550 5.7.1 Access denied".to_owned(),
            Decision::Discard => "DISCARD".to_owned(),
            Decision::Skip => "DUNNO".to_owned(),
            Decision::Quarantine(reason) => format!("HOLD {reason}"),
            Decision::Refuse(failure) => {
                let text = match failure.text.as_str() {
                    "" => "Access denied",
                    text => text,
                };
                match failure.status {
                    Some(status) => format!("{} {status} {text}", failure.code),
                    None => format!("{} {text}", failure.code),
                }
            }
        }
    }
}

/// What a key is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// The client: its name or address.
    Connect,
    /// The sender.
    From,
    /// The recipient.
    To,
}

impl Tag {
    fn text(self) -> &'static str {
        match self {
            Tag::Connect => "connect:",
            Tag::From => "from:",
            Tag::To => "to:",
        }
    }
}

/// An entry of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its key, in lower case.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl Found {
    /// What it says.
    pub fn decision(&self) -> Decision {
        Decision::parse(&self.value)
    }

    fn is_skip(&self) -> bool {
        self.decision() == Decision::Skip
    }
}

/// A key with its tag, then without.
fn tagged<E>(tag: Tag, key: &str, lookup: &mut Lookup<'_, E>) -> Result<Option<Found>, E> {
    let key = key.to_ascii_lowercase();
    for key in [format!("{}{key}", tag.text()), key] {
        if let Some(value) = lookup(&key)? {
            return Ok(Some(Found { key, value }));
        }
    }
    Ok(None)
}

/// A name, then its parents.
fn name<E>(tag: Tag, name: &str, lookup: &mut Lookup<'_, E>) -> Result<Option<Found>, E> {
    let mut key = name;
    for _ in 0..LABELS_MAX {
        let found = tagged(tag, key, lookup)?;
        if found.is_some() {
            return Ok(found);
        }
        match key.split_once('.') {
            Some((_, parent)) if !parent.is_empty() => key = parent,
            _ => break,
        }
    }
    Ok(None)
}

/// An address, then the networks it is in. Those of IPv6 are written in full, `IPv6:2001:db8:0:0:0:0:0:1`.
fn network<E>(tag: Tag, ip: IpAddr, lookup: &mut Lookup<'_, E>) -> Result<Option<Found>, E> {
    let (text, separator, end) = match ip.to_canonical() {
        IpAddr::V4(ip) => (ip.to_string(), '.', 0),
        IpAddr::V6(ip) => {
            if let Some(found) = tagged(tag, &format!("IPv6:{ip}"), lookup)? {
                return Ok(Some(found));
            }
            let groups = ip.segments().map(|group| format!("{group:x}"));
            (format!("IPv6:{}", groups.join(":")), ':', "IPv6".len())
        }
    };
    let mut key = text.as_str();
    loop {
        let found = tagged(tag, key, lookup)?;
        if found.is_some() {
            return Ok(found);
        }
        match key.rfind(separator) {
            Some(at) if at > end => key = &key[..at],
            _ => return Ok(None),
        }
    }
}

/// What is decided of a client: by its name, if it has one, else by its address.
///
/// # Errors
/// When the table cannot be asked.
pub fn client<E>(host: Option<&str>, ip: IpAddr, lookup: &mut Lookup<'_, E>) -> Result<Option<Found>, E> {
    if let Some(host) = host
        && let Some(found) = name(Tag::Connect, host, lookup)?
        && !found.is_skip()
    {
        return Ok(Some(found));
    }
    network(Tag::Connect, ip, lookup)
}

/// Whether mail of a client is passed on: its name or its address is `RELAY`.
///
/// # Errors
/// When the table cannot be asked.
pub fn relays_for_client<E>(host: Option<&str>, ip: IpAddr, lookup: &mut Lookup<'_, E>) -> Result<bool, E> {
    let is_relay = |found: Option<Found>| found.is_some_and(|found| found.decision() == Decision::Relay);
    if let Some(host) = host
        && is_relay(name(Tag::Connect, host, lookup)?)
    {
        return Ok(true);
    }
    Ok(is_relay(network(Tag::Connect, ip, lookup)?))
}

/// Whether mail for a domain is passed on: it is `RELAY`.
///
/// # Errors
/// When the table cannot be asked.
pub fn relays_to<E>(domain: &str, lookup: &mut Lookup<'_, E>) -> Result<bool, E> {
    let found = name(Tag::To, domain, lookup)?;
    Ok(found.is_some_and(|found| found.decision() == Decision::Relay))
}

/// What is decided of a sender or recipient: by the address, without its detail, by `user@`, by the domain and those above.
///
/// # Errors
/// When the table cannot be asked.
pub fn mail<E>(tag: Tag, address: &Address, lookup: &mut Lookup<'_, E>) -> Result<Option<Found>, E> {
    let (user, detail) = split_detail(address.local());
    let domain = address.domain().map(|domain| domain.as_str());
    let mut keys = Vec::new();
    for local in [Some(address.local()), detail.map(|_| user)]
        .into_iter()
        .flatten()
    {
        keys.extend(domain.map(|domain| format!("{local}@{domain}")));
    }
    keys.push(format!("{}@", address.local()));
    keys.extend(detail.map(|_| format!("{user}@")));
    for key in keys {
        let found = tagged(tag, &key, lookup)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    match domain {
        Some(domain) if !domain.starts_with('[') => name(tag, domain, lookup),
        _ => Ok(None),
    }
}
