//! Whether a client may do what it asks: restriction lists, one file per restriction.
//!
//! In charge of `smtpd_client_restrictions` to `smtpd_end_of_data_restrictions`, their order and the replies that refuse, of
//! access(5) tables and what they say, of the questions to policy services and to DNS, of how often a client may come
//! ([`Anvil`]), and of hosts.allow and hosts.deny ([`hosts_access`]). Not in charge of the SMTP dialogue, of routing, of logging,
//! or of connections: what is asked of others goes through [`Outside`].
//!
//! Entry: [`Access`], which answers with an [`Outcome`]: the refusal and its [`Rule`], what the log is to say, and the trace of
//! what was looked at. The restrictions that exist are in [`restrictions::RESTRICTIONS`]; what a list asks for and does not get, is reported when
//! the configuration is read ([`review`]).
//!
//! Sources: SMTPD_ACCESS_README, SMTPD_POLICY_README, RESTRICTION_CLASS_README, access(5), postconf(5).
//! Limits: [`evaluation::DEPTH_MAX`], [`dnsbl::REASON_BYTES_MAX`], [`servers::SERVERS_MAX`],
//! [`rule::RULE_BYTES_MAX`].

pub mod access_tables;
mod actions;
pub mod dnsbl;
pub mod evaluation;
pub mod footers;
pub mod hosts_access;
pub mod limits;
pub mod lists;
pub mod names;
pub mod outcome;
pub mod outside;
pub mod policy;
pub mod request;
pub mod restrictions;
pub mod review;
pub mod rewrite_clients;
pub mod rule;
pub mod servers;
pub mod verification;

pub use evaluation::Memory;
pub use footers::{Footer, Footers};
pub use limits::{Anvil, Excess, Happening, Limit};
pub use lists::{Access, Asked, Stage};
pub use outcome::{Actions, Decided, Note, Outcome, Step, Word};
pub use outside::{Outside, Waiting};
pub use request::{Certificate, Client, Refusal, Request, Tls};
pub use review::Gap;
pub use rule::Rule;

/// What a restriction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// `OK`: the rest of the list is not asked.
    Permit,
    /// No opinion.
    Dunno,
    /// Refused, for good or for now.
    Refuse(Refusal),
    /// Refused for good or for now, with an enhanced code in the place of that of a table or a transport, which does not fit what the
    /// refusal is about; the log tells both.
    RefuseMapped(Refusal, Note),
    /// Refused because the question cannot be answered; `warn_if_reject` does not change that.
    Fail(Refusal),
    /// Refused for now, if nothing behind it refuses for good.
    DeferIfPermit(Refusal),
    /// What refuses for good from now on, refuses for now, and in these words.
    DeferIfReject(Refusal),
    /// A table or a policy service has something to say.
    Says(Box<Saying>),
    /// A table has something to say of several keys: of the next one, when what was said of the one before leaves it open.
    SaysAll(Vec<Saying>),
}

/// What a table, or a policy service, says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saying {
    /// An action or restrictions, as access(5) has them.
    pub value: String,
    /// What stands in the table, where the action is that in other words.
    pub written: Option<String>,
    /// The table or service, as the list names it.
    pub source: String,
    /// What was looked up there.
    pub key: String,
    /// What replies are about.
    pub about: About,
    /// `OK` is a mistake here: whoever owns the name in question could let himself in.
    pub may_permit: bool,
}

/// What a refusal is about: `<x@y>: Sender address rejected`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Between the angle brackets.
    pub name: String,
    /// `Sender address` …
    pub class: &'static str,
}

impl About {
    /// About `name`, a thing of this class.
    pub fn new(name: &str, class: &'static str) -> About {
        About {
            name: name.to_owned(),
            class,
        }
    }

    /// A refusal: `<x@y>: Sender address rejected: TEXT`.
    pub fn refusal(&self, code: u16, status: envelope::StatusCode, text: &str) -> Refusal {
        Refusal::new(
            code,
            status,
            format!("<{}>: {} rejected: {text}", self.name, self.class),
        )
    }

    /// The same without the class: `<x@y>: TEXT`.
    pub fn bare(&self, code: u16, status: envelope::StatusCode, text: &str) -> Refusal {
        Refusal::new(code, status, format!("<{}>: {text}", self.name))
    }

    /// The enhanced code as it fits an address of this kind: codes about recipients (5.1.1) have another detail for senders, and
    /// the other way round (RFC 3463 §3.2), and none is for what is no address. Codes that are not about addresses stay.
    pub fn fitting(&self, status: envelope::StatusCode) -> envelope::StatusCode {
        if status.subject != 1 {
            return status;
        }
        let (subject, detail) = match (self.class, status.detail) {
            (lists::SENDER, 1 | 3 | 4 | 6 | 7) => (1, 7),
            (lists::SENDER, 2 | 8) => (1, 8),
            (lists::RECIPIENT, 7) => (1, 3),
            (lists::RECIPIENT, 8) => (1, 2),
            (lists::RECIPIENT, detail @ 0..=6) => (1, detail),
            (lists::SENDER | lists::RECIPIENT, _) => (1, 0),
            _ => (0, 0),
        };
        envelope::StatusCode {
            subject,
            detail,
            ..status
        }
    }

    /// A refusal with an enhanced code as somebody else has it, which becomes one that fits.
    pub(crate) fn refused_fittingly(&self, code: u16, said: envelope::StatusCode, text: &str) -> Verdict {
        let fitting = self.fitting(said);
        let refusal = self.refusal(code, fitting, text);
        match fitting == said {
            true => Verdict::Refuse(refusal),
            false => Verdict::RefuseMapped(refusal, self.mapped(said)),
        }
    }

    /// What the log says of `said`, which does not fit.
    pub(crate) fn mapped(&self, said: envelope::StatusCode) -> Note {
        Note::StatusMapped {
            from: said,
            class: self.class,
            to: self.fitting(said),
        }
    }

    /// A table or a directory cannot be asked; never "not found".
    pub fn lookup_failed(&self) -> Verdict {
        Verdict::Fail(self.bare(
            451,
            envelope::StatusCode::temporary(3, 0),
            "Temporary lookup failure",
        ))
    }
}

/// The list makes no sense; the log says why.
pub(crate) fn misconfigured() -> Refusal {
    Refusal::new(
        451,
        envelope::StatusCode::temporary(3, 5),
        "Server configuration error".to_owned(),
    )
}
