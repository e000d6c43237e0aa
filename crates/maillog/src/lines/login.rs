//! Lines of the login phase of IMAP, POP3 and ManageSieve, and the session id they show.

use std::net::IpAddr;

use super::say;
use crate::{Line, Tag};

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Not at all.
    None,
    /// It comes from the same host, which counts as safe.
    Secured,
    /// TLS.
    Tls,
}

/// The ends of a connection and what is known of the user: the elements of `login_log_format_elements`.
#[derive(Debug, Clone, Copy)]
pub struct Elements<'a> {
    /// The user's name; empty when none was given.
    pub user: &'a str,
    /// The SASL mechanism; empty when none was tried.
    pub method: &'a str,
    /// The client's address.
    pub remote: IpAddr,
    /// Our address.
    pub local: IpAddr,
    /// The process that takes the session over.
    pub mail_pid: Option<u32>,
    /// How the connection is protected.
    pub protection: Protection,
    /// The session id.
    pub session: &'a str,
}

impl Elements<'_> {
    fn say(&self, out: &mut String) {
        say!(out, "user=<{}>", self.user);
        if !self.method.is_empty() {
            say!(out, ", method={}", self.method);
        }
        say!(out, ", rip={}, lip={}", self.remote, self.local);
        if let Some(pid) = self.mail_pid {
            say!(out, ", mpid={pid}");
        }
        match self.protection {
            Protection::None => {}
            Protection::Secured => out.push_str(", secured"),
            Protection::Tls => out.push_str(", TLS"),
        }
        say!(out, ", session=<{}>", self.session);
    }
}

/// `imap-login: Login: user=<alice>, method=PLAIN, rip=127.0.0.1, lip=127.0.0.1, mpid=23848, TLS, session=<TYkmOtBgiMZ/AAAB>`
#[derive(Debug)]
pub struct Login<'a> {
    /// `imap-login`, `pop3-login`, `managesieve-login`.
    pub service: &'a str,
    /// Who and from where.
    pub elements: Elements<'a>,
}

impl Line for Login<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mailbox(self.service)
    }
    fn text(&self, out: &mut String) {
        out.push_str("Login: ");
        self.elements.say(out);
    }
}

/// `imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<alice>, …`
#[derive(Debug)]
pub struct Disconnected<'a> {
    /// `imap-login`, `pop3-login`, `managesieve-login`.
    pub service: &'a str,
    /// `Connection closed`, `Inactivity`, `Aborted login by logging out`, `Too many invalid commands` …
    pub reason: &'a str,
    /// How many logins failed.
    pub failed_attempts: u32,
    /// How long the connection lasted.
    pub duration_secs: u64,
    /// Who and from where.
    pub elements: Elements<'a>,
}

impl Line for Disconnected<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mailbox(self.service)
    }
    fn text(&self, out: &mut String) {
        say!(out, "Disconnected: {} (", self.reason);
        match self.failed_attempts {
            0 => say!(out, "no auth attempts in {} secs", self.duration_secs),
            n => say!(out, "auth failed, {n} attempts in {} secs", self.duration_secs),
        }
        out.push_str("): ");
        self.elements.say(out);
    }
}

/// A session id in Dovecot's manner, `TYkmOtBgiMZ/AAAB`: the time, the client's port and its address.
pub fn session_id(now_micros: i64, remote_port: u16, remote: IpAddr) -> String {
    let mut bytes = now_micros.to_le_bytes()[..6].to_vec();
    bytes.extend(remote_port.to_le_bytes());
    match remote {
        IpAddr::V4(address) => bytes.extend(address.octets()),
        IpAddr::V6(address) => bytes.extend(address.octets()),
    }
    base64(&bytes)
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let value = group
            .iter()
            .fold(0u32, |value, byte| value << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for digit in 0..=group.len() {
            out.push(char::from(ALPHABET[(value >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_look_like_dovecots() {
        let id = session_id(0x6060_d03a_2689, 0xc688, "127.0.0.1".parse().unwrap());
        assert_eq!(id, "iSY60GBgiMZ/AAAB");
        assert_eq!(session_id(0, 0, "::1".parse().unwrap()).len(), 32);
    }
}
