//! `permit_mynetworks`: the client's address is one of `mynetworks`.

use super::Context;
use crate::Verdict;

pub(super) fn permit_mynetworks(context: &Context<'_>) -> Verdict {
    if context
        .settings
        .mynetworks
        .contains(context.request.client.address)
    {
        Verdict::Permit
    } else {
        Verdict::Dunno
    }
}
