//! XFORWARD: the next hop, a content filter perhaps, is told of the client that a message came from.
//!
//! Source: Postfix's XFORWARD_README.

use std::collections::VecDeque;

use envelope::dsn::encode_xtext;

use super::ForwardedClient;

/// The attributes go in two commands, so that neither is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// NAME, ADDR, PORT.
    Address,
    /// PROTO, HELO, IDENT, SOURCE.
    Protocol,
}

impl Part {
    /// As texts call the command.
    pub(super) fn command(self) -> &'static str {
        match self {
            Part::Address => "XFORWARD name/address command",
            Part::Protocol => "XFORWARD helo/protocol command",
        }
    }

    /// What a broken connection interrupted.
    pub(super) fn doing(self) -> &'static str {
        match self {
            Part::Address => "sending XFORWARD name/address",
            Part::Protocol => "sending XFORWARD protocol/helo_name",
        }
    }
}

/// The commands that tell of a client what is known of it and the peer wants to hear.
pub(super) fn commands(client: &ForwardedClient, wanted: &[String]) -> VecDeque<(Part, String)> {
    let address = match client.address.contains(':') {
        true => format!("IPV6:{}", client.address),
        false => client.address.clone(),
    };
    let source = if client.is_local { "LOCAL" } else { "REMOTE" };
    let command = |part, attributes: &[(&str, &str)]| {
        let told = attributes
            .iter()
            .filter(|(name, value)| !value.is_empty() && wanted.iter().any(|wanted| wanted == name));
        let told: String = told
            .map(|(name, value)| format!(" {name}={}", encode_xtext(value)))
            .collect();
        (!told.is_empty()).then(|| (part, format!("XFORWARD{told}")))
    };
    let about_address = [
        ("NAME", client.name.as_str()),
        ("ADDR", &address),
        ("PORT", &client.port),
    ];
    let about_protocol = [
        ("PROTO", client.protocol.as_str()),
        ("HELO", &client.helo),
        ("IDENT", &client.ident),
        ("SOURCE", source),
    ];
    let all = [
        command(Part::Address, &about_address),
        command(Part::Protocol, &about_protocol),
    ];
    all.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_and_wanted_is_told() {
        let client = ForwardedClient {
            name: "mx.test".to_owned(),
            address: "2001:db8::1".to_owned(),
            helo: "a+b=c".to_owned(),
            ..ForwardedClient::default()
        };
        let lines = |client: &ForwardedClient, wanted: &str| -> Vec<String> {
            let wanted: Vec<String> = wanted.split(' ').map(str::to_owned).collect();
            commands(client, &wanted)
                .into_iter()
                .map(|(_, line)| line)
                .collect()
        };
        assert_eq!(
            lines(&client, "NAME ADDR PORT PROTO HELO IDENT SOURCE"),
            [
                "XFORWARD NAME=mx.test ADDR=IPV6:2001:db8::1",
                "XFORWARD HELO=a+2Bb+3Dc SOURCE=REMOTE",
            ]
        );
        assert_eq!(lines(&client, "NAME"), ["XFORWARD NAME=mx.test"]);
        assert!(lines(&client, "").is_empty());
        let local = ForwardedClient {
            is_local: true,
            ..ForwardedClient::default()
        };
        assert_eq!(lines(&local, "NAME SOURCE"), ["XFORWARD SOURCE=LOCAL"]);
    }
}
