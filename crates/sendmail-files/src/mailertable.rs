//! `mailertable`: by which mailer, over which host, mail for a domain goes that is not this host's.

use crate::{Failure, LABELS_MAX, Lookup, substituted};

/// What the table says of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// `local:user`: all its mail is this user's.
    User(String),
    /// `error:…`: there is no mail for it.
    Error(Failure),
    /// `mailer:host`
    Mailer {
        /// The transport of master.cf that is meant.
        transport: String,
        /// Its next hop as transport(5) writes it; empty: the domain.
        next_hop: String,
    },
}

/// Sendmail's names of what master.cf calls `smtp`.
const SMTP: [&str; 4] = ["smtp", "esmtp", "smtp8", "dsmtp"];

/// The entry of a domain, and its key: `domain`, `.parent` of the domains above, `.`. In a value `%1` is what stands before
/// the key's parent.
///
/// # Errors
/// When the table cannot be asked.
pub fn find<E>(domain: &str, lookup: &mut Lookup<'_, E>) -> Result<Option<(String, Entry)>, E> {
    let domain = domain.to_ascii_lowercase();
    if let Some(value) = lookup(&domain)? {
        let entry = parse(&substituted(&value, &[&domain]));
        return Ok(Some((domain, entry)));
    }
    let dots = domain.match_indices('.').map(|(at, _)| at);
    for at in dots.take(LABELS_MAX) {
        let key = &domain[at..];
        if let Some(value) = lookup(key)? {
            let entry = parse(&substituted(&value, &[key, &domain[..at]]));
            return Ok(Some((key.to_owned(), entry)));
        }
    }
    let everything = lookup(".")?;
    Ok(everything.map(|value| (".".to_owned(), parse(&substituted(&value, &[".", &domain])))))
}

/// A value.
fn parse(value: &str) -> Entry {
    let value = value.trim();
    let (mailer, host) = value.split_once(':').unwrap_or(("smtp", value));
    let (mailer, host) = (mailer.trim().to_ascii_lowercase(), host.trim());
    match mailer.as_str() {
        "error" => Entry::Error(Failure::parse(host)),
        "local" if !host.is_empty() => {
            // The host behind a user is what local mailers are told, not where the mail goes.
            let user = host.split('@').next().unwrap_or(host);
            Entry::User(user.to_owned())
        }
        "local" => Entry::Mailer {
            transport: mailer,
            next_hop: String::new(),
        },
        name => Entry::Mailer {
            transport: if SMTP.contains(&name) {
                "smtp".to_owned()
            } else {
                mailer.clone()
            },
            next_hop: match SMTP.contains(&name) || name == "relay" {
                true => hosts(host),
                false => host.to_owned(),
            },
        },
    }
}

/// Hosts in the order in which they are tried, as transport(5) writes them: `a:b` is `a, b`; a port stays with its host.
fn hosts(text: &str) -> String {
    let mut found: Vec<String> = Vec::new();
    let (mut current, mut in_brackets) = (String::new(), false);
    let mut parts = Vec::new();
    for c in text.chars() {
        match c {
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            _ => {}
        }
        match c {
            ':' if !in_brackets => parts.push(std::mem::take(&mut current)),
            c => current.push(c),
        }
    }
    parts.push(current);
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        match found.last_mut() {
            Some(host) if part.bytes().all(|octet| octet.is_ascii_digit()) => {
                *host = format!("{host}:{part}");
            }
            _ => found.push(part),
        }
    }
    found.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    const TABLE: &[(&str, &str)] = &[
        ("mt.test", "esmtp:[gw.test]"),
        (".mt.test", "smtp:%1.hub.test"),
        ("deep.mt.test", "relay:[192.0.2.5]"),
        ("loc.test", "local:jun"),
        ("loc2.test", "local:"),
        ("loc3.test", "local:ann@here.test"),
        ("err.test", "error:nohost no such host"),
        ("multi.test", "esmtp:a.test:b.test"),
        ("port.test", "relay:[192.0.2.5]:2525"),
        ("six.test", "esmtp:[IPv6:2001:db8::1]"),
        ("proc.test", "procmail:/etc/procmailrcs/x"),
        (".", "relay:gate.test"),
    ];

    fn found(domain: &str) -> String {
        let mut lookup = |key: &str| {
            let row = TABLE.iter().find(|(known, _)| *known == key);
            Ok::<_, Infallible>(row.map(|(_, value)| (*value).to_owned()))
        };
        let Ok(found) = find(domain, &mut lookup);
        match found.map(|(_, entry)| entry) {
            None => "-".to_owned(),
            Some(Entry::User(user)) => format!("user {user}"),
            Some(Entry::Error(failure)) => format!("error {}", failure.coded_text((1, 2))),
            Some(Entry::Mailer { transport, next_hop }) => format!("{transport}:{next_hop}"),
        }
    }

    #[test]
    fn the_nearest_domain_decides() {
        for (domain, meant) in [
            ("mt.test", "smtp:[gw.test]"),
            ("X.mt.test", "smtp:x.hub.test"),
            ("a.b.mt.test", "smtp:a.b.hub.test"),
            ("deep.mt.test", "relay:[192.0.2.5]"),
            ("loc.test", "user jun"),
            ("loc2.test", "local:"),
            ("loc3.test", "user ann"),
            ("err.test", "error 5.1.2 no such host"),
            ("multi.test", "smtp:a.test, b.test"),
            ("port.test", "relay:[192.0.2.5]:2525"),
            ("six.test", "smtp:[IPv6:2001:db8::1]"),
            ("proc.test", "procmail:/etc/procmailrcs/x"),
            ("else.example", "relay:gate.test"),
        ] {
            assert_eq!(found(domain), meant, "{domain}");
        }
    }
}
