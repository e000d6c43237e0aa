//! `reject_plaintext_session`: nothing without encryption.

use envelope::StatusCode;

use super::Context;
use crate::{Refusal, Verdict};

pub(super) fn reject_plaintext_session(context: &Context<'_>) -> Verdict {
    if context.request.tls.is_some() {
        return Verdict::Dunno;
    }
    let code = context.settings.plaintext_reject_code;
    let text = "Session encryption is required".to_owned();
    Verdict::Refuse(Refusal::new(code, StatusCode::permanent(7, 1), text))
}
