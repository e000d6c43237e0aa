//! The content of one message, read from the file as it lies there; never another message's.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use mailbox::{Body, Uid};
use message::lines::ToCrlf;
use std::os::unix::fs::FileExt;

use crate::headers::Filter;
use crate::locking::{Fingerprint, Handle};
use crate::scan::{Place, hash_at};
use crate::{Error, Result};

/// How much of the file is read at once, in octets.
const PIECE_BYTES: usize = 32 * 1024;

/// A message's content without notes, every line ending in CRLF.
pub(crate) struct MboxBody {
    file: Arc<Handle>,
    path: PathBuf,
    uid: Uid,
    place: Place,
    size_bytes: u64,
    reading: Mutex<Reading>,
}

/// How far a pass over the message has come.
struct Reading {
    /// The file as it was when it was last known to hold the message at its place.
    fingerprint: Fingerprint,
    filter: Filter,
    to_crlf: ToCrlf,
    /// What comes next in the file.
    at: u64,
    /// Converted octets, and where they are in the content.
    ready: Vec<u8>,
    ready_at: u64,
}

impl MboxBody {
    pub(crate) fn new(
        (file, path): (Arc<Handle>, PathBuf),
        uid: Uid,
        (place, size_bytes): (Place, u64),
        fingerprint: Fingerprint,
    ) -> MboxBody {
        let reading = Mutex::new(Reading::new(&place, fingerprint));
        MboxBody {
            file,
            path,
            uid,
            place,
            size_bytes,
            reading,
        }
    }

    /// Converts the next piece of the file; `false` at the message's end.
    fn advance(&self, reading: &mut Reading) -> Result<bool> {
        if reading.at >= self.place.end {
            return Ok(false);
        }
        let left = usize::try_from(self.place.end - reading.at).unwrap_or(usize::MAX);
        let mut raw = vec![0; left.min(PIECE_BYTES)];
        self.file
            .read_exact_at(&mut raw, reading.at)
            .map_err(Error::io("read", &self.path))?;
        reading.at += raw.len() as u64;
        reading.ready_at += reading.ready.len() as u64;
        reading.ready.clear();
        let mut kept = Vec::with_capacity(raw.len());
        reading.filter.feed(&raw, &mut kept);
        if reading.at == self.place.end {
            reading.filter.finish(&mut kept);
            if raw.last() != Some(&b'\n') && !kept.is_empty() {
                kept.push(b'\n');
            }
        }
        reading.to_crlf.feed(&kept, &mut reading.ready);
        Ok(true)
    }

    /// Whether the message still lies where it did, after the file changed.
    fn is_in_place(&self, reading: &mut Reading) -> Result<bool> {
        let now = Fingerprint::of_file(&self.file, &self.path)?;
        if now == reading.fingerprint {
            return Ok(true);
        }
        if now.size < self.place.end || hash_at(&self.file, &self.path, &self.place)? != self.place.hash {
            return Ok(false);
        }
        reading.fingerprint = now;
        Ok(true)
    }
}

impl Reading {
    fn new(place: &Place, fingerprint: Fingerprint) -> Reading {
        Reading {
            fingerprint,
            filter: Filter::new(),
            to_crlf: ToCrlf::new(),
            at: place.header_at,
            ready: Vec::new(),
            ready_at: 0,
        }
    }
}

impl Body for MboxBody {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> mailbox::Result<usize> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if offset < reading.ready_at {
            *reading = Reading::new(&self.place, reading.fingerprint);
        }
        while offset >= reading.ready_at + reading.ready.len() as u64 {
            let more = self.advance(&mut reading);
            // What was read counts only when the message was there before and after.
            match (self.is_in_place(&mut reading), more) {
                (Ok(true), Ok(true)) => {}
                (Ok(true), Ok(false)) => return Ok(0),
                (Ok(false), _) => {
                    *reading = Reading::new(&self.place, Fingerprint::default());
                    return Err(mailbox::Error::NoSuchMessage(self.uid));
                }
                (Err(error), _) | (_, Err(error)) => return Err(error.into()),
            }
        }
        let start = (offset - reading.ready_at) as usize;
        let count = into.len().min(reading.ready.len() - start);
        into[..count].copy_from_slice(&reading.ready[start..start + count]);
        Ok(count)
    }
}
