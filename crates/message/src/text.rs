//! The text of a part for searching and showing: transfer encoding and charset undone, streaming.

use crate::structure::Part;
use crate::{charset, transfer};

/// Body octets of a part in, UTF-8 out; fed in any pieces.
#[derive(Debug)]
pub struct TextDecoder {
    transfer: transfer::Decoder,
    charset: charset::Decoder,
    /// Octets between the two steps.
    bytes: Vec<u8>,
}

impl TextDecoder {
    /// For the body of `part`. A charset that is missing or not known is taken for UTF-8.
    pub fn new(part: &Part) -> TextDecoder {
        let label = part
            .content_type
            .parameters
            .find("charset")
            .and_then(|l| std::str::from_utf8(l).ok());
        TextDecoder::for_encoding(part.transfer_encoding(), label.unwrap_or("utf-8"))
    }

    /// For content in this transfer encoding and charset.
    pub fn for_encoding(encoding: transfer::Encoding, charset: &str) -> TextDecoder {
        let charset = charset::Decoder::new(charset).or_else(|_| charset::Decoder::new("utf-8"));
        TextDecoder {
            transfer: transfer::Decoder::new(encoding),
            charset: charset.expect("UTF-8 is known"),
            bytes: Vec::new(),
        }
    }

    /// Appends the text of `input`.
    pub fn feed(&mut self, input: &[u8], output: &mut String) {
        self.bytes.clear();
        self.transfer.feed(input, &mut self.bytes);
        self.charset.feed(&self.bytes, output);
    }

    /// Appends what was held back. Call once, at the end.
    pub fn finish(&mut self, output: &mut String) {
        self.bytes.clear();
        self.transfer.finish(&mut self.bytes);
        self.charset.feed(&self.bytes, output);
        self.charset.finish(output);
    }
}

/// The text of a whole body of `part`.
pub fn decoded(part: &Part, body: &[u8]) -> String {
    let mut text = String::with_capacity(body.len());
    let mut decoder = TextDecoder::new(part);
    decoder.feed(body, &mut text);
    decoder.finish(&mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Structure;

    #[test]
    fn a_body_becomes_text() {
        let message = b"Content-Type: text/plain; charset=iso-2022-jp\r\nContent-Transfer-Encoding: base64\r\n\r\nGyRCRnxLXDhsGyhC\r\n";
        let structure = Structure::parse(message);
        let body = structure.root.body.start as usize..structure.root.body.end as usize;
        assert_eq!(decoded(&structure.root, &message[body]), "日本語");
        assert_eq!(decoded(&Structure::parse(b"\r\n").root, "é".as_bytes()), "é");
    }
}
