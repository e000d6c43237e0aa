//! `check_*_a_access`, `check_*_mx_access`, `check_*_ns_access`: the addresses of a domain, and the names and addresses of its
//! mail exchangers and name servers, are looked up in a table.

use std::net::IpAddr;

use dns::{Failure, Kind, Question, Record};
use tables::Tables;

use crate::About;
use crate::access_tables::{self, Failed, Found};
use crate::restrictions::Context;

/// The most servers of a domain that are looked at.
pub const SERVERS_MAX: usize = 100;

/// Which of a domain's servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Servers {
    /// The domain itself.
    Addresses,
    /// Its mail exchangers.
    Exchangers,
    /// The name servers of its zone.
    Zone,
}

impl Servers {
    fn word(self) -> &'static str {
        match self {
            Servers::Addresses => "A",
            Servers::Exchangers => "MX",
            Servers::Zone => "NS",
        }
    }
}

/// What the table says of the servers of `name`.
///
/// # Errors
/// When the table cannot be asked.
pub(crate) async fn look_up(
    context: &Context<'_>,
    tables: &Tables,
    (name, about): (&str, &About),
    servers: Servers,
) -> Result<Found, Failed> {
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    if let Some(address) = literal.and_then(of_literal) {
        return access_tables::address(tables, address);
    }
    if name.starts_with('[') {
        return Ok(None);
    }
    if let Ok(address) = name.parse() {
        return access_tables::address(tables, address);
    }
    let hosts = match hosts(context, name, servers).await {
        Ok(hosts) => hosts,
        Err((asked, failure)) => {
            context.warn(format!(
                "Unable to look up {} host for {asked}: {failure}",
                servers.word()
            ));
            return Ok(None);
        }
    };
    for host in hosts.into_iter().take(SERVERS_MAX) {
        let found = access_tables::domain(tables, &host, context.keys())?;
        if found.is_some() {
            return Ok(found);
        }
        for address in addresses(context, (about, servers), &host).await {
            let found = access_tables::address(tables, address)?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}

fn of_literal(text: &str) -> Option<IpAddr> {
    let six = text.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:"));
    six.map_or(text, |tag| &text[tag.len()..]).parse().ok()
}

/// The servers' names, or which question failed.
async fn hosts(
    context: &Context<'_>,
    name: &str,
    servers: Servers,
) -> Result<Vec<String>, (String, Failure)> {
    let dns = context.outside.dns();
    let failed = |name: &str| {
        let name = name.to_owned();
        move |failure| (name, failure)
    };
    match servers {
        Servers::Addresses => Ok(vec![name.to_owned()]),
        Servers::Exchangers => match dns.look_up(&Question::new(name, Kind::Mx)).await {
            Ok(answer) => Ok(answer.records.into_iter().filter_map(exchanger).collect()),
            // Without exchangers the domain is its own.
            Err(Failure::NoData | Failure::NotFound) => Ok(vec![name.to_owned()]),
            Err(failure) => Err(failed(name)(failure)),
        },
        Servers::Zone => {
            let mut at = name;
            loop {
                let answer = dns.look_up(&Question::new(at, Kind::Ns)).await;
                match (answer, at.split_once('.')) {
                    (Ok(answer), _) => {
                        let names = answer.records.into_iter().filter_map(|record| match record {
                            Record::Server(name) => Some(name),
                            _ => None,
                        });
                        return Ok(names.collect());
                    }
                    // The servers of a parent answer for it.
                    (Err(Failure::NoData | Failure::NotFound), Some((_, parent))) if parent.contains('.') => {
                        at = parent;
                    }
                    (Err(failure), _) => return Err(failed(at)(failure)),
                }
            }
        }
    }
}

/// What getaddrinfo(3) says of it.
fn resolver_words(failure: &Failure) -> &'static str {
    match failure {
        Failure::NoData => "No address associated with hostname",
        failure if failure.is_temporary() => "Temporary failure in name resolution",
        _ => "Name or service not known",
    }
}

fn exchanger(record: Record) -> Option<String> {
    match record {
        Record::Exchanger { host, .. } => Some(host).filter(|host| !host.is_empty()),
        _ => None,
    }
}

async fn addresses(context: &Context<'_>, (about, servers): (&About, Servers), host: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let mut failed = None;
    for kind in context.address_kinds() {
        match context.outside.dns().look_up(&Question::new(host, *kind)).await {
            Ok(answer) => found.extend(answer.addresses()),
            Err(failure) => failed = failed.or(Some(failure)),
        }
    }
    if let (true, Some(failure)) = (found.is_empty(), failed) {
        context.warn(format!(
            "Unable to look up {} host {host} for {} {}: {}",
            servers.word(),
            about.class,
            about.name,
            resolver_words(&failure)
        ));
    }
    found
}
