//! `permit_mx_backup`: this host is among the mail exchangers of the recipient's domain, and not the best one.

use std::net::IpAddr;

use dns::{Failure, Kind, Question, Record};

use super::Context;
use super::reject_unauth_destination::is_authorized;
use crate::lists::RECIPIENT;
use crate::{About, Verdict};
use envelope::StatusCode;

pub(super) async fn permit_mx_backup(context: &Context<'_>) -> Verdict {
    let Some(recipient) = context.request.recipient else {
        return Verdict::Dunno;
    };
    let about = About::new(context.request.recipient_written, RECIPIENT);
    match is_authorized(context, recipient) {
        Ok(true) => return Verdict::Permit,
        Ok(false) => {}
        Err(_) => return about.lookup_failed(),
    }
    let Some(domain) = recipient.domain().filter(|domain| !domain.is_literal()) else {
        return Verdict::Dunno;
    };
    // A route of the sender's is not trusted.
    if recipient.local().contains(['@', '%', '!']) {
        return Verdict::Dunno;
    }
    let later = |failure| {
        let text = format!("Unable to look up mail exchanger information: {failure}");
        Verdict::DeferIfReject(about.refusal(450, StatusCode::temporary(4, 4), &text))
    };
    let dns = context.outside.dns();
    let records = match dns.look_up(&Question::new(domain.as_str(), Kind::Mx)).await {
        Ok(answer) => answer.records,
        Err(Failure::NotFound | Failure::NoData) => return Verdict::Dunno,
        Err(failure) => return later(failure),
    };
    let mut best = u16::MAX;
    let (mut own, mut of_best) = (None, Vec::new());
    for record in records {
        let Record::Exchanger { preference, host } = record else {
            continue;
        };
        let addresses = match addresses(context, &host).await {
            Ok(addresses) => addresses,
            Err(failure) => return later(failure),
        };
        if preference < best {
            (best, of_best) = (preference, Vec::new());
        }
        if preference == best {
            of_best.extend(addresses.iter().copied());
        }
        if addresses.iter().any(|address| context.router.is_own(*address)) {
            own = Some(own.unwrap_or(preference).min(preference));
        }
    }
    // Whoever is the best one is no backup.
    if own.is_none_or(|preference| preference <= best) {
        return Verdict::Dunno;
    }
    let networks = context.backup_networks;
    let mut is_trusted = networks.is_empty();
    for address in of_best {
        match networks.contains(None, address) {
            Ok(is_in) => is_trusted |= is_in,
            Err(_) => return about.lookup_failed(),
        }
    }
    if is_trusted {
        Verdict::Permit
    } else {
        Verdict::Dunno
    }
}

async fn addresses(context: &Context<'_>, host: &str) -> Result<Vec<IpAddr>, Failure> {
    let mut found = Vec::new();
    for kind in context.address_kinds() {
        match context.outside.dns().look_up(&Question::new(host, *kind)).await {
            Ok(answer) => found.extend(answer.addresses()),
            Err(failure) if failure.is_temporary() => return Err(failure),
            Err(_) => {}
        }
    }
    Ok(found)
}
