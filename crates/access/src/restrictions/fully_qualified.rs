//! `reject_non_fqdn_*` and `reject_invalid_helo_hostname`: names that cannot be resolved by anybody else.

use address::{Address, Domain};
use envelope::StatusCode;

use super::Context;
use crate::lists::{HELO, RECIPIENT, SENDER};
use crate::{About, Verdict};

fn is_fully_qualified(domain: &Domain) -> bool {
    let name = domain.as_str();
    domain.is_literal() || (is_name(domain) && name.trim_end_matches('.').contains('.'))
}

/// Numbers alone are no name, nor is an address outside of brackets.
fn is_name(domain: &Domain) -> bool {
    let is_number = domain.as_str().bytes().all(|b| b.is_ascii_digit() || b == b'.');
    domain.is_hostname() && !is_number
}

/// An address as it was written, without what would complete it.
fn address_is_qualified(written: &str) -> bool {
    let address = Address::parse(written);
    address.is_ok_and(|address| address.domain().is_some_and(is_fully_qualified))
}

fn non_fqdn(context: &Context<'_>, about: &About, what: &str) -> Verdict {
    let code = context.settings.non_fqdn_reject_code;
    let text = format!("need fully-qualified {what}");
    Verdict::Refuse(about.refusal(code, StatusCode::permanent(5, 2), &text))
}

pub(super) fn reject_non_fqdn_recipient(context: &Context<'_>) -> Verdict {
    let written = context.request.recipient_written;
    // `postmaster` without a domain must be accepted (RFC 5321 §4.5.1).
    let is_postmaster = written.eq_ignore_ascii_case("postmaster");
    if context.request.recipient.is_none() || is_postmaster || address_is_qualified(written) {
        return Verdict::Dunno;
    }
    non_fqdn(context, &About::new(written, RECIPIENT), "address")
}

pub(super) fn reject_non_fqdn_sender(context: &Context<'_>) -> Verdict {
    match context.request.sender_shown() {
        Some(written) if !address_is_qualified(written) => {
            non_fqdn(context, &About::new(written, SENDER), "address")
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
        _ => non_fqdn(context, &About::new(helo, HELO), "hostname"),
    }
}

pub(super) fn reject_invalid_helo_hostname(context: &Context<'_>) -> Verdict {
    let Some(helo) = context.request.helo else {
        return Verdict::Dunno;
    };
    match Domain::parse(helo) {
        Ok(domain) if domain.to_ip().is_some() => Verdict::Dunno,
        Ok(domain) if is_name(&domain) || helo.parse::<std::net::IpAddr>().is_ok() => Verdict::Dunno,
        _ => {
            let text = if helo.starts_with('[') {
                "invalid ip address"
            } else {
                "Invalid name"
            };
            let code = context.settings.invalid_hostname_reject_code;
            let about = About::new(helo, HELO);
            Verdict::Refuse(about.refusal(code, StatusCode::permanent(5, 2), text))
        }
    }
}
