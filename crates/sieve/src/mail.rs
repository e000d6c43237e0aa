//! The message that a script looks at and edits: its header fields, its parts, their text.

use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

use message::parameters::ContentType;
use message::structure::{Kind, Structure};
use message::{charset, encoded_word, header, lines, text};

/// How many parts of a message are looked at.
pub const PARTS_MAX: usize = 10_000;

/// A header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// Behind the colon, folded, without the last line end.
    pub(crate) body: Vec<u8>,
}

/// A message. Editing it makes a new version; those that actions took before stay as they were.
#[derive(Debug, Clone)]
pub struct Mail {
    fields: Vec<Field>,
    /// Behind the empty line.
    body: Arc<[u8]>,
    bytes: Arc<[u8]>,
    crlf: bool,
    parts: OnceCell<Arc<Parts>>,
    /// IMAP flags that it has already, for `hasflag` where a message lies in a mailbox.
    pub(crate) flags: Vec<String>,
}

/// The parts of a message, the whole first, then in order.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The message with every line ending in CRLF.
    text: Vec<u8>,
    pub(crate) list: Vec<MailPart>,
}

/// A part of a message.
#[derive(Debug, Clone)]
pub(crate) struct MailPart {
    header: Range<usize>,
    body: Range<usize>,
    pub(crate) content_type: ContentType,
    pub(crate) kind: Kind,
    encoding: message::transfer::Encoding,
    /// How many parts are below it; they follow it.
    pub(crate) below: usize,
}

impl Mail {
    /// A message as it is stored or was received; lines may end in LF or CRLF.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Mail {
        let bytes: Arc<[u8]> = bytes.into();
        let body_at = header::length(&bytes);
        let fields = header::fields(&bytes).map(|field| Field {
            name: String::from_utf8_lossy(field.name).into_owned(),
            body: field.body.to_vec(),
        });
        let fields = fields.collect();
        let first_line = memchr::memchr(b'\n', &bytes).unwrap_or(0);
        Mail {
            fields,
            body: Arc::from(&bytes[body_at..]),
            crlf: first_line > 0 && bytes[first_line - 1] == b'\r',
            bytes,
            parts: OnceCell::new(),
            flags: Vec::new(),
        }
    }

    /// The message as it is now.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// Its size in octets, every line ending in CRLF.
    pub(crate) fn size(&self) -> u64 {
        let mut counter = lines::ToCrlf::new();
        counter.count(&self.bytes)
    }

    /// Its body as it stands.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Its header fields.
    pub(crate) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The bodies of the fields `name`, in order.
    pub(crate) fn bodies<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let named = move |field: &&Field| field.name.eq_ignore_ascii_case(name);
        self.fields
            .iter()
            .filter(named)
            .map(|field| field.body.as_slice())
    }

    /// The first field `name` as text.
    pub fn text_of(&self, name: &str) -> Option<String> {
        self.bodies(name).next().map(header_text)
    }

    /// Replaces the header fields; the body stays.
    pub(crate) fn set_fields(&mut self, fields: Vec<Field>) {
        let end: &[u8] = if self.crlf { b"\r\n" } else { b"\n" };
        let mut bytes = Vec::with_capacity(self.bytes.len() + 256);
        for field in &fields {
            bytes.extend_from_slice(field.name.as_bytes());
            bytes.push(b':');
            bytes.extend_from_slice(&field.body);
            bytes.extend_from_slice(end);
        }
        bytes.extend_from_slice(end);
        bytes.extend_from_slice(&self.body);
        self.fields = fields;
        self.bytes = bytes.into();
        self.parts = OnceCell::new();
    }

    /// The end of a line in this message.
    pub(crate) fn line_end(&self) -> &'static str {
        if self.crlf { "\r\n" } else { "\n" }
    }

    /// Its parts.
    pub(crate) fn parts(&self) -> Arc<Parts> {
        let parts = self.parts.get_or_init(|| Arc::new(Parts::of(&self.bytes)));
        Arc::clone(parts)
    }
}

/// A field's body as a script sees it: on one line, encoded words decoded.
pub(crate) fn header_text(body: &[u8]) -> String {
    encoded_word::decode(&unfolded(body))
}

/// A field's body on one line: a line end and the white space behind it are one space, space around it is gone.
pub(crate) fn unfolded(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut bytes = body.trim_ascii().iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' if bytes.peek() == Some(&b'\n') => {}
            b'\n' => {
                bytes.next_if(|b| matches!(b, b' ' | b'\t'));
                out.push(b' ');
            }
            other => out.push(other),
        }
    }
    out
}

impl Parts {
    fn of(bytes: &[u8]) -> Parts {
        let text = lines::to_crlf(bytes);
        let structure = Structure::parse(&text);
        let mut list = Vec::new();
        // Depth first, with the number of parts below filled in on the way back.
        let mut open = vec![(&structure.root, 0usize)];
        let mut chain: Vec<(usize, usize)> = Vec::new();
        while let Some((part, depth)) = open.pop() {
            while chain.last().is_some_and(|&(_, above)| above >= depth) {
                chain.pop();
            }
            chain.iter().for_each(|&(index, _)| {
                let parent: &mut MailPart = &mut list[index];
                parent.below += 1;
            });
            if list.len() >= PARTS_MAX {
                break;
            }
            chain.push((list.len(), depth));
            let range = |range: &Range<u64>| range.start as usize..range.end as usize;
            let header_range = range(&part.header);
            list.push(MailPart {
                header: header_range,
                body: range(&part.body),
                content_type: part.content_type.clone(),
                kind: part.kind,
                encoding: part.transfer_encoding(),
                below: 0,
            });
            open.extend(part.children.iter().rev().map(|child| (child, depth + 1)));
        }
        Parts { text, list }
    }

    /// The bodies of the fields `name` of part `index`.
    pub(crate) fn bodies(&self, index: usize, name: &str) -> Vec<Vec<u8>> {
        let Some(part) = self.list.get(index) else {
            return Vec::new();
        };
        header::find_all(&self.text[part.header.clone()], name)
            .map(|field| field.body.to_vec())
            .collect()
    }

    /// The header block of a part, without the empty line.
    pub(crate) fn header(&self, index: usize) -> &[u8] {
        let block = &self.text[self.list[index].header.clone()];
        block
            .strip_suffix(b"\r\n")
            .filter(|b| b.is_empty() || b.ends_with(b"\r\n"))
            .unwrap_or(block)
    }

    /// The body of a part as it stands.
    pub(crate) fn raw(&self, index: usize) -> &[u8] {
        &self.text[self.list[index].body.clone()]
    }

    /// The message with another part in the place of part `index`, lines ending in CRLF.
    pub(crate) fn with_part(&self, index: usize, part: &[u8]) -> Vec<u8> {
        let old = &self.list[index];
        let mut text = Vec::with_capacity(self.text.len() + part.len());
        text.extend_from_slice(&self.text[..old.header.start]);
        text.extend_from_slice(part.strip_suffix(b"\r\n").unwrap_or(part));
        text.extend_from_slice(&self.text[old.body.end..]);
        text
    }

    /// The content of a part with its transfer encoding undone, and its charset when it is text.
    pub(crate) fn content(&self, index: usize) -> String {
        let part = &self.list[index];
        let raw = self.raw(index);
        if part.content_type.is_kind("text") {
            let label = part.content_type.parameters.find("charset");
            let label = label.and_then(|label| std::str::from_utf8(label).ok());
            if let Some(label) =
                label.filter(|label| charset::is_known(label) && !label.eq_ignore_ascii_case("us-ascii"))
            {
                let mut decoder = text::TextDecoder::for_encoding(part.encoding, label);
                let mut content = String::with_capacity(raw.len());
                decoder.feed(raw, &mut content);
                decoder.finish(&mut content);
                return content;
            }
        }
        let mut bytes = Vec::with_capacity(raw.len());
        let mut decoder = message::transfer::Decoder::new(part.encoding);
        decoder.feed(raw, &mut bytes);
        decoder.finish(&mut bytes);
        charset::guess(&bytes)
    }

    /// `text/plain`, in lower case.
    pub(crate) fn type_name(&self, index: usize) -> String {
        let of = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_ascii_lowercase();
        let content_type = &self.list[index].content_type;
        format!("{}/{}", of(&content_type.kind), of(&content_type.subtype))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_below_each_other() {
        let mail = Mail::new(
            &b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: message/rfc822\n\nSubject: x\n\nhi\n--a\n\nlast\n--a--\n"[..],
        );
        let parts = mail.parts();
        let shape: Vec<_> = (0..parts.list.len())
            .map(|i| (parts.type_name(i), parts.list[i].below))
            .collect();
        let expected = [
            ("multipart/mixed", 3),
            ("message/rfc822", 1),
            ("text/plain", 0),
            ("text/plain", 0),
        ];
        assert_eq!(shape, expected.map(|(name, below)| (name.to_owned(), below)));
        assert_eq!(parts.content(3), "last");
    }

    #[test]
    fn editing_makes_a_new_version() {
        let mut mail = Mail::new(&b"A: 1\nB: 2\n\nbody\n"[..]);
        let before = Arc::clone(mail.bytes());
        let mut fields = mail.fields().to_vec();
        fields.remove(0);
        mail.set_fields(fields);
        assert_eq!(mail.bytes().as_ref(), b"B: 2\n\nbody\n");
        assert_eq!(before.as_ref(), b"A: 1\nB: 2\n\nbody\n");
        assert_eq!(unfolded(b" a\r\n\tb\n c "), b"a b c");
    }
}
