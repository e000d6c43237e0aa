//! The content of one message: its header, its structure, and where a section of it lies.

use std::sync::Arc;

use mailbox::store::Body;
use message::structure::{Kind, Limits, Parser};
use message::{Envelope, Part, Structure, header};

use crate::wire::fetch::{Section, SectionText};

/// How much of a header is held to find fields in it.
pub(crate) const HEADER_BYTES_MAX: u64 = 1 << 20;
/// How much is read at once when only the header is looked for: most are shorter.
const HEADER_READ_BYTES: usize = 4 * 1024;
/// How much is read at once.
pub(crate) const READ_BYTES: usize = 32 * 1024;

/// Octets that a section consists of.
#[derive(Debug)]
pub(crate) enum Content {
    /// Made for this answer.
    Made(Vec<u8>),
    /// A slice of the message.
    Slice {
        /// Where it starts.
        offset: u64,
        /// How long it is.
        length: u64,
    },
}

impl Content {
    /// How many octets it has.
    pub(crate) fn octets(&self) -> u64 {
        match self {
            Content::Made(bytes) => bytes.len() as u64,
            Content::Slice { length, .. } => *length,
        }
    }
}

/// One message, read as far as was needed.
pub(crate) struct Source {
    pub(crate) body: Arc<dyn Body>,
    header: Option<Vec<u8>>,
    structure: Option<Structure>,
}

impl Source {
    pub(crate) fn new(body: Arc<dyn Body>) -> Source {
        Source {
            body,
            header: None,
            structure: None,
        }
    }

    /// The header block with its empty line, up to [`HEADER_BYTES_MAX`].
    pub(crate) fn header(&mut self) -> mailbox::Result<&[u8]> {
        if self.header.is_none() {
            self.header = Some(self.read_header()?);
        }
        Ok(self.header.as_deref().unwrap_or_default())
    }

    fn read_header(&self) -> mailbox::Result<Vec<u8>> {
        let mut text = Vec::new();
        loop {
            let start = text.len();
            let left = usize::try_from(self.body.size_bytes())
                .unwrap_or(usize::MAX)
                .saturating_sub(start);
            text.resize(start + left.min(HEADER_READ_BYTES), 0);
            let count = self.body.read_at(start as u64, &mut text[start..])?;
            text.truncate(start + count);
            // The empty line may lie across two pieces: look again from three octets before.
            if text.starts_with(b"\r\n") {
                text.truncate(2);
                return Ok(text);
            }
            let from = start.saturating_sub(3);
            if let Some(at) = text[from..].windows(4).position(|window| window == b"\r\n\r\n") {
                text.truncate(from + at + 4);
                return Ok(text);
            }
            if count == 0 || text.len() as u64 >= HEADER_BYTES_MAX {
                return Ok(text);
            }
        }
    }

    /// The envelope of the message.
    pub(crate) fn envelope(&mut self) -> mailbox::Result<Envelope> {
        if let Some(structure) = &self.structure {
            return Ok(structure.envelope().clone());
        }
        self.header().map(Envelope::parse)
    }

    /// The tree of its parts.
    pub(crate) fn structure(&mut self) -> mailbox::Result<&Structure> {
        let structure = match self.structure.take() {
            Some(structure) => structure,
            None => self.parse()?,
        };
        Ok(self.structure.insert(structure))
    }

    /// The tree of its parts, if [`Source::structure`] was asked before.
    pub(crate) fn parsed(&self) -> Option<&Structure> {
        self.structure.as_ref()
    }

    fn parse(&self) -> mailbox::Result<Structure> {
        let mut parser = Parser::new(Limits::default());
        let mut piece = vec![0; READ_BYTES.min(self.body.size_bytes() as usize + 1)];
        let mut offset = 0;
        loop {
            let count = self.body.read_at(offset, &mut piece)?;
            if count == 0 {
                return Ok(parser.finish());
            }
            parser.feed(&piece[..count]);
            offset += count as u64;
        }
    }

    /// What a section consists of, before its partial range is cut out of it. A part that does not exist is empty.
    pub(crate) fn section(&mut self, section: &Section) -> mailbox::Result<Content> {
        let size = self.body.size_bytes();
        if section.part.is_empty() {
            return Ok(match &section.text {
                SectionText::Whole => Content::Slice {
                    offset: 0,
                    length: size,
                },
                SectionText::Header => {
                    let length = self.header_length()?;
                    Content::Slice { offset: 0, length }
                }
                SectionText::Text => {
                    let offset = self.header_length()?;
                    Content::Slice {
                        offset,
                        length: size.saturating_sub(offset),
                    }
                }
                SectionText::HeaderFields { names, except } => {
                    Content::Made(pick_fields(self.header()?, names, *except))
                }
                SectionText::Mime => Content::Made(Vec::new()),
            });
        }
        let Some(part) = part_named(self.structure()?, &section.part) else {
            return Ok(Content::Made(Vec::new()));
        };
        let slice = |range: &std::ops::Range<u64>| Content::Slice {
            offset: range.start,
            length: range.end.saturating_sub(range.start),
        };
        Ok(match (&section.text, part.message()) {
            (SectionText::Whole, _) => slice(&part.body),
            (SectionText::Mime, _) => slice(&part.header),
            (SectionText::Header, Some(inner)) => slice(&inner.header),
            (SectionText::Text, Some(inner)) => slice(&inner.body),
            (SectionText::HeaderFields { names, except }, Some(inner)) => {
                let range = inner.header.start..inner.header.end.min(inner.header.start + HEADER_BYTES_MAX);
                Content::Made(pick_fields(&self.read(&range)?, names, *except))
            }
            _ => Content::Made(Vec::new()),
        })
    }

    /// How long the header block is, however long.
    fn header_length(&mut self) -> mailbox::Result<u64> {
        let length = self.header()?.len() as u64;
        if length < HEADER_BYTES_MAX {
            return Ok(length);
        }
        Ok(self.structure()?.root.header.end)
    }

    /// A range of the message that is known to be small.
    pub(crate) fn read(&self, range: &std::ops::Range<u64>) -> mailbox::Result<Vec<u8>> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let mut text = vec![0; length];
        let mut read = 0;
        while read < length {
            let count = self.body.read_at(range.start + read as u64, &mut text[read..])?;
            if count == 0 {
                break;
            }
            read += count;
        }
        text.truncate(read);
        Ok(text)
    }
}

/// The part of a path. Part 1 of a leaf within a multipart is the leaf itself: real clients ask so, and Dovecot
/// answers.
pub(crate) fn part_named<'a>(structure: &'a Structure, path: &[u32]) -> Option<&'a Part> {
    let is_leaf = |part: &&Part| part.kind == Kind::Leaf && !part.content_type.is_kind("multipart");
    if let Some(part) = structure.part(path) {
        // A multipart that could not be taken apart has no part 1.
        return Some(part).filter(|part| is_leaf(part) || part.kind != Kind::Leaf);
    }
    let (&last, above) = path.split_last()?;
    let part = structure.part(above).filter(is_leaf)?;
    (last == 1 && part.envelope.is_none()).then_some(part)
}

/// The fields with these names, as they stand, and an empty line; or everything in the header but them, lines that are
/// no fields included.
pub(crate) fn pick_fields(block: &[u8], names: &[Vec<u8>], except: bool) -> Vec<u8> {
    let mut picked = Vec::new();
    let mut at = 0;
    for field in header::fields(block) {
        if !names.iter().any(|name| name.eq_ignore_ascii_case(field.name)) {
            continue;
        }
        if except {
            picked.extend_from_slice(&block[at..field.offset]);
            at = field.offset + field.raw.len();
        } else {
            picked.extend_from_slice(field.raw);
        }
    }
    if except {
        let rest = &block[at..];
        let is_empty_line = |rest: &[u8]| rest == b"\r\n" || rest.ends_with(b"\r\n\r\n");
        let end = rest.len() - if is_empty_line(rest) { 2 } else { 0 };
        picked.extend_from_slice(&rest[..end]);
    }
    if !picked.is_empty() && !picked.ends_with(b"\r\n") {
        picked.extend_from_slice(b"\r\n");
    }
    picked.extend_from_slice(b"\r\n");
    picked
}
