//! The LMTP service of dovecot.conf: mail for mailbox users, each recipient with a reply of its own. The users' agents
//! write it; a 250 comes when it is on disk. One [`Lmtp`] for each kind of listener, one [`session::Session`] a client.

mod recipient;
mod session;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use auth::Authority;
use deliver_local::task::Agents;
use maillog::Log;
use maillog::lines::login::session_id;
use maillog::lines::session::LmtpConnection;
use serve::Link;
use serve::clock::now;
use serve::pump::{Work, pump};
use settings::{Connection, Dovecot, SslUse};
use smtp::server::{BareNewline, Config, Limits, Protocol, Server, Tls, Words};
use tokio::sync::Notify;
use tokio::time::timeout;

/// The largest message, in octets: it is held in memory until it is delivered.
pub const MESSAGE_OCTETS_MAX: u64 = 512 * 1024 * 1024;
/// The most recipients of one message.
pub const RECIPIENTS_MAX: usize = 10_000;
/// A handshake that takes longer is broken off.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// One LMTP service.
#[derive(Clone)]
pub struct Lmtp {
    /// dovecot.conf as it holds for the service and, later, for one client.
    pub settings: Arc<Dovecot>,
    /// dovecot.conf as it holds for everybody.
    pub general: Arc<Dovecot>,
    /// This host's name where dovecot.conf has none.
    pub hostname: String,
    /// The certificate, if there is one.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Whether TLS begins with the connection.
    pub implicit_tls: bool,
    /// Who is a user.
    pub authority: Arc<dyn Authority>,
    /// Who writes their mail.
    pub agents: Arc<dyn Agents>,
    /// Whether the log names what refused a recipient (`yubin_log_rules`).
    pub names_rules: bool,
    /// The log.
    pub log: Log,
}

impl Lmtp {
    /// Speaks with one client until it is gone.
    pub async fn converse(self: Arc<Lmtp>, mut link: Link) {
        if self.implicit_tls {
            let Some(tls) = &self.tls else { return };
            let done = timeout(HANDSHAKE_TIMEOUT, link.start_tls(Arc::clone(tls))).await;
            if !matches!(done, Ok(Ok(()))) {
                return;
            }
        }
        let service = self.toward(&link);
        let from = peer(&link);
        service.log.write(&LmtpConnection::Connect { from });
        let config = Arc::new(service.config(&link));
        let mut session = session::Session::new(Arc::clone(&service), new_session_id(&link));
        let mut server = Server::new(config, now());
        let end = pump(&mut server, &mut session, &mut link, Work::Quick, &Notify::new()).await;
        let (reason, state) = session.ended(&end);
        service
            .log
            .write(&LmtpConnection::Disconnect { from, reason, state });
        link.close().await;
    }

    /// The service as the filters `local`, `remote` and `protocol` make it for one client.
    fn toward(self: &Arc<Lmtp>, link: &Link) -> Arc<Lmtp> {
        if self.settings.filters.is_empty() {
            return Arc::clone(self);
        }
        let is_inet = peer(link).is_some();
        let settings = self.settings.for_connection(Connection {
            protocol: "lmtp",
            local: is_inet.then(|| link.local.ip()),
            remote: is_inet.then(|| link.remote.ip()),
            local_name: "",
        });
        Arc::new(Lmtp {
            settings: Arc::new(settings),
            ..Lmtp::clone(self)
        })
    }

    /// `hostname`
    fn own_name(&self) -> &str {
        match self.settings.hostname.as_str() {
            "" => &self.hostname,
            name => name,
        }
    }

    fn config(&self, link: &Link) -> Config {
        let has_tls = self.tls.is_some() && self.settings.ssl != SslUse::No && peer(link).is_some();
        let name = self.own_name();
        let workarounds = &self.settings.lmtp_client_workarounds;
        let usual = Config::new(name);
        Config {
            protocol: Protocol::Lmtp,
            words: Words::Dovecot,
            banner: format!("{name} {}", self.settings.login_greeting),
            limits: Limits {
                message_octets_max: MESSAGE_OCTETS_MAX,
                recipients_max: RECIPIENTS_MAX,
                soft_errors_max: usize::MAX,
                junk_commands_max: usize::MAX,
                error_delay: 0,
                ..usual.limits
            },
            bare_newline: BareNewline::Normalize,
            replace_stray_cr: false,
            tls: match (self.implicit_tls, has_tls) {
                (true, _) => Tls::Active,
                (false, true) => Tls::Offered,
                (false, false) => Tls::None,
            },
            strict_envelopes: !workarounds.iter().any(|word| word == "mailbox-for-path"),
            allow_leading_minus: true,
            ..usual
        }
    }
}

/// The client's address; on a socket in the file system it has none.
fn peer(link: &Link) -> Option<IpAddr> {
    Some(link.remote.ip()).filter(|ip| !ip.is_unspecified())
}

/// A name for the session that no other one has.
fn new_session_id(link: &Link) -> String {
    static NUMBER: AtomicU16 = AtomicU16::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    session_id(now(), number, link.remote.ip())
}
