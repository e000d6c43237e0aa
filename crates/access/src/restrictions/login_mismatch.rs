//! `reject_sender_login_mismatch` and its kin: the sender's address is somebody's, and not the client's
//! (`smtpd_sender_login_maps`).

use address::Address;
use envelope::StatusCode;

use super::Context;
use crate::Verdict;
use crate::lists::SENDER;

/// Whether an address without an owner is free for everybody who has logged in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unowned {
    Free,
    Nobodys,
}

/// The logins that own an address; `None` when nobody is named.
fn owners(context: &Context<'_>, sender: &Address) -> Result<Option<Vec<String>>, tables::Error> {
    let maps = &context.access.login_maps;
    let bare = sender
        .strip_extension(&context.settings.recipient_delimiter)
        .map(|(bare, _)| bare);
    let text = |address: &Address| {
        let domain = address.domain().map(|domain| domain.as_str());
        domain.map_or(address.local().to_owned(), |domain| {
            format!("{}@{domain}", address.local())
        })
    };
    let mut value = maps.lookup(&text(sender))?;
    let class = context.router.class(sender);
    let is_local = matches!(class, Ok(route::Class::Local));
    let at_domain = sender.domain().map(|domain| format!("@{}", domain.as_str()));
    let parts = [
        bare.as_ref().map(text),
        Some(sender.local().to_owned()).filter(|_| is_local),
        bare.as_ref()
            .map(|bare| bare.local().to_owned())
            .filter(|_| is_local),
        at_domain,
    ];
    for part in parts.into_iter().flatten() {
        if value.is_none() {
            value = maps.lookup_part(&part)?;
        }
    }
    Ok(value.map(|value| settings::kinds::words(&value)))
}

fn mismatch(context: &Context<'_>, judge: impl Fn(Option<&[String]>) -> Option<String>) -> Verdict {
    let request = context.request;
    let Some(sender) = request.sender.flatten() else {
        return Verdict::Dunno;
    };
    let about = crate::About::new(request.sender_written, SENDER);
    let owners = match owners(context, sender) {
        Ok(owners) => owners,
        Err(error) if error.is_empty_result() => return Verdict::Fail(crate::misconfigured()),
        Err(_) => return about.lookup_failed(),
    };
    match judge(owners.as_deref()) {
        Some(text) => Verdict::Refuse(about.refusal(553, StatusCode::permanent(7, 1), &text)),
        None => Verdict::Dunno,
    }
}

/// Who logged in does not own the address.
fn authenticated(context: &Context<'_>, user: &str, unowned: Unowned) -> Verdict {
    mismatch(context, |owners| {
        let is_fine = match owners {
            None => unowned == Unowned::Free,
            Some(owners) => owners.iter().any(|owner| owner.eq_ignore_ascii_case(user)),
        };
        (!is_fine).then(|| format!("not owned by user {user}"))
    })
}

/// The address has an owner, and nobody has logged in.
fn unauthenticated(context: &Context<'_>) -> Verdict {
    mismatch(context, |owners| owners.map(|_| "not logged in".to_owned()))
}

fn is_enabled(context: &Context<'_>) -> bool {
    context.settings.smtpd_sasl_auth_enable
}

pub(super) fn reject_sender_login_mismatch(context: &Context<'_>) -> Verdict {
    match context.request.sasl_user {
        _ if !is_enabled(context) => Verdict::Dunno,
        Some(user) => authenticated(context, user, Unowned::Nobodys),
        None => unauthenticated(context),
    }
}

pub(super) fn reject_authenticated_sender_login_mismatch(context: &Context<'_>) -> Verdict {
    match context.request.sasl_user.filter(|_| is_enabled(context)) {
        Some(user) => authenticated(context, user, Unowned::Nobodys),
        None => Verdict::Dunno,
    }
}

pub(super) fn reject_known_sender_login_mismatch(context: &Context<'_>) -> Verdict {
    match context.request.sasl_user.filter(|_| is_enabled(context)) {
        Some(user) => authenticated(context, user, Unowned::Free),
        None if is_enabled(context) => unauthenticated(context),
        None => Verdict::Dunno,
    }
}

pub(super) fn reject_unauthenticated_sender_login_mismatch(context: &Context<'_>) -> Verdict {
    match context.request.sasl_user {
        None if is_enabled(context) => unauthenticated(context),
        _ => Verdict::Dunno,
    }
}
