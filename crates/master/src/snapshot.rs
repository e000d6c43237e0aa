//! The configuration as the roles get it: read once, each role sees its slice only.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use settings::{Differences, Dovecot, Passdb, Postfix, Row, Service, ServiceType, Userdb};

use crate::certificates::Keys;

/// Everything that a role knows of the configuration.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "Letter", from = "Letter")]
pub struct Snapshot {
    /// main.cf.
    pub postfix: Postfix,
    /// The rows of master.cf that are served.
    pub services: Vec<Service>,
    /// Its transports.
    pub transports: Vec<Service>,
    /// Its rows of cleanup.
    pub cleanups: Vec<Service>,
    /// The settings of mail that users leave in the maildrop, where the row of pickup has some of its own.
    pub pickup: Option<Box<Postfix>>,
    /// How many processes each transport of master.cf may have.
    pub process_limits: BTreeMap<String, usize>,
    /// dovecot.conf, if there is one.
    pub dovecot: Option<Dovecot>,
    /// Certificates and keys.
    pub keys: Keys,
    /// Databases of `sqlite:` tables: SQLite opens them by their names, wherever they are.
    pub databases: Vec<PathBuf>,
}

/// A snapshot on its way: of the settings of rows only what main.cf has otherwise.
#[derive(Serialize, Deserialize)]
struct Letter {
    postfix: Postfix,
    services: Vec<Row>,
    transports: Vec<Row>,
    cleanups: Vec<Row>,
    pickup: Option<Box<Differences>>,
    process_limits: BTreeMap<String, usize>,
    dovecot: Option<Dovecot>,
    keys: Keys,
    databases: Vec<PathBuf>,
}

impl From<Snapshot> for Letter {
    fn from(snapshot: Snapshot) -> Letter {
        let base = &snapshot.postfix;
        let rows = |services: &[Service]| services.iter().map(|row| row.to_row(base)).collect();
        let differences = |own: Box<Postfix>| Box::new(own.differences(base));
        Letter {
            services: rows(&snapshot.services),
            transports: rows(&snapshot.transports),
            cleanups: rows(&snapshot.cleanups),
            pickup: snapshot.pickup.map(differences),
            process_limits: snapshot.process_limits,
            dovecot: snapshot.dovecot,
            keys: snapshot.keys,
            databases: snapshot.databases,
            postfix: snapshot.postfix,
        }
    }
}

impl From<Letter> for Snapshot {
    fn from(letter: Letter) -> Snapshot {
        let base = &letter.postfix;
        let services = |rows: Vec<Row>| rows.into_iter().map(|row| row.into_service(base)).collect();
        Snapshot {
            services: services(letter.services),
            transports: services(letter.transports),
            cleanups: services(letter.cleanups),
            pickup: letter.pickup.map(|own| Box::new(own.from_base(base))),
            process_limits: letter.process_limits,
            dovecot: letter.dovecot,
            keys: letter.keys,
            databases: letter.databases,
            postfix: letter.postfix,
        }
    }
}

/// What master.cf says about its transports; a row without a limit may do as much as it likes.
fn process_limits(services: &[Service]) -> BTreeMap<String, usize> {
    let transports = services
        .iter()
        .filter(|service| service.service_type == ServiceType::Unix);
    transports
        .map(|service| (service.name.clone(), service.process_limit.unwrap_or(usize::MAX)))
        .collect()
}

fn pickup(services: &[Service]) -> Option<Box<Postfix>> {
    let row = services
        .iter()
        .find(|row| row.command == "pickup" && !row.overrides.is_empty());
    row.map(|row| Box::new(row.settings.clone()))
}

fn cleanups(services: &[Service]) -> Vec<Service> {
    let is_cleanup = |row: &&Service| row.command == "cleanup" && row.service_type != ServiceType::Inet;
    services.iter().filter(is_cleanup).cloned().collect()
}

fn transports(services: &[Service]) -> Vec<Service> {
    let transports = services.iter();
    transports
        .filter(|row| front::transports::is_transport(row))
        .cloned()
        .collect()
}

impl Snapshot {
    /// All of what was read.
    ///
    /// # Errors
    /// A certificate or key that cannot be read.
    pub fn of(loaded: &config::Loaded) -> anyhow::Result<Snapshot> {
        Ok(Snapshot {
            keys: Keys::read(loaded)?,
            ..Snapshot::without_keys(loaded)
        })
    }

    /// All but the keys.
    pub fn without_keys(loaded: &config::Loaded) -> Snapshot {
        let is_served = |service: &&Service| service.command == "smtpd";
        let mut snapshot = Snapshot {
            postfix: loaded.postfix.clone(),
            services: loaded.services.iter().filter(is_served).cloned().collect(),
            transports: transports(&loaded.services),
            cleanups: cleanups(&loaded.services),
            pickup: pickup(&loaded.services),
            process_limits: process_limits(&loaded.services),
            dovecot: loaded.dovecot.clone(),
            keys: Keys::default(),
            databases: Vec::new(),
        };
        let tables = crate::table_files::tables(&snapshot);
        snapshot.databases = tables
            .iter()
            .filter_map(tables::types::sqlite::database_of)
            .collect();
        snapshot
    }

    /// The same with another queue: the one that is in use.
    pub fn keep_queue(&mut self, directory: &std::path::Path) {
        let rows = self.services.iter_mut().chain(&mut self.transports);
        let rows = rows.chain(&mut self.cleanups);
        let of_services = rows.map(|service| &mut service.settings);
        let of_services = of_services.chain(self.pickup.as_deref_mut());
        for settings in of_services.chain([&mut self.postfix]) {
            settings.queue_directory = directory.to_owned();
        }
    }

    /// What the front sees: of the databases of users only that they are there.
    pub fn for_front(&self) -> Snapshot {
        Snapshot {
            dovecot: self.dovecot.as_ref().map(without_databases),
            ..self.clone()
        }
    }

    /// What the auth role sees: no keys, nothing about SMTP.
    pub fn for_auth(&self) -> Snapshot {
        Snapshot {
            services: Vec::new(),
            transports: Vec::new(),
            keys: Keys::default(),
            cleanups: Vec::new(),
            pickup: None,
            ..self.clone()
        }
    }

    /// The transports that are commands: an agent runs what master.cf says, not what it is told.
    fn pipes(&self) -> Vec<Service> {
        let transports = self.transports.iter();
        let pipes = transports.filter(|row| row.command == deliver_local::pipe::PROGRAM);
        pipes.cloned().collect()
    }

    /// What an agent sees: neither keys nor databases.
    pub fn for_agent(&self) -> Snapshot {
        Snapshot {
            services: Vec::new(),
            transports: self.pipes(),
            dovecot: self.dovecot.as_ref().map(without_databases),
            keys: Keys::default(),
            cleanups: Vec::new(),
            pickup: None,
            ..self.clone()
        }
    }
}

/// Passwords stand in the arguments and files of databases, the key's text perhaps in `ssl_key`.
fn without_databases(dovecot: &Dovecot) -> Dovecot {
    let passdbs = dovecot.passdbs.iter().map(|block| Passdb {
        name: block.name.clone(),
        driver: block.driver.clone(),
        ..Passdb::default()
    });
    let userdbs = dovecot.userdbs.iter().map(|block| Userdb {
        name: block.name.clone(),
        driver: block.driver.clone(),
        ..Userdb::default()
    });
    let is_harmless = |name: &str| !name.contains("pass") && !name.contains("sql") && !name.contains("ldap");
    let others = dovecot.others.iter().filter(|(name, _)| is_harmless(name));
    let others = others.map(|(name, text)| (name.clone(), text.clone()));
    Dovecot {
        passdbs: passdbs.collect(),
        userdbs: userdbs.collect(),
        ssl_key: String::new(),
        others: others.collect(),
        ..dovecot.clone()
    }
}
