//! SASL mechanisms as step machines, and password schemes.
//!
//! In charge of what the two ends of an authentication say to each other, and of the forms in which passwords are
//! stored. Not in charge of who a user is (crate `auth`), nor of base64 on the wire beyond [`wire`].
//!
//! Entries: [`mechanism::server`] and [`client::Client`] for the dialogue; [`scheme::verify`] and
//! [`scheme::generate`] for stored passwords. Pure: randomness is an argument.
//! RFCs: 4422 (EXTERNAL too), 4505 (ANONYMOUS), 4616 (PLAIN), draft-murchison-sasl-login (LOGIN), 2195 (CRAM-MD5), 5802 and
//! 7677 (SCRAM), 4013 (SASLprep, for SCRAM), 9266 (channel binding), 2307 (`{SCHEME}hash`), 8018 (PBKDF2), 9106 (Argon2).
//! Limits: [`RESPONSE_BYTES_MAX`], [`PASSWORD_BYTES_MAX`]. Test vectors come from Debian's `doveadm pw` and crypt(3).

pub mod client;
mod cram_md5;
mod external;
mod hmac_md5;
pub mod mechanism;
mod plain;
mod saslprep;
pub mod scheme;
pub mod scram;
pub mod wire;

pub use mechanism::{Context, Credentials, Identity, Mechanism, Step, Stored};

/// The longest response of a client that is looked at, in bytes, after base64.
pub const RESPONSE_BYTES_MAX: usize = 8192;
/// The longest password that is hashed, in bytes: hashing time grows with it.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// A password in clear. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Vec<u8>);

impl Password {
    /// The password with these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Password {
        Password(bytes.into())
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// Why a stored password cannot be used or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such scheme.
    #[error("Unknown scheme: {0}")]
    UnknownScheme(String),
    /// Dovecot has the scheme, Yubin does not.
    #[error("password scheme {scheme} is not supported: {why}. A new password is needed")]
    UnsupportedScheme {
        /// The scheme's name.
        scheme: String,
        /// Why Yubin does not have it.
        why: &'static str,
    },
    /// The scheme is weak, and the settings do not allow weak ones.
    #[error(
        "password scheme {0} is weak and therefore refused. Give the user a new password, or allow such schemes with \
         auth_allow_weak_schemes = yes"
    )]
    WeakScheme(String),
    /// A mechanism such as CRAM-MD5 cannot be served from the stored form.
    #[error("the password is stored as {0}, which this mechanism cannot use")]
    Unfit(String),
    /// The user's name goes into the hash, and was not given.
    #[error("DIGEST-MD5 needs the user name")]
    UserWanted,
    /// The stored text is not what its scheme makes.
    #[error("the stored {scheme} password is damaged: {what}")]
    Damaged {
        /// The scheme's name.
        scheme: String,
        /// What is wrong with it, without any of it.
        what: &'static str,
    },
    /// A cost out of the scheme's range.
    #[error("{rounds} rounds are out of range for {scheme}: {low} to {high}")]
    Rounds {
        /// The scheme's name.
        scheme: String,
        /// What was asked for.
        rounds: u32,
        /// The least.
        low: u32,
        /// The most.
        high: u32,
    },
    /// Longer than [`PASSWORD_BYTES_MAX`].
    #[error("the password is longer than {PASSWORD_BYTES_MAX} bytes")]
    TooLong,
}
