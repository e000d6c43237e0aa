//! Line ends: content that comes in any pieces, every line made to end in CRLF.

/// Turns bare LF into CRLF across pieces that may be cut anywhere. A CR that no LF follows stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CrlfLines {
    after_cr: bool,
}

impl CrlfLines {
    /// Appends the next piece of content to `into`.
    pub fn push(&mut self, piece: &[u8], into: &mut Vec<u8>) {
        let mut rest = piece;
        while let Some(at) = rest.iter().position(|&b| b == b'\n') {
            let after_cr = if at == 0 {
                self.after_cr
            } else {
                rest[at - 1] == b'\r'
            };
            into.extend_from_slice(&rest[..at]);
            into.extend_from_slice(if after_cr { b"\n" } else { b"\r\n" });
            self.after_cr = false;
            rest = &rest[at + 1..];
        }
        into.extend_from_slice(rest);
        if let Some(&last) = rest.last() {
            self.after_cr = last == b'\r';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_line_ends_in_crlf() {
        let mut out = Vec::new();
        CrlfLines::default().push(b"a\nb\r\n\n\r\r\nc\rd", &mut out);
        assert_eq!(out, b"a\r\nb\r\n\r\n\r\r\nc\rd");
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(text in "[a\r\n]{0,60}", cut in 1usize..8) {
            let mut whole = Vec::new();
            CrlfLines::default().push(text.as_bytes(), &mut whole);
            let (mut lines, mut pieces) = (CrlfLines::default(), Vec::new());
            text.as_bytes().chunks(cut).for_each(|piece| lines.push(piece, &mut pieces));
            prop_assert_eq!(&whole, &pieces);
            let mut again = Vec::new();
            CrlfLines::default().push(&whole, &mut again);
            prop_assert_eq!(whole, again);
        }
    }
}
