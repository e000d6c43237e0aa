//! `reject_unverified_sender` and `reject_unverified_recipient`: mail to the address would not arrive, as a probe has shown or
//! does not show in time.

use std::time::Duration;

use address::Address;
use envelope::StatusCode;

use super::Context;
use crate::lists::{RECIPIENT, SENDER};
use crate::verification::{Answer, IN_PROGRESS, Status};
use crate::{About, Verdict};

/// How much of a probe's result a refusal for now tells, in octets.
const REASON_BYTES_MAX: usize = 250;

/// What settings say of senders, or of recipients.
struct Manner<'a> {
    reject_code: u16,
    defer_code: u16,
    /// What is told instead of the probe's result.
    reason: &'a str,
    tempfail_action: &'a str,
    /// The last number of the enhanced code.
    detail: u16,
}

pub(super) async fn reject_unverified_sender(context: &Context<'_>) -> Verdict {
    let Some(sender) = context.request.sender.flatten() else {
        return Verdict::Dunno;
    };
    let settings = context.settings;
    let manner = Manner {
        reject_code: settings.unverified_sender_reject_code,
        defer_code: settings.unverified_sender_defer_code,
        reason: &settings.unverified_sender_reject_reason,
        tempfail_action: &settings.unverified_sender_tempfail_action,
        detail: 7,
    };
    let about = About::new(context.request.sender_written, SENDER);
    unverified(context, (sender, &about), &manner).await
}

pub(super) async fn reject_unverified_recipient(context: &Context<'_>) -> Verdict {
    let Some(recipient) = context.request.recipient else {
        return Verdict::Dunno;
    };
    let settings = context.settings;
    let manner = Manner {
        reject_code: settings.unverified_recipient_reject_code,
        defer_code: settings.unverified_recipient_defer_code,
        reason: &settings.unverified_recipient_reject_reason,
        tempfail_action: &settings.unverified_recipient_tempfail_action,
        detail: 1,
    };
    let about = About::new(context.request.recipient_written, RECIPIENT);
    unverified(context, (recipient, &about), &manner).await
}

async fn unverified(
    context: &Context<'_>,
    (address, about): (&Address, &About),
    manner: &Manner<'_>,
) -> Verdict {
    // The log shows a name without a domain as it was written.
    let bare = Address::parse(&about.name)
        .ok()
        .filter(|written| written.domain().is_none());
    let address = bare.as_ref().unwrap_or(address);
    let answer = context.outside.verify(address, patience(context)).await;
    let (code, reason) = match answer {
        Answer::Found(finding) => match finding.status {
            Status::Deliverable => return Verdict::Dunno,
            Status::Undeliverable => (manner.reject_code, finding.text),
            Status::Deferred => (manner.defer_code, finding.text),
        },
        Answer::InProgress => (manner.defer_code, IN_PROGRESS.to_owned()),
        Answer::NotAsked => {
            context.warn(format!(
                "nothing is known of <{address}>: a probe would be sent, and its result would decide"
            ));
            return Verdict::Dunno;
        }
    };
    let reason = match manner.reason {
        "" => reason.as_str(),
        own => own,
    };
    match code {
        // 250: whoever it is, is taken.
        ..400 => Verdict::Dunno,
        400..500 => {
            let status = StatusCode::temporary(1, manner.detail);
            let refusal = about.refusal(
                code,
                status,
                &format!("unverified address: {}", shortened(reason)),
            );
            match manner.tempfail_action {
                "defer" => Verdict::Refuse(refusal),
                _ => Verdict::DeferIfPermit(refusal),
            }
        }
        _ => {
            let status = StatusCode::permanent(1, manner.detail);
            Verdict::Refuse(about.refusal(code, status, &format!("undeliverable address: {reason}")))
        }
    }
}

/// How long a client waits for a probe: the pauses between `address_verify_poll_count` questions.
fn patience(context: &Context<'_>) -> Duration {
    let settings = context.settings;
    let pauses = settings.address_verify_poll_count.saturating_sub(1);
    let pauses = u32::try_from(pauses).unwrap_or(u32::MAX);
    settings.address_verify_poll_delay.saturating_mul(pauses)
}

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(REASON_BYTES_MAX)]
}
