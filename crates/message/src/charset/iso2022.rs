//! ISO-2022-JP with everything Japanese mail puts into it: JIS X 0208 with vendor rows, half-width kana by escape,
//! by shift or as 8-bit, JIS X 0212 (RFC 2237), GB 2312, KS X 1001 and Latin-1 (RFC 1554); and ISO-2022-KR (RFC 1557).

use encoding_rs::{EUC_JP, EUC_KR, GBK};

/// The character set that is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Set {
    #[default]
    Ascii,
    Kana,
    X0208,
    X0212,
    Gb2312,
    Ksc,
    /// Designated, but not one that is known: each pair becomes U+FFFD.
    Unknown,
}

impl Set {
    fn is_double(self) -> bool {
        !matches!(self, Set::Ascii | Set::Kana)
    }
}

/// A streaming decoder.
#[derive(Debug, Clone, Default)]
pub(super) struct Decoder {
    set: Set,
    /// What SO switches to: kana in Japanese, KS X 1001 in Korean.
    shifted: Option<Set>,
    is_shifted: bool,
    /// An escape sequence that is not complete, ESC included.
    escape: Vec<u8>,
    /// The first octet of a pair.
    lead: Option<u8>,
    /// The next octet is one of Latin-1's upper half (after ESC N).
    single_shift: bool,
}

/// No known escape sequence is longer.
const ESCAPE_BYTES_MAX: usize = 4;

impl Decoder {
    /// For ISO-2022-KR.
    pub(super) fn korean() -> Decoder {
        Decoder {
            shifted: Some(Set::Ksc),
            ..Decoder::default()
        }
    }

    pub(super) fn feed(&mut self, input: &[u8], output: &mut String) {
        for &byte in input {
            if self.escape.is_empty() {
                self.byte(byte, output);
            } else {
                self.escape.push(byte);
                self.escaped(output);
            }
        }
    }

    pub(super) fn finish(&mut self, output: &mut String) {
        if self.lead.take().is_some() || !std::mem::take(&mut self.escape).is_empty() {
            output.push('\u{fffd}');
        }
    }

    fn active(&self) -> Set {
        if self.is_shifted {
            self.shifted.unwrap_or(Set::Kana)
        } else {
            self.set
        }
    }

    fn byte(&mut self, byte: u8, output: &mut String) {
        if self.single_shift && (0x20..0x80).contains(&byte) {
            self.single_shift = false;
            output.push(char::from(byte | 0x80));
            return;
        }
        match byte {
            0x1b => {
                self.drop_lead(output);
                self.escape.push(byte);
            }
            0x0e | 0x0f => {
                self.drop_lead(output);
                self.is_shifted = byte == 0x0e;
            }
            b'\r' | b'\n' => {
                // A line ends in ASCII (RFC 1468); mail that forgets to switch back is the commoner for it.
                self.drop_lead(output);
                (self.set, self.is_shifted) = (Set::Ascii, false);
                output.push(char::from(byte));
            }
            0x00..=0x20 | 0x7f => {
                self.drop_lead(output);
                output.push(char::from(byte));
            }
            _ if self.active().is_double() => self.half(byte & 0x7f, output),
            0x21..=0x7e if self.active() == Set::Ascii => output.push(char::from(byte)),
            // Half-width kana: in its set, or as 8-bit anywhere.
            _ => match byte & 0x7f {
                low @ 0x21..=0x5f => {
                    output.push(char::from_u32(0xff61 + u32::from(low - 0x21)).unwrap_or('\u{fffd}'))
                }
                _ => output.push('\u{fffd}'),
            },
        }
    }

    fn drop_lead(&mut self, output: &mut String) {
        if self.lead.take().is_some() {
            output.push('\u{fffd}');
        }
    }

    /// One half of a pair.
    fn half(&mut self, byte: u8, output: &mut String) {
        let Some(lead) = self.lead.take() else {
            self.lead = Some(byte);
            return;
        };
        let (high, low) = (lead | 0x80, byte | 0x80);
        let decoded = match self.active() {
            Set::X0208 => EUC_JP
                .decode_without_bom_handling_and_without_replacement(&[high, low])
                .map(|t| t.into_owned()),
            Set::X0212 => EUC_JP
                .decode_without_bom_handling_and_without_replacement(&[0x8f, high, low])
                .map(|t| t.into_owned()),
            Set::Gb2312 => GBK
                .decode_without_bom_handling_and_without_replacement(&[high, low])
                .map(|t| t.into_owned()),
            Set::Ksc => EUC_KR
                .decode_without_bom_handling_and_without_replacement(&[high, low])
                .map(|t| t.into_owned()),
            Set::Ascii | Set::Kana | Set::Unknown => None,
        };
        match decoded {
            Some(text) => output.push_str(&text),
            None => output.push('\u{fffd}'),
        }
    }

    /// An escape sequence grew by one octet.
    fn escaped(&mut self, output: &mut String) {
        let set = match self.escape[1..] {
            [b'(', b'B' | b'J' | b'H'] => Set::Ascii,
            [b'(', b'I'] => Set::Kana,
            // 0213 plane 1 (O, Q) is 0208 with more in it.
            [b'$', b'@' | b'B'] | [b'$', b'(', b'@' | b'B' | b'O' | b'Q'] => Set::X0208,
            [b'$', b'(', b'D'] => Set::X0212,
            [b'$', b'A'] | [b'$', b'(', b'A'] => Set::Gb2312,
            [b'$', b'(', b'C'] => Set::Ksc,
            [b'$', b')', b'C'] => {
                (self.shifted, self.escape) = (Some(Set::Ksc), Vec::new());
                return;
            }
            [b')', b'I'] => {
                (self.shifted, self.escape) = (Some(Set::Kana), Vec::new());
                return;
            }
            // Latin-1 or Greek to G2; Greek is not told apart: mail has none.
            [b'.', b'A' | b'F'] | [b'&', b'@'] => {
                self.escape.clear();
                return;
            }
            [b'N'] => {
                (self.single_shift, self.escape) = (true, Vec::new());
                return;
            }
            [b'(' | b')' | b'$' | b'.' | b'&'] | [b'$', b'(' | b')'] => return,
            [b'$', b'(', 0x30..=0x7e] | [b'$', 0x40..=0x7e] => Set::Unknown,
            _ => {
                self.no_escape(output);
                return;
            }
        };
        (self.set, self.is_shifted) = (set, false);
        self.escape.clear();
    }

    /// What followed ESC is text after all.
    fn no_escape(&mut self, output: &mut String) {
        let text = std::mem::take(&mut self.escape);
        debug_assert!(text.len() <= ESCAPE_BYTES_MAX, "every longer sequence is decided");
        output.push('\u{fffd}');
        for &byte in &text[1..] {
            if self.escape.is_empty() {
                self.byte(byte, output);
            } else {
                self.escape.push(byte);
                self.escaped(output);
            }
        }
    }
}
