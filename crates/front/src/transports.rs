//! The transports: services of master.cf that deliver, each under its own name and with its own settings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use deliver_remote::Remote;
use maillog::Log;
use settings::{Postfix, Service, ServiceType};

/// How a transport delivers: the program in master.cf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agent {
    /// smtp(8)
    Smtp,
    /// lmtp(8)
    Lmtp,
    /// local(8)
    Local,
    /// virtual(8)
    Virtual,
    /// pipe(8)
    Pipe,
    /// discard(8)
    Discard,
    /// error(8): the next hop says why mail is returned.
    Error,
    /// error(8) under the name `retry`: the next hop says why mail waits.
    Retry,
}

impl Agent {
    /// The agent of a service, if it is one that delivers.
    pub fn of(name: &str, command: &str) -> Option<Agent> {
        Some(match command {
            "smtp" => Agent::Smtp,
            "lmtp" => Agent::Lmtp,
            "local" => Agent::Local,
            "virtual" => Agent::Virtual,
            deliver_local::pipe::PROGRAM => Agent::Pipe,
            "discard" => Agent::Discard,
            "error" if name == "retry" => Agent::Retry,
            "error" => Agent::Error,
            _ => return None,
        })
    }

    /// The name of the program, in the log and in master.cf.
    pub fn program(self) -> &'static str {
        match self {
            Agent::Smtp => "smtp",
            Agent::Lmtp => "lmtp",
            Agent::Local => "local",
            Agent::Virtual => "virtual",
            Agent::Pipe => deliver_local::pipe::PROGRAM,
            Agent::Discard => "discard",
            Agent::Error | Agent::Retry => "error",
        }
    }

    /// Whether it speaks to other hosts.
    pub fn is_remote(self) -> bool {
        matches!(self, Agent::Smtp | Agent::Lmtp)
    }
}

/// The names that there are where master.cf names no transport at all: one that is only about ports.
const BUILT_IN: [(&str, &str); 8] = [
    ("discard", "discard"),
    ("error", "error"),
    ("lmtp", "lmtp"),
    ("local", "local"),
    ("relay", "smtp"),
    ("retry", "error"),
    ("smtp", "smtp"),
    ("virtual", "virtual"),
];

/// A transport.
pub struct Transport {
    /// How it delivers.
    pub agent: Agent,
    /// main.cf with the overrides of its row.
    pub settings: Arc<Postfix>,
    /// Its own way to other hosts, where its row has settings of its own.
    pub remote: Option<Remote>,
    /// The log under the name of its row (`-o syslog_name=`).
    pub log: Log,
}

/// All of them.
#[derive(Default)]
pub struct Transports(BTreeMap<String, Transport>);

impl Transports {
    /// Those that `rows` of master.cf name; `remote` makes the way to other hosts of a row that has settings of its own.
    ///
    /// # Errors
    /// What `remote` complains about.
    pub fn new<E>(
        rows: &[Service],
        (settings, log): (&Arc<Postfix>, &Log),
        remote: impl Fn(&Service, &Log) -> Result<Remote, E>,
    ) -> Result<Transports, E> {
        let mut transports = BTreeMap::new();
        for row in rows.iter().filter(|row| is_transport(row)) {
            let Some(agent) = Agent::of(&row.name, &row.command) else {
                continue;
            };
            let is_plain = row.overrides.is_empty();
            let log = if is_plain {
                log.clone()
            } else {
                log.named(&row.settings.syslog_name)
            };
            let own_remote = (agent.is_remote() && !is_plain).then(|| remote(row, &log));
            let transport = Transport {
                agent,
                settings: if is_plain {
                    Arc::clone(settings)
                } else {
                    Arc::new(row.settings.clone())
                },
                remote: own_remote.transpose()?,
                log,
            };
            transports.insert(row.name.clone(), transport);
        }
        if transports.is_empty() {
            transports = built_in(settings, log);
        }
        Ok(Transports(transports))
    }

    /// The transport of that name.
    pub fn find(&self, name: &str) -> Option<&Transport> {
        self.0.get(name)
    }
}

fn built_in(settings: &Arc<Postfix>, log: &Log) -> BTreeMap<String, Transport> {
    let transports = BUILT_IN.into_iter().filter_map(|(name, command)| {
        let transport = Transport {
            agent: Agent::of(name, command)?,
            settings: Arc::clone(settings),
            remote: None,
            log: log.clone(),
        };
        Some((name.to_owned(), transport))
    });
    transports.collect()
}

/// Whether a row of master.cf is a transport that can be used.
pub fn is_transport(row: &Service) -> bool {
    row.service_type == ServiceType::Unix && Agent::of(&row.name, &row.command).is_some()
}

/// The names of the transports that `rows` of master.cf make.
pub fn names(rows: &[Service]) -> BTreeSet<String> {
    let named: BTreeSet<String> = rows
        .iter()
        .filter(|row| is_transport(row))
        .map(|row| row.name.clone())
        .collect();
    match named.is_empty() {
        true => BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect(),
        false => named,
    }
}
