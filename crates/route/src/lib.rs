//! Recipient to class, transport and next hop (what trivial-rewrite(8) decides).
//!
//! In charge of which class of domain an address is in, which transport carries it where, and whether a
//! recipient of one of our own classes exists. Not in charge of rewriting other than
//! of routes through this host ([`routes`]), of aliases or of delivery.
//!
//! Entry: [`Router`]. Sources: ADDRESS_CLASS_README, trivial-rewrite(8), transport(5), relocated(5). Virtual aliases are
//! expanded by cleanup, MX lookups belong to the delivery.

mod aliased;
pub mod by_sender;
pub mod domains;
pub mod probes;
pub mod recipients;
pub mod routes;
mod sendmail;
pub mod transport_maps;

use std::net::IpAddr;
use std::sync::Arc;

use address::Address;
use settings::Postfix;
use tables::Tell;

pub use domains::DomainList;
pub use recipients::{Directory, Existence};
pub use sendmail_files::access::{Found, Tag};
use sendmail_files::virtusertable::Entry as Virtual;

/// The classes of domains, in the order in which Postfix tries them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// `mydestination`: users of this host.
    Local,
    /// `virtual_alias_domains`: every address stands for others.
    VirtualAlias,
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

/// The transport that returns mail, with what its next hop says.
const ERROR: &str = "error";
/// The transport that keeps mail waiting, with what its next hop says.
const RETRY: &str = "retry";

/// An address to which the configuration lets no mail go: its transport is `error` or `retry`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undeliverable {
    /// For good; a text that may begin with an enhanced code.
    Never(String),
    /// For now; a text that may begin with an enhanced code.
    NotNow(String),
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

impl Error {
    /// The same for who asks tables only.
    pub fn into_table(self) -> tables::Error {
        match self {
            Error::Table(error) => error,
            Error::Directory(table, cause) => tables::Error::Lookup { table, cause },
        }
    }
}

/// Answers where a recipient goes.
pub struct Router {
    settings: Arc<Postfix>,
    local: DomainList,
    virtual_alias: DomainList,
    virtual_mailbox: DomainList,
    relay: DomainList,
    fast_flush: DomainList,
    /// Addresses of this host, for `user@[192.0.2.1]`.
    own_addresses: Vec<IpAddr>,
    recipients: recipients::Recipients,
    transport_maps: transport_maps::TransportMaps,
    by_sender: by_sender::BySender,
    aliased: aliased::Aliased,
    sendmail: sendmail::Files,
    /// Hears of lookups that fail, as trivial-rewrite(8).
    tell: Option<Tell>,
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
        let mut list = |(name, words): (&str, &[String]), subdomains| {
            DomainList::open(words, subdomains, &mut problems).titled(name)
        };
        let router = Router {
            local: list(("mydestination", &settings.mydestination), false),
            virtual_alias: list(("virtual_alias_domains", &settings.virtual_alias_domains), false),
            virtual_mailbox: list(
                ("virtual_mailbox_domains", &settings.virtual_mailbox_domains),
                false,
            ),
            relay: list(("relay_domains", &settings.relay_domains), relay_subdomains),
            fast_flush,
            recipients: recipients::Recipients::open(&settings, directory, &mut problems),
            transport_maps: transport_maps::TransportMaps::open(&settings, &mut problems),
            by_sender: by_sender::BySender::open(&settings, &mut problems),
            aliased: aliased::Aliased::open(&settings, &mut problems),
            sendmail: sendmail::Files::open(&settings, &mut problems),
            own_addresses,
            settings,
            tell: None,
        };
        (router, problems)
    }

    /// The same, telling warnings of its tables: those of domains as trivial-rewrite(8) to `domains`, those of recipients as
    /// smtpd(8), who asks for them, to `recipients`.
    pub fn telling(mut self, domains: &Tell, recipients: &Tell) -> Router {
        for list in [
            &mut self.local,
            &mut self.virtual_alias,
            &mut self.virtual_mailbox,
            &mut self.relay,
            &mut self.fast_flush,
        ] {
            list.tell_warnings(domains);
        }
        self.tell = Some(Arc::clone(domains));
        self.transport_maps.tell_warnings(domains);
        self.by_sender.tell_warnings(domains);
        self.aliased.tell_warnings(domains, recipients);
        self.sendmail.tell_warnings(domains);
        self.recipients.tell_warnings(recipients);
        self
    }

    /// The same router for a service that has other lists of recipients, and the tables of those that cannot be opened; `tell`
    /// hears what they warn of. Domains, transports and who has moved are looked up by main.cf alone, as trivial-rewrite(8) does
    /// for everybody.
    pub fn for_service(self: &Arc<Router>, own: &Postfix, tell: &Tell) -> (Arc<Router>, Vec<tables::Error>) {
        let lists = |settings: &Postfix| {
            [
                settings.local_recipient_maps.clone(),
                settings.virtual_mailbox_maps.clone(),
                settings.relay_recipient_maps.clone(),
                settings.canonical_maps.clone(),
                settings.recipient_canonical_maps.clone(),
                settings.virtual_alias_maps.clone(),
            ]
        };
        if lists(own) == lists(&self.settings) && own.recipient_delimiter == self.settings.recipient_delimiter
        {
            return (Arc::clone(self), Vec::new());
        }
        let mut mixed = Postfix::clone(&self.settings);
        mixed.local_recipient_maps.clone_from(&own.local_recipient_maps);
        mixed.virtual_mailbox_maps.clone_from(&own.virtual_mailbox_maps);
        mixed.relay_recipient_maps.clone_from(&own.relay_recipient_maps);
        mixed.canonical_maps.clone_from(&own.canonical_maps);
        mixed
            .recipient_canonical_maps
            .clone_from(&own.recipient_canonical_maps);
        mixed.virtual_alias_maps.clone_from(&own.virtual_alias_maps);
        mixed.recipient_delimiter.clone_from(&own.recipient_delimiter);
        let directory = self.recipients.directory();
        let (router, problems) = Router::new(Arc::new(mixed), self.own_addresses.clone(), directory);
        let silent: Tell = Arc::new(|_: &str| {});
        (Arc::new(router.telling(&silent, tell)), problems)
    }

    /// Whether mail for this site may be asked for, by ETRN or `postqueue -s` (`fast_flush_domains`).
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn is_flushed_for(&self, site: &address::Domain) -> Result<bool, Error> {
        self.fast_flush.contains(site)
    }

    /// Whether an address is this host's.
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.own_addresses.contains(&address.to_canonical())
    }

    /// Tells that a lookup for a parameter failed; the error as it is.
    fn failed(&self, parameter: &str, error: Error) -> Error {
        if let Some(tell) = &self.tell {
            tell(&format!("{parameter} lookup failure"));
        }
        error
    }

    /// The class of an address's domain. An address without a domain is of this host.
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn class(&self, address: &Address) -> Result<Class, Error> {
        let address = self.sendmail.renamed(address)?;
        let Some(domain) = address.domain() else {
            return Ok(Class::Local);
        };
        if domain.to_ip().is_some_and(|ip| self.own_addresses.contains(&ip)) || self.local.contains(domain)? {
            return Ok(Class::Local);
        }
        let list = |list: &DomainList, name| list.contains(domain).map_err(|error| self.failed(name, error));
        if list(&self.virtual_alias, "virtual_alias_domains")? {
            return Ok(Class::VirtualAlias);
        }
        if list(&self.virtual_mailbox, "virtual_mailbox_domains")? {
            return Ok(Class::VirtualMailbox);
        }
        if list(&self.relay, "relay_domains")? || self.sendmail.relays_to(domain)? {
            return Ok(Class::Relay);
        }
        Ok(Class::Default)
    }

    /// The class of an address where everything can be told of where mail for it from `sender` goes: who asks about the address
    /// waits with any answer else, as smtpd(8) does.
    ///
    /// # Errors
    /// When a lookup fails, of the class or of the way.
    pub fn resolved_class(&self, address: &Address, sender: Option<&Address>) -> Result<Class, Error> {
        Ok(self.resolve(address, sender)?.class)
    }

    /// Whether an address begins like an option of a command; without `allow_min_user` there is no mail for those.
    pub fn looks_like_option(&self, address: &Address) -> bool {
        address.local().starts_with('-') && !self.settings.allow_min_user
    }

    /// Where mail for an address goes that comes from `sender`; `None` is the null sender.
    ///
    /// The class says which transport; `transport_maps` have the last word. What is passed on to other hosts goes to the
    /// next hop that its transport names, else to the relay host of its sender, else to `relayhost`, else to the domain.
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn resolve(&self, address: &Address, sender: Option<&Address>) -> Result<Route, Error> {
        let address = &*self.sendmail.renamed(address)?;
        let route = self.resolve_here(address, sender)?;
        if let Some(Virtual::Error(failure)) = self.virtual_user(address)? {
            return Ok(sendmail::refused(route, &failure, (1, 1)));
        }
        let relocated = self.aliased.relocated(address, self);
        Ok(
            match relocated.map_err(|error| self.failed("relocated_maps", error))? {
                Some(place) => Route {
                    transport: ERROR.to_owned(),
                    next_hop: format!("5.1.6 User has moved to {place}"),
                    ..route
                },
                None => route,
            },
        )
    }

    /// The same for somebody who has not moved.
    fn resolve_here(&self, address: &Address, sender: Option<&Address>) -> Result<Route, Error> {
        let class = self.class(address)?;
        if self.looks_like_option(address) {
            return Ok(Route {
                class,
                transport: ERROR.to_owned(),
                next_hop: "5.1.3 bad address syntax".to_owned(),
            });
        }
        let domain = address
            .domain()
            .map_or(self.settings.myhostname.as_str(), |domain| domain.as_str());
        let of_sender = match class {
            Class::Default => {
                let found = self.by_sender.transport(sender, self);
                found.map_err(|error| self.failed("sender_dependent_default_transport_maps", error))?
            }
            _ => None,
        };
        let unaliased = self.unaliased();
        let configured = match class {
            Class::Local => &self.settings.local_transport,
            Class::VirtualAlias => &unaliased,
            Class::VirtualMailbox => &self.settings.virtual_transport,
            Class::Relay => &self.settings.relay_transport,
            Class::Default => of_sender.as_ref().unwrap_or(&self.settings.default_transport),
        };
        let (transport, hop) = split(configured);
        let next_hop = match (hop, class) {
            ("", Class::Relay | Class::Default) => self.relay_host(sender)?,
            (hop, _) => Some(hop.to_owned()).filter(|hop| !hop.is_empty()),
        };
        let route = Route {
            class,
            transport: transport.to_owned(),
            next_hop: next_hop.unwrap_or_else(|| domain.to_owned()),
        };
        let entry = match class {
            // There is no way to those but by what they stand for.
            Class::VirtualAlias => Ok(None),
            _ => self.transport_maps.entry(address),
        };
        match entry.map_err(|error| self.failed("transport_maps", error))? {
            Some(entry) => Ok(entry.changes(route, domain)),
            None => self.sendmail.mailer(route, domain),
        }
    }

    /// Where mail for an address goes that a content filter is to see first: `filter` is `transport:nexthop`. Without a next
    /// hop it is `default_filter_nexthop`, or the domain.
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn filtered(&self, address: &Address, filter: &str) -> Result<Route, Error> {
        let (transport, hop) = split(filter);
        let domain = address.domain().map(|domain| domain.as_str());
        let settings = &self.settings;
        let hops = [hop, &settings.default_filter_nexthop, domain.unwrap_or_default()];
        let next_hop = hops.into_iter().find(|hop| !hop.is_empty());
        Ok(Route {
            class: self.class(address)?,
            transport: transport.to_owned(),
            next_hop: next_hop.unwrap_or(&settings.myhostname).to_owned(),
        })
    }

    /// Whether mail for an address need not be taken, since its transport is `error` or `retry`.
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn undeliverable(
        &self,
        address: &Address,
        sender: Option<&Address>,
    ) -> Result<Option<Undeliverable>, Error> {
        match self.virtual_user(address)? {
            Some(Virtual::Error(failure)) => return Ok(Some(sendmail::undeliverable(&failure))),
            Some(Virtual::Address(_)) => {
                let meant = self.virtually(address)?;
                if meant != *address {
                    return self.undeliverable(&meant, sender);
                }
            }
            None => {}
        }
        let Route {
            class,
            transport,
            next_hop,
        } = self.resolve(address, sender)?;
        // An address that stands for others goes where those go.
        if self.aliased.has(address, self)? {
            return Ok(None);
        }
        // That nobody is called so is told by `existence`.
        if class == Class::VirtualAlias && self.unaliased() == format!("{transport}:{next_hop}") {
            return Ok(None);
        }
        Ok(match transport.as_str() {
            ERROR => Some(Undeliverable::Never(next_hop)),
            RETRY => Some(Undeliverable::NotNow(next_hop)),
            _ => None,
        })
    }

    /// Whether others get mail for the address, or a text that refuses it is in `virtusertable`, which is told elsewhere.
    fn stands_for_others(&self, address: &Address) -> Result<bool, Error> {
        let is_refused = matches!(self.virtual_user(address)?, Some(Virtual::Error(_)));
        Ok(is_refused || self.aliased.has(address, self)?)
    }

    /// The transport of an address that should have been an alias.
    fn unaliased(&self) -> String {
        let words = match self.settings.show_user_unknown_table_name {
            true => "User unknown in virtual alias table",
            false => "User unknown",
        };
        format!("{ERROR}:5.1.1 {words}")
    }

    /// Where mail for other hosts goes whose transport names no next hop; `None`: to its domain.
    fn relay_host(&self, sender: Option<&Address>) -> Result<Option<String>, Error> {
        let of_sender = self.by_sender.relay_host(sender, self);
        let of_sender = of_sender.map_err(|error| self.failed("sender_dependent_relayhost_maps", error))?;
        let relay_host = of_sender.unwrap_or_else(|| self.settings.relayhost.clone());
        Ok(Some(relay_host).filter(|host| !host.is_empty()))
    }

    /// Whether a recipient exists, as far as its class's tables tell.
    ///
    /// # Errors
    /// When a lookup fails: the client is told to try again.
    pub fn existence(&self, address: &Address) -> Result<Existence, Error> {
        let address = &*self.sendmail.renamed(address)?;
        let stands_for_others = |address: &Address| self.stands_for_others(address);
        if stands_for_others(address)? {
            return Ok(Existence::Exists);
        }
        // Who stands for somebody is there when that one is.
        let meant = self.virtually(address)?;
        if meant != *address && stands_for_others(&meant)? {
            return Ok(Existence::Exists);
        }
        let address = &meant;
        let class = self.class(address)?;
        self.recipients.existence(class, address, &self.settings)
    }
}

/// `transport:nexthop`, the next hop optional.
pub(crate) fn split(transport: &str) -> (&str, &str) {
    transport.split_once(':').unwrap_or((transport, ""))
}
