//! Header blocks: fields in order, unfolding, lookup by name.

use std::borrow::Cow;

use memchr::memchr;

/// How many fields of one header block are given out.
pub const FIELDS_MAX: usize = 100_000;

/// One header field where it stands in a header block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name, without the space that some mailers put before the colon.
    pub name: &'a [u8],
    /// What follows the colon, still folded, without the last line end.
    pub body: &'a [u8],
    /// All of its lines as they stand, line ends included.
    pub raw: &'a [u8],
    /// Where `raw` starts in the block.
    pub offset: usize,
}

impl<'a> Field<'a> {
    /// Whether this is the field `name`; case does not matter.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The body on one line: line ends dropped, space around it trimmed (RFC 5322 §2.2.3).
    pub fn unfolded(&self) -> Cow<'a, [u8]> {
        unfold(self.body)
    }

    /// The body as people read it: unfolded, RFC 2047 words decoded.
    pub fn text(&self) -> String {
        crate::encoded_word::decode(&self.unfolded())
    }
}

/// `body` without its line ends, space around it trimmed.
pub fn unfold(body: &[u8]) -> Cow<'_, [u8]> {
    let body = body.trim_ascii();
    if memchr(b'\n', body).is_none() && memchr(b'\r', body).is_none() {
        return Cow::Borrowed(body);
    }
    Cow::Owned(
        body.iter()
            .copied()
            .filter(|b| !matches!(b, b'\r' | b'\n'))
            .collect(),
    )
}

/// The fields of the header block at the start of `text`; ends at the empty line. Lines that are no fields
/// (no colon, an mbox `From ` line) are passed over with what is folded under them.
pub fn fields(text: &[u8]) -> Fields<'_> {
    Fields {
        text,
        at: 0,
        left: FIELDS_MAX,
    }
}

/// The first field `name`; case does not matter.
pub fn find<'a>(text: &'a [u8], name: &str) -> Option<Field<'a>> {
    fields(text).find(|field| field.is(name))
}

/// All fields `name`, in order.
pub fn find_all<'a>(text: &'a [u8], name: &str) -> impl Iterator<Item = Field<'a>> {
    fields(text).filter(move |field| field.is(name))
}

/// The length of the header block at the start of `message`, its empty line included; all of it when there is no
/// empty line.
pub fn length(message: &[u8]) -> usize {
    let mut at = 0;
    while at < message.len() {
        let line = line_at(message, at);
        at += line.len();
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
    }
    at
}

/// Whether `name` can name a field: printable ASCII without colon or space (RFC 5322 §3.6.8).
pub fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&b| b.is_ascii_graphic() && b != b':')
}

/// The message ids (`<…>`) of a Message-ID, In-Reply-To or References body, without their brackets.
pub fn message_ids(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let start = memchr(b'<', rest)? + 1;
        let end = start + memchr(b'>', &rest[start..])?;
        let id = &rest[start..end];
        rest = &rest[end + 1..];
        Some(id)
    })
}

/// See [`fields`].
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    text: &'a [u8],
    at: usize,
    left: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        while self.at < self.text.len() && self.left > 0 {
            let offset = self.at;
            let first = line_at(self.text, offset);
            if matches!(first, b"\r\n" | b"\n") {
                break;
            }
            let mut end = offset + first.len();
            while matches!(self.text.get(end), Some(b' ' | b'\t')) {
                end += line_at(self.text, end).len();
            }
            self.at = end;
            self.left -= 1;
            let Some(colon) = memchr(b':', first) else {
                continue;
            };
            let name = first[..colon].trim_ascii_end();
            if !is_name(name) {
                continue;
            }
            let raw = &self.text[offset..end];
            return Some(Field {
                name,
                body: without_end(&raw[colon + 1..]),
                raw,
                offset,
            });
        }
        None
    }
}

/// The line that starts at `at`, its end included.
fn line_at(text: &[u8], at: usize) -> &[u8] {
    match memchr(b'\n', &text[at..]) {
        Some(end) => &text[at..=at + end],
        None => &text[at..],
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &[u8] =
        b"From x Thu Jan  1 00:00:00 1970\r\nSubject: one\r\n two\r\nTo : a@b\nX-Empty:\r\n\r\nBody: no\r\n";

    #[test]
    fn fields_are_found_and_unfolded() {
        let names: Vec<_> = fields(HEADER)
            .map(|f| String::from_utf8_lossy(f.name).into_owned())
            .collect();
        assert_eq!(names, ["Subject", "To", "X-Empty"]);
        let subject = find(HEADER, "SUBJECT").unwrap();
        assert_eq!(subject.unfolded().as_ref(), b"one two");
        assert_eq!(subject.raw, b"Subject: one\r\n two\r\n");
        assert_eq!(&HEADER[subject.offset..][..subject.raw.len()], subject.raw);
        assert_eq!(find(HEADER, "to").unwrap().unfolded().as_ref(), b"a@b");
        assert_eq!(find(HEADER, "x-empty").unwrap().body, b"");
        assert!(find(HEADER, "body").is_none());
        assert_eq!(&HEADER[length(HEADER)..], b"Body: no\r\n");
        assert_eq!(length(b"A: b"), 4);
    }

    #[test]
    fn message_ids_are_found() {
        let ids: Vec<_> = message_ids(b" <a@b>\r\n <c@d> junk <e").collect();
        assert_eq!(ids, [&b"a@b"[..], b"c@d"]);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[A: \t\r\n]{0,60}") {
            let length = length(text.as_bytes());
            for field in fields(text.as_bytes()) {
                prop_assert!(field.offset + field.raw.len() <= length);
                let _ = field.text();
            }
        }
    }
}
