//! Whether a client may do what it asks: restriction lists, one file per restriction.
//!
//! In charge of `smtpd_client_restrictions` to `smtpd_end_of_data_restrictions`, their order and the replies that
//! refuse, of how often a client may come ([`Anvil`]), and of hosts.allow and hosts.deny ([`hosts_access`]). Not in charge of the SMTP dialogue, of routing or of logging. Entry: [`Access`]; the restrictions that
//! exist are in [`restrictions::RESTRICTIONS`].
//!
//! Sources: SMTPD_ACCESS_README, postconf(5). Tables (`check_*_access`), policy services and DNS are not there yet:
//! a list that names one is reported when the configuration is read, and refuses nobody because of it ([`review`]).

pub mod hosts_access;
pub mod limits;
pub mod lists;
pub mod request;
pub mod restrictions;
pub mod review;

pub use limits::{Anvil, Excess, Happening};
pub use lists::{Access, Stage};
pub use request::{Client, Refusal, Request};
pub use review::Gap;

/// What a restriction or a list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// `OK`: the rest of the list is not asked.
    Permit,
    /// No opinion.
    Dunno,
    /// Refused, for good or for now.
    Refuse(Refusal),
}
