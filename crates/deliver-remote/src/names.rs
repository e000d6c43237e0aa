//! The addresses of one host: by DNS, or as the system looks names up (`smtp_host_lookup`).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dns::{Answer, Dns, Failure, Kind, Question, Search};
use envelope::StatusCode;
use settings::{DnsSupport, InetProtocols, Postfix, TableRef};
use smtp::client::Protocol;
use tables::{Tables, Tell};
use tokio::time::timeout;

use crate::parameters::Parameters;

/// How long the system may take to find a name's addresses.
const NATIVE_TIMEOUT: Duration = Duration::from_secs(60);

/// What the system says of a name that is there without an address.
const NO_ADDRESS: &str = "No address associated with hostname";

/// Looks names up as the settings say.
#[derive(Clone)]
pub(crate) struct Names {
    dns: Arc<dyn Dns>,
    protocols: InetProtocols,
    search: Search,
    /// Whether DNS is asked at all.
    has_dns: bool,
    /// `smtp_host_lookup` has `dns`.
    by_dns: bool,
    /// `smtp_host_lookup` has `native`.
    by_system: bool,
    filter: Filter,
}

/// The addresses of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) all: Vec<IpAddr>,
    /// The name that has them, where DNSSEC says so: the one below which the records of its certificate are.
    pub(crate) verified_name: Option<String>,
}

impl Addresses {
    fn unverified(all: Vec<IpAddr>) -> Addresses {
        Addresses {
            all,
            verified_name: None,
        }
    }
}

/// A name without addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoAddress {
    /// Temporary when another time may bring some.
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl NoAddress {
    pub(crate) fn is_temporary(&self) -> bool {
        self.status.class == envelope::Class::Temporary
    }
}

impl Names {
    pub(crate) fn from_settings(settings: &Postfix, dns: Arc<dyn Dns>, protocol: Protocol) -> Names {
        let has_dns = match settings.smtp_dns_support_level {
            DnsSupport::Unset => !settings.disable_dns_lookups,
            DnsSupport::Disabled => false,
            DnsSupport::Enabled | DnsSupport::Dnssec => true,
        };
        let named = |list: &[String], word: &str| list.iter().any(|item| item.eq_ignore_ascii_case(word));
        let options = &settings.smtp_dns_resolver_options;
        let search = match (named(options, "res_defnames"), named(options, "res_dnsrch")) {
            (false, false) => Search::Never,
            (true, false) => Search::OwnDomain,
            (false, true) => Search::List,
            (true, true) => Search::Both,
        };
        Names {
            dns,
            protocols: settings.inet_protocols,
            search,
            has_dns,
            by_dns: has_dns && named(&settings.smtp_host_lookup, "dns"),
            filter: Filter::of(Parameters::of(protocol, settings).dns_reply_filter),
            by_system: !has_dns || named(&settings.smtp_host_lookup, "native"),
        }
    }

    /// `tell` hears of warnings from now on.
    pub(crate) fn tell_warnings(&mut self, tell: &Tell) {
        self.filter.tell = Some(Arc::clone(tell));
    }

    /// Whether there are mail exchangers to be asked for.
    pub(crate) fn has_exchangers(&self) -> bool {
        self.has_dns
    }

    /// The mail exchangers of a domain in ASCII.
    pub(crate) async fn exchangers(&self, domain: &str) -> Result<Answer, Failure> {
        self.ask(domain, Kind::Mx).await
    }

    /// What DNS says of the certificate of the service on that port of a host: its TLSA records.
    pub(crate) async fn certificates(&self, host: &str, port: u16) -> Result<Answer, Failure> {
        self.ask(&format!("_{port}._tcp.{host}"), Kind::Tlsa).await
    }

    async fn ask(&self, name: &str, kind: Kind) -> Result<Answer, Failure> {
        let question = Question {
            name: name.to_owned(),
            kind,
            search: self.search,
        };
        self.filter.pass(self.dns.look_up(&question).await?)
    }

    /// The addresses of a host, those of IPv4 first: at least one.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Addresses, NoAddress> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return match self.protocols.allows(address) {
                true => Ok(Addresses::unverified(vec![address])),
                false => Err(NoAddress {
                    status: StatusCode::permanent(4, 4),
                    text: format!("Name service error for {host}: invalid host or domain name"),
                }),
            };
        }
        let found = match self.by_dns {
            true => self.of_dns(host).await,
            false => Err(None),
        };
        match found {
            Ok(addresses) => Ok(addresses),
            Err(Some(missed)) if missed.is_temporary() || !self.by_system => Err(missed),
            Err(missed) if !self.by_system => {
                Err(missed.unwrap_or_else(|| failed(host, Kind::A, &Failure::NotFound)))
            }
            Err(_) => self.of_system(host).await.map(Addresses::unverified),
        }
    }

    /// `None`: there is no IP protocol.
    async fn of_dns(&self, host: &str) -> Result<Addresses, Option<NoAddress>> {
        let wanted = |kind| async move {
            let sample: IpAddr = match kind {
                Kind::Aaaa => std::net::Ipv6Addr::LOCALHOST.into(),
                _ => std::net::Ipv4Addr::LOCALHOST.into(),
            };
            match self.protocols.allows(sample) {
                true => Some(self.ask(host, kind).await),
                false => None,
            }
        };
        let (old, new) = tokio::join!(wanted(Kind::A), wanted(Kind::Aaaa));
        let (mut addresses, mut missed) = (Vec::new(), None::<NoAddress>);
        let (mut is_verified, mut name) = (true, None);
        for (kind, answer) in [(Kind::A, old), (Kind::Aaaa, new)] {
            match answer {
                Some(Ok(answer)) => {
                    addresses.extend(answer.addresses());
                    is_verified &= answer.authenticated;
                    name = Some(answer.name);
                }
                Some(Err(failure)) => {
                    let said = failed(host, kind, &failure);
                    // What may pass counts more than what is for good; else the last word.
                    if said.is_temporary() || missed.as_ref().is_none_or(|before| !before.is_temporary()) {
                        missed = Some(said);
                    }
                }
                None => {}
            }
        }
        match addresses.is_empty() {
            true => Err(missed),
            false => Ok(Addresses {
                all: addresses,
                verified_name: name.filter(|_| is_verified),
            }),
        }
    }

    async fn of_system(&self, host: &str) -> Result<Vec<IpAddr>, NoAddress> {
        let missed = |status, why: &str| NoAddress {
            status,
            text: format!("unable to look up host {host}: {why}"),
        };
        let later = "Temporary failure in name resolution";
        let found = timeout(NATIVE_TIMEOUT, tokio::net::lookup_host((host, 0))).await;
        let found = found.map_err(|_| missed(StatusCode::temporary(4, 4), later))?;
        let found = found.map_err(|error| {
            let text = error.to_string();
            let why = text.rsplit(": ").next().unwrap_or(&text);
            match why {
                why if why == later => missed(StatusCode::temporary(4, 4), why),
                why if why == NO_ADDRESS => missed(StatusCode::permanent(3, 0), why),
                why => missed(StatusCode::permanent(4, 4), why),
            }
        })?;
        let mut addresses: Vec<IpAddr> = found
            .map(|address| address.ip())
            .filter(|address| self.protocols.allows(*address))
            .collect();
        addresses.sort_by_key(IpAddr::is_ipv6);
        match addresses.is_empty() {
            true => Err(missed(StatusCode::permanent(3, 0), NO_ADDRESS)),
            false => Ok(addresses),
        }
    }
}

/// `smtp_dns_reply_filter`: tables of records that are not heard.
#[derive(Clone, Default)]
struct Filter {
    tables: Arc<Tables>,
    tell: Option<Tell>,
}

impl Filter {
    fn of(tables: &[TableRef]) -> Filter {
        Filter {
            tables: Arc::new(Tables::open(tables).0),
            tell: None,
        }
    }

    /// The records that are left of an answer.
    fn pass(&self, mut answer: Answer) -> Result<Answer, Failure> {
        if self.tables.is_empty() {
            return Ok(answer);
        }
        let mut left = Vec::new();
        for record in answer.records {
            let line = format!("{}. {} IN {record}", answer.name, answer.ttl.as_secs());
            match self.tables.lookup(&line) {
                Ok(None) => left.push(record),
                Ok(Some(action)) if action.trim().eq_ignore_ascii_case("IGNORE") => {}
                Ok(Some(action)) => {
                    self.warn(&format!(
                        "DNS reply filter: unknown action \"{action}\" for \"{line}\""
                    ));
                    return Err(Failure::BadFilter);
                }
                Err(error) => {
                    self.warn(&format!("DNS reply filter: {error}"));
                    return Err(Failure::TryAgain);
                }
            }
        }
        answer.records = left;
        match answer.records.is_empty() {
            true => Err(Failure::FilteredOut),
            false => Ok(answer),
        }
    }

    fn warn(&self, text: &str) {
        if let Some(tell) = &self.tell {
            tell(text);
        }
    }
}

/// A failed look-up in Postfix's words.
pub(crate) fn failed(name: &str, kind: Kind, failure: &Failure) -> NoAddress {
    let status = match failure {
        Failure::TryAgain | Failure::BadFilter => StatusCode::temporary(4, 3),
        Failure::FilteredOut => StatusCode::temporary(7, 0),
        _ => StatusCode::permanent(4, 4),
    };
    let text = match failure {
        Failure::Loop => format!("Name server loop for {name}"),
        Failure::BadName => format!("Name service error for {name}: invalid host or domain name"),
        Failure::FilteredOut | Failure::BadFilter => {
            format!("Error looking up name={name} type={kind}: {failure}")
        }
        failure => {
            format!(
                "Host or domain name not found. Name service error for name={name} type={kind}: {failure}"
            )
        }
    };
    NoAddress { status, text }
}
