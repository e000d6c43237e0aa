//! What is done to a message as it leaves this host: other addresses by `smtp_generic_maps`, in envelope and header, and what
//! `smtp_header_checks` and its kin say.

use crate::parameters::Parameters;
use address::Address;
use intake::checks::outgoing::Outgoing;
use intake::checks::{Checks, Effects};
use route::DomainList;
use settings::Postfix;
use smtp::client::{Message, Protocol};
use std::collections::HashMap;
use std::net::IpAddr;
use tables::Tell;
use tables::addresses::{AddressMap, Extension, Host};

/// What is done by one client.
pub(crate) struct Departure {
    checks: Checks,
    generic: AddressMap,
    /// `smtp_generic_maps`
    generic_name: &'static str,
    local: DomainList,
    own_addresses: Vec<IpAddr>,
    settings: Box<Postfix>,
    problems: Vec<String>,
}

/// The envelope's addresses for which others stand on the way out.
#[derive(Debug, Default)]
pub(crate) struct Other(HashMap<Address, Address>);

impl Departure {
    pub(crate) fn of(chosen: &Parameters<'_>, settings: &Postfix, own_addresses: &[IpAddr]) -> Departure {
        let names = match chosen.protocol {
            Protocol::Smtp => [
                "smtp_header_checks",
                "smtp_mime_header_checks",
                "smtp_nested_header_checks",
                "smtp_body_checks",
                "smtp_generic_maps",
            ],
            Protocol::Lmtp => [
                "lmtp_header_checks",
                "lmtp_mime_header_checks",
                "lmtp_nested_header_checks",
                "lmtp_body_checks",
                "lmtp_generic_maps",
            ],
        };
        let named = [
            (names[0], chosen.header_checks.as_slice()),
            (names[1], chosen.mime_header_checks.as_slice()),
            (names[2], chosen.nested_header_checks.as_slice()),
            (names[3], chosen.body_checks.as_slice()),
        ];
        let (checks, mut problems) = Checks::outgoing(named, settings);
        let mut classes = settings.propagate_unmatched_extensions.iter();
        let extension = match classes.any(|class| class == "generic") {
            true => Extension::Propagated,
            false => Extension::Dropped,
        };
        let about = (settings.recipient_delimiter.as_str(), extension);
        let generic = AddressMap::open(names[4], chosen.generic_maps, about, &mut problems);
        Departure {
            checks,
            generic,
            generic_name: names[4],
            local: DomainList::open(&settings.mydestination, false, &mut Vec::new()),
            own_addresses: own_addresses.to_vec(),
            settings: Box::new(settings.clone()),
            problems: problems.iter().map(ToString::to_string).collect(),
        }
    }

    /// As [`tables::Tables::tell_warnings`]; what is wrong with tables already.
    pub(crate) fn telling(&mut self, tell: &Tell) -> Vec<String> {
        self.checks.tell_warnings(tell);
        self.generic.tell_warnings(tell);
        std::mem::take(&mut self.problems)
    }

    /// Whether messages leave as they are.
    pub(crate) fn is_idle(&self) -> bool {
        self.checks.is_empty() && self.generic.is_empty()
    }

    /// What stands for the addresses of an envelope.
    ///
    /// # Errors
    /// When a table cannot be asked: what is to be said in the log, beside what the table says itself.
    pub(crate) fn addresses(&self, message: &Message) -> Result<Other, String> {
        let recipients = message.recipients.iter().map(|recipient| &recipient.address);
        let mut other = HashMap::new();
        for address in message.sender.iter().chain(recipients) {
            let found = self.generic_address(address);
            let failed = |_| format!("{} map lookup problem for {address}", self.generic_name);
            if let Some(found) = found.map_err(failed)? {
                other.insert(address.clone(), found);
            }
        }
        Ok(Other(other))
    }

    fn generic_address(&self, address: &Address) -> Result<Option<Address>, tables::Error> {
        let found = self.generic.lookup(address, self)?;
        Ok(found.and_then(|found| found.into_iter().next()))
    }

    /// One message on its way out; `tell` hears what was done to it.
    pub(crate) fn leaving<'a>(&'a self, tell: &'a Hearer<'a>) -> Leaving<'a> {
        Leaving {
            departure: self,
            tell,
        }
    }
}

/// Who hears what was done to a message.
pub(crate) type Hearer<'a> = dyn Fn(&mut Effects) + Sync + 'a;

/// One message on its way out.
pub(crate) struct Leaving<'a> {
    departure: &'a Departure,
    tell: &'a Hearer<'a>,
}

impl Outgoing for Leaving<'_> {
    fn checks(&self) -> &Checks {
        &self.departure.checks
    }
    fn generic(&self, address: &Address) -> Result<Option<Address>, tables::Error> {
        self.departure.generic_address(address)
    }
    fn tell(&self, effects: &mut Effects) {
        (self.tell)(effects);
    }
}

impl Host for Departure {
    fn is_local(&self, address: &Address) -> Result<bool, tables::Error> {
        let Some(domain) = address.domain() else {
            return Ok(true);
        };
        let is_origin = domain.as_str().eq_ignore_ascii_case(&self.settings.myorigin);
        if is_origin || domain.to_ip().is_some_and(|ip| self.own_addresses.contains(&ip)) {
            return Ok(true);
        }
        self.local.contains(domain).map_err(route::Error::into_table)
    }
    fn completed(&self, address: Address) -> Address {
        intake::qualify(address, &self.settings)
    }
}

impl Other {
    /// The message with those addresses.
    pub(crate) fn of(&self, mut message: Message) -> Message {
        let change = |address: &mut Address| {
            if let Some(other) = self.0.get(address) {
                *address = other.clone();
            }
        };
        if !self.0.is_empty() {
            message.sender.iter_mut().for_each(change);
            let recipients = message.recipients.iter_mut();
            recipients.for_each(|recipient| change(&mut recipient.address));
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::{Surroundings, TableRef};
    use smtp::client::Recipient;

    fn departure(table: TableRef) -> Departure {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.mydestination = vec!["here.test".to_owned()];
        settings.recipient_delimiter = "+".to_owned();
        settings.smtp_generic_maps = vec![table];
        Departure::of(&Parameters::of(Protocol::Smtp, &settings), &settings, &[])
    }

    fn message(sender: &str, recipient: &str) -> Message {
        let address = |text: &str| Address::parse(text).expect("an address");
        Message {
            sender: Some(address(sender)),
            recipients: vec![Recipient {
                address: address(recipient),
                notify: None,
                orcpt: None,
            }],
            octets: None,
            body: envelope::BodyKind::default(),
            smtputf8: false,
            has_eight_bit_header: false,
            ret: None,
            envid: None,
            is_probe: false,
            client: None,
        }
    }

    #[test]
    fn envelopes_leave_with_other_addresses() {
        let table = TableRef::new("inline", "{ { me = us@out.test }, { @in.test = @out.test } }");
        let departure = departure(table);
        assert!(!departure.is_idle());
        let message = message("me+x@here.test", "you+y@in.test");
        let other = departure.addresses(&message).expect("an answer");
        let left = other.of(message);
        assert_eq!(
            left.sender.map(|sender| sender.to_string()).as_deref(),
            Some("us@out.test")
        );
        assert_eq!(left.recipients[0].address.to_string(), "you+y@out.test");
    }

    #[test]
    fn a_table_that_fails_is_told() {
        let departure = departure(TableRef::new("fail", "x"));
        let message = message("me@here.test", "you@in.test");
        assert!(departure.addresses(&message).is_err());
    }
}
