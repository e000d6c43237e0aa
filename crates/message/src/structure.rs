//! The tree of a message's parts with offsets, sizes and line counts, parsed from a stream.
//!
//! All offsets and sizes are those of the message with every line ending in CRLF, whatever it ends in here.

mod parser;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub use parser::Parser;

use crate::envelope::Envelope;
use crate::parameters::{ContentType, Disposition};
use crate::transfer;

/// What the parser does not go beyond. What is beyond stays in the message; it is only not looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep parts nest; deeper ones are leaves.
    pub nesting_max: usize,
    /// How many parts there are; what follows belongs to the last.
    pub parts_max: usize,
    /// How much of each header block is read.
    pub header_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            nesting_max: 100,
            parts_max: 10_000,
            header_bytes_max: 1 << 20,
        }
    }
}

/// A message as its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// The message itself.
    pub root: Part,
    /// RFC822.SIZE.
    pub size_bytes: u64,
}

/// How a part is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Content.
    Leaf,
    /// `multipart/…` with a boundary: `children` are its parts. A broken one may have none.
    Multipart,
    /// `message/rfc822`: `children` is the message in it, one part with its own envelope.
    Message,
}

/// A part of a message, or the message itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// How it is made up.
    pub kind: Kind,
    /// What the header says, or the default (`text/plain`, in a digest `message/rfc822`).
    pub content_type: ContentType,
    /// Content-Transfer-Encoding as written; IMAP's default is 7bit.
    pub encoding: Option<Vec<u8>>,
    /// Content-ID, as written.
    pub id: Option<Vec<u8>>,
    /// Content-Description, unfolded.
    pub description: Option<Vec<u8>>,
    /// Content-Disposition.
    pub disposition: Option<Disposition>,
    /// Content-Language, its tags.
    pub language: Vec<Vec<u8>>,
    /// Content-Location, unfolded.
    pub location: Option<Vec<u8>>,
    /// Content-MD5.
    pub md5: Option<Vec<u8>>,
    /// Where its header is, empty line included.
    pub header: Range<u64>,
    /// Where its body is. The line end before a boundary is not part of it.
    pub body: Range<u64>,
    /// Line ends in the body.
    pub body_lines: u64,
    /// For the message itself and for the message in a `message/rfc822` part.
    pub envelope: Option<Box<Envelope>>,
    /// Its parts.
    pub children: Vec<Part>,
}

impl Structure {
    /// The structure of a whole message.
    pub fn parse(message: &[u8]) -> Structure {
        let mut parser = Parser::new(Limits::default());
        parser.feed(message);
        parser.finish()
    }

    /// The envelope of the message itself.
    pub fn envelope(&self) -> &Envelope {
        static EMPTY: std::sync::LazyLock<Envelope> = std::sync::LazyLock::new(Envelope::default);
        self.root.envelope.as_deref().unwrap_or(&EMPTY)
    }

    /// The part that IMAP calls `1.2.3` (RFC 9051 §6.4.5.1); the message itself for an empty path.
    pub fn part(&self, path: &[u32]) -> Option<&Part> {
        let Some((&first, rest)) = path.split_first() else {
            return Some(&self.root);
        };
        let mut part = match self.root.kind {
            Kind::Multipart => self.root.child(first)?,
            _ => Some(&self.root).filter(|_| first == 1)?,
        };
        for &number in rest {
            part = part.child(number)?;
        }
        Some(part)
    }
}

impl Part {
    /// The part that IMAP calls `number` below this one.
    fn child(&self, number: u32) -> Option<&Part> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        match self.kind {
            Kind::Leaf => None,
            Kind::Multipart => self.children.get(index),
            Kind::Message => match self.children.first()? {
                inner if inner.kind == Kind::Multipart => inner.children.get(index),
                inner => Some(inner).filter(|_| index == 0),
            },
        }
    }

    /// For a `message/rfc822` part, the message in it.
    pub fn message(&self) -> Option<&Part> {
        self.children.first().filter(|_| self.kind == Kind::Message)
    }

    /// How many octets the body has.
    pub fn body_bytes(&self) -> u64 {
        self.body.end - self.body.start
    }

    /// The encoding of the content.
    pub fn transfer_encoding(&self) -> transfer::Encoding {
        self.encoding
            .as_deref()
            .map_or(transfer::Encoding::Identity, transfer::Encoding::from_name)
    }

    /// This part and all below it, in order.
    pub fn walk(&self) -> impl Iterator<Item = &Part> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let part = open.pop()?;
            open.extend(part.children.iter().rev());
            Some(part)
        })
    }
}
