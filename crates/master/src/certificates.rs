//! Certificates and keys of every service, read while this process may still be root.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use config::Loaded;
use rustls::ServerConfig;
use settings::{Dovecot, Postfix, SslUse, TlsLevel};
use tls::pem::Pem;

/// The TLS configurations by service.
#[derive(Debug, Clone, Default)]
pub struct Certificates {
    /// By the name of the `smtpd` row; a service without TLS has none.
    pub smtpd: HashMap<String, Arc<ServerConfig>>,
    /// The mailbox services'.
    pub mailboxes: Option<Arc<ServerConfig>>,
}

impl Certificates {
    /// Reads what the configuration names.
    ///
    /// # Errors
    /// A file that cannot be read or makes no sense, with the service that wants it.
    pub fn read(loaded: &Loaded) -> Result<Certificates> {
        let mut certificates = Certificates::default();
        for service in loaded
            .services
            .iter()
            .filter(|service| service.command == "smtpd")
        {
            let tls = smtpd_tls(&service.settings)
                .with_context(|| format!("master.cf:{}: {}", service.line, service.name))?;
            certificates
                .smtpd
                .extend(tls.map(|tls| (service.name.clone(), tls)));
        }
        certificates.mailboxes = loaded.dovecot.as_ref().map(mailbox_tls).transpose()?.flatten();
        Ok(certificates)
    }
}

fn smtpd_tls(settings: &Postfix) -> Result<Option<Arc<ServerConfig>>> {
    let level = front::smtpd::tls_level(settings);
    if level == TlsLevel::None {
        return Ok(None);
    }
    let protocols = if level == TlsLevel::May {
        &settings.smtpd_tls_protocols
    } else {
        &settings.smtpd_tls_mandatory_protocols
    };
    let protocols = tls::Protocols::of_postfix(&protocols.join(" "))?;
    if !settings.smtpd_tls_chain_files.is_empty() {
        let files: Vec<&std::path::Path> = settings
            .smtpd_tls_chain_files
            .iter()
            .map(std::path::Path::new)
            .collect();
        return Ok(Some(tls::server::config_of_chain_files(&files, protocols)?));
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
    Ok(Some(tls::server::config_of_files(
        cert.as_ref(),
        key.as_ref(),
        protocols,
    )?))
}

fn mailbox_tls(dovecot: &Dovecot) -> Result<Option<Arc<ServerConfig>>> {
    if dovecot.ssl == SslUse::No || dovecot.ssl_cert.is_empty() {
        return Ok(None);
    }
    let chain = Pem::of_dovecot_value(&dovecot.ssl_cert, "ssl_cert")?;
    let key = Pem::of_dovecot_value(&dovecot.ssl_key, "ssl_key")?;
    let protocols = tls::Protocols::of_dovecot_minimum(&dovecot.ssl_min_protocol)?;
    Ok(Some(tls::server::config(&chain, &key, protocols)?))
}
