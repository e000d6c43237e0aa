//! `nis:map` on a host that is in no NIS domain: nothing is found, and a warning says so. A host that is in one is not served yet.

use std::sync::{Mutex, PoisonError};

use super::not_yet;
use crate::{Error, Table};

/// A map of no domain.
#[derive(Debug)]
struct Disabled {
    warning: Mutex<Option<&'static str>>,
}

/// Opens the map of this host's domain; `table` is as configured.
///
/// # Errors
/// [`Error::NotYet`] where there is a domain.
pub(crate) fn open(table: &str) -> Result<Box<dyn Table>, Error> {
    match os::hostname::nis_domain() {
        Some(_) => Err(not_yet(table, "nis")),
        None => Ok(Box::new(Disabled {
            warning: Mutex::new(Some(
                "dict_nis_init: NIS domain name not set - NIS lookups disabled",
            )),
        })),
    }
}

impl Table for Disabled {
    fn lookup(&self, _key: &str) -> Result<Option<String>, Error> {
        Ok(None)
    }

    fn take_warning(&self) -> Option<String> {
        let mut warning = self.warning.lock().unwrap_or_else(PoisonError::into_inner);
        warning.take().map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_domain_nothing_is_found_and_that_is_told_once() {
        if os::hostname::nis_domain().is_some() {
            return;
        }
        let table = open("nis:mail.aliases").expect("disabled");
        assert_eq!(table.lookup("root"), Ok(None));
        assert!(
            table
                .take_warning()
                .is_some_and(|text| text.contains("NIS domain"))
        );
        assert_eq!(table.take_warning(), None);
    }
}
