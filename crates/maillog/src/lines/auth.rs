//! Lines of the service that verifies passwords. No password is ever in one.

use std::net::IpAddr;

use super::say;
use crate::{Line, Severity, Tag};

/// `auth: passwd-file(alice,127.0.0.1,<TYkm…>): Password mismatch` (`auth_verbose`)
#[derive(Debug)]
pub struct Refused<'a> {
    /// The passdb that decided: `passwd-file`, `static`, `passwd`.
    pub database: &'a str,
    /// The name that was tried.
    pub user: &'a str,
    /// From where.
    pub remote: Option<IpAddr>,
    /// The session id; empty when there is none.
    pub session: &'a str,
    /// `Password mismatch`, `unknown user` …
    pub reason: &'a str,
    /// `Info` for a peer's mistake, `Error` for ours.
    pub severity: Severity,
}

impl Line for Refused<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mailbox("auth")
    }
    fn severity(&self) -> Severity {
        self.severity
    }
    fn text(&self, out: &mut String) {
        say!(out, "{}({}", self.database, self.user);
        if let Some(remote) = self.remote {
            say!(out, ",{remote}");
        }
        if !self.session.is_empty() {
            say!(out, ",<{}>", self.session);
        }
        say!(out, "): {}", self.reason);
    }
}

/// `auth: Debug: passwd-file(alice,127.0.0.1): Performing passdb lookup` (`auth_debug`)
#[derive(Debug)]
pub struct Noted<'a> {
    /// The passdb or userdb, `auth` for what is none's.
    pub database: &'a str,
    /// Who is looked up.
    pub user: &'a str,
    /// From where.
    pub remote: Option<IpAddr>,
    /// Whether a master user's password is looked at.
    pub is_master: bool,
    /// What happens.
    pub text: &'a str,
    /// `Debug`, or `Info` for events.
    pub severity: Severity,
}

impl Line for Noted<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mailbox("auth")
    }
    fn severity(&self) -> Severity {
        self.severity
    }
    fn text(&self, out: &mut String) {
        say!(out, "{}({}", self.database, self.user);
        if let Some(remote) = self.remote {
            say!(out, ",{remote}");
        }
        if self.is_master {
            say!(out, ",master");
        }
        say!(out, "): {}", self.text);
    }
}
