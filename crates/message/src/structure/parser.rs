//! The streaming parser: lines in, an open path of parts, closed by boundaries.

use memchr::memchr;

use super::{Kind, Limits, Part, Structure};
use crate::envelope::Envelope;
use crate::header::{self, Field};
use crate::parameters::{self, ContentType, Disposition};

/// How much of a line is looked at for a boundary; longer boundaries (RFC 2046 allows 70) are not recognised.
const LINE_KEPT_MAX: usize = 1024;
/// The longest boundary that is recognised.
const BOUNDARY_BYTES_MAX: usize = 512;
/// How many language tags are kept.
const LANGUAGES_MAX: usize = 100;

/// Parses a message that is fed in any pieces.
#[derive(Debug)]
pub struct Parser {
    limits: Limits,
    /// The parts that are open, outermost first; the last is the one being read.
    open: Vec<Open>,
    /// How many parts there are.
    parts: usize,
    /// How many open parts have a boundary that counts.
    boundaries: usize,
    in_header: bool,
    /// Where the current line starts, in the CRLF form.
    offset: u64,
    /// Lines before the current one.
    lines: u64,
    /// The header block being read, line ends as CRLF.
    header: Vec<u8>,
    /// What is kept of a line of which the end has not come.
    partial: Vec<u8>,
    /// How long that line is so far, and its last octet.
    partial_bytes: u64,
    partial_last: u8,
}

#[derive(Debug)]
struct Open {
    part: Part,
    /// Set for a multipart whose end has not come.
    boundary: Option<Vec<u8>>,
    /// Lines before its body.
    lines_before: u64,
    /// Where its last child ends and how many lines are before that: it does not end earlier.
    end_min: (u64, u64),
    /// The default type of its children is `message/rfc822` (RFC 2046 §5.1.5).
    is_digest: bool,
}

impl Parser {
    /// A parser at the start of a message.
    pub fn new(limits: Limits) -> Parser {
        let root = Open::new(0, true, false);
        Parser {
            limits,
            open: vec![root],
            parts: 1,
            boundaries: 0,
            in_header: true,
            offset: 0,
            lines: 0,
            header: Vec::new(),
            partial: Vec::new(),
            partial_bytes: 0,
            partial_last: 0,
        }
    }

    /// Takes the next octets of the message.
    pub fn feed(&mut self, mut input: &[u8]) {
        while let Some(end) = memchr(b'\n', input) {
            let (piece, rest) = (&input[..end], &input[end + 1..]);
            input = rest;
            if self.partial_bytes == 0 {
                let line = piece.strip_suffix(b"\r").unwrap_or(piece);
                self.line(line, line.len() as u64 + 2);
            } else {
                self.keep(piece);
                let ends_in_cr = self.partial_last == b'\r';
                let line_bytes = self.partial_bytes - u64::from(ends_in_cr);
                let mut line = std::mem::take(&mut self.partial);
                if ends_in_cr && line.len() as u64 == self.partial_bytes {
                    line.pop();
                }
                (self.partial_bytes, self.partial_last) = (0, 0);
                self.line(&line, line_bytes + 2);
                line.clear();
                self.partial = line;
            }
        }
        if !input.is_empty() {
            self.keep(input);
        }
    }

    /// The structure of what was fed.
    pub fn finish(mut self) -> Structure {
        if self.partial_bytes > 0 {
            // A last line without its end.
            let line = std::mem::take(&mut self.partial);
            let bytes = self.partial_bytes;
            if !self.is_boundary_line(&line) {
                self.add_header_line(&line, false);
                self.offset += bytes;
            } else {
                self.line(&line, bytes);
                self.lines -= 1;
            }
        }
        self.end_open_headers();
        let end = self.offset;
        while self.open.len() > 1 {
            self.close(end, self.lines);
        }
        let mut root = self.open.pop().expect("the root is always open");
        root.end(end, self.lines);
        Structure {
            root: root.part,
            size_bytes: end,
        }
    }

    /// Remembers a piece of a line.
    fn keep(&mut self, piece: &[u8]) {
        let Some(&last) = piece.last() else { return };
        let limit = if self.in_header {
            self.limits.header_bytes_max
        } else {
            LINE_KEPT_MAX
        };
        let room = limit.saturating_sub(self.partial.len());
        // Once something was left out, nothing may be appended after the gap.
        if self.partial.len() as u64 == self.partial_bytes {
            self.partial.extend_from_slice(&piece[..room.min(piece.len())]);
        }
        self.partial_bytes += piece.len() as u64;
        self.partial_last = last;
    }

    /// A line without its end (or what is kept of it); `bytes` is its whole length with CRLF.
    fn line(&mut self, line: &[u8], bytes: u64) {
        if self.boundaries > 0
            && line.starts_with(b"--")
            && let Some((index, is_last)) = self.boundary(line)
        {
            self.at_boundary(index, is_last, bytes);
            return;
        }
        if self.in_header {
            self.add_header_line(line, true);
            if line.is_empty() {
                self.lines += 1;
                self.offset += bytes;
                let end = self.offset;
                self.end_header(end);
                return;
            }
        }
        self.offset += bytes;
        self.lines += 1;
    }

    fn add_header_line(&mut self, line: &[u8], ended: bool) {
        if self.in_header && self.header.len() + line.len() <= self.limits.header_bytes_max {
            self.header.extend_from_slice(line);
            if ended {
                self.header.extend_from_slice(b"\r\n");
            }
        }
    }

    fn is_boundary_line(&self, line: &[u8]) -> bool {
        self.boundaries > 0 && line.starts_with(b"--") && self.boundary(line).is_some()
    }

    /// Which open part's boundary `line` is, and whether it is the last one. A line that is a boundary and nothing
    /// else wins over one that only starts with it; then the longest, then the innermost.
    fn boundary(&self, line: &[u8]) -> Option<(usize, bool)> {
        let line = line[2..].trim_ascii_end();
        let mut best: Option<(usize, usize, bool)> = None;
        for (index, open) in self.open.iter().enumerate().rev() {
            let Some(boundary) = &open.boundary else { continue };
            let Some(rest) = line.strip_prefix(boundary.as_slice()) else {
                continue;
            };
            if rest.is_empty() || rest == b"--" {
                return Some((index, !rest.is_empty()));
            }
            if best.is_none_or(|(_, length, _)| length < boundary.len()) {
                best = Some((index, boundary.len(), rest.starts_with(b"--")));
            }
        }
        best.map(|(index, _, is_last)| (index, is_last))
    }

    /// The line at `offset` is a boundary of the open part `index`.
    fn at_boundary(&mut self, index: usize, is_last: bool, bytes: u64) {
        self.end_open_headers();
        while self.open.len() > index + 1 {
            // The line end before the boundary belongs to the boundary.
            let (end, lines) = (self.offset.saturating_sub(2), self.lines.saturating_sub(1));
            self.close(end, lines);
        }
        self.offset += bytes;
        self.lines += 1;
        if is_last {
            self.open[index].boundary = None;
            self.boundaries -= 1;
        } else if self.parts < self.limits.parts_max {
            let is_digest = self.open[index].is_digest;
            self.push(false, is_digest);
        }
    }

    /// Ends headers that have no empty line. A `message/rfc822` part that ends so opens the next, empty one.
    fn end_open_headers(&mut self) {
        while self.in_header {
            let end = self.offset;
            self.end_header(end);
        }
    }

    fn push(&mut self, is_message: bool, in_digest: bool) {
        self.open.push(Open::new(self.offset, is_message, in_digest));
        self.parts += 1;
        self.in_header = true;
        self.header.clear();
    }

    /// The innermost open part ends at `end`.
    fn close(&mut self, end: u64, lines: u64) {
        let Some(mut open) = self.open.pop() else { return };
        if open.boundary.is_some() {
            self.boundaries -= 1;
        }
        open.end(end, lines);
        if let Some(parent) = self.open.last_mut() {
            // A header without its empty line ends right at the boundary, later than a body would.
            let child_end = (open.part.body.end, open.lines_before + open.part.body_lines);
            parent.end_min = parent.end_min.max(child_end);
            parent.part.children.push(open.part);
        }
    }

    /// The header being read ends at `end`: what it says decides what the body is.
    fn end_header(&mut self, end: u64) {
        self.in_header = false;
        let depth = self.open.len();
        let Some(open) = self.open.last_mut() else { return };
        open.part.header.end = end;
        open.part.body = end..end;
        open.lines_before = self.lines;
        open.read_header(&self.header);
        let content_type = &open.part.content_type;
        if depth >= self.limits.nesting_max || self.parts >= self.limits.parts_max {
            // IMAP could not show a multipart without parts: what is not looked into is just octets.
            if content_type.is_kind("multipart") || content_type.is_kind("message") {
                open.part.content_type = ContentType::plain("application", "octet-stream");
            }
            return;
        }
        if content_type.is_kind("multipart") {
            let boundary = content_type
                .parameters
                .find("boundary")
                .map(<[u8]>::trim_ascii_end);
            if let Some(boundary) = boundary.filter(|b| (1..=BOUNDARY_BYTES_MAX).contains(&b.len())) {
                open.boundary = Some(boundary.to_vec());
                open.part.kind = Kind::Multipart;
                open.is_digest = content_type.is("multipart", "digest");
                self.boundaries += 1;
            }
        } else if content_type.is("message", "rfc822") || content_type.is("message", "global") {
            open.part.kind = Kind::Message;
            self.push(true, false);
        }
    }
}

impl Open {
    fn new(offset: u64, is_message: bool, in_digest: bool) -> Open {
        let content_type = if in_digest {
            ContentType::plain("message", "rfc822")
        } else {
            ContentType::text_plain()
        };
        let part = Part {
            kind: Kind::Leaf,
            content_type,
            encoding: None,
            id: None,
            description: None,
            disposition: None,
            language: Vec::new(),
            location: None,
            md5: None,
            header: offset..offset,
            body: offset..offset,
            body_lines: 0,
            envelope: is_message.then(Box::default),
            children: Vec::new(),
        };
        Open {
            part,
            boundary: None,
            lines_before: 0,
            end_min: (0, 0),
            is_digest: false,
        }
    }

    fn end(&mut self, end: u64, lines: u64) {
        let (end, lines) = (end, lines)
            .max(self.end_min)
            .max((self.part.body.start, self.lines_before));
        self.part.body.end = end;
        self.part.body_lines = lines - self.lines_before;
    }

    fn read_header(&mut self, header: &[u8]) {
        let mut typed = false;
        for field in header::fields(header) {
            let length = field.name.len();
            if length > 8 && field.name[..8].eq_ignore_ascii_case(b"content-") {
                self.content_field(&field, &mut typed);
            } else if let Some(envelope) = &mut self.part.envelope {
                Envelope::take(envelope, &field);
            }
        }
    }

    fn content_field(&mut self, field: &Field<'_>, typed: &mut bool) {
        let part = &mut self.part;
        let keep = |slot: &mut Option<Vec<u8>>| {
            let value = field.unfolded();
            if slot.is_none() && !value.is_empty() {
                *slot = Some(value.into_owned());
            }
        };
        match field.name.len() {
            12 if field.is("content-type") && !*typed => {
                if let Some(content_type) = ContentType::parse(field.body) {
                    part.content_type = content_type;
                    *typed = true;
                }
            }
            25 if field.is("content-transfer-encoding") && part.encoding.is_none() => {
                part.encoding = parameters::transfer_encoding(field.body);
            }
            10 if field.is("content-id") => keep(&mut part.id),
            19 if field.is("content-description") => keep(&mut part.description),
            19 if field.is("content-disposition") && part.disposition.is_none() => {
                part.disposition = Disposition::parse(field.body);
            }
            16 if field.is("content-language") && part.language.is_empty() => {
                part.language = parameters::languages(field.body, LANGUAGES_MAX);
            }
            16 if field.is("content-location") => keep(&mut part.location),
            11 if field.is("content-md5") => keep(&mut part.md5),
            _ => {}
        }
    }
}
