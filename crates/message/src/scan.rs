//! A message as it streams by, told apart into header fields and body lines, and where in the MIME structure they stand:
//! what content checks look at. Unlike [`crate::structure`] it keeps nothing but the field and the line at hand, and
//! everything that goes in comes out again. Lines end in LF. RFC 2045, 2046.
//!
//! Limits: [`PIECE_BYTES_MAX`], [`Limits`].

use crate::parameters::ContentType;

/// A longer body line is told in pieces of this many octets (`line_length_limit`).
pub const PIECE_BYTES_MAX: usize = 2048;

/// So many multiparts may be open beyond the limit before one more is too deep.
pub const NESTING_GRACE: usize = 2;

/// What bounds the scan.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// What a field has beyond is thrown away, in octets (`header_size_limit`).
    pub field_bytes_max: usize,
    /// How deep multiparts may lie in each other (`mime_nesting_limit`; as Postfix counts, [`NESTING_GRACE`] more); deeper ones are
    /// told, and not looked into.
    pub nesting_max: usize,
    /// How much of a boundary is compared, in octets (`mime_boundary_length_limit`).
    pub boundary_bytes_max: usize,
}

/// Whose header a field is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The message's own.
    Primary,
    /// A part's.
    Part,
    /// An attached message's.
    Nested,
}

/// A body line, or a piece of a long one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Without its line end.
    pub text: &'a [u8],
    /// Whether the line ends here.
    pub ends: bool,
    /// Where it begins in the body of its part, in octets.
    pub offset: u64,
}

/// Who is told.
pub trait Sink {
    /// A field with its continuation lines, without its last line end.
    fn field(&mut self, place: Place, text: &[u8]);
    /// A line of a body; boundaries, and the empty lines behind headers, are such lines too.
    fn line(&mut self, line: Line<'_>);
    /// A multipart lies too deep in others: its parts are not told as such. `field` is its Content-Type field.
    fn too_deep(&mut self, _field: &[u8]) {}
}

/// The scanner.
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    state: State,
    /// The boundaries of the open multiparts, the outermost first; whether its parts are messages by default.
    open: Vec<(Vec<u8>, bool)>,
    /// The field at hand.
    field: Vec<u8>,
    /// What the header at hand says of the content.
    content_type: Option<ContentType>,
    /// The field that says so.
    content_type_field: Vec<u8>,
    /// The content is a message where nothing is said: a part of a multipart/digest.
    is_message_by_default: bool,
    /// The start of a line.
    pending: Vec<u8>,
    /// The piece at hand goes on with the line before it.
    inside_line: bool,
    /// Octets of the body at hand so far.
    offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Header(Place),
    Body,
}

impl Scanner {
    /// At the start of a message.
    pub fn new(limits: Limits) -> Scanner {
        Scanner {
            limits,
            state: State::Header(Place::Primary),
            open: Vec::new(),
            field: Vec::new(),
            content_type: None,
            content_type_field: Vec::new(),
            is_message_by_default: false,
            pending: Vec::new(),
            inside_line: false,
            offset: 0,
        }
    }

    /// Behind the message's own header, whose Content-Type field had this value.
    pub fn behind_header(limits: Limits, content_type: Option<&[u8]>) -> Scanner {
        let mut scanner = Scanner::new(limits);
        // The empty line is still to come.
        scanner.content_type = content_type.and_then(ContentType::parse);
        scanner
    }

    /// Whether nothing but the lines of one body can follow.
    pub fn is_at_last_body(&self) -> bool {
        self.state == State::Body && self.open.is_empty()
    }

    /// Takes a piece, cut anywhere.
    pub fn feed(&mut self, mut input: &[u8], sink: &mut dyn Sink) {
        while !input.is_empty() {
            let room = PIECE_BYTES_MAX - self.pending.len();
            let end = memchr::memchr(b'\n', &input[..input.len().min(room + 1)]);
            let (taken, behind) = match end {
                Some(end) => (end, end + 1),
                None if input.len() > room => (room, room),
                None => {
                    self.pending.extend_from_slice(input);
                    return;
                }
            };
            let (piece, rest) = (&input[..taken], &input[behind..]);
            input = rest;
            if self.pending.is_empty() {
                self.piece(piece, end.is_some(), sink);
            } else {
                self.pending.extend_from_slice(piece);
                let whole = std::mem::take(&mut self.pending);
                self.piece(&whole, end.is_some(), sink);
            }
        }
    }

    /// The message is complete.
    pub fn finish(&mut self, sink: &mut dyn Sink) {
        if !self.pending.is_empty() {
            let whole = std::mem::take(&mut self.pending);
            self.piece(&whole, true, sink);
        }
        if let State::Header(place) = self.state {
            self.flush(place, sink);
        }
    }

    /// A line, or what there is room for of it.
    fn piece(&mut self, text: &[u8], ends: bool, sink: &mut dyn Sink) {
        let continues_line = std::mem::replace(&mut self.inside_line, !ends);
        if let State::Header(place) = self.state {
            let folded = text.starts_with(b" ") || text.starts_with(b"\t");
            if continues_line && !self.field.is_empty() {
                return self.extend(text);
            } else if folded && !self.field.is_empty() {
                self.extend(b"\n");
                return self.extend(text);
            }
            self.flush(place, sink);
            if let Some(colon) = name_length(text) {
                let name = text[..colon].trim_ascii_end();
                self.extend(name);
                return self.extend(&text[colon..]);
            }
            self.end_header(text.is_empty(), sink);
        }
        if !continues_line {
            self.at_boundary(text);
        }
        let offset = self.offset;
        self.offset += text.len() as u64 + u64::from(ends);
        sink.line(Line { text, ends, offset });
    }

    fn extend(&mut self, text: &[u8]) {
        let room = self.limits.field_bytes_max.saturating_sub(self.field.len());
        self.field.extend_from_slice(&text[..text.len().min(room)]);
    }

    /// The field at hand is complete.
    fn flush(&mut self, place: Place, sink: &mut dyn Sink) {
        if self.field.is_empty() {
            return;
        }
        let field = std::mem::take(&mut self.field);
        let colon = memchr::memchr(b':', &field).unwrap_or(field.len());
        if field[..colon].eq_ignore_ascii_case(b"content-type") {
            let value = field.get(colon + 1..).unwrap_or_default();
            self.content_type = ContentType::parse(value).or(self.content_type.take());
            sink.field(place, &field);
            self.content_type_field = field;
            return;
        }
        sink.field(place, &field);
    }

    /// What follows the header; `by_empty_line`: it ended as headers do.
    fn end_header(&mut self, by_empty_line: bool, sink: &mut dyn Sink) {
        let field = std::mem::take(&mut self.content_type_field);
        let content_type = self.content_type.take();
        let is_message = match &content_type {
            Some(kind) => kind.is("message", "rfc822") || kind.is("message", "global"),
            None => self.is_message_by_default,
        };
        self.is_message_by_default = false;
        self.offset = 0;
        self.state = State::Body;
        if is_message && by_empty_line {
            self.state = State::Header(Place::Nested);
        }
        let Some(kind) = content_type.filter(|kind| kind.is_kind("multipart")) else {
            return;
        };
        let Some(boundary) = kind.parameters.find("boundary") else {
            return;
        };
        if self.open.len() >= self.limits.nesting_max.saturating_add(NESTING_GRACE) {
            return sink.too_deep(&field);
        }
        let length = boundary.len().min(self.limits.boundary_bytes_max);
        let is_digest = kind.is("multipart", "digest");
        self.open.push((boundary[..length].to_vec(), is_digest));
    }

    /// A line that begins or ends a part: the boundary of an open multipart, whatever follows it.
    fn at_boundary(&mut self, text: &[u8]) {
        let Some(rest) = text.strip_prefix(b"--").filter(|_| !self.open.is_empty()) else {
            return;
        };
        let is_it = |(boundary, _): &(Vec<u8>, bool)| rest.starts_with(boundary);
        let Some(at) = self.open.iter().rposition(is_it) else {
            return;
        };
        let (boundary, is_digest) = &self.open[at];
        let (is_last, is_digest) = (rest[boundary.len()..].starts_with(b"--"), *is_digest);
        self.content_type = None;
        self.offset = 0;
        if is_last {
            self.open.truncate(at);
            self.state = State::Body;
        } else {
            self.open.truncate(at + 1);
            self.is_message_by_default = is_digest;
            self.state = State::Header(Place::Part);
        }
    }
}

/// The length of a field's name with the white space behind it, up to the colon.
fn name_length(line: &[u8]) -> Option<usize> {
    let colon = memchr::memchr(b':', line)?;
    crate::header::is_name(line[..colon].trim_ascii_end()).then_some(colon)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits {
        field_bytes_max: 100,
        nesting_max: 3,
        boundary_bytes_max: 70,
    };

    #[derive(Default)]
    struct Shown(Vec<String>, Vec<u8>);

    impl Sink for Shown {
        fn field(&mut self, place: Place, text: &[u8]) {
            self.0.push(format!("{place:?} {}", text.escape_ascii()));
            self.1.extend_from_slice(text);
            self.1.push(b'\n');
        }
        fn line(&mut self, line: Line<'_>) {
            self.0
                .push(format!("{} {}", line.offset, line.text.escape_ascii()));
            self.1.extend_from_slice(line.text);
            if line.ends {
                self.1.push(b'\n');
            }
        }
    }

    fn scanned(text: &[u8], piece: usize) -> Shown {
        let (mut scanner, mut shown) = (Scanner::new(LIMITS), Shown::default());
        text.chunks(piece)
            .for_each(|piece| scanner.feed(piece, &mut shown));
        scanner.finish(&mut shown);
        shown
    }

    const MIXED: &str = "Subject: a\n b\nContent-Type: multipart/mixed; boundary=\"x y\"\n\npreamble\n--x y\nA: b\n\n\
                         text\n--x y \nContent-Type: message/rfc822\n\nSubject: in\nContent-Type: multipart/digest;\n\tboundary=z\n\n\
                         --z\n\nFrom: deep\n\ndeep\n--z--\nafter\n--x y--\nend\n";

    #[test]
    fn fields_and_lines_are_told_with_their_places() {
        let shown = scanned(MIXED.as_bytes(), 1000);
        assert_eq!(
            shown.0,
            [
                "Primary Subject: a\\n b",
                "Primary Content-Type: multipart/mixed; boundary=\\\"x y\\\"",
                "0 ",
                "1 preamble",
                "0 --x y",
                "Part A: b",
                "0 ",
                "1 text",
                "0 --x y ",
                "Part Content-Type: message/rfc822",
                "0 ",
                "Nested Subject: in",
                "Nested Content-Type: multipart/digest;\\n\\tboundary=z",
                "0 ",
                "0 --z",
                "0 ",
                "Nested From: deep",
                "0 ",
                "1 deep",
                "0 --z--",
                "6 after",
                "0 --x y--",
                "8 end",
            ]
        );
        assert_eq!(shown.1, MIXED.as_bytes());
    }

    #[test]
    fn a_scan_may_begin_behind_the_header() {
        let mut scanner = Scanner::behind_header(LIMITS, Some(b"message/rfc822"));
        let mut shown = Shown::default();
        scanner.feed(b"\nSubject: in\n\nbody\n", &mut shown);
        assert_eq!(shown.0, ["0 ", "Nested Subject: in", "0 ", "1 body"]);
    }

    #[test]
    fn a_header_may_end_without_an_empty_line() {
        let shown = scanned(b"A: b\nno header\n", 3);
        assert_eq!(shown.0, ["Primary A: b", "0 no header"]);
    }

    #[test]
    fn long_lines_are_told_in_pieces_and_long_fields_are_cut() {
        let text = format!("A: {}\n\n{}\n", "f".repeat(5000), "b".repeat(5000));
        let shown = scanned(text.as_bytes(), 700);
        assert_eq!(shown.0[0].len(), "Primary ".len() + 100);
        let offsets: Vec<&str> = shown.0[2..]
            .iter()
            .map(|line| line.split_once(' ').expect("one").0)
            .collect();
        assert_eq!(offsets, ["1", "2049", "4097"]);
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter_and_nothing_is_lost(piece in 1usize..40, text in "([a-c: \\-]{0,5}\n|--x y\n|Content-Type: message/rfc822\n){0,30}") {
            let text = format!("{}{text}", &MIXED[..60]);
            let whole = scanned(text.as_bytes(), 100_000);
            prop_assert_eq!(&scanned(text.as_bytes(), piece).0, &whole.0);
            let squeezed = |text: &[u8]| text.iter().filter(|&&byte| byte != b' ' && byte != b'\n').count();
            prop_assert_eq!(squeezed(&whole.1), squeezed(text.as_bytes()));
        }
    }
}
