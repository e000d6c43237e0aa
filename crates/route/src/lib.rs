//! Recipient to class, transport and next hop (what trivial-rewrite(8) decides).
//!
//! In charge of which class of domain an address is in, which transport carries it where, and whether a
//! recipient of one of our own classes exists. Not in charge of rewriting other than
//! of routes through this host ([`routes`]), of aliases or of delivery.
//!
//! Entry: [`Router`]. Sources: ADDRESS_CLASS_README, trivial-rewrite(8). Transport maps and virtual aliases are not
//! there yet; MX lookups belong to the delivery.

pub mod domains;
pub mod recipients;
pub mod routes;

use std::net::IpAddr;
use std::sync::Arc;

use address::Address;
use settings::Postfix;
use tables::Tell;

pub use domains::DomainList;
pub use recipients::{Directory, Existence};

/// The classes of domains, in the order in which Postfix tries them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// `mydestination`: users of this host.
    Local,
    /// `virtual_mailbox_domains`
    VirtualMailbox,
    /// `relay_domains`: passed on to the host that serves them.
    Relay,
    /// Everything else.
    Default,
}

/// Where a recipient goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The class of its domain.
    pub class: Class,
    /// The transport: a service of master.cf (`local`, `smtp`, `relay`, `lmtp`, `error` …).
    pub transport: String,
    /// The next hop as the transport reads it; for local transports the domain.
    pub next_hop: String,
}

/// Why a question could not be answered. It is never a "no": the caller defers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A lookup table failed.
    #[error(transparent)]
    Table(#[from] tables::Error),
    /// The directory of users failed.
    #[error("cannot look up user {0}: {1}")]
    Directory(String, String),
}

/// Answers where a recipient goes.
pub struct Router {
    settings: Arc<Postfix>,
    local: DomainList,
    virtual_mailbox: DomainList,
    relay: DomainList,
    fast_flush: DomainList,
    /// Addresses of this host, for `user@[192.0.2.1]`.
    own_addresses: Vec<IpAddr>,
    recipients: recipients::Recipients,
}

impl Router {
    /// A router by `settings`, and the tables that cannot be opened: every lookup in those fails, and nothing is taken
    /// for not found because of it. `own_addresses` are those on which the host receives mail.
    pub fn new(
        settings: Arc<Postfix>,
        own_addresses: Vec<IpAddr>,
        directory: Arc<dyn Directory>,
    ) -> (Router, Vec<tables::Error>) {
        let mut problems = Vec::new();
        let parents = &settings.parent_domain_matches_subdomains;
        let relay_subdomains = parents.iter().any(|list| list == "relay_domains");
        let fast_flush = DomainList::fast_flush(&settings, &mut problems);
        let router = Router {
            local: DomainList::open(&settings.mydestination, false, &mut problems),
            virtual_mailbox: DomainList::open(&settings.virtual_mailbox_domains, false, &mut problems),
            relay: DomainList::open(&settings.relay_domains, relay_subdomains, &mut problems),
            fast_flush,
            recipients: recipients::Recipients::open(&settings, directory, &mut problems),
            own_addresses,
            settings,
        };
        (router, problems)
    }

    /// The same, telling warnings of its tables: those of domains as trivial-rewrite(8) to `domains`, those of recipients as
    /// smtpd(8), who asks for them, to `recipients`.
    pub fn telling(mut self, domains: &Tell, recipients: &Tell) -> Router {
        for list in [
            &mut self.local,
            &mut self.virtual_mailbox,
            &mut self.relay,
            &mut self.fast_flush,
        ] {
            list.tell_warnings(domains);
        }
        self.recipients.tell_warnings(recipients);
        self
    }

    /// Whether mail for this site may be asked for, by ETRN or `postqueue -s` (`fast_flush_domains`).
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn is_flushed_for(&self, site: &address::Domain) -> Result<bool, Error> {
        self.fast_flush.contains(site)
    }

    /// The class of an address's domain. An address without a domain is of this host.
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn class(&self, address: &Address) -> Result<Class, Error> {
        let Some(domain) = address.domain() else {
            return Ok(Class::Local);
        };
        if domain.to_ip().is_some_and(|ip| self.own_addresses.contains(&ip)) || self.local.contains(domain)? {
            return Ok(Class::Local);
        }
        if self.virtual_mailbox.contains(domain)? {
            return Ok(Class::VirtualMailbox);
        }
        if self.relay.contains(domain)? {
            return Ok(Class::Relay);
        }
        Ok(Class::Default)
    }

    /// Whether an address begins like an option of a command; without `allow_min_user` there is no mail for those.
    pub fn looks_like_option(&self, address: &Address) -> bool {
        address.local().starts_with('-') && !self.settings.allow_min_user
    }

    /// Where mail for an address goes.
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn resolve(&self, address: &Address) -> Result<Route, Error> {
        let class = self.class(address)?;
        if self.looks_like_option(address) {
            return Ok(Route {
                class,
                transport: "error".to_owned(),
                next_hop: "5.1.3 bad address syntax".to_owned(),
            });
        }
        let domain = address
            .domain()
            .map_or(self.settings.myhostname.as_str(), |domain| domain.as_str());
        let relayhost = &self.settings.relayhost;
        let (transport, hop) = match class {
            Class::Local => split(&self.settings.local_transport),
            Class::VirtualMailbox => split(&self.settings.virtual_transport),
            Class::Relay => split(&self.settings.relay_transport),
            Class::Default => split(&self.settings.default_transport),
        };
        let forwarded = matches!(class, Class::Relay | Class::Default) && !relayhost.is_empty();
        let next_hop = match hop {
            "" if forwarded => relayhost.clone(),
            "" => domain.to_owned(),
            hop => hop.to_owned(),
        };
        Ok(Route {
            class,
            transport: transport.to_owned(),
            next_hop,
        })
    }

    /// Whether a recipient exists, as far as its class's tables tell.
    ///
    /// # Errors
    /// When a lookup fails: the client is told to try again.
    pub fn existence(&self, address: &Address) -> Result<Existence, Error> {
        let class = self.class(address)?;
        self.recipients.existence(class, address, &self.settings)
    }
}

/// `transport:nexthop`, the next hop optional.
fn split(transport: &str) -> (&str, &str) {
    transport.split_once(':').unwrap_or((transport, ""))
}
