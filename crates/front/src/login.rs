//! The login phase of IMAP and POP3: who are you, then the session goes to the agent.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use auth::variables::Variables;
use auth::{Account, Asker, Authority, Ticket};
use machine::Machine;
use machine::login::{Answer, Disconnect, Event, Settings, Tls};
use maillog::Log;
use maillog::lines::login as lines;
use serve::Link;
use serve::clock::now;
use serve::handover::{Handover, Protocol};
use serve::pump::{End, Host, Step, Work, pump};
use settings::{Connection, Dovecot, Network, SslUse};
use tls::server::Server;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::agency::Agency;
use crate::authenticate::{Conversation, Progress, Refused, asker_of, can_bind, certificate, verify_plain};
use crate::connections::{Connected, Connections};

/// A handshake that takes longer is broken off.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// One mailbox service: a protocol on a listener.
#[derive(Clone)]
pub struct LoginService {
    /// The protocol.
    pub protocol: Protocol,
    /// dovecot.conf.
    pub settings: Arc<Dovecot>,
    /// The certificate, if there is one.
    pub tls: Option<Server>,
    /// Whether TLS begins with the connection.
    pub implicit_tls: bool,
    /// Who may log in.
    pub auth: Arc<dyn Authority>,
    /// The log.
    pub log: Log,
    /// Where sessions go.
    pub agency: Arc<dyn Agency>,
    /// How many sessions users have.
    pub connections: Arc<Connections>,
}

/// What sessions offer, as the agent sees it too.
fn offered(settings: &Dovecot) -> imap::extensions::Offered {
    imap::extensions::Offered::by(imap::extensions::Wanted {
        plugins: &settings.mail_plugins,
        literal_minus: settings.imap_literal_minus,
        capability: &settings.imap_capability,
        acl_anyone: settings.plugin.get("acl_anyone").map_or("", String::as_str),
    })
}

impl LoginService {
    /// Speaks with one client until it has logged in or is gone.
    pub async fn converse(self: Arc<LoginService>, mut link: Link) {
        if self.implicit_tls {
            let Some(tls) = &self.tls else { return };
            let done = timeout(HANDSHAKE_TIMEOUT, link.start_tls(Arc::clone(&tls.config))).await;
            if !matches!(done, Ok(Ok(()))) {
                LoginHost::new(Arc::clone(&self), &link, false).log_end("TLS handshake failed", &link);
                return;
            }
        }
        let service = self.toward(&link);
        let secured =
            link.is_secured() || link.remote.ip() == link.local.ip() || service.trusts(link.remote.ip());
        let mut host = LoginHost::new(Arc::clone(&service), &link, secured);
        match self.protocol {
            Protocol::Imap => {
                let settings = service.login_settings(&link, secured);
                let mut login = imap::login::Login::new(settings, service.introduction(), now());
                let logged_in = host.pump(&mut login, &mut link).await && login.is_logged_in();
                host.hand_over(logged_in.then(|| login.into_unread()), link).await;
            }
            Protocol::Pop3 => {
                let mut login = pop3::login::Login::new(service.login_settings(&link, secured), now());
                let logged_in = host.pump(&mut login, &mut link).await && login.is_logged_in();
                host.hand_over(logged_in.then(|| login.into_unread()), link).await;
            }
        }
    }

    /// The service as the filters `local`, `remote` and `protocol` make it for one client.
    fn toward(self: &Arc<LoginService>, link: &Link) -> Arc<LoginService> {
        if self.settings.filters.is_empty() {
            return Arc::clone(self);
        }
        let settings = self.settings.for_connection(Connection {
            protocol: self.protocol.name(),
            local: Some(link.local.ip()),
            remote: Some(link.remote.ip()),
            local_name: "",
        });
        Arc::new(LoginService {
            settings: Arc::new(settings),
            ..LoginService::clone(self)
        })
    }

    /// `login_trusted_networks`. Words that are no network trust nobody.
    fn trusts(&self, client: IpAddr) -> bool {
        let mut words = self.settings.login_trusted_networks.iter();
        words.any(|word| {
            word.parse::<Network>()
                .is_ok_and(|network| network.contains(client))
        })
    }

    /// What IMAP tells of itself before the login.
    fn introduction(&self) -> imap::login::Introduction {
        imap::login::Introduction {
            id: imap::id::fields(&self.settings.imap_id_send, env!("CARGO_PKG_VERSION")),
            offered: offered(&self.settings),
        }
    }

    fn log_name(&self) -> &'static str {
        match self.protocol {
            Protocol::Imap => "imap-login",
            Protocol::Pop3 => "pop3-login",
        }
    }

    fn tls_offered(&self) -> Tls {
        match (self.implicit_tls, &self.tls) {
            (true, _) => Tls::On,
            (false, Some(_)) if self.settings.ssl != SslUse::No => Tls::Offered,
            (false, _) => Tls::Unavailable,
        }
    }

    /// The mechanisms of the settings. Those with -PLUS where the connection can be bound to: TLS 1.3, from its beginning
    /// or as the only version that STARTTLS leads to. EXTERNAL where the client's certificate names a user, or may do so
    /// after STARTTLS.
    fn mechanisms(&self, link: &Link) -> Vec<String> {
        let can_bind = match self.implicit_tls {
            true => can_bind(link),
            false => self.tls.is_some() && self.settings.ssl_min_protocol == "TLSv1.3",
        };
        let has_name = match self.implicit_tls {
            true => certificate(link, self.tls.as_ref()).is_some_and(|found| found.user.is_some()),
            false => self.tls.as_ref().is_some_and(|tls| tls.clients.is_some()),
        };
        let names = self.settings.auth_mechanisms.iter();
        names
            .filter_map(|name| sasl::mechanism::known(name))
            .filter(|name| can_bind || !name.ends_with("-PLUS"))
            .filter(|name| has_name || *name != "EXTERNAL")
            .map(str::to_owned)
            .collect()
    }

    /// `login_greeting`; as it is written when it names a variable that is not there.
    fn greeting(&self, link: &Link) -> String {
        let variables = Variables {
            service: self.protocol.name(),
            remote: Some(link.remote.ip()),
            local: Some(link.local.ip()),
            ..Variables::default()
        };
        let text = &self.settings.login_greeting;
        auth::variables::expand(text, &variables).unwrap_or_else(|_| text.clone())
    }

    fn login_settings(&self, link: &Link, secured: bool) -> Settings {
        Settings {
            greeting: self.greeting(link),
            tls: self.tls_offered(),
            secured,
            plaintext_needs_tls: self.settings.disable_plaintext_auth
                || self.settings.ssl == SslUse::Required,
            mechanisms: self.mechanisms(link),
        }
    }
}

/// Decides for one client.
struct LoginHost {
    service: Arc<LoginService>,
    remote: IpAddr,
    local: IpAddr,
    secured: bool,
    session: String,
    started: machine::Stamp,
    failed_attempts: u32,
    user: String,
    method: String,
    conversation: Option<Conversation>,
    account: Option<(Account, Ticket)>,
    connected: Option<Connected>,
}

impl LoginHost {
    fn new(service: Arc<LoginService>, link: &Link, secured: bool) -> LoginHost {
        LoginHost {
            service,
            remote: link.remote.ip(),
            local: link.local.ip(),
            secured,
            session: lines::session_id(now(), link.remote.port(), link.remote.ip()),
            started: now(),
            failed_attempts: 0,
            user: String::new(),
            method: String::new(),
            conversation: None,
            account: None,
            connected: None,
        }
    }

    /// Pumps to the end of the login phase; whether it ended well.
    async fn pump<M>(&mut self, login: &mut M, link: &mut Link) -> bool
    where
        M: Machine<Event = Event, Answer = Answer> + Send,
    {
        matches!(
            pump(login, self, link, Work::Quick, &Notify::new()).await,
            End::Finished
        )
    }

    /// Gives the session to the agent, with what the client sent too early.
    async fn hand_over(mut self, unread: Option<Vec<u8>>, mut link: Link) {
        let (Some(unread), Some((account, ticket))) = (unread, self.account.take()) else {
            link.close().await;
            return;
        };
        let protection = self.protection(&link);
        let handover = Handover {
            protocol: self.service.protocol,
            link,
            unread,
            account,
            ticket,
            session: self.session.clone(),
            hold: Box::new(self.connected.take()),
        };
        match self.service.agency.take(handover).await {
            Ok(process) => self.service.log.write(&lines::Login {
                service: self.service.log_name(),
                elements: lines::Elements {
                    mail_pid: Some(process),
                    ..self.elements(protection)
                },
            }),
            Err(why) => {
                let text = format!("user {}: the session was not taken: {why}", self.user);
                self.service.log.error(self.service.log_name(), &text);
            }
        }
    }

    fn protection(&self, link: &Link) -> lines::Protection {
        match (link.is_secured(), self.secured) {
            (true, _) => lines::Protection::Tls,
            (false, true) => lines::Protection::Secured,
            (false, false) => lines::Protection::None,
        }
    }

    fn elements(&self, protection: lines::Protection) -> lines::Elements<'_> {
        lines::Elements {
            user: &self.user,
            method: &self.method,
            remote: self.remote,
            local: self.local,
            mail_pid: None,
            protection,
            session: &self.session,
        }
    }

    fn asker(&self, link: &Link) -> Asker {
        Asker {
            session: self.session.clone(),
            secured: self.secured,
            ..asker_of(self.service.protocol.name(), link, self.service.tls.as_ref())
        }
    }

    fn answer(&mut self, progress: Progress) -> Step<Answer> {
        match progress {
            Progress::Challenge(challenge) => Step::Answer(Answer::Challenge(challenge)),
            Progress::Accepted(account, ticket) => {
                self.user.clone_from(&account.user);
                let most = self.service.settings.mail_max_userip_connections;
                let connections = &self.service.connections;
                self.connected =
                    connections.enter(self.service.protocol.name(), &self.user, self.remote, most);
                if self.connected.is_none() {
                    let what = "Maximum number of connections from user+IP exceeded";
                    let text = format!("{what} (mail_max_userip_connections={most})");
                    return Step::Answer(Answer::TooMany(text));
                }
                self.account = Some((*account, ticket));
                Step::Answer(Answer::LoggedIn)
            }
            Progress::Failed(refused) => {
                self.failed_attempts += 1;
                self.log_refusal(&refused);
                self.user = refused.user;
                Step::Answer(match refused.told {
                    Some(text) => Answer::Closed(text),
                    None => Answer::Failed,
                })
            }
            Progress::Unavailable(why) => {
                self.service.log.mailbox_error("auth", &why);
                Step::Answer(Answer::TemporaryFailure)
            }
        }
    }

    fn log_refusal(&self, refused: &Refused) {
        if !self.service.settings.auth_verbose {
            return;
        }
        self.service.log.write(&maillog::lines::auth::Refused {
            database: &refused.database,
            user: &refused.user,
            remote: Some(self.remote),
            session: &self.session,
            reason: &refused.reason,
            severity: maillog::Severity::Info,
        });
    }

    fn log_disconnect(&self, why: Disconnect, link: &Link) {
        let reason = match why {
            Disconnect::LoggedOut => "Aborted login by logging out",
            Disconnect::ConnectionClosed => "Connection closed",
            Disconnect::Inactivity => "Inactivity",
            Disconnect::TooManyBadCommands => "Too many invalid commands",
            Disconnect::Refused => "Disconnected by server",
        };
        self.log_end(reason, link);
    }

    fn log_end(&self, reason: &str, link: &Link) {
        self.service.log.write(&lines::Disconnected {
            service: self.service.log_name(),
            reason,
            failed_attempts: self.failed_attempts,
            duration_secs: u64::try_from((now() - self.started) / machine::SECOND).unwrap_or(0),
            elements: self.elements(self.protection(link)),
        });
    }
}

impl<M> Host<M> for LoginHost
where
    M: Machine<Event = Event, Answer = Answer> + Send,
{
    async fn decide(&mut self, event: Event, link: &Link) -> Step<Answer> {
        match event {
            Event::StartTls => match &self.service.tls {
                Some(tls) => {
                    self.secured = true;
                    Step::StartTls(Arc::clone(&tls.config), Answer::TlsStarted)
                }
                None => Step::Abort,
            },
            Event::PlainLogin { user, password } => {
                self.method = "PLAIN".to_owned();
                let progress = verify_plain(&user, password, &self.service.auth, self.asker(link)).await;
                self.answer(progress)
            }
            Event::SaslStart { mechanism, initial } => {
                self.method.clone_from(&mechanism);
                self.conversation = Conversation::start(&mechanism, &self.service.auth, &self.asker(link));
                self.sasl_step(initial).await
            }
            Event::SaslResponse(response) => self.sasl_step(Some(response)).await,
            Event::ClientId(_) => Step::Done,
            Event::Disconnected(why) => {
                self.log_disconnect(why, link);
                Step::Done
            }
        }
    }
}

impl LoginHost {
    async fn sasl_step(&mut self, response: Option<Vec<u8>>) -> Step<Answer> {
        let progress = match &mut self.conversation {
            Some(conversation) => conversation.step(response).await,
            // It was offered, and the connection lacks what it needs: a certificate for EXTERNAL.
            None => Progress::Failed(Refused {
                user: String::new(),
                database: "auth".to_owned(),
                reason: format!("{} is not possible on this connection", self.method),
                told: None,
            }),
        };
        self.answer(progress)
    }
}
