//! `redirect`: the message itself, sent on.

use super::{Circumstances, IMPLEMENTATION, Lines, Outgoing};
use crate::actions::{Entry, Redirect};
use crate::mail::Mail;

/// The message sent on. Its envelope sender is the one that it came with, unless `sieve_redirect_envelope_from` chooses
/// another; a bounce never gets a sender.
pub fn redirected(about: &Circumstances<'_>, redirect: &Redirect, entry: &Entry) -> Outgoing {
    let mail = Mail::new(std::sync::Arc::clone(&entry.message));
    let mut lines = Lines::new(mail.line_end());
    lines.field("X-Sieve", IMPLEMENTATION);
    let from = match &about.settings.user_email {
        Some(email) => email,
        None => &about.envelope.original_recipient,
    };
    lines.field("X-Sieve-Redirected-From", from);
    let mut message = lines.into_bytes();
    message.extend_from_slice(&entry.message);
    let sender = match about.envelope.sender.is_empty() {
        true => String::new(),
        false => about.sender_by("sieve_redirect_envelope_from", "sender"),
    };
    Outgoing {
        sender,
        recipients: vec![redirect.address.clone()],
        message,
    }
}
