//! The lines, one file per daemon name that says them, and the parts they share.

pub mod anvil;
pub mod auth;
pub mod bounce;
pub mod cleanup;
pub mod delivery;
pub mod hosts_access;
pub mod login;
pub mod master;
pub mod pickup;
pub mod postsuper;
pub mod problem;
pub mod qmgr;
pub mod session;
pub mod smtpd;
pub mod verify;

use std::net::IpAddr;

/// Sets the text of a line from a format string.
macro_rules! say {
    ($out:expr, $($part:tt)*) => {{
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = write!($out, $($part)*);
    }};
}
pub(crate) use say;

/// A text of others, which may have several lines, on one.
pub(crate) fn on_one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// The last field of a line about a refusal: ` rule=<smtpd_client_restrictions: reject_rbl_client bl.example>`, to the end of the
/// line (`yubin_log_rules`). Nothing in front of it can be taken for it.
pub(crate) fn say_rule(out: &mut String, rule: Option<&str>) {
    if let Some(rule) = rule.filter(|rule| !rule.is_empty()) {
        let rule = on_one_line(rule).replace(" rule=<", " rule=_");
        say!(out, " rule=<{rule}>");
    }
}

/// The text of a warning that has such a field.
pub fn with_rule(mut text: String, rule: Option<&str>) -> String {
    say_rule(&mut text, rule);
    text
}

/// The other end of a connection, shown as `name[address]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer<'a> {
    /// The verified host name, or `unknown`.
    pub name: &'a str,
    /// The address.
    pub address: IpAddr,
}

impl std::fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}[{}]",
            if self.name.is_empty() {
                "unknown"
            } else {
                self.name
            },
            self.address
        )
    }
}
