//! `reject_unknown_helo_hostname`, `reject_unknown_sender_domain`, `reject_unknown_recipient_domain`: a name that DNS does not
//! have, or that says it takes no mail (RFC 7505).

use address::Address;
use dns::{Failure, Kind, Question, Record};
use envelope::StatusCode;
use route::Class;

use super::Context;
use crate::lists::{HELO, RECIPIENT, SENDER};
use crate::{About, Refusal, Verdict};

/// What DNS says of a name to which mail might go.
enum Known {
    Yes,
    No,
    TakesNoMail,
    CannotTell,
}

async fn look_up(context: &Context<'_>, name: &str) -> Known {
    let dns = context.outside.dns();
    let mut cannot_tell = false;
    match dns.look_up(&Question::new(name, Kind::Mx)).await {
        Ok(answer) => {
            let is_null =
                |record: &Record| matches!(record, Record::Exchanger { host, .. } if host.is_empty());
            return match answer.records.as_slice() {
                [only] if is_null(only) => Known::TakesNoMail,
                _ => Known::Yes,
            };
        }
        Err(failure) => cannot_tell |= failure.is_temporary(),
    }
    for kind in context.address_kinds() {
        match dns.look_up(&Question::new(name, *kind)).await {
            Ok(_) => return Known::Yes,
            Err(Failure::NotFound | Failure::NoData) => {}
            Err(failure) => cannot_tell |= failure.is_temporary(),
        }
    }
    if cannot_tell { Known::CannotTell } else { Known::No }
}

/// `unknown_address_tempfail_action` and its like.
fn for_now(action: &str, refusal: Refusal) -> Verdict {
    match action {
        "defer" => Verdict::Refuse(refusal),
        _ => Verdict::DeferIfPermit(refusal),
    }
}

pub(super) async fn reject_unknown_helo_hostname(context: &Context<'_>) -> Verdict {
    let Some(helo) = context.request.helo else {
        return Verdict::Dunno;
    };
    if helo.starts_with('[') {
        return Verdict::Dunno;
    }
    let about = About::new(helo, HELO);
    let refusal = |code| about.refusal(code, StatusCode::temporary(7, 1), "Host not found");
    match look_up(context, helo).await {
        Known::Yes | Known::TakesNoMail => Verdict::Dunno,
        Known::No => Verdict::Refuse(refusal(context.settings.unknown_hostname_reject_code)),
        Known::CannotTell => for_now(
            &context.settings.unknown_helo_hostname_tempfail_action,
            refusal(450),
        ),
    }
}

pub(super) async fn reject_unknown_sender_domain(context: &Context<'_>) -> Verdict {
    let about = About::new(context.request.sender_written, SENDER);
    match context.request.sender.flatten() {
        Some(sender) => unknown(context, sender, &about).await,
        None => Verdict::Dunno,
    }
}

pub(super) async fn reject_unknown_recipient_domain(context: &Context<'_>) -> Verdict {
    let about = About::new(context.request.recipient_written, RECIPIENT);
    match context.request.recipient {
        Some(recipient) => unknown(context, recipient, &about).await,
        None => Verdict::Dunno,
    }
}

async fn unknown(context: &Context<'_>, address: &Address, about: &About) -> Verdict {
    let Some(domain) = address.domain() else {
        return Verdict::Dunno;
    };
    let from = match about.class {
        SENDER => None,
        _ => context.request.sender.flatten(),
    };
    match context.router.resolved_class(address, from) {
        Ok(Class::Default | Class::Relay) => {}
        // Ours need not be in DNS.
        Ok(_) => return Verdict::Dunno,
        Err(_) => return about.lookup_failed(),
    }
    if domain.is_literal() {
        return Verdict::Dunno;
    }
    let ascii = domain.to_ascii();
    let name = ascii.as_ref().map_or(domain.as_str(), |domain| domain.as_str());
    let (is_sender, settings) = (about.class == SENDER, context.settings);
    let status = StatusCode::temporary(1, if is_sender { 8 } else { 2 });
    match look_up(context, name).await {
        Known::Yes => Verdict::Dunno,
        Known::TakesNoMail => {
            let text = format!("Domain {domain} does not accept mail (nullMX)");
            let (code, status) = match is_sender {
                true => (550, StatusCode::permanent(7, 27)),
                false => (556, StatusCode::permanent(1, 10)),
            };
            Verdict::Refuse(about.refusal(code, status, &text))
        }
        Known::No => {
            Verdict::Refuse(about.refusal(settings.unknown_address_reject_code, status, "Domain not found"))
        }
        Known::CannotTell => for_now(
            &settings.unknown_address_tempfail_action,
            about.refusal(450, status, "Domain not found"),
        ),
    }
}
