//! Line endings: LF to CRLF and back, streaming.

use memchr::{memchr, memchr_iter};

/// Makes every line end in CRLF; fed in any pieces.
#[derive(Debug, Clone, Copy, Default)]
pub struct ToCrlf {
    after_cr: bool,
}

impl ToCrlf {
    /// At the start of a message.
    pub fn new() -> ToCrlf {
        ToCrlf::default()
    }

    /// Appends `input`, each LF that has no CR before it with one.
    pub fn feed(&mut self, input: &[u8], output: &mut Vec<u8>) {
        output.reserve(input.len() + input.len() / 32);
        let mut from = 0;
        for at in memchr_iter(b'\n', input) {
            let has_cr = if at == 0 {
                self.after_cr
            } else {
                input[at - 1] == b'\r'
            };
            if !has_cr {
                output.extend_from_slice(&input[from..at]);
                output.extend_from_slice(b"\r\n");
                from = at + 1;
            }
        }
        output.extend_from_slice(&input[from..]);
        if let Some(&last) = input.last() {
            self.after_cr = last == b'\r';
        }
    }

    /// How many octets [`ToCrlf::feed`] would append.
    pub fn count(&mut self, input: &[u8]) -> u64 {
        let bare = memchr_iter(b'\n', input)
            .filter(|&at| {
                if at == 0 {
                    !self.after_cr
                } else {
                    input[at - 1] != b'\r'
                }
            })
            .count();
        if let Some(&last) = input.last() {
            self.after_cr = last == b'\r';
        }
        (input.len() + bare) as u64
    }
}

/// Makes lines that end in CRLF end in LF; other CRs stay. Fed in any pieces.
#[derive(Debug, Clone, Copy, Default)]
pub struct ToLf {
    held_cr: bool,
}

impl ToLf {
    /// At the start of a message.
    pub fn new() -> ToLf {
        ToLf::default()
    }

    /// Appends `input` with LF for CRLF; a CR at the end is held back.
    pub fn feed(&mut self, mut input: &[u8], output: &mut Vec<u8>) {
        output.reserve(input.len() + 1);
        while let Some(&first) = input.first() {
            if std::mem::take(&mut self.held_cr) && first != b'\n' {
                output.push(b'\r');
            }
            let Some(cr) = memchr(b'\r', input) else {
                output.extend_from_slice(input);
                return;
            };
            output.extend_from_slice(&input[..cr]);
            input = &input[cr + 1..];
            self.held_cr = true;
        }
    }

    /// Appends the CR that was held back.
    pub fn finish(&mut self, output: &mut Vec<u8>) {
        if std::mem::take(&mut self.held_cr) {
            output.push(b'\r');
        }
    }
}

/// `text` with every line ending in CRLF.
pub fn to_crlf(text: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    ToCrlf::new().feed(text, &mut output);
    output
}

/// `text` with LF for CRLF.
pub fn to_lf(text: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    let mut lines = ToLf::new();
    lines.feed(text, &mut output);
    lines.finish(&mut output);
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ends_are_changed() {
        assert_eq!(to_crlf(b"a\nb\r\nc\r\n\nd\re"), b"a\r\nb\r\nc\r\n\r\nd\re");
        assert_eq!(to_lf(b"a\r\nb\nc\r\r\nd\re\r"), b"a\nb\nc\r\nd\re\r");
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(text in "[a\r\n]{0,60}", piece in 1usize..6) {
            let (mut crlf, mut lf, mut count) = (Vec::new(), Vec::new(), 0);
            let (mut to_crlf_lines, mut to_lf_lines, mut counter) = (ToCrlf::new(), ToLf::new(), ToCrlf::new());
            for part in text.as_bytes().chunks(piece) {
                to_crlf_lines.feed(part, &mut crlf);
                to_lf_lines.feed(part, &mut lf);
                count += counter.count(part);
            }
            to_lf_lines.finish(&mut lf);
            prop_assert_eq!(count, crlf.len() as u64);
            prop_assert_eq!(&crlf, &to_crlf(text.as_bytes()));
            prop_assert_eq!(&lf, &to_lf(text.as_bytes()));
            prop_assert_eq!(to_crlf(&crlf), crlf);
        }

        #[test]
        fn round_trip(text in "[a\n]{0,60}") {
            prop_assert_eq!(to_lf(&to_crlf(text.as_bytes())), text.as_bytes());
        }
    }
}
