//! `permit_sasl_authenticated`: the client logged in.

use super::Context;
use crate::Verdict;

pub(super) fn permit_sasl_authenticated(context: &Context<'_>) -> Verdict {
    if context.request.sasl_user.is_some() {
        Verdict::Permit
    } else {
        Verdict::Dunno
    }
}
