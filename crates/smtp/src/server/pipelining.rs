//! Clients that say more before they have heard an answer, where they may not (RFC 2920 §3.1): noticed once a session.

use super::{Ending, Event, HeloVerb, Note, Server, Verb};
use crate::Reply;
use crate::transcript::Fault;
use envelope::StatusCode;

/// How much of what came too early is told, in octets.
const TOLD_OCTETS_MAX: usize = 100;

impl Server {
    /// A command is about to be done: looks whether its client may have said more already. `false`: that was the last of it.
    pub(super) fn tolerates_pipelining(&mut self, verb: Verb) -> bool {
        let must_wait = matches!(
            verb,
            Verb::Helo | Verb::Ehlo | Verb::Lhlo | Verb::Data | Verb::Noop | Verb::Vrfy
        );
        let was_told = matches!(self.helo, Some(HeloVerb::Ehlo | HeloVerb::Lhlo));
        if self.spoke_ahead || (was_told && !must_wait) || self.unread().is_empty() {
            return true;
        }
        self.spoke_ahead = true;
        let unread = self.unread();
        let note = Note::ImproperPipelining {
            after: verb.name(),
            unread: escaped(&unread[..unread.len().min(TOLD_OCTETS_MAX)]),
        };
        self.events.push_back(Event::Note(note));
        if self.config.forbids_pipelining {
            self.refuse_pipelining();
        }
        !self.config.forbids_pipelining
    }

    /// `554 5.5.0 Error: SMTP protocol synchronization`, and the end.
    pub(super) fn refuse_pipelining(&mut self) {
        self.fault(Fault::Protocol);
        let text = "Error: SMTP protocol synchronization";
        self.say(&Reply::new(554, StatusCode::permanent(5, 0), text));
        self.finish(Ending::HungUp);
    }
}

/// The octets as C writes them, where they are no printable ASCII.
fn escaped(octets: &[u8]) -> String {
    let one = |octet: &u8| match octet {
        0x07 => r"\a".to_owned(),
        0x08 => r"\b".to_owned(),
        0x0c => r"\f".to_owned(),
        b'\n' => r"\n".to_owned(),
        b'\r' => r"\r".to_owned(),
        b'\t' => r"\t".to_owned(),
        0x0b => r"\v".to_owned(),
        b'\\' => r"\\".to_owned(),
        b' '..=b'~' => char::from(*octet).to_string(),
        octet => format!(r"\{octet:03o}"),
    };
    octets.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_too_early_is_written_as_in_c() {
        assert_eq!(
            escaped(b"a\\\r\n\t\x07\x01\x7f\xe9\"'"),
            "a\\\\\\r\\n\\t\\a\\001\\177\\351\"'"
        );
    }
}
