//! `check_*_access`: what access(5) tables say of the client, of what it said, and of the servers of those names.

use std::sync::Arc;

use envelope::StatusCode;
use tables::Tables;

use super::Context;
use crate::access_tables::{self, Failed, Found};
use crate::lists::{CLIENT, ETRN, HELO, RECIPIENT, REVERSE_CLIENT, SENDER};
use crate::servers::{self, Servers};
use crate::{About, Saying, Verdict, misconfigured};

/// The table of an argument; the log is told where it is none.
fn table(context: &Context<'_>, name: &str) -> Option<Arc<Tables>> {
    let found = context.access.tables.find(name);
    if found.is_none() {
        context.warn(format!("unexpected dictionary: {name}"));
    }
    found
}

/// What was found becomes a verdict about `about`.
fn verdict(name: &str, about: About, found: Result<Found, Failed>) -> Verdict {
    match found {
        Ok(None) => Verdict::Dunno,
        Ok(Some((key, value))) => Verdict::Says(Box::new(Saying {
            value,
            written: None,
            source: name.to_owned(),
            key,
            about,
            may_permit: true,
        })),
        Err(Failed { .. }) => {
            let status = StatusCode::temporary(3, 5);
            Verdict::Refuse(about.refusal(451, status, "Server configuration error"))
        }
    }
}

pub(super) fn check(
    context: &Context<'_>,
    name: &str,
    about: About,
    look: impl FnOnce(&Tables) -> Result<Found, Failed>,
) -> Verdict {
    match table(context, name) {
        Some(table) => verdict(name, about, look(&table)),
        None => Verdict::Fail(misconfigured()),
    }
}

fn of_client(context: &Context<'_>) -> About {
    About::new(&context.request.client.to_string(), CLIENT)
}

fn of_reverse_client(context: &Context<'_>) -> About {
    About::new(&context.request.client.reverse_name, REVERSE_CLIENT)
}

pub(super) fn client(context: &Context<'_>, name: &str) -> Verdict {
    let client = &context.request.client;
    check(context, name, of_client(context), |table| {
        access_tables::client(table, &client.name, client.address.to_canonical(), context.keys())
    })
}

pub(super) fn reverse_client(context: &Context<'_>, name: &str) -> Verdict {
    let client = &context.request.client;
    check(context, name, of_reverse_client(context), |table| {
        let address = client.address.to_canonical();
        access_tables::client(table, &client.reverse_name, address, context.keys())
    })
}

pub(super) fn helo(context: &Context<'_>, name: &str) -> Verdict {
    let Some(helo) = context.request.helo else {
        return Verdict::Dunno;
    };
    check(context, name, About::new(helo, HELO), |table| {
        access_tables::domain(table, helo, context.keys())
    })
}

pub(super) fn sender(context: &Context<'_>, name: &str) -> Verdict {
    let Some(sender) = context.request.sender else {
        return Verdict::Dunno;
    };
    let about = About::new(context.request.sender_written, SENDER);
    if sender.is_some_and(|sender| context.router.resolved_class(sender, None).is_err()) {
        return about.lookup_failed();
    }
    check(context, name, about, |table| {
        access_tables::mail(table, sender, context.keys())
    })
}

pub(super) fn recipient(context: &Context<'_>, name: &str) -> Verdict {
    let Some(recipient) = context.request.recipient else {
        return Verdict::Dunno;
    };
    let about = About::new(context.request.recipient_written, RECIPIENT);
    let from = context.request.sender.flatten();
    if context.router.resolved_class(recipient, from).is_err() {
        return about.lookup_failed();
    }
    check(context, name, about, |table| {
        access_tables::mail(table, Some(recipient), context.keys())
    })
}

pub(super) fn etrn(context: &Context<'_>, name: &str) -> Verdict {
    let domain = context.request.etrn_domain;
    if domain.is_empty() {
        return Verdict::Dunno;
    }
    check(context, name, About::new(domain, ETRN), |table| {
        access_tables::domain(table, domain, context.keys())
    })
}

pub(super) fn sasl(context: &Context<'_>, name: &str) -> Verdict {
    let Some(user) = context.request.sasl_user else {
        return Verdict::Dunno;
    };
    check(context, name, About::new(user, "SASL login name"), |table| {
        access_tables::exact(table, user)
    })
}

/// What a table says of the servers of a name; `OK` is a mistake there.
async fn check_servers(
    context: &Context<'_>,
    name: &str,
    (target, about): (&str, About),
    kind: Servers,
) -> Verdict {
    let table = match table(context, name) {
        Some(table) => table,
        None => return Verdict::Fail(misconfigured()),
    };
    let found = servers::look_up(context, &table, (target, &about), kind).await;
    match verdict(name, about, found) {
        Verdict::Says(saying) => Verdict::Says(Box::new(Saying {
            may_permit: false,
            ..*saying
        })),
        verdict => verdict,
    }
}

async fn client_servers(context: &Context<'_>, name: &str, kind: Servers) -> Verdict {
    let client = context.request.client.name.as_str();
    if client == crate::request::UNKNOWN {
        return Verdict::Dunno;
    }
    check_servers(context, name, (client, of_client(context)), kind).await
}

async fn reverse_servers(context: &Context<'_>, name: &str, kind: Servers) -> Verdict {
    let client = context.request.client.reverse_name.as_str();
    if client == crate::request::UNKNOWN {
        return Verdict::Dunno;
    }
    check_servers(context, name, (client, of_reverse_client(context)), kind).await
}

async fn helo_servers(context: &Context<'_>, name: &str, kind: Servers) -> Verdict {
    let Some(helo) = context.request.helo else {
        return Verdict::Dunno;
    };
    check_servers(context, name, (helo, About::new(helo, HELO)), kind).await
}

async fn sender_servers(context: &Context<'_>, name: &str, kind: Servers) -> Verdict {
    let Some(domain) = context.request.sender_domain() else {
        return Verdict::Dunno;
    };
    let about = About::new(context.request.sender_written, SENDER);
    check_servers(context, name, (domain.as_str(), about), kind).await
}

async fn recipient_servers(context: &Context<'_>, name: &str, kind: Servers) -> Verdict {
    let domain = context.request.recipient.and_then(|recipient| recipient.domain());
    let Some(domain) = domain else {
        return Verdict::Dunno;
    };
    let about = About::new(context.request.recipient_written, RECIPIENT);
    check_servers(context, name, (domain.as_str(), about), kind).await
}

macro_rules! of_servers {
    ($($name:ident $of:ident $kind:ident;)*) => {$(
        pub(super) async fn $name(context: &Context<'_>, name: &str) -> Verdict {
            $of(context, name, Servers::$kind).await
        }
    )*};
}

of_servers! {
    client_a client_servers Addresses;
    client_mx client_servers Exchangers;
    client_ns client_servers Zone;
    reverse_client_a reverse_servers Addresses;
    reverse_client_mx reverse_servers Exchangers;
    reverse_client_ns reverse_servers Zone;
    helo_a helo_servers Addresses;
    helo_mx helo_servers Exchangers;
    helo_ns helo_servers Zone;
    sender_a sender_servers Addresses;
    sender_mx sender_servers Exchangers;
    sender_ns sender_servers Zone;
    recipient_a recipient_servers Addresses;
    recipient_mx recipient_servers Exchangers;
    recipient_ns recipient_servers Zone;
}
