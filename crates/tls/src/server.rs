//! The server side: certificate chain and key → a `rustls` configuration.

use std::path::Path;
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};
use serde::{Deserialize, Serialize};

use crate::clients::{Clients, Shown, Verified, Verifier};
use crate::pem::Pem;
use crate::validity::Validity;
use crate::{Error, Protocols, provider};

/// A server's side of TLS, and how it looks at the clients' certificates.
#[derive(Debug, Clone)]
pub struct Server {
    /// For the handshakes.
    pub config: Arc<ServerConfig>,
    /// Clients are asked for certificates.
    pub clients: Option<Arc<Verifier>>,
}

impl Server {
    /// The certificate of the client of a connection that this configuration made, if it has one that is good.
    pub fn verified(&self, connection: &ServerConnection) -> Option<Verified> {
        self.clients.as_ref()?.verified(connection)
    }

    /// The certificate that the client of such a connection has shown, good or not.
    pub fn shown(&self, connection: &ServerConnection) -> Option<Shown> {
        self.clients.as_ref()?.shown(connection)
    }
}

/// A server configuration; without `clients` nobody is asked for a certificate.
///
/// `chain` holds the server's certificate first, then its issuers; `key` may be the same text.
///
/// # Errors
/// Everything that can be wrong with the two texts, with their names.
pub fn config(
    chain: &Pem,
    key: &Pem,
    protocols: Protocols,
    clients: Option<Arc<Verifier>>,
) -> Result<Arc<ServerConfig>, Error> {
    let certificates = chain.certificates()?;
    let private_key = key.private_key()?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(protocols.versions())
        .map_err(|error| Error::Unusable {
            file: chain.from().to_owned(),
            cause: error.to_string(),
        })?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(certificates, private_key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => Error::KeyMismatch {
                certificate: chain.from().to_owned(),
                key: key.from().to_owned(),
            },
            rustls::Error::InvalidCertificate(cause) => Error::Unusable {
                file: chain.from().to_owned(),
                cause: format!("{cause:?}"),
            },
            other => Error::Unusable {
                file: key.from().to_owned(),
                cause: other.to_string(),
            },
        })?;
    // One ticket is enough for mail clients, and each costs a write and memory.
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

/// What a configuration is made of, read by whoever may read the key.
#[derive(Clone, Serialize, Deserialize)]
pub struct Material {
    chain: Pem,
    key: Pem,
    protocols: Protocols,
    clients: Option<Clients>,
}

impl Material {
    /// Of texts that are at hand.
    pub fn new(chain: Pem, key: Pem, protocols: Protocols) -> Material {
        Material {
            chain,
            key,
            protocols,
            clients: None,
        }
    }

    /// The same, asking clients for certificates.
    pub fn asking(self, clients: Option<Clients>) -> Material {
        Material { clients, ..self }
    }

    /// Of two files; an empty `key_file` means that the key is in the certificate's file (Postfix `smtpd_tls_key_file =
    /// $smtpd_tls_cert_file`).
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn of_files(cert_file: &Path, key_file: &Path, protocols: Protocols) -> Result<Material, Error> {
        let chain = Pem::read(cert_file, "certificate")?;
        let key = if key_file.as_os_str().is_empty() {
            chain.clone()
        } else {
            Pem::read(key_file, "private key")?
        };
        Ok(Material::new(chain, key, protocols))
    }

    /// Of Postfix's `smtpd_tls_chain_files`: key and certificates in one or several files.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn of_chain_files(files: &[impl AsRef<Path>], protocols: Protocols) -> Result<Material, Error> {
        let parts = files
            .iter()
            .map(|file| Pem::read(file.as_ref(), "certificate chain"))
            .collect::<Result<Vec<_>, _>>()?;
        let all = Pem::join(&parts);
        Ok(Material::new(all.clone(), all, protocols))
    }

    /// From when to when the server's own certificate is valid, and where it came from.
    ///
    /// # Errors
    /// [`Error::NoSection`], [`Error::DamagedPem`], [`Error::Unusable`].
    pub fn validity(&self) -> Result<Validity, Error> {
        Validity::of(&self.chain)
    }

    /// The configuration, with what looks at clients' certificates.
    ///
    /// # Errors
    /// As [`config`] and [`Verifier::of`].
    pub fn server(&self) -> Result<Server, Error> {
        let clients = self.clients.as_ref().map(Verifier::of).transpose()?.map(Arc::new);
        let config = config(&self.chain, &self.key, self.protocols, clients.clone())?;
        Ok(Server { config, clients })
    }
}
