//! Lists in DNS of clients and domains: which answers count, and the reply that refuses (postconf(5), reject_rbl_client,
//! default_rbl_reply). RFC 5782.

use std::net::{IpAddr, Ipv4Addr};

use dns::{Failure, Kind, Question, Record};

use crate::restrictions::Context;

/// The longest reason of a list that is passed on, in octets.
pub const REASON_BYTES_MAX: usize = 400;

/// `domain` or `domain=127.0.0.[2..11;14]`: a list, and which of its answers count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// As the restriction has it; the key of `rbl_reply_maps`.
    pub whole: String,
    /// The list's domain.
    pub domain: String,
    /// For each octet the ranges it may be in; `None`: every answer counts.
    pattern: Option<[Vec<(u8, u8)>; 4]>,
}

impl List {
    /// Reads a list; `None` when its pattern makes no sense.
    pub fn parse(text: &str) -> Option<List> {
        let (domain, pattern) = match text.split_once('=') {
            Some((domain, pattern)) => (domain, Some(octets(pattern)?)),
            None => (text, None),
        };
        (!domain.is_empty()).then(|| List {
            whole: text.to_owned(),
            domain: domain.to_owned(),
            pattern,
        })
    }

    /// Whether an answer counts.
    pub fn counts(&self, answer: Ipv4Addr) -> bool {
        let Some(pattern) = &self.pattern else { return true };
        pattern.iter().zip(answer.octets()).all(|(ranges, octet)| {
            ranges
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&octet))
        })
    }
}

/// Four octets between dots, each a number or `[n;n..m]`.
fn octets(text: &str) -> Option<[Vec<(u8, u8)>; 4]> {
    let (mut parts, mut part, mut depth) = (Vec::new(), String::new(), 0usize);
    for c in text.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.checked_sub(1)?,
            '.' if depth == 0 => parts.push(ranges(&std::mem::take(&mut part))?),
            c => part.push(c),
        }
    }
    parts.push(ranges(&part)?);
    (depth == 0).then_some(parts)?.try_into().ok()
}

fn ranges(text: &str) -> Option<Vec<(u8, u8)>> {
    let range = |item: &str| {
        let (first, last) = item.split_once("..").unwrap_or((item, item));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last).then_some((first, last))
    };
    text.split(';').map(range).collect()
}

/// What a list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// It does not have the name.
    Absent,
    /// It has; the reason, if it tells one.
    Listed(String),
    /// It cannot be asked now.
    Unknown(Failure),
}

/// The name under which a list knows an address.
pub fn name_of(address: IpAddr) -> String {
    let name = dns::reverse(address.to_canonical());
    let end = [".in-addr.arpa", ".ip6.arpa"]
        .iter()
        .find_map(|end| name.strip_suffix(end));
    end.unwrap_or(&name).to_owned()
}

/// Asks a list about a name.
pub async fn look_up(context: &Context<'_>, list: &List, name: &str) -> Listing {
    let name = format!("{name}.{}", list.domain);
    let dns = context.outside.dns();
    let answer = match dns.look_up(&Question::new(&name, Kind::A)).await {
        Ok(answer) => answer,
        Err(failure) if failure.is_temporary() => return Listing::Unknown(failure),
        Err(_) => return Listing::Absent,
    };
    let counts = answer.addresses().any(|address| match address {
        IpAddr::V4(address) => list.counts(address),
        IpAddr::V6(_) => false,
    });
    if !counts {
        return Listing::Absent;
    }
    let reason = match dns.look_up(&Question::new(&name, Kind::Txt)).await {
        Ok(answer) => answer.records.into_iter().find_map(|record| match record {
            Record::Text(text) => Some(String::from_utf8_lossy(&text).into_owned()),
            _ => None,
        }),
        Err(_) => None,
    };
    let mut reason = reason.unwrap_or_default();
    let end = reason.floor_char_boundary(REASON_BYTES_MAX.min(reason.len()));
    reason.truncate(end);
    Listing::Listed(reason)
}

/// What a reply may name.
#[derive(Debug, Clone, Copy)]
pub struct Blocked<'a> {
    /// `maps_rbl_reject_code`
    pub code: u16,
    /// The list.
    pub list: &'a List,
    /// What it says of it.
    pub reason: &'a str,
    /// What is on it: an address, a domain's sender …
    pub what: &'a str,
    /// `Client host`, `Sender address` …
    pub class: &'a str,
}

impl Blocked<'_> {
    /// The names that a reply of `default_rbl_reply` or `rbl_reply_maps` has besides the usual ones ([`crate::names::Names`]).
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        Some(match name {
            "rbl_code" => self.code.to_string(),
            "rbl_domain" => self.list.domain.clone(),
            "rbl_reason" | "rbl_txt" => self.reason.to_owned(),
            "rbl_what" => self.what.to_owned(),
            "rbl_class" => self.class.to_owned(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_say_which_answers_count() {
        let counts = |pattern: &str, answer: [u8; 4]| {
            let list = List::parse(&format!("bl.test={pattern}")).expect("a list");
            list.counts(Ipv4Addr::from(answer))
        };
        assert!(counts("127.0.0.2", [127, 0, 0, 2]));
        assert!(!counts("127.0.0.2", [127, 0, 0, 3]));
        assert!(counts("127.0.0.[2..11]", [127, 0, 0, 11]));
        assert!(!counts("127.0.0.[2..11]", [127, 0, 0, 12]));
        assert!(counts("127.[0;3].0.[1;4..6]", [127, 3, 0, 5]));
        assert!(!counts("127.[0;3].0.[1;4..6]", [127, 2, 0, 5]));
        for wrong in [
            "127.0.0",
            "127.0.0.[2",
            "127.0.0.x",
            "127.0.0.[9..2]",
            "127.0.0.2.3",
            "",
        ] {
            assert_eq!(List::parse(&format!("bl.test={wrong}")), None, "{wrong}");
        }
        assert!(List::parse("bl.test").is_some_and(|list| list.counts(Ipv4Addr::LOCALHOST)));
    }

    #[test]
    fn addresses_are_turned_round() {
        let name = |text: &str| name_of(text.parse().expect("an address"));
        assert_eq!(name("192.0.2.10"), "10.2.0.192");
        assert_eq!(name("::ffff:192.0.2.10"), "10.2.0.192");
        assert_eq!(name("2001:db8::1").len(), 63);
    }
}
