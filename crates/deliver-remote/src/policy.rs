//! How much TLS a destination gets: `smtp_tls_policy_maps`, the older `smtp_tls_per_site`, or the level for all.

use serde::{Deserialize, Serialize};
use settings::{DnsSupport, Postfix, TlsLevel};
use smtp::client::Protocol;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tables::Tables;
use tls::Protocols;
use tls::client::{Algorithm, Anchors, Demand, Level, Own, ServerNameIndication};
use tls::pem::Pem;
use tls::rustls::ClientConfig;

use crate::connection::Target;
use crate::dane::InsecureExchanger;
use crate::parameters::Parameters;
use crate::{Error, Place, Site};

/// Where Debian keeps the authorities of `tls_append_default_CA`.
const DEFAULT_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What the settings say about TLS with servers.
pub(crate) struct Policies {
    level: Level,
    wrapped: bool,
    maps: Tables,
    /// `smtp_tls_policy_maps`
    maps_name: &'static str,
    per_site: Tables,
    enforces_names: bool,
    protocols: Protocols,
    mandatory_protocols: Protocols,
    verify_match: Vec<String>,
    secure_match: Vec<String>,
    fingerprints: Vec<String>,
    algorithm: Algorithm,
    servername: String,
    anchors: Option<Anchors>,
    own: Option<Own>,
    reuses: bool,
    pub(crate) loglevel: usize,
    pub(crate) notes_offers: bool,
    /// `smtp_dns_support_level = dnssec`
    pub(crate) supports_dnssec: bool,
    pub(crate) insecure_exchanger: InsecureExchanger,
    /// `tls_dane_digests`
    pub(crate) digests: Vec<Algorithm>,
    /// Those that were made already.
    configs: Mutex<Vec<Made>>,
}

/// A configuration, and what it was made for.
type Made = (Protocols, ServerNameIndication, Arc<ClientConfig>);

/// How TLS is done with one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) demand: Demand,
    /// TLS begins with the connection.
    pub(crate) wrapped: bool,
    protocols: Protocols,
    /// Those where the level turns out to be `may`.
    optional_protocols: Protocols,
    /// The name that is told to the server.
    pub(crate) servername: Option<String>,
    /// Whether connections under TLS are kept.
    pub(crate) reuses: bool,
}

/// No policy can be found: mail waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoPolicy(pub(crate) String);

/// What a row of the policy table says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row<'a> {
    level: &'a str,
    matches: Vec<String>,
    protocols: Option<&'a str>,
    servername: Option<&'a str>,
    anchors: Vec<&'a str>,
    reuses: Option<bool>,
}

impl Policies {
    /// What main.cf says of one client, and what is to be told about it.
    pub(crate) fn of(
        chosen: &Parameters<'_>,
        settings: &Postfix,
        own: Option<&Own>,
    ) -> Result<(Policies, Vec<String>), Error> {
        let mut notes = Vec::new();
        let level = match chosen.tls_security_level {
            TlsLevel::Unset if *chosen.enforce_tls && *chosen.tls_enforce_peername => Level::Verify,
            TlsLevel::Unset if *chosen.enforce_tls => Level::Encrypt,
            TlsLevel::Unset if *chosen.use_tls => Level::May,
            level => level.as_str().parse()?,
        };
        let supports_dnssec = *chosen.dns_support_level == DnsSupport::Dnssec;
        if matches!(level, Level::Dane | Level::DaneOnly) && !supports_dnssec {
            let name = prefix(chosen.protocol);
            let instead = match level {
                Level::Dane => "the level is \"may\"",
                _ => "all mail waits",
            };
            notes.push(format!(
                "{name}_tls_security_level = {}: {name}_dns_support_level is not \"dnssec\", so that no server's TLSA \
                 records are known: {instead}",
                level.as_str()
            ));
        }
        let anchors = anchors(chosen, settings)
            .filter(|_| uses_tls(chosen))
            .transpose()?;
        if level >= Level::Verify && anchors.is_none() {
            return Err(tls::Error::NothingTrusted {
                level: level.as_str(),
            }
            .into());
        }
        let maps_name = match chosen.protocol {
            Protocol::Smtp => "smtp_tls_policy_maps",
            Protocol::Lmtp => "lmtp_tls_policy_maps",
        };
        let policies = Policies {
            level,
            wrapped: *chosen.tls_wrappermode,
            maps: Tables::open(chosen.tls_policy_maps).0.titled(maps_name),
            maps_name,
            per_site: Tables::open(chosen.tls_per_site).0,
            enforces_names: *chosen.tls_enforce_peername,
            protocols: Protocols::of_postfix(&chosen.tls_protocols.join(", "))?,
            mandatory_protocols: Protocols::of_postfix(&chosen.tls_mandatory_protocols.join(", "))?,
            verify_match: parts(chosen.tls_verify_cert_match, ':'),
            secure_match: parts(chosen.tls_secure_cert_match, ':'),
            fingerprints: parts(chosen.tls_fingerprint_cert_match, '|'),
            algorithm: Algorithm::of(chosen.tls_fingerprint_digest)?,
            servername: chosen.tls_servername.clone(),
            anchors,
            own: own.cloned(),
            reuses: *chosen.tls_connection_reuse,
            loglevel: *chosen.tls_loglevel,
            notes_offers: *chosen.tls_note_starttls_offer,
            configs: Mutex::default(),
            supports_dnssec,
            insecure_exchanger: match chosen.tls_dane_insecure_mx_policy.as_str() {
                "encrypt" => InsecureExchanger::Encrypt,
                "dane" => InsecureExchanger::Dane,
                _ => InsecureExchanger::May,
            },
            digests: digests(&settings.tls_dane_digests),
        };
        // What is wrong with one's own certificate is told now.
        policies.config(policies.mandatory_protocols, ServerNameIndication::Withheld)?;
        Ok((policies, notes))
    }

    /// As [`Tables::tell_warnings`].
    pub(crate) fn tell_warnings(&mut self, tell: &tables::Tell) {
        self.maps.tell_warnings(tell);
        self.per_site.tell_warnings(tell);
    }

    /// The policy for one host of a place.
    pub(crate) fn for_host(&self, target: &Target, site: &Site) -> Result<Policy, NoPolicy> {
        if !self.maps.is_empty() {
            return match self.row(site)? {
                Some((key, text)) => self
                    .by_row(&text, target, site)
                    .map_err(|why| NoPolicy(format!("TLS policy table, entry \"{key}\": {why}"))),
                None => self.by_level(self.level, &Row::default(), (target, site)),
            };
        }
        let level = match self.per_site.is_empty() {
            true => self.level,
            false => self.of_older_table(target, site)?.unwrap_or(self.level),
        };
        self.by_level(level, &Row::default(), (target, site))
    }

    /// The first key that the policy table has: the next hop as it is written, then the domains above a bare one.
    fn row(&self, site: &Site) -> Result<Option<(String, String)>, NoPolicy> {
        let whole = site
            .text
            .strip_prefix("unix:")
            .unwrap_or(&site.text)
            .to_ascii_lowercase();
        let whole = whole.strip_prefix("inet:").unwrap_or(&whole).to_owned();
        let mut keys = vec![whole.strip_suffix(":25").unwrap_or(&whole).to_owned()];
        if keys[0] != whole {
            keys.push(whole.clone());
        }
        if !whole.contains([':', '[', '/']) {
            keys.extend(whole.match_indices('.').map(|(at, _)| whole[at..].to_owned()));
        }
        for key in keys {
            if let Some(text) = self.maps.lookup(&key).map_err(|_| {
                let place = &site.text;
                let name = self.maps_name;
                NoPolicy(format!(
                    "{name}, next-hop destination \"{place}\": policy table lookup error"
                ))
            })? {
                return Ok(Some((key, text)));
            }
        }
        Ok(None)
    }

    fn by_row(&self, text: &str, target: &Target, site: &Site) -> Result<Policy, String> {
        let row = Row::parse(text)?;
        let level = row.level.parse().map_err(|error: tls::Error| error.to_string())?;
        self.by_level(level, &row, (target, site))
            .map_err(|NoPolicy(why)| why)
    }

    fn by_level(&self, level: Level, row: &Row<'_>, of: (&Target, &Site)) -> Result<Policy, NoPolicy> {
        let (target, site) = of;
        let level = match self.wrapped {
            true => level.max(Level::Encrypt),
            false => level,
        };
        let level = match level {
            Level::Dane if self.has_dnssec(level, target).is_err() => Level::May,
            Level::DaneOnly => self.has_dnssec(level, target).map(|()| level)?,
            level => level,
        };
        let protocols = match row.protocols {
            Some(text) => Protocols::of_postfix(text).map_err(|error| NoPolicy(error.to_string()))?,
            None if level.is_mandatory() => self.mandatory_protocols,
            None => self.protocols,
        };
        let own_anchors = || -> Result<Anchors, tls::Error> {
            let read = |file: &&str| Pem::read(Path::new(file), "trust anchors");
            Anchors::of(&row.anchors.iter().map(read).collect::<Result<Vec<_>, _>>()?)
        };
        let anchors = match row.anchors.is_empty() {
            true => self.anchors.clone(),
            false => Some(own_anchors().map_err(|error| NoPolicy(error.to_string()))?),
        };
        let chosen = |ours: &Vec<String>| match row.matches.is_empty() {
            true => ours.clone(),
            false => row.matches.clone(),
        };
        let (patterns, fingerprints) = match level {
            Level::Fingerprint => (Vec::new(), chosen(&self.fingerprints)),
            Level::Verify => (chosen(&self.verify_match), Vec::new()),
            Level::Secure => (chosen(&self.secure_match), Vec::new()),
            _ => (Vec::new(), Vec::new()),
        };
        let name = |word: &String| match word.as_str() {
            "hostname" => target.host.clone(),
            "nexthop" => site.name().to_owned(),
            "dot-nexthop" => format!(".{}", site.name()),
            other => other.to_owned(),
        };
        let servername = row.servername.unwrap_or(&self.servername).to_owned();
        Ok(Policy {
            demand: Demand {
                level,
                anchors,
                names: patterns.iter().map(name).collect(),
                fingerprints,
                algorithm: self.algorithm,
                tlsa: Vec::new(),
            },
            wrapped: self.wrapped,
            optional_protocols: match row.protocols {
                Some(_) => protocols,
                None => self.protocols,
            },
            protocols,
            servername: (!servername.is_empty()).then(|| name(&servername)),
            reuses: row.reuses.unwrap_or(self.reuses),
        })
    }

    /// `smtp_tls_per_site`, asked for the next hop and for the host: what is stronger counts, NONE only beside MAY.
    fn of_older_table(&self, target: &Target, site: &Site) -> Result<Option<Level>, NoPolicy> {
        let mut found: Option<Level> = None;
        for name in [site.name(), &target.host] {
            let key = name.to_ascii_lowercase();
            let answer = self
                .per_site
                .lookup(&key)
                .map_err(|error| NoPolicy(error.to_string()))?;
            let Some(text) = answer else { continue };
            let level = match text.to_ascii_uppercase().as_str() {
                "NONE" if found.is_none_or(|found| found <= Level::May) => Level::None,
                "NONE" => continue,
                "MAY" => Level::May,
                "MUST" if self.enforces_names => Level::Verify,
                "MUST" | "MUST_NOPEERMATCH" => Level::Encrypt,
                _ => {
                    return Err(NoPolicy(format!(
                        "{key}: unknown TLS policy \"{text}\" in the table by site"
                    )));
                }
            };
            found = match found {
                // MAY does not override NONE.
                Some(Level::None) if level == Level::May => Some(Level::None),
                _ if level == Level::None => Some(level),
                found => found.max(Some(level)),
            };
        }
        Ok(found)
    }

    /// The configuration for a policy, and the name it is used with; `None` where there is no TLS.
    pub(crate) fn config_for(&self, policy: &Policy, target: &Target) -> Option<(Arc<ClientConfig>, String)> {
        if policy.demand.level == Level::None {
            return None;
        }
        let (name, indication) = match &policy.servername {
            Some(name) => (name, ServerNameIndication::Sent),
            None => (&target.host, ServerNameIndication::Withheld),
        };
        // It was made for other protocols already, or its certificate would have been complained about.
        let config = self.config(policy.protocols, indication).ok()?;
        Some((config, name.clone()))
    }

    fn config(
        &self,
        protocols: Protocols,
        indication: ServerNameIndication,
    ) -> Result<Arc<ClientConfig>, Error> {
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        let known = configs
            .iter()
            .find(|made| (made.0, made.1) == (protocols, indication));
        if let Some((_, _, config)) = known {
            return Ok(Arc::clone(config));
        }
        let config = tls::client::config(protocols, self.own.as_ref(), indication)?;
        configs.push((protocols, indication, Arc::clone(&config)));
        Ok(config)
    }
}

impl<'a> Row<'a> {
    fn parse(text: &'a str) -> Result<Row<'a>, String> {
        let mut words = text
            .split([',', ' ', '\t', '\r', '\n'])
            .filter(|word| !word.is_empty());
        let mut row = Row {
            level: words.next().ok_or("it is empty")?,
            ..Row::default()
        };
        for word in words {
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| format!("\"{word}\" is not name=value"))?;
            match name {
                _ if value.is_empty() => return Err(format!("\"{word}\" has no value")),
                // The TLS library chooses safe ciphers itself.
                "ciphers" | "exclude" => {}
                "protocols" => row.protocols = Some(value),
                "servername" => row.servername = Some(value),
                "tafile" => row.anchors.push(value),
                "match" => {
                    let delimiter = if row.level == "fingerprint" { '|' } else { ':' };
                    row.matches.extend(value.split(delimiter).map(str::to_owned));
                }
                "connection_reuse" => match value {
                    "yes" => row.reuses = Some(true),
                    "no" => row.reuses = Some(false),
                    _ => return Err(format!("\"{word}\" is neither yes nor no")),
                },
                _ => return Err(format!("unknown attribute \"{name}\"")),
            }
        }
        Ok(row)
    }
}

/// Words that may hold several each.
fn parts(words: &[String], delimiter: char) -> Vec<String> {
    let each = words.iter().flat_map(|word| word.split(delimiter));
    each.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

pub(crate) fn prefix(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Smtp => "smtp",
        Protocol::Lmtp => "lmtp",
    }
}

/// The authorities that are named; those of `smtp_tls_trust_anchor_file` alone, where there are such.
fn anchors(chosen: &Parameters<'_>, settings: &Postfix) -> Option<Result<Anchors, Error>> {
    let read = || -> Result<Vec<Pem>, Error> {
        let mut texts = Vec::new();
        for file in chosen.tls_trust_anchor_file {
            texts.push(Pem::read(Path::new(file), "trust anchors")?);
        }
        if !texts.is_empty() {
            return Ok(texts);
        }
        if !chosen.tls_ca_file.is_empty() {
            texts.push(Pem::read(Path::new(chosen.tls_ca_file), "CA certificates")?);
        }
        if !chosen.tls_ca_path.is_empty() {
            texts.extend(of_directory(Path::new(chosen.tls_ca_path))?);
        }
        if settings.tls_append_default_CA && !texts.is_empty() {
            texts.push(Pem::read(Path::new(DEFAULT_AUTHORITIES), "CA certificates")?);
        }
        Ok(texts)
    };
    match read() {
        Ok(texts) if texts.is_empty() => None,
        Ok(texts) => Some(Anchors::of(&texts).map_err(Error::Tls)),
        Err(error) => Some(Err(error)),
    }
}

/// The certificates of a directory that `openssl rehash` has prepared: `2e5ac55d.0`.
fn of_directory(directory: &Path) -> Result<Vec<Pem>, Error> {
    let failed = |cause| {
        Error::Tls(tls::Error::File {
            action: "read",
            what: "directory of CA certificates",
            file: directory.display().to_string(),
            cause,
        })
    };
    let is_hash = |name: &str| {
        let parted = name.split_once('.');
        parted.is_some_and(|(hash, number)| {
            hash.len() == 8
                && hash.bytes().all(|octet| octet.is_ascii_hexdigit())
                && number.parse::<u8>().is_ok()
        })
    };
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_str().is_some_and(is_hash) {
            texts.push(Pem::read(&entry.path(), "CA certificate")?);
        }
    }
    Ok(texts)
}

/// Whether there may be TLS at all.
fn uses_tls(chosen: &Parameters<'_>) -> bool {
    !matches!(chosen.tls_security_level, TlsLevel::Unset | TlsLevel::None)
        || *chosen.use_tls
        || *chosen.enforce_tls
        || *chosen.tls_wrappermode
        || !chosen.tls_policy_maps.is_empty()
        || !chosen.tls_per_site.is_empty()
}

/// The clients' own certificates, as texts: what whoever may read the keys gives to whoever uses them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OwnCertificates {
    pub(crate) smtp: Option<Own>,
    pub(crate) lmtp: Option<Own>,
}

impl OwnCertificates {
    /// Reads those that main.cf names (`smtp_tls_chain_files`, `smtp_tls_cert_file`, …), where TLS is used.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read(settings: &Postfix) -> Result<OwnCertificates, Error> {
        let of = |protocol| {
            let chosen = Parameters::of(protocol, settings);
            own(&chosen).transpose()
        };
        Ok(OwnCertificates {
            smtp: of(Protocol::Smtp)?,
            lmtp: of(Protocol::Lmtp)?,
        })
    }

    pub(crate) fn of(&self, protocol: Protocol) -> Option<&Own> {
        match protocol {
            Protocol::Smtp => self.smtp.as_ref(),
            Protocol::Lmtp => self.lmtp.as_ref(),
        }
    }
}

/// The client's own certificate: of `smtp_tls_chain_files`, else the one of an elliptic curve, else the other.
fn own(chosen: &Parameters<'_>) -> Option<Result<Own, Error>> {
    if !uses_tls(chosen) {
        return None;
    }
    let read = |file: &str, what| Pem::read(Path::new(file), what);
    let of_files = |certificate: &str, key: &str| -> Result<Own, Error> {
        let key = if key.is_empty() { certificate } else { key };
        Ok(Own {
            chain: read(certificate, "certificate")?,
            key: read(key, "private key")?,
        })
    };
    let of_chain = || -> Result<Own, Error> {
        let texts = chosen
            .tls_chain_files
            .iter()
            .map(|file| read(file, "certificate chain"));
        let all = Pem::join(&texts.collect::<Result<Vec<_>, _>>()?);
        Ok(Own {
            chain: all.clone(),
            key: all,
        })
    };
    if !chosen.tls_chain_files.is_empty() {
        return Some(of_chain());
    }
    let pairs = [
        (chosen.tls_eccert_file, chosen.tls_eckey_file),
        (chosen.tls_cert_file, chosen.tls_key_file),
    ];
    let pair = pairs.into_iter().find(|(certificate, _)| !certificate.is_empty());
    pair.map(|(certificate, key)| of_files(certificate, key))
}

/// `tls_dane_digests`: those that there are, in that order.
fn digests(words: &[String]) -> Vec<Algorithm> {
    let known = words.iter().filter_map(|word| Algorithm::of(word).ok());
    known
        .filter(|algorithm| matches!(algorithm, Algorithm::Sha256 | Algorithm::Sha512))
        .collect()
}

impl Policy {
    /// The same at another level; on a connection that begins with TLS at `encrypt` at least.
    pub(crate) fn at(mut self, level: Level) -> Policy {
        self.demand.level = match self.wrapped {
            true => level.max(Level::Encrypt),
            false => level,
        };
        self
    }

    /// The same at the level `may`.
    pub(crate) fn optional(mut self) -> Policy {
        self.protocols = self.optional_protocols;
        self.at(Level::May)
    }

    /// Whether a delivery without TLS must not happen.
    pub(crate) fn is_mandatory(&self) -> bool {
        self.demand.level.is_mandatory()
    }
}

/// The name of a socket or host as a list of destinations has it.
pub(crate) fn name_of(site: &Site) -> String {
    match &site.place {
        Place::Domain(name, _) | Place::Host(name, _) => name.clone(),
        Place::Socket(path) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NextHop;
    use settings::{Surroundings, TableRef};
    use std::net::SocketAddr;

    fn policy(settings: &Postfix, next_hop: &str) -> Result<Policy, NoPolicy> {
        let chosen = Parameters::of(Protocol::Smtp, settings);
        let (policies, _) = Policies::of(&chosen, settings, None).expect("valid");
        let site = NextHop::smtp(next_hop, "25").expect("a next hop").sites.remove(0);
        let address = SocketAddr::from(([192, 0, 2, 1], 25));
        policies.for_host(&Target::tcp("mx.test", address), &site)
    }

    fn settings(policies: &str, per_site: &str) -> Postfix {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.smtp_tls_security_level = TlsLevel::May;
        let table = |text: &str| match text {
            "" => Vec::new(),
            text => vec![TableRef::new("inline", text)],
        };
        settings.smtp_tls_policy_maps = table(policies);
        settings.smtp_tls_per_site = table(per_site);
        settings
    }

    #[test]
    fn the_policy_table_is_asked_for_the_next_hop_and_the_domains_above() {
        let settings = settings(
            "{ { a.test = encrypt protocols=TLSv1.3 } { .b.test = none } { [c.test]:587 = secure match=x.test:.y.test } \
             { d.test = verify servername=hostname } { e.test = fingerprint match=AA:BB|CC:DD match=EE } \
             { f.test = dane-only } { g.test = nonsense } { h.test = may what=1 } { i.test = secure } \
             { j.test:26 = encrypt connection_reuse=yes } { k.test = dane } }",
            "",
        );
        let of = |next_hop: &str| policy(&settings, next_hop).expect("a policy");
        assert_eq!(of("a.test").demand.level, Level::Encrypt);
        assert_eq!(of("a.test:25").demand.level, Level::Encrypt);
        assert_eq!(of("a.test:26").demand.level, Level::May);
        assert_eq!(of("[a.test]").demand.level, Level::May);
        assert_eq!(of("sub.b.test").demand.level, Level::None);
        assert_eq!(of("b.test").demand.level, Level::May);
        assert_eq!(of("[c.test]:587").demand.names, ["x.test", ".y.test"]);
        assert_eq!(of("d.test").demand.names, ["mx.test"]);
        assert_eq!(of("d.test").servername.as_deref(), Some("mx.test"));
        assert_eq!(of("e.test").demand.fingerprints, ["AA:BB", "CC:DD", "EE"]);
        assert_eq!(of("i.test").demand.names, ["i.test", ".i.test"]);
        assert!(of("j.test:26").reuses && !of("i.test").reuses);
        assert_eq!(of("k.test").demand.level, Level::May);
        for next_hop in ["f.test", "g.test", "h.test"] {
            let NoPolicy(why) = policy(&settings, next_hop).expect_err(next_hop);
            assert!(
                why.starts_with(&format!("TLS policy table, entry \"{next_hop}\": ")),
                "{why}"
            );
        }
    }

    #[test]
    fn the_older_table_is_asked_for_both_names() {
        for (rows, level) in [
            ("x.test=NONE", Level::None),
            ("x.test=MUST", Level::Verify),
            ("mx.test=must_nopeermatch", Level::Encrypt),
            ("x.test=NONE, mx.test=MAY", Level::None),
            ("x.test=MUST, mx.test=NONE", Level::Verify),
            ("x.test=NONE, mx.test=MUST", Level::Verify),
            ("y.test=MUST", Level::May),
        ] {
            let settings = settings("", &format!("{{ {rows} }}"));
            assert_eq!(
                policy(&settings, "x.test").expect(rows).demand.level,
                level,
                "{rows}"
            );
        }
        assert!(policy(&settings("", "{ x.test=WHAT }"), "x.test").is_err());
    }

    #[test]
    fn older_settings_and_dane() {
        let mut settings = settings("", "");
        settings.smtp_tls_security_level = TlsLevel::Unset;
        settings.smtp_enforce_tls = true;
        settings.smtp_tls_enforce_peername = false;
        assert_eq!(
            policy(&settings, "x.test").expect("a policy").demand.level,
            Level::Encrypt
        );
        settings.smtp_tls_wrappermode = true;
        settings.smtp_enforce_tls = false;
        assert_eq!(
            policy(&settings, "x.test").expect("a policy").demand.level,
            Level::Encrypt
        );
        settings.smtp_tls_security_level = TlsLevel::Dane;
        let chosen = Parameters::of(Protocol::Smtp, &settings);
        let (_, notes) = Policies::of(&chosen, &settings, None).expect("valid");
        assert!(
            notes[0].contains("not \"dnssec\"") && notes[0].ends_with("\"may\""),
            "{notes:?}"
        );
        settings.smtp_tls_security_level = TlsLevel::DaneOnly;
        let chosen = Parameters::of(Protocol::Smtp, &settings);
        let (_, notes) = Policies::of(&chosen, &settings, None).expect("valid");
        assert!(notes[0].ends_with("all mail waits"), "{notes:?}");
        let NoPolicy(why) = policy(&settings, "x.test").expect_err("there is none");
        assert_eq!(why, "mx.test: dane-only configured with dnssec lookups disabled");
        settings.smtp_dns_support_level = DnsSupport::Dnssec;
        let chosen = Parameters::of(Protocol::Smtp, &settings);
        assert!(
            Policies::of(&chosen, &settings, None)
                .expect("valid")
                .1
                .is_empty()
        );
    }
}
