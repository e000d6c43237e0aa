//! The client side: what a security level (postconf(5) `smtp_tls_security_level`) demands of a server.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::pem::Pem;
use crate::{Error, Protocols, provider};

/// The most names that a certificate is compared with.
pub const NAMES_MAX: usize = 16;

/// `smtp_tls_security_level`, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// No TLS at all.
    None,
    /// TLS when the server offers it; the certificate does not matter.
    May,
    /// TLS or no delivery; the certificate does not matter.
    Encrypt,
    /// Encrypt, and the certificate is trusted and bears a name of the host.
    Verify,
    /// Encrypt, and the certificate is trusted and bears a name derived from the next hop.
    Secure,
}

impl std::str::FromStr for Level {
    type Err = Error;

    /// The level of that name.
    ///
    /// # Errors
    /// [`Error::Level`] for unknown ones and for those that are not there yet (dane, dane-only, fingerprint).
    fn from_str(text: &str) -> Result<Level, Error> {
        match text {
            "" | "none" => Ok(Level::None),
            "may" => Ok(Level::May),
            "encrypt" => Ok(Level::Encrypt),
            "verify" => Ok(Level::Verify),
            "secure" => Ok(Level::Secure),
            "dane" | "dane-only" | "fingerprint" | "half-dane" => Err(Error::Level {
                level: text.to_owned(),
                cause: "not there yet",
            }),
            _ => Err(Error::Level {
                level: text.to_owned(),
                cause: "unknown (known: none, may, encrypt, verify, secure)",
            }),
        }
    }
}

impl Level {
    /// Whether a delivery without TLS must not happen.
    pub fn is_mandatory(self) -> bool {
        self >= Level::Encrypt
    }

    /// The name as in main.cf.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::May => "may",
            Level::Encrypt => "encrypt",
            Level::Verify => "verify",
            Level::Secure => "secure",
        }
    }
}

/// A client configuration for one level.
///
/// For [`Level::Verify`] and [`Level::Secure`], `trusted` holds the CA certificates (`smtp_tls_CAfile`), and the
/// server's certificate must bear one of `names` (the host's name for `verify`; the next hop's domain for
/// `secure`); without names, the name the connection is made for counts. [`Level::None`] gives the same as
/// [`Level::May`]; whether to use it is the caller's business.
///
/// # Errors
/// [`Error::NothingTrusted`], and what can be wrong with the CA file.
///
/// # Limits
/// At most [`NAMES_MAX`] names are compared.
pub fn config(
    level: Level,
    trusted: Option<&Pem>,
    names: &[String],
    protocols: Protocols,
) -> Result<Arc<ClientConfig>, Error> {
    let demand = match (level, trusted) {
        (Level::None | Level::May | Level::Encrypt, _) => Demand::Nothing,
        (Level::Verify | Level::Secure, Some(trusted)) => {
            Demand::Trusted(roots(trusted)?, server_names(names))
        }
        (Level::Verify | Level::Secure, None) => {
            return Err(Error::NothingTrusted {
                level: level.as_str(),
            });
        }
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(protocols.versions())
        .map_err(|error| Error::Unusable {
            file: "TLS client".to_owned(),
            cause: error.to_string(),
        })?;
    let verifier = Arc::new(Verifier { demand });
    Ok(Arc::new(
        builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth(),
    ))
}

fn roots(trusted: &Pem) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    let (added, _ignored) = store.add_parsable_certificates(trusted.certificates()?);
    if added == 0 {
        return Err(Error::Unusable {
            file: trusted.from().to_owned(),
            cause: "no CA certificate in it can be used".to_owned(),
        });
    }
    Ok(store)
}

fn server_names(names: &[String]) -> Vec<ServerName<'static>> {
    names
        .iter()
        .take(NAMES_MAX)
        .filter_map(|name| ServerName::try_from(name.clone()).ok())
        .collect()
}

/// What a server's certificate must fulfil.
#[derive(Debug)]
enum Demand {
    /// Any certificate: opportunistic TLS protects against listening only (RFC 7435).
    Nothing,
    /// Signed by one of these and bearing one of the names.
    Trusted(RootCertStore, Vec<ServerName<'static>>),
}

#[derive(Debug)]
struct Verifier {
    demand: Demand,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Demand::Trusted(roots, names) = &self.demand else {
            return Ok(ServerCertVerified::assertion());
        };
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = provider().signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        let matches = match names.is_empty() {
            true => verify_server_name(&certificate, server_name).is_ok(),
            false => names
                .iter()
                .any(|name| verify_server_name(&certificate, name).is_ok()),
        };
        if matches {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName,
            ))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
