//! Headers by which mailbox programs keep their notes inside an mbox file: filtered out, read, written.

use mailbox::{Flags, Keyword, SystemFlags, Uid, UidValidity};

/// The headers that are notes and no part of the message.
const NOTES: [&str; 7] = [
    "status",
    "x-status",
    "x-keywords",
    "x-uid",
    "x-imap",
    "x-imapbase",
    "content-length",
];
/// How much of a line must be seen to know its name: longer than every name above, with its colon and spaces.
const NAME_BYTES_MAX: usize = 24;
/// How much of the notes of one message is kept, in octets.
const NOTES_BYTES_MAX: usize = 8 * 1024;

/// Takes the notes out of a message's header; fed in any pieces, lines ending in LF or CRLF.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    state: State,
    /// The start of a line of which it is not known yet what it is.
    pending: Vec<u8>,
    dropped_before: bool,
    /// The lines that were taken out.
    pub(crate) notes: Vec<u8>,
    /// Octets of the header that were kept, its empty line included.
    pub(crate) header_kept: u64,
    /// Octets of the header that were fed, its empty line included.
    pub(crate) header_fed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    LineStart,
    Keeping,
    Dropping,
    Body,
}

impl Filter {
    pub(crate) fn new() -> Filter {
        Filter::default()
    }

    /// Whether the empty line has passed.
    pub(crate) fn is_in_body(&self) -> bool {
        self.state == State::Body
    }

    /// Appends what is part of the message.
    pub(crate) fn feed(&mut self, mut input: &[u8], output: &mut Vec<u8>) {
        while !input.is_empty() {
            if self.state == State::Body {
                output.extend_from_slice(input);
                return;
            }
            let end = input.iter().position(|&b| b == b'\n').map(|at| at + 1);
            let mut take = end.unwrap_or(input.len());
            if self.state == State::LineStart && end.is_none() {
                take = take.min(NAME_BYTES_MAX.saturating_sub(self.pending.len()).max(1));
            }
            let (piece, rest) = input.split_at(take);
            input = rest;
            self.header_fed += piece.len() as u64;
            let ended = piece.ends_with(b"\n");
            if self.state == State::LineStart {
                self.pending.extend_from_slice(piece);
                if ended || self.pending.len() >= NAME_BYTES_MAX {
                    let line = std::mem::take(&mut self.pending);
                    self.decide(&line);
                    self.put(&line, output);
                }
            } else {
                self.put(piece, output);
            }
            if ended && self.state != State::Body {
                self.state = State::LineStart;
            }
        }
    }

    /// The content is over: appends what was held back.
    pub(crate) fn finish(&mut self, output: &mut Vec<u8>) {
        if !self.pending.is_empty() {
            let line = std::mem::take(&mut self.pending);
            self.decide(&line);
            self.put(&line, output);
        }
    }

    fn decide(&mut self, line: &[u8]) {
        self.state = if matches!(line, b"\n" | b"\r\n") {
            State::Body
        } else if line.starts_with(b" ") || line.starts_with(b"\t") {
            if self.dropped_before {
                State::Dropping
            } else {
                State::Keeping
            }
        } else if is_note(line) {
            State::Dropping
        } else {
            State::Keeping
        };
        self.dropped_before = self.state == State::Dropping;
    }

    fn put(&mut self, piece: &[u8], output: &mut Vec<u8>) {
        if self.state == State::Dropping {
            let room = NOTES_BYTES_MAX.saturating_sub(self.notes.len());
            self.notes.extend_from_slice(&piece[..piece.len().min(room)]);
        } else {
            self.header_kept += piece.len() as u64;
            output.extend_from_slice(piece);
        }
    }
}

fn is_note(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|&b| b == b':') else {
        return false;
    };
    let name = line[..colon].trim_ascii_end();
    NOTES
        .iter()
        .any(|note| name.eq_ignore_ascii_case(note.as_bytes()))
}

/// What the notes of a message say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Notes {
    /// Status, X-Status and X-Keywords.
    pub(crate) flags: Flags,
    /// X-UID.
    pub(crate) uid: Option<Uid>,
    /// X-IMAPbase or X-IMAP: UIDVALIDITY and the highest UID handed out.
    pub(crate) base: Option<(UidValidity, Uid)>,
    /// The message is only a place for X-IMAP (c-client's "FOLDER INTERNAL DATA").
    pub(crate) is_internal: bool,
    /// Content-Length.
    pub(crate) content_length: Option<u64>,
}

impl Notes {
    /// Reads the lines that [`Filter`] took out.
    pub(crate) fn parse(lines: &[u8]) -> Notes {
        let mut notes = Notes::default();
        let text = String::from_utf8_lossy(lines);
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let mut words = value.split_ascii_whitespace();
            match name.trim_end().to_ascii_lowercase().as_str() {
                "status" | "x-status" => notes.read_status(value),
                "x-keywords" => notes
                    .flags
                    .keywords
                    .extend(words.take(mailbox::flags::KEYWORDS_MAX).map(Keyword::new)),
                "x-uid" => notes.uid = words.next().and_then(|w| w.parse().ok()).filter(|uid| *uid > 0),
                "content-length" => notes.content_length = words.next().and_then(|w| w.parse().ok()),
                lower @ ("x-imap" | "x-imapbase") => {
                    let mut number = || words.next().and_then(|w| w.parse::<u32>().ok());
                    notes.base = number().zip(number()).filter(|(validity, _)| *validity > 0);
                    notes.is_internal |= lower == "x-imap";
                }
                _ => {}
            }
        }
        notes
    }

    fn read_status(&mut self, value: &str) {
        for letter in value.chars() {
            let flag = match letter {
                'R' => SystemFlags::SEEN,
                'A' => SystemFlags::ANSWERED,
                'F' => SystemFlags::FLAGGED,
                'D' => SystemFlags::DELETED,
                'T' => SystemFlags::DRAFT,
                _ => SystemFlags::NONE,
            };
            self.flags.system = self.flags.system.union(flag);
        }
    }
}

/// Whether a header that starts with this octet begins in the middle of a field: notes before it would swallow its first
/// line, so they stand behind it.
pub(crate) fn begins_folded(first: u8) -> bool {
    matches!(first, b' ' | b'\t')
}

/// The note lines of a message that is written: Status, X-Status, X-Keywords, X-UID, and Content-Length where there is a
/// body (without one the empty line before the next message would be taken for the header's end).
pub(crate) fn write(flags: &Flags, uid: Uid, content_length: u64, output: &mut Vec<u8>) {
    let seen = if flags.system.contains(SystemFlags::SEEN) {
        "R"
    } else {
        ""
    };
    let mut text = format!("Status: {seen}O\n");
    let letters = [
        (SystemFlags::ANSWERED, 'A'),
        (SystemFlags::FLAGGED, 'F'),
        (SystemFlags::DRAFT, 'T'),
        (SystemFlags::DELETED, 'D'),
    ];
    let status: String = letters
        .iter()
        .filter(|(f, _)| flags.system.contains(*f))
        .map(|(_, c)| *c)
        .collect();
    if !status.is_empty() {
        text.push_str(&format!("X-Status: {status}\n"));
    }
    if !flags.keywords.is_empty() {
        let names: Vec<&str> = flags.keywords.iter().map(Keyword::as_str).collect();
        text.push_str(&format!("X-Keywords: {}\n", names.join(" ")));
    }
    text.push_str(&format!("X-UID: {uid}\n"));
    if content_length > 0 {
        text.push_str(&format!("Content-Length: {content_length}\n"));
    }
    output.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(text: &str, piece: usize) -> (String, Notes, u64) {
        let (mut filter, mut output) = (Filter::new(), Vec::new());
        text.as_bytes()
            .chunks(piece)
            .for_each(|p| filter.feed(p, &mut output));
        filter.finish(&mut output);
        (
            String::from_utf8(output).unwrap(),
            Notes::parse(&filter.notes),
            filter.header_fed,
        )
    }

    #[test]
    fn notes_are_taken_out_and_read() {
        let text = "From: a\nStatus: RO\nX-Status : AF\n folded\nSubject: x\n Status: y\nX-UID: 7\nX-IMAPbase: 12 9 k\n\
                    X-Keywords: one two\nA-very-long-header-name-that-is-not-a-note: z\nContent-Length: 5\n\nStatus: R\n";
        for piece in 1..40 {
            let (kept, notes, header) = filtered(text, piece);
            assert_eq!(
                kept,
                "From: a\nSubject: x\n Status: y\nA-very-long-header-name-that-is-not-a-note: z\n\nStatus: R\n"
            );
            let system = SystemFlags::SEEN
                .union(SystemFlags::ANSWERED)
                .union(SystemFlags::FLAGGED);
            assert_eq!(notes.flags.system, system);
            assert_eq!(notes.flags.keywords, [Keyword::new("one"), Keyword::new("two")]);
            assert_eq!(
                (notes.uid, notes.base, notes.content_length),
                (Some(7), Some((12, 9)), Some(5))
            );
            assert_eq!(header as usize, text.len() - "Status: R\n".len());
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let flags = Flags {
            system: SystemFlags(0x1f),
            keywords: vec![Keyword::new("$Forwarded")],
        };
        let mut text = Vec::new();
        write(&flags, 3, 44, &mut text);
        let notes = Notes::parse(&text);
        assert_eq!(
            (notes.flags, notes.uid, notes.content_length),
            (flags, Some(3), Some(44))
        );
    }
}
