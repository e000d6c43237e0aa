//! Whose words the machine answers in: Postfix's, or Dovecot's as its LMTP service has them.

use super::Words;
use crate::Reply;
use envelope::StatusCode;

/// The reply in the words of the service. What the caller says itself stays as it is: it is none of these texts.
pub(super) fn worded(words: Words, reply: &Reply) -> Reply {
    match words {
        Words::Postfix => reply.clone(),
        Words::Dovecot => dovecot(reply).unwrap_or_else(|| reply.clone()),
    }
}

fn dovecot(reply: &Reply) -> Option<Reply> {
    let [text] = &reply.lines[..] else { return None };
    let permanent =
        |code, (subject, detail), text| Some(Reply::new(code, StatusCode::permanent(subject, detail), text));
    match (reply.code, text.as_str()) {
        (250, "Ok") => Some(Reply {
            lines: vec!["OK".to_owned()],
            ..reply.clone()
        }),
        (354, _) => Some(Reply::bare(354, "OK")),
        (500, text) if text.starts_with("Error: ") => permanent(500, (5, 1), "Unknown command"),
        (501, text) if text.starts_with("Syntax: LHLO") => Some(Reply::bare(501, "Missing hostname")),
        (501, text) if text.starts_with("Syntax: ") => permanent(501, (5, 4), "Invalid parameters"),
        (501, "Bad sender address syntax") => permanent(501, (5, 4), "Invalid FROM: Not a valid path"),
        (501, "Bad recipient address syntax") => permanent(501, (5, 4), "Invalid TO: Not a valid path"),
        (502, "Error: command not implemented") => permanent(502, (5, 1), "TLS support is not enabled."),
        (503, "Error: authentication not enabled") => permanent(502, (5, 1), "Unsupported command"),
        (503, "Error: need MAIL command" | "Error: need RCPT command") => {
            permanent(503, (5, 0), "MAIL needed first")
        }
        (503, "Error: nested MAIL command") => permanent(503, (5, 0), "MAIL already given"),
        (554, "Error: no valid recipients") => permanent(503, (5, 0), "No valid recipients"),
        (555, _) => permanent(555, (5, 4), "Unsupported parameters"),
        _ => None,
    }
}
