//! Lists in DNS of clients and domains: which answers count, and the reply that refuses (postconf(5), reject_rbl_client,
//! default_rbl_reply). RFC 5782.

use std::net::{IpAddr, Ipv4Addr};

use dns::{Failure, Kind, Question, Record};

use crate::request::Request;
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

/// A reply of `default_rbl_reply` or `rbl_reply_maps` with its `$names` replaced. What comes from outside is taken as it is,
/// without what `filter` (`smtpd_expansion_filter`) has not.
///
/// # Errors
/// When the template makes no sense.
pub fn expand(
    template: &str,
    blocked: &Blocked<'_>,
    request: &Request<'_>,
    filter: &str,
) -> Result<String, settings::expand::Error> {
    let value = |name: &str| -> Option<String> {
        let own = match name {
            "rbl_code" => Some(blocked.code.to_string()),
            "rbl_domain" => Some(blocked.list.domain.clone()),
            "rbl_reason" | "rbl_txt" => Some(blocked.reason.to_owned()),
            "rbl_what" => Some(blocked.what.to_owned()),
            "rbl_class" => Some(blocked.class.to_owned()),
            name => attribute(name, request),
        };
        // The value is no template.
        own.filter(|value| !value.is_empty())
            .map(|value| allowed(&value, filter).replace('$', "$$"))
    };
    settings::expand::expand(template, &value)
}

fn allowed(value: &str, filter: &str) -> String {
    let keep = |c: char| {
        if filter.is_empty() || filter.contains(c) {
            c
        } else {
            '_'
        }
    };
    value.chars().map(keep).collect()
}

/// A name that replies may mention (postconf(5), smtpd_reject_footer, default_rbl_reply); `None` where there is no such name.
pub fn attribute(name: &str, request: &Request<'_>) -> Option<String> {
    let split = |address: &str, local: bool| {
        let (before, after) = address.rsplit_once('@').unwrap_or((address, ""));
        (if local { before } else { after }).to_owned()
    };
    let sender = match request.sender {
        None => String::new(),
        Some(None) => "<>".to_owned(),
        Some(Some(_)) => request.sender_written.to_owned(),
    };
    let recipient = request.recipient_written;
    Some(match name {
        "client" => request.client.to_string(),
        "client_address" => request.client.address.to_string(),
        "client_name" => request.client.name.clone(),
        "client_port" => request.client_port.unwrap_or_default().to_owned(),
        "reverse_client_name" => request.client.reverse_name.clone(),
        "helo_name" => request.helo.unwrap_or_default().to_owned(),
        "sender" => sender,
        "sender_name" => split(&sender, true),
        "sender_domain" => split(&sender, false),
        "recipient" => recipient.to_owned(),
        "recipient_name" => split(recipient, true),
        "recipient_domain" => split(recipient, false),
        "sasl_username" => request.sasl_user.unwrap_or_default().to_owned(),
        "sasl_method" => request.sasl_method.unwrap_or_default().to_owned(),
        "sasl_sender" => request.sasl_sender.unwrap_or_default().to_owned(),
        "server_address" => request.server.ip().to_string(),
        "server_port" => request.server.port().to_string(),
        _ => return None,
    })
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
