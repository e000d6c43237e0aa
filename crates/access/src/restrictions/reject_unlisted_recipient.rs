//! `reject_unlisted_recipient`: the recipient is not in the list of its domain's class.

use envelope::StatusCode;
use route::{Class, Existence};

use super::{Context, lookup_failed, refuse, shown};
use crate::Verdict;
use crate::lists::Stage;

pub(super) fn reject_unlisted_recipient(context: &Context<'_>) -> Verdict {
    let Some(recipient) = context.request.recipient else {
        return Verdict::Dunno;
    };
    let subject = shown(Some(recipient));
    let class = context.router.class(recipient);
    match (class, context.router.existence(recipient)) {
        (Ok(class), Ok(Existence::Unknown(words))) => {
            let settings = context.settings;
            let code = match class {
                Class::VirtualMailbox => settings.unknown_virtual_mailbox_reject_code,
                Class::Relay => settings.unknown_relay_recipient_reject_code,
                Class::Local | Class::Default => settings.unknown_local_recipient_reject_code,
            };
            let text = format!("{}: {words}", Stage::Recipient.subject());
            let status = if code >= 500 {
                StatusCode::permanent(1, 1)
            } else {
                StatusCode::temporary(1, 1)
            };
            refuse(code, status, &subject, &text)
        }
        (Ok(_), Ok(Existence::Exists)) => Verdict::Dunno,
        (Err(_), _) | (_, Err(_)) => lookup_failed(&subject, Stage::Recipient),
    }
}
