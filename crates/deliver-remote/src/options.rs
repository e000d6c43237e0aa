//! What the settings say about outgoing connections.

use crate::Error;
use crate::connection::Target;
use machine::Stamp;
use rustls::ClientConfig;
use settings::{Postfix, TlsLevel};
use smtp::client::{Config, Credentials, Protocol, Timeouts, TlsPolicy};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tls::Protocols;
use tls::client::Level;
use tls::pem::Pem;

/// Delivers to other hosts, as main.cf says. Made once for a configuration, used for all deliveries.
pub struct Remote {
    smtp: Options,
    lmtp: Options,
    /// `smtp_mx_address_limit`; 0 is no limit there, and [`ADDRESSES_MAX`] here.
    pub(crate) addresses_max: usize,
    pub(crate) helo_name: String,
}

/// How many addresses of a next hop are tried where the setting has no limit.
pub const ADDRESSES_MAX: usize = 50;

/// What the settings say about one protocol.
pub(crate) struct Options {
    protocol: Protocol,
    helo_name: String,
    pub(crate) connect_timeout: Duration,
    timeouts: Timeouts,
    line_octets_max: usize,
    level: Level,
    wrapped: bool,
    tls: Arc<ClientConfig>,
}

impl Remote {
    /// Reads the settings, and the certificates they name.
    ///
    /// # Errors
    /// When TLS cannot be had as they say.
    pub fn from_settings(settings: &Postfix) -> Result<Remote, Error> {
        let protocols = match level(settings.smtp_tls_security_level, settings)? {
            Level::May => &settings.smtp_tls_protocols,
            _ => &settings.smtp_tls_mandatory_protocols,
        };
        let protocols = Protocols::of_postfix(&protocols.join(", "))?;
        let trusted = match settings.smtp_tls_CAfile.as_str() {
            "" => None,
            file => Some(Pem::read(Path::new(file), "CA certificates")?),
        };
        let tls = |level: Level| tls::client::config(level, trusted.as_ref(), &[], protocols);
        let smtp_level = level(settings.smtp_tls_security_level, settings)?;
        let lmtp_level = level(settings.lmtp_tls_security_level, settings)?;
        let smtp = Options {
            protocol: Protocol::Smtp,
            helo_name: settings.smtp_helo_name.clone(),
            connect_timeout: settings.smtp_connect_timeout,
            timeouts: Timeouts {
                helo: stamp(settings.smtp_helo_timeout),
                starttls: stamp(settings.smtp_starttls_timeout),
                mail: stamp(settings.smtp_mail_timeout),
                rcpt: stamp(settings.smtp_rcpt_timeout),
                data_init: stamp(settings.smtp_data_init_timeout),
                data_xfer: stamp(settings.smtp_data_xfer_timeout),
                data_done: stamp(settings.smtp_data_done_timeout),
                rset: stamp(settings.smtp_rset_timeout),
            },
            line_octets_max: settings.smtp_line_length_limit,
            level: smtp_level,
            wrapped: settings.smtp_tls_wrappermode,
            tls: tls(smtp_level)?,
        };
        let lmtp = Options {
            protocol: Protocol::Lmtp,
            helo_name: settings.lmtp_lhlo_name.clone(),
            connect_timeout: settings.lmtp_connect_timeout,
            timeouts: Timeouts {
                helo: stamp(settings.lmtp_lhlo_timeout),
                mail: stamp(settings.lmtp_mail_timeout),
                rcpt: stamp(settings.lmtp_rcpt_timeout),
                data_init: stamp(settings.lmtp_data_init_timeout),
                data_xfer: stamp(settings.lmtp_data_xfer_timeout),
                data_done: stamp(settings.lmtp_data_done_timeout),
                ..smtp.timeouts
            },
            line_octets_max: settings.smtp_line_length_limit,
            level: lmtp_level,
            wrapped: false,
            tls: tls(lmtp_level)?,
        };
        let addresses_max = match settings.smtp_mx_address_limit {
            0 => ADDRESSES_MAX,
            limit => limit.min(ADDRESSES_MAX),
        };
        Ok(Remote {
            smtp,
            lmtp,
            addresses_max,
            helo_name: settings.myhostname.clone(),
        })
    }

    pub(crate) fn options(&self, protocol: Protocol) -> &Options {
        match protocol {
            Protocol::Smtp => &self.smtp,
            Protocol::Lmtp => &self.lmtp,
        }
    }
}

impl Options {
    /// Whether a delivery without TLS must not happen.
    pub(crate) fn is_mandatory(&self) -> bool {
        self.level.is_mandatory() || self.wrapped
    }

    /// The TLS configuration, and whether it is used from the first octet.
    pub(crate) fn tls_for(&self, with_tls: bool) -> Option<(Arc<ClientConfig>, bool)> {
        let wanted = with_tls && (self.level != Level::None || self.wrapped);
        wanted.then(|| (self.tls.clone(), self.wrapped))
    }

    /// What the machine is told about one connection.
    pub(crate) fn client_config(
        &self,
        target: &Target,
        credentials: Option<&Credentials>,
        with_tls: bool,
    ) -> Config {
        let tls = match self.level {
            _ if !with_tls || self.wrapped => TlsPolicy::None,
            Level::None => TlsPolicy::None,
            Level::May => TlsPolicy::May,
            Level::Encrypt | Level::Verify | Level::Secure => TlsPolicy::Encrypt,
        };
        Config {
            protocol: self.protocol,
            tls,
            tls_active: self.wrapped && with_tls,
            credentials: credentials.cloned(),
            timeouts: self.timeouts,
            line_octets_max: self.line_octets_max,
            ..Config::new(&self.helo_name, &target.peer, &target.relay)
        }
    }
}

/// The level that is meant, the older settings included.
fn level(level: TlsLevel, settings: &Postfix) -> Result<Level, Error> {
    match level {
        TlsLevel::Unset if settings.smtp_enforce_tls => Ok(Level::Encrypt),
        TlsLevel::Unset if settings.smtp_use_tls => Ok(Level::May),
        level => Ok(level.as_str().parse()?),
    }
}

fn stamp(time: Duration) -> Stamp {
    Stamp::try_from(time.as_micros()).unwrap_or(Stamp::MAX / 4)
}
