//! Content on its way out: dot-stuffing, line ends, long lines.

use memchr::memchr2;

/// The state of one message's content.
#[derive(Debug, Clone)]
pub(super) struct Stuffer {
    /// How many octets of the current line are out.
    column: usize,
    /// CR was last; it is not out yet.
    cr: bool,
    /// Longer lines are folded; `usize::MAX` is never.
    line_octets_max: usize,
}

impl Stuffer {
    pub(super) fn new(line_octets_max: usize) -> Stuffer {
        let line_octets_max = if line_octets_max == 0 {
            usize::MAX
        } else {
            line_octets_max
        };
        Stuffer {
            column: 0,
            cr: false,
            line_octets_max,
        }
    }

    /// Appends `content` to `out` as it goes over the wire. A CR or LF alone is no line end to every peer: LF
    /// becomes CRLF, CR a space.
    pub(super) fn push(&mut self, content: &[u8], out: &mut Vec<u8>) {
        out.reserve(content.len() + content.len() / 64);
        let mut rest = content;
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.cr) {
                if first == b'\n' {
                    self.end_line(out);
                    rest = &rest[1..];
                    continue;
                }
                self.text(b" ", out);
            }
            let text = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            self.text(&rest[..text], out);
            match rest.get(text) {
                Some(b'\n') => self.end_line(out),
                Some(_) => self.cr = true,
                None => {}
            }
            rest = rest.get(text + 1..).unwrap_or_default();
        }
    }

    /// The end of the last line; the end mark may follow.
    pub(super) fn end_of_lines(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.cr) {
            self.text(b" ", out);
        }
        if self.column > 0 {
            self.end_line(out);
        }
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.column = 0;
    }

    /// Octets without a line end.
    fn text(&mut self, mut text: &[u8], out: &mut Vec<u8>) {
        if self.column == 0 && text.first() == Some(&b'.') {
            out.push(b'.');
        }
        while text.len() > self.line_octets_max - self.column {
            let (head, tail) = text.split_at(self.line_octets_max - self.column);
            out.extend_from_slice(head);
            out.extend_from_slice(b"\r\n ");
            self.column = 1;
            text = tail;
        }
        out.extend_from_slice(text);
        self.column += text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stuffed(content: &[u8], limit: usize) -> String {
        let (mut stuffer, mut out) = (Stuffer::new(limit), Vec::new());
        stuffer.push(content, &mut out);
        stuffer.end_of_lines(&mut out);
        out.extend_from_slice(b".\r\n");
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn content_becomes_what_the_wire_wants() {
        for (content, wire) in [
            ("", ".\r\n"),
            ("a\r\n.b\r\n..\r\n.\r\n", "a\r\n..b\r\n...\r\n..\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\nb\rc\r\n\n.\n", "a\r\nb c\r\n\r\n..\r\n.\r\n"),
            ("a\r", "a \r\n.\r\n"),
        ] {
            assert_eq!(stuffed(content.as_bytes(), 0), wire, "{content:?}");
        }
        assert_eq!(
            stuffed(b"abcdefghij\r\nabcd\r\n", 4),
            "abcd\r\n efg\r\n hij\r\nabcd\r\n.\r\n"
        );
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter_and_the_end_comes_once(content in "[ab.\r\n]{0,60}", seed: u64) {
            let whole = stuffed(content.as_bytes(), 5);
            let (mut stuffer, mut out) = (Stuffer::new(5), Vec::new());
            for piece in testkit::Seed::new(seed).cut(content.as_bytes(), 4) {
                stuffer.push(piece, &mut out);
            }
            stuffer.end_of_lines(&mut out);
            out.extend_from_slice(b".\r\n");
            prop_assert_eq!(String::from_utf8(out).unwrap(), whole.clone());
            let framed = format!("\r\n{whole}");
            prop_assert_eq!(framed.find("\r\n.\r\n"), Some(framed.len() - 5));
        }
    }
}
