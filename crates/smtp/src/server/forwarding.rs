//! XFORWARD and XCLIENT: trusted clients tell of the client behind them, for the log or in its place.
//!
//! Sources: Postfix's XFORWARD_README and XCLIENT_README; xtext is RFC 3461 §4.

use super::commands::{bad_syntax, ok, out_of_order};
use super::{Answer, Event, HeloVerb, Open, Server};
use crate::Reply;
use address::Domain;
use envelope::StatusCode;
use envelope::dsn::decode_xtext;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What is told of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// NAME: its verified name.
    Name,
    /// ADDR
    Address,
    /// PORT
    Port,
    /// PROTO: `SMTP` or `ESMTP`.
    Protocol,
    /// HELO
    Helo,
    /// IDENT: what the sender of the command calls the message (XFORWARD).
    Ident,
    /// SOURCE: `LOCAL` or `REMOTE` (XFORWARD).
    Source,
    /// REVERSE_NAME: its name, verified or not (XCLIENT).
    ReverseName,
    /// LOGIN: who is logged in (XCLIENT).
    Login,
    /// DESTADDR: the address that it came to (XCLIENT).
    DestinationAddress,
    /// DESTPORT: the port that it came to (XCLIENT).
    DestinationPort,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It is this.
    Known(String),
    /// `[UNAVAILABLE]`: there is none.
    Unavailable,
    /// `[TEMPUNAVAIL]`: none could be found just now.
    UnavailableNow,
}

/// Attributes and their values, in the order of the command.
pub type Attributes = Vec<(Attribute, Told)>;

/// As EHLO announces them.
const OF_XFORWARD: [(&str, Attribute); 7] = [
    ("NAME", Attribute::Name),
    ("ADDR", Attribute::Address),
    ("PROTO", Attribute::Protocol),
    ("HELO", Attribute::Helo),
    ("SOURCE", Attribute::Source),
    ("PORT", Attribute::Port),
    ("IDENT", Attribute::Ident),
];

/// As EHLO announces them.
const OF_XCLIENT: [(&str, Attribute); 9] = [
    ("NAME", Attribute::Name),
    ("ADDR", Attribute::Address),
    ("PROTO", Attribute::Protocol),
    ("HELO", Attribute::Helo),
    ("REVERSE_NAME", Attribute::ReverseName),
    ("PORT", Attribute::Port),
    ("LOGIN", Attribute::Login),
    ("DESTADDR", Attribute::DestinationAddress),
    ("DESTPORT", Attribute::DestinationPort),
];

/// Characters that are shown as `?`, because headers and logs give them a meaning.
const NEUTERED: &str = " <>()\\\";@";

/// Which of the two it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    Xforward,
    Xclient,
}

impl Telling {
    fn verb(self) -> &'static str {
        match self {
            Telling::Xforward => "XFORWARD",
            Telling::Xclient => "XCLIENT",
        }
    }

    fn attributes(self) -> &'static [(&'static str, Attribute)] {
        match self {
            Telling::Xforward => &OF_XFORWARD,
            Telling::Xclient => &OF_XCLIENT,
        }
    }

    /// The line of EHLO's reply.
    pub(super) fn offer(self) -> String {
        let names: Vec<&str> = self.attributes().iter().map(|(name, _)| *name).collect();
        format!("{} {}", self.verb(), names.join(" "))
    }
}

impl Server {
    /// XFORWARD or XCLIENT. The lines before the answer are as the incumbent orders its checks.
    pub(super) fn told(&mut self, telling: Telling, argument: &str) {
        if self.transaction.is_some() {
            return self.refuse(&out_of_order("Error: MAIL transaction in progress"));
        }
        if argument.is_empty() {
            return self.refuse(&bad_syntax(&format!(
                "Syntax: {} attribute=value...",
                telling.verb()
            )));
        }
        let is_trusted = match telling {
            Telling::Xforward => self.config.xforward,
            Telling::Xclient => self.config.xclient,
        };
        if !is_trusted {
            let text = "Error: insufficient authorization";
            return self.refuse(&Reply::new(550, StatusCode::permanent(7, 0), text));
        }
        match read(telling, argument) {
            Err(reply) => self.refuse(&reply),
            Ok(attributes) => match telling {
                Telling::Xforward => {
                    self.forwarded = true;
                    self.events.push_back(Event::Forwarded(attributes));
                    self.accept(&ok());
                }
                Telling::Xclient => {
                    self.open = Some(Open::Introduced(attributes.clone()));
                    self.events.push_back(Event::Introduced(attributes));
                }
            },
        }
    }

    /// XCLIENT was taken: another client is there, and is greeted.
    pub(super) fn introduced(&mut self, attributes: &Attributes, answer: Answer) {
        match answer {
            Answer::Introduced(config) => self.config = config,
            Answer::Reply(reply) => return self.refuse(&reply),
            _ => {}
        }
        let value = |wanted: Attribute| {
            let mut all = attributes.iter().rev();
            all.find(|(attribute, _)| *attribute == wanted)
                .map(|(_, told)| told)
        };
        let known = |wanted| matches!(value(wanted), Some(Told::Known(_)));
        self.helo = known(Attribute::Helo).then(|| match value(Attribute::Protocol) {
            Some(Told::Known(protocol)) if protocol.eq_ignore_ascii_case("ESMTP") => HeloVerb::Ehlo,
            _ => HeloVerb::Helo,
        });
        match value(Attribute::Login) {
            Some(Told::Known(user)) => self.user = Some(user.clone()),
            Some(_) => self.user = None,
            None => {}
        }
        self.reset();
        self.refusal_after_greeting = None;
        self.open = Some(Open::Connected);
        self.events.push_back(Event::Connected);
    }
}

fn read(telling: Telling, argument: &str) -> Result<Attributes, Reply> {
    let mut attributes = Attributes::new();
    for word in argument.split_ascii_whitespace() {
        let expected = || bad_syntax("Error: attribute=value expected");
        let (name, coded) = word.split_once('=').ok_or_else(expected)?;
        if name.is_empty() || coded.is_empty() {
            return Err(expected());
        }
        let name = name.to_ascii_uppercase();
        let known = telling.attributes().iter().find(|(known, _)| *known == name);
        let Some((_, attribute)) = known else {
            return Err(bad_syntax(&format!(
                "Bad {} attribute name: {name}",
                telling.verb()
            )));
        };
        let told = value(telling, *attribute, coded);
        let told = told.ok_or_else(|| bad_syntax(&format!("Bad {name} syntax: {coded}")))?;
        attributes.push((*attribute, told));
    }
    Ok(attributes)
}

/// What a value says, if it is one.
fn value(telling: Telling, attribute: Attribute, coded: &str) -> Option<Told> {
    if coded.eq_ignore_ascii_case("[UNAVAILABLE]") {
        return Some(Told::Unavailable);
    }
    let is_name = matches!(attribute, Attribute::Name | Attribute::ReverseName);
    if telling == Telling::Xclient && is_name && coded.eq_ignore_ascii_case("[TEMPUNAVAIL]") {
        return Some(Told::UnavailableNow);
    }
    let text = decode_xtext(coded)?;
    let neutered = |text: &str| -> String {
        let each = text.chars();
        each.map(|c| if NEUTERED.contains(c) { '?' } else { c }).collect()
    };
    Some(Told::Known(match attribute {
        Attribute::Name | Attribute::ReverseName => {
            Domain::parse(&text).ok().filter(Domain::is_hostname)?;
            text
        }
        Attribute::Address | Attribute::DestinationAddress => address(&text)?,
        Attribute::Port | Attribute::DestinationPort => {
            text.parse::<u32>().ok()?;
            text
        }
        Attribute::Protocol if telling == Telling::Xclient => ["SMTP", "ESMTP"]
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(&text))?
            .to_owned(),
        Attribute::Source => ["LOCAL", "REMOTE"]
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(&text))?
            .to_owned(),
        Attribute::Protocol | Attribute::Helo | Attribute::Ident => neutered(&text),
        Attribute::Login => text,
    }))
}

/// An address as mail writes it: `192.0.2.1`, `IPv6:2001:db8::1`.
fn address(text: &str) -> Option<String> {
    match text.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("IPV6:") => text[5..]
            .parse()
            .ok()
            .map(|address: Ipv6Addr| address.to_string()),
        _ => text.parse().ok().map(|address: Ipv4Addr| address.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_in_the_incumbents_words() {
        for (telling, argument, reply) in [
            (
                Telling::Xforward,
                "FOO=bar",
                "501 5.5.4 Bad XFORWARD attribute name: FOO",
            ),
            (
                Telling::Xclient,
                "ident=1",
                "501 5.5.4 Bad XCLIENT attribute name: IDENT",
            ),
            (
                Telling::Xforward,
                "NAME",
                "501 5.5.4 Error: attribute=value expected",
            ),
            (
                Telling::Xforward,
                "HELO=",
                "501 5.5.4 Error: attribute=value expected",
            ),
            (Telling::Xforward, "NAME=a+zz", "501 5.5.4 Bad NAME syntax: a+zz"),
            (
                Telling::Xforward,
                "NAME=[TEMPUNAVAIL]",
                "501 5.5.4 Bad NAME syntax: [TEMPUNAVAIL]",
            ),
            (Telling::Xforward, "name=a!b", "501 5.5.4 Bad NAME syntax: a!b"),
            (
                Telling::Xforward,
                "ADDR=1.2.3",
                "501 5.5.4 Bad ADDR syntax: 1.2.3",
            ),
            (Telling::Xclient, "PORT=abc", "501 5.5.4 Bad PORT syntax: abc"),
            (Telling::Xclient, "PROTO=FOO", "501 5.5.4 Bad PROTO syntax: FOO"),
            (
                Telling::Xforward,
                "SOURCE=FOO",
                "501 5.5.4 Bad SOURCE syntax: FOO",
            ),
            (
                Telling::Xforward,
                "HELO=a+0Ab",
                "501 5.5.4 Bad HELO syntax: a+0Ab",
            ),
        ] {
            let said = read(telling, argument).expect_err(argument).to_string();
            assert_eq!(said, reply, "{argument}");
        }
        let known = |text: &str| Told::Known(text.to_owned());
        assert_eq!(
            read(
                Telling::Xclient,
                "NAME=[tempunavail] ADDR=IPv6:::1 LOGIN=[UNAVAILABLE] PROTO=esmtp"
            ),
            Ok(vec![
                (Attribute::Name, Told::UnavailableNow),
                (Attribute::Address, known("::1")),
                (Attribute::Login, Told::Unavailable),
                (Attribute::Protocol, known("ESMTP")),
            ])
        );
        assert_eq!(
            read(Telling::Xforward, "HELO=a+20b IDENT=<Q;1>"),
            Ok(vec![
                (Attribute::Helo, known("a?b")),
                (Attribute::Ident, known("?Q?1?")),
            ])
        );
    }
}
