//! Addresses that stand for others before they are delivered to (canonical and virtual alias maps), and those whose owner has
//! moved (`relocated_maps`).

use address::Address;
use settings::{Postfix, TableRef};
use tables::Tell;
use tables::addresses::{AddressMap, Extension, Host};

use crate::{Class, Error, Router};

/// The tables.
pub(crate) struct Aliased {
    /// What makes an address known, wherever it leads.
    maps: [AddressMap; 3],
    relocated: AddressMap,
}

impl Aliased {
    pub(crate) fn open(settings: &Postfix, problems: &mut Vec<tables::Error>) -> Aliased {
        let mut open = |name: &'static str, references: &[TableRef]| {
            let about = (settings.recipient_delimiter.as_str(), Extension::Dropped);
            AddressMap::open(name, references, about, problems)
        };
        Aliased {
            maps: [
                open("recipient_canonical_maps", &settings.recipient_canonical_maps),
                open("canonical_maps", &settings.canonical_maps),
                open("virtual_alias_maps", &settings.virtual_alias_maps),
            ],
            relocated: open("relocated_maps", &settings.relocated_maps),
        }
    }

    /// As [`tables::Tables::tell_warnings`].
    pub(crate) fn tell_warnings(&mut self, domains: &Tell, recipients: &Tell) {
        self.relocated.tell_warnings(domains);
        for map in &mut self.maps {
            map.tell_warnings(recipients);
        }
    }

    /// Whether the address stands for others.
    pub(crate) fn has(&self, address: &Address, router: &Router) -> Result<bool, Error> {
        for map in &self.maps {
            if map.has(address, &Here(router))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where the owner of the address has moved to.
    pub(crate) fn relocated(&self, address: &Address, router: &Router) -> Result<Option<String>, Error> {
        let text = self.relocated.text(address, &Here(router))?;
        Ok(text.map(|text| text.trim().to_owned()))
    }
}

/// What the tables know of this host.
struct Here<'a>(&'a Router);

impl Host for Here<'_> {
    fn is_local(&self, address: &Address) -> Result<bool, tables::Error> {
        let origin = &self.0.settings.myorigin;
        let is_origin = address
            .domain()
            .is_some_and(|domain| domain.as_str().eq_ignore_ascii_case(origin));
        Ok(is_origin || self.0.class(address).map_err(Error::into_table)? == Class::Local)
    }

    /// Nobody asks where the addresses lead.
    fn completed(&self, address: Address) -> Address {
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipients::Nobody;
    use crate::{Existence, Undeliverable};
    use settings::Surroundings;
    use std::sync::Arc;

    fn router() -> Router {
        let table = |entries: &str| vec![TableRef::new("inline", &format!("{{ {entries} }}"))];
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.mydestination = vec!["here.test".to_owned()];
        settings.local_recipient_maps = Vec::new();
        settings.recipient_delimiter = "+".to_owned();
        settings.virtual_alias_maps = table("{ a@v.test = x }, { name = y }");
        settings.virtual_alias_domains = vec!["v.test".to_owned()];
        settings.relocated_maps = table("{ gone@here.test = new@place.test }");
        let (router, problems) = Router::new(Arc::new(settings), Vec::new(), Arc::new(Nobody));
        assert_eq!(problems, []);
        router
    }

    #[test]
    fn aliases_are_known_and_others_of_their_domain_are_not() {
        let router = router();
        let ask = |text: &str| {
            let address = Address::parse(text).expect("an address");
            let undeliverable = router.undeliverable(&address, None).expect("an answer");
            let existence = router.existence(&address).expect("an answer");
            (undeliverable, existence)
        };
        assert_eq!(ask("a+x@v.test"), (None, Existence::Exists));
        assert_eq!(ask("name@here.test"), (None, Existence::Exists));
        assert_eq!(
            ask("b@v.test"),
            (None, Existence::Unknown("User unknown in virtual alias table"))
        );
        let moved = Undeliverable::Never("5.1.6 User has moved to new@place.test".to_owned());
        assert_eq!(ask("gone@here.test").0, Some(moved));
    }

    #[test]
    fn who_cannot_be_looked_up_has_no_class() {
        let fails = || vec![TableRef::new("fail", "x")];
        let class = |text: &str, change: &dyn Fn(&mut Postfix)| {
            let mut settings = Postfix::clone(&router().settings);
            change(&mut settings);
            let (router, _) = Router::new(Arc::new(settings), Vec::new(), Arc::new(Nobody));
            let address = Address::parse(text).expect("an address");
            let undeliverable = router.undeliverable(&address, None);
            let class = router.resolved_class(&address, None).ok();
            assert_eq!(class.is_some(), undeliverable.is_ok(), "{text}");
            class
        };
        let ways = |settings: &mut Postfix| settings.transport_maps = fails();
        let places = |settings: &mut Postfix| settings.relocated_maps = fails();
        assert_eq!(class("x@else.test", &ways), None);
        assert_eq!(class("name@here.test", &ways), None);
        // No transport is looked up for who is an alias or nobody.
        assert_eq!(class("a@v.test", &ways), Some(Class::VirtualAlias));
        assert_eq!(class("a@v.test", &places), None);
        assert_eq!(class("x@else.test", &|_| {}), Some(Class::Default));
    }

    #[test]
    fn mail_for_nobody_is_returned() {
        let address = Address::parse("b@v.test").expect("an address");
        let route = router().resolve(&address, None).expect("an answer");
        assert_eq!(
            (route.class, route.transport.as_str(), route.next_hop.as_str()),
            (
                Class::VirtualAlias,
                "error",
                "5.1.1 User unknown in virtual alias table"
            )
        );
    }
}
