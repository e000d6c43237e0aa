//! `check_sendmail_access`: what Sendmail's `access` says of the client, the sender, the recipient
//! (`yubin_sendmail_directory`). It is asked in front of their lists, unless it stands in them. That clients and domains may
//! relay is told by `permit_mynetworks` and `reject_unauth_destination`.

use envelope::StatusCode;
use route::Tag;

use super::Context;
use crate::lists::{CLIENT, RECIPIENT, SENDER, Stage};
use crate::request::UNKNOWN;
use crate::{About, Saying, Verdict};

/// Its name.
pub(crate) const NAME: &str = "check_sendmail_access";

pub(super) fn check_sendmail_access(context: &Context<'_>) -> Verdict {
    let (request, router) = (context.request, context.router);
    let (tag, about, found) = match context.stage {
        Stage::Client => {
            let client = request.client;
            let name = Some(client.name.as_str()).filter(|name| *name != UNKNOWN);
            let found = router.access_of_client(name, client.address);
            (Tag::Connect, About::new(&client.to_string(), CLIENT), found)
        }
        Stage::Sender => {
            let Some(sender) = request.sender.flatten() else {
                return Verdict::Dunno;
            };
            let found = router.access_of_mail(Tag::From, sender);
            (Tag::From, About::new(request.sender_written, SENDER), found)
        }
        Stage::Relay | Stage::Recipient => {
            let Some(recipient) = request.recipient else {
                return Verdict::Dunno;
            };
            let found = router.access_of_mail(Tag::To, recipient);
            (Tag::To, About::new(request.recipient_written, RECIPIENT), found)
        }
        _ => return Verdict::Dunno,
    };
    match found {
        Ok(None) => Verdict::Dunno,
        Ok(Some(found)) => Verdict::Says(Box::new(Saying {
            value: found.decision().action(tag),
            written: Some(found.value.clone()),
            source: source(context),
            key: found.key,
            about,
            may_permit: true,
        })),
        Err(error) => {
            context.warn(format!("{}: {error}", source(context)));
            Verdict::Fail(about.refusal(451, StatusCode::temporary(3, 0), "Temporary lookup failure"))
        }
    }
}

fn source(context: &Context<'_>) -> String {
    let table = context.settings.sendmail.access.as_ref();
    table.map(ToString::to_string).unwrap_or_default()
}
