//! Clients that do not wait for answers where they must (RFC 2920 §3.1): the machine sees what was read, here is what was not.

use maillog::lines::smtpd as lines;
use serve::Link;
use smtp::server::{Event, HeloVerb};

use super::session::Session;

impl Session {
    /// The log knows of it, and `reject_unauth_pipelining` from now on.
    pub(super) fn speaks_ahead(&mut self, command: &str, unread: &str) {
        self.spoke_ahead = true;
        self.service.log.write(&lines::ImproperPipelining {
            after: command,
            peer: self.peer(),
            unread,
        });
    }

    /// Whether the client said more behind this command than it may, and the session ends for that
    /// (`smtpd_forbid_unauth_pipelining`).
    pub(super) fn is_out_of_step(&mut self, event: &Event, link: &Link) -> bool {
        let (command, must_wait) = match event {
            Event::Helo {
                verb: HeloVerb::Helo, ..
            } => ("HELO", true),
            Event::Helo { .. } => ("EHLO", true),
            Event::Data { chunked: false } => ("DATA", true),
            Event::Vrfy { .. } => ("VRFY", true),
            Event::Mail { .. } => ("MAIL", false),
            Event::Rcpt { .. } => ("RCPT", false),
            Event::Etrn { .. } => ("ETRN", false),
            _ => return false,
        };
        let may = self.protocol() == "ESMTP" && !must_wait;
        if may || self.spoke_ahead || !link.has_unread() {
            return false;
        }
        self.speaks_ahead(command, "");
        self.service.settings.smtpd_forbid_unauth_pipelining
    }
}
