//! The limits of a client by their parameters, and what the log calls an excess of each.

use settings::Postfix;

use super::Happening;

/// A limit of what a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Connections at once.
    Connections,
    /// How often something may be done in a span of time.
    Rate(Happening),
    /// Mistakes in a session.
    Errors,
}

/// All of them, in the order in which they are shown.
pub const LIMITS: [Limit; 7] = [
    Limit::Connections,
    Limit::Rate(Happening::Connection),
    Limit::Rate(Happening::Message),
    Limit::Rate(Happening::Recipient),
    Limit::Rate(Happening::Login),
    Limit::Rate(Happening::TlsSession),
    Limit::Errors,
];

impl Limit {
    /// The parameter that sets it.
    pub fn parameter(self) -> &'static str {
        match self {
            Limit::Connections => "smtpd_client_connection_count_limit",
            Limit::Rate(Happening::Connection) => "smtpd_client_connection_rate_limit",
            Limit::Rate(Happening::Message) => "smtpd_client_message_rate_limit",
            Limit::Rate(Happening::Recipient) => "smtpd_client_recipient_rate_limit",
            Limit::Rate(Happening::Login) => "smtpd_client_auth_rate_limit",
            Limit::Rate(Happening::TlsSession) => "smtpd_client_new_tls_session_rate_limit",
            Limit::Errors => "smtpd_hard_error_limit",
        }
    }

    /// What the log calls it when a client is over it.
    pub fn excess(self) -> &'static str {
        match self {
            Limit::Connections => "Connection concurrency limit exceeded",
            Limit::Rate(Happening::Connection) => "Connection rate limit exceeded",
            Limit::Rate(Happening::Message) => "Message delivery request rate limit exceeded",
            Limit::Rate(Happening::Recipient) => "Recipient address rate limit exceeded",
            Limit::Rate(Happening::Login) => "AUTH command rate limit exceeded",
            Limit::Rate(Happening::TlsSession) => "New TLS session rate limit exceeded",
            Limit::Errors => "too many errors",
        }
    }

    /// How many are allowed by `settings`; 0 is no limit.
    pub fn of(self, settings: &Postfix) -> usize {
        match self {
            Limit::Connections => settings.smtpd_client_connection_count_limit,
            Limit::Rate(Happening::Connection) => settings.smtpd_client_connection_rate_limit,
            Limit::Rate(Happening::Message) => settings.smtpd_client_message_rate_limit,
            Limit::Rate(Happening::Recipient) => settings.smtpd_client_recipient_rate_limit,
            Limit::Rate(Happening::Login) => settings.smtpd_client_auth_rate_limit,
            Limit::Rate(Happening::TlsSession) => settings.smtpd_client_new_tls_session_rate_limit,
            Limit::Errors => settings.smtpd_hard_error_limit,
        }
    }

    /// Its place in [`LIMITS`].
    pub(super) fn index(self) -> usize {
        match self {
            Limit::Connections => 0,
            Limit::Rate(happening) => 1 + happening as usize,
            Limit::Errors => LIMITS.len() - 1,
        }
    }
}
