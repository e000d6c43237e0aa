//! What is in an mbox file: where each message lies, its notes, its size, what it is known by.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use mailbox::{Uid, UidValidity};
use message::mbox::{FromLine, LINE_KEPT_MAX, Splitter};

use crate::hash::Fnv;
use crate::headers::{self, Filter, Notes};
use crate::{Error, Result};

/// How much of a message is looked through for its header, in octets; what comes later is body.
pub const HEADER_BYTES_MAX: u64 = 1024 * 1024;
/// How much of a file is read at once.
const PIECE_BYTES: usize = 64 * 1024;
const FIRST_PIECE_BYTES: usize = 4 * 1024;

/// A message of an mbox file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) notes: Notes,
    /// RFC822.SIZE: without notes, every line ending in CRLF.
    pub(crate) size_bytes: u64,
    /// From the `From ` line, seconds since the Unix epoch.
    pub(crate) date_secs: i64,
}

/// Where a message lies, and what it is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its `From ` line.
    pub(crate) from_at: u64,
    /// Its header.
    pub(crate) header_at: u64,
    /// Its body: after the empty line.
    pub(crate) body_at: u64,
    /// Whether its header begins with a continuation line.
    pub(crate) begins_folded: bool,
    /// Its end, without the empty line before the next message.
    pub(crate) end: u64,
    /// FNV-1a over the `From ` line and the content without notes: the same wherever the message moves to.
    pub(crate) hash: u64,
}

/// A whole file.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) messages: Vec<Found>,
    /// UIDVALIDITY and highest UID that another program noted.
    pub(crate) base: Option<(UidValidity, Uid)>,
    /// The file does not begin like an mbox file: this many octets belong to no message.
    pub(crate) garbage_bytes: u64,
}

/// Reads the file's first `size` octets.
///
/// # Errors
/// [`Error::Io`], also when the file turns out to be shorter.
pub(crate) fn scan(file: &File, path: &Path, size: u64) -> Result<Scan> {
    let reader = Reader { file, path, size };
    let mut scan = Scan::default();
    let mut next = reader.next_start(0)?;
    scan.garbage_bytes = next.as_ref().map_or(size, |start| start.offset);
    while let Some(start) = next {
        let (found, following) = reader.message(&start)?;
        scan.base = scan.base.or(found.notes.base);
        if !(found.notes.is_internal && scan.messages.is_empty()) {
            scan.messages.push(found);
        }
        next = following;
    }
    Ok(scan)
}

/// UIDVALIDITY and highest UID as another program noted them in the first message.
///
/// # Errors
/// [`Error::Io`].
pub(crate) fn noted_base(file: &File, path: &Path, size: u64) -> Result<Option<(UidValidity, Uid)>> {
    let reader = Reader { file, path, size };
    let Some(first) = reader.next_start(0)? else {
        return Ok(None);
    };
    Ok(reader.header(first.content)?.0.base)
}

/// The hash of what lies at `place` now.
///
/// # Errors
/// [`Error::Io`], also when the file ends before the place does.
pub(crate) fn hash_at(file: &File, path: &Path, place: &Place) -> Result<u64> {
    let reader = Reader {
        file,
        path,
        size: place.end,
    };
    Ok(reader.digest(place.from_at, place.header_at, place.end)?.hash)
}

/// The start of a message.
struct Start {
    offset: u64,
    content: u64,
    date_secs: i64,
    /// Where a message before it ends.
    previous_end: u64,
}

struct Reader<'a> {
    file: &'a File,
    path: &'a Path,
    size: u64,
}

struct Digest {
    hash: u64,
    size_bytes: u64,
    notes: Notes,
    body_at: u64,
    begins_folded: bool,
}

impl Reader<'_> {
    fn read(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        self.file
            .read_exact_at(into, offset)
            .map_err(Error::io("read", self.path))
    }

    /// The first `From ` line at or after `offset`, which is the start of a line.
    fn next_start(&self, offset: u64) -> Result<Option<Start>> {
        let mut splitter = Splitter::new(offset);
        let mut found = Vec::new();
        let mut piece = vec![0; FIRST_PIECE_BYTES];
        let mut at = offset;
        while at < self.size {
            let count = usize::try_from(self.size - at)
                .unwrap_or(usize::MAX)
                .min(piece.len());
            self.read(at, &mut piece[..count])?;
            splitter.feed(&piece[..count], &mut found);
            at += count as u64;
            if at == self.size && found.is_empty() {
                // The last line may lack its end.
                splitter.feed(b"\n", &mut found);
            }
            if let Some(first) = found.first() {
                return Ok(Some(Start {
                    offset: first.offset,
                    content: first.content.min(self.size),
                    date_secs: moment(&first.from.date),
                    previous_end: first.previous_end,
                }));
            }
            if piece.len() < PIECE_BYTES {
                piece.resize(piece.len() * 2, 0);
            }
        }
        Ok(None)
    }

    /// The message that starts there, and the start after it.
    fn message(&self, start: &Start) -> Result<(Found, Option<Start>)> {
        let (notes, body_at) = self.header(start.content)?;
        // Dovecot's way: a Content-Length is believed when it leads to the next message or the end. One of 0 says nothing
        // that the empty line would not say, and less: whether that line ends the header or stands between messages.
        let stated = notes
            .content_length
            .filter(|length| *length > 0)
            .and_then(|length| body_at.checked_add(length));
        let (end, following) = match stated {
            Some(end) if end <= self.size && self.is_end(end)? => (end, self.next_start(end)?),
            _ => match self.next_start(start.content)? {
                Some(next) => (next.previous_end, Some(next)),
                None => (self.trimmed_end(start.content)?, None),
            },
        };
        let whole = self.digest(start.offset, start.content, end)?;
        let place = Place {
            from_at: start.offset,
            header_at: start.content,
            body_at: whole.body_at,
            begins_folded: whole.begins_folded,
            end,
            hash: whole.hash,
        };
        let (notes, size_bytes) = (whole.notes, whole.size_bytes);
        Ok((
            Found {
                place,
                notes,
                size_bytes,
                date_secs: start.date_secs,
            },
            following,
        ))
    }

    /// The notes of the message whose header starts there, and where its body starts. Reads little more than that.
    fn header(&self, header_at: u64) -> Result<(Notes, u64)> {
        let limit = self.size.min(header_at + HEADER_BYTES_MAX);
        let mut filter = Filter::new();
        let mut kept = Vec::new();
        let mut piece = vec![0; FIRST_PIECE_BYTES];
        let mut at = header_at;
        while at < limit && !filter.is_in_body() {
            let count = usize::try_from(limit - at).unwrap_or(usize::MAX).min(piece.len());
            self.read(at, &mut piece[..count])?;
            kept.clear();
            filter.feed(&piece[..count], &mut kept);
            at += count as u64;
        }
        filter.finish(&mut kept);
        let body_at = if filter.is_in_body() {
            header_at + filter.header_fed
        } else {
            limit
        };
        Ok((Notes::parse(&filter.notes), body_at))
    }

    /// Whether a message can end there: at a line's start, before the end of the file or an empty line and one of both.
    fn is_end(&self, offset: u64) -> Result<bool> {
        let mut before = [0];
        self.read(offset - 1, &mut before)?;
        if before != *b"\n" {
            return Ok(false);
        }
        let count = usize::try_from(self.size - offset)
            .unwrap_or(usize::MAX)
            .min(LINE_KEPT_MAX);
        let mut window = vec![0; count];
        self.read(offset, &mut window)?;
        let rest = window
            .strip_prefix(b"\r\n")
            .or_else(|| window.strip_prefix(b"\n"))
            .unwrap_or(&window);
        if rest.is_empty() {
            return Ok(true);
        }
        let line = rest.split(|&b| b == b'\n').next().unwrap_or(rest);
        Ok(FromLine::parse(line.trim_ascii_end()).is_some())
    }

    /// The end of the file without an empty line there.
    fn trimmed_end(&self, from: u64) -> Result<u64> {
        let count = usize::try_from(self.size - from).unwrap_or(usize::MAX).min(4);
        let mut tail = vec![0; count];
        self.read(self.size - count as u64, &mut tail)?;
        let empty = match &tail[..] {
            [.., b'\n', b'\r', b'\n'] => 2,
            [.., b'\n', b'\n'] => 1,
            _ => 0,
        };
        Ok(self.size - empty)
    }

    /// Reads a message once: hash, size, notes, where its body starts.
    fn digest(&self, from_at: u64, header_at: u64, end: u64) -> Result<Digest> {
        let mut fnv = Fnv::default();
        let mut filter = Filter::new();
        let mut crlf = Crlf::default();
        let mut kept = Vec::new();
        let mut piece = vec![
            0;
            PIECE_BYTES
                .min(usize::try_from(end - from_at).unwrap_or(usize::MAX))
                .max(1)
        ];
        let mut at = from_at;
        let mut begins_folded = false;
        while at < end {
            let goal = if at < header_at { header_at } else { end };
            let count = usize::try_from(goal - at).unwrap_or(usize::MAX).min(piece.len());
            self.read(at, &mut piece[..count])?;
            if at < header_at {
                fnv.feed(&piece[..count]);
            } else {
                begins_folded |= at == header_at && headers::begins_folded(piece[0]);
                kept.clear();
                filter.feed(&piece[..count], &mut kept);
                crlf.count(&kept);
                fnv.feed(&kept);
            }
            at += count as u64;
        }
        kept.clear();
        filter.finish(&mut kept);
        crlf.count(&kept);
        fnv.feed(&kept);
        if crlf.lacks_end() {
            crlf.count(b"\n");
            fnv.feed(b"\n");
        }
        let body_at = if filter.is_in_body() {
            header_at + filter.header_fed
        } else {
            end
        };
        Ok(Digest {
            hash: fnv.value(),
            size_bytes: crlf.octets,
            notes: Notes::parse(&filter.notes),
            body_at,
            begins_folded,
        })
    }
}

/// Counts octets as if every line ended in CRLF.
#[derive(Default)]
struct Crlf {
    octets: u64,
    last: Option<u8>,
}

impl Crlf {
    fn count(&mut self, input: &[u8]) {
        self.octets += input.len() as u64;
        for &octet in input {
            if octet == b'\n' && self.last != Some(b'\r') {
                self.octets += 1;
            }
            self.last = Some(octet);
        }
    }

    fn lacks_end(&self) -> bool {
        self.last.is_some_and(|last| last != b'\n')
    }
}

/// The moment a `From ` line tells; without a zone it is local time.
fn moment(date: &message::date::Date) -> i64 {
    if date.offset_secs == 0 {
        crate::zone::from_local(date.secs)
    } else {
        date.secs
    }
}
