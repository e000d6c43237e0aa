//! The choice of hosts over a zone in memory: what Debian's Postfix chooses and says with the same zone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dns::{Answer, Dns, Looking, Question};
use settings::{DnsSupport, InetProtocols, Surroundings};
use world::SimRandom;

use super::*;
use crate::NextHop;

/// `name TYPE data`, and `name FAILS` for what nobody can tell.
const ZONE: &str = "\
null.test MX 0 .
nullplus.test MX 0 .
nullplus.test MX 10 one.test
none.test MX 10 nohost.test
none2.test MX 10 nohost.test
none2.test MX 20 alsono.test
ill.test FAILS
sick.test MX 10 ill.test
mixedill.test MX 10 ill.test
mixedill.test MX 20 nohost.test
mixed.test MX 10 nohost.test
mixed.test MX 20 one.test
good.test MX 20 two.test
good.test MX 10 one.test
one.test A 192.0.2.1
two.test A 192.0.2.2
three.test A 192.0.2.3
both.test A 192.0.2.4
both.test AAAA 2001:db8::4
me.test A 192.0.2.9
self.test MX 10 me.test
low.test MX 10 one.test
low.test MX 20 me.test
low.test MX 20 two.test
low.test MX 30 three.test
numeric.test MX 10 192.0.2.7
dup.test MX 10 one.test
dup.test MX 20 one.test
mailed.test MX 10 one.test
xn--bcher-kva.test MX 10 one.test
";

/// Answers from [`ZONE`], and from `more`.
struct Zone {
    more: Vec<(String, Kind, Record)>,
    questions: Arc<AtomicUsize>,
}

impl Dns for Zone {
    fn look_up<'a>(&'a self, question: &'a Question) -> Looking<'a> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let (name, kind) = (question.name.as_str(), question.kind);
            let rows: Vec<Vec<&str>> = ZONE
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>())
                .filter(|row| row.first().is_some_and(|own| own.eq_ignore_ascii_case(name)))
                .collect();
            if rows.iter().any(|row| row.get(1) == Some(&"FAILS")) {
                return Err(Failure::TryAgain);
            }
            let read = |row: &Vec<&str>| match row.as_slice() {
                [_, "MX", preference, host] if kind == Kind::Mx => Some(Record::Exchanger {
                    preference: preference.parse().ok()?,
                    host: host.trim_end_matches('.').to_owned(),
                }),
                [_, "A", address] if kind == Kind::A => Some(Record::Address(address.parse().ok()?)),
                [_, "AAAA", address] if kind == Kind::Aaaa => Some(Record::Address(address.parse().ok()?)),
                _ => None,
            };
            let more = self.more.iter().filter(|row| row.0 == name && row.1 == kind);
            let mut records: Vec<Record> = rows.iter().filter_map(read).collect();
            records.extend(more.map(|row| row.2.clone()));
            match records.is_empty() {
                true if rows.is_empty() => Err(Failure::NotFound),
                true => Err(Failure::NoData),
                false => Ok(Answer {
                    records,
                    name: name.to_owned(),
                    authenticated: false,
                    ttl: Duration::ZERO,
                }),
            }
        })
    }
}

fn settings() -> Postfix {
    let mut settings = Postfix::defaults(&Surroundings::default());
    settings.inet_protocols = InetProtocols::Ipv4;
    settings.smtp_randomize_addresses = false;
    settings
}

fn chosen(settings: &Postfix, zone: Zone, next_hop: &str) -> Result<Chosen, NoHost> {
    let names = Names::from_settings(settings, Arc::new(zone), smtp::client::Protocol::Smtp);
    let own = vec!["192.0.2.9".parse().expect("an address")];
    let chooser = Chooser::from_settings(settings, names, own);
    let next_hop = NextHop::smtp(next_hop, "smtp").expect("a next hop");
    let site = next_hop.sites.first().expect("at least one").clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    runtime.block_on(chooser.choose(&site, "host.test"))
}

/// `one.test[192.0.2.1]:25 …`, or `5.4.4 text`, with `(loops)`.
fn said(settings: &Postfix, next_hop: &str) -> String {
    match chosen(
        settings,
        Zone {
            more: Vec::new(),
            questions: Arc::default(),
        },
        next_hop,
    ) {
        Ok(chosen) => {
            let relays = chosen.targets.iter().map(|target| target.relay.clone());
            relays.collect::<Vec<String>>().join(" ")
        }
        Err(no_host) => {
            let Outcome { status, text, .. } = no_host.outcome();
            let loops = if no_host.loops { " (loops)" } else { "" };
            format!("{status} {text}{loops}")
        }
    }
}

/// What Postfix says of a name of that type.
fn missed(name: &str, kind: &str, why: &str) -> String {
    format!("Host or domain name not found. Name service error for name={name} type={kind}: {why}")
}

#[test]
fn names_of_other_scripts_are_asked_for_by_their_a_labels() {
    let settings = settings();
    assert_eq!(said(&settings, "bücher.test"), "one.test[192.0.2.1]:25");
    assert_eq!(said(&settings, "BÜCHER.test"), "one.test[192.0.2.1]:25");
    let missed = missed("xn--nirgends-7za.test", "A", "Host not found");
    assert_eq!(said(&settings, "nirgendsä.test"), format!("5.4.4 {missed}"));
}

#[test]
fn records_that_a_table_ignores_are_not_there() {
    let mut settings = settings();
    settings.inet_protocols = InetProtocols::All;
    let rules = r"{{/^good\.test\. [0-9]+ IN MX 10 ONE\.test\.$/ ignore} {/IN AAAA 2001:db8::4$/ IGNORE}
        {/^three\.test\. [0-9]+ IN A/ IGNORE} {/^two\.test\..* AAAA/ WHAT} {/^dup\.test/ BOGUS}}";
    settings.smtp_dns_reply_filter = vec![settings::TableRef::new("regexp", rules)];
    for (next_hop, hosts) in [
        ("good.test", "two.test[192.0.2.2]:25"),
        ("both.test", "both.test[192.0.2.4]:25"),
        (
            "three.test",
            "4.7.0 Error looking up name=three.test type=A: DNS reply filter drops all results",
        ),
        (
            "dup.test",
            "4.4.3 Error looking up name=dup.test type=MX: Invalid DNS reply filter syntax",
        ),
    ] {
        assert_eq!(said(&settings, next_hop), hosts);
    }
}

#[test]
fn hosts_are_those_of_postfix() {
    let settings = settings();
    for (next_hop, hosts) in [
        ("good.test", "one.test[192.0.2.1]:25 two.test[192.0.2.2]:25"),
        ("good.test:26", "one.test[192.0.2.1]:26 two.test[192.0.2.2]:26"),
        ("GOOD.test", "one.test[192.0.2.1]:25 two.test[192.0.2.2]:25"),
        ("mixed.test", "one.test[192.0.2.1]:25"),
        ("dup.test", "one.test[192.0.2.1]:25"),
        ("one.test", "one.test[192.0.2.1]:25"),
        ("[one.test]:587", "one.test[192.0.2.1]:587"),
        ("[192.0.2.8]", "192.0.2.8[192.0.2.8]:25"),
        ("numeric.test", "192.0.2.7[192.0.2.7]:25"),
        // Only what is better than this host itself.
        ("low.test", "one.test[192.0.2.1]:25"),
        // On another port it is another program.
        ("self.test:26", "me.test[192.0.2.9]:26"),
    ] {
        assert_eq!(
            said(&settings, next_hop).to_ascii_lowercase(),
            hosts,
            "{next_hop}"
        );
    }
}

#[test]
fn what_is_wrong_is_said_in_postfix_words() {
    let settings = settings();
    let not_found = "Host not found";
    let again = "Host not found, try again";
    let no_data = "Host found but no data record of requested type";
    for (next_hop, status, text) in [
        (
            "null.test",
            "5.1.0",
            "Domain null.test does not accept mail (nullMX)".to_owned(),
        ),
        (
            "nullplus.test",
            "5.1.0",
            "Domain nullplus.test does not accept mail (nullMX)".to_owned(),
        ),
        ("none.test", "5.4.4", missed("nohost.test", "A", not_found)),
        ("none2.test", "5.4.4", missed("alsono.test", "A", not_found)),
        ("nodomain.test", "5.4.4", missed("nodomain.test", "A", not_found)),
        ("[none.test]", "5.4.4", missed("none.test", "A", no_data)),
        ("[mailed.test]", "5.4.4", missed("mailed.test", "A", no_data)),
        ("ill.test", "4.4.3", missed("ill.test", "MX", again)),
        ("sick.test", "4.4.3", missed("ill.test", "A", again)),
        ("mixedill.test", "4.4.4", missed("nohost.test", "A", not_found)),
        (
            "self.test",
            "5.4.6",
            "mail for self.test loops back to myself (loops)".to_owned(),
        ),
        (
            "me.test",
            "5.4.6",
            "mail for me.test loops back to myself (loops)".to_owned(),
        ),
        (
            "[192.0.2.9]",
            "5.4.6",
            "mail for 192.0.2.9 loops back to myself (loops)".to_owned(),
        ),
    ] {
        assert_eq!(
            said(&settings, next_hop),
            format!("{status} {text}"),
            "{next_hop}"
        );
    }
    let mut all = settings;
    all.inet_protocols = InetProtocols::All;
    assert_eq!(
        said(&all, "nodomain.test"),
        format!("5.4.4 {}", missed("nodomain.test", "AAAA", not_found))
    );
}

#[test]
fn settings_change_what_is_asked() {
    let mut changed = settings();
    changed.smtp_defer_if_no_mx_address_found = true;
    let later = format!("4.4.4 {}", missed("nohost.test", "A", "Host not found"));
    assert_eq!(said(&changed, "none.test"), later);
    changed.ignore_mx_lookup_error = true;
    let ill = format!("4.4.3 {}", missed("ill.test", "A", "Host not found, try again"));
    assert_eq!(said(&changed, "ill.test"), ill);
    let mut plain = settings();
    plain.smtp_dns_support_level = DnsSupport::Disabled;
    // The system looks names up; it knows none of these.
    let text = said(&plain, "good.invalid");
    assert!(text.contains("unable to look up host good.invalid: "), "{text}");
    assert_eq!(said(&plain, "localhost"), "localhost[127.0.0.1]:25");
}

#[test]
fn a_thousand_exchangers_are_not_all_asked_for() {
    let mut more = Vec::new();
    for number in 0..1000 {
        let host = format!("mx{number}.many.test");
        let preference = number;
        let address = Record::Address("192.0.2.1".parse().expect("an address"));
        more.push((host.clone(), Kind::A, address));
        more.push((
            "many.test".to_owned(),
            Kind::Mx,
            Record::Exchanger { preference, host },
        ));
    }
    let mut settings = settings();
    settings.smtp_mx_address_limit = 0;
    let questions = Arc::<AtomicUsize>::default();
    let zone = Zone {
        more,
        questions: Arc::clone(&questions),
    };
    let targets = chosen(&settings, zone, "many.test").expect("hosts").targets;
    assert_eq!(targets.len(), EXCHANGERS_MAX.min(ADDRESSES_MAX));
    assert_eq!(questions.load(Ordering::Relaxed), 1 + EXCHANGERS_MAX);
}

#[test]
fn equals_take_turns_and_preferences_hold() {
    let arrangement = |is_random| Arrangement {
        is_random,
        preference: AddressPreference::Any,
        is_balanced: false,
        addresses_max: 5,
    };
    let found = |preference: u16, address: &str| Found {
        preference,
        host: "mx.test".to_owned(),
        address: address.parse().expect("an address"),
        dnssec: Verified::default(),
    };
    let all = || {
        vec![
            found(20, "192.0.2.20"),
            found(10, "192.0.2.1"),
            found(10, "192.0.2.2"),
            found(10, "192.0.2.3"),
        ]
    };
    let order = |is_random, seed| {
        let arranged = arrangement(is_random).arrange(all(), &SimRandom::new(seed));
        arranged
            .iter()
            .map(|found| found.address)
            .collect::<Vec<IpAddr>>()
    };
    assert_eq!(order(false, 1), order(false, 2));
    let orders: BTreeSet<Vec<IpAddr>> = (0..100).map(|seed| order(true, seed)).collect();
    assert_eq!(orders.len(), 6);
    assert!(orders.iter().all(|order| order[3].to_string() == "192.0.2.20"));
}

#[test]
fn ip_versions_are_preferred_and_balanced() {
    let new = |number: usize| format!("2001:db8::{number}");
    let old = |number: usize| format!("192.0.2.{number}");
    let found = |address: String| Found {
        preference: 10,
        host: "mx.test".to_owned(),
        address: address.parse().expect("an address"),
        dnssec: Verified::default(),
    };
    let many: Vec<Found> = (1..9).map(old).chain((1..9).map(new)).map(found).collect();
    let versions = |arrangement: Arrangement, found: &[Found]| -> String {
        let arranged = arrangement.arrange(found.to_vec(), &SimRandom::new(1));
        arranged
            .iter()
            .map(|found| if found.address.is_ipv6() { '6' } else { '4' })
            .collect()
    };
    let arrangement = Arrangement {
        is_random: false,
        preference: AddressPreference::Any,
        is_balanced: true,
        addresses_max: 5,
    };
    let ordered = |preference| Arrangement {
        preference,
        ..arrangement
    };
    assert_eq!(versions(arrangement, &many), "44466");
    assert_eq!(versions(ordered(AddressPreference::Ipv6), &many), "66644");
    assert_eq!(versions(ordered(AddressPreference::Ipv4), &many), "44466");
    let unbalanced = Arrangement {
        is_balanced: false,
        ..arrangement
    };
    assert_eq!(versions(unbalanced, &many), "44444");
    assert_eq!(versions(arrangement, &many[..8]), "44444");
    assert_eq!(versions(arrangement, &many[6..10]), "4466");
}
