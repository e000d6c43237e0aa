//! The SMTP service: one [`Smtpd`] for each `smtpd` row of master.cf, one [`session::Session`] for each client.

mod client_name;
mod clients;
mod command_filter;
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

use access::Access;
use access::rewrite_clients::RewriteClients;
use auth::Authority;
use maillog::lines::Peer;
use maillog::lines::smtpd as lines;
use settings::Postfix;
use smtp::server::{Config, Server};
use tokio::sync::Notify;
use tokio::time::timeout;

use self::clients::Group;
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
    /// Where its mail goes into the queue.
    entry: crate::cleanup::Entry,
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
    clients: clients::Clients,
    rewrite_clients: RewriteClients,
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
        let (router, mut problems) = front.router.for_service(&settings, &tell);
        let (access, found) = Access::new(Arc::clone(&settings), router, &tell);
        problems.extend(found);
        let clients = clients::Clients::open(&settings, &tell, &mut problems);
        let command_filter = command_filter::open(&settings, &tell, &mut problems);
        problems
            .iter()
            .for_each(|problem| log.error("smtpd", &problem.to_string()));
        let (rewrite_clients, problems) = RewriteClients::open(&settings, &tell);
        problems
            .iter()
            .for_each(|problem| log.error("smtpd", &problem.to_string()));
        let mechanisms = front.auth.mechanisms();
        let mut config = options::config(&settings, tls.is_some(), &filter, &mechanisms);
        config.command_filter = command_filter;
        let config = Arc::new(config);
        Smtpd {
            access,
            policies: policies::Policies::new(&settings.queue_directory),
            milters: crate::milters::Milters::of_smtp(&settings, &log, &tell),
            clients,
            log,
            rewrite_clients,
            authority: Arc::clone(&front.auth),
            is_foreign: false,
            filter,
            entry: front.cleanups.entry(&settings),
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
        let config = options::for_client(&config, |group| self.clients.has(group, client));
        let (xforward, xclient) = (
            self.clients.has(Group::Xforward, client),
            self.clients.has(Group::Xclient, client),
        );
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
        if wrapped {
            let may = session.may_begin_tls("TLS service request");
            if !may || !self.handshake(&mut link, &session.peer()).await {
                if may {
                    session.lost_after("CONNECT");
                }
                self.log.write(&lines::Disconnect {
                    peer: session.peer(),
                    commands: "commands=0/0",
                });
                return;
            }
            session.log_tls(&link);
            session.too_many_tls = session.too_many_handshakes(&link);
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
