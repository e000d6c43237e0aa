//! Sections with their transfer encodings undone (BINARY, RFC 3516), as a stream: nothing is held but one block.

use std::collections::VecDeque;
use std::ops::Range;

use mailbox::store::Body;
use message::structure::Kind;
use message::transfer::{Decoder, Encoding};
use message::{Part, header};

use super::section::{HEADER_BYTES_MAX, READ_BYTES, Source, part_named};
use crate::wire::fetch::{Section, SectionText};

/// Why a section cannot be sent decoded.
#[derive(Debug)]
pub(crate) enum Undecodable {
    /// The message cannot be read.
    Store(mailbox::Error),
    /// A part of it has an encoding that nobody knows.
    UnknownEncoding,
    /// A part of it is not in the encoding that its header names.
    InvalidData,
}

impl From<mailbox::Error> for Undecodable {
    fn from(error: mailbox::Error) -> Undecodable {
        Undecodable::Store(error)
    }
}

impl Undecodable {
    /// The tagged answer where it is not a matter of the store.
    pub(crate) fn answer(&self) -> Option<&'static str> {
        match self {
            Undecodable::Store(_) => None,
            Undecodable::UnknownEncoding => Some("NO [UNKNOWN-CTE] Unknown Content-Transfer-Encoding"),
            Undecodable::InvalidData => Some("NO [PARSE] Invalid data in MIME part"),
        }
    }
}

/// A section, decoded: what is known of it before it is sent.
pub(crate) struct Decoded {
    pieces: Vec<Piece>,
    /// How long it is.
    pub(crate) octets: u64,
    /// Whether it may hold NUL, so that it goes as `~{n}`.
    pub(crate) is_binary: bool,
}

#[derive(Debug, Clone)]
enum Piece {
    /// As it lies there.
    Plain(Range<u64>),
    /// The header of a part whose body is decoded: it says so.
    Header(Range<u64>),
    /// A body.
    Coded(Range<u64>, Encoding),
}

impl Source {
    /// A section whose text is to be decoded: it is read once, so that its size is known and that it can be decoded.
    ///
    /// # Errors
    /// When it cannot.
    pub(crate) fn decoded(&mut self, section: &Section) -> Result<Decoded, Undecodable> {
        let mut pieces = Vec::new();
        let structure = self.structure()?;
        match (section.part.is_empty(), part_named(structure, &section.part)) {
            (true, _) if section.text == SectionText::Text => push_body(&structure.root, &mut pieces)?,
            (true, _) => push_message(&structure.root, &mut pieces)?,
            (false, Some(part)) if section.text == SectionText::Text => {
                if let Some(inner) = part.message() {
                    push_body(inner, &mut pieces)?;
                }
            }
            (false, Some(part)) => push_body(part, &mut pieces)?,
            (false, None) => {}
        }
        let mut decoded = Decoded {
            octets: 0,
            is_binary: pieces.iter().any(|piece| matches!(piece, Piece::Coded(..))),
            pieces,
        };
        let mut reader = decoded.reader();
        while reader.next_block(self.body.as_ref())? {
            decoded.octets += reader.block.len() as u64;
            decoded.is_binary |= reader.block.contains(&0);
        }
        Ok(decoded)
    }
}

fn push_message(message: &Part, pieces: &mut Vec<Piece>) -> Result<(), Undecodable> {
    push_header(message, pieces);
    push_body(message, pieces)
}

fn push_header(part: &Part, pieces: &mut Vec<Piece>) {
    let is_coded =
        part.children.is_empty() && encoding(part).is_some_and(|encoding| encoding != Encoding::Identity);
    let is_small = part.header.end - part.header.start <= HEADER_BYTES_MAX;
    pieces.push(match is_coded && is_small {
        true => Piece::Header(part.header.clone()),
        false => Piece::Plain(part.header.clone()),
    });
}

/// The parser limits how deep parts nest.
fn push_body(part: &Part, pieces: &mut Vec<Piece>) -> Result<(), Undecodable> {
    if let Some(inner) = part.message() {
        return push_message(inner, pieces);
    }
    if part.kind == Kind::Multipart && !part.children.is_empty() {
        let mut at = part.body.start;
        for child in &part.children {
            pieces.push(Piece::Plain(at..child.header.start));
            push_header(child, pieces);
            push_body(child, pieces)?;
            at = child.body.end;
        }
        pieces.push(Piece::Plain(at..part.body.end));
        return Ok(());
    }
    match encoding(part) {
        Some(Encoding::Identity) => pieces.push(Piece::Plain(part.body.clone())),
        Some(encoding) => pieces.push(Piece::Coded(part.body.clone(), encoding)),
        None => return Err(Undecodable::UnknownEncoding),
    }
    Ok(())
}

/// The encoding of a part, if it is one of RFC 2045.
fn encoding(part: &Part) -> Option<Encoding> {
    let Some(name) = &part.encoding else {
        return Some(Encoding::Identity);
    };
    let name = name.trim_ascii();
    let word = name
        .split(|octet| b" \t(;".contains(octet))
        .next()
        .unwrap_or_default();
    match Encoding::from_name(word) {
        Encoding::Identity => {
            let known = [&b""[..], b"7bit", b"8bit", b"binary"];
            let is_known = known.iter().any(|known| known.eq_ignore_ascii_case(word));
            is_known.then_some(Encoding::Identity)
        }
        encoding => Some(encoding),
    }
}

impl Decoded {
    /// Reads it from its start.
    pub(crate) fn reader(&self) -> Reader {
        Reader {
            pieces: self.pieces.iter().cloned().collect(),
            decoder: None,
            block: Vec::new(),
            sent: 0,
        }
    }
}

/// Reads a decoded section on.
pub(crate) struct Reader {
    /// What is left; the first range shrinks.
    pieces: VecDeque<Piece>,
    decoder: Option<(Decoder, Check)>,
    block: Vec<u8>,
    /// How much of the block was handed out.
    sent: usize,
}

impl Reader {
    /// Passes over so many octets.
    ///
    /// # Errors
    /// When the message cannot be read.
    pub(crate) fn skip(&mut self, body: &dyn Body, mut octets: u64) -> Result<(), Undecodable> {
        while octets > 0 {
            if self.sent == self.block.len() && !self.next_block(body)? {
                return Ok(());
            }
            let here = (self.block.len() - self.sent) as u64;
            let count = here.min(octets);
            self.sent += count as usize;
            octets -= count;
        }
        Ok(())
    }

    /// Appends up to `limit` octets; returns how many, 0 at the end.
    ///
    /// # Errors
    /// When the message cannot be read.
    pub(crate) fn read(
        &mut self,
        body: &dyn Body,
        limit: usize,
        into: &mut Vec<u8>,
    ) -> Result<usize, Undecodable> {
        while self.sent == self.block.len() {
            if !self.next_block(body)? {
                return Ok(0);
            }
        }
        let count = limit.min(self.block.len() - self.sent);
        into.extend_from_slice(&self.block[self.sent..self.sent + count]);
        self.sent += count;
        Ok(count)
    }

    /// Makes the next block, which may be empty; `false` at the end.
    fn next_block(&mut self, body: &dyn Body) -> Result<bool, Undecodable> {
        self.block.clear();
        self.sent = 0;
        let Some(piece) = self.pieces.front_mut() else {
            return Ok(false);
        };
        match piece {
            Piece::Header(range) => {
                let mut text = Vec::new();
                while read_on(body, range, &mut text)? {}
                relabel(&text, &mut self.block);
                self.pieces.pop_front();
            }
            Piece::Plain(range) => {
                if !read_on(body, range, &mut self.block)? {
                    self.pieces.pop_front();
                }
            }
            Piece::Coded(range, encoding) => {
                let (decoder, check) = self
                    .decoder
                    .get_or_insert_with(|| (Decoder::new(*encoding), Check::of(*encoding)));
                let mut text = Vec::new();
                let more = read_on(body, range, &mut text)?;
                decoder.feed(&text, &mut self.block);
                let is_valid = check.feed(&text) && (more || check.may_end());
                if !is_valid {
                    return Err(Undecodable::InvalidData);
                }
                if !more {
                    decoder.finish(&mut self.block);
                    self.decoder = None;
                    self.pieces.pop_front();
                }
            }
        }
        Ok(true)
    }
}

/// Reads a block of a range, which shrinks; `false` when nothing is left of it.
fn read_on(body: &dyn Body, range: &mut Range<u64>, into: &mut Vec<u8>) -> mailbox::Result<bool> {
    let left = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    let before = into.len();
    into.resize(before + left.min(READ_BYTES), 0);
    let count = body.read_at(range.start, &mut into[before..])?;
    into.truncate(before + count);
    range.start += count as u64;
    Ok(count > 0)
}

/// The header with `binary` for its encoding.
fn relabel(text: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    for field in header::find_all(text, "content-transfer-encoding") {
        out.extend_from_slice(&text[at..field.offset]);
        out.extend_from_slice(b"Content-Transfer-Encoding: binary\r\n");
        at = field.offset + field.raw.len();
    }
    out.extend_from_slice(&text[at..]);
}

/// Whether text is in an encoding: the decoders take whatever comes, and a client is to know when that is not what was meant.
/// A text that was cut short is none the less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Anything,
    /// Letters of the group begun, and padding.
    Base64(u8, u8),
    Text,
    /// Behind an equals sign.
    Equals,
    /// Behind an equals sign and a digit.
    Digit,
    /// In white space behind an equals sign.
    Space,
    Broken,
}

impl Check {
    fn of(encoding: Encoding) -> Check {
        match encoding {
            Encoding::Identity => Check::Anything,
            Encoding::Base64 => Check::Base64(0, 0),
            Encoding::QuotedPrintable => Check::Text,
        }
    }

    fn feed(&mut self, text: &[u8]) -> bool {
        if *self != Check::Anything {
            *self = text.iter().fold(*self, |check, octet| check.after(*octet));
        }
        *self != Check::Broken
    }

    fn may_end(self) -> bool {
        !matches!(self, Check::Broken | Check::Digit | Check::Base64(1, _))
    }

    fn after(self, octet: u8) -> Check {
        match (self, octet) {
            (Check::Base64(..), b' ' | b'\t' | b'\r' | b'\n') => self,
            (Check::Base64(letters @ 2.., padding), b'=') if letters + padding < 4 => {
                Check::Base64(letters, padding + 1)
            }
            (Check::Base64(letters, 0), b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/') => {
                Check::Base64((letters + 1) % 4, 0)
            }
            (Check::Text, b'=') => Check::Equals,
            (Check::Text, _) => Check::Text,
            (Check::Equals, digit) if digit.is_ascii_hexdigit() => Check::Digit,
            (Check::Digit, digit) if digit.is_ascii_hexdigit() => Check::Text,
            (Check::Equals | Check::Space, b' ' | b'\t' | b'\r') => Check::Space,
            (Check::Equals | Check::Space, b'\n') => Check::Text,
            (Check::Anything, _) => Check::Anything,
            _ => Check::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_valid(encoding: Encoding, text: &str) -> bool {
        let mut check = Check::of(encoding);
        let whole = check.feed(text.as_bytes()) && check.may_end();
        let mut check = Check::of(encoding);
        let pieces = text.as_bytes().chunks(1).all(|piece| check.feed(piece)) && check.may_end();
        assert_eq!(whole, pieces, "{text:?}");
        whole
    }

    #[test]
    fn what_is_not_encoded_is_found() {
        for text in [
            "",
            "\r\n",
            "aGVsbG8=",
            "aGVsbG8",
            "aG Vs\tbG8=\r\n\r\n",
            "aGV=",
            "aG==",
            "aGVs",
        ] {
            assert!(is_valid(Encoding::Base64, text), "{text:?}");
        }
        for text in [
            "aGVsbG8=aGVsbG8=",
            "aGVsbG8==",
            "a",
            "a===",
            "aGVs=",
            "====",
            "aGVs!",
            "aGVsbG8=x",
        ] {
            assert!(!is_valid(Encoding::Base64, text), "{text:?}");
        }
        for text in [
            "", "a=41", "a=\r\n", "a= \r\nb", "a=a1", "a=", "=\n=\r\n", "a \r\n",
        ] {
            assert!(is_valid(Encoding::QuotedPrintable, text), "{text:?}");
        }
        for text in ["a=4", "a=g1", "a=\tb", "a=4\r\n1", "=z"] {
            assert!(!is_valid(Encoding::QuotedPrintable, text), "{text:?}");
        }
    }
}
