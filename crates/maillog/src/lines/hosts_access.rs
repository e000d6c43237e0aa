//! What hosts.allow and hosts.deny refuse, said by the service that was called.

use std::net::IpAddr;

use super::say;
use crate::{Line, Severity, Tag};

/// `refused connect from mx.example.org (192.0.2.9): /etc/hosts.deny:3`, beginning as tcpd(8) says it.
#[derive(Debug)]
pub struct Refused<'a> {
    /// The service.
    pub tag: Tag<'a>,
    /// The client's name, if it is known and was asked for.
    pub name: Option<&'a str>,
    /// The client's address.
    pub address: IpAddr,
    /// The file and line that refuse, or why nobody could tell.
    pub place: &'a str,
}

impl Line for Refused<'_> {
    fn tag(&self) -> Tag<'_> {
        self.tag
    }
    fn severity(&self) -> Severity {
        Severity::Warning
    }
    fn text(&self, out: &mut String) {
        let name = self.name.unwrap_or("unknown");
        say!(
            out,
            "refused connect from {name} ({}): {}",
            self.address,
            self.place
        );
    }
}
