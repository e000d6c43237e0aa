//! The fields of message/delivery-status (RFC 3464), with the X- fields that log tools know from Postfix.

use address::Address;
use envelope::DeliveryResult;
use settings::Postfix;

use crate::{Fate, Kind, Original, RECIPIENTS_MAX, wording};

/// All fields, lines ending in LF: one group for the message, one for each recipient.
pub(crate) fn status(settings: &Postfix, kind: Kind, original: &Original<'_>, fates: &[&Fate<'_>]) -> String {
    let mut text = String::new();
    let mut add = |name: &str, value: &str| text.push_str(&format!("{name}: {}\n", one_line(value)));
    add("Reporting-MTA", &format!("dns; {}", settings.myhostname));
    if let Some(envid) = &original.envelope.envid {
        add("Original-Envelope-Id", envid);
    }
    let software = &settings.mail_name;
    add(&format!("X-{software}-Queue-ID"), original.queue_id.as_str());
    if let Some(sender) = &original.envelope.sender {
        add(&format!("X-{software}-Sender"), &typed(sender));
    }
    add("Arrival-Date", &original.arrival.rfc5322());
    for fate in fates.iter().take(RECIPIENTS_MAX) {
        text.push('\n');
        text.push_str(&recipient(software, kind, fate));
    }
    text
}

fn recipient(software: &str, kind: Kind, fate: &Fate<'_>) -> String {
    let mut text = String::new();
    let mut add = |name: &str, value: &str| text.push_str(&format!("{name}: {}\n", one_line(value)));
    let (recipient, outcome) = (fate.recipient, fate.outcome);
    add("Final-Recipient", &typed(&recipient.address));
    add("Original-Recipient", &recipient.original_recipient());
    add("Action", action(kind, fate));
    add("Status", &outcome.status.to_string());
    match (outcome.result, said(&outcome.text)) {
        _ if outcome.detail.diagnostic.is_some() => {
            let diagnostic = outcome.detail.diagnostic.as_deref().unwrap_or_default();
            let code = format!("Diagnostic-Code: {}", one_line(diagnostic));
            text.push_str(&wording::wrapped(&code));
        }
        (DeliveryResult::Relayed, _) => {
            let host = outcome.relay.split('[').next().unwrap_or_default();
            add("Remote-MTA", &format!("dns; {host}"));
            add("Diagnostic-Code", &format!("smtp; {}", outcome.text));
        }
        (_, Some((host, reply))) => {
            add("Remote-MTA", &format!("dns; {host}"));
            add("Diagnostic-Code", &format!("smtp; {reply}"));
        }
        (_, None) => {
            let reason = one_line(&wording::reason(kind, outcome));
            text.push_str(&wording::wrapped(&format!(
                "Diagnostic-Code: X-{software}; {reason}"
            )));
        }
    }
    if let Kind::Delayed { until } = kind {
        text.push_str(&format!("Will-Retry-Until: {}\n", until.rfc5322()));
    }
    text
}

/// RFC 3464 §2.3.3: a hand-over to a system that will report itself is `relayed`, into a mailbox `delivered`.
fn action(kind: Kind, fate: &Fate<'_>) -> &'static str {
    use DeliveryResult::{Deferred, Expanded, Relayed, Sent};
    match (kind, fate.outcome.result) {
        (Kind::Failed, _) => "failed",
        (_, Expanded) => "expanded",
        (Kind::Delayed { .. }, _) | (Kind::Traced, Deferred) => "delayed",
        (Kind::Verified, Sent | Relayed) => "deliverable",
        (Kind::Verified, _) => "undeliverable",
        (Kind::Success | Kind::DelayCleared | Kind::Traced, Relayed) => "relayed",
        (Kind::DelayCleared | Kind::Traced, Sent) if fate.outcome.relay.contains('[') => "relayed",
        (Kind::Success | Kind::DelayCleared, _) | (Kind::Traced, Sent) => "delivered",
        (Kind::Traced, _) => "failed",
    }
}

fn typed(address: &Address) -> String {
    let kind = if address.needs_smtputf8() {
        "utf-8"
    } else {
        "rfc822"
    };
    format!("{kind}; {address}")
}

/// The host and its reply in `host mx.example.com[192.0.2.1] said: 550 5.1.1 No (in reply to RCPT TO command)`.
fn said(text: &str) -> Option<(&str, &str)> {
    let (host, reply) = text.strip_prefix("host ")?.split_once(" said: ")?;
    let host = host
        .split('[')
        .next()
        .filter(|h| !h.is_empty() && !h.contains(' '))?;
    let reply = reply
        .rsplit_once(" (in reply to ")
        .map_or(reply, |(reply, _)| reply);
    reply
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some((host, reply))
}

/// What a peer said must not start a field of its own.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
