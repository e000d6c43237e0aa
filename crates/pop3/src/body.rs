//! Message content on its way out: in bounded pieces, dot-stuffed, cut for TOP (RFC 1939 §3, §7).

use std::sync::Arc;

use mailbox::Body;

/// How much content is read from the store at once, in octets.
pub(crate) const PIECE_BYTES: usize = 32 * 1024;

/// What clients of old get wrong and are helped with (`pop3_client_workarounds`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Workarounds {
    /// `outlook-no-nuls`: octets 0 are sent as 0x80.
    pub no_nuls: bool,
    /// `oe-ns-eoh`: a header without the empty line at its end gets it.
    pub end_of_header: bool,
}

/// The rest of a message that is being sent.
pub(crate) struct Sending {
    body: Arc<dyn Body>,
    offset: u64,
    /// Lines of the body still to be sent; `None`: all.
    lines_left: Option<u64>,
    in_header: bool,
    line_start: bool,
    /// The octets of the current line so far, up to two: tells an empty line.
    line_bytes: usize,
    workarounds: Workarounds,
}

/// Whether there is more to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Ask again.
    More,
    /// The content is complete; the end mark is not written.
    Complete,
}

impl Sending {
    /// The message from its start; with `lines`, the header and so many lines of the body.
    pub(crate) fn new(body: Arc<dyn Body>, lines: Option<u64>, workarounds: Workarounds) -> Sending {
        Sending {
            body,
            offset: 0,
            lines_left: lines,
            in_header: true,
            line_start: true,
            line_bytes: 0,
            workarounds,
        }
    }

    /// Appends the next piece, about as long as `limit`.
    pub(crate) fn next(&mut self, into: &mut Vec<u8>, limit: usize) -> mailbox::Result<Progress> {
        let mut piece = vec![0; limit.clamp(1, PIECE_BYTES)];
        let count = self.body.read_at(self.offset, &mut piece)?;
        self.offset += count as u64;
        if self.workarounds.no_nuls {
            piece.iter_mut().filter(|b| **b == 0).for_each(|b| *b = 0x80);
        }
        if count > 0 && self.stuff(&piece[..count], into) == Progress::More {
            return Ok(Progress::More);
        }
        // A message without an octet is an empty line, as Dovecot has it.
        if !self.line_start || self.offset == 0 {
            into.extend_from_slice(b"\r\n");
            self.line_start = true;
        }
        if self.in_header && self.workarounds.end_of_header && self.offset > 0 {
            into.extend_from_slice(b"\r\n");
        }
        Ok(Progress::Complete)
    }

    fn stuff(&mut self, piece: &[u8], into: &mut Vec<u8>) -> Progress {
        let mut rest = piece;
        while !rest.is_empty() {
            if self.line_start {
                if !self.in_header && self.lines_left == Some(0) {
                    return Progress::Complete;
                }
                if rest[0] == b'.' {
                    into.push(b'.');
                }
            }
            let end = rest.iter().position(|&b| b == b'\n').map(|at| at + 1);
            let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
            into.extend_from_slice(line);
            self.line_bytes = (self.line_bytes + line.len()).min(3);
            self.line_start = end.is_some();
            if self.line_start {
                self.line_ended();
            }
            rest = after;
        }
        Progress::More
    }

    fn line_ended(&mut self) {
        if self.in_header {
            // Every line ends in CRLF: one of two octets is empty.
            self.in_header = self.line_bytes > 2;
        } else if let Some(left) = &mut self.lines_left {
            *left -= 1;
        }
        self.line_bytes = 0;
    }
}
