//! The role that speaks to the network and owns the queue.
//!
//! In charge of: SMTP sessions ([`smtpd`]), LMTP ([`lmtp`]), the login phases of IMAP and POP3 ([`login`]), everything on its way
//! into the queue ([`cleanup`], [`pickup`]), the queue's driver ([`qmgr`]) the socket that commands talk to
//! ([`control`]), and hosts.allow at every door ([`hosts_access`]). Decisions are made below (access, route, intake, queue); this crate carries events and answers
//! between machines, disks and peers. It never sees users' files: deliveries and sessions go to the agent
//! through [`agency::Agency`].

pub mod agency;
pub mod authenticate;
pub mod cleanup;
pub mod connections;
pub mod control;
pub mod explain;
pub mod hosts_access;
pub mod limits;
pub mod lmtp;
pub mod login;
mod milters;
pub mod notices;
pub mod pickup;
pub mod qmgr;
pub mod smtpd;
pub mod transports;
pub mod verify;

use std::sync::Arc;

use machine::SECOND;
use maillog::Log;
use queue::Spool;
use route::Router;
use settings::Postfix;

/// What every part of the front shares.
pub struct Front {
    /// main.cf.
    pub settings: Arc<Postfix>,
    /// The same with what the row of pickup in master.cf overrides.
    pub pickup: Arc<Postfix>,
    /// The queue on disk.
    pub spool: Spool,
    /// What is done to mail on its way into the queue.
    pub cleanups: cleanup::Services,
    /// Where recipients go.
    pub router: Arc<Router>,
    /// Where probes of addresses go.
    pub probe_router: Arc<Router>,
    /// The addresses on which this host receives mail.
    pub own_addresses: Vec<std::net::IpAddr>,
    /// Who may log in.
    pub auth: Arc<dyn auth::Authority>,
    /// The names of clients that need no DNS.
    pub hosts: dns::HostsFile,
    /// The names of other clients, and what else DNS says.
    pub dns: Arc<dyn dns::Dns>,
    /// How many deliveries at once a transport may make (maxproc of its line in master.cf), where that is said.
    pub process_limits: std::collections::BTreeMap<String, usize>,
    /// Mail for other hosts.
    pub remote: deliver_remote::Remote,
    /// What master.cf delivers by.
    pub transports: transports::Transports,
    /// How often clients come.
    pub anvil: Arc<access::Anvil>,
    /// Which addresses mail would reach.
    pub verifications: Arc<verify::Verifications>,
    /// The log.
    pub log: Log,
    /// The queue's driver.
    pub qmgr: qmgr::Handle,
}

/// A moment in the local zone.
pub(crate) fn local_date(micros: i64) -> message::date::Date {
    let secs = micros / SECOND;
    message::date::Date {
        secs,
        offset_secs: intake::date::local_offset_secs(secs),
    }
}
