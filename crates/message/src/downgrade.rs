//! Eight-bit messages for peers that take seven bits only (RFC 6152 §3): parts labelled `8bit` or `binary` become
//! quoted-printable, the multiparts and messages around them `7bit`. And messages with parts in binary for stores that keep
//! lines only (RFC 3516 §4.3): parts labelled `binary` become base64. Streaming, in any pieces.
//!
//! What is not labelled stays as it is, header fields too: without a label nobody can say what the octets mean.

use crate::header;
use crate::parameters::ContentType;
use crate::transfer;
use memchr::memchr;

/// The largest header of one part that is looked at, in octets; a part with a larger one passes as it is.
pub const HEADER_BYTES_MAX: usize = 256 * 1024;
/// How deep parts in parts are looked for; what is deeper is one part, whatever it says.
pub const NESTING_MAX: usize = 100;
/// How much of a line of a body is kept to see whether it is a boundary.
const LINE_KEPT_MAX: usize = 4096;
/// The longest quoted-printable line without its soft line break (RFC 2045 §6.7).
const COLUMNS_MAX: usize = 75;

/// A conversion of one message.
#[derive(Debug)]
pub struct Downgrade {
    target: Target,
    /// The start of a line whose end is still to come.
    line: Vec<u8>,
    /// The line's start went on already.
    inside_line: bool,
    state: State,
    /// The boundaries of the multiparts around, outermost first.
    boundaries: Vec<Boundary>,
    /// How many messages are around.
    messages: usize,
}

/// What must not be left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    EightBit,
    Binary,
}

#[derive(Debug)]
struct Boundary {
    text: Vec<u8>,
    is_digest: bool,
}

#[derive(Debug)]
enum State {
    /// Collects the header of a part.
    Header {
        collected: Vec<u8>,
        in_digest: bool,
    },
    /// The body passes as it is.
    Plain,
    /// The body is encoded.
    Quoted(Quoted),
    Base64(Base64),
}

/// What a header says about its body.
enum Body {
    /// More parts, behind this boundary.
    Multipart(Boundary),
    /// A message with a header of its own.
    Message,
    Leaf,
}

impl Default for Downgrade {
    fn default() -> Downgrade {
        Downgrade::new()
    }
}

impl Downgrade {
    /// At the start of a message in which nothing is to have eight bits.
    pub fn new() -> Downgrade {
        Downgrade::to(Target::EightBit)
    }

    /// At the start of a message in which nothing is to be binary.
    pub fn of_binary() -> Downgrade {
        Downgrade::to(Target::Binary)
    }

    fn to(target: Target) -> Downgrade {
        Downgrade {
            target,
            line: Vec::new(),
            inside_line: false,
            state: State::Header {
                collected: Vec::new(),
                in_digest: false,
            },
            boundaries: Vec::new(),
            messages: 0,
        }
    }

    /// Converts a piece of the message; lines end in LF or CRLF, and keep what they end in.
    pub fn feed(&mut self, mut piece: &[u8], output: &mut Vec<u8>) {
        while let Some(at) = memchr(b'\n', piece) {
            self.line.extend_from_slice(&piece[..=at]);
            piece = &piece[at + 1..];
            self.take_line(output);
            self.inside_line = false;
        }
        self.line.extend_from_slice(piece);
        // A CR at the end may belong to a line end.
        if self.line.len() > LINE_KEPT_MAX && self.line.last() != Some(&b'\r') {
            self.take_line(output);
            self.inside_line = true;
        }
    }

    /// The message is over.
    pub fn finish(&mut self, output: &mut Vec<u8>) {
        if !self.line.is_empty() {
            self.take_line(output);
        }
        if matches!(self.state, State::Header { .. }) {
            self.header_done(output, None);
        }
        self.state.finish(output, None);
    }

    /// Handles `self.line`: a whole line, or a piece of a long one.
    fn take_line(&mut self, output: &mut Vec<u8>) {
        let mut line = std::mem::take(&mut self.line);
        if !self.inside_line
            && let Some((index, is_last)) = self.boundary(&line)
        {
            self.at_boundary(index, is_last, &line, output);
        } else {
            match &mut self.state {
                State::Header { .. } => self.header_line(&line, output),
                State::Plain => output.extend_from_slice(&line),
                State::Quoted(quoted) => quoted.feed(&line, output),
                State::Base64(base64) => base64.feed(&line, output),
            }
        }
        line.clear();
        self.line = line;
    }

    /// Which multipart's boundary this is, and whether its last.
    fn boundary(&self, line: &[u8]) -> Option<(usize, bool)> {
        let line = line.strip_prefix(b"--")?.trim_ascii_end();
        self.boundaries
            .iter()
            .enumerate()
            .rev()
            .find_map(|(index, open)| {
                let rest = line.strip_prefix(open.text.as_slice())?;
                (rest.is_empty() || rest == b"--").then_some((index, !rest.is_empty()))
            })
    }

    fn at_boundary(&mut self, index: usize, is_last: bool, line: &[u8], output: &mut Vec<u8>) {
        if matches!(self.state, State::Header { .. }) {
            self.header_done(output, None);
        }
        self.state.finish(output, Some(line));
        output.extend_from_slice(line);
        let in_digest = self.boundaries[index].is_digest;
        self.boundaries.truncate(if is_last { index } else { index + 1 });
        self.state = match is_last {
            true => State::Plain,
            false => State::Header {
                collected: Vec::new(),
                in_digest,
            },
        };
    }

    fn header_line(&mut self, line: &[u8], output: &mut Vec<u8>) {
        let State::Header { collected, .. } = &mut self.state else {
            return;
        };
        let is_empty = !self.inside_line && matches!(line, b"\n" | b"\r\n");
        if is_empty || collected.len() + line.len() <= HEADER_BYTES_MAX {
            if is_empty {
                return self.header_done(output, Some(line));
            }
            collected.extend_from_slice(line);
        } else {
            output.extend_from_slice(collected);
            output.extend_from_slice(line);
            self.state = State::Plain;
        }
    }

    /// The header is there in full; `separator` is the empty line behind it, if there is one.
    fn header_done(&mut self, output: &mut Vec<u8>, separator: Option<&[u8]>) {
        let state = std::mem::replace(&mut self.state, State::Plain);
        let State::Header { collected, in_digest } = state else {
            return;
        };
        let encoding = header::find(&collected, "content-transfer-encoding")
            .map(|field| first_word(&field.unfolded()))
            .unwrap_or_default();
        let is_eight_bit = matches!(encoding.as_slice(), b"8bit" | b"binary");
        let is_open = is_eight_bit || matches!(encoding.as_slice(), b"" | b"7bit");
        let is_coded = match self.target {
            Target::EightBit => is_eight_bit,
            Target::Binary => encoding == b"binary",
        };
        let body = match self.body(&collected, in_digest) {
            body @ (Body::Multipart(_) | Body::Message) if is_open => body,
            _ => Body::Leaf,
        };
        match (is_coded, self.target, &body) {
            (true, Target::Binary, Body::Leaf) => relabel_in_place(&collected, "base64", output),
            (true, Target::EightBit, Body::Leaf) => relabel(&collected, "quoted-printable", output),
            (true, Target::EightBit, _) => relabel(&collected, "7bit", output),
            // What holds only parts that became base64 may say `binary` still.
            _ => output.extend_from_slice(&collected),
        }
        output.extend_from_slice(separator.unwrap_or_default());
        self.state = match body {
            Body::Multipart(boundary) => {
                self.boundaries.push(boundary);
                State::Plain
            }
            Body::Message => {
                self.messages += 1;
                State::Header {
                    collected: Vec::new(),
                    in_digest: false,
                }
            }
            Body::Leaf if is_coded && self.target == Target::Binary => State::Base64(Base64::default()),
            Body::Leaf if is_coded => State::Quoted(Quoted::default()),
            Body::Leaf => State::Plain,
        };
    }

    fn body(&self, header: &[u8], in_digest: bool) -> Body {
        if self.boundaries.len() + self.messages >= NESTING_MAX {
            return Body::Leaf;
        }
        let default = match in_digest {
            true => ContentType::plain("message", "rfc822"),
            false => ContentType::text_plain(),
        };
        let content_type = header::find(header, "content-type")
            .and_then(|field| ContentType::parse(&field.unfolded()))
            .unwrap_or(default);
        if content_type.is("message", "rfc822") {
            return Body::Message;
        }
        match content_type.parameters.find("boundary") {
            Some(boundary) if content_type.is_kind("multipart") && !boundary.is_empty() => {
                Body::Multipart(Boundary {
                    text: boundary.trim_ascii_end().to_vec(),
                    is_digest: content_type.is("multipart", "digest"),
                })
            }
            _ => Body::Leaf,
        }
    }
}

impl State {
    /// The part is over: at the end of the message, or before a line that is a boundary.
    fn finish(&mut self, output: &mut Vec<u8>, boundary: Option<&[u8]>) {
        match self {
            State::Quoted(quoted) => quoted.finish(output),
            State::Base64(base64) => base64.finish(output, boundary.is_some()),
            State::Header { .. } | State::Plain => {}
        }
    }
}

/// `8bit` of `8BIT (of course)`.
fn first_word(value: &[u8]) -> Vec<u8> {
    let value = value.trim_ascii_start();
    let end = value.iter().position(|b| b" \t(;".contains(b));
    value[..end.unwrap_or(value.len())].to_ascii_lowercase()
}

/// The header with another Content-Transfer-Encoding, which stands last.
fn relabel(collected: &[u8], encoding: &str, output: &mut Vec<u8>) {
    let mut from = 0;
    for field in header::find_all(collected, "content-transfer-encoding") {
        output.extend_from_slice(&collected[from..field.offset]);
        from = field.offset + field.raw.len();
    }
    output.extend_from_slice(&collected[from..]);
    let end = if collected.ends_with(b"\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    output.extend_from_slice(format!("Content-Transfer-Encoding: {encoding}{end}").as_bytes());
}

/// The header with another Content-Transfer-Encoding where the first one stood.
fn relabel_in_place(collected: &[u8], encoding: &str, output: &mut Vec<u8>) {
    let mut from = 0;
    for field in header::find_all(collected, "content-transfer-encoding") {
        output.extend_from_slice(&collected[from..field.offset]);
        if from == 0 {
            let end = if field.raw.ends_with(b"\r\n") {
                "\r\n"
            } else {
                "\n"
            };
            output.extend_from_slice(format!("Content-Transfer-Encoding: {encoding}{end}").as_bytes());
        }
        from = field.offset + field.raw.len();
    }
    output.extend_from_slice(&collected[from..]);
}

/// Quoted-printable on its way out.
#[derive(Debug, Default)]
struct Quoted {
    column: usize,
    /// White space (or a CR) whose fate the next octet decides.
    held: Option<u8>,
}

impl Quoted {
    fn feed(&mut self, text: &[u8], output: &mut Vec<u8>) {
        for &octet in text {
            match (self.held.take(), octet) {
                (Some(b'\r'), b'\n') => self.end_line(b"\r\n", output),
                // White space at the end of a line is lost on the way.
                (Some(space), b'\n') => {
                    self.code(space, output);
                    self.end_line(b"\n", output);
                }
                (Some(space), b'\r') if space != b'\r' => {
                    self.code(space, output);
                    self.held = Some(octet);
                }
                (Some(b'\r'), _) => {
                    self.code(b'\r', output);
                    self.octet(octet, output);
                }
                (Some(space), _) => {
                    self.literal(space, output);
                    self.octet(octet, output);
                }
                (None, b'\n') => self.end_line(b"\n", output),
                (None, _) => self.octet(octet, output),
            }
        }
    }

    /// The part is over; its last line keeps its missing end.
    fn finish(&mut self, output: &mut Vec<u8>) {
        if let Some(held) = self.held.take() {
            self.code(held, output);
        }
        self.column = 0;
    }

    fn octet(&mut self, octet: u8, output: &mut Vec<u8>) {
        match octet {
            b' ' | b'\t' | b'\r' => self.held = Some(octet),
            _ if octet.is_ascii_graphic() && octet != b'=' => self.literal(octet, output),
            _ => self.code(octet, output),
        }
    }

    fn literal(&mut self, octet: u8, output: &mut Vec<u8>) {
        self.make_room(1, output);
        output.push(octet);
    }

    fn code(&mut self, octet: u8, output: &mut Vec<u8>) {
        self.make_room(3, output);
        output.extend_from_slice(format!("={octet:02X}").as_bytes());
    }

    fn make_room(&mut self, width: usize, output: &mut Vec<u8>) {
        if self.column + width > COLUMNS_MAX {
            output.extend_from_slice(b"=\r\n");
            self.column = 0;
        }
        self.column += width;
    }

    fn end_line(&mut self, end: &[u8], output: &mut Vec<u8>) {
        output.extend_from_slice(end);
        self.column = 0;
    }
}

/// Octets in one line of base64 (RFC 2045 §6.8).
const BASE64_LINE_OCTETS: usize = 57;

/// Base64 on its way out.
#[derive(Debug, Default)]
struct Base64 {
    /// What does not fill a line yet; the last line end may belong to a boundary.
    waiting: Vec<u8>,
    has_lines: bool,
}

impl Base64 {
    fn feed(&mut self, text: &[u8], output: &mut Vec<u8>) {
        self.waiting.extend_from_slice(text);
        let mut at = 0;
        // Two octets stay: they may be the line end before a boundary.
        while self.waiting.len() - at >= BASE64_LINE_OCTETS + 2 {
            self.line(at..at + BASE64_LINE_OCTETS, output);
            at += BASE64_LINE_OCTETS;
        }
        self.waiting.drain(..at);
    }

    fn line(&mut self, octets: std::ops::Range<usize>, output: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_lines, true) {
            output.extend_from_slice(b"\r\n");
        }
        let coded = transfer::encode_base64(&self.waiting[octets]);
        output.extend_from_slice(coded.trim_ascii_end().as_bytes());
    }

    fn finish(&mut self, output: &mut Vec<u8>, before_boundary: bool) {
        let ends: [&[u8]; 2] = [b"\r\n", b"\n"];
        let end = ends
            .into_iter()
            .find(|end| before_boundary && self.waiting.ends_with(end));
        let kept = self.waiting.len() - end.map_or(0, <[u8]>::len);
        for start in (0..kept).step_by(BASE64_LINE_OCTETS) {
            self.line(start..kept.min(start + BASE64_LINE_OCTETS), output);
        }
        output.extend_from_slice(end.unwrap_or_default());
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structure::Structure;
    use crate::transfer::{Encoding, decoded};
    use proptest::prelude::*;

    fn downgraded(message: &str, piece: usize) -> String {
        let (mut conversion, mut output) = (Downgrade::new(), Vec::new());
        for piece in message.as_bytes().chunks(piece) {
            conversion.feed(piece, &mut output);
        }
        conversion.finish(&mut output);
        String::from_utf8(output).expect("text stays text")
    }

    #[test]
    fn a_labelled_text_becomes_quoted_printable_and_its_header_stays() {
        let message = "Subject: \u{fc}\nContent-Transfer-Encoding:\n 8BIT (x)\nContent-Type: text/plain;\n\tcharset=utf-8\n\nh\u{fc} = w \n.dot\nFrom me\ntab\t\nlast";
        let expected = "Subject: \u{fc}\nContent-Type: text/plain;\n\tcharset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nh=C3=BC =3D w=20\n.dot\nFrom me\ntab=09\nlast";
        for piece in [1, 2, 7, 1000] {
            assert_eq!(downgraded(message, piece), expected, "{piece}");
        }
    }

    #[test]
    fn what_has_no_label_stays() {
        for header in [
            "Subject: x\n",
            "Content-Transfer-Encoding: 7bit\n",
            "Content-Transfer-Encoding: base64\n",
            "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: quoted-printable\n",
        ] {
            let message = format!("{header}\n--b\nContent-Transfer-Encoding: 7bit\n\nh\u{fc} \n--b--\n");
            assert_eq!(downgraded(&message, 5), message);
        }
    }

    #[test]
    fn parts_are_converted_each_by_its_label() {
        let message = "Content-Type: multipart/mixed; boundary=\"b1\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
             pre \u{fc}\r\n--b1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\u{fc}\r\n--b1 \r\n\
             Content-Type: multipart/alternative; boundary=b2\r\nContent-Transfer-Encoding: binary\r\n\r\n\
             --b2\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n\u{fc}=\r\n--b2--\r\nepi \u{fc}\r\n\
             --b1\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
             Subject: \u{fc}\r\nContent-Transfer-Encoding: 8bit\r\n\r\nin \u{fc}\r\n\
             --b1\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b1\r\n\r\n\u{fc}\r\n--b1--\r\nend \u{fc}=\r\n";
        let expected = "Content-Type: multipart/mixed; boundary=\"b1\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
             pre \u{fc}\r\n--b1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n--b1 \r\n\
             Content-Type: multipart/alternative; boundary=b2\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
             --b2\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC=3D\r\n--b2--\r\nepi \u{fc}\r\n\
             --b1\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
             Subject: \u{fc}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nin =C3=BC\r\n\
             --b1\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b1\r\n\r\n\u{fc}\r\n--b1--\r\nend \u{fc}=\r\n";
        for piece in [1, 3, 1000] {
            assert_eq!(downgraded(message, piece), expected, "{piece}");
        }
    }

    fn without_binary(message: &[u8], piece: usize) -> Vec<u8> {
        let (mut conversion, mut output) = (Downgrade::of_binary(), Vec::new());
        message
            .chunks(piece)
            .for_each(|piece| conversion.feed(piece, &mut output));
        conversion.finish(&mut output);
        output
    }

    #[test]
    fn binary_parts_become_base64() {
        let message = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=q\r\nContent-Transfer-Encoding: binary\r\n\r\n\
            --q\r\nContent-Transfer-Encoding: binary\r\nX: 1\r\n\r\nab\0cd\r\n--q\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xfc\r\n--q--\r\n";
        let expected = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=q\r\nContent-Transfer-Encoding: binary\r\n\r\n\
            --q\r\nContent-Transfer-Encoding: base64\r\nX: 1\r\n\r\nYWIAY2Q=\r\n--q\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xfc\r\n--q--\r\n";
        for piece in [1, 2, 7, 1000] {
            assert_eq!(without_binary(message, piece), expected, "{piece}");
        }
    }

    #[test]
    fn long_lines_need_no_room() {
        let long = "\u{fc} ".repeat(20_000);
        let message = format!("Content-Transfer-Encoding: 8bit\n\n{long}\n");
        let coded = downgraded(&message, 1000);
        assert!(coded.is_ascii() && coded.lines().skip(2).all(|line| line.len() <= 76));
        let header = format!(
            "X: {}\nContent-Transfer-Encoding: 8bit\n\n\u{fc}\n",
            "x".repeat(300_000)
        );
        assert_eq!(downgraded(&header, 65_536), header);
    }

    proptest! {
        #[test]
        fn binary_survives(body in proptest::collection::vec(any::<u8>(), 0..300), piece in 1usize..99) {
            let message = [b"Content-Transfer-Encoding: binary\r\n\r\n", body.as_slice()].concat();
            let coded = without_binary(&message, piece);
            prop_assert!(coded.is_ascii());
            let at = coded.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(0) + 4;
            prop_assert_eq!(decoded(Encoding::Base64, &coded[at..]), body);
        }

        #[test]
        fn content_survives(body in "[a =\t\u{fc}\n]{0,200}", piece in 1usize..20) {
            let body = body.replace('\n', "\r\n");
            let message = format!("Content-Transfer-Encoding: 8bit\r\n\r\n{body}");
            let coded = downgraded(&message, piece);
            prop_assert!(coded.is_ascii() && coded.lines().all(|line| line.len() <= 76));
            let part = Structure::parse(coded.as_bytes()).root.body;
            let body_now = &coded.as_bytes()[part.start as usize..];
            prop_assert_eq!(decoded(Encoding::QuotedPrintable, body_now), body.as_bytes());
        }

        #[test]
        fn cuts_do_not_matter(text in "(Content-T(ype: multipart/mixed; boundary=b|ransfer-Encoding: 8bit)|--b|--|\u{fc}| |\r|\n){0,20}", piece in 1usize..9) {
            prop_assert_eq!(downgraded(&text, piece), downgraded(&text, 10_000));
        }
    }
}
