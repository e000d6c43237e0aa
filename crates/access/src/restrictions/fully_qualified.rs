//! `reject_non_fqdn_*` and `reject_invalid_helo_hostname`: names that cannot be resolved by anybody else.

use address::{Address, Domain};
use envelope::StatusCode;

use super::{Context, refuse, shown};
use crate::Verdict;
use crate::lists::Stage;

fn is_fully_qualified(domain: &Domain) -> bool {
    let name = domain.as_str();
    domain.is_literal() || (domain.is_hostname() && name.trim_end_matches('.').contains('.'))
}

fn address_is_qualified(address: &Address) -> bool {
    address.domain().is_some_and(is_fully_qualified)
}

fn non_fqdn(context: &Context<'_>, subject: &str, stage: Stage, what: &str) -> Verdict {
    let text = format!("{}: need fully-qualified {what}", stage.subject());
    refuse(
        context.settings.non_fqdn_reject_code,
        StatusCode::permanent(5, 2),
        subject,
        &text,
    )
}

pub(super) fn reject_non_fqdn_recipient(context: &Context<'_>) -> Verdict {
    let Some(recipient) = context.request.recipient else {
        return Verdict::Dunno;
    };
    // `postmaster` without a domain must be accepted (RFC 5321 §4.5.1).
    let is_postmaster = recipient.domain().is_none() && recipient.local().eq_ignore_ascii_case("postmaster");
    if is_postmaster || address_is_qualified(recipient) {
        return Verdict::Dunno;
    }
    non_fqdn(context, &shown(Some(recipient)), Stage::Recipient, "address")
}

pub(super) fn reject_non_fqdn_sender(context: &Context<'_>) -> Verdict {
    match context.request.sender.flatten() {
        Some(sender) if !address_is_qualified(sender) => {
            non_fqdn(context, &shown(Some(sender)), Stage::Sender, "address")
        }
        _ => Verdict::Dunno,
    }
}

pub(super) fn reject_non_fqdn_helo_hostname(context: &Context<'_>) -> Verdict {
    let Some(helo) = context.request.helo else {
        return Verdict::Dunno;
    };
    match Domain::parse(helo) {
        Ok(domain) if is_fully_qualified(&domain) => Verdict::Dunno,
        _ => non_fqdn(context, &format!("<{helo}>"), Stage::Helo, "hostname"),
    }
}

pub(super) fn reject_invalid_helo_hostname(context: &Context<'_>) -> Verdict {
    let Some(helo) = context.request.helo else {
        return Verdict::Dunno;
    };
    match Domain::parse(helo) {
        Ok(domain) if domain.is_literal() || domain.is_hostname() => Verdict::Dunno,
        _ => {
            let text = format!("{}: Invalid name", Stage::Helo.subject());
            let code = context.settings.invalid_hostname_reject_code;
            refuse(code, StatusCode::permanent(5, 2), &format!("<{helo}>"), &text)
        }
    }
}
