//! `reject_multi_recipient_bounce`: a report goes to one recipient.

use envelope::StatusCode;

use super::Context;
use crate::Verdict;
use crate::lists::Stage;

pub(super) fn reject_multi_recipient_bounce(context: &Context<'_>) -> Verdict {
    let request = context.request;
    let is_report = request.sender == Some(None);
    // At RCPT the one in question is not counted yet.
    let limit = match context.stage {
        Stage::Data | Stage::EndOfData => 1,
        _ => 0,
    };
    if !is_report || request.recipients <= limit {
        return Verdict::Dunno;
    }
    let code = context.settings.multi_recipient_bounce_reject_code;
    let status = StatusCode::permanent(5, 3);
    Verdict::Refuse(context.about.refusal(code, status, "Multi-recipient bounce"))
}
