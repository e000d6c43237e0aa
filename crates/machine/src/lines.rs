//! Line framing: bytes in any pieces become lines, bounded.

/// How much of the start of a dropped line is kept, in octets.
const DROPPED_START_BYTES: usize = 256;

/// A line or a complaint about one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A line without its end. The end was CRLF or a bare LF.
    Complete(Vec<u8>),
    /// A line longer than the limit; it was dropped whole, up to and including its end.
    TooLong,
}

/// Collects input and gives it back by lines or by counted octets.
///
/// # Limits
/// Holds at most what was fed and not taken; callers stop feeding while [`Lines::has_line`] is true.
#[derive(Debug, Default)]
pub struct Lines {
    buffer: Vec<u8>,
    /// Where unread input starts in `buffer`.
    start: usize,
    /// How much of the unread input is known to hold no line feed.
    scanned: usize,
    /// The rest of an over-long line is being thrown away.
    skipping: bool,
    /// How the line began that was dropped last.
    dropped: Vec<u8>,
}

impl Lines {
    /// Empty framing, no memory allocated.
    pub fn new() -> Lines {
        Lines::default()
    }

    /// Takes bytes that the peer sent.
    pub fn feed(&mut self, input: &[u8]) {
        if self.start > 0 && self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
        self.buffer.extend_from_slice(input);
    }

    /// The bytes that were fed and not taken.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Takes up to `count` octets as they are (the content of a literal or a chunk).
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let count = count.min(self.unread().len());
        let bytes = self.unread()[..count].to_vec();
        self.consume(count);
        bytes
    }

    /// Drops `count` octets of the unread input.
    ///
    /// # Panics
    /// When fewer than `count` octets are unread.
    pub fn consume(&mut self, count: usize) {
        assert!(count <= self.unread().len(), "cannot consume what was not fed");
        self.start += count;
        self.scanned = 0;
        self.compact();
    }

    /// Forgets everything unread (plaintext that arrived before a TLS handshake).
    pub fn clear(&mut self) {
        *self = Lines::default();
    }

    /// Whether [`Lines::next_line`] would give something.
    pub fn has_line(&self) -> bool {
        memchr(self.unread()).is_some()
    }

    /// The next line if it is complete. Lines longer than `limit` octets (without their end) are dropped and
    /// reported once as [`Line::TooLong`] when their end arrives; at no time more than `limit` octets of such
    /// a line are kept.
    pub fn next_line(&mut self, limit: usize) -> Option<Line> {
        let unread = &self.buffer[self.start..];
        match memchr(&unread[self.scanned..]).map(|at| at + self.scanned) {
            Some(at) => {
                let end = if at > 0 && unread[at - 1] == b'\r' {
                    at - 1
                } else {
                    at
                };
                let too_long = self.skipping || end > limit;
                if too_long && !self.skipping {
                    self.dropped = unread[..end.min(DROPPED_START_BYTES)].to_vec();
                }
                let line = if too_long {
                    Line::TooLong
                } else {
                    Line::Complete(unread[..end].to_vec())
                };
                self.skipping = false;
                self.consume(at + 1);
                Some(line)
            }
            None => {
                self.scanned = unread.len();
                if self.skipping || unread.len() > limit + 1 {
                    if !self.skipping {
                        self.dropped = unread[..unread.len().min(DROPPED_START_BYTES)].to_vec();
                    }
                    self.skipping = true;
                    // A CR at the very end may belong to the line's end: harmless to drop, the rest is skipped.
                    self.buffer.clear();
                    self.start = 0;
                    self.scanned = 0;
                }
                None
            }
        }
    }

    /// The first octets of the line that was last reported as [`Line::TooLong`]; given out once.
    pub fn take_dropped_start(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.dropped)
    }

    /// Gives memory back when idle and moves the unread input forward when the dead part dominates.
    fn compact(&mut self) {
        if self.start == self.buffer.len() {
            self.buffer = Vec::new();
            self.start = 0;
        } else if self.start > 64 * 1024 && self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&b| b == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_dropped_line_is_remembered_by_its_start() {
        let long = [b"tag ".as_slice(), &[b'x'; 1000], b"\r\n"].concat();
        for piece in [1, 7, 500, 2000] {
            let mut lines = Lines::new();
            let mut found = Vec::new();
            for piece in long.chunks(piece) {
                lines.feed(piece);
                found.extend(lines.next_line(100));
            }
            assert_eq!(found, [Line::TooLong]);
            let start = lines.take_dropped_start();
            assert!(start.starts_with(b"tag xxx") && start.len() <= DROPPED_START_BYTES);
            assert!(lines.take_dropped_start().is_empty());
        }
    }

    #[test]
    fn lines_end_in_crlf_or_lf() {
        let mut lines = Lines::new();
        lines.feed(b"one\r\ntwo\nthr");
        assert_eq!(lines.next_line(100), Some(Line::Complete(b"one".to_vec())));
        assert_eq!(lines.next_line(100), Some(Line::Complete(b"two".to_vec())));
        assert_eq!(lines.next_line(100), None);
        lines.feed(b"ee\r");
        assert_eq!(lines.next_line(100), None);
        lines.feed(b"\nx");
        assert_eq!(lines.next_line(100), Some(Line::Complete(b"three".to_vec())));
        assert_eq!(lines.unread(), b"x");
    }

    #[test]
    fn a_long_line_is_reported_once_and_not_kept() {
        let mut lines = Lines::new();
        for _ in 0..1000 {
            lines.feed(b"0123456789");
            assert_eq!(lines.next_line(20), None);
            assert!(lines.unread().len() <= 22);
        }
        lines.feed(b"\r\nnext\r\n");
        assert_eq!(lines.next_line(20), Some(Line::TooLong));
        assert_eq!(lines.next_line(20), Some(Line::Complete(b"next".to_vec())));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(text in "[ab\r\n]{0,200}", cuts in proptest::collection::vec(1usize..20, 0..40)) {
            let whole = {
                let mut lines = Lines::new();
                lines.feed(text.as_bytes());
                std::iter::from_fn(|| lines.next_line(10)).collect::<Vec<_>>()
            };
            let mut lines = Lines::new();
            let mut seen = Vec::new();
            let mut rest = text.as_bytes();
            for cut in cuts.into_iter().chain(std::iter::once(usize::MAX)) {
                let (piece, tail) = rest.split_at(cut.min(rest.len()));
                lines.feed(piece);
                seen.extend(std::iter::from_fn(|| lines.next_line(10)));
                rest = tail;
            }
            prop_assert_eq!(whole, seen);
        }
    }
}
