//! `domaintable`: domains that are other names of others. A domain stands for itself alone, not for those within it.

use address::{Address, Domain};

use crate::Lookup;

/// The address in the domain that the table has for its domain; `None`: it has none.
///
/// # Errors
/// When the table cannot be asked.
pub fn find<E>(address: &Address, lookup: &mut Lookup<'_, E>) -> Result<Option<Address>, E> {
    let Some(domain) = address.domain() else {
        return Ok(None);
    };
    let found = lookup(&domain.as_str().to_ascii_lowercase())?;
    let there = found.and_then(|name| Domain::parse(name.trim().trim_end_matches('.')).ok());
    Ok(there.map(|domain| address.at(Some(domain))))
}
