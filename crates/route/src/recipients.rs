//! Whether a recipient exists: `local_recipient_maps` and its kin, and the directory of users.

use std::sync::Arc;

use address::Address;
use settings::{Postfix, TableRef};
use tables::{Tables, Tell};

use crate::{Class, Error};

/// The answer about a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existence {
    /// It exists, or its class has no list of recipients.
    Exists,
    /// It does not; the words for the reply: `User unknown in local recipient table`.
    Unknown(&'static str),
}

/// The users that can be delivered to on this host. `userdb:` in a list of tables asks it.
pub trait Directory: Send + Sync {
    /// Whether there is a user `name`.
    ///
    /// # Errors
    /// Why it cannot be told now.
    fn has_user(&self, name: &str) -> Result<bool, String>;
}

/// The kind of table that asks the [`Directory`] (Yubin's own).
pub const USERDB: &str = "userdb";

/// The lists of recipients by class.
pub(crate) struct Recipients {
    local: List,
    virtual_mailbox: List,
    relay: List,
    directory: Arc<dyn Directory>,
}

/// A list of tables, perhaps with the directory among them.
struct List {
    tables: Tables,
    asks_directory: bool,
    is_empty: bool,
}

impl List {
    fn open(name: &str, references: &[TableRef], problems: &mut Vec<tables::Error>) -> List {
        let others: Vec<TableRef> = references
            .iter()
            .filter(|table| table.kind != USERDB)
            .cloned()
            .collect();
        let asks_directory = others.len() < references.len();
        let (tables, found) = Tables::open(&others);
        problems.extend(found);
        List {
            tables: tables.titled(name),
            asks_directory,
            is_empty: references.is_empty(),
        }
    }
}

impl Recipients {
    pub(crate) fn open(
        settings: &Postfix,
        directory: Arc<dyn Directory>,
        problems: &mut Vec<tables::Error>,
    ) -> Recipients {
        Recipients {
            local: List::open("local_recipient_maps", &settings.local_recipient_maps, problems),
            virtual_mailbox: List::open("virtual_mailbox_maps", &settings.virtual_mailbox_maps, problems),
            relay: List::open("relay_recipient_maps", &settings.relay_recipient_maps, problems),
            directory,
        }
    }

    /// Whom `userdb:` asks.
    pub(crate) fn directory(&self) -> Arc<dyn Directory> {
        Arc::clone(&self.directory)
    }

    /// As [`Tables::tell_warnings`].
    pub(crate) fn tell_warnings(&mut self, tell: &Tell) {
        for list in [&mut self.local, &mut self.virtual_mailbox, &mut self.relay] {
            list.tables.tell_warnings(tell);
        }
    }

    pub(crate) fn existence(
        &self,
        class: Class,
        address: &Address,
        settings: &Postfix,
    ) -> Result<Existence, Error> {
        let (list, words) = match class {
            Class::Local => (&self.local, "User unknown in local recipient table"),
            Class::VirtualAlias => {
                return Ok(Existence::Unknown("User unknown in virtual alias table"));
            }
            Class::VirtualMailbox => (&self.virtual_mailbox, "User unknown in virtual mailbox table"),
            Class::Relay => (&self.relay, "User unknown in relay recipient table"),
            Class::Default => return Ok(Existence::Exists),
        };
        if list.is_empty || self.finds(list, class, address, settings)? {
            return Ok(Existence::Exists);
        }
        // Postfix lets these through to the local aliases even when nobody listed them.
        let local = address.local();
        if class == Class::Local
            && (["postmaster", "mailer-daemon"]
                .iter()
                .any(|special| local.eq_ignore_ascii_case(special))
                || local == settings.double_bounce_sender)
        {
            return Ok(Existence::Exists);
        }
        Ok(Existence::Unknown(words))
    }

    /// Keys in Postfix's order: `user+ext@domain`, `user@domain`, for the local class `user+ext` and `user`, then
    /// `@domain`.
    fn finds(&self, list: &List, class: Class, address: &Address, settings: &Postfix) -> Result<bool, Error> {
        let plain = address
            .strip_extension(&settings.recipient_delimiter)
            .map(|(plain, _)| plain);
        let forms = || std::iter::once(address).chain(plain.as_ref());
        for form in forms().filter(|form| form.domain().is_some()) {
            if list
                .tables
                .lookup(&form.to_string().to_ascii_lowercase())?
                .is_some()
            {
                return Ok(true);
            }
        }
        if class == Class::Local {
            for form in forms() {
                let name = form.local().to_ascii_lowercase();
                let known = list.asks_directory
                    && self
                        .directory
                        .has_user(&name)
                        .map_err(|why| Error::Directory(name.clone(), why))?;
                if known || list.tables.lookup(&name)?.is_some() {
                    return Ok(true);
                }
            }
        }
        let domain = address
            .domain()
            .map(|domain| format!("@{}", domain.as_str().to_ascii_lowercase()));
        match domain {
            Some(key) => Ok(list.tables.lookup(&key)?.is_some()),
            None => Ok(false),
        }
    }
}

/// The users of tests that are about something else: there are none.
#[cfg(test)]
pub(crate) struct Nobody;

#[cfg(test)]
impl Directory for Nobody {
    fn has_user(&self, _: &str) -> Result<bool, String> {
        Ok(false)
    }
}
