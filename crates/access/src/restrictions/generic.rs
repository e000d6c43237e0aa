//! `permit`, `reject`, `defer`: they look at nothing.

use envelope::StatusCode;

use super::{Context, refuse};
use crate::Verdict;

/// `permit`
pub(super) fn permit(_: &Context<'_>) -> Verdict {
    Verdict::Permit
}

/// `reject`, with `reject_code`
pub(super) fn reject(context: &Context<'_>) -> Verdict {
    let text = format!("{}: Access denied", context.stage.subject());
    refuse(
        context.settings.reject_code,
        StatusCode::permanent(7, 1),
        &context.subject(),
        &text,
    )
}

/// `defer`, with `defer_code`
pub(super) fn defer(context: &Context<'_>) -> Verdict {
    let text = format!("{}: Try again later", context.stage.subject());
    refuse(
        context.settings.defer_code,
        StatusCode::temporary(3, 2),
        &context.subject(),
        &text,
    )
}
