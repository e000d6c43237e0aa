//! What the sender decides: `sender_dependent_default_transport_maps` and `sender_dependent_relayhost_maps`.

use address::Address;
use settings::{Postfix, TableRef};
use tables::{Matter, Tables, Tell};

use crate::{Class, Error, Router};

/// A table's word for: as if it were not there.
const NOTHING_SAID: &str = "DUNNO";

/// The tables that are asked for the sender.
pub(crate) struct BySender {
    transports: Map,
    relay_hosts: Map,
}

struct Map {
    tables: Tables,
    /// What is asked for the null sender.
    null_sender: String,
}

impl BySender {
    pub(crate) fn open(settings: &Postfix, problems: &mut Vec<tables::Error>) -> BySender {
        let mut open = |name: &str, references: &[TableRef], null_sender: &str| {
            let (tables, found) = Tables::open_for(Matter::Transport, references);
            problems.extend(found);
            Map {
                tables: tables.titled(name),
                null_sender: null_sender.to_owned(),
            }
        };
        BySender {
            transports: open(
                "sender_dependent_default_transport_maps",
                &settings.sender_dependent_default_transport_maps,
                &settings.empty_address_default_transport_maps_lookup_key,
            ),
            relay_hosts: open(
                "sender_dependent_relayhost_maps",
                &settings.sender_dependent_relayhost_maps,
                &settings.empty_address_relayhost_maps_lookup_key,
            ),
        }
    }

    /// As [`Tables::tell_warnings`].
    pub(crate) fn tell_warnings(&mut self, tell: &Tell) {
        for map in [&mut self.transports, &mut self.relay_hosts] {
            map.tables.tell_warnings(tell);
        }
    }

    /// `transport:nexthop` for mail of this sender to other hosts.
    pub(crate) fn transport(
        &self,
        sender: Option<&Address>,
        router: &Router,
    ) -> Result<Option<String>, Error> {
        self.transports.find(sender, router)
    }

    /// The relay host of this sender's mail.
    pub(crate) fn relay_host(
        &self,
        sender: Option<&Address>,
        router: &Router,
    ) -> Result<Option<String>, Error> {
        self.relay_hosts.find(sender, router)
    }
}

impl Map {
    /// Keys as everywhere in Postfix: the address, the address without its extension, for a sender of this host the name alone,
    /// `@domain`.
    fn find(&self, sender: Option<&Address>, router: &Router) -> Result<Option<String>, Error> {
        if self.tables.is_empty() {
            return Ok(None);
        }
        let found = match sender {
            None => self.tables.lookup(&self.null_sender)?,
            Some(sender) => self.find_address(sender, router)?,
        };
        let said = |text: &String| !text.is_empty() && !text.eq_ignore_ascii_case(NOTHING_SAID);
        Ok(found.map(|text| text.trim().to_owned()).filter(said))
    }

    fn find_address(&self, sender: &Address, router: &Router) -> Result<Option<String>, Error> {
        let found = self.tables.lookup(&sender.to_string().to_ascii_lowercase())?;
        if found.is_some() {
            return Ok(found);
        }
        let plain = sender
            .strip_extension(&router.settings.recipient_delimiter)
            .map(|(plain, _)| plain);
        let mut parts: Vec<String> = plain.iter().map(Address::to_string).collect();
        if router.class(sender)? == Class::Local {
            parts.push(sender.local().to_owned());
            parts.extend(plain.iter().map(|plain| plain.local().to_owned()));
        }
        parts.extend(sender.domain().map(|domain| format!("@{}", domain.as_str())));
        for part in parts {
            let found = self.tables.lookup_part(&part.to_ascii_lowercase())?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}
