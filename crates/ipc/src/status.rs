//! The state of the running system, as [`crate::control::Request::Show`] asks for it: one type a section.

use std::net::IpAddr;

use auth::penalty::Penalized;
use serde::{Deserialize, Serialize};

/// How many clients one part of [`Limits`] holds at the most.
pub const CLIENTS_A_PART: usize = 1000;

/// A part of section [`crate::control::Section::Limits`]; the whole is all parts, one behind the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// When this was so, in microseconds since the epoch.
    pub at_micros: i64,
    /// Clients of the SMTP services, by service and address.
    pub clients: Vec<Client>,
    /// Addresses whose logins wait because of wrong passwords.
    pub penalties: Vec<Penalized>,
}

/// A client of an SMTP service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The service, as master.cf calls it.
    pub service: String,
    /// The client.
    pub address: IpAddr,
    /// Whether something is refused to it now, was refused in the last hour, or is slowed down.
    pub is_limited: bool,
    /// It has none of the limits on how often clients come (`smtpd_client_event_limit_exceptions`).
    pub is_exempt: bool,
    /// Its counts.
    pub figures: Vec<Figure>,
    /// What was refused to it in the last hour.
    pub refused: Vec<Refused>,
    /// Its sessions whose replies wait because of mistakes.
    pub slowed: Vec<Slowed>,
}

/// A count and its limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    /// The parameter that sets the limit.
    pub parameter: String,
    /// How many there are now; of rates, in this span of time.
    pub count: usize,
    /// How many there may be; 0 is no limit.
    pub limit: usize,
    /// The span of time of a rate, in seconds.
    pub span_secs: Option<u64>,
}

/// What was refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The parameter that sets the limit.
    pub parameter: String,
    /// How often.
    pub count: usize,
    /// The first time, in microseconds since the epoch.
    pub since_micros: i64,
    /// The last time.
    pub last_micros: i64,
}

/// A session that is slowed down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slowed {
    /// How many mistakes it made since it delivered a message.
    pub errors: usize,
    /// `smtpd_soft_error_limit`
    pub soft_limit: usize,
    /// `smtpd_hard_error_limit`
    pub hard_limit: usize,
    /// Whether a reply of it waits now (`smtpd_error_sleep_time`).
    pub is_sleeping: bool,
}
