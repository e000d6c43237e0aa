//! A row of `master.cf`: what listens where, as whom, and with which settings of its own (master(5)).

use std::time::Duration;

use crate::Postfix;

/// The second field of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ServiceType {
    /// A TCP port.
    Inet,
    /// A stream socket in the file system.
    Unix,
    /// A datagram socket in the file system.
    UnixDgram,
    /// A named pipe.
    Fifo,
    /// A socket on which descriptors are handed over.
    Pass,
}

impl ServiceType {
    /// The word in master.cf.
    pub fn as_str(self) -> &'static str {
        match self {
            ServiceType::Inet => "inet",
            ServiceType::Unix => "unix",
            ServiceType::UnixDgram => "unix-dgram",
            ServiceType::Fifo => "fifo",
            ServiceType::Pass => "pass",
        }
    }

    /// The type a word names.
    pub fn of(word: &str) -> Option<ServiceType> {
        [
            ServiceType::Inet,
            ServiceType::Unix,
            ServiceType::UnixDgram,
            ServiceType::Fifo,
            ServiceType::Pass,
        ]
        .into_iter()
        .find(|service_type| service_type.as_str() == word)
    }
}

/// A row of `master.cf`, defaults filled in.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Service {
    /// `smtp`, `127.0.0.1:2525`, `[::1]:submission`, `cleanup`: for `inet` a port with an optional host before it.
    pub name: String,
    /// What kind of socket.
    pub service_type: ServiceType,
    /// Only for the mail system.
    pub private: bool,
    /// Runs as `mail_owner`.
    pub unprivileged: bool,
    /// Runs in the queue directory. Accepted without effect: Yubin locks itself in otherwise.
    pub chroot: bool,
    /// Woken up this often; zero: never.
    pub wakeup: Duration,
    /// `?` after the wake-up time: only when the service is in use.
    pub wakeup_if_used: bool,
    /// How many processes; `None`: no limit. For Yubin: how many sessions' worth of work at once.
    pub process_limit: Option<usize>,
    /// `smtpd`, `cleanup`, `qmgr` …
    pub command: String,
    /// What follows the command, `-o` overrides taken out, braces taken off.
    pub args: Vec<String>,
    /// `-o name=value` as written, in order.
    pub overrides: Vec<(String, String)>,
    /// `main.cf` with the overrides applied: what this service reads.
    pub settings: Postfix,
    /// The line of master.cf where the row starts.
    pub line: usize,
}

impl Service {
    /// The host and the port or service name of an `inet` row: `127.0.0.1:2525` → (`127.0.0.1`, `2525`); without a
    /// host (all of `inet_interfaces`) the first is empty. Brackets around an IPv6 address are taken off.
    pub fn host_and_port(&self) -> (&str, &str) {
        match self.name.rsplit_once(':') {
            Some((host, port)) => (host.trim_start_matches('[').trim_end_matches(']'), port),
            None => ("", &self.name),
        }
    }
}
