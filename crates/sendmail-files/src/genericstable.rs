//! `genericstable`: what senders are called outside. It is asked for addresses without a domain and for those in the domains
//! of `generics-domains`.

use address::Address;

use crate::{Lookup, split_detail, substituted};

/// What the sender `address` is called in header fields; `None`: that. Keys: `user+detail@domain`, `user@domain`, `@domain`,
/// `user+detail`, `user`.
///
/// # Errors
/// When the table cannot be asked.
pub fn find<E>(address: &Address, lookup: &mut Lookup<'_, E>) -> Result<Option<String>, E> {
    let local = address.local().to_ascii_lowercase();
    let (user, detail) = split_detail(&local);
    let mut keys = Vec::new();
    if let Some(domain) = address.domain() {
        let domain = domain.as_str().to_ascii_lowercase();
        keys.push(format!("{local}@{domain}"));
        if detail.is_some() {
            keys.push(format!("{user}@{domain}"));
        }
        keys.push(format!("@{domain}"));
    }
    keys.push(local.clone());
    if detail.is_some() {
        keys.push(user.to_owned());
    }
    for key in keys {
        if let Some(value) = lookup(&key)? {
            let (user, detail) = split_detail(address.local());
            return Ok(Some(substituted(
                &value,
                &[&key, user, detail.unwrap_or_default()],
            )));
        }
    }
    Ok(None)
}
