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

    use crate::server::{Answer, Config};
    use machine::Machine;
    use std::sync::Arc;

    /// What is noted, and what is said at last, when these pieces come one after the other.
    fn said(forbids_pipelining: bool, pieces: &[&str]) -> (Vec<Note>, String) {
        let config = Config {
            forbids_pipelining,
            ..Config::new("mx.example.test")
        };
        let mut server = Server::new(Arc::new(config), 0);
        let (mut notes, mut output) = (Vec::new(), Vec::new());
        for piece in [""].iter().chain(pieces) {
            server.feed(piece.as_bytes(), 0);
            while let Some(event) = server.next_event() {
                match event {
                    Event::Note(note) => notes.push(note),
                    event if event.needs_answer() => server.answer(Answer::Accept, 0),
                    _ => {}
                }
            }
            output.clear();
            server.next_output(&mut output, 10_000);
        }
        let last = String::from_utf8_lossy(&output).into_owned();
        (notes, last.lines().last().unwrap_or_default().to_owned())
    }

    #[test]
    fn who_does_not_wait_is_noted_once_and_sent_away_where_that_is_forbidden() {
        let group = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";
        assert_eq!(said(true, &["EHLO x\r\n", group, "DATA\r\n"]).0, []);
        let ahead = |after, unread: &str| Note::ImproperPipelining {
            after,
            unread: unread.to_owned(),
        };
        let (notes, last) = said(false, &["HELO x\r\n", group, "DATA\r\n.\r\n"]);
        assert_eq!(notes, [ahead("MAIL", r"RCPT TO:<c@d.example>\r\n")]);
        assert!(last.starts_with("250 "), "{last}");
        let (notes, last) = said(true, &["EHLO x\r\n", group, "DATA\r\n.\r\n"]);
        assert_eq!(notes, [ahead("DATA", r".\r\n")]);
        assert_eq!(last, "554 5.5.0 Error: SMTP protocol synchronization");
    }

    #[test]
    fn what_came_too_early_is_written_as_in_c() {
        assert_eq!(
            escaped(b"a\\\r\n\t\x07\x01\x7f\xe9\"'"),
            "a\\\\\\r\\n\\t\\a\\001\\177\\351\"'"
        );
    }
}
