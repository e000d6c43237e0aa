//! From bytes to whole commands: lines, and the literals that interrupt them (RFC 3501 §4.3, RFC 7888).

use machine::lines::{Line, Lines};

/// What the framing has to say next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A whole command, without its last line end. Literals stand in it as `{n}` CRLF and `n` octets.
    Command(Vec<u8>),
    /// A line ended in a literal: call [`Framing::collect`], [`Framing::stream`] or [`Framing::refuse`].
    Literal(Announced),
    /// A streamed literal is complete; what follows it arrives as a [`Frame::Command`] that starts there.
    StreamEnd,
    /// A command was too long; it starts with these octets.
    Dropped(Vec<u8>),
}

/// A literal that the peer announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// Its size in octets.
    pub size: u64,
    /// Whether the peer waits for a continuation request before it sends the content.
    pub synchronising: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before a command or within its lines.
    Line,
    /// A literal was announced and nobody has decided yet.
    Decision(Announced),
    /// Within a literal that is kept in the command.
    Collecting(u64),
    /// Within a literal that is handed out as it comes.
    Streaming(u64),
    /// Within a refused command: octets of a literal to drop.
    Dropping(u64),
    /// Within a refused command: the rest of its lines is dropped.
    DroppingLine,
}

/// Cuts the peer's bytes into commands.
///
/// # Limits
/// A command without its streamed literal holds at most `command_bytes_max` octets; a longer line is dropped as
/// it comes and reported as [`Frame::Dropped`].
#[derive(Debug)]
pub struct Framing {
    lines: Lines,
    command: Vec<u8>,
    command_bytes_max: usize,
    place: Place,
}

/// How many octets of a dropped command are kept, for its tag and its name.
const DROPPED_BYTES_KEPT: usize = 256;

impl Framing {
    /// Empty framing.
    pub fn new(command_bytes_max: usize) -> Framing {
        Framing {
            lines: Lines::new(),
            command: Vec::new(),
            command_bytes_max,
            place: Place::Line,
        }
    }

    /// Takes bytes that the peer sent.
    pub fn feed(&mut self, input: &[u8]) {
        self.lines.feed(input);
    }

    /// The bytes that were fed and not taken.
    pub fn unread(&self) -> &[u8] {
        self.lines.unread()
    }

    /// Forgets all input, and the command begun with it.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.command = Vec::new();
        self.place = Place::Line;
    }

    /// Whether nothing of a command has arrived yet.
    pub fn is_idle(&self) -> bool {
        self.place == Place::Line && self.command.is_empty() && self.lines.unread().is_empty()
    }

    /// Whether a streamed literal is still to come.
    pub fn is_streaming(&self) -> bool {
        matches!(self.place, Place::Streaming(_))
    }

    /// The command as it stands while a literal is announced: up to and including its `{n}`.
    pub fn so_far(&self) -> &[u8] {
        &self.command
    }

    /// The next frame, if it is complete.
    pub fn next_frame(&mut self) -> Option<Frame> {
        loop {
            match self.place {
                Place::Decision(announced) => return Some(Frame::Literal(announced)),
                Place::Line => return self.next_line(),
                Place::Collecting(left) => {
                    let bytes = self.lines.take(clamp(left));
                    self.command.extend_from_slice(&bytes);
                    let left = left - bytes.len() as u64;
                    if left > 0 {
                        self.place = Place::Collecting(left);
                        return None;
                    }
                    self.place = Place::Line;
                }
                Place::Streaming(0) => {
                    self.place = Place::Line;
                    return Some(Frame::StreamEnd);
                }
                Place::Streaming(_) => return None,
                Place::Dropping(left) => {
                    let count = clamp(left).min(self.lines.unread().len());
                    self.lines.consume(count);
                    let left = left - count as u64;
                    self.place = if left > 0 {
                        Place::Dropping(left)
                    } else {
                        Place::DroppingLine
                    };
                    if left > 0 {
                        return None;
                    }
                }
                Place::DroppingLine => {
                    let line = self.lines.next_line(self.command_bytes_max)?;
                    self.place = match line {
                        Line::Complete(line) => match announced_at_end(&line) {
                            Some(literal) if !literal.synchronising => Place::Dropping(literal.size),
                            _ => Place::Line,
                        },
                        Line::TooLong => Place::Line,
                    };
                    if self.place == Place::Line {
                        self.command = Vec::new();
                    }
                }
            }
        }
    }

    fn next_line(&mut self) -> Option<Frame> {
        let room = self.command_bytes_max.saturating_sub(self.command.len());
        let line = match self.lines.next_line(room)? {
            Line::Complete(line) => line,
            Line::TooLong => return Some(self.dropped()),
        };
        let literal = announced_at_end(&line);
        if self.command.is_empty() {
            self.command = line;
        } else {
            self.command.extend_from_slice(&line);
        }
        match literal {
            Some(announced) => {
                self.place = Place::Decision(announced);
                Some(Frame::Literal(announced))
            }
            None => Some(Frame::Command(std::mem::take(&mut self.command))),
        }
    }

    fn dropped(&mut self) -> Frame {
        self.place = Place::Line;
        let mut start = std::mem::take(&mut self.command);
        start.extend_from_slice(&self.lines.take_dropped_start());
        start.truncate(DROPPED_BYTES_KEPT);
        Frame::Dropped(start)
    }

    /// Keeps the announced literal in the command. `false` when the command would grow past its limit: then
    /// nothing is decided yet.
    pub fn collect(&mut self) -> bool {
        let Place::Decision(announced) = self.place else {
            return false;
        };
        let room = self.command_bytes_max.saturating_sub(self.command.len() + 2);
        if announced.size > room as u64 {
            return false;
        }
        self.command.extend_from_slice(b"\r\n");
        self.place = Place::Collecting(announced.size);
        true
    }

    /// Hands the announced literal out by [`Framing::streamed`]; returns the command up to and including `{n}`.
    pub fn stream(&mut self) -> Vec<u8> {
        if let Place::Decision(announced) = self.place {
            self.place = Place::Streaming(announced.size);
        }
        std::mem::take(&mut self.command)
    }

    /// The octets of the streamed literal that have arrived, at most `limit`.
    pub fn streamed(&mut self, limit: usize) -> &[u8] {
        match self.place {
            Place::Streaming(left) => {
                let count = clamp(left).min(limit).min(self.lines.unread().len());
                &self.lines.unread()[..count]
            }
            _ => &[],
        }
    }

    /// Takes `count` octets that [`Framing::streamed`] showed.
    pub fn consume_streamed(&mut self, count: usize) {
        if let Place::Streaming(left) = self.place {
            self.lines.consume(count);
            self.place = Place::Streaming(left - count as u64);
        }
    }

    /// Refuses the announced literal, or the rest of a streamed one, and answers nothing: that is the caller's word.
    /// The peer sends a literal that is not synchronising whatever we say: it and the rest of its command are
    /// dropped without a frame.
    pub fn refuse(&mut self) {
        match self.place {
            Place::Decision(announced) if !announced.synchronising => {
                self.place = Place::Dropping(announced.size);
                self.command = Vec::new();
            }
            Place::Streaming(left) => self.place = Place::Dropping(left),
            _ => {
                self.place = Place::Line;
                self.command = Vec::new();
            }
        }
    }
}

fn clamp(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// The literal that a line announces at its end: `{12}`, `{12+}`, `~{12}`.
pub fn announced_at_end(line: &[u8]) -> Option<Announced> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|&b| b == b'{')?;
    let (digits, synchronising) = match inner[open + 1..].strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (&inner[open + 1..], true),
    };
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits
        .iter()
        .fold(0u64, |size, digit| size * 10 + u64::from(digit - b'0'));
    Some(Announced { size, synchronising })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_part_of_their_command() {
        let mut framing = Framing::new(1000);
        framing.feed(b"a LOGIN {3}\r\n");
        assert_eq!(
            framing.next_frame(),
            Some(Frame::Literal(Announced {
                size: 3,
                synchronising: true
            }))
        );
        assert!(framing.collect());
        framing.feed(b"b\r\n {2+}\r\nxy\r\nn");
        assert_eq!(
            framing.next_frame(),
            Some(Frame::Literal(Announced {
                size: 2,
                synchronising: false
            }))
        );
        assert!(framing.collect());
        let command = b"a LOGIN {3}\r\nb\r\n {2+}\r\nxy".to_vec();
        assert_eq!(framing.next_frame(), Some(Frame::Command(command)));
        assert_eq!(framing.next_frame(), None);
    }

    #[test]
    fn a_refused_literal_is_dropped_with_its_command() {
        let mut framing = Framing::new(10);
        framing.feed(b"a L {50+}\r\n");
        assert!(matches!(framing.next_frame(), Some(Frame::Literal(_))));
        assert!(!framing.collect());
        framing.refuse();
        framing.feed(&[b'x'; 50]);
        framing.feed(b" {3+}\r\nb c\r\nd e\r\n");
        assert_eq!(framing.next_frame(), Some(Frame::Command(b"d e".to_vec())));
    }

    #[test]
    fn a_streamed_literal_is_never_kept() {
        let mut framing = Framing::new(100);
        framing.feed(b"a APPEND x {5}\r\n");
        assert!(matches!(framing.next_frame(), Some(Frame::Literal(_))));
        assert_eq!(framing.stream(), b"a APPEND x {5}");
        framing.feed(b"12345\r\nb NOOP\r\n");
        assert_eq!(framing.streamed(3), b"123");
        framing.consume_streamed(3);
        assert_eq!(framing.next_frame(), None);
        assert_eq!(framing.streamed(100), b"45");
        framing.consume_streamed(2);
        assert_eq!(framing.next_frame(), Some(Frame::StreamEnd));
        assert_eq!(framing.next_frame(), Some(Frame::Command(Vec::new())));
        assert_eq!(framing.next_frame(), Some(Frame::Command(b"b NOOP".to_vec())));
    }
}
