//! Next hops as main.cf and the transport table write them.

use crate::Error;
use smtp::client::Protocol;
use std::path::PathBuf;

/// Where a message goes next, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHop {
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// Which host, or which socket.
    pub place: Place,
}

/// A host and port, or a socket of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A name or an address (without brackets) and a port.
    Host(String, u16),
    /// `unix:/path`
    Socket(PathBuf),
}

impl NextHop {
    /// For SMTP: `[host]:port`, `host:port`, `[host]`, `host`, `[ipv6:2001:db8::1]:port`. `default_port` is
    /// `smtp_tcp_port`: a number, or a service name.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn smtp(text: &str, default_port: &str) -> Result<NextHop, Error> {
        Ok(NextHop {
            protocol: Protocol::Smtp,
            place: host(text, default_port)?,
        })
    }

    /// For LMTP: the same, also with `inet:` in front, or `unix:/path`. `default_port` is `lmtp_tcp_port`.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn lmtp(text: &str, default_port: &str) -> Result<NextHop, Error> {
        let place = match text.strip_prefix("unix:") {
            Some(path) if path.len() > 1 => Place::Socket(PathBuf::from(path)),
            Some(_) => return Err(Error::NextHop(text.to_owned(), "no path follows unix:")),
            None => host(text.strip_prefix("inet:").unwrap_or(text), default_port)?,
        };
        Ok(NextHop {
            protocol: Protocol::Lmtp,
            place,
        })
    }

    /// The name that a certificate is for.
    pub(crate) fn server_name(&self) -> &str {
        match &self.place {
            Place::Host(name, _) => name,
            Place::Socket(_) => "localhost",
        }
    }
}

fn host(text: &str, default_port: &str) -> Result<Place, Error> {
    let wrong = |why| Error::NextHop(text.to_owned(), why);
    let trimmed = text.trim();
    let (name, rest) = match trimmed.strip_prefix('[') {
        Some(inner) => inner.split_once(']').ok_or_else(|| wrong("no closing bracket"))?,
        // An address of IPv6 needs its brackets before a port; without any it is all address.
        None if trimmed.parse::<std::net::Ipv6Addr>().is_ok() => (trimmed, ""),
        None => trimmed.find(':').map_or((trimmed, ""), |at| trimmed.split_at(at)),
    };
    let name = match name.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("ipv6:") => &name[5..],
        _ => name,
    };
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(wrong("no host name"));
    }
    let port_text = match rest.strip_prefix(':') {
        Some(port) => port,
        None if rest.is_empty() => default_port,
        None => return Err(wrong("text after the closing bracket")),
    };
    let port = port(port_text).ok_or_else(|| wrong("the port is neither a number nor a known service"))?;
    Ok(Place::Host(name.to_owned(), port))
}

/// A number, or a name of the services that mail is passed on to.
fn port(text: &str) -> Option<u16> {
    match text {
        "smtp" => Some(25),
        "submission" => Some(587),
        "submissions" | "smtps" => Some(465),
        "lmtp" => Some(24),
        number => number.parse().ok().filter(|port| *port > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_hops_are_read_as_main_cf_writes_them() {
        for (text, name, port) in [
            ("[127.0.0.1]:2526", "127.0.0.1", 2526),
            ("mx.example.com:submission", "mx.example.com", 587),
            ("[mx.example.com]", "mx.example.com", 25),
            ("mx.example.com", "mx.example.com", 25),
            ("[ipv6:::1]:26", "::1", 26),
            ("[::1]:26", "::1", 26),
            ("::1", "::1", 25),
        ] {
            let place = NextHop::smtp(text, "smtp").unwrap().place;
            assert_eq!(place, Place::Host(name.to_owned(), port), "{text}");
        }
        for text in ["", "[x", "[x]y", "x:", "x:0", "x:y", "[]:25", "a b"] {
            assert!(NextHop::smtp(text, "smtp").is_err(), "{text}");
        }
        let lmtp = |text| NextHop::lmtp(text, "24").unwrap().place;
        assert_eq!(lmtp("unix:/run/lmtp"), Place::Socket("/run/lmtp".into()));
        assert_eq!(
            lmtp("inet:127.0.0.1:2424"),
            Place::Host("127.0.0.1".to_owned(), 2424)
        );
        assert_eq!(lmtp("localhost"), Place::Host("localhost".to_owned(), 24));
        assert!(NextHop::lmtp("unix:", "24").is_err());
    }
}
