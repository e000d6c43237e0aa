//! `reject_unknown_client_hostname`, `reject_unknown_reverse_client_hostname`: the client has no name, or none that leads back
//! to it.

use envelope::StatusCode;

use super::Context;
use crate::request::UNKNOWN;
use crate::{Refusal, Verdict};

pub(super) fn reject_unknown_client_hostname(context: &Context<'_>) -> Verdict {
    let client = &context.request.client;
    refuse_if(client.name == UNKNOWN, context, ("hostname", 25))
}

pub(super) fn reject_unknown_reverse_client_hostname(context: &Context<'_>) -> Verdict {
    let client = &context.request.client;
    refuse_if(client.reverse_name == UNKNOWN, context, ("reverse hostname", 1))
}

fn refuse_if(is_unknown: bool, context: &Context<'_>, (what, detail): (&str, u16)) -> Verdict {
    let client = &context.request.client;
    if !is_unknown {
        return Verdict::Dunno;
    }
    let code = match client.name_is_pending {
        true => 450,
        false => context.settings.unknown_client_reject_code,
    };
    let text = format!(
        "Client host rejected: cannot find your {what}, [{}]",
        client.address
    );
    Verdict::Refuse(Refusal::new(code, StatusCode::temporary(7, detail), text))
}
