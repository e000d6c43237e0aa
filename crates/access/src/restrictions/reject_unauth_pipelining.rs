//! `reject_unauth_pipelining`: the client said more before it had heard an answer, where it may not (RFC 2920 §3.1): before it was told
//! of PIPELINING, or behind a command that must be the last of a group. Once is enough for the whole session.

use envelope::StatusCode;

use super::Context;
use crate::Verdict;

pub(super) fn reject_unauth_pipelining(context: &Context<'_>) -> Verdict {
    if !context.request.spoke_ahead {
        return Verdict::Dunno;
    }
    let text = "Improper use of SMTP command pipelining";
    Verdict::Refuse(context.about.refusal(503, StatusCode::permanent(5, 0), text))
}
