//! `reject_unauth_destination`, `defer_unauth_destination`, `permit_auth_destination`, `check_relay_domains`: whether the recipient's
//! domain is one that this host receives or relays mail for.

use address::Address;
use envelope::StatusCode;
use route::Class;

use super::Context;
use crate::lists::RECIPIENT;
use crate::{About, Verdict};

/// Whether mail for `recipient` is ours. Sender-specified routes (`user%host`, `user@host` as a local part,
/// `host!user`) are never trusted unless `allow_untrusted_routing` says so.
pub(super) fn is_authorized(context: &Context<'_>, recipient: &Address) -> Result<bool, route::Error> {
    let (local, settings) = (recipient.local(), context.settings);
    let class = context
        .router
        .resolved_class(recipient, context.request.sender.flatten())?;
    let routed = local.contains('@')
        || (settings.allow_percent_hack && local.contains('%'))
        || (settings.swap_bangpath && local.contains('!'));
    if routed && !settings.allow_untrusted_routing {
        return Ok(false);
    }
    Ok(class != Class::Default)
}

fn unless_authorized(context: &Context<'_>, code: u16) -> Verdict {
    let Some(recipient) = context.request.recipient else {
        return Verdict::Dunno;
    };
    let about = About::new(context.request.recipient_written, RECIPIENT);
    match is_authorized(context, recipient) {
        Ok(true) => Verdict::Dunno,
        Ok(false) => Verdict::Refuse(about.bare(code, StatusCode::permanent(7, 1), "Relay access denied")),
        Err(_) => about.lookup_failed(),
    }
}

pub(super) fn reject_unauth_destination(context: &Context<'_>) -> Verdict {
    unless_authorized(context, context.settings.relay_domains_reject_code)
}

pub(super) fn defer_unauth_destination(context: &Context<'_>) -> Verdict {
    unless_authorized(context, 454)
}

pub(super) fn permit_auth_destination(context: &Context<'_>) -> Verdict {
    let Some(recipient) = context.request.recipient else {
        return Verdict::Dunno;
    };
    match is_authorized(context, recipient) {
        Ok(true) => Verdict::Permit,
        Ok(false) => Verdict::Dunno,
        Err(_) => About::new(context.request.recipient_written, RECIPIENT).lookup_failed(),
    }
}

/// An old way to write `permit_auth_destination, reject_unauth_destination`, with a reply of its own.
pub(super) fn check_relay_domains(context: &Context<'_>) -> Verdict {
    context.warn_once(
        "support for restriction \"check_relay_domains\" will be removed from Postfix; use \"reject_unauth_destination\" \
         instead",
    );
    let Some(recipient) = context.request.recipient else {
        return Verdict::Dunno;
    };
    let about = About::new(context.request.recipient_written, RECIPIENT);
    let code = context.settings.relay_domains_reject_code;
    match is_authorized(context, recipient) {
        Ok(true) => Verdict::Permit,
        Ok(false) => Verdict::Refuse(about.refusal(code, StatusCode::permanent(7, 1), "Relay access denied")),
        Err(_) => about.lookup_failed(),
    }
}
