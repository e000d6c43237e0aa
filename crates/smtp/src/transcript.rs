//! What was said in a session, kept for a notice to the postmaster (`notify_classes`), and which faults it showed.
//!
//! Content is not kept, and neither are passwords: what answers a challenge of AUTH is shown as [`MASKED`].

use crate::Reply;
use std::collections::BTreeSet;

/// How many lines are kept; what comes after them is counted.
pub const TRANSCRIPT_LINES_MAX: usize = 4_000;
/// How much of a line is kept, in octets.
pub const TRANSCRIPT_LINE_OCTETS_MAX: usize = 2_048;
/// What stands for credentials.
pub const MASKED: &str = "(masked)";

/// What a session showed that a postmaster may want to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Mail was refused that could not have been delivered.
    Bounce,
    /// A limit or a rule of ours was met.
    Policy,
    /// One side did not speak SMTP as it is spoken.
    Protocol,
}

/// Who spoke, seen from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// The peer.
    In,
    /// We.
    Out,
}

/// The lines of a session, in order.
///
/// # Limits
/// [`TRANSCRIPT_LINES_MAX`], [`TRANSCRIPT_LINE_OCTETS_MAX`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transcript {
    /// One line after the other, each with a `<` (the peer) or a `>` (we) in front and a line end behind.
    text: String,
    count: usize,
    omitted: usize,
    faults: BTreeSet<Fault>,
}

impl Transcript {
    /// A line was said. Control characters become `?`, white space at its end goes.
    pub fn add(&mut self, voice: Voice, line: &[u8]) {
        if self.count == TRANSCRIPT_LINES_MAX {
            self.omitted += 1;
            return;
        }
        self.count += 1;
        self.text.push(match voice {
            Voice::In => '<',
            Voice::Out => '>',
        });
        let line = &line[..line.len().min(TRANSCRIPT_LINE_OCTETS_MAX)];
        let line = String::from_utf8_lossy(line.trim_ascii_end());
        let shown = line.chars().map(|c| if c.is_control() { '?' } else { c });
        self.text.extend(shown);
        self.text.push('\n');
    }

    /// A command line was said; the credentials in one of AUTH are masked.
    pub fn add_command(&mut self, voice: Voice, line: &[u8]) {
        match credentials_in(line) {
            Some(at) => self.add(voice, &[&line[..at], MASKED.as_bytes()].concat()),
            None => self.add(voice, line),
        }
    }

    /// A reply was given, line by line.
    pub fn add_reply(&mut self, voice: Voice, reply: &Reply) {
        let mut written = Vec::new();
        reply.write(&mut written);
        let lines = written.split(|octet| *octet == b'\n');
        lines
            .filter(|line| !line.is_empty())
            .for_each(|line| self.add(voice, line));
    }

    /// The session showed this.
    pub fn fault(&mut self, fault: Fault) {
        self.faults.insert(fault);
    }

    /// What it showed since that was forgotten the last time.
    pub fn faults(&self) -> impl Iterator<Item = Fault> {
        self.faults.iter().copied()
    }

    /// Mail came through after all: whatever happened before is forgiven.
    pub fn forgive(&mut self) {
        self.faults.clear();
    }

    /// How many lines were said.
    pub fn line_count(&self) -> usize {
        self.count + self.omitted
    }

    /// How many lines were said and not kept.
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// The lines that were kept.
    pub fn lines(&self) -> impl Iterator<Item = (Voice, &str)> {
        self.text.lines().map(|line| match line.strip_prefix('<') {
            Some(line) => (Voice::In, line),
            None => (Voice::Out, line.strip_prefix('>').unwrap_or(line)),
        })
    }
}

/// Where the initial response of an AUTH command begins.
fn credentials_in(line: &[u8]) -> Option<usize> {
    let is_auth = line
        .trim_ascii_start()
        .get(..5)
        .is_some_and(|word| word[..4].eq_ignore_ascii_case(b"AUTH") && word[4].is_ascii_whitespace());
    if !is_auth {
        return None;
    }
    let is_start =
        |at: usize| !line[at].is_ascii_whitespace() && (at == 0 || line[at - 1].is_ascii_whitespace());
    (0..line.len()).filter(|at| is_start(*at)).nth(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use envelope::StatusCode;

    fn shown(transcript: &Transcript) -> Vec<String> {
        let lines = transcript.lines();
        lines.map(|(voice, line)| format!("{voice:?} {line}")).collect()
    }

    #[test]
    fn credentials_are_masked() {
        let mut transcript = Transcript::default();
        for line in [
            "AUTH PLAIN AHUAc2VjcmV0",
            "auth\tlogin  dXNlcg== x",
            "  AUTH PLAIN =",
            "AUTH LOGIN",
            "AUTHOR PLAIN x",
        ] {
            transcript.add_command(Voice::In, line.as_bytes());
        }
        let expected = [
            "In AUTH PLAIN (masked)",
            "In auth?login  (masked)",
            "In   AUTH PLAIN (masked)",
            "In AUTH LOGIN",
            "In AUTHOR PLAIN x",
        ];
        assert_eq!(shown(&transcript), expected);
    }

    #[test]
    fn lines_are_harmless_and_counted() {
        let mut transcript = Transcript::default();
        transcript.add(Voice::In, b"a\x01\x1bb\xff \t\r");
        let reply = Reply {
            code: 250,
            enhanced: Some(StatusCode::success(1, 5)),
            lines: vec!["one".to_owned(), "two".to_owned()],
        };
        transcript.add_reply(Voice::Out, &reply);
        assert_eq!(
            shown(&transcript),
            ["In a??b\u{fffd}", "Out 250-2.1.5 one", "Out 250 2.1.5 two"]
        );
        for _ in 0..TRANSCRIPT_LINES_MAX {
            transcript.add(Voice::Out, &[b'x'; 2 * TRANSCRIPT_LINE_OCTETS_MAX]);
        }
        assert_eq!(
            (transcript.omitted(), transcript.line_count()),
            (3, TRANSCRIPT_LINES_MAX + 3)
        );
        assert_eq!(transcript.lines().count(), TRANSCRIPT_LINES_MAX);
        let longest = transcript.lines().map(|(_, line)| line.len()).max();
        assert_eq!(longest, Some(TRANSCRIPT_LINE_OCTETS_MAX));
    }

    #[test]
    fn mail_that_comes_through_forgives() {
        let mut transcript = Transcript::default();
        transcript.fault(Fault::Protocol);
        transcript.fault(Fault::Policy);
        transcript.fault(Fault::Protocol);
        assert_eq!(
            transcript.faults().collect::<Vec<_>>(),
            [Fault::Policy, Fault::Protocol]
        );
        transcript.forgive();
        assert_eq!(transcript.faults().count(), 0);
    }
}
