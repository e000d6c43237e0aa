//! `reject` once the message was taken: a disposition notification to the sender (RFC 5429 §2.1.1, RFC 8098).

use super::{Circumstances, IMPLEMENTATION, Lines, Outgoing, header_of};
use crate::actions::Entry;
use crate::mail::Mail;

/// The mail that tells the sender why; `None` when there is nobody to tell. `sieve_reject` at LMTP time needs no mail.
pub fn refusal(about: &Circumstances<'_>, reason: &str, entry: &Entry) -> Option<Outgoing> {
    let sender = about.envelope.sender.as_str();
    if sender.is_empty() {
        return None;
    }
    let mail = Mail::new(std::sync::Arc::clone(&entry.message));
    let settings = about.settings;
    let subject = settings
        .first(&["rejection_subject"])
        .unwrap_or("Automatically rejected mail");
    let recipient = about.envelope.recipient.as_str();
    let boundary = format!("{}/{}", about.unique, about.host);
    let mut lines = Lines::new(mail.line_end());
    lines.beginning(about);
    lines.text("From", &about.postmaster());
    lines.field("To", &format!("<{sender}>"));
    lines.text("Subject", subject);
    lines.field("Auto-Submitted", "auto-replied (rejected)");
    lines.field("Precedence", "bulk");
    lines.begin_report("disposition-notification", &boundary);
    lines.field("Content-Type", "text/plain; charset=utf-8");
    lines.field("Content-Disposition", "inline");
    lines.field("Content-Transfer-Encoding", "8bit");
    lines.line("");
    lines.line(&format!(
        "Your message to <{recipient}> was automatically rejected:"
    ));
    lines.lines(reason);
    lines.line("");
    lines.line(&format!("--{boundary}"));
    lines.field("Content-Type", "message/disposition-notification");
    lines.line("");
    lines.field("Reporting-UA", &format!("{}; {IMPLEMENTATION}", about.host));
    lines.field(
        "Original-Recipient",
        &format!("rfc822; {}", about.envelope.original_recipient),
    );
    lines.field("Final-Recipient", &format!("rfc822; {recipient}"));
    if let Some(id) = mail.text_of("message-id") {
        lines.field("Original-Message-ID", &id);
    }
    lines.field("Disposition", "automatic-action/MDN-sent-automatically; deleted");
    lines.line("");
    lines.line(&format!("--{boundary}"));
    lines.field("Content-Type", "text/rfc822-headers");
    lines.line("");
    let end = mail.line_end();
    let mut message = lines.into_bytes();
    message.extend_from_slice(header_of(&entry.message));
    message.extend_from_slice(format!("{end}{end}--{boundary}--{end}").as_bytes());
    Some(Outgoing {
        sender: String::new(),
        recipients: vec![sender.to_owned()],
        message,
    })
}
