//! `report`: an abuse report (RFC 5965).

use super::{Circumstances, IMPLEMENTATION, Lines, Outgoing, header_of};
use crate::actions::{Entry, Report};
use crate::mail::Mail;

/// The mail that reports the message of `entry`.
pub fn report(about: &Circumstances<'_>, report: &Report, entry: &Entry) -> Outgoing {
    let mail = Mail::new(std::sync::Arc::clone(&entry.message));
    let boundary = format!("{}/{}", about.unique, about.host);
    let sender = about.sender_by("sieve_report_from", "postmaster");
    let from = match about.settings.first(&["sieve_report_from"]) {
        None | Some("postmaster") => about.postmaster(),
        Some(_) => format!("<{sender}>"),
    };
    let subject = match mail.text_of("subject") {
        Some(subject) => format!("Report: {subject}"),
        None => "Report: (message without subject)".to_owned(),
    };
    let mut lines = Lines::new(mail.line_end());
    lines.beginning(about);
    lines.text("From", &from);
    lines.field("To", &format!("<{}>", report.address));
    lines.text("Subject", &subject);
    lines.field("Auto-Submitted", "auto-generated (report)");
    lines.begin_report("feedback-report", &boundary);
    let (charset, encoding) = if report.text.is_ascii() {
        ("us-ascii", "7bit")
    } else {
        ("utf-8", "8bit")
    };
    lines.field("Content-Type", &format!("text/plain; charset={charset}"));
    lines.field("Content-Transfer-Encoding", encoding);
    lines.field("Content-Disposition", "inline");
    lines.line("");
    lines.lines(&report.text);
    lines.line("");
    lines.line(&format!("--{boundary}"));
    lines.field("Content-Type", "message/feedback-report");
    lines.line("");
    lines.field("Version", "1");
    lines.field("Feedback-Type", &report.feedback_type);
    lines.field("User-Agent", IMPLEMENTATION);
    lines.field("Original-Mail-From", &format!("<{}>", about.envelope.sender));
    lines.field(
        "Original-Rcpt-To",
        &format!("<{}>", about.envelope.original_recipient),
    );
    lines.field("Dovecot-Reporting-User", &format!("<{}>", about.user_email()));
    lines.line("");
    lines.line(&format!("--{boundary}"));
    let kind = if report.headers_only {
        "text/rfc822-headers"
    } else {
        "message/rfc822"
    };
    lines.field("Content-Type", kind);
    lines.field("Content-Disposition", "attachment");
    lines.line("");
    let end = mail.line_end();
    let mut message = lines.into_bytes();
    message.extend_from_slice(if report.headers_only {
        header_of(&entry.message)
    } else {
        &entry.message
    });
    message.extend_from_slice(format!("{end}{end}--{boundary}--{end}").as_bytes());
    Outgoing {
        sender: String::new(),
        recipients: vec![report.address.clone()],
        message,
    }
}
