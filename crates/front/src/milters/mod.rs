//! Mail filters ("milters") beside the MTA: which are asked, in which order, and what they say together.
//!
//! A session of smtpd keeps [`Filters`] from its beginning to its end and tells them what the client says; cleanup shows them
//! the message ([`content`]). Mail that does not come by SMTP has filters for itself alone.

mod connection;
pub(crate) mod content;
mod macros;
mod service;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use address::Address;
use envelope::QueueId;
use maillog::Log;
use milter::command::Command;
use milter::fault::Fault;
use milter::options::steps;
use milter::reply::{Change, Verdict};
use milter::standing::{Decision, Standing, judge};
use route::{Route, Router};
use settings::{Postfix, kinds};
use tables::{Tables, Tell};

use connection::{Connection, Unconnected};
pub(crate) use macros::{Values, shown};
use service::Service;

/// The filters that settings name.
pub(crate) struct Milters {
    services: Vec<Arc<Service>>,
    /// Others, by the client's address.
    maps: Tables,
    settings: Arc<Postfix>,
    names: Arc<macros::Names>,
    queue_directory: PathBuf,
    log: Log,
}

impl Milters {
    /// Those of an SMTP service. What is wrong with tables is told to `log` and `tell`.
    pub(crate) fn of_smtp(settings: &Arc<Postfix>, log: &Log, tell: &Tell) -> Milters {
        let (mut maps, problems) = Tables::open(&settings.smtpd_milter_maps);
        for problem in problems {
            log.error("smtpd", &problem.to_string());
        }
        maps = maps.titled("smtpd_milter_maps");
        maps.tell_warnings(tell);
        Milters::new(&settings.smtpd_milters, maps, settings, log)
    }

    /// Those for mail that does not come by SMTP.
    pub(crate) fn of_others(settings: &Arc<Postfix>, log: &Log) -> Milters {
        Milters::new(&settings.non_smtpd_milters, Tables::open(&[]).0, settings, log)
    }

    fn new(list: &[String], maps: Tables, settings: &Arc<Postfix>, log: &Log) -> Milters {
        let left_out = crate::cleanup::leaves_out(settings, "no_milters");
        Milters {
            services: match left_out {
                true => Vec::new(),
                false => service::all(list, settings),
            },
            maps: match left_out {
                true => Tables::open(&[]).0,
                false => maps,
            },
            settings: Arc::clone(settings),
            names: Arc::new(macros::Names::of(settings)),
            queue_directory: settings.queue_directory.clone(),
            log: log.clone(),
        }
    }

    /// Those for a session of a client; none are connected yet. `None`: there are none.
    ///
    /// # Errors
    /// When a table cannot be asked.
    pub(crate) fn for_client(&self, client: Option<IpAddr>) -> Result<Option<Filters>, tables::Error> {
        let found = match client.filter(|_| !self.maps.is_empty()) {
            Some(client) => self.maps.lookup(&client.to_string())?,
            None => None,
        };
        let services = match found.as_deref().map(str::trim) {
            Some(text) if text.eq_ignore_ascii_case("DISABLE") => Vec::new(),
            Some(text) => service::all(&kinds::words(text), &self.settings),
            None => self.services.clone(),
        };
        let filters: Vec<Filter> = services.into_iter().map(Filter::new).collect();
        Ok((!filters.is_empty()).then(|| Filters {
            filters,
            macros: Values::new(&self.names),
            queue_directory: self.queue_directory.clone(),
            log: self.log.clone(),
            tag: "smtpd",
            is_of_smtp: true,
            decider: None,
        }))
    }
}

/// A filter in a session.
struct Filter {
    service: Arc<Service>,
    connection: Option<Connection>,
    standing: Standing,
    /// It said that it wants no more of a body.
    has_enough: bool,
}

/// The filters of a session.
pub(crate) struct Filters {
    filters: Vec<Filter>,
    /// What they are told by name.
    pub(crate) macros: Values,
    queue_directory: PathBuf,
    log: Log,
    /// Which daemon the log names.
    tag: &'static str,
    /// smtpd tells them of the envelope.
    is_of_smtp: bool,
    /// Which one decided last.
    decider: Option<String>,
}

/// Where a warning goes.
#[derive(Clone, Copy)]
struct Warn<'a> {
    log: &'a Log,
    tag: &'static str,
}

impl Warn<'_> {
    fn say(self, text: &str) {
        self.log.warning(self.tag, text);
    }
}

impl Filter {
    fn new(service: Arc<Service>) -> Filter {
        Filter {
            service,
            connection: None,
            standing: Standing::Asked,
            has_enough: false,
        }
    }

    /// The filter cannot be asked: from now on its default action is what it says.
    fn fail(&mut self, is_of_configuration: bool) {
        self.connection = None;
        self.standing = self.service.default_action.standing(is_of_configuration);
    }

    fn broken(&mut self, fault: &Fault, warn: Warn<'_>) {
        warn.say(&format!("milter {}: {fault}", self.service.name));
        self.fail(fault.is_of_configuration());
    }

    async fn connect(&mut self, queue_directory: &std::path::Path, warn: Warn<'_>) {
        match Connection::open(&self.service, queue_directory).await {
            Ok((connection, odd)) => {
                if let Some(odd) = odd {
                    warn.say(&odd);
                }
                self.connection = Some(connection);
            }
            Err(Unconnected {
                told,
                is_of_configuration,
            }) => {
                told.iter().for_each(|line| warn.say(line));
                self.fail(is_of_configuration);
            }
        }
    }

    /// What is said in its name without asking it.
    fn settled(&self) -> Option<Decision> {
        match &self.standing {
            Standing::Asked => None,
            Standing::DoneWithMessage | Standing::DoneWithSession => Some(Decision::Pass),
            Standing::Decided(decision) => Some(decision.clone()),
        }
    }

    /// Asks it; changes go to `change`.
    async fn ask(
        &mut self,
        command: &Command,
        (macros, warn): (&Values, Warn<'_>),
        patience: Duration,
        change: &mut (dyn FnMut(Change) + Send),
    ) -> Decision {
        let Some(connection) = &mut self.connection else {
            return Decision::Pass;
        };
        let said = connection.ask(command, macros, patience, change).await;
        let judged = said.and_then(|verdict| {
            let verdict = verdict.unwrap_or(Verdict::Continue);
            self.has_enough = verdict == Verdict::Skip;
            let is_odd =
                verdict == Verdict::Discard && matches!(command, Command::Connect { .. } | Command::Helo(_));
            if is_odd {
                let name = &self.service.name;
                warn.say(&format!(
                    "milter {name}: DISCARD action is not allowed for connect or helo"
                ));
            }
            judge(command, verdict)
        });
        match judged {
            Ok((decision, standing)) => {
                if matches!(standing, Standing::DoneWithSession | Standing::Decided(_)) {
                    self.connection = None;
                }
                self.standing = standing;
                decision
            }
            Err(fault) => {
                self.broken(&fault, warn);
                self.settled().unwrap_or(Decision::Pass)
            }
        }
    }
}

fn split(route: Option<Route>) -> (Option<String>, Option<String>) {
    route.map(|route| (route.transport, route.next_hop)).unzip()
}

impl Filters {
    /// Tells them something that the client does, one after the other, until one decides.
    pub(crate) async fn tell(&mut self, command: &Command) -> Decision {
        let warn = Warn {
            log: &self.log,
            tag: self.tag,
        };
        for filter in &mut self.filters {
            if matches!(command, Command::Connect { .. }) {
                filter.connect(&self.queue_directory, warn).await;
            }
            let decision = match filter.settled() {
                Some(decision) => decision,
                None => {
                    let mut is_held = false;
                    let mut change = |what| is_held |= matches!(what, Change::Quarantine(_));
                    let patience = filter.service.command_timeout;
                    let said = filter
                        .ask(command, (&self.macros, warn), patience, &mut change)
                        .await;
                    match said {
                        Decision::Pass if is_held => Decision::Hold,
                        said => said,
                    }
                }
            };
            if decision != Decision::Pass {
                self.decider = Some(filter.service.name.clone());
                return decision;
            }
        }
        Decision::Pass
    }

    /// Tells those that want to hear it of a recipient that is refused anyway.
    pub(crate) async fn tell_refused(&mut self, command: &Command) {
        let warn = Warn {
            log: &self.log,
            tag: self.tag,
        };
        for filter in &mut self.filters {
            let connection = filter.connection.as_ref();
            let wants =
                connection.is_some_and(|connection| connection.client.has_step(steps::REFUSED_RECIPIENTS));
            if wants && filter.settled().is_none() {
                let patience = filter.service.command_timeout;
                filter
                    .ask(command, (&self.macros, warn), patience, &mut |_| {})
                    .await;
            }
        }
    }

    /// What decided last, as the log names rules: `smtpd_milters inet:host:port`.
    pub(crate) fn rule(&self) -> Option<String> {
        let parameter = if self.is_of_smtp {
            "smtpd_milters"
        } else {
            "non_smtpd_milters"
        };
        self.decider.as_ref().map(|name| format!("{parameter} {name}"))
    }

    /// What is told where no client is: this host.
    pub(crate) fn is_told_of_this_host(&mut self, queue_id: &QueueId) {
        (self.tag, self.is_of_smtp) = ("cleanup", false);
        self.macros.set("i", Some(queue_id.to_string()));
        for (name, value) in [
            ("_", "localhost [127.0.0.1]"),
            ("client_addr", "127.0.0.1"),
            ("client_name", "localhost"),
            ("client_ptr", "localhost"),
            ("client_port", "0"),
            ("daemon_addr", "127.0.0.1"),
            ("daemon_port", "0"),
        ] {
            self.macros.set(name, Some(value.to_owned()));
        }
    }

    /// Who sends the message, and where answers go.
    pub(crate) fn knows_sender(&mut self, sender: Option<&Address>, router: &Router) {
        let postmaster = Address::new("MAILER-DAEMON", None);
        let route = router.resolve(sender.unwrap_or(&postmaster), None).ok();
        self.macros
            .set("mail_addr", Some(sender.map(shown).unwrap_or_default()));
        let (mailer, host) = split(route);
        self.macros.set("mail_mailer", mailer);
        self.macros.set("mail_host", host);
    }

    /// Who is to get it, and where that goes.
    pub(crate) fn knows_recipient(
        &mut self,
        recipient: Option<&Address>,
        sender: Option<&Address>,
        router: &Router,
    ) {
        let route = recipient.and_then(|recipient| router.resolve(recipient, sender).ok());
        self.macros.set("rcpt_addr", recipient.map(shown));
        let (mailer, host) = split(route);
        self.macros.set("rcpt_mailer", mailer);
        self.macros.set("rcpt_host", host);
    }

    /// Somebody is not to get it, for this reason.
    pub(crate) fn knows_refusal(&mut self, status: &str, text: &str) {
        self.macros.set("rcpt_mailer", Some("error".to_owned()));
        self.macros.set("rcpt_host", Some(status.to_owned()));
        self.macros.set("rcpt_addr", Some(text.to_owned()));
    }

    /// The message is over, or there is none.
    pub(crate) async fn abort(&mut self) {
        for filter in &mut self.filters {
            if filter.standing == Standing::DoneWithMessage {
                filter.standing = Standing::Asked;
            }
            if let Some(connection) = &mut filter.connection {
                let patience = filter.service.command_timeout;
                connection.tell(&Command::Abort, &self.macros, patience).await;
            }
        }
    }

    /// The session is over.
    pub(crate) async fn quit(&mut self) {
        for filter in &mut self.filters {
            if let Some(mut connection) = filter.connection.take() {
                let patience = filter.service.command_timeout;
                connection.tell(&Command::Quit, &self.macros, patience).await;
            }
        }
    }
}
