//! What is asked, by whom, and what a refusal says.

use std::net::IpAddr;

use address::Address;
use envelope::StatusCode;
use settings::NotifyClass;

/// The peer, as the restrictions see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its verified name, or `unknown`.
    pub name: String,
    /// The name that its address has, whether that name has the address or not; or `unknown`.
    pub reverse_name: String,
    /// Whether the names may be found another time.
    pub name_is_pending: bool,
    /// Its address.
    pub address: IpAddr,
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]", self.name, self.address)
    }
}

/// What has been said so far in a session.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The peer.
    pub client: &'a Client,
    /// What HELO or EHLO said.
    pub helo: Option<&'a str>,
    /// What MAIL said: `None` before MAIL, `Some(None)` the null sender.
    pub sender: Option<Option<&'a Address>>,
    /// The recipient in question; `None` before RCPT and at DATA.
    pub recipient: Option<&'a Address>,
    /// Who logged in.
    pub sasl_user: Option<&'a str>,
}

/// A reply that refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The SMTP code.
    pub code: u16,
    /// The enhanced code.
    pub status: StatusCode,
    /// What follows: `<a@b>: Relay access denied`.
    pub text: String,
}

impl Refusal {
    /// Which class of `notify_classes` it is of.
    pub fn class(&self) -> NotifyClass {
        match (self.status.subject, self.status.detail) {
            // There is nobody of that name: mail for or from there could not be delivered.
            (1, 0 | 1) => NotifyClass::Bounce,
            (3, 0) if self.code < 500 => NotifyClass::Data,
            _ => NotifyClass::Policy,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.code, self.status, self.text)
    }
}
