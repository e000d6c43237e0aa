//! `permit`, `reject`, `defer`, `defer_if_permit`, `defer_if_reject`: they look at nothing.

use envelope::StatusCode;

use super::Context;
use crate::Verdict;

/// `permit`
pub(super) fn permit(_: &Context<'_>) -> Verdict {
    Verdict::Permit
}

/// `reject`, with `reject_code`
pub(super) fn reject(context: &Context<'_>) -> Verdict {
    let (code, status) = (context.settings.reject_code, StatusCode::permanent(7, 1));
    Verdict::Refuse(context.about.refusal(code, status, "Access denied"))
}

/// `defer`, with `defer_code`
pub(super) fn defer(context: &Context<'_>) -> Verdict {
    let (code, status) = (context.settings.defer_code, StatusCode::temporary(3, 2));
    Verdict::Refuse(context.about.refusal(code, status, "Try again later"))
}

pub(super) fn defer_if_permit(context: &Context<'_>) -> Verdict {
    let text = "defer_if_permit requested";
    Verdict::DeferIfPermit(context.about.refusal(450, StatusCode::temporary(7, 0), text))
}

pub(super) fn defer_if_reject(context: &Context<'_>) -> Verdict {
    let text = "defer_if_reject requested";
    Verdict::DeferIfReject(context.about.refusal(450, StatusCode::temporary(7, 0), text))
}
