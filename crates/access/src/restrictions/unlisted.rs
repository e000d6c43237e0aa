//! `reject_unlisted_recipient` and `reject_unlisted_sender`: the address is of one of our domains, and not in the
//! list of that domain's class; or its transport is `error` or `retry`, which tell why.

use address::Address;
use envelope::StatusCode;
use route::{Class, Existence, Undeliverable};

use super::{Context, lookup_failed, refuse, shown};
use crate::Verdict;
use crate::lists::Stage;

pub(super) fn reject_unlisted_recipient(context: &Context<'_>) -> Verdict {
    match context.request.recipient {
        Some(recipient) => unlisted(context, recipient, Stage::Recipient, 1),
        None => Verdict::Dunno,
    }
}

pub(super) fn reject_unlisted_sender(context: &Context<'_>) -> Verdict {
    match context.request.sender.flatten() {
        Some(sender) => unlisted(context, sender, Stage::Sender, 0),
        None => Verdict::Dunno,
    }
}

/// `detail` is the last number of the enhanced code: 5.1.1 is about a recipient, 5.1.0 about a sender.
fn unlisted(context: &Context<'_>, address: &Address, stage: Stage, detail: u16) -> Verdict {
    let subject = shown(Some(address));
    let from = match stage {
        Stage::Sender => None,
        _ => context.request.sender.flatten(),
    };
    match context.router.undeliverable(address, from) {
        Ok(None) => {}
        Ok(Some(why)) => return undeliverable(&why, &subject, (stage, detail)),
        Err(_) => return lookup_failed(&subject),
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
            let text = format!("{}: {words}", stage.subject());
            let status = if code >= 500 {
                StatusCode::permanent(1, detail)
            } else {
                StatusCode::temporary(1, detail)
            };
            refuse(code, status, &subject, &text)
        }
        (Ok(_), Ok(Existence::Exists)) => Verdict::Dunno,
        (Err(_), _) | (_, Err(_)) => lookup_failed(&subject),
    }
}

/// What `error` or `retry` say, as Postfix tells it to clients.
fn undeliverable(why: &Undeliverable, subject: &str, (stage, detail): (Stage, u16)) -> Verdict {
    let (code, usual, text) = match why {
        Undeliverable::Never(text) => (550, StatusCode::permanent(1, detail), text),
        Undeliverable::NotNow(text) => (450, StatusCode::temporary(1, detail), text),
    };
    let (own, words) = StatusCode::split(text).unwrap_or((usual, text));
    let status = StatusCode {
        class: usual.class,
        ..own
    };
    refuse(code, status, subject, &format!("{}: {words}", stage.subject()))
}
