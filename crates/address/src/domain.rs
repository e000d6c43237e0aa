//! Domain names and address literals.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::{DOMAIN_BYTES_MAX, Error};

/// A domain name as written, or an address literal in its brackets; compared without case.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

impl Domain {
    /// A domain name (a final dot is dropped) or a literal in brackets (`[192.0.2.1]`, `[IPv6:2001:db8::1]`).
    ///
    /// Lenient as peers are: labels may hold any character that is not special in an address; use
    /// [`Domain::is_hostname`] where only real host names will do.
    ///
    /// # Errors
    /// [`Error::TooLong`] over [`DOMAIN_BYTES_MAX`]; [`Error::Syntax`] for an empty name or label, a forbidden
    /// character, or a literal that does not end in its bracket.
    pub fn parse(text: &str) -> Result<Domain, Error> {
        if text.len() > DOMAIN_BYTES_MAX {
            return Err(Error::TooLong("domain"));
        }
        if let Some(rest) = text.strip_prefix('[') {
            let inner = rest
                .strip_suffix(']')
                .ok_or(Error::Syntax("domain literal without its closing bracket"))?;
            if inner.is_empty()
                || inner
                    .chars()
                    .any(|c| c.is_control() || c.is_whitespace() || "[]\\<>".contains(c))
            {
                return Err(Error::Syntax("bad character in domain literal"));
            }
            return Ok(Domain(text.to_owned()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() || name.split('.').any(str::is_empty) {
            return Err(Error::Syntax("empty domain or label"));
        }
        if name
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || "<>()[]\\\",;:@".contains(c))
        {
            return Err(Error::Syntax("bad character in domain"));
        }
        Ok(Domain(name.to_owned()))
    }

    /// The literal that stands for an address (RFC 5321 §4.1.3).
    pub fn literal(ip: IpAddr) -> Domain {
        match ip {
            IpAddr::V4(v4) => Domain(format!("[{v4}]")),
            IpAddr::V6(v6) => Domain(format!("[IPv6:{v6}]")),
        }
    }

    /// The domain as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is an address literal in brackets.
    pub fn is_literal(&self) -> bool {
        self.0.starts_with('[')
    }

    /// The address that a literal names; `None` for a name and for a literal that is not an address.
    pub fn to_ip(&self) -> Option<IpAddr> {
        let inner = self.0.strip_prefix('[')?.strip_suffix(']')?;
        match inner.get(..5) {
            Some(tag) if tag.eq_ignore_ascii_case("ipv6:") => {
                inner[5..].parse::<Ipv6Addr>().ok().map(IpAddr::V6)
            }
            _ => inner.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        }
    }

    /// Whether this is a host name that DNS can hold: ASCII labels of letters, digits, hyphens (not at an end) and
    /// underscores, at most 63 octets each.
    pub fn is_hostname(&self) -> bool {
        let label_is_good = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        !self.is_literal() && self.0.split('.').all(label_is_good)
    }

    /// The form for DNS and for peers without SMTPUTF8: lower case, U-labels as A-labels (RFC 5891). A literal
    /// stays as it is.
    ///
    /// # Errors
    /// [`Error::Syntax`] when a label cannot be converted.
    pub fn to_ascii(&self) -> Result<Domain, Error> {
        if self.is_literal() {
            return Ok(self.clone());
        }
        if self.0.is_ascii() {
            return Ok(Domain(self.0.to_ascii_lowercase()));
        }
        let ascii = idna::domain_to_ascii(&self.0).map_err(|_| Error::Syntax("domain has no ASCII form"))?;
        Domain::parse(&ascii)
    }

    /// The form for people: A-labels as U-labels. What cannot be converted stays as it is.
    pub fn to_unicode(&self) -> String {
        if self.is_literal() {
            return self.0.clone();
        }
        match idna::domain_to_unicode(&self.0) {
            (text, Ok(())) => text,
            (_, Err(_)) => self.0.clone(),
        }
    }

    /// Whether this domain is `parent` or below it, compared without case.
    pub fn is_within(&self, parent: &str) -> bool {
        let (own, parent) = (self.0.as_bytes(), parent.as_bytes());
        let Some(cut) = own.len().checked_sub(parent.len()) else {
            return false;
        };
        own[cut..].eq_ignore_ascii_case(parent) && (cut == 0 || own[cut - 1] == b'.')
    }
}

impl TryFrom<String> for Domain {
    type Error = Error;
    fn try_from(text: String) -> Result<Domain, Error> {
        Domain::parse(&text)
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> String {
        domain.0
    }
}

impl std::fmt::Display for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Domain {
    type Err = Error;
    fn from_str(text: &str) -> Result<Domain, Error> {
        Domain::parse(text)
    }
}

impl PartialEq for Domain {
    fn eq(&self, other: &Domain) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}
impl Eq for Domain {}
impl std::hash::Hash for Domain {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0
            .bytes()
            .for_each(|b| state.write_u8(b.to_ascii_lowercase()));
        state.write_u8(0xff);
    }
}
impl Ord for Domain {
    fn cmp(&self, other: &Domain) -> std::cmp::Ordering {
        let lower = |b: u8| b.to_ascii_lowercase();
        self.0.bytes().map(lower).cmp(other.0.bytes().map(lower))
    }
}
impl PartialOrd for Domain {
    fn partial_cmp(&self, other: &Domain) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    #[test]
    fn names_and_literals_are_told_apart() {
        assert_eq!(domain("Example.COM."), domain("example.com"));
        assert_eq!(domain("[192.0.2.1]").to_ip(), Some("192.0.2.1".parse().unwrap()));
        assert_eq!(
            domain("[ipv6:2001:db8::1]").to_ip(),
            Some("2001:db8::1".parse().unwrap())
        );
        assert_eq!(domain("[x.y]").to_ip(), None);
        assert_eq!(domain("192.0.2.1").to_ip(), None);
        for bad in [
            "", ".", "a..b", ".a", "[", "[1.2.3.4", "[]", "a b", "a@b", "a\r\n", "[a]b]",
        ] {
            assert!(Domain::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Domain::parse(&"a".repeat(256)).is_err());
        let ip: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(Domain::literal(ip).to_ip(), Some(ip));
    }

    #[test]
    fn host_names_are_checked() {
        assert!(domain("mx-1.example.com").is_hostname());
        for bad in ["-a.b", "a-.b", "例え.jp", "a!b", "[1.2.3.4]"] {
            assert!(!domain(bad).is_hostname(), "{bad}");
        }
    }

    #[test]
    fn labels_are_converted() {
        assert_eq!(
            domain("例え.テスト").to_ascii().unwrap().as_str(),
            "xn--r8jz45g.xn--zckzah"
        );
        assert_eq!(domain("xn--r8jz45g.xn--zckzah").to_unicode(), "例え.テスト");
        assert_eq!(domain("[192.0.2.1]").to_unicode(), "[192.0.2.1]");
    }

    #[test]
    fn subdomains_are_found() {
        assert!(
            domain("a.Example.com").is_within("example.com")
                && domain("example.com").is_within("EXAMPLE.com")
        );
        assert!(
            !domain("badexample.com").is_within("example.com") && !domain("com").is_within("example.com")
        );
    }
}
