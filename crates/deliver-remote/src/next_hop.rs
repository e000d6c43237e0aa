//! Next hops as main.cf and the transport table write them.

use crate::Error;
use smtp::client::Protocol;
use std::path::PathBuf;

/// The most places of one next hop.
pub const SITES_MAX: usize = 20;

/// Where a message goes next, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHop {
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// As it is written.
    pub text: String,
    /// What is tried, one after the other; never empty.
    pub sites: Vec<Site>,
}

/// One of the places of a next hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// As it is written.
    pub text: String,
    /// Which domain, host or socket.
    pub place: Place,
}

/// A domain or host and a port, or a socket of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A name whose mail exchangers are asked for, and a port.
    Domain(String, u16),
    /// A name or an address (without brackets) and a port.
    Host(String, u16),
    /// `unix:/path`
    Socket(PathBuf),
}

impl NextHop {
    /// For SMTP: `domain`, `domain:port`, `[host]`, `[host]:port`, `[ipv6:2001:db8::1]:port`, or several of these with commas
    /// or spaces between them. `default_port` is `smtp_tcp_port`: a number, or a service name.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn smtp(text: &str, default_port: &str) -> Result<NextHop, Error> {
        NextHop::of(Protocol::Smtp, text, |word| place(word, default_port))
    }

    /// For LMTP: hosts, also with `inet:` in front, or `unix:/path`. `default_port` is `lmtp_tcp_port`.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn lmtp(text: &str, default_port: &str) -> Result<NextHop, Error> {
        NextHop::of(Protocol::Lmtp, text, |word| match word.strip_prefix("unix:") {
            Some(path) if path.len() > 1 => Ok(Place::Socket(PathBuf::from(path))),
            Some(_) => Err(Error::NextHop(word.to_owned(), "no path follows unix:")),
            None => match place(word.strip_prefix("inet:").unwrap_or(word), default_port)? {
                Place::Domain(name, port) => Ok(Place::Host(name, port)),
                host => Ok(host),
            },
        })
    }

    fn of(
        protocol: Protocol,
        text: &str,
        read: impl Fn(&str) -> Result<Place, Error>,
    ) -> Result<NextHop, Error> {
        let words = text.split([',', ' ', '\t']).filter(|word| !word.is_empty());
        let site = |word: &str| {
            Ok(Site {
                text: word.to_owned(),
                place: read(word)?,
            })
        };
        let sites: Result<Vec<Site>, Error> = words.take(SITES_MAX).map(site).collect();
        let sites = sites?;
        if sites.is_empty() {
            return Err(Error::NextHop(text.to_owned(), "no host name"));
        }
        Ok(NextHop {
            protocol,
            text: text.to_owned(),
            sites,
        })
    }
}

impl Site {
    /// The name that is configured: what a certificate is for where DNS is not to be trusted.
    pub(crate) fn name(&self) -> &str {
        match &self.place {
            Place::Domain(name, _) | Place::Host(name, _) => name,
            Place::Socket(_) => "localhost",
        }
    }
}

fn place(text: &str, default_port: &str) -> Result<Place, Error> {
    let wrong = |why| Error::NextHop(text.to_owned(), why);
    let in_brackets = text.strip_prefix('[');
    let (name, rest) = match in_brackets {
        Some(inner) => inner.split_once(']').ok_or_else(|| wrong("no closing bracket"))?,
        // An address of IPv6 needs its brackets before a port; without any it is all address.
        None if text.parse::<std::net::Ipv6Addr>().is_ok() => (text, ""),
        None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
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
    // Addresses have no mail exchangers.
    let is_host = in_brackets.is_some() || name.parse::<std::net::IpAddr>().is_ok();
    Ok(match is_host {
        true => Place::Host(name.to_owned(), port),
        false => Place::Domain(name.to_owned(), port),
    })
}

/// The file of services of the machine.
const SERVICES: &str = "/etc/services";

/// A number, a name of the services that mail is passed on to, or one that the machine knows.
fn port(text: &str) -> Option<u16> {
    match text {
        "smtp" => Some(25),
        "submission" => Some(587),
        "submissions" | "smtps" => Some(465),
        "lmtp" => Some(24),
        number if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            number.parse().ok().filter(|port| *port > 0)
        }
        name => of_services(&std::fs::read_to_string(SERVICES).unwrap_or_default(), name),
    }
}

/// services(5): `name port/tcp aliases # comment`
fn of_services(text: &str, name: &str) -> Option<u16> {
    text.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (first, port) = (words.next()?, words.next()?);
        let is_named = first == name || words.any(|alias| alias == name);
        port.strip_suffix("/tcp").filter(|_| is_named)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_have_names() {
        let services = "# x\nnntp 119/tcp readnews # y\ntftp 69/udp\n";
        assert_eq!(of_services(services, "readnews"), Some(119));
        assert_eq!(
            (of_services(services, "tftp"), of_services(services, "y")),
            (None, None)
        );
        assert_eq!(
            ["25", "submission", "0", "70000", ""].map(port),
            [Some(25), Some(587), None, None, None]
        );
    }

    #[test]
    fn next_hops_are_read_as_main_cf_writes_them() {
        let host = |name: &str, port| Place::Host(name.to_owned(), port);
        let domain = |name: &str, port| Place::Domain(name.to_owned(), port);
        for (text, place) in [
            ("[127.0.0.1]:2526", host("127.0.0.1", 2526)),
            ("127.0.0.1:2526", host("127.0.0.1", 2526)),
            ("mx.example.com:submission", domain("mx.example.com", 587)),
            ("[mx.example.com]", host("mx.example.com", 25)),
            ("mx.example.com", domain("mx.example.com", 25)),
            ("[ipv6:::1]:26", host("::1", 26)),
            ("[::1]:26", host("::1", 26)),
            ("::1", host("::1", 25)),
        ] {
            let next_hop = NextHop::smtp(text, "smtp").unwrap();
            let site = Site {
                text: text.to_owned(),
                place,
            };
            assert_eq!(next_hop.sites, [site]);
        }
        for text in ["", ",", "[x", "[x]y", "x:", "x:0", "x:y", "[]:25", "a, b:y"] {
            assert!(NextHop::smtp(text, "smtp").is_err(), "{text}");
        }
        let several = NextHop::smtp("a.example:26, [b.example] c.example", "smtp").unwrap();
        let texts: Vec<&str> = several.sites.iter().map(|site| site.text.as_str()).collect();
        assert_eq!(texts, ["a.example:26", "[b.example]", "c.example"]);
        let lmtp = |text| NextHop::lmtp(text, "24").unwrap().sites[0].place.clone();
        assert_eq!(lmtp("unix:/run/lmtp"), Place::Socket("/run/lmtp".into()));
        assert_eq!(lmtp("inet:127.0.0.1:2424"), host("127.0.0.1", 2424));
        assert_eq!(lmtp("localhost"), host("localhost", 24));
        assert!(NextHop::lmtp("unix:", "24").is_err());
    }
}
