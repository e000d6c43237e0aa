//! Certificates and keys of every service: read as root, used by the front.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, bail};
use deliver_remote::OwnCertificates;
use serde::{Deserialize, Serialize};
use settings::{Dovecot, Postfix, SslUse, TlsLevel};
use tls::client::Algorithm;
use tls::clients::{Clients, Demand, Revocation};
use tls::pem::Pem;
use tls::server::{Material, Server};
use tls::validity::Validity;

/// Certificates and keys by service, as texts: what whoever may read the keys gives to whoever uses them.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Keys {
    smtpd: BTreeMap<String, Material>,
    mailboxes: Option<Material>,
    remote: OwnCertificates,
}

impl Keys {
    /// Reads what the configuration names.
    ///
    /// # Errors
    /// A file that cannot be read, with the service that wants it.
    pub fn read(loaded: &config::Loaded) -> Result<Keys> {
        let (services, dovecot) = (&loaded.services, loaded.dovecot.as_ref());
        let mut keys = Keys {
            remote: OwnCertificates::read(&loaded.postfix)?,
            ..Keys::default()
        };
        for service in services.iter().filter(|service| service.command == "smtpd") {
            let tls =
                smtpd_tls(&service.settings, dovecot).with_context(|| place(service.line, &service.name))?;
            keys.smtpd.extend(tls.map(|tls| (service.name.clone(), tls)));
        }
        keys.mailboxes = dovecot.map(mailbox_tls).transpose()?.flatten();
        Ok(keys)
    }

    /// How long each certificate is valid, by the service that uses it.
    ///
    /// # Errors
    /// The first certificate that makes no sense.
    pub fn validities(&self) -> Result<Vec<(String, Validity)>> {
        let smtpd = self
            .smtpd
            .iter()
            .map(|(name, material)| (format!("master.cf: {name}"), material));
        let mailboxes = self
            .mailboxes
            .iter()
            .map(|material| ("dovecot.conf".to_owned(), material));
        smtpd
            .chain(mailboxes)
            .map(|(service, material)| {
                let validity = material.validity().with_context(|| service.clone())?;
                Ok((service, validity))
            })
            .collect()
    }
}

fn place(line: usize, name: &str) -> String {
    format!("master.cf:{line}: {name}")
}

/// The TLS configurations by service.
#[derive(Debug, Clone, Default)]
pub struct Certificates {
    /// By the name of the `smtpd` row; a service without TLS has none.
    pub smtpd: HashMap<String, Server>,
    /// The mailbox services'.
    pub mailboxes: Option<Server>,
    /// Those of the clients of other hosts.
    pub remote: OwnCertificates,
}

impl Certificates {
    /// Makes configurations of the texts.
    ///
    /// # Errors
    /// A text that makes no sense, with the service that wants it.
    pub fn of(keys: &Keys) -> Result<Certificates> {
        let smtpd = keys.smtpd.iter().map(|(name, material)| {
            let config = material.server().with_context(|| format!("master.cf: {name}"))?;
            Ok((name.clone(), config))
        });
        Ok(Certificates {
            smtpd: smtpd.collect::<Result<_>>()?,
            mailboxes: keys.mailboxes.as_ref().map(Material::server).transpose()?,
            remote: keys.remote.clone(),
        })
    }
}

fn smtpd_tls(settings: &Postfix, dovecot: Option<&Dovecot>) -> Result<Option<Material>> {
    let level = front::smtpd::tls_level(settings);
    if level == TlsLevel::None {
        return Ok(None);
    }
    let protocols = if level == TlsLevel::May {
        &settings.smtpd_tls_protocols
    } else {
        &settings.smtpd_tls_mandatory_protocols
    };
    let clients = smtp_clients(settings, dovecot, level)?;
    let protocols = tls::Protocols::of_postfix(&protocols.join(" "))?;
    if !settings.smtpd_tls_chain_files.is_empty() {
        let files: Vec<&std::path::Path> = settings
            .smtpd_tls_chain_files
            .iter()
            .map(std::path::Path::new)
            .collect();
        return Ok(Some(Material::of_chain_files(&files, protocols)?.asking(clients)));
    }
    let is_named = |file: &str| !file.is_empty() && file != "none";
    let pairs = [
        (&settings.smtpd_tls_cert_file, &settings.smtpd_tls_key_file),
        (&settings.smtpd_tls_eccert_file, &settings.smtpd_tls_eckey_file),
    ];
    let Some((cert, key)) = pairs.into_iter().find(|(cert, _)| is_named(cert)) else {
        if level != TlsLevel::May {
            bail!("TLS is mandatory, but smtpd_tls_cert_file names no certificate");
        }
        return Ok(None);
    };
    let material = Material::of_files(cert.as_ref(), key.as_ref(), protocols)?;
    Ok(Some(material.asking(clients)))
}

/// `smtpd_tls_ask_ccert`, `smtpd_tls_req_ccert` (which counts where TLS is mandatory) and `smtpd_tls_CAfile`. Without
/// authorities no certificate is verified, and what is asked for serves for fingerprints. Who somebody is, is read as for mailboxes.
fn smtp_clients(settings: &Postfix, dovecot: Option<&Dovecot>, level: TlsLevel) -> Result<Option<Clients>> {
    let demand = match (settings.smtpd_tls_req_ccert, settings.smtpd_tls_ask_ccert) {
        (true, _) if level != TlsLevel::May => Demand::Require,
        (false, false) => return Ok(None),
        _ => Demand::Ask,
    };
    let file = &settings.smtpd_tls_CAfile;
    if file.is_empty() && demand == Demand::Require {
        bail!(
            "smtpd_tls_req_ccert is set, but smtpd_tls_CAfile names no authorities: no client could be verified"
        );
    }
    let trusted = match file.is_empty() {
        true => None,
        false => Some(Pem::read(file.as_ref(), "CA file")?),
    };
    let field = dovecot.map_or("commonName", |dovecot| dovecot.ssl_cert_username_field.as_str());
    Ok(Some(Clients {
        trusted,
        demand,
        revocation: Revocation::Unchecked,
        username_field: field.to_owned(),
        fingerprints: Algorithm::of(&settings.smtpd_tls_fingerprint_digest)?,
    }))
}

fn mailbox_tls(dovecot: &Dovecot) -> Result<Option<Material>> {
    if dovecot.ssl == SslUse::No || dovecot.ssl_cert.is_empty() {
        return Ok(None);
    }
    let chain = Pem::of_dovecot_value(&dovecot.ssl_cert, "ssl_cert")?;
    let key = Pem::of_dovecot_value(&dovecot.ssl_key, "ssl_key")?;
    let protocols = tls::Protocols::of_dovecot_minimum(&dovecot.ssl_min_protocol)?;
    let material = Material::new(chain, key, protocols);
    Ok(Some(material.asking(mailbox_clients(dovecot)?)))
}

/// `ssl_verify_client_cert`, which the settings that need a certificate for log-ins imply. Who has none, or a bad one, gets
/// a connection; `auth_ssl_require_client_cert` is for the log-in.
///
/// # Errors
/// `ssl_ca` is empty or cannot be read.
pub(crate) fn mailbox_clients(dovecot: &Dovecot) -> Result<Option<Clients>> {
    let is_needed = dovecot.auth_ssl_require_client_cert || dovecot.auth_ssl_username_from_cert;
    if dovecot.ssl_ca.is_empty() {
        if dovecot.ssl_verify_client_cert {
            bail!(
                "ssl_verify_client_cert is set, but ssl_ca names no authorities (ssl_server_ca_file in 2.4)"
            );
        }
        return Ok(None);
    }
    if !dovecot.ssl_verify_client_cert && !is_needed {
        return Ok(None);
    }
    Ok(Some(Clients {
        trusted: Some(Pem::of_dovecot_value(&dovecot.ssl_ca, "ssl_ca")?),
        demand: Demand::Ask,
        revocation: if dovecot.ssl_require_crl {
            Revocation::Checked
        } else {
            Revocation::Unchecked
        },
        username_field: dovecot.ssl_cert_username_field.clone(),
        fingerprints: Algorithm::Sha256,
    }))
}
