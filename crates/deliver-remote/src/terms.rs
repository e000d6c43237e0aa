//! On which terms a connection is used: the login, and how it is encrypted. A kept connection serves those only who would have
//! made the same.

use smtp::client::Credentials;
use tls::client::Level;

/// The terms of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Who is logged in.
    pub(crate) credentials: Option<Credentials>,
    /// How much TLS is asked for.
    pub(crate) level: Level,
    /// The name that the certificate must bear.
    pub(crate) server_name: String,
}
