//! The Received field, in Postfix's shape (RFC 5321 §4.4).

use std::net::IpAddr;

use envelope::QueueId;
use settings::Postfix;

use crate::Context;
use crate::date::mail_date;

/// Where a message comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A client of the SMTP service.
    Network(Network),
    /// `sendmail` or `mail` of a local user.
    Local {
        /// The user.
        uid: u32,
        /// The user's full name, for a missing From; may be empty.
        full_name: String,
        /// `sendmail -G`: it was written elsewhere, so its header is neither completed nor qualified.
        is_relayed: bool,
    },
    /// The mail system, passing a message on for a recipient of this host.
    Forward,
    /// The mail system, reporting about a message.
    Report,
}

/// What the SMTP service knows of a client.
#[derive(Debug, Clone)]
pub struct Network {
    /// What HELO said; empty: nothing.
    pub helo: String,
    /// The verified name or `unknown`.
    pub name: String,
    /// The address.
    pub address: IpAddr,
    /// `SMTP`, `ESMTP`, `ESMTPS`, `ESMTPA`, `ESMTPSA` (RFC 3848).
    pub protocol: &'static str,
    /// The encryption, when the header shall say so.
    pub tls: Option<Encryption>,
    /// Who logged in, when the header shall say so.
    pub login: Option<String>,
    /// Whether `local_header_rewrite_clients` counts it as local: its header is completed and qualified.
    pub is_local: bool,
}

/// How a connection was encrypted.
#[derive(Debug, Clone)]
pub struct Encryption {
    /// `TLSv1.3 with cipher …`
    pub session: String,
    /// Who the client has shown to be.
    pub certificate: ClientCertificate,
}

/// What is known of a client's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCertificate {
    /// The client was not asked for one.
    NotAsked,
    /// It was, and showed none.
    None,
    /// It showed one.
    Shown {
        /// The common name in it.
        subject: String,
        /// Its issuer's.
        issuer: String,
        /// Somebody whose signature counts has signed it.
        is_trusted: bool,
    },
}

impl ClientCertificate {
    fn comment(&self) -> String {
        match self {
            ClientCertificate::NotAsked => "No client certificate requested".to_owned(),
            ClientCertificate::None => "Client did not present a certificate".to_owned(),
            ClientCertificate::Shown {
                subject,
                issuer,
                is_trusted,
            } => {
                let verdict = if *is_trusted {
                    "verified OK"
                } else {
                    "not verified"
                };
                format!(
                    "Client CN \"{}\", Issuer \"{}\" ({verdict})",
                    clean(subject),
                    clean(issuer)
                )
            }
        }
    }
}

impl Origin {
    /// Whether missing fields are added and addresses qualified.
    pub fn is_local(&self) -> bool {
        match self {
            Origin::Network(network) => network.is_local,
            Origin::Local { is_relayed, .. } => !is_relayed,
            Origin::Forward => false,
            Origin::Report => true,
        }
    }
}

/// The value of the field.
pub(crate) fn value(context: &Context<'_>) -> String {
    let settings = context.settings;
    let date = mail_date(context.now_secs);
    let (host, software, id) = (&settings.myhostname, &settings.mail_name, context.queue_id);
    match context.origin {
        Origin::Network(network) => of_network(settings, (network, Some(id)), context.only_recipient, &date),
        Origin::Local { uid, .. } => format!("by {host} ({software}, from userid {uid})\n\tid {id}; {date}"),
        Origin::Forward | Origin::Report => format!("by {host} ({software})\n\tid {id}; {date}"),
    }
}

/// The same of a message that is passed on without being queued here.
pub fn unqueued(settings: &Postfix, origin: &Origin, only_recipient: Option<&str>, now_secs: i64) -> String {
    let date = mail_date(now_secs);
    match origin {
        Origin::Network(network) => of_network(settings, (network, None), only_recipient, &date),
        _ => format!("by {} ({}); {date}", settings.myhostname, settings.mail_name),
    }
}

fn of_network(
    settings: &Postfix,
    (network, id): (&Network, Option<&QueueId>),
    only_recipient: Option<&str>,
    date: &str,
) -> String {
    let (host, software) = (&settings.myhostname, &settings.mail_name);
    let mut text = from_clause(network);
    text.push_str(&format!("\n\tby {host} ({software}) with {}", network.protocol));
    if let Some(id) = id {
        text.push_str(&format!(" id {id}"));
    }
    match only_recipient {
        Some(recipient) => text.push_str(&format!("\n\tfor <{recipient}>; {date}")),
        None => text.push_str(&format!(";\n\t{date}")),
    }
    text
}

fn from_clause(network: &Network) -> String {
    let address = match network.address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("IPv6:{address}"),
    };
    let helo = if network.helo.is_empty() {
        &network.name
    } else {
        &network.helo
    };
    let mut text = format!("from {} ({} [{address}])", clean(helo), clean(&network.name));
    if let Some(tls) = &network.tls {
        text.push_str(&format!(
            "\n\t(using {})\n\t({})",
            clean(&tls.session),
            tls.certificate.comment()
        ));
    }
    if let Some(login) = &network.login {
        text.push_str(&format!("\n\t(Authenticated sender: {})", clean(login)));
    }
    text
}

/// What a client said stays on its line and outside of comments of its own.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || "()\\".contains(c) {
                '?'
            } else {
                c
            }
        })
        .collect()
}
