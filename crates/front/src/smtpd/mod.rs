//! The SMTP service: one [`Smtpd`] for each `smtpd` row of master.cf, one [`session::Session`] for each client.

mod session;
mod transaction;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use access::Access;
use machine::SECOND;
use maillog::lines::Peer;
use maillog::lines::smtpd as lines;
use settings::{BareNewline, Postfix, TlsLevel};
use smtp::server::{Auth, Config, Limits, Protocol, Server, Tls};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::Front;
use serve::Link;
use serve::clock::now;
use serve::pump::{Work, pump};

/// One SMTP service.
pub struct Smtpd {
    front: Arc<Front>,
    settings: Arc<Postfix>,
    access: Access,
    config: Arc<Config>,
    tls: Option<Arc<rustls::ServerConfig>>,
    log: maillog::Log,
}

impl Smtpd {
    /// The service with these settings (`-o` overrides applied). `tls` is there when a certificate is.
    pub fn new(front: Arc<Front>, settings: Arc<Postfix>, tls: Option<Arc<rustls::ServerConfig>>) -> Smtpd {
        let config = Arc::new(config(&settings, tls.is_some()));
        Smtpd {
            access: Access::new(Arc::clone(&settings), Arc::clone(&front.router)),
            log: front.log.named(&settings.syslog_name),
            front,
            settings,
            config,
            tls,
        }
    }

    /// Speaks with one client until it is gone.
    pub async fn converse(self: Arc<Smtpd>, mut link: Link) {
        let mut session = session::Session::new(Arc::clone(&self), link.remote.ip());
        self.log.write(&lines::Connect { peer: session.peer() });
        if self.settings.smtpd_tls_wrappermode && !self.handshake(&mut link, &session.peer()).await {
            self.log.write(&lines::Disconnect {
                peer: session.peer(),
                commands: "commands=0/0",
            });
            return;
        }
        let mut server = Server::new(self.config_for(link.remote.ip()), now());
        let _ = pump(&mut server, &mut session, &mut link, Work::Quick, &Notify::new()).await;
        let commands = server.counts().to_string();
        self.log.write(&lines::Disconnect {
            peer: session.peer(),
            commands: &commands,
        });
        link.close().await;
    }

    async fn handshake(&self, link: &mut Link, peer: &Peer<'_>) -> bool {
        let Some(tls) = &self.tls else { return false };
        let patience = self.settings.smtpd_starttls_timeout;
        match timeout(patience, link.start_tls(Arc::clone(tls))).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                self.log.write(&lines::TlsFailed {
                    peer: *peer,
                    reason: &error.to_string(),
                });
                false
            }
            Err(_) => {
                self.log.write(&lines::TlsFailed {
                    peer: *peer,
                    reason: "the handshake took too long",
                });
                false
            }
        }
    }

    /// The machine's configuration for a client: `smtpd_forbid_bare_newline_exclusions` is by client.
    fn config_for(&self, client: IpAddr) -> Arc<Config> {
        if !self
            .settings
            .smtpd_forbid_bare_newline_exclusions
            .contains(client)
        {
            return Arc::clone(&self.config);
        }
        let config = Config::clone(&self.config);
        Arc::new(Config {
            bare_newline: smtp::server::BareNewline::Allow,
            ..config
        })
    }
}

/// The machine's configuration by parameters.
fn config(settings: &Postfix, has_certificate: bool) -> Config {
    let upper = |list: &[String]| {
        list.iter()
            .map(|word| word.to_ascii_uppercase())
            .collect::<Vec<_>>()
    };
    Config {
        protocol: Protocol::Smtp,
        hostname: settings.myhostname.clone(),
        banner: settings.smtpd_banner.clone(),
        limits: limits(settings),
        bare_newline: match settings.smtpd_forbid_bare_newline {
            BareNewline::No => smtp::server::BareNewline::Allow,
            BareNewline::Yes | BareNewline::Normalize => smtp::server::BareNewline::Normalize,
            BareNewline::Note => smtp::server::BareNewline::Note,
            BareNewline::Reject => smtp::server::BareNewline::Reject,
        },
        bare_newline_reject_code: settings.smtpd_forbid_bare_newline_reject_code,
        replace_stray_cr: settings.cleanup_replace_stray_cr_lf,
        helo_required: settings.smtpd_helo_required,
        tls: match settings.smtpd_tls_security_level {
            _ if !has_certificate => Tls::None,
            _ if settings.smtpd_tls_wrappermode => Tls::Active,
            TlsLevel::None => Tls::None,
            TlsLevel::May => Tls::Offered,
            _ => Tls::Required,
        },
        auth: auth(settings),
        vrfy: !settings.disable_vrfy_command,
        strict_envelopes: settings.strict_rfc821_envelopes,
        discard_ehlo_keywords: upper(&settings.smtpd_discard_ehlo_keywords),
        forbidden_commands: upper(&settings.smtpd_forbidden_commands),
        noop_commands: upper(&settings.smtpd_noop_commands),
    }
}

fn limits(settings: &Postfix) -> Limits {
    Limits {
        line_octets_max: settings.line_length_limit,
        message_octets_max: settings.message_size_limit,
        recipients_max: settings.smtpd_recipient_limit,
        recipients_overshoot_max: settings.smtpd_recipient_overshoot_limit,
        soft_errors_max: settings.smtpd_soft_error_limit,
        hard_errors_max: settings.smtpd_hard_error_limit,
        junk_commands_max: settings.smtpd_junk_command_limit,
        error_delay: stamp(settings.smtpd_error_sleep_time),
        timeout: stamp(settings.smtpd_timeout),
    }
}

fn auth(settings: &Postfix) -> Auth {
    if !settings.smtpd_sasl_auth_enable {
        return Auth::default();
    }
    let mechanisms: Vec<String> = sasl::mechanism::NAMES
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    let plaintext_forbidden = settings
        .smtpd_sasl_security_options
        .iter()
        .any(|option| option == "noplaintext");
    let needs_tls = settings.smtpd_tls_auth_only || plaintext_forbidden;
    Auth {
        mechanisms_without_tls: if needs_tls { Vec::new() } else { mechanisms.clone() },
        mechanisms_with_tls: mechanisms,
        broken_clients: settings.broken_sasl_auth_clients,
    }
}

fn stamp(duration: Duration) -> machine::Stamp {
    machine::Stamp::try_from(duration.as_micros()).unwrap_or(i64::MAX / SECOND)
}
