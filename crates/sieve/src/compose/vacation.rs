//! `vacation`: whether a message is answered at all (RFC 5230 §4.5, §4.6, RFC 3834 §2), and the answer.

use super::{Circumstances, Lines, Outgoing};
use crate::actions::{Entry, Vacation};
use crate::mail::{Mail, header_text};
use crate::parts::{self, Parsed};

/// Why a message gets no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// It came from the null sender.
    #[error("discarded vacation reply to <>")]
    NullSender,
    /// The sender cannot be written to.
    #[error("discarded vacation reply to invalid address <{0}>")]
    InvalidSender(String),
    /// The sender is the user.
    #[error("discarded vacation reply to own address <{0}>")]
    OwnAddress(String),
    /// A mailing list.
    #[error("discarding vacation response to mailinglist recipient <{0}>")]
    MailingList(String),
    /// Something that answers by itself.
    #[error("discarding vacation response to auto-submitted message from <{0}>")]
    AutoSubmitted(String),
    /// Precedence says that nobody waits for an answer.
    #[error("discarding vacation response to precedence={1} message from <{0}>")]
    Precedence(String, String),
    /// A program's address.
    #[error("not sending vacation response to system address <{0}>")]
    SystemAddress(String),
    /// The sender's program asks for none.
    #[error("discarding vacation response to message from <{0}> (X-Auto-Response-Suppress)")]
    Suppressed(String),
    /// The user is not among the recipients.
    #[error(
        "discarding vacation response for implicitly delivered message; no known (envelope) recipient address found in message headers"
    )]
    NotAddressed,
}

const LIST_FIELDS: [&str; 7] = [
    "list-id",
    "list-owner",
    "list-subscribe",
    "list-post",
    "list-unsubscribe",
    "list-help",
    "list-archive",
];
const RECIPIENT_FIELDS: [&str; 6] = ["to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc"];

/// The answer to the message of `entry`, or why there is none. That the sender got the same answer before is for the caller
/// to find out, by [`Vacation::handle`] and the sender.
///
/// # Errors
/// [`Unanswered`].
pub fn vacation(
    about: &Circumstances<'_>,
    vacation: &Vacation,
    entry: &Entry,
) -> Result<Outgoing, Unanswered> {
    let mail = Mail::new(std::sync::Arc::clone(&entry.message));
    let sender = about.envelope.sender.as_str();
    if sender.is_empty() {
        return Err(Unanswered::NullSender);
    }
    let Ok(to) = parts::single(sender) else {
        return Err(Unanswered::InvalidSender(sender.to_owned()));
    };
    let own = own_addresses(about, vacation);
    if own.iter().any(|own| own.is(&to)) {
        return Err(Unanswered::OwnAddress(sender.to_owned()));
    }
    automatic(&mail, sender)?;
    if is_system(&to.local) {
        return Err(Unanswered::SystemAddress(sender.to_owned()));
    }
    let (check, old) = (
        "sieve_vacation_check_recipient",
        "sieve_vacation_dont_check_recipient",
    );
    let checks = about.settings.is_on(check, true) && !about.settings.is_on(old, false);
    let addressed = addressee(&mail, &own);
    if checks && addressed.is_none() {
        return Err(Unanswered::NotAddressed);
    }
    let from = vacation.from.clone().unwrap_or_else(|| match addressed {
        Some(address) => format!("<{address}>"),
        None => format!("<{}>", about.user_email()),
    });
    let envelope_sender = match about.settings.is_on("sieve_vacation_send_from_recipient", false) {
        true => about.envelope.recipient.clone(),
        false => String::new(),
    };
    Ok(Outgoing {
        sender: envelope_sender,
        recipients: vec![to.whole()],
        message: answer(about, vacation, &mail, &from),
    })
}

/// The user's addresses: recipients of the envelope, `sieve_user_email`, `:addresses`.
fn own_addresses(about: &Circumstances<'_>, vacation: &Vacation) -> Vec<Parsed> {
    let envelope = about.envelope;
    let mut texts = vec![envelope.recipient.as_str()];
    if about
        .settings
        .is_on("sieve_vacation_use_original_recipient", false)
    {
        texts.push(&envelope.original_recipient);
    }
    texts.extend(about.settings.user_email.as_deref());
    texts.extend(vacation.addresses.iter().map(String::as_str));
    texts
        .into_iter()
        .filter_map(|text| parts::single(text).ok())
        .collect()
}

/// Messages of lists and programs.
fn automatic(mail: &Mail, sender: &str) -> Result<(), Unanswered> {
    let text = |name: &str| mail.bodies(name).next().map(header_text);
    if LIST_FIELDS.iter().any(|name| mail.bodies(name).next().is_some()) {
        return Err(Unanswered::MailingList(sender.to_owned()));
    }
    if let Some(value) = text("auto-submitted") {
        let word = value.split(';').next().unwrap_or_default().trim();
        if !word.eq_ignore_ascii_case("no") {
            return Err(Unanswered::AutoSubmitted(sender.to_owned()));
        }
    }
    if let Some(value) = text("precedence")
        && ["junk", "bulk", "list"]
            .iter()
            .any(|word| value.trim().eq_ignore_ascii_case(word))
    {
        return Err(Unanswered::Precedence(sender.to_owned(), value));
    }
    for value in mail.bodies("x-auto-response-suppress").map(header_text) {
        let mut words = value.split(',').map(str::trim);
        if words.any(|word| {
            ["all", "oof"]
                .iter()
                .any(|other| word.eq_ignore_ascii_case(other))
        }) {
            return Err(Unanswered::Suppressed(sender.to_owned()));
        }
    }
    Ok(())
}

fn is_system(local: &str) -> bool {
    let local = local.to_ascii_lowercase();
    ["mailer-daemon", "listserv", "majordomo"].contains(&local.as_str())
        || local.contains("-request")
        || local.starts_with("owner-")
}

/// The address of the user's that stands among the recipients, as it stands there.
fn addressee(mail: &Mail, own: &[Parsed]) -> Option<String> {
    for name in RECIPIENT_FIELDS {
        for body in mail.bodies(name) {
            let entries = address::list::parse(body);
            let addresses = address::list::mailboxes(&entries).filter_map(|mailbox| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                Some(Parsed {
                    local: text(&mailbox.local),
                    domain: text(mailbox.domain.as_ref()?),
                })
            });
            let mut addresses = addresses.filter(|address| own.iter().any(|own| own.is(address)));
            if let Some(address) = addresses.next() {
                return Some(address.whole());
            }
        }
    }
    None
}

fn answer(about: &Circumstances<'_>, vacation: &Vacation, mail: &Mail, from: &str) -> Vec<u8> {
    let mut lines = Lines::new(mail.line_end());
    lines.beginning(about);
    lines.text("From", from);
    lines.field("To", &recipient_field(about, mail));
    lines.text("Subject", &subject(about, vacation, mail));
    if let Some(id) = mail.text_of("message-id") {
        lines.field("In-Reply-To", &id);
        let before = mail
            .text_of("references")
            .map(|ids| format!("{ids} "))
            .unwrap_or_default();
        let all = format!("{before}{id}");
        let ids: Vec<&str> = all.split_ascii_whitespace().collect();
        let start = ids.len().saturating_sub(REFERENCES_MAX);
        lines.field("References", &ids[start..].join(" "));
    }
    lines.field("Auto-Submitted", "auto-replied (vacation)");
    lines.field("Precedence", "bulk");
    lines.field("X-Auto-Response-Suppress", "All");
    lines.field("MIME-Version", "1.0");
    match vacation.mime {
        true => lines.lines(&vacation.reason),
        false => lines.text_body(&vacation.reason, true),
    }
    lines.into_bytes()
}

/// How many message ids References keeps.
const REFERENCES_MAX: usize = 20;

/// Whom the answer is to: the sender's field of the message when it is the envelope's sender, with its name.
fn recipient_field(about: &Circumstances<'_>, mail: &Mail) -> String {
    let sender = about.envelope.sender.as_str();
    let ignore = about
        .settings
        .is_on("sieve_vacation_to_header_ignore_envelope", false);
    for name in ["sender", "resent-from", "reply-to", "from"] {
        for body in mail.bodies(name) {
            let text = String::from_utf8_lossy(&crate::mail::unfolded(body)).into_owned();
            let same = parts::single(&text).ok().zip(parts::single(sender).ok());
            if same.is_some_and(|(field, sender)| ignore || field.is(&sender)) {
                return text;
            }
        }
    }
    format!("<{sender}>")
}

fn subject(about: &Circumstances<'_>, vacation: &Vacation, mail: &Mail) -> String {
    let settings = about.settings;
    let subject = match (&vacation.subject, mail.text_of("subject")) {
        (Some(subject), _) => subject.clone(),
        (None, Some(original)) => match settings.first(&["sieve_vacation_default_subject_template"]) {
            Some(template) => template.replace("%$", &original).replace("%{subject}", &original),
            None => format!("Auto: {original}"),
        },
        (None, None) => settings
            .first(&["sieve_vacation_default_subject"])
            .unwrap_or("Automated reply")
            .to_owned(),
    };
    let max = settings
        .first(&["sieve_vacation_max_subject_codepoints"])
        .and_then(|max| max.parse::<usize>().ok());
    let max = max.unwrap_or(SUBJECT_CHARACTERS_MAX);
    match subject.chars().count() > max {
        true => subject.chars().take(max.saturating_sub(1)).chain(['…']).collect(),
        false => subject,
    }
}

/// The longest subject, in characters. `sieve_vacation_max_subject_codepoints`.
const SUBJECT_CHARACTERS_MAX: usize = 256;
