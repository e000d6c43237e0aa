//! `permit_mynetworks`, `permit_inet_interfaces`: the client's address is one of `mynetworks`, or this host's own.

use super::Context;
use crate::Verdict;

pub(super) fn permit_mynetworks(context: &Context<'_>) -> Verdict {
    permit_if(
        context
            .settings
            .mynetworks
            .contains(context.request.client.address),
    )
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
