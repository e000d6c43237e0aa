//! The client side: what a security level (postconf(5) `smtp_tls_security_level`) demands of a server, and whether its
//! certificate fulfils that. The handshake takes any certificate; [`Demand::judge`] says afterwards what it is worth.

use std::sync::Arc;

use md5::Md5;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::dane::{self, Tlsa};
use crate::pem::Pem;
use crate::{Error, Protocols, provider};

/// The most names that a certificate is compared with.
pub const NAMES_MAX: usize = 100;

/// `smtp_tls_security_level`, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// No TLS at all.
    None,
    /// TLS when the server offers it; the certificate does not matter.
    May,
    /// TLS or no delivery; the certificate does not matter.
    Encrypt,
    /// As DNSSEC says of the server (RFC 7672): encrypt, and the certificate is one of its TLSA records; where there are none,
    /// as `May`.
    Dane,
    /// The same, and without usable TLSA records no delivery.
    DaneOnly,
    /// Encrypt, and the certificate or its key has a known fingerprint.
    Fingerprint,
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
    /// [`Error::Level`] for unknown ones.
    fn from_str(text: &str) -> Result<Level, Error> {
        match text {
            "" | "none" => Ok(Level::None),
            "may" => Ok(Level::May),
            "encrypt" => Ok(Level::Encrypt),
            "fingerprint" => Ok(Level::Fingerprint),
            "verify" => Ok(Level::Verify),
            "secure" => Ok(Level::Secure),
            "dane" => Ok(Level::Dane),
            "dane-only" => Ok(Level::DaneOnly),
            _ => Err(Error::Level {
                level: text.to_owned(),
                cause: "unknown (known: none, may, encrypt, dane, dane-only, fingerprint, verify, secure)",
            }),
        }
    }
}

impl Level {
    /// Whether a delivery without TLS must not happen.
    pub fn is_mandatory(self) -> bool {
        self >= Level::Encrypt
    }

    /// Whether a delivery to somebody else than who is meant must not happen.
    pub fn demands_identity(self) -> bool {
        self >= Level::Dane
    }

    /// The name as in main.cf.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::May => "may",
            Level::Encrypt => "encrypt",
            Level::Dane => "dane",
            Level::DaneOnly => "dane-only",
            Level::Fingerprint => "fingerprint",
            Level::Verify => "verify",
            Level::Secure => "secure",
        }
    }
}

/// A client's own certificate chain, and the key of its first one.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Own {
    /// The certificates, the client's first.
    pub chain: Pem,
    /// The key; it may be the same text.
    pub key: Pem,
}

/// Whether the server hears the name it is called by (SNI), before anything is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerNameIndication {
    /// It does.
    Sent,
    /// It does not: Postfix's way, as many servers of mail have one certificate for all names.
    Withheld,
}

/// A client configuration. Any certificate is taken; whose key it is, is checked.
///
/// # Errors
/// What can be wrong with one's own certificate and key.
pub fn config(
    protocols: Protocols,
    own: Option<&Own>,
    name: ServerNameIndication,
) -> Result<Arc<ClientConfig>, Error> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(protocols.versions())
        .map_err(|error| Error::Unusable {
            file: "TLS client".to_owned(),
            cause: error.to_string(),
        })?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate));
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(Own { chain, key }) => builder
            .with_client_auth_cert(chain.certificates()?, key.private_key()?)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => Error::KeyMismatch {
                    certificate: chain.from().to_owned(),
                    key: key.from().to_owned(),
                },
                other => Error::Unusable {
                    file: chain.from().to_owned(),
                    cause: other.to_string(),
                },
            })?,
    };
    config.enable_sni = name == ServerNameIndication::Sent;
    Ok(Arc::new(config))
}

/// The authorities whose signatures count.
#[derive(Debug, Clone)]
pub struct Anchors(Arc<RootCertStore>);

impl PartialEq for Anchors {
    fn eq(&self, other: &Anchors) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Anchors {}

impl Anchors {
    /// Those of these texts.
    ///
    /// # Errors
    /// When a text cannot be read, or none of its certificates can be used.
    pub fn of(texts: &[Pem]) -> Result<Anchors, Error> {
        let mut store = RootCertStore::empty();
        for text in texts {
            let (added, _ignored) = store.add_parsable_certificates(text.certificates()?);
            if added == 0 {
                return Err(Error::Unusable {
                    file: text.from().to_owned(),
                    cause: "no CA certificate in it can be used".to_owned(),
                });
            }
        }
        Ok(Anchors(Arc::new(store)))
    }

    /// One certificate; `None` where it can be nobody's authority.
    pub(crate) fn of_certificate(certificate: &CertificateDer<'_>) -> Option<Anchors> {
        let mut store = RootCertStore::empty();
        store.add(certificate.clone().into_owned()).ok()?;
        Some(Anchors(Arc::new(store)))
    }

    /// Whether one of them signed `first`, `rest` being between.
    pub(crate) fn trust(&self, first: &CertificateDer<'_>, rest: &[CertificateDer<'_>]) -> bool {
        let algorithms = provider().signature_verification_algorithms.all;
        ParsedCertificate::try_from(first).is_ok_and(|certificate| {
            let now = UnixTime::now();
            verify_server_cert_signed_by_trust_anchor(&certificate, &self.0, rest, now, algorithms).is_ok()
        })
    }
}

/// `smtp_tls_fingerprint_digest`, `smtpd_tls_fingerprint_digest`
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs)]
pub enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl Algorithm {
    /// The algorithm of that name, as OpenSSL has it.
    ///
    /// # Errors
    /// [`Error::UnknownDigest`].
    pub fn of(name: &str) -> Result<Algorithm, Error> {
        match name.to_ascii_lowercase().as_str() {
            "md5" => Ok(Algorithm::Md5),
            "sha1" => Ok(Algorithm::Sha1),
            "sha256" => Ok(Algorithm::Sha256),
            "sha512" => Ok(Algorithm::Sha512),
            _ => Err(Error::UnknownDigest {
                name: name.to_owned(),
            }),
        }
    }

    pub(crate) fn digest(self, octets: &[u8]) -> Vec<u8> {
        match self {
            Algorithm::Md5 => Md5::digest(octets).to_vec(),
            Algorithm::Sha1 => Sha1::digest(octets).to_vec(),
            Algorithm::Sha256 => Sha256::digest(octets).to_vec(),
            Algorithm::Sha512 => Sha512::digest(octets).to_vec(),
        }
    }
}

/// What a server's certificate is measured by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// How much is asked.
    pub level: Level,
    /// Whose signatures count; `None`: nobody's.
    pub anchors: Option<Anchors>,
    /// Names of which the certificate must bear one: `mx.example.com`, or `.example.com` for all below it.
    pub names: Vec<String>,
    /// Fingerprints in hexadecimal digits, with or without colons.
    pub fingerprints: Vec<String>,
    /// How fingerprints are made.
    pub algorithm: Algorithm,
    /// What DNSSEC says of the server, at level [`Level::Dane`].
    pub tlsa: Vec<Tlsa>,
}

/// What a certificate is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Nobody known signed it.
    Untrusted,
    /// Somebody known did; for whom, was not asked or is not right.
    Trusted,
    /// It is who is meant.
    Verified,
}

impl Demand {
    /// What the chain that a server showed is worth; its own certificate is the first.
    ///
    /// # Limits
    /// [`NAMES_MAX`] names of a certificate are looked at.
    pub fn judge(&self, chain: &[CertificateDer<'_>]) -> Judgement {
        let Some((first, rest)) = chain.split_first() else {
            return Judgement::Untrusted;
        };
        if self.level == Level::Fingerprint {
            return match self.knows(first) {
                true => Judgement::Verified,
                false => Judgement::Untrusted,
            };
        }
        if matches!(self.level, Level::Dane | Level::DaneOnly) {
            return match dane::is_vouched_for(&self.tlsa, (first, rest), &|| self.bears_name(first)) {
                true => Judgement::Verified,
                false => Judgement::Untrusted,
            };
        }
        let is_trusted = self
            .anchors
            .as_ref()
            .is_some_and(|anchors| anchors.trust(first, rest));
        if !is_trusted {
            return Judgement::Untrusted;
        }
        match self.level.demands_identity() && self.bears_name(first) {
            true => Judgement::Verified,
            false => Judgement::Trusted,
        }
    }

    /// Whether a certificate bears one of the names.
    fn bears_name(&self, certificate: &CertificateDer<'_>) -> bool {
        let bears = |known: &String| self.names.iter().any(|wanted| is_name(wanted, known));
        names_of(certificate).iter().any(bears)
    }

    /// By the fingerprint of the whole certificate, or of its public key.
    fn knows(&self, certificate: &CertificateDer<'_>) -> bool {
        let mut digests = vec![self.algorithm.digest(certificate)];
        if let Ok((_, parsed)) = X509Certificate::from_der(certificate) {
            digests.push(self.algorithm.digest(parsed.public_key().raw));
        }
        let in_digits = |digest: &Vec<u8>| digest.iter().map(|octet| format!("{octet:02x}")).collect();
        let digests: Vec<String> = digests.iter().map(in_digits).collect();
        self.fingerprints.iter().any(|wanted| {
            let wanted = wanted.replace(':', "").to_ascii_lowercase();
            digests.contains(&wanted)
        })
    }
}

/// The names that a certificate bears: the subject's only where there is no alternative one (RFC 6125 §6.4.4).
fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    if let Ok(Some(alternatives)) = parsed.subject_alternative_name() {
        for name in alternatives.value.general_names.iter().take(NAMES_MAX) {
            match name {
                GeneralName::DNSName(name) => names.push((*name).to_owned()),
                GeneralName::IPAddress(octets) => names.extend(address(octets)),
                _ => {}
            }
        }
    }
    if names.is_empty() {
        let common = parsed.subject().iter_common_name();
        names.extend(common.filter_map(|name| name.as_str().ok()).map(str::to_owned));
    }
    names
}

fn address(octets: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(octets).map(std::net::IpAddr::from);
    let sixteen = || <[u8; 16]>::try_from(octets).map(std::net::IpAddr::from);
    four.or_else(|_| sixteen())
        .ok()
        .map(|address| address.to_string())
}

/// Whether a name of a certificate, with `*` for its first label perhaps, is what is wanted.
fn is_name(wanted: &str, known: &str) -> bool {
    let (wanted, known) = (wanted.to_ascii_lowercase(), known.to_ascii_lowercase());
    let wanted = wanted.trim_end_matches('.');
    if wanted.starts_with('.') {
        return known.len() > wanted.len() && known.ends_with(wanted);
    }
    match known.strip_prefix("*.") {
        Some(parent) => wanted
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest == parent && parent.contains('.')),
        None => wanted == known,
    }
}

/// Opportunistic TLS protects against listening only (RFC 7435); more is judged after the handshake.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_by_label() {
        for (wanted, known, matches) in [
            ("mx.example.com", "MX.example.com", true),
            ("mx.example.com", "*.example.com", true),
            ("mx.example.com.", "mx.example.com", true),
            ("a.mx.example.com", "*.example.com", false),
            ("example.com", "*.com", false),
            ("example.com", "*.example.com", false),
            (".example.com", "mx.example.com", true),
            (".example.com", "a.mx.example.com", true),
            (".example.com", "example.com", false),
            (".example.com", "badexample.com", false),
            ("mx.example.com", "mx.example.com\0.evil.example", false),
        ] {
            assert_eq!(is_name(wanted, known), matches, "{wanted} {known}");
        }
    }
}
