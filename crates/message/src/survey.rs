//! What a peer is to be told of a message before it gets it: its size as it goes over the wire, and what its labels and its
//! headers ask for (BODY=8BITMIME of RFC 6152, SMTPUTF8 of RFC 6531).
//!
//! Limits: [`FIELD_BYTES_MAX`], [`NESTING_MAX`], [`BOUNDARY_BYTES_MAX`].

use crate::header;
use crate::scan::{Limits, Line, Place, Scanner, Sink};

/// How much of a header field is looked at, in octets.
pub const FIELD_BYTES_MAX: usize = 100 * 1024;
/// How deep multiparts in multiparts are looked into.
pub const NESTING_MAX: usize = 100;
/// How much of a boundary is compared, in octets.
pub const BOUNDARY_BYTES_MAX: usize = 2048;

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Findings {
    /// Its octets with CRLF at the end of each line, the last one too; without what dot-stuffing adds (RFC 1870 §5).
    pub wire_octets: u64,
    /// A header, the message's own or one in it, has a Content-Transfer-Encoding of `8bit` or `binary`.
    pub has_eight_bit_label: bool,
    /// A header, the message's own or one in it, has octets that are not ASCII.
    pub has_eight_bit_header: bool,
    /// The same of a field that is UTF-8.
    pub has_utf8_header: bool,
}

/// Looks at a message as it streams by; its lines end in LF or CRLF.
#[derive(Debug)]
pub struct Survey {
    scanner: Scanner,
    findings: Findings,
    /// The last octet.
    last: u8,
}

impl Default for Survey {
    fn default() -> Survey {
        Survey::new()
    }
}

impl Survey {
    /// At the start of a message.
    pub fn new() -> Survey {
        Survey {
            scanner: Scanner::new(Limits {
                field_bytes_max: FIELD_BYTES_MAX,
                nesting_max: NESTING_MAX,
                boundary_bytes_max: BOUNDARY_BYTES_MAX,
            }),
            findings: Findings::default(),
            last: b'\n',
        }
    }

    /// Takes a piece, cut anywhere.
    pub fn feed(&mut self, piece: &[u8]) {
        let mut bare = 0;
        for at in memchr::memchr_iter(b'\n', piece) {
            let before = match at {
                0 => self.last,
                at => piece[at - 1],
            };
            bare += u64::from(before != b'\r');
        }
        self.findings.wire_octets += piece.len() as u64 + bare;
        self.last = piece.last().copied().unwrap_or(self.last);
        if self.scanner.is_at_last_body() {
            return;
        }
        // The scanner's lines end in LF. What a CR elsewhere does to a field is of no interest here.
        for text in piece.split(|octet| *octet == b'\r') {
            self.scanner.feed(text, &mut self.findings);
        }
    }

    /// The message is complete.
    pub fn finish(mut self) -> Findings {
        if self.last != b'\n' {
            self.findings.wire_octets += 2;
        }
        self.scanner.finish(&mut self.findings);
        self.findings
    }
}

impl Sink for Findings {
    fn field(&mut self, _: Place, text: &[u8]) {
        if !text.is_ascii() {
            self.has_eight_bit_header = true;
            self.has_utf8_header |= std::str::from_utf8(text).is_ok();
        }
        let Some(field) = header::fields(text).next() else {
            return;
        };
        if field.is("content-transfer-encoding") {
            let value = field.unfolded();
            self.has_eight_bit_label |= [&b"8bit"[..], b"binary"]
                .iter()
                .any(|label| value.eq_ignore_ascii_case(label));
        }
    }

    fn line(&mut self, _: Line<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn surveyed(message: &[u8], piece: usize) -> Findings {
        let mut survey = Survey::new();
        message.chunks(piece).for_each(|piece| survey.feed(piece));
        survey.finish()
    }

    fn survey(message: &[u8]) -> Findings {
        surveyed(message, message.len().max(1))
    }

    #[test]
    fn the_size_is_that_on_the_wire() {
        for (message, octets) in [
            (&b""[..], 0),
            (b"a", 3),
            (b"a\n", 3),
            (b"a\r\n", 3),
            (b"a: b\n\nc\r\n\n.d\n", 6 + 2 + 3 + 2 + 4),
            (b"a\rb\n", 5),
            (b"a\r", 4),
        ] {
            assert_eq!(survey(message).wire_octets, octets, "{}", message.escape_ascii());
            assert_eq!(surveyed(message, 1).wire_octets, octets);
        }
    }

    #[test]
    fn labels_and_headers_count_wherever_they_are() {
        let found = |message: &str| {
            let found = survey(message.as_bytes());
            assert_eq!(survey(message.replace('\n', "\r\n").as_bytes()), found);
            (found.has_eight_bit_label, found.has_utf8_header)
        };
        assert_eq!(
            found("A: b\n\nh\u{fc}\nContent-Transfer-Encoding: 8bit\n"),
            (false, false)
        );
        assert_eq!(
            found("A: b\nContent-Transfer-Encoding:\n 8BIT\n\nx\n"),
            (true, false)
        );
        assert_eq!(found("Content-Transfer-Encoding: binary\n\nx\n"), (true, false));
        assert_eq!(
            found("Content-Transfer-Encoding: base64\n\nh\u{fc}\n"),
            (false, false)
        );
        assert_eq!(found("Subject: h\u{fc}\n\nx\n"), (false, true));
        let part = "Content-Type: multipart/mixed; boundary=q\n\n--q\nContent-Transfer-Encoding: 8bit\nX: \u{fc}\n\nx\n--q--\n";
        assert_eq!(found(part), (true, true));
        let nested =
            "Content-Type: message/rfc822\n\nSubject: \u{fc}\nContent-Transfer-Encoding: 8bit\n\nx\n";
        assert_eq!(found(nested), (true, true));
        let other = survey(b"Subject: \xff\xe9\n\nx\n");
        assert!(other.has_eight_bit_header && !other.has_utf8_header);
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(message in "([A-C]: \u{fc}?|Content-Transfer-Encoding: 8bit|--q|Content-Type: multipart/x; boundary=q|\r|\n|\r\n|\n\n){0,20}", piece in 1usize..9) {
            prop_assert_eq!(surveyed(message.as_bytes(), piece), survey(message.as_bytes()));
        }
    }
}
