//! A row of `master.cf`: what listens where, as whom, and with which settings of its own (master(5)).

use std::time::Duration;

use crate::{Differences, Postfix};

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
#[derive(Debug, Clone)]
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

/// A row on its way to another process that has main.cf already: without what is the same there.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Row {
    name: String,
    service_type: ServiceType,
    private: bool,
    unprivileged: bool,
    chroot: bool,
    wakeup: Duration,
    wakeup_if_used: bool,
    process_limit: Option<usize>,
    command: String,
    args: Vec<String>,
    overrides: Vec<(String, String)>,
    line: usize,
    differences: Box<Differences>,
}

impl Row {
    /// The row as it was, from the main.cf that it was made with.
    pub fn into_service(self, base: &Postfix) -> Service {
        Service {
            name: self.name,
            service_type: self.service_type,
            private: self.private,
            unprivileged: self.unprivileged,
            chroot: self.chroot,
            wakeup: self.wakeup,
            wakeup_if_used: self.wakeup_if_used,
            process_limit: self.process_limit,
            command: self.command,
            args: self.args,
            overrides: self.overrides,
            line: self.line,
            settings: self.differences.from_base(base),
        }
    }
}

impl Service {
    /// What is to be told of it to somebody who has `base`, the settings of main.cf.
    pub fn to_row(&self, base: &Postfix) -> Row {
        Row {
            name: self.name.clone(),
            service_type: self.service_type,
            private: self.private,
            unprivileged: self.unprivileged,
            chroot: self.chroot,
            wakeup: self.wakeup,
            wakeup_if_used: self.wakeup_if_used,
            process_limit: self.process_limit,
            command: self.command.clone(),
            args: self.args.clone(),
            overrides: self.overrides.clone(),
            line: self.line,
            differences: Box::new(self.settings.differences(base)),
        }
    }

    /// The host and the port or service name of an `inet` row: `127.0.0.1:2525` → (`127.0.0.1`, `2525`); without a
    /// host (all of `inet_interfaces`) the first is empty. Brackets around an IPv6 address are taken off.
    pub fn host_and_port(&self) -> (&str, &str) {
        match self.name.rsplit_once(':') {
            Some((host, port)) => (host.trim_start_matches('[').trim_end_matches(']'), port),
            None => ("", &self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Surroundings, Values};

    fn settings(of: &[(&str, &str)]) -> Postfix {
        let mut values = Values::new(&Surroundings::default());
        for (name, text) in of {
            values.set(name, text);
        }
        let (settings, wrong) = Postfix::from_values(&values);
        assert!(wrong.is_empty(), "{wrong:?}");
        settings
    }

    #[test]
    fn a_row_says_only_what_is_its_own() {
        let networks: Vec<String> = (0..=255).map(|number| format!("192.0.2.{number}/32")).collect();
        let networks = ("mynetworks", networks.join(" "));
        let base = settings(&[(networks.0, &networks.1), ("relayhost", "[a.test]")]);
        let own = settings(&[
            (networks.0, &networks.1),
            ("syslog_name", "other"),
            ("relayhost", ""),
            ("smtpd_tls_security_level", "may"),
            ("my_class", "permit"),
        ]);
        let row = Service {
            name: "smtp".to_owned(),
            service_type: ServiceType::Inet,
            private: false,
            unprivileged: true,
            chroot: false,
            wakeup: Duration::ZERO,
            wakeup_if_used: false,
            process_limit: Some(7),
            command: "smtpd".to_owned(),
            args: Vec::new(),
            overrides: vec![("relayhost".to_owned(), String::new())],
            settings: own,
            line: 3,
        };
        let told = serde_json::to_string(&row.to_row(&base)).expect("text");
        assert!(told.len() < 700 && !told.contains("mynetworks"), "{told}");
        let back: Row = serde_json::from_str(&told).expect("a row");
        let back = back.into_service(&base);
        assert_eq!((&back.settings, back.line), (&row.settings, 3));
        assert_eq!(back.process_limit, row.process_limit);
    }
}
