//! Levels `dane` and `dane-only`: what DNSSEC says of one host decides how TLS is done with it (RFC 7672).

use dns::{Failure, Record};
use tls::client::Level;
use tls::dane::{Tlsa, strongest};

use crate::Site;
use crate::connection::Target;
use crate::names::Names;
use crate::policy::{NoPolicy, Policies, Policy};

/// What a TLSA record is called for by an insecure answer of mail exchangers (`smtp_tls_dane_insecure_mx_policy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InsecureExchanger {
    /// Nothing.
    May,
    /// To encrypt.
    Encrypt,
    /// For what it says.
    Dane,
}

/// No delivery to this host now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoDane(pub(crate) String);

/// What DNS says of a host's certificate.
enum Known {
    /// These records, each of use.
    Records(Vec<Tlsa>, String),
    /// There are records, and none is of use.
    Unusable,
    /// There are none.
    Nothing,
}

impl Policies {
    /// The policy for a host whose level is one of the two; any other policy as it is.
    ///
    /// # Errors
    /// When the host is not to be used, and why.
    pub(crate) async fn by_dnssec(
        &self,
        policy: Policy,
        (target, site): (&Target, &Site),
        names: &Names,
    ) -> Result<Policy, NoDane> {
        let level = policy.demand.level;
        if !matches!(level, Level::Dane | Level::DaneOnly) {
            return Ok(policy);
        }
        let otherwise = |policy: Policy, why: &str| match level {
            Level::Dane => Ok(policy.optional()),
            _ => Err(NoDane(why.to_owned())),
        };
        if !target.dnssec.is_exchanger {
            if level == Level::DaneOnly {
                return Err(NoDane("non DNSSEC destination".to_owned()));
            }
            if self.insecure_exchanger == InsecureExchanger::May {
                return Ok(policy.optional());
            }
        }
        let (Some(name), Some(port)) = (&target.dnssec.name, target.port()) else {
            return otherwise(policy, "no TLSA records found");
        };
        match self.known(names, (name, &target.host), port).await? {
            Known::Nothing => otherwise(policy, "no TLSA records found"),
            Known::Unusable => match level {
                Level::Dane => Ok(policy.at(Level::Encrypt)),
                _ => Err(NoDane("TLSA records unusable".to_owned())),
            },
            Known::Records(..)
                if !target.dnssec.is_exchanger && self.insecure_exchanger == InsecureExchanger::Encrypt =>
            {
                Ok(policy.at(Level::Encrypt))
            }
            Known::Records(records, base) => {
                let mut policy = policy.at(Level::Dane);
                policy.demand.names = vec![site.name().to_owned(), base.clone()];
                policy.demand.tlsa = records;
                policy.servername = Some(base);
                Ok(policy)
            }
        }
    }

    /// The records below the name that has the addresses; where there are none, below the one that led there.
    async fn known(&self, names: &Names, of: (&str, &str), port: u16) -> Result<Known, NoDane> {
        let (name, alias) = of;
        let mut asked = vec![name];
        asked.extend((!alias.eq_ignore_ascii_case(name)).then_some(alias));
        for base in asked {
            match names.certificates(base, port).await {
                Ok(answer) if answer.authenticated => {
                    let each = answer.records.iter().filter_map(|record| match record {
                        Record::Certificate {
                            usage,
                            selector,
                            matching,
                            data,
                        } => Tlsa::of(*usage, *selector, *matching, data),
                        _ => None,
                    });
                    let records = strongest(each.collect(), &self.digests);
                    return Ok(match records.is_empty() {
                        true => Known::Unusable,
                        false => Known::Records(records, base.to_owned()),
                    });
                }
                // Who could forge them could forge anything.
                Ok(_) | Err(Failure::NotFound | Failure::NoData | Failure::BadName) => {}
                // Without an answer it is not known that there are none: an attacker may keep it back.
                Err(_) => return Err(NoDane(format!("TLSA lookup error for {base}:{port}"))),
            }
        }
        Ok(Known::Nothing)
    }

    /// Whether there can be such a level for a target at all.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn has_dnssec(&self, level: Level, target: &Target) -> Result<(), NoPolicy> {
        let name = level.as_str();
        match (self.supports_dnssec, target.ip()) {
            (true, Some(_)) => Ok(()),
            (false, _) => Err(NoPolicy(format!(
                "{}: {name} configured with dnssec lookups disabled",
                target.host
            ))),
            (true, None) => Err(NoPolicy(format!(
                "the \"{name}\" security level is invalid for delivery via unix-domain sockets"
            ))),
        }
    }
}
