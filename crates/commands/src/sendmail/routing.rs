//! Where mail for an address goes, told without the daemon: each step of the rewriting, the mailer, the host and the user.

use std::path::Path;
use std::sync::Arc;

use address::Address;
use envelope::StatusCode;
use front::cleanup::{ThisHost, rewritten};
use intake::mapping::{Maps, Role};
use route::{Class, Existence, Route, Router};
use settings::Postfix;
use tables::Tables;

/// The configuration with its tables open.
pub(super) struct Routing {
    pub(super) settings: Arc<Postfix>,
    pub(super) router: Arc<Router>,
    pub(super) maps: Maps,
    pub(super) host: ThisHost,
    pub(super) aliases: Tables,
    /// The mailers that there are: their names and what they are, Sendmail's first.
    pub(super) mailers: Vec<(String, String)>,
}

/// Who gets mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mailer {
    /// `local`, `esmtp`, `relay`, or another transport; `*error*`: nobody.
    pub(super) name: String,
    /// Where it goes; of `*error*` the enhanced code.
    pub(super) host: Option<String>,
    /// Whom it is for; of `*error*` what is said.
    pub(super) user: String,
    /// Of `*error*`: whether that may change.
    pub(super) is_temporary: bool,
}

impl std::fmt::Display for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Mailer { name, host, user, .. } = self;
        match host {
            Some(host) => write!(f, "mailer {name}, host {host}, user {user}"),
            None => write!(f, "mailer {name}, user {user}"),
        }
    }
}

/// The mailer that says no.
pub(super) const ERROR: &str = "*error*";

/// Users of dovecot.conf; those of the system are found by their tables.
struct Users(Option<auth::Auth>);

impl route::Directory for Users {
    fn has_user(&self, name: &str) -> Result<bool, String> {
        match &self.0 {
            Some(auth) => Ok(auth.lookup(name, "local")?.is_some()),
            None => Ok(false),
        }
    }
}

impl Routing {
    /// Opens the tables of the configuration in `directory`; what is wrong with them is said at once.
    pub(super) fn open(directory: &Path, settings: Postfix) -> Routing {
        let dovecot = directory.join("dovecot.conf");
        let auth = dovecot
            .exists()
            .then(|| auth::Auth::new(&config::load_dovecot(&dovecot).0).0);
        let settings = Arc::new(settings);
        let own = master::generation::own_addresses(&settings);
        let (router, mut problems) = Router::new(Arc::clone(&settings), own, Arc::new(Users(auth)));
        let router = Arc::new(router);
        let maps = Maps::open(&settings, &mut problems);
        let (aliases, found) = Tables::open(&settings.alias_maps);
        problems.extend(found);
        let mut told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        told.sort();
        told.dedup();
        told.iter()
            .for_each(|problem| crate::submission::warn("sendmail", problem));
        Routing {
            host: ThisHost::new(&router, &settings),
            settings,
            router,
            maps,
            aliases,
            mailers: mailers(directory),
        }
    }

    /// Whether there is a mailer of that name.
    pub(super) fn has_mailer(&self, name: &str) -> bool {
        name == ERROR || self.mailers.iter().any(|(known, _)| known == name)
    }

    /// The address completed, and without routes through this host.
    pub(super) fn completed(&self, address: &Address) -> Result<Address, String> {
        match rewritten(address, &self.router, &self.settings) {
            Ok(found) => found.ok_or_else(|| format!("{address}: its route names no host")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Its canonical one.
    pub(super) fn canonical(&self, address: &Address, role: Role) -> Result<Address, String> {
        let found = self.maps.canonical(address, role, &self.host);
        found.map_err(|error| explained(&error))
    }

    /// Those for whom it stands.
    pub(super) fn aliases(&self, address: &Address) -> Result<Vec<Address>, String> {
        let found = self.maps.aliases(address, &self.host);
        found.map_err(|error| explained(&error))
    }

    /// Whether its domain is one of this host.
    pub(super) fn is_local(&self, address: &Address) -> bool {
        self.router
            .class(address)
            .is_ok_and(|class| class == Class::Local)
    }

    /// Whether there is such a user.
    pub(super) fn exists(&self, address: &Address) -> Result<bool, String> {
        let found = self.router.existence(address);
        found
            .map(|found| found == Existence::Exists)
            .map_err(|error| error.to_string())
    }

    /// Who gets mail for an address for which no other stands.
    pub(super) fn mailer(&self, address: &Address) -> Result<Mailer, String> {
        let route = self
            .router
            .resolve(address, None)
            .map_err(|error| error.to_string())?;
        let Route {
            transport, next_hop, ..
        } = route;
        let domain = address.domain().map(|domain| domain.as_str());
        let mailer = |name: &str, host: Option<String>, user: String| Mailer {
            name: name.to_owned(),
            host,
            user,
            is_temporary: false,
        };
        Ok(match transport.as_str() {
            // local(8) knows users in lower case.
            "local" => mailer("local", None, address.local().to_lowercase()),
            "error" | "retry" => {
                let (status, text) = StatusCode::split(&next_hop).unzip();
                Mailer {
                    name: ERROR.to_owned(),
                    host: status.map(|status| status.to_string()),
                    user: text.unwrap_or(&next_hop).to_owned(),
                    is_temporary: transport == "retry",
                }
            }
            name => {
                // Sendmail's mailer that speaks ESMTP; a domain ends in a dot where its exchangers are asked for.
                let name = if name == "smtp" { "esmtp" } else { name };
                let host = match domain {
                    Some(domain) if next_hop.eq_ignore_ascii_case(domain) && !domain.starts_with('[') => {
                        format!("{next_hop}.")
                    }
                    _ => next_hop,
                };
                mailer(name, Some(host), address.to_string())
            }
        })
    }
}

/// Sendmail's mailers, then the transports of `master.cf` in `directory`.
fn mailers(directory: &Path) -> Vec<(String, String)> {
    let own = [
        ("prog", "a command"),
        ("*file*", "a file"),
        ("*include*", "a list"),
        ("esmtp", "smtp"),
    ];
    let own = own.map(|(name, what)| (name.to_owned(), what.to_owned()));
    let rows = config::master_cf::read(&directory.join("master.cf"), &mut Vec::new());
    let transports = rows.into_iter().filter(|row| {
        let commands = ["smtp", "lmtp", "local", "virtual", "error", "discard", "pipe"];
        row.service_type == settings::ServiceType::Unix && commands.contains(&row.command.as_str())
    });
    own.into_iter()
        .chain(transports.map(|row| (row.name, row.command)))
        .collect()
}

fn explained(error: &intake::mapping::Error) -> String {
    match error.cause() {
        Some((_, cause)) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
