//! `reject_unlisted_recipient` and `reject_unlisted_sender`: the address is of one of our domains, and not in the
//! list of that domain's class; or its transport is `error` or `retry`, which tell why.

use address::Address;
use envelope::StatusCode;
use route::{Class, Existence, Undeliverable};

use super::Context;
use crate::lists::{RECIPIENT, SENDER};
use crate::{About, Verdict};

pub(super) fn reject_unlisted_recipient(context: &Context<'_>) -> Verdict {
    match context.request.recipient {
        Some(recipient) => {
            let about = About::new(context.request.recipient_written, RECIPIENT);
            unlisted(context, recipient, &about, 1)
        }
        None => Verdict::Dunno,
    }
}

pub(super) fn reject_unlisted_sender(context: &Context<'_>) -> Verdict {
    match context.request.sender.flatten() {
        Some(sender) => {
            let about = About::new(context.request.sender_written, SENDER);
            unlisted(context, sender, &about, 0)
        }
        None => Verdict::Dunno,
    }
}

/// `detail` is the last number of the enhanced code: 5.1.1 is about a recipient, 5.1.0 about a sender.
fn unlisted(context: &Context<'_>, address: &Address, about: &About, detail: u16) -> Verdict {
    let from = match about.class {
        SENDER => None,
        _ => context.request.sender.flatten(),
    };
    match context.router.undeliverable(address, from) {
        Ok(None) => {}
        Ok(Some(why)) => return undeliverable(&why, about, detail),
        Err(error) => return failed(about, &error),
    }
    let class = context.router.class(address);
    match (class, context.router.existence(address)) {
        (Ok(class), Ok(Existence::Unknown(words))) => {
            let settings = context.settings;
            let code = match class {
                Class::VirtualAlias => settings.unknown_virtual_alias_reject_code,
                Class::VirtualMailbox => settings.unknown_virtual_mailbox_reject_code,
                Class::Relay => settings.unknown_relay_recipient_reject_code,
                Class::Local | Class::Default => settings.unknown_local_recipient_reject_code,
            };
            let words = if settings.show_user_unknown_table_name {
                words
            } else {
                "User unknown"
            };
            // Postfix's address resolver says this one with a code for recipients, and smtpd(8) makes one for senders of it.
            match class {
                Class::VirtualAlias => about.refused_fittingly(code, StatusCode::permanent(1, 1), words),
                _ => Verdict::Refuse(about.refusal(code, StatusCode::permanent(1, detail), words)),
            }
        }
        (Ok(_), Ok(Existence::Exists)) => Verdict::Dunno,
        (Err(error), _) | (_, Err(error)) => failed(about, &error),
    }
}

/// What could not be asked. Postfix's smtpd(8) calls a table of its own that answers with nothing a mistake of the configuration;
/// of those that its address resolver asks it only hears that they failed.
fn failed(about: &About, error: &route::Error) -> Verdict {
    match error {
        route::Error::Table(tables::Error::EmptyResult { map, .. })
            if map.ends_with("canonical_maps")
                || map.ends_with("recipient_maps")
                || ["virtual_alias_maps", "virtual_mailbox_maps"].contains(&map.as_str()) =>
        {
            Verdict::Fail(crate::misconfigured())
        }
        _ => about.lookup_failed(),
    }
}

/// What `error` or `retry` say, as Postfix tells it to clients.
fn undeliverable(why: &Undeliverable, about: &About, detail: u16) -> Verdict {
    let (code, usual, text) = match why {
        Undeliverable::Never(text) => (550, StatusCode::permanent(1, detail), text),
        Undeliverable::NotNow(text) => (450, StatusCode::temporary(1, detail), text),
    };
    let (status, words) = StatusCode::split(text).unwrap_or((usual, text));
    about.refused_fittingly(code, status, words)
}
