//! TLS configurations for both directions.
//!
//! In charge of turning certificate files and policy words into [`rustls`] configurations, of the self-signed
//! certificate of an embedded start, of clients' certificates ([`clients`]), of how long a certificate is
//! valid ([`validity`]), and of describing an established session for the log and for Received: fields. Not in charge of sockets: the pump in `serve` and the client in `deliver-remote` do the handshakes.
//!
//! Entries: [`server::config`], [`client::config`], [`self_signed::ensure`], [`session::Description`].
//! One crypto provider: aws-lc-rs. TLS 1.2 and 1.3 only, whatever older version a setting would allow.
//! RFCs: 8446, 5246, 3207, 6698 and 7672 (DANE), 7468 (PEM). Limits: [`pem::PEM_BYTES_MAX`], [`pem::CERTIFICATES_MAX`].
//! Test data is made by the tests themselves.

pub mod client;
pub mod clients;
pub mod dane;
pub mod pem;
pub mod protocols;
pub mod self_signed;
pub mod server;
pub mod session;
pub mod validity;

pub use protocols::Protocols;
pub use rustls;

use std::sync::Arc;

/// Why a TLS configuration cannot be made. Every variant names the file or the setting's text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("cannot {action} {what} {file}: {}", os::words(cause))]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// `certificate`, `private key`, `CA file`.
        what: &'static str,
        /// Its path as configured.
        file: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// There is no PEM section of the wanted kind.
    #[error("{file}: there is no {what} in it (wanted: a PEM section \"-----BEGIN {label}-----\")")]
    NoSection {
        /// Where the text came from.
        file: String,
        /// `certificate`, `private key`.
        what: &'static str,
        /// The label that was looked for.
        label: &'static str,
    },
    /// The PEM text is damaged.
    #[error("{file}: damaged PEM text: {cause}")]
    DamagedPem {
        /// Where the text came from.
        file: String,
        /// What is wrong.
        cause: String,
    },
    /// The private key is protected by a passphrase.
    #[error(
        "{file}: the private key is encrypted with a passphrase; remove it with: openssl pkey -in {file}"
    )]
    EncryptedKey {
        /// Where the key came from.
        file: String,
    },
    /// The private key does not belong to the certificate.
    #[error("private key {key} does not match certificate {certificate}")]
    KeyMismatch {
        /// Where the certificate came from.
        certificate: String,
        /// Where the key came from.
        key: String,
    },
    /// A certificate or key that the TLS library refuses.
    #[error("{file}: unusable: {cause}")]
    Unusable {
        /// Where it came from.
        file: String,
        /// The reason.
        cause: String,
    },
    /// One of a pair of files is there and the other is not; nothing is overwritten.
    #[error("{present} exists but {missing} does not: remove the one or restore the other")]
    HalfPair {
        /// The file that exists.
        present: String,
        /// The file that does not.
        missing: String,
    },
    /// A word that a protocol setting does not have.
    #[error("\"{word}\" is not a TLS protocol (known: SSLv2 SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3)")]
    UnknownProtocol {
        /// The word.
        word: String,
    },
    /// The protocol setting excludes everything Yubin speaks.
    #[error("\"{text}\" leaves neither TLSv1.2 nor TLSv1.3, which are all that Yubin speaks")]
    NoProtocolLeft {
        /// The setting's text.
        text: String,
    },
    /// A security level that is not known, or not there yet.
    #[error("TLS security level \"{level}\": {cause}")]
    Level {
        /// The level's name.
        level: String,
        /// Why not.
        cause: &'static str,
    },
    /// `smtp_tls_fingerprint_digest` or `smtpd_tls_fingerprint_digest` names no algorithm that is there.
    #[error("\"{name}\" is not an algorithm for fingerprints (known: md5 sha1 sha256 sha512)")]
    UnknownDigest {
        /// The setting's text.
        name: String,
    },
    /// `ssl_cert_username_field` names no part of a subject that is known.
    #[error(
        "\"{field}\" is not a known part of a certificate's subject. Name it by its object identifier (2.5.4.3 is commonName)"
    )]
    UnknownField {
        /// The setting's text.
        field: String,
    },
    /// `verify`/`secure` without anything to trust.
    #[error("TLS security level {level} needs trusted certificates: set smtp_tls_CAfile")]
    NothingTrusted {
        /// The level's name.
        level: &'static str,
    },
}

/// The one crypto provider.
pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    static PROVIDER: std::sync::OnceLock<Arc<rustls::crypto::CryptoProvider>> = std::sync::OnceLock::new();
    PROVIDER
        .get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .clone()
}
