//! Messages on their way into a file: kept in a nameless temporary file until the mailbox is locked.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use mailbox::Flags;
use message::date::Date;
use message::lines::ToLf;
use message::mbox::FromLine;

use crate::hash::Fnv;
use crate::headers::Filter;
use crate::{Error, Result};

/// Messages without notes, lines ending in LF, one after the other.
pub(crate) struct Spool {
    file: File,
    path: PathBuf,
    length: u64,
    pub(crate) messages: Vec<Spooled>,
    writing: Option<Writing>,
}

/// A message in the spool.
pub(crate) struct Spooled {
    pub(crate) flags: Flags,
    pub(crate) internal_date_secs: i64,
    /// What it is called for good, as a copy; 0: it is new.
    pub(crate) email_id: u64,
    /// With its line end.
    pub(crate) from_line: Vec<u8>,
    /// Where it is in the spool.
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Octets of its header, the empty line included.
    pub(crate) header_bytes: u64,
    pub(crate) hash: u64,
    pub(crate) size_bytes: u64,
}

struct Writing {
    to_lf: ToLf,
    filter: Filter,
    hash: Fnv,
    newlines: u64,
    carriage_returns_before: u64,
    last: Option<u8>,
}

impl Spool {
    /// An empty spool in `directory`; its file has no name and goes away with it.
    pub(crate) fn new(directory: &Path) -> Result<Spool> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!("yubin.append.{}.{number}", std::process::id()));
        let open = || {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&path)?;
            std::fs::remove_file(&path)?;
            Ok(file)
        };
        let file = open().map_err(Error::io("create", &path))?;
        Ok(Spool {
            file,
            path,
            length: 0,
            messages: Vec::new(),
            writing: None,
        })
    }

    /// Ends the message before and starts another.
    pub(crate) fn start(&mut self, flags: Flags, internal_date_secs: i64) -> Result<()> {
        self.finish()?;
        let date = Date {
            secs: internal_date_secs,
            offset_secs: crate::zone::offset_secs(internal_date_secs),
        };
        let from_line = format!("{}\n", FromLine::display(None, date)).into_bytes();
        let mut hash = Fnv::default();
        hash.feed(&from_line);
        self.messages.push(Spooled {
            flags,
            internal_date_secs,
            email_id: 0,
            from_line,
            start: self.length,
            end: self.length,
            header_bytes: 0,
            hash: 0,
            size_bytes: 0,
        });
        self.writing = Some(Writing {
            to_lf: ToLf::new(),
            filter: Filter::new(),
            hash,
            newlines: 0,
            carriage_returns_before: 0,
            last: None,
        });
        Ok(())
    }

    /// The message started last is a copy.
    pub(crate) fn is_copy_of(&mut self, email_id: u64) {
        if let Some(message) = self.messages.last_mut() {
            message.email_id = email_id;
        }
    }

    /// Adds content to the message started last; lines may end in CRLF or LF.
    pub(crate) fn write(&mut self, content: &[u8]) -> Result<()> {
        let Some(mut writing) = self.writing.take() else {
            return Ok(());
        };
        let (mut lf, mut kept) = (
            Vec::with_capacity(content.len()),
            Vec::with_capacity(content.len()),
        );
        writing.to_lf.feed(content, &mut lf);
        writing.filter.feed(&lf, &mut kept);
        let written = self.put(&mut writing, &kept);
        self.writing = Some(writing);
        written
    }

    fn put(&mut self, writing: &mut Writing, kept: &[u8]) -> Result<()> {
        self.file
            .write_all_at(kept, self.length)
            .map_err(Error::io("write", &self.path))?;
        self.length += kept.len() as u64;
        writing.hash.feed(kept);
        for &octet in kept {
            if octet == b'\n' {
                writing.newlines += 1;
                writing.carriage_returns_before += u64::from(writing.last == Some(b'\r'));
            }
            writing.last = Some(octet);
        }
        Ok(())
    }

    /// Ends the message started last; its last line gets its end.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let Some(mut writing) = self.writing.take() else {
            return Ok(());
        };
        let (mut lf, mut kept) = (Vec::new(), Vec::new());
        writing.to_lf.finish(&mut lf);
        writing.filter.feed(&lf, &mut kept);
        writing.filter.finish(&mut kept);
        if kept
            .last()
            .or(writing.last.as_ref())
            .is_some_and(|last| *last != b'\n')
        {
            kept.push(b'\n');
        }
        self.put(&mut writing, &kept)?;
        if let Some(message) = self.messages.last_mut() {
            message.end = self.length;
            let whole = message.end - message.start;
            message.header_bytes = if writing.filter.is_in_body() {
                writing.filter.header_kept
            } else {
                whole
            };
            message.hash = writing.hash.value();
            message.size_bytes = whole + writing.newlines - writing.carriage_returns_before;
        }
        Ok(())
    }

    /// The first octet of a message.
    pub(crate) fn first_octet(&self, message: &Spooled) -> Result<Option<u8>> {
        if message.start == message.end {
            return Ok(None);
        }
        Ok(self
            .last_octets(message.start, message.start + 1)?
            .first()
            .copied())
    }

    /// Where the fields of a message's header end: before the empty line, if there is one.
    pub(crate) fn header_end(&self, message: &Spooled) -> Result<u64> {
        let end = message.start + message.header_bytes;
        let last = self.last_octets(message.start, end)?;
        Ok(end - crate::file::empty_line_bytes(&last))
    }

    /// The last octets of a range, three at most.
    fn last_octets(&self, from: u64, to: u64) -> Result<Vec<u8>> {
        let mut octets = vec![0; (to - from).min(3) as usize];
        self.file
            .read_exact_at(&mut octets, to - (to - from).min(3))
            .map_err(Error::io("read", &self.path))?;
        Ok(octets)
    }

    /// A range of the spool, to be written somewhere.
    pub(crate) fn copy(&self, from: u64, to: u64, output: &mut dyn std::io::Write) -> Result<()> {
        crate::rewrite::copy_range(&self.file, from, to, output).map_err(Error::io("copy", &self.path))
    }
}
