//! The words of a report that people read.

use envelope::Outcome;
use settings::Postfix;

use crate::{Fate, Kind, Original, RECIPIENTS_MAX};

/// The subjects that people's filters know.
pub(crate) fn subject(kind: Kind) -> &'static str {
    match kind {
        Kind::Failed => "Undelivered Mail Returned to Sender",
        Kind::Delayed { .. } => "Delayed Mail (still being retried)",
        Kind::Success => "Successful Mail Delivery Report",
        Kind::Traced | Kind::Verified => "Mail Delivery Status Report",
    }
}

/// The first part: what happened, to whom, why, and what to do.
pub(crate) fn explanation(
    settings: &Postfix,
    kind: Kind,
    original: &Original<'_>,
    fates: &[&Fate<'_>],
) -> String {
    let host = &settings.myhostname;
    let mut text = format!("This is the mail system at host {host}.\n\n");
    text.push_str(&match kind {
        Kind::Failed => "Your message could not be delivered to the recipients below. It will not be tried\n\
             again; what can be returned of it is attached.\n\n\
             If you need help, write to the postmaster of this host and include this report.\n"
            .to_owned(),
        Kind::Delayed { until } => format!(
            "Your message has not been delivered to the recipients below yet. There is nothing\n\
             you need to do: delivery is tried again until {}.\n",
            until.rfc5322()
        ),
        Kind::Success => {
            "Your message was delivered to the recipients below, or handed over to a system that\n\
             may not report what becomes of it. You get this report because you asked for it.\n"
                .to_owned()
        }
        Kind::Traced => {
            "You asked what becomes of your message. This came of the first try to deliver it.\n".to_owned()
        }
        Kind::Verified => {
            "You asked where mail for the recipients below would go. Nothing was delivered to them.\n"
                .to_owned()
        }
    });
    for fate in fates.iter().take(RECIPIENTS_MAX) {
        let (address, original) = (&fate.recipient.address, &fate.recipient.original);
        let forwarded = if original == address {
            String::new()
        } else {
            format!(" (expanded from <{original}>)")
        };
        let reason: String = reason(kind, fate.outcome)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        text.push('\n');
        text.push_str(&wrapped(&format!("<{address}>{forwarded}: {reason}")));
    }
    if fates.len() > RECIPIENTS_MAX {
        text.push_str(&format!(
            "\nand {} more recipients.\n",
            fates.len() - RECIPIENTS_MAX
        ));
    }
    text.push_str(&format!(
        "\n(message {} of {})\n",
        original.queue_id,
        original.arrival.rfc5322()
    ));
    text
}

/// What became of a recipient, in words; of a success, who took the message.
pub(crate) fn reason(kind: Kind, outcome: &Outcome) -> String {
    match kind {
        Kind::Success | Kind::Traced | Kind::Verified if outcome.relay != "none" => {
            format!("delivery via {}: {}", outcome.relay, outcome.text)
        }
        _ => outcome.text.clone(),
    }
}

/// A paragraph of lines of at most 79 columns where words allow, indented from the second on.
pub(crate) fn wrapped(text: &str) -> String {
    const COLUMNS: usize = 79;
    let mut paragraph = String::new();
    let mut column = 0;
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        if column > 0 && column + 1 + word.chars().count() > COLUMNS {
            paragraph.push_str("\n    ");
            column = 4;
        } else if column > 0 {
            paragraph.push(' ');
            column += 1;
        }
        paragraph.push_str(word);
        column += word.chars().count();
    }
    paragraph.push('\n');
    paragraph
}
