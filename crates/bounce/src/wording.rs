//! The words of a report that people read.

use address::Domain;
use envelope::Outcome;

use crate::{Fate, Kind, Original, RECIPIENTS_MAX};

/// `From:` as a template has it; an address without a domain is one of this host's.
pub(crate) fn from(template: &str, own: Option<Domain>) -> String {
    let Some(domain) = own else {
        return template.to_owned();
    };
    let bare = |text: &str| !text.is_empty() && !text.contains(['@', ' ', '"', '(']);
    match template
        .split_once('<')
        .and_then(|(name, rest)| Some((name, rest.strip_suffix('>')?)))
    {
        Some((name, address)) if bare(address) => format!("{name}<{address}@{domain}>"),
        None if bare(template) => format!("{template}@{domain}"),
        None => match template.split_once(' ') {
            // user (Full Name)
            Some((address, comment)) if bare(address) && comment.starts_with('(') => {
                format!("{address}@{domain} {comment}")
            }
            _ => template.to_owned(),
        },
        Some(_) => template.to_owned(),
    }
}

/// The first part: what happened and what to do, in the words of the template, and to whom and why.
pub(crate) fn explanation(
    words: Option<&str>,
    kind: Kind,
    original: &Original<'_>,
    fates: &[&Fate<'_>],
) -> String {
    let mut text = words.unwrap_or_default().to_owned();
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
        Kind::Success | Kind::DelayCleared | Kind::Traced | Kind::Verified if outcome.relay != "none" => {
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
