//! Lines of the supervisors: `postfix-script`, `master`, and `master` of the mailbox services.

use super::say;
use crate::{Line, Severity, Tag};

/// What `postfix start|stop|reload|status…` announces, as `postfix/postfix-script`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// `starting the Postfix mail system`
    Starting,
    /// `stopping the Postfix mail system`
    Stopping,
    /// `aborting the Postfix mail system`
    Aborting,
    /// `refreshing the Postfix mail system`
    Refreshing,
    /// `the Postfix mail system is running: PID: 4711`
    Running {
        /// Its process id.
        process: u32,
    },
    /// `the Postfix mail system is not running`
    NotRunning,
}

impl Line for Script {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("postfix-script")
    }
    fn text(&self, out: &mut String) {
        let verb = match self {
            Script::Starting => "starting",
            Script::Stopping => "stopping",
            Script::Aborting => "aborting",
            Script::Refreshing => "refreshing",
            Script::Running { process } => {
                say!(out, "the Postfix mail system is running: PID: {process}");
                return;
            }
            Script::NotRunning => {
                say!(out, "the Postfix mail system is not running");
                return;
            }
        };
        say!(out, "{verb} the Postfix mail system");
    }
}

/// `daemon started -- version 3.7.11, configuration /etc/postfix`
#[derive(Debug)]
pub struct Started<'a> {
    /// The version to show.
    pub version: &'a str,
    /// The configuration directory.
    pub configuration: &'a str,
}

impl Line for Started<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("master")
    }
    fn text(&self, out: &mut String) {
        say!(
            out,
            "daemon started -- version {}, configuration {}",
            self.version,
            self.configuration
        );
    }
}

/// `reload -- version 3.7.11, configuration /etc/postfix`
#[derive(Debug)]
pub struct Reloaded<'a> {
    /// The version to show.
    pub version: &'a str,
    /// The configuration directory.
    pub configuration: &'a str,
}

impl Line for Reloaded<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("master")
    }
    fn text(&self, out: &mut String) {
        say!(
            out,
            "reload -- version {}, configuration {}",
            self.version,
            self.configuration
        );
    }
}

/// `terminating on signal 15`
#[derive(Debug)]
pub struct Terminating {
    /// The signal's number.
    pub signal: i32,
}

impl Line for Terminating {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("master")
    }
    fn text(&self, out: &mut String) {
        say!(out, "terminating on signal {}", self.signal);
    }
}

/// What the supervisor of the mailbox services says.
#[derive(Debug)]
pub enum Mailbox<'a> {
    /// `Dovecot v2.3.19 (…) starting up for imap, pop3`
    Started {
        /// The product and version to show.
        version: &'a str,
        /// The protocols that are served.
        protocols: &'a str,
    },
    /// `SIGHUP received - reloading configuration`
    Reloading,
    /// `Killed with signal 15`
    Killed {
        /// The signal's number.
        signal: i32,
    },
}

impl Line for Mailbox<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mailbox("master")
    }
    fn severity(&self) -> Severity {
        match self {
            Mailbox::Started { .. } => Severity::Info,
            Mailbox::Reloading | Mailbox::Killed { .. } => Severity::Warning,
        }
    }
    fn text(&self, out: &mut String) {
        match self {
            Mailbox::Started { version, protocols } => say!(out, "{version} starting up for {protocols}"),
            Mailbox::Reloading => say!(out, "SIGHUP received - reloading configuration"),
            Mailbox::Killed { signal } => say!(out, "Killed with signal {signal}"),
        }
    }
}
