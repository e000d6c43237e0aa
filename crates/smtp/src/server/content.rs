//! Finds the end of a message's content and puts its line ends right.
//!
//! Only CRLF.CRLF ends DATA, unless bare line feeds are allowed everywhere. What comes out has CRLF at every
//! line's end and no dot-stuffing. Works on pieces cut anywhere; the usual line costs one search and no copy of its own.

use super::BareNewline;
use memchr::memchr2;

/// The state of one message's content.
#[derive(Debug, Clone)]
pub(super) struct Scanner {
    at: At,
    /// DATA: a dot has a meaning at a line's start. BDAT: it has none.
    dots: bool,
    lenient: bool,
    stray_cr: u8,
    /// A line ended in a bare LF.
    pub(super) bare_line_feed: bool,
}

/// Where in a line the next octet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Start(Before),
    /// A dot was first in the line.
    Dot(Before),
    /// CR after that dot.
    DotCr(Before),
    Inside,
    /// CR was last; what it is depends on the next octet.
    Cr,
}

/// How the line before ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    CrLf,
    BareLf,
}

/// What one piece gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    /// How many octets of the piece belong to the content or its end mark.
    pub(super) used: usize,
    /// Whether the end mark was found.
    pub(super) ended: bool,
}

impl Scanner {
    /// For DATA: the end is a dot on a line of its own.
    pub(super) fn for_data(bare: BareNewline, replace_stray_cr: bool) -> Scanner {
        let stray_cr = if replace_stray_cr { b' ' } else { b'\r' };
        let lenient = bare == BareNewline::Allow;
        Scanner {
            at: At::Start(Before::CrLf),
            dots: true,
            lenient,
            stray_cr,
            bare_line_feed: false,
        }
    }

    /// For BDAT: the end is known by counting.
    pub(super) fn for_chunks(replace_stray_cr: bool) -> Scanner {
        Scanner {
            dots: false,
            ..Scanner::for_data(BareNewline::Normalize, replace_stray_cr)
        }
    }

    /// Scans `input`, appends content to `out`, stops behind the end mark.
    pub(super) fn scan(&mut self, input: &[u8], out: &mut Vec<u8>) -> Scanned {
        // `from..p` is content that was seen and not copied yet.
        let (mut from, mut p) = (0, 0);
        while p < input.len() {
            match self.at {
                At::Inside => {
                    let Some(found) = memchr2(b'\r', b'\n', &input[p..]) else {
                        p = input.len();
                        break;
                    };
                    p += found;
                    if input[p] == b'\n' {
                        out.extend_from_slice(&input[from..p]);
                        self.end_bare(out);
                        p += 1;
                        from = p;
                    } else if input.get(p + 1) == Some(&b'\n') {
                        p += 2;
                        self.at = At::Start(Before::CrLf);
                    } else {
                        out.extend_from_slice(&input[from..p]);
                        p += 1;
                        from = p;
                        self.at = At::Cr;
                    }
                }
                At::Start(before) if self.dots && input[p] == b'.' => {
                    out.extend_from_slice(&input[from..p]);
                    p += 1;
                    from = p;
                    self.at = At::Dot(before);
                }
                At::Start(_) => self.at = At::Inside,
                At::Dot(before) => match input[p] {
                    b'\r' => {
                        p += 1;
                        from = p;
                        self.at = At::DotCr(before);
                    }
                    b'\n' if self.lenient => {
                        return Scanned {
                            used: p + 1,
                            ended: true,
                        };
                    }
                    // A dot alone that ends nothing is dropped as Postfix does, its line end with it.
                    b'\n' => {
                        p += 1;
                        from = p;
                        self.bare_line_feed = true;
                        self.at = At::Start(Before::BareLf);
                    }
                    _ => self.at = At::Inside,
                },
                At::DotCr(before) => match input[p] {
                    b'\n' if self.lenient || before == Before::CrLf => {
                        return Scanned {
                            used: p + 1,
                            ended: true,
                        };
                    }
                    b'\n' => {
                        p += 1;
                        from = p;
                        self.at = At::Start(Before::CrLf);
                    }
                    _ => self.at = At::Cr,
                },
                At::Cr => {
                    if input[p] == b'\n' {
                        out.extend_from_slice(b"\r\n");
                        p += 1;
                        from = p;
                        self.at = At::Start(Before::CrLf);
                    } else {
                        out.push(self.stray_cr);
                        self.at = At::Inside;
                    }
                }
            }
        }
        out.extend_from_slice(&input[from..p]);
        Scanned {
            used: p,
            ended: false,
        }
    }

    /// The last chunk is over: ends the last line if its sender did not.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match self.at {
            At::Start(_) => {}
            At::Cr => out.extend_from_slice(&[self.stray_cr, b'\r', b'\n']),
            _ => out.extend_from_slice(b"\r\n"),
        }
        self.at = At::Start(Before::CrLf);
    }

    fn end_bare(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.bare_line_feed = true;
        self.at = At::Start(Before::BareLf);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The content, and what was left behind the end mark; `None` when there was none.
    fn data(bare: BareNewline, input: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let (mut scanner, mut out) = (Scanner::for_data(bare, true), Vec::new());
        let scanned = scanner.scan(input, &mut out);
        scanned.ended.then(|| (out, input[scanned.used..].to_vec()))
    }

    #[test]
    fn only_crlf_dot_crlf_ends_a_message() {
        let ends: [&[u8]; 13] = [
            b"\n.\n",
            b"\n.\r\n",
            b"\r\n.\n",
            b"\r.\r",
            b"\r\n.\r",
            b"\r.\r\n",
            b"\r\n.\r\r\n",
            b"\n\n.\r\n",
            b"\r\n\0.\r\n",
            b"\r\n.\0\r\n",
            b"\r\n. \r\n",
            b"\n.\r",
            b"\r.\n",
        ];
        for bare in [BareNewline::Normalize, BareNewline::Note, BareNewline::Reject] {
            for end in ends {
                let message = [b"a: b\r\n\r\nx", end, b"MAIL FROM:<evil@x>\r\n"].concat();
                assert_eq!(data(bare, &message), None, "{end:?}");
            }
            for good in [
                &b"x\r\n.\r\nrest"[..],
                b"x\r\n..\r\n.\r\nrest",
                b"x\n\r\n.\r\nrest",
                b".\r\nrest",
            ] {
                assert_eq!(data(bare, good).map(|(_, rest)| rest), Some(b"rest".to_vec()));
            }
        }
        for end in [&b"\n.\n"[..], b"\n.\r\n", b"\r\n.\n", b"\r\n.\r\n"] {
            let message = [b"x", end, b"rest"].concat();
            assert_eq!(
                data(BareNewline::Allow, &message),
                Some((b"x\r\n".to_vec(), b"rest".to_vec())),
                "{end:?}"
            );
        }
    }

    #[test]
    fn line_ends_and_dots_are_put_right() {
        for (input, content) in [
            (&b"a\r\n..b\r\n.c\r\n.\r\n"[..], &b"a\r\n.b\r\nc\r\n"[..]),
            (
                b"a\nb\n.\nc\r\n.\nd\n.\r\ne\n..\nf\r\n.\r\n",
                b"a\r\nb\r\nc\r\nd\r\ne\r\n.\r\nf\r\n",
            ),
            (b"a\rb\r\r\n.\r\n", b"a b \r\n"),
            (b"\n.\r\n\r\n.\r\n", b"\r\n\r\n"),
            (b".\r\n", b""),
            (b".\rx\r\n.\r\n", b" x\r\n"),
        ] {
            let found = data(BareNewline::Normalize, input).map(|(content, _)| content);
            assert_eq!(found.as_deref(), Some(content), "{}", input.escape_ascii());
        }
    }

    #[test]
    fn chunks_are_lines_too() {
        let (mut scanner, mut out) = (Scanner::for_chunks(true), Vec::new());
        for piece in [&b"a\r"[..], b"\n.\r\n..\nb", b"\r"] {
            assert_eq!(
                scanner.scan(piece, &mut out),
                Scanned {
                    used: piece.len(),
                    ended: false
                }
            );
        }
        scanner.finish(&mut out);
        assert_eq!(out, b"a\r\n.\r\n..\r\nb \r\n");
        assert!(scanner.bare_line_feed);
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(input in "[ab.\r\n]{0,60}", seed: u64, allow: bool) {
            let bare = if allow { BareNewline::Allow } else { BareNewline::Normalize };
            let (mut whole, mut expected) = (Scanner::for_data(bare, true), Vec::new());
            let end = whole.scan(input.as_bytes(), &mut expected);
            let (mut scanner, mut out, mut used, mut ended) = (Scanner::for_data(bare, true), Vec::new(), 0, false);
            for piece in testkit::Seed::new(seed).cut(input.as_bytes(), 4) {
                let scanned = scanner.scan(piece, &mut out);
                used += scanned.used;
                ended = scanned.ended;
                if ended { break }
            }
            prop_assert_eq!((out, used, ended), (expected, end.used, end.ended));
            prop_assert_eq!(scanner.bare_line_feed, whole.bare_line_feed);
        }

        #[test]
        fn what_comes_out_never_ends_a_message_again(input in "[ab.\r\n]{0,60}") {
            let (mut scanner, mut out) = (Scanner::for_data(BareNewline::Normalize, true), Vec::new());
            scanner.scan(input.as_bytes(), &mut out);
            // Every LF has its CR and the other way round: a stricter or laxer reader sees the same lines.
            for (index, octet) in out.iter().enumerate() {
                prop_assert!(*octet != b'\n' || (index > 0 && out[index - 1] == b'\r'));
                prop_assert!(*octet != b'\r' || out.get(index + 1) == Some(&b'\n') || index + 1 == out.len());
            }
        }
    }
}
