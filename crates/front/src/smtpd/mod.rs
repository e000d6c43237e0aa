//! The SMTP service: one [`Smtpd`] for each `smtpd` row of master.cf, one [`session::Session`] for each client.

mod client_name;
mod footers;
mod forwarded;
mod judging;
mod limits;
mod milters;
mod options;
mod pipelining;
mod policies;
mod proxy;
mod rehearsal;
mod security;
mod session;
mod transaction;

pub use options::tls_level;
pub use rehearsal::{Exchange, Part};

use std::sync::Arc;

use access::rewrite_clients::RewriteClients;
use access::{Access, Happening};
use auth::Authority;
use maillog::lines::Peer;
use maillog::lines::smtpd as lines;
use settings::Postfix;
use smtp::server::{Config, Server};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::Front;
use serve::Link;
use serve::clock::now;
use serve::pump::{End, Work, pump};
use tables::name_list::NameList;
use tls::server::Server as TlsServer;

/// One SMTP service.
pub struct Smtpd {
    front: Arc<Front>,
    /// Its name in master.cf.
    name: String,
    settings: Arc<Postfix>,
    access: Access,
    policies: policies::Policies,
    milters: crate::milters::Milters,
    config: Arc<Config>,
    /// Which of the authority's mechanisms are offered.
    filter: NameList,
    /// Who decides about log-ins.
    authority: Arc<dyn Authority>,
    /// It is another program, whose mechanisms are asked for anew by each connection.
    is_foreign: bool,
    tls: Option<TlsServer>,
    log: maillog::Log,
    rewrite_clients: RewriteClients,
    /// `smtpd_authorized_xforward_hosts`
    xforward: forwarded::Trusted,
    /// `smtpd_authorized_xclient_hosts`
    xclient: forwarded::Trusted,
}

impl Smtpd {
    /// The service of that name with these settings (`-o` overrides applied). `tls` is there when a certificate is.
    pub fn new(front: Arc<Front>, name: &str, settings: Arc<Postfix>, tls: Option<TlsServer>) -> Smtpd {
        let mut problems = Vec::new();
        let mut filter = NameList::open(&settings.smtpd_sasl_mechanism_filter, &mut problems);
        let log = front.log.named(&settings.syslog_name);
        let of_tables = log.clone();
        let tell: tables::Tell = Arc::new(move |text| of_tables.warning("smtpd", text));
        filter.tell_warnings(&tell);
        problems
            .iter()
            .for_each(|problem| front.log.error("smtpd", &problem.to_string()));
        let (access, problems) = Access::new(Arc::clone(&settings), Arc::clone(&front.router), &tell);
        problems
            .iter()
            .for_each(|problem| log.error("smtpd", &problem.to_string()));
        let (rewrite_clients, problems) = RewriteClients::open(&settings, &tell);
        problems
            .iter()
            .for_each(|problem| log.error("smtpd", &problem.to_string()));
        let mechanisms = front.auth.mechanisms();
        let config = Arc::new(options::config(&settings, tls.is_some(), &filter, &mechanisms));
        Smtpd {
            access,
            policies: policies::Policies::new(&settings.queue_directory),
            milters: crate::milters::Milters::of_smtp(&settings, &log, &tell),
            xforward: forwarded::Trusted::open(&settings.smtpd_authorized_xforward_hosts, &tell),
            xclient: forwarded::Trusted::open(&settings.smtpd_authorized_xclient_hosts, &tell),
            log,
            rewrite_clients,
            authority: Arc::clone(&front.auth),
            is_foreign: false,
            filter,
            front,
            name: name.to_owned(),
            settings,
            config,
            tls,
        }
    }

    /// The settings, `-o` overrides applied.
    pub fn settings(&self) -> &Arc<Postfix> {
        &self.settings
    }

    /// The same service with another program that decides about log-ins (`smtpd_sasl_path`).
    pub fn asking(self, authority: Arc<dyn Authority>) -> Smtpd {
        Smtpd {
            authority,
            is_foreign: true,
            ..self
        }
    }

    /// The machine's configuration for one client.
    async fn config_for(&self, client: &access::Client) -> Arc<Config> {
        let mut config = Arc::clone(&self.config);
        if self.is_foreign && self.settings.smtpd_sasl_auth_enable {
            let authority = Arc::clone(&self.authority);
            let mechanisms = tokio::task::spawn_blocking(move || authority.mechanisms()).await;
            let mechanisms = mechanisms.unwrap_or_default();
            if mechanisms.is_empty() {
                let path = &self.settings.smtpd_sasl_path;
                let text = format!("the auth socket {path} offers no mechanism: nobody can log in");
                self.log.error("smtpd", &text);
            }
            config = Arc::new(Config {
                auth: options::auth(&self.settings, &self.filter, &mechanisms),
                ..Config::clone(&config)
            });
        }
        let config = options::for_client(&config, &self.settings, client.address);
        let (xforward, xclient) = (self.xforward.has(client), self.xclient.has(client));
        match xforward || xclient {
            false => config,
            true => Arc::new(Config {
                xforward,
                xclient,
                ..Config::clone(&config)
            }),
        }
    }

    /// Speaks with one client until it is gone.
    pub async fn converse(self: Arc<Smtpd>, mut link: Link) {
        let mut session = session::Session::new(Arc::clone(&self), link.remote.ip());
        // Counted already: a crowd that waits for names is within the limits too.
        session.is_called(self.client_name(link.remote.ip()).await);
        self.log.write(&lines::Connect { peer: session.peer() });
        let wrapped = self.settings.smtpd_tls_wrappermode;
        if wrapped
            && (session.is_over(Happening::TlsSession) || !self.handshake(&mut link, &session.peer()).await)
        {
            session.lost_after("CONNECT");
            self.log.write(&lines::Disconnect {
                peer: session.peer(),
                commands: "commands=0/0",
            });
            return;
        }
        if wrapped {
            session.log_tls(&link);
        }
        let config = self.config_for(session.client()).await;
        let mut server = Server::new(config, now()).with_footers(session.footers(&link));
        let end = pump(&mut server, &mut session, &mut link, Work::Quick, &Notify::new()).await;
        if let End::Broken(error) = &end
            && session.is_in_handshake()
            && !server.is_tls()
        {
            self.log.write(&lines::TlsFailed {
                peer: session.peer(),
                reason: &error.to_string(),
            });
            session.lost_after("STARTTLS");
        }
        if let Some(transcript) = server.take_transcript() {
            session
                .tell_postmaster(&transcript, Some("lost connection"))
                .await;
        }
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
        match timeout(patience, link.start_tls(Arc::clone(&tls.config))).await {
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
}
