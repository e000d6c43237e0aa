//! Certificates of clients: who is asked for one, whose signature counts, and which user name is in it.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConnection,
    SignatureScheme,
};
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{AttributeTypeAndValue, FromDer, X509Certificate, X509Name};

use crate::client::Algorithm;
use crate::pem::Pem;
use crate::{Error, provider};

/// What a client without a certificate that can be verified gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Demand {
    /// A connection in which it has no certificate (Dovecot `ssl_verify_client_cert`, Postfix `smtpd_tls_ask_ccert`).
    /// Relays offer their self-signed certificates to everybody who asks: that must not cost the connection.
    Ask,
    /// A failed handshake (Postfix `smtpd_tls_req_ccert`).
    Require,
}

/// Whether lists of revoked certificates must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Revocation {
    /// None is looked at.
    Unchecked,
    /// Each certificate of a chain needs a list of its issuer, beside the authorities' certificates, that has not
    /// expired (Dovecot `ssl_require_crl`). Without any list no certificate is good.
    Checked,
}

/// What is wanted of clients, in texts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Clients {
    /// The authorities' certificates, and their lists of revoked ones. Without any, no certificate is good; it is known by its
    /// fingerprint.
    pub trusted: Option<Pem>,
    /// What a client without a good certificate gets.
    pub demand: Demand,
    /// Whether revoked certificates are refused.
    pub revocation: Revocation,
    /// Which part of the subject is the user's name (Dovecot `ssl_cert_username_field`): a name of OpenSSL's or an object
    /// identifier in digits.
    pub username_field: String,
    /// How fingerprints are made (Postfix `smtpd_tls_fingerprint_digest`).
    pub fingerprints: Algorithm,
}

/// Names of parts of a subject, as OpenSSL has them, and their object identifiers (X.520, RFC 4519, RFC 2985).
const FIELDS: &[(&[&str], &str)] = &[
    (&["commonName", "CN"], "2.5.4.3"),
    (&["surname", "SN"], "2.5.4.4"),
    (&["serialNumber"], "2.5.4.5"),
    (&["organizationName", "O"], "2.5.4.10"),
    (&["organizationalUnitName", "OU"], "2.5.4.11"),
    (&["title"], "2.5.4.12"),
    (&["name"], "2.5.4.41"),
    (&["givenName", "GN"], "2.5.4.42"),
    (&["initials"], "2.5.4.43"),
    (&["x500UniqueIdentifier"], "2.5.4.45"),
    (&["dnQualifier"], "2.5.4.46"),
    (&["pseudonym"], "2.5.4.65"),
    (&["emailAddress"], "1.2.840.113549.1.9.1"),
    (&["unstructuredName"], "1.2.840.113549.1.9.2"),
    (&["userId", "UID"], "0.9.2342.19200300.100.1.1"),
];

fn identifier(field: &str) -> Result<&str, Error> {
    let is_in_digits = field.contains('.')
        && field
            .split('.')
            .all(|arc| !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit()));
    let known = FIELDS.iter().find(|(names, _)| names.contains(&field));
    match known {
        Some((_, identifier)) => Ok(identifier),
        None if is_in_digits => Ok(field),
        None => Err(Error::UnknownField {
            field: field.to_owned(),
        }),
    }
}

/// A client's certificate that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The user name in it, if it has one.
    pub user: Option<String>,
}

/// A certificate that a client has shown, and whose key it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The subject's common name; empty where it has none.
    pub subject: String,
    /// The issuer's common name, else the name of its organization.
    pub issuer: String,
    /// The digest of the certificate: `AB:CD:…`.
    pub fingerprint: String,
    /// The digest of its public key.
    pub public_key_fingerprint: String,
    /// Somebody whose signature counts has signed it.
    pub is_trusted: bool,
}

/// Verifies certificates of clients, while they shake hands and later.
#[derive(Debug)]
pub struct Verifier {
    /// `None`: nobody's signature counts.
    inner: Option<Arc<dyn ClientCertVerifier>>,
    demand: Demand,
    fingerprints: Algorithm,
    /// No certificate is good: lists of revoked ones must be there, and are not.
    lacks_lists: bool,
    identifier: String,
}

impl Verifier {
    /// Of texts.
    ///
    /// # Errors
    /// What can be wrong with the authorities' certificates, and [`Error::UnknownField`].
    pub fn of(clients: &Clients) -> Result<Verifier, Error> {
        let (inner, lacks_lists) = match &clients.trusted {
            Some(trusted) => {
                trusting(trusted, clients.revocation).map(|(inner, lacks)| (Some(inner), lacks))?
            }
            None => (None, false),
        };
        Ok(Verifier {
            inner,
            demand: clients.demand,
            fingerprints: clients.fingerprints,
            lacks_lists,
            identifier: identifier(&clients.username_field)?.to_owned(),
        })
    }

    /// The client's certificate, if it sent one that is good now. To be asked after the handshake, which lets others pass
    /// where certificates are only [asked for](Demand::Ask).
    pub fn verified(&self, connection: &ServerConnection) -> Option<Verified> {
        let (first, issuers) = connection.peer_certificates()?.split_first()?;
        self.check(first, issuers, UnixTime::now()).ok()?;
        Some(Verified {
            user: self.user(first),
        })
    }

    /// The certificate that the client has shown, good or not. To be asked after the handshake. One that cannot be read counts as
    /// none: whether its key is the client's was not looked at.
    pub fn shown(&self, connection: &ServerConnection) -> Option<Shown> {
        let (first, issuers) = connection.peer_certificates()?.split_first()?;
        ParsedCertificate::try_from(first).ok()?;
        let (_, parsed) = X509Certificate::from_der(first).ok()?;
        let digest = |octets: &[u8]| {
            let digest = self.fingerprints.digest(octets);
            let pairs: Vec<String> = digest.iter().map(|octet| format!("{octet:02X}")).collect();
            pairs.join(":")
        };
        let common = |name: &X509Name<'_>| text(name.iter_common_name().next());
        let issuer = parsed.issuer();
        let organization = || text(issuer.iter_organization().next());
        Some(Shown {
            subject: common(parsed.subject()).unwrap_or_default(),
            issuer: common(issuer).or_else(organization).unwrap_or_default(),
            fingerprint: digest(first),
            public_key_fingerprint: digest(parsed.public_key().raw),
            is_trusted: self.check(first, issuers, UnixTime::now()).is_ok(),
        })
    }

    fn check(
        &self,
        certificate: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if self.lacks_lists {
            return Err(CertificateError::UnknownRevocationStatus.into());
        }
        let unknown = || rustls::Error::from(CertificateError::UnknownIssuer);
        let inner = self.inner.as_ref().ok_or_else(unknown)?;
        inner.verify_client_cert(certificate, issuers, now)
    }

    /// Whether a certificate that cannot be read (X.509 version 1 …) is to pass. Whether its owner signed the handshake cannot
    /// be told, and need not: [`Verifier::check`] never finds it good.
    fn is_waved_through(&self, certificate: &CertificateDer<'_>) -> bool {
        self.demand == Demand::Ask && ParsedCertificate::try_from(certificate).is_err()
    }

    /// The first value of the field. One with a NUL is a trick against whoever reads it as a C string: no name at all.
    fn user(&self, certificate: &CertificateDer<'_>) -> Option<String> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let mut attributes = certificate.subject().iter_attributes();
        let attribute = attributes.find(|part| part.attr_type().to_id_string() == self.identifier)?;
        let value = attribute.as_str().ok()?;
        (!value.is_empty() && !value.contains('\0')).then(|| value.to_owned())
    }
}

/// What verifies by these authorities, and whether lists of revoked certificates are missing.
fn trusting(trusted: &Pem, revocation: Revocation) -> Result<(Arc<dyn ClientCertVerifier>, bool), Error> {
    let unusable = |cause: String| Error::Unusable {
        file: trusted.from().to_owned(),
        cause,
    };
    let mut roots = RootCertStore::empty();
    let (added, _ignored) = roots.add_parsable_certificates(trusted.certificates()?);
    if added == 0 {
        return Err(unusable("no CA certificate in it can be used".to_owned()));
    }
    let lists = match revocation {
        Revocation::Checked => trusted.revocation_lists()?,
        Revocation::Unchecked => Vec::new(),
    };
    let lacks_lists = revocation == Revocation::Checked && lists.is_empty();
    let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .with_crls(lists)
        .enforce_revocation_expiration()
        .build()
        .map_err(|error| unusable(error.to_string()))?;
    Ok((inner, lacks_lists))
}

/// A part of a name. One with a control character is a trick against whoever shows it: no name at all.
fn text(part: Option<&AttributeTypeAndValue<'_>>) -> Option<String> {
    let text = part?.as_str().ok()?;
    (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.demand == Demand::Require
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner
            .as_ref()
            .map_or(&[], |inner| inner.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        match self.demand {
            Demand::Ask => Ok(ClientCertVerified::assertion()),
            Demand::Require => self.check(end_entity, intermediates, now),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.is_waved_through(cert) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.is_waved_through(cert) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
