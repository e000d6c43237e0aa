//! `notify`: a notification by mail (RFC 5436).

use super::{Circumstances, Lines, Outgoing};
use crate::actions::{Entry, Notify};
use crate::mail::Mail;

/// The mail that tells of the message of `entry`. `None` when nobody is to be told, or when the message itself was made
/// by a program: it could come back (RFC 5436 §2.7.1).
pub fn notification(about: &Circumstances<'_>, notify: &Notify, entry: &Entry) -> Option<Outgoing> {
    let mail = Mail::new(std::sync::Arc::clone(&entry.message));
    let recipients: Vec<String> = notify.to.iter().chain(&notify.cc).cloned().collect();
    let automatic = mail.text_of("auto-submitted").is_some_and(|text| {
        !text
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .eq_ignore_ascii_case("no")
    });
    if recipients.is_empty() || automatic {
        return None;
    }
    let default_from = if notify.deprecated {
        about.postmaster()
    } else {
        format!("<{}>", about.user_email())
    };
    let mut lines = Lines::new(mail.line_end());
    lines.beginning(about);
    lines.text("Subject", &subject(notify, &mail));
    lines.text("From", notify.from.as_deref().unwrap_or(&default_from));
    if !notify.to.is_empty() {
        lines.field("To", &notify.to.join(", "));
    }
    if !notify.cc.is_empty() {
        lines.field("Cc", &notify.cc.join(", "));
    }
    lines.field(
        "Auto-Submitted",
        &format!(
            "auto-notified; owner-email=\"{}\"",
            about.user_email().replace(['"', '\\'], "")
        ),
    );
    lines.field("Precedence", "bulk");
    let (priority, importance) = match notify.importance {
        1 => ("1 (Highest)", "High"),
        3 => ("5 (Lowest)", "Low"),
        _ => ("3 (Normal)", "Normal"),
    };
    lines.field("X-Priority", priority);
    lines.field("Importance", importance);
    for (name, value) in &notify.headers {
        lines.text(name, value);
    }
    lines.field("MIME-Version", "1.0");
    let deprecated = notify.message.as_deref().filter(|_| notify.deprecated);
    let body = notify
        .body
        .as_deref()
        .or(deprecated)
        .unwrap_or("Notification of new message.");
    lines.text_body(body, false);
    let own = if about.envelope.sender.is_empty() {
        "<>"
    } else {
        "user_email"
    };
    Some(Outgoing {
        sender: about.sender_by("sieve_notify_mailto_envelope_from", own),
        recipients,
        message: lines.into_bytes(),
    })
}

fn subject(notify: &Notify, mail: &Mail) -> String {
    if notify.deprecated {
        return "[SIEVE] New mail notification".to_owned();
    }
    if let Some(text) = notify.message.as_ref().or(notify.subject.as_ref()) {
        return text.clone();
    }
    match mail.text_of("subject") {
        Some(subject) => format!("Notification: {subject}"),
        None => "Notification: (no subject)".to_owned(),
    }
}
