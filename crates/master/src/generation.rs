//! The services as one reading of the configuration makes them. A reload builds a new generation beside the old one;
//! conversations under way keep theirs, new ones get the new.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use auth::Authority;
use deliver_local::Local;
use deliver_local::pipe::Pipes;
use deliver_local::task::Agents;
use deliver_remote::{OwnCertificates, Remote};
use front::Front;
use front::agency::Agency;
use front::cleanup::Services as Cleanups;
use front::lmtp::Lmtp;
use front::login::LoginService;
use front::qmgr;
use front::smtpd::Smtpd;
use front::transports::Transports;
use maillog::Log;
use queue::Spool;
use route::Router;
use serve::handover::Protocol;
use settings::{Dovecot, Postfix, Service};

use crate::auth_sockets;
use crate::certificates::Certificates;
use crate::glue::{Doors, Host, LocalAgency, Users};
use crate::listeners::Purpose;
use crate::snapshot::Snapshot;

/// What outlives a generation.
#[derive(Clone)]
pub struct Kept {
    /// The queue and its driver; there are none when only mailboxes are served.
    pub queue: Option<(Spool, qmgr::Handle)>,
    /// The log.
    pub log: Log,
    /// How often SMTP clients come.
    pub anvil: Arc<access::Anvil>,
    /// Which addresses mail would reach.
    pub verifications: Arc<front::verify::Verifications>,
    /// How many sessions mailbox users have.
    pub connections: Arc<front::connections::Connections>,
    /// Which clients may connect at all.
    pub hosts: Arc<front::hosts_access::HostsAccess>,
}

/// The services.
pub struct Generation {
    /// The MTA, unless only mailboxes are served.
    pub front: Option<Arc<Front>>,
    /// The agents.
    pub agency: Arc<dyn Agency>,
    smtpds: HashMap<String, Arc<Smtpd>>,
    logins: HashMap<(Protocol, bool), Arc<LoginService>>,
    lmtps: HashMap<bool, Arc<Lmtp>>,
}

impl Generation {
    /// Whether anybody can read mail here.
    pub fn serves_mailboxes(&self) -> bool {
        !self.logins.is_empty()
    }

    /// Builds the services; `warn` is told what will not work.
    ///
    /// # Errors
    /// What makes a service impossible.
    pub fn build(
        snapshot: &Snapshot,
        kept: &Kept,
        doors: Doors,
        certificates: &Certificates,
    ) -> Result<Generation> {
        let Doors {
            authority: auth,
            agents,
            sessions,
        } = doors;
        let dovecot = snapshot.dovecot.clone().map(Arc::new);
        let settings = Arc::new(snapshot.postfix.clone());
        let own_addresses = own_addresses(&settings);
        let users = Arc::new(Users(Arc::clone(&auth)));
        let directory = Arc::clone(&users) as Arc<dyn route::Directory>;
        let (router, problems) = Router::new(Arc::clone(&settings), own_addresses.clone(), directory);
        // Where only mailboxes are served nobody asks the tables of main.cf.
        let serves_mta = kept.queue.is_some();
        problems
            .iter()
            .filter(|_| serves_mta)
            .for_each(|problem| kept.log.error("trivial-rewrite", &problem.to_string()));
        let warn = |service| match serves_mta {
            true => warnings_to(&kept.log, service),
            false => Arc::new(|_: &str| {}) as tables::Tell,
        };
        let router = Arc::new(router.telling(&warn("trivial-rewrite"), &warn("smtpd")));
        let probe_router = match route::probes::settings_of(&settings) {
            None => Arc::clone(&router),
            Some(own) => {
                // What is wrong with other tables was told.
                let (router, _) = Router::new(Arc::new(own), own_addresses.clone(), users);
                Arc::new(router.telling(&warn("trivial-rewrite"), &warn("smtpd")))
            }
        };
        let host = Host {
            auth: Arc::clone(&auth),
            router: Arc::clone(&router),
        };
        let lmtps = match &dovecot {
            Some(dovecot) => lmtps((dovecot, &settings), (&auth, &agents), kept, certificates),
            None => HashMap::new(),
        };
        let host = Arc::new(host);
        let (local, problems) = Local::new(Arc::clone(&settings), host, Arc::clone(&agents));
        problems
            .iter()
            .filter(|_| serves_mta)
            .for_each(|problem| kept.log.error("local", &problem.to_string()));
        let local = local.telling(&warn("local"), &warn("virtual"));
        let agency: Arc<dyn Agency> = Arc::new(LocalAgency {
            local,
            pipes: Pipes::of(&snapshot.transports),
            agents,
            sessions,
        });
        let front = match kept.queue.clone() {
            None => None,
            Some((spool, qmgr)) => {
                // One for each side: a crowd of clients whose names nobody tells does not hold up what is sent.
                let dns = resolver(&settings)?;
                let remote = remote(&settings, &certificates.remote)?;
                let remote = remote.logging_to(kept.log.clone());
                let own_remote = |row: &Service, log: &Log| own_remote(row, &certificates.remote, log);
                let transports = Transports::new(&snapshot.transports, (&settings, &kept.log), own_remote)?;
                let (settings, auth, log) = (Arc::clone(&settings), Arc::clone(&auth), kept.log.clone());
                let pickup = pickup_settings(snapshot, &settings);
                Some(Arc::new(Front {
                    cleanups: Cleanups::open((&settings, &pickup), &snapshot.cleanups, &router, &log),
                    pickup,
                    settings,
                    spool,
                    router,
                    probe_router,
                    own_addresses,
                    auth,
                    hosts: dns::HostsFile::of_system(),
                    dns,
                    process_limits: snapshot.process_limits.clone(),
                    remote,
                    transports,
                    anvil: Arc::clone(&kept.anvil),
                    verifications: Arc::clone(&kept.verifications),
                    log,
                    qmgr,
                }))
            }
        };
        let smtpds = match &front {
            Some(front) => smtpds(front, snapshot, certificates),
            None => HashMap::new(),
        };
        let logins = match &dovecot {
            Some(dovecot) => logins(dovecot, &auth, kept, &agency, certificates),
            None => HashMap::new(),
        };
        Ok(Generation {
            front,
            agency,
            smtpds,
            logins,
            lmtps,
        })
    }

    /// What answers for a purpose.
    pub fn smtpd(&self, purpose: &Purpose) -> Option<Arc<Smtpd>> {
        match purpose {
            Purpose::Smtpd(name) => self.smtpds.get(name).cloned(),
            Purpose::Login(..) | Purpose::Lmtp(_) => None,
        }
    }

    /// What answers for a purpose.
    pub fn lmtp(&self, purpose: &Purpose) -> Option<Arc<Lmtp>> {
        match purpose {
            Purpose::Lmtp(implicit_tls) => self.lmtps.get(implicit_tls).cloned(),
            Purpose::Login(..) | Purpose::Smtpd(_) => None,
        }
    }

    /// What answers for a purpose.
    pub fn login(&self, purpose: &Purpose) -> Option<Arc<LoginService>> {
        match purpose {
            Purpose::Login(protocol, implicit_tls) => self.logins.get(&(*protocol, *implicit_tls)).cloned(),
            Purpose::Smtpd(_) | Purpose::Lmtp(_) => None,
        }
    }
}

/// What holds for mail that users leave in the maildrop.
fn pickup_settings(snapshot: &Snapshot, main: &Arc<Postfix>) -> Arc<Postfix> {
    match &snapshot.pickup {
        Some(own) => Arc::new(Postfix::clone(own)),
        None => Arc::clone(main),
    }
}

/// Where the warnings of tables go that a service asks.
pub(crate) fn warnings_to(log: &Log, service: &'static str) -> tables::Tell {
    let log = log.clone();
    Arc::new(move |text| log.warning(service, text))
}

fn smtpds(
    front: &Arc<Front>,
    snapshot: &Snapshot,
    certificates: &Certificates,
) -> HashMap<String, Arc<Smtpd>> {
    let mut smtpds = HashMap::new();
    for service in &snapshot.services {
        let settings = Arc::new(service.settings.clone());
        let tls = certificates.smtpd.get(&service.name).cloned();
        let asked = auth_sockets::asked_by(&settings, snapshot.dovecot.as_ref());
        let mut smtpd = Smtpd::new(Arc::clone(front), &service.name, settings, tls);
        if let Some(asked) = asked {
            smtpd = smtpd.asking(asked);
        }
        smtpds.insert(service.name.clone(), Arc::new(smtpd));
    }
    smtpds
}

fn logins(
    dovecot: &Arc<Dovecot>,
    auth: &Arc<dyn Authority>,
    kept: &Kept,
    agency: &Arc<dyn Agency>,
    certificates: &Certificates,
) -> HashMap<(Protocol, bool), Arc<LoginService>> {
    let mut logins = HashMap::new();
    for protocol in [Protocol::Imap, Protocol::Pop3] {
        for implicit_tls in [false, true] {
            let service = LoginService {
                protocol,
                settings: Arc::clone(dovecot),
                tls: certificates.mailboxes.clone(),
                implicit_tls,
                auth: Arc::clone(auth),
                log: kept.log.clone(),
                agency: Arc::clone(agency),
                connections: Arc::clone(&kept.connections),
            };
            logins.insert((protocol, implicit_tls), Arc::new(service));
        }
    }
    logins
}

fn lmtps(
    (dovecot, postfix): (&Arc<Dovecot>, &Arc<Postfix>),
    (auth, agents): (&Arc<dyn Authority>, &Arc<dyn Agents>),
    kept: &Kept,
    certificates: &Certificates,
) -> HashMap<bool, Arc<Lmtp>> {
    let services = [false, true].map(|implicit_tls| {
        let service = Lmtp {
            settings: Arc::clone(dovecot),
            general: Arc::clone(dovecot),
            hostname: postfix.myhostname.clone(),
            tls: certificates.mailboxes.as_ref().map(|tls| Arc::clone(&tls.config)),
            implicit_tls,
            authority: Arc::clone(auth),
            agents: Arc::clone(agents),
            names_rules: postfix.yubin_log_rules,
            log: kept.log.clone(),
        };
        (implicit_tls, Arc::new(service))
    });
    HashMap::from(services)
}

/// What mail for other hosts needs.
///
/// # Errors
/// What makes it impossible.
pub(crate) fn remote(settings: &Postfix, certificates: &OwnCertificates) -> Result<Remote> {
    let (dns, own) = (resolver(settings)?, own_addresses(settings));
    Ok(Remote::with_certificates((settings, certificates), dns, own)?)
}

/// What mail by a transport needs that has settings of its own.
fn own_remote(row: &Service, certificates: &OwnCertificates, log: &Log) -> Result<Remote> {
    let place = || format!("master.cf:{}: {}", row.line, row.name);
    let remote = remote(&row.settings, certificates).with_context(place)?;
    Ok(remote.logging_to(log.clone()))
}

/// Asks the servers of `yubin_dns_servers`, or those of the system as they are at this moment.
pub(crate) fn resolver(settings: &Postfix) -> Result<Arc<dyn dns::Dns>> {
    let configuration = dns::Configuration::of_system();
    let configuration = configuration
        .asking(&settings.yubin_dns_servers)
        .map_err(|error| anyhow!("cannot use yubin_dns_servers: {error}"))?;
    Ok(Arc::new(dns::Resolver::new(configuration)))
}

/// The addresses on which this host receives mail, for `user@[192.0.2.1]` and for knowing local clients.
pub fn own_addresses(settings: &Postfix) -> Vec<IpAddr> {
    use std::net::{Ipv4Addr, Ipv6Addr};
    let mut addresses = Vec::new();
    for word in settings.inet_interfaces.iter().chain(&settings.proxy_interfaces) {
        match word.as_str() {
            "all" => {
                let found = os::interfaces::addresses().unwrap_or_default();
                addresses.extend(found.iter().map(|interface| interface.address));
            }
            "loopback-only" => {
                addresses.extend([IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()])
            }
            word => addresses.extend(word.parse::<IpAddr>()),
        }
    }
    addresses
}
