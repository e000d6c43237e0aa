//! `permit_mynetworks`, `permit_inet_interfaces`: the client's address is one of `mynetworks` or one that Sendmail's files
//! relay for, or this host's own.

use super::Context;
use crate::lists::CLIENT;
use crate::request::UNKNOWN;
use crate::{About, Verdict};

pub(super) fn permit_mynetworks(context: &Context<'_>) -> Verdict {
    let client = &context.request.client;
    match context.networks.contains(Some(&client.name), client.address) {
        Ok(true) => return Verdict::Permit,
        Ok(false) => {}
        Err(_) => return context.about.lookup_failed(),
    }
    let name = Some(client.name.as_str()).filter(|name| *name != UNKNOWN);
    match context.router.relays_for_client(name, client.address) {
        Ok(is_friend) => permit_if(is_friend),
        Err(_) => About::new(&client.to_string(), CLIENT).lookup_failed(),
    }
}

pub(super) fn permit_inet_interfaces(context: &Context<'_>) -> Verdict {
    permit_if(context.router.is_own(context.request.client.address))
}

fn permit_if(is_friend: bool) -> Verdict {
    if is_friend {
        Verdict::Permit
    } else {
        Verdict::Dunno
    }
}
