//! New messages: header fields that cannot break out of their lines, text parts, attachments, multiparts.

use crate::transfer::{encode_base64, encode_quoted_printable};
use crate::{Error, encoded_word, header, lines};

/// The longest line that is not folded, where it can be (RFC 5322 §2.1.1).
const LINE_BYTES: usize = 78;
/// The longest line that may stand as it is in a 7bit or 8bit body (RFC 5322 §2.1.1).
const BODY_LINE_BYTES_MAX: usize = 998;

/// A header block under construction; lines end in CRLF.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header(Vec<u8>);

impl Header {
    /// An empty block.
    pub fn new() -> Header {
        Header::default()
    }

    /// Adds a field with a structured body, folded already where it should be (`CRLF` or `LF` and space).
    ///
    /// # Errors
    /// [`Error::FieldSyntax`] when the name is none, or a line of the body would not belong to the field.
    pub fn field(mut self, name: &str, body: &str) -> Result<Header, Error> {
        let folded_well = body
            .split('\n')
            .skip(1)
            .all(|line| line.starts_with([' ', '\t']) && !line.trim().is_empty());
        let bare_cr = body.replace("\r\n", "").contains('\r');
        if !header::is_name(name.as_bytes()) || !folded_well || bare_cr || body.contains('\0') {
            return Err(Error::FieldSyntax);
        }
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        self.0.extend_from_slice(&lines::to_crlf(body.as_bytes()));
        self.0.extend_from_slice(b"\r\n");
        Ok(self)
    }

    /// Adds a field of plain text (Subject): encoded where it is not ASCII, folded at spaces.
    ///
    /// # Errors
    /// [`Error::FieldSyntax`] when the name is none.
    pub fn text(self, name: &str, text: &str) -> Result<Header, Error> {
        let encoded = encoded_word::encode(text, name.len() + 2);
        let body = if encoded.contains("\r\n") {
            encoded
        } else {
            fold(&encoded, name.len() + 2)
        };
        self.field(name, &body)
    }

    /// The block without the empty line after it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Breaks a line at single spaces so that pieces stay under 78 octets where they can.
fn fold(text: &str, column: usize) -> String {
    let mut folded = String::with_capacity(text.len() + 8);
    let mut used = column;
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 {
            let breaks = used + 1 + word.len() > LINE_BYTES && !word.is_empty();
            folded.push_str(if breaks { "\r\n " } else { " " });
            used = if breaks { 1 } else { used + 1 };
        }
        folded.push_str(word);
        used += word.len();
    }
    // A fold in front of nothing but spaces would make an empty line.
    if folded.split("\r\n").skip(1).any(|line| line.trim().is_empty()) {
        text.to_owned()
    } else {
        folded
    }
}

/// A part, or a whole message: a header block and a body, lines ending in CRLF.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Its header.
    pub header: Header,
    /// Its body.
    pub body: Vec<u8>,
}

impl Part {
    /// `text/plain` in the plainest encoding that can carry it: 7bit, quoted-printable, or base64.
    pub fn text(text: &str) -> Part {
        let crlf = lines::to_crlf(text.as_bytes());
        let plain_lines = crlf
            .split(|&b| b == b'\n')
            .all(|line| line.len() <= BODY_LINE_BYTES_MAX)
            && !crlf.contains(&0);
        let charset = if text.is_ascii() { "us-ascii" } else { "utf-8" };
        let non_ascii = crlf.iter().filter(|b| !b.is_ascii()).count();
        let (encoding, body) = if text.is_ascii() && plain_lines {
            ("7bit", crlf)
        } else if non_ascii * 3 < crlf.len() {
            ("quoted-printable", encode_quoted_printable(&crlf).into_bytes())
        } else {
            ("base64", encode_base64(&crlf).into_bytes())
        };
        let header = Header::new()
            .field("Content-Type", &format!("text/plain; charset={charset}"))
            .and_then(|h| h.field("Content-Transfer-Encoding", encoding));
        Part {
            header: header.expect("names and bodies are ours"),
            body,
        }
    }

    /// A file, in base64. `name` is written in RFC 2231's form where it is not plain.
    ///
    /// # Errors
    /// [`Error::FieldSyntax`] when `content_type` cannot stand in a header.
    pub fn attachment(name: &str, content_type: &str, content: &[u8]) -> Result<Part, Error> {
        let header = Header::new()
            .field("Content-Type", content_type)?
            .field(
                "Content-Disposition",
                &format!("attachment;\r\n {}", parameter("filename", name)),
            )?
            .field("Content-Transfer-Encoding", "base64")?;
        Ok(Part {
            header,
            body: encode_base64(content).into_bytes(),
        })
    }

    /// `multipart/subtype` of `parts`; `subtype` may have parameters (`report; report-type=delivery-status`).
    ///
    /// # Errors
    /// [`Error::FieldSyntax`] when the boundary is not one (RFC 2046 §5.1.1) or occurs in a part.
    pub fn multipart(subtype: &str, boundary: &str, parts: &[Part]) -> Result<Part, Error> {
        let is_boundary = (1..=70).contains(&boundary.len())
            && boundary
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&b));
        let delimiter = format!("--{boundary}");
        let collides = |bytes: &[u8]| memchr::memmem::find(bytes, delimiter.as_bytes()).is_some();
        if !is_boundary
            || parts
                .iter()
                .any(|p| collides(p.header.as_bytes()) || collides(&p.body))
        {
            return Err(Error::FieldSyntax);
        }
        let header = Header::new().field("MIME-Version", "1.0")?.field(
            "Content-Type",
            &format!("multipart/{subtype};\r\n boundary=\"{boundary}\""),
        )?;
        let mut body = Vec::new();
        for part in parts {
            body.extend_from_slice(format!("{delimiter}\r\n").as_bytes());
            body.extend_from_slice(&part.to_bytes());
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("{delimiter}--\r\n").as_bytes());
        Ok(Part { header, body })
    }

    /// Puts `header` before this part's own.
    pub fn with_header(mut self, header: Header) -> Part {
        self.header = Header([header.0, self.header.0].concat());
        self
    }

    /// Header, empty line, body.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.header.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// `name=value` for a Content- field: bare quoted, or percent-coded UTF-8 (RFC 2231).
pub fn parameter(name: &str, value: &str) -> String {
    if value.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    }
    let mut coded = format!("{name}*=utf-8''");
    for byte in value.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => coded.push(char::from(b)),
            b => coded.push_str(&format!("%{b:02X}")),
        }
    }
    coded
}

/// A display name and an address as they stand in From or To: `Name <a@b>`, quoted or encoded where needed.
pub fn mailbox(name: &str, address: &address::Address) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " !#$%&'*+-/=?^_`{|}~".contains(c);
    match name.trim() {
        "" => address.to_string(),
        name if !name.is_ascii() || name.contains(char::is_control) || name.contains("=?") => {
            format!("{} <{address}>", encoded_word::encode(name, 6))
        }
        name if name.chars().all(is_plain) => format!("{name} <{address}>"),
        name => format!(
            "\"{}\" <{address}>",
            name.replace('\\', "\\\\").replace('"', "\\\"")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Structure;
    use proptest::prelude::*;

    #[test]
    fn a_message_with_an_attachment_is_read_back() {
        let parts = [
            Part::text("日本語のテキスト\nEnde\n"),
            Part::attachment("名.txt", "application/octet-stream", b"\x00\xff").unwrap(),
        ];
        let header = Header::new()
            .text("Subject", &"長い件名".repeat(20))
            .unwrap()
            .field("To", "a@b")
            .unwrap();
        let message = Part::multipart("mixed", "b1", &parts)
            .unwrap()
            .with_header(header)
            .to_bytes();
        let structure = Structure::parse(&message);
        let subject = header::find(&message, "subject").unwrap();
        assert_eq!(subject.text(), "長い件名".repeat(20));
        let body = |n: u32| {
            let part = structure.part(&[n]).unwrap();
            (part, &message[part.body.start as usize..part.body.end as usize])
        };
        let (text, octets) = body(1);
        assert_eq!(crate::text::decoded(text, octets), "日本語のテキスト\r\nEnde\r\n");
        let (file, octets) = body(2);
        assert_eq!(
            file.disposition
                .as_ref()
                .unwrap()
                .parameters
                .text("filename")
                .as_deref(),
            Some("名.txt")
        );
        assert_eq!(
            crate::transfer::decoded(file.transfer_encoding(), octets),
            b"\x00\xff"
        );
    }

    #[test]
    fn fields_cannot_break_out() {
        for (name, body) in [
            ("A", "x\r\nBcc: y"),
            ("A", "x\n\n y"),
            ("A", "x\r\n \r\n y"),
            ("A B", "x"),
            ("", "x"),
            ("A:", "x"),
            ("A", "x\ry"),
        ] {
            assert_eq!(
                Header::new().field(name, body),
                Err(Error::FieldSyntax),
                "{name:?} {body:?}"
            );
        }
        assert!(Part::multipart("mixed", "b", &[Part::text("--b\n")]).is_err());
        assert!(Part::multipart("mixed", "b\r\n", &[]).is_err());
    }

    #[test]
    fn names_are_quoted_when_needed() {
        let address = address::Address::parse("a@b").unwrap();
        assert_eq!(mailbox("Full Name", &address), "Full Name <a@b>");
        assert_eq!(mailbox("J. \"X\"", &address), "\"J. \\\"X\\\"\" <a@b>");
        assert_eq!(mailbox("", &address), "a@b");
        assert!(mailbox("あ", &address).starts_with("=?UTF-8?"));
    }

    proptest! {
        #[test]
        fn text_fields_round_trip(text in "[a-zé ]{0,200}", control in "[a\r\n]{0,5}") {
            let header = Header::new().text("Subject", &format!("{text}{control}")).unwrap();
            prop_assert_eq!(header::fields(header.as_bytes()).count(), 1);
            let plain = Header::new().text("Subject", &text).unwrap();
            let found = header::find(plain.as_bytes(), "subject").unwrap().text();
            prop_assert_eq!(found.trim(), text.trim());
        }
    }
}
