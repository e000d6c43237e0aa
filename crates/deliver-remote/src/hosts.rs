//! Which hosts of a next hop are tried, and in which order: mail exchangers by preference, never this host itself.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dns::{Failure, Kind, Record};
use envelope::{DeliveryResult, Outcome, StatusCode};
use settings::{AddressPreference, Postfix};
use tokio::task::JoinSet;
use tokio::time::timeout;
use world::Random;

use crate::connection::{Target, Verified};
use crate::names::{Addresses, Names, NoAddress, failed};
use crate::{ADDRESSES_MAX, Place, Site};

/// The most mail exchangers of a domain whose addresses are asked for; the best ones.
pub const EXCHANGERS_MAX: usize = 50;
/// How many of them are asked for at once.
const LOOKUPS_AT_ONCE: usize = 10;
/// How long finding the hosts of one place may take, all questions together.
const CHOICE_TIMEOUT: Duration = Duration::from_secs(180);
/// Only on this port is an address of this host this mail system.
const SMTP_PORT: u16 = 25;

/// How the addresses of a next hop are put in order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrangement {
    /// `smtp_randomize_addresses`
    is_random: bool,
    /// `smtp_address_preference`
    preference: AddressPreference,
    /// `smtp_balance_inet_protocols`
    is_balanced: bool,
    /// `smtp_mx_address_limit`; 0 is no limit there, and [`ADDRESSES_MAX`] here.
    addresses_max: usize,
}

/// What decides about the hosts of a next hop.
pub(crate) struct Chooser {
    names: Names,
    arrangement: Arrangement,
    /// `inet_interfaces` and `proxy_interfaces`
    own_addresses: Vec<IpAddr>,
    ignores_mx_errors: bool,
    defers_without_address: bool,
}

/// The hosts of one place.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) targets: Vec<Target>,
    /// This host is a mail exchanger of the domain itself.
    pub(crate) is_own: bool,
}

/// No host to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoHost {
    pub(crate) missed: NoAddress,
    /// It would be this host itself.
    pub(crate) loops: bool,
    /// Something for the log, beside the outcome.
    pub(crate) warning: Option<String>,
}

impl NoHost {
    /// What it means for every recipient.
    pub(crate) fn outcome(&self) -> Outcome {
        let result = match self.missed.is_temporary() {
            true => DeliveryResult::Deferred,
            false => DeliveryResult::Bounced,
        };
        Outcome {
            result,
            status: self.missed.status,
            text: self.missed.text.clone(),
            relay: "none".to_owned(),
            detail: Default::default(),
        }
    }
}

/// An address of a mail exchanger.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    preference: u16,
    host: String,
    address: IpAddr,
    dnssec: Verified,
}

impl Chooser {
    pub(crate) fn from_settings(settings: &Postfix, names: Names, own_addresses: Vec<IpAddr>) -> Chooser {
        Chooser {
            names,
            arrangement: Arrangement {
                is_random: settings.smtp_randomize_addresses,
                preference: settings.smtp_address_preference,
                is_balanced: settings.smtp_balance_inet_protocols,
                addresses_max: match settings.smtp_mx_address_limit {
                    0 => ADDRESSES_MAX,
                    limit => limit.min(ADDRESSES_MAX),
                },
            },
            own_addresses,
            ignores_mx_errors: settings.ignore_mx_lookup_error,
            defers_without_address: settings.smtp_defer_if_no_mx_address_found,
        }
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// `tell` hears of warnings from now on.
    pub(crate) fn tell_warnings(&mut self, tell: &tables::Tell) {
        self.names.tell_warnings(tell);
    }

    /// The hosts of a place in the order in which they are tried, at least one. `hostname` is this host's.
    pub(crate) async fn choose(&self, site: &Site, hostname: &str) -> Result<Chosen, NoHost> {
        let (name, port) = match &site.place {
            Place::Domain(name, port) | Place::Host(name, port) => (name, *port),
            Place::Socket(path) => {
                return Ok(Chosen {
                    targets: vec![Target::socket(path.clone(), hostname)],
                    is_own: false,
                });
            }
        };
        let ascii = in_ascii(name);
        let finding = async {
            match site.place {
                Place::Domain(..) if self.names.has_exchangers() => self.of_domain(&ascii).await,
                _ => self.of_host(&ascii).await,
            }
        };
        let late = || nowhere(failed(&ascii, Kind::Mx, &Failure::TryAgain));
        let found = timeout(CHOICE_TIMEOUT, finding)
            .await
            .unwrap_or_else(|_| Err(late()))?;
        let count = found.len();
        let found = match port {
            SMTP_PORT => self.better_than_own(found),
            _ => found,
        };
        if found.is_empty() {
            return Err(loops(name));
        }
        let is_own = found.len() < count;
        let mut targets: Vec<Target> = Vec::new();
        for Found {
            host,
            address,
            dnssec,
            ..
        } in self.arrangement.arrange(found, &world::RealRandom)
        {
            let target = Target::tcp(&host, SocketAddr::new(address, port)).found(dnssec);
            if !targets.iter().any(|known| known.relay == target.relay) {
                targets.push(target);
            }
        }
        Ok(Chosen { targets, is_own })
    }

    async fn of_host(&self, name: &str) -> Result<Vec<Found>, NoHost> {
        let addresses = self.names.addresses(name).await.map_err(nowhere)?;
        Ok(found((0, true), name, addresses))
    }

    /// RFC 5321 §5.1: mail exchangers by preference; a domain without any is its own.
    async fn of_domain(&self, name: &str) -> Result<Vec<Found>, NoHost> {
        let answer = match self.names.exchangers(name).await {
            Ok(answer) => answer,
            Err(Failure::NotFound | Failure::NoData) => return self.of_host(name).await,
            Err(Failure::TryAgain) if self.ignores_mx_errors => return self.of_host(name).await,
            Err(failure) => return Err(nowhere(failed(name, Kind::Mx, &failure))),
        };
        let is_verified = answer.authenticated;
        let mut exchangers = Vec::new();
        for record in answer.records {
            if let Record::Exchanger { preference, host } = record {
                exchangers.push((preference, host));
            }
        }
        // RFC 7505 §3: one record says it, and others beside it do not count.
        if exchangers.iter().any(|(_, host)| host.is_empty()) {
            return Err(nowhere(NoAddress {
                status: StatusCode::permanent(1, 0),
                text: format!("Domain {name} does not accept mail (nullMX)"),
            }));
        }
        if self.arrangement.is_random {
            shuffle(&mut exchangers, &world::RealRandom);
        }
        exchangers.sort_by_key(|(preference, _)| *preference);
        exchangers.truncate(EXCHANGERS_MAX);
        self.of_exchangers((name, is_verified), exchangers).await
    }

    async fn of_exchangers(
        &self,
        (name, is_verified): (&str, bool),
        exchangers: Vec<(u16, String)>,
    ) -> Result<Vec<Found>, NoHost> {
        let mut all = Vec::new();
        let (mut last, mut some_later) = (None::<NoAddress>, false);
        for some in exchangers.chunks(LOOKUPS_AT_ONCE) {
            let mut lookups = JoinSet::new();
            for (at, (_, host)) in some.iter().enumerate() {
                let (names, host) = (self.names.clone(), host.clone());
                lookups.spawn(async move { (at, names.addresses(&host).await) });
            }
            let mut answers = lookups.join_all().await;
            answers.sort_by_key(|(at, _)| *at);
            for ((preference, host), (_, answer)) in some.iter().zip(answers) {
                match answer {
                    Ok(addresses) => all.extend(found((*preference, is_verified), host, addresses)),
                    Err(missed) => {
                        some_later |= missed.is_temporary();
                        last = Some(missed);
                    }
                }
            }
        }
        let Some(mut missed) = last.filter(|_| all.is_empty()) else {
            return Ok(all);
        };
        if some_later || self.defers_without_address {
            missed.status = StatusCode::temporary(missed.status.subject, missed.status.detail);
        }
        Err(NoHost {
            warning: Some(format!("no MX host for {name} has a valid address record")),
            ..nowhere(missed)
        })
    }

    /// RFC 5321 §5.1: where this host is an exchanger, only better ones are tried, so that mail does not run in circles.
    fn better_than_own(&self, mut found: Vec<Found>) -> Vec<Found> {
        let is_own = |found: &&Found| {
            found.address.is_unspecified() || self.own_addresses.contains(&found.address.to_canonical())
        };
        let own = found.iter().filter(is_own).map(|own| own.preference).min();
        if let Some(own) = own {
            found.retain(|found| found.preference < own);
        }
        found
    }
}

impl Arrangement {
    /// The order in which addresses are tried, and no more of them than are tried.
    fn arrange(&self, mut found: Vec<Found>, random: &dyn Random) -> Vec<Found> {
        if self.is_random {
            shuffle(&mut found, random);
        }
        found.sort_by_key(|found| {
            let is_second = match self.preference {
                AddressPreference::Any => false,
                AddressPreference::Ipv4 => found.address.is_ipv6(),
                AddressPreference::Ipv6 => found.address.is_ipv4(),
            };
            (found.preference, is_second)
        });
        let most = self.addresses_max.max(1);
        if self.is_balanced && most > 1 {
            self.balance(&mut found);
        }
        found.truncate(most);
        found
    }

    /// Leaves out addresses of one IP version where they would leave no room for the other.
    fn balance(&self, found: &mut Vec<Found>) {
        let of_new = found.iter().filter(|found| found.address.is_ipv6()).count();
        let of_old = found.len() - of_new;
        let most = self.addresses_max;
        if found.len() <= most {
            return;
        }
        let mut room_new = most - of_old.min(most / 2);
        let mut room_old = most - of_new.min(most / 2);
        found.retain(|found| {
            let room = match found.address.is_ipv6() {
                true => &mut room_new,
                false => &mut room_old,
            };
            let fits = *room > 0;
            *room = room.saturating_sub(1);
            fits
        });
    }
}

/// `is_exchanger` as [`Verified::is_exchanger`].
fn found((preference, is_exchanger): (u16, bool), host: &str, addresses: Addresses) -> Vec<Found> {
    let dnssec = Verified {
        name: addresses.verified_name,
        is_exchanger,
    };
    let one = |address| Found {
        preference,
        host: host.to_owned(),
        address,
        dnssec: dnssec.clone(),
    };
    addresses.all.into_iter().map(one).collect()
}

/// Any order, each as likely as another.
fn shuffle<T>(items: &mut [T], random: &dyn Random) {
    for last in (1..items.len()).rev() {
        let bound = u64::try_from(last + 1).unwrap_or(u64::MAX);
        let at = usize::try_from(random.next_u64() % bound).unwrap_or(0);
        items.swap(last, at);
    }
}

/// RFC 5890: names of other scripts are asked for by their A-labels.
fn in_ascii(name: &str) -> String {
    if name.is_ascii() {
        return name.to_owned();
    }
    let ascii = address::Domain::parse(name).and_then(|domain| domain.to_ascii());
    ascii.map_or_else(|_| name.to_owned(), |domain| domain.as_str().to_owned())
}

fn nowhere(missed: NoAddress) -> NoHost {
    NoHost {
        missed,
        loops: false,
        warning: None,
    }
}

fn loops(name: &str) -> NoHost {
    NoHost {
        loops: true,
        ..nowhere(NoAddress {
            status: StatusCode::permanent(4, 6),
            text: format!("mail for {name} loops back to myself"),
        })
    }
}

#[cfg(test)]
mod tests;
