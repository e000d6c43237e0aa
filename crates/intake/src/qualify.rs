//! Addresses without a domain, or with half of one, are completed (`append_at_myorigin`, `append_dot_mydomain`).

use address::list::{self, Entry};
use address::{Address, Domain};
use settings::Postfix;

/// The address completed. `myorigin` may be `$myhostname` or `$mydomain`, expanded.
pub fn qualify(address: Address, settings: &Postfix) -> Address {
    match address.domain() {
        None if settings.append_at_myorigin => match Domain::parse(&settings.myorigin) {
            Ok(origin) => address.at(Some(origin)),
            Err(_) => address,
        },
        Some(domain) if settings.append_dot_mydomain && is_single_label(domain) => {
            match Domain::parse(&format!("{}.{}", domain.as_str(), settings.mydomain)) {
                Ok(full) => address.at(Some(full)),
                Err(_) => address,
            }
        }
        _ => address,
    }
}

fn is_single_label(domain: &Domain) -> bool {
    !domain.is_literal() && !domain.as_str().contains('.')
}

/// The value of an address field with its addresses completed; `None` when nothing is to be changed.
pub(crate) fn field_value(value: &[u8], settings: &Postfix) -> Option<String> {
    let entries = list::parse(value);
    let incomplete = |mailbox: &list::Mailbox| {
        mailbox
            .address()
            .is_some_and(|address| qualify(address.clone(), settings) != address)
    };
    if !list::mailboxes(&entries).any(incomplete) {
        return None;
    }
    let mut parts = Vec::new();
    for entry in &entries {
        match entry {
            Entry::Mailbox(mailbox) => parts.push(shown(mailbox, settings)?),
            // Groups are rare and their members mostly complete: left as they are.
            Entry::Group { .. } => return None,
        }
    }
    Some(parts.join(",\n\t"))
}

fn shown(mailbox: &list::Mailbox, settings: &Postfix) -> Option<String> {
    let address = qualify(mailbox.address()?, settings);
    let name = mailbox
        .name
        .as_ref()
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .unwrap_or_default();
    if name.is_empty() {
        return Some(address.to_string());
    }
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b" !#$%&'*+-/=?^_`{|}~".contains(&byte));
    let quoted = if plain {
        name
    } else {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    };
    Some(format!("{quoted} <{address}>"))
}
