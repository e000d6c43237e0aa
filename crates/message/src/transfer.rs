//! Content transfer encodings (RFC 2045 §6): streaming decoders and whole-buffer encoders.

/// A content transfer encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// 7bit, 8bit, binary, or one that is not known: content as it is.
    Identity,
    /// Quoted-printable.
    QuotedPrintable,
    /// Base64.
    Base64,
}

impl Encoding {
    /// The encoding that a Content-Transfer-Encoding value names.
    pub fn from_name(name: &[u8]) -> Encoding {
        let name = name.trim_ascii();
        if name.eq_ignore_ascii_case(b"base64") {
            Encoding::Base64
        } else if name.eq_ignore_ascii_case(b"quoted-printable") {
            Encoding::QuotedPrintable
        } else {
            Encoding::Identity
        }
    }
}

/// Undoes an encoding, fed in any pieces. Tolerant: what is not base64 is passed over, what is not
/// quoted-printable stays as it is.
#[derive(Debug, Clone)]
pub struct Decoder(State);

#[derive(Debug, Clone)]
enum State {
    Identity,
    QuotedPrintable(QuotedPrintable),
    Base64 { bits: u32, count: u8 },
}

/// What was read and could not be decided yet.
#[derive(Debug, Clone, Default)]
struct QuotedPrintable {
    /// `=` and what may belong to it, or white space that a line end would make void.
    held: Vec<u8>,
}

/// How much white space before a line end is held back at most; more of it is passed on.
const HELD_MAX: usize = 1024;

impl Decoder {
    /// A decoder for `encoding`.
    pub fn new(encoding: Encoding) -> Decoder {
        Decoder(match encoding {
            Encoding::Identity => State::Identity,
            Encoding::QuotedPrintable => State::QuotedPrintable(QuotedPrintable::default()),
            Encoding::Base64 => State::Base64 { bits: 0, count: 0 },
        })
    }

    /// Appends what `input` decodes to.
    pub fn feed(&mut self, input: &[u8], output: &mut Vec<u8>) {
        match &mut self.0 {
            State::Identity => output.extend_from_slice(input),
            State::QuotedPrintable(state) => state.feed(input, output),
            State::Base64 { bits, count } => feed_base64(bits, count, input, output),
        }
    }

    /// Appends what was held back.
    pub fn finish(&mut self, output: &mut Vec<u8>) {
        match &mut self.0 {
            State::Identity => {}
            State::QuotedPrintable(state) => {
                let held = std::mem::take(&mut state.held);
                // A soft line break, or white space, at the very end is void.
                if held.first() == Some(&b'=') && held != b"=" && held != b"=\r" {
                    output.extend_from_slice(&held);
                }
            }
            State::Base64 { bits, count } => flush_base64(bits, count, output),
        }
    }
}

const BASE64: [u8; 256] = {
    let mut table = [0xff; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        table[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    table
};

fn feed_base64(bits: &mut u32, count: &mut u8, input: &[u8], output: &mut Vec<u8>) {
    output.reserve(input.len() / 4 * 3 + 3);
    for &byte in input {
        let value = BASE64[usize::from(byte)];
        if value == 0xff {
            if byte == b'=' {
                flush_base64(bits, count, output);
            }
            continue;
        }
        *bits = *bits << 6 | u32::from(value);
        *count += 1;
        if *count == 4 {
            output.extend_from_slice(&bits.to_be_bytes()[1..]);
            (*bits, *count) = (0, 0);
        }
    }
}

/// The octets of an incomplete group.
fn flush_base64(bits: &mut u32, count: &mut u8, output: &mut Vec<u8>) {
    match *count {
        2 => output.push((*bits >> 4) as u8),
        3 => output.extend_from_slice(&[(*bits >> 10) as u8, (*bits >> 2) as u8]),
        _ => {}
    }
    (*bits, *count) = (0, 0);
}

impl QuotedPrintable {
    fn feed(&mut self, input: &[u8], output: &mut Vec<u8>) {
        output.reserve(input.len());
        let mut rest = input;
        while let Some(&byte) = rest.first() {
            if self.held.is_empty() {
                let plain = plain_run(rest);
                if plain > 0 {
                    output.extend_from_slice(&rest[..plain]);
                    rest = &rest[plain..];
                    continue;
                }
                self.plain(byte, output);
            } else if self.held[0] == b'=' {
                self.after_equals(byte, output);
            } else {
                self.after_space(byte, output);
            }
            rest = &rest[1..];
        }
    }

    fn plain(&mut self, byte: u8, output: &mut Vec<u8>) {
        match byte {
            b'=' | b' ' | b'\t' => self.held.push(byte),
            _ => output.push(byte),
        }
    }

    fn after_space(&mut self, byte: u8, output: &mut Vec<u8>) {
        match byte {
            b' ' | b'\t' if self.held.len() < HELD_MAX => self.held.push(byte),
            b'\r' | b'\n' => {
                self.held.clear();
                output.push(byte);
            }
            _ => {
                output.append(&mut self.held);
                self.plain(byte, output);
            }
        }
    }

    fn after_equals(&mut self, byte: u8, output: &mut Vec<u8>) {
        let hex = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
        match (self.held.as_slice(), byte) {
            // A soft line break, perhaps with white space after the sign, which transport added.
            (_, b'\n') if self.held[1..].iter().all(u8::is_ascii_whitespace) => self.held.clear(),
            (_, b' ' | b'\t' | b'\r')
                if self.held[1..].iter().all(u8::is_ascii_whitespace) && self.held.len() < HELD_MAX =>
            {
                self.held.push(byte);
            }
            ([b'='], first) if hex(first).is_some() => self.held.push(first),
            ([b'=', first], second) if hex(*first).is_some() && hex(second).is_some() => {
                output.push(hex(*first).unwrap_or(0) << 4 | hex(second).unwrap_or(0));
                self.held.clear();
            }
            _ => {
                output.append(&mut self.held);
                self.plain(byte, output);
            }
        }
    }
}

/// How many octets at the start stand for themselves whatever follows: no `=`, and white space only within a line.
fn plain_run(text: &[u8]) -> usize {
    let end = memchr::memchr3(b'=', b'\r', b'\n', text).unwrap_or(text.len());
    let is_whole_line = end < text.len() && text[end] == b'=';
    match is_whole_line {
        true => end,
        false => text[..end].trim_ascii_end().len(),
    }
}

/// The octets of base64 text; what is not base64 is passed over.
pub fn base64(text: &[u8]) -> Vec<u8> {
    decoded(Encoding::Base64, text)
}

/// The octets that `text` decodes to.
pub fn decoded(encoding: Encoding, text: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    let mut decoder = Decoder::new(encoding);
    decoder.feed(text, &mut output);
    decoder.finish(&mut output);
    output
}

/// The octets of the Q encoding of header words (RFC 2047 §4.2).
pub(crate) fn q_word(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let hex = |b: Option<&u8>| b.and_then(|&b| char::from(b).to_digit(16));
        match (text[at], hex(text.get(at + 1)), hex(text.get(at + 2))) {
            (b'=', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'_', ..) => bytes.push(b' '),
            (byte, ..) => bytes.push(byte),
        }
        at += 1;
    }
    bytes
}

/// `content` in base64, lines of 76 characters that end in CRLF.
pub fn encode_base64(content: &[u8]) -> String {
    use ::base64::Engine;
    let mut text = String::with_capacity(content.len() * 4 / 3 + content.len() / 28 + 4);
    for line in content.chunks(57) {
        ::base64::engine::general_purpose::STANDARD.encode_string(line, &mut text);
        text.push_str("\r\n");
    }
    text
}

/// Text in quoted-printable, lines of at most 76 characters; line ends (CRLF or LF) become CRLF.
pub fn encode_quoted_printable(text: &[u8]) -> String {
    let mut coded = String::with_capacity(text.len() * 5 / 4);
    for line in text.split_inclusive(|&b| b == b'\n') {
        let ended = line.ends_with(b"\n");
        let content = line
            .strip_suffix(b"\n")
            .map_or(line, |l| l.strip_suffix(b"\r").unwrap_or(l));
        let mut column = 0;
        for (index, &byte) in content.iter().enumerate() {
            let last = index + 1 == content.len();
            let literal =
                (byte.is_ascii_graphic() && byte != b'=') || (matches!(byte, b' ' | b'\t') && !last);
            let width = if literal { 1 } else { 3 };
            if column + width > 75 {
                coded.push_str("=\r\n");
                column = 0;
            }
            if literal {
                coded.push(char::from(byte));
            } else {
                coded.push_str(&format!("={byte:02X}"));
            }
            column += width;
        }
        if ended {
            coded.push_str("\r\n");
        }
    }
    coded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quoted_printable_is_undone() {
        for (text, expected) in [
            ("a=3Db", "a=b"),
            ("a=\r\nb", "ab"),
            ("a= \r\nb", "ab"),
            ("a=\nb", "ab"),
            ("a  \r\nb", "a\r\nb"),
            ("a  b", "a  b"),
            ("a=zz", "a=zz"),
            ("a=3", "a=3"),
            ("a=", "a"),
            ("=3d==3d", "==="),
        ] {
            assert_eq!(
                decoded(Encoding::QuotedPrintable, text.as_bytes()),
                expected.as_bytes(),
                "{text}"
            );
        }
    }

    #[test]
    fn base64_is_undone() {
        assert_eq!(base64(b"aGVs\r\nbG8="), b"hello");
        assert_eq!(base64(b"aGVsbG8"), b"hello");
        assert_eq!(base64(b"aGk=aGk="), b"hihi");
        assert_eq!(base64(b"!a"), b"");
        assert_eq!(encode_base64(b"hello"), "aGVsbG8=\r\n");
    }

    fn in_pieces(encoding: Encoding, text: &[u8], piece: usize) -> Vec<u8> {
        let mut output = Vec::new();
        let mut decoder = Decoder::new(encoding);
        text.chunks(piece).for_each(|p| decoder.feed(p, &mut output));
        decoder.finish(&mut output);
        output
    }

    proptest! {
        #[test]
        fn round_trip(content in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(&base64(encode_base64(&content).as_bytes()), &content);
        }

        #[test]
        fn text_round_trip(text in "[a-z =\t\r\né]{0,200}") {
            // Line ends are text's own business: compare with every line ending in CRLF.
            let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
            let coded = encode_quoted_printable(text.as_bytes());
            prop_assert!(coded.lines().all(|l| l.len() <= 76));
            prop_assert_eq!(decoded(Encoding::QuotedPrintable, coded.as_bytes()), text.as_bytes());
        }

        #[test]
        fn cuts_do_not_matter(text in "[a=3D \r\n\t+/]{0,80}", piece in 1usize..9) {
            for encoding in [Encoding::QuotedPrintable, Encoding::Base64] {
                prop_assert_eq!(in_pieces(encoding, text.as_bytes(), piece), decoded(encoding, text.as_bytes()));
            }
        }
    }
}
