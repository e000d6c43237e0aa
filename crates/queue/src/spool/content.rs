//! A message's content, read at any place without loading it whole.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use journal::Pinned;
use world::DiskFile;

use crate::Result;

/// A message's content; stays readable until dropped, even when the message is removed meanwhile.
#[derive(Clone)]
pub struct Content {
    source: Source,
    size_bytes: u64,
}

#[derive(Clone)]
enum Source {
    Log(Pinned, u64),
    File(Arc<dyn DiskFile>),
}

impl Content {
    pub(super) fn in_log(pinned: Pinned, start: u64) -> Content {
        let size_bytes = (pinned.payload_bytes() as u64).saturating_sub(start);
        Content {
            source: Source::Log(pinned, start),
            size_bytes,
        }
    }

    pub(super) fn in_file(file: Arc<dyn DiskFile>, size_bytes: u64) -> Content {
        Content {
            source: Source::File(file),
            size_bytes,
        }
    }

    /// Its size in octets.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Reads at `offset`; fewer octets than asked for only at the end.
    ///
    /// # Errors
    /// [`crate::Error::Disk`].
    pub fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<usize> {
        let left = usize::try_from(self.size_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = bytes.len().min(left);
        let bytes = &mut bytes[..wanted];
        match &self.source {
            Source::Log(pinned, start) => Ok(pinned.read_at(bytes, start + offset)?),
            Source::File(file) => Ok(file.read_at(bytes, offset)?),
        }
    }

    /// All of it, in memory.
    ///
    /// # Errors
    /// [`crate::Error::Disk`], [`crate::Error::Damaged`] when some of it is missing.
    pub fn read_all(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.size_bytes).unwrap_or(usize::MAX)];
        let n = self.read_at(&mut bytes, 0)?;
        if n != bytes.len() {
            return Err(crate::Error::Damaged(
                "content is shorter than when it was written".into(),
            ));
        }
        Ok(bytes)
    }

    /// For reading from the start and seeking.
    pub fn reader(&self) -> ContentReader {
        ContentReader {
            content: self.clone(),
            at: 0,
        }
    }
}

/// Reads a [`Content`] in order.
pub struct ContentReader {
    content: Content,
    at: u64,
}

impl Read for ContentReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n = self.content.read_at(bytes, self.at).map_err(io::Error::other)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for ContentReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.content.size_bytes.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
