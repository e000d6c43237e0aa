//! `transport_maps`: transports and next hops by recipient (transport(5)).

use address::Address;
use settings::Postfix;
use tables::{Matter, Tables, Tell};

use crate::{ERROR, Error, RETRY, Route, split};

/// The key of what is found for nobody else.
const EVERYBODY: &str = "*";

/// The tables.
pub(crate) struct TransportMaps {
    tables: Tables,
    /// `recipient_delimiter`
    delimiters: String,
    /// Whether a domain stands for its subdomains too; else `.domain` does.
    subdomains: bool,
}

/// What a table says: `transport:nexthop`, where either may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    transport: String,
    next_hop: String,
}

impl Entry {
    /// The route with what the entry says. An entry that says nothing leaves it; a transport without a next hop has the
    /// domain as its next hop.
    pub(crate) fn changes(self, route: Route, domain: &str) -> Route {
        let Entry { transport, next_hop } = self;
        match (transport.is_empty(), next_hop.is_empty()) {
            (true, true) => route,
            (true, false) => Route { next_hop, ..route },
            (false, true) => Route {
                next_hop: match transport.as_str() {
                    ERROR | RETRY => "Address is undeliverable".to_owned(),
                    _ => domain.to_owned(),
                },
                transport,
                ..route
            },
            (false, false) => Route {
                transport,
                next_hop,
                ..route
            },
        }
    }
}

impl TransportMaps {
    pub(crate) fn open(settings: &Postfix, problems: &mut Vec<tables::Error>) -> TransportMaps {
        let (tables, found) = Tables::open_for(Matter::Transport, &settings.transport_maps);
        problems.extend(found);
        let mut parents = settings.parent_domain_matches_subdomains.iter();
        TransportMaps {
            tables: tables.titled("transport_maps"),
            delimiters: settings.recipient_delimiter.clone(),
            subdomains: parents.any(|list| list == "transport_maps"),
        }
    }

    /// As [`Tables::tell_warnings`].
    pub(crate) fn tell_warnings(&mut self, tell: &Tell) {
        self.tables.tell_warnings(tell);
    }

    /// The entry of a recipient: under `user+extension@domain`, `user@domain`, `domain`, `.domain` of the domains above, `*`.
    /// Tables of patterns see the whole address only.
    pub(crate) fn entry(&self, address: &Address) -> Result<Option<Entry>, Error> {
        if self.tables.is_empty() {
            return Ok(None);
        }
        let whole = address.to_string().to_ascii_lowercase();
        let mut found = self.tables.lookup(&whole)?;
        let mut parts = self.parts(address).into_iter();
        while let (None, Some(part)) = (&found, parts.next()) {
            found = self.tables.lookup_part(&part)?;
        }
        if found.is_none() {
            found = self.tables.lookup(EVERYBODY)?;
        }
        Ok(found.map(|text| {
            let (transport, next_hop) = split(text.trim());
            Entry {
                transport: transport.to_owned(),
                next_hop: next_hop.to_owned(),
            }
        }))
    }

    fn parts(&self, address: &Address) -> Vec<String> {
        let mut parts = Vec::new();
        if let Some((plain, _)) = address.strip_extension(&self.delimiters) {
            parts.push(plain.to_string().to_ascii_lowercase());
        }
        let Some(domain) = address.domain() else {
            return parts;
        };
        let domain = domain.as_str().to_ascii_lowercase();
        let mut rest = domain.as_str();
        parts.push(domain.clone());
        while let Some((_, parent)) = rest.split_once('.').filter(|_| !domain.starts_with('[')) {
            parts.push(self.above(parent));
            rest = parent;
        }
        parts
    }

    fn above(&self, parent: &str) -> String {
        match self.subdomains {
            true => parent.to_owned(),
            false => format!(".{parent}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Router;
    use crate::recipients::Nobody;
    use address::Address;
    use settings::{Postfix, Surroundings};
    use std::sync::Arc;

    /// A router whose tables are written in main.cf itself.
    fn router(change: impl FnOnce(&mut Postfix)) -> Router {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.myhostname = "mail.here.example".to_owned();
        settings.mydestination = vec!["here.example".to_owned()];
        settings.relay_domains = vec!["relay.example".to_owned()];
        settings.local_transport = "local".to_owned();
        settings.local_recipient_maps = Vec::new();
        settings.recipient_delimiter = "+".to_owned();
        change(&mut settings);
        let (router, problems) = Router::new(Arc::new(settings), Vec::new(), Arc::new(Nobody));
        assert_eq!(problems, []);
        router
    }

    fn table(entries: &str) -> Vec<settings::TableRef> {
        vec![settings::TableRef::new("inline", &format!("{{ {entries} }}"))]
    }

    fn route(router: &Router, to: &str, from: Option<&str>) -> String {
        let address = |text: &str| Address::parse(text).expect("an address");
        let route = router.resolve(&address(to), from.map(address).as_ref());
        let route = route.expect("every table answers");
        format!("{}:{}", route.transport, route.next_hop)
    }

    #[test]
    fn the_most_particular_entry_counts() {
        let router = router(|settings| {
            settings.transport_maps = table(
                "{ u+x@a.example = one:1 }, { u@a.example = two:2 }, { a.example = three:3 }, { .a.example = four:4 }, \
                 { * = any:host }, { nothing.example = : }, { hop.example = :[h.example]:26 }, { way.example = slow: }, \
                 { here.example = lmtp:unix:/socket }, { bare.example = slow }, { gone.example = error:5.1.6 moved away }",
            );
        });
        for (to, expected) in [
            ("u+x@a.example", "one:1"),
            ("U+X@A.Example", "one:1"),
            ("u+y@a.example", "two:2"),
            ("v+x@a.example", "three:3"),
            ("v@b.a.example", "four:4"),
            ("v@c.b.a.example", "four:4"),
            ("v@xa.example", "any:host"),
            ("v@nothing.example", "smtp:nothing.example"),
            ("v@hop.example", "smtp:[h.example]:26"),
            ("v@way.example", "slow:way.example"),
            ("v@bare.example", "slow:bare.example"),
            ("v@here.example", "lmtp:unix:/socket"),
            ("v@relay.example", "any:host"),
            ("v@gone.example", "error:5.1.6 moved away"),
        ] {
            assert_eq!(route(&router, to, None), expected, "{to}");
        }
    }

    #[test]
    fn patterns_see_the_whole_address_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("patterns");
        std::fs::write(
            &file,
            "/^a\\.example$/ wrong:\n/^\\*$/ wrong:\n/@(.*)\\.test$/ right:b\n",
        )
        .expect("a file");
        let router = router(|settings| {
            settings.transport_maps = vec![settings::TableRef::new("regexp", &file.display().to_string())];
        });
        assert_eq!(route(&router, "u@b.test", None), "right:b");
        assert_eq!(
            route(&router, "u@c.example", None),
            "wrong:c.example",
            "* is asked of every table"
        );
    }

    #[test]
    fn patterns_give_no_pieces_of_addresses() {
        let settings = Postfix {
            transport_maps: vec![settings::TableRef::new(
                "regexp",
                "{ {/@(.*)\\.test$/ smtp:$1}, {/./ lmtp:x} }",
            )],
            ..Postfix::defaults(&Surroundings::default())
        };
        let (router, problems) = Router::new(Arc::new(settings), Vec::new(), Arc::new(Nobody));
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            told[0].contains("regular expression substitution is not allowed"),
            "{told:?}"
        );
        assert_eq!(route(&router, "u@b.test", None), "lmtp:x");
    }

    #[test]
    fn subdomains_match_without_a_dot_where_that_is_asked_for() {
        let router = router(|settings| {
            settings.parent_domain_matches_subdomains = vec!["transport_maps".to_owned()];
            settings.transport_maps = table("{ a.example = one: }, { .b.example = two: }");
        });
        assert_eq!(route(&router, "u@x.a.example", None), "one:x.a.example");
        assert_eq!(route(&router, "u@x.b.example", None), "smtp:x.b.example");
    }

    #[test]
    fn the_sender_chooses_relay_hosts_and_transports() {
        let router = router(|settings| {
            settings.relayhost = "[out.example]".to_owned();
            settings.relay_transport = "relay".to_owned();
            settings.sender_dependent_relayhost_maps = table(
                "{ s@x.example = [one.example] }, { @x.example = [two.example]:587 }, { @y.example = DUNNO }, \
                 { me = [three.example] }, { <> = [four.example] }",
            );
            settings.sender_dependent_default_transport_maps =
                table("{ @slow.example = slow }, { @x.test = slow:[five.example] }, { @y.example = dunno }");
        });
        for (from, to, expected) in [
            (Some("s+x@x.example"), "u@z.example", "smtp:[one.example]"),
            (Some("t@x.example"), "u@z.example", "smtp:[two.example]:587"),
            (Some("t@x.example"), "u@relay.example", "relay:[two.example]:587"),
            (Some("t@y.example"), "u@z.example", "smtp:[out.example]"),
            (Some("me+x@here.example"), "u@z.example", "smtp:[three.example]"),
            (Some("me@z.example"), "u@z.example", "smtp:[out.example]"),
            (None, "u@z.example", "smtp:[four.example]"),
            (Some("t@slow.example"), "u@z.example", "slow:[out.example]"),
            (Some("t@x.test"), "u@z.example", "slow:[five.example]"),
            (Some("t@x.test"), "u@relay.example", "relay:[out.example]"),
            (Some("t@x.test"), "u@here.example", "local:here.example"),
        ] {
            assert_eq!(route(&router, to, from), expected, "{from:?} to {to}");
        }
    }

    #[test]
    fn a_content_filter_has_its_own_next_hop_or_a_default() {
        let filtered = |filter: &str, default: &str| {
            let router = router(|settings| default.clone_into(&mut settings.default_filter_nexthop));
            let to = Address::parse("u@z.example").expect("an address");
            let route = router.filtered(&to, filter).expect("no table");
            format!("{} {}", route.transport, route.next_hop)
        };
        assert_eq!(filtered("scan:[127.0.0.1]:10025", "x"), "scan [127.0.0.1]:10025");
        assert_eq!(filtered("filter:", "here"), "filter here");
        assert_eq!(filtered("filter", ""), "filter z.example");
    }

    #[test]
    fn what_error_and_retry_say_is_known_at_once() {
        use crate::Undeliverable;
        let router = router(|settings| {
            settings.transport_maps =
                table("{ a.example = error:5.7.1 no }, { b.example = retry:later }, { c.example = error: }");
        });
        let told = |to: &str| {
            let to = Address::parse(to).expect("an address");
            router.undeliverable(&to, None).expect("no table")
        };
        assert_eq!(
            told("u@a.example"),
            Some(Undeliverable::Never("5.7.1 no".to_owned()))
        );
        assert_eq!(
            told("u@b.example"),
            Some(Undeliverable::NotNow("later".to_owned()))
        );
        let never = Undeliverable::Never("Address is undeliverable".to_owned());
        assert_eq!(told("u@c.example"), Some(never));
        assert_eq!(told("u@d.example"), None);
    }

    #[test]
    fn a_table_that_fails_is_no_answer() {
        let router = router(|settings| settings.transport_maps = vec![settings::TableRef::new("fail", "x")]);
        let to = Address::parse("u@z.example").expect("an address");
        assert!(router.resolve(&to, None).is_err());
    }
}
