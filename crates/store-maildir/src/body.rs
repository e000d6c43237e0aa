//! The content of a message with CRLF lines, read from a file with LF lines (or both), by pread, never mapped.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use mailbox::{Body, Result};
use message::lines::ToCrlf;

use crate::paths;

/// Messages up to this length are read at once, in bytes.
const WHOLE_BYTES_MAX: u64 = 64 * 1024;

/// How much of a longer message is read at once, in bytes.
const BLOCK_BYTES: usize = 64 * 1024;

/// A place to begin from is remembered this often, in octets.
const MARK_EVERY_BYTES: u64 = 1 << 20;

/// A message that is held in memory.
pub(crate) struct Whole(Vec<u8>);

/// A message that is read as it is asked for.
pub(crate) struct Streamed {
    file: File,
    path: PathBuf,
    size_bytes: u64,
    /// Every line ends in CRLF in the file already.
    as_is: bool,
    reading: Mutex<Reading>,
}

struct Reading {
    at: Place,
    marks: Vec<Place>,
}

/// A place in the message: the same spot in the file and in the CRLF form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    file_at: u64,
    octet: u64,
    /// Whether the octet before is a CR (one of ours too), so that a LF here stands as it is.
    after_cr: bool,
}

/// Opens the content of a message. `expected_bytes`: its size as the index has it, which is believed for a long
/// message only if the file has the length `file_bytes` that its name tells.
pub(crate) fn open(
    file: File,
    path: PathBuf,
    expected_bytes: u64,
    file_bytes: Option<u64>,
) -> Result<std::sync::Arc<dyn Body>> {
    let length = file.metadata().map_err(paths::failed("read", &path))?.len();
    if length <= WHOLE_BYTES_MAX {
        let mut raw = vec![0; length as usize];
        let count = read_full(&file, &mut raw, 0).map_err(paths::failed("read", &path))?;
        let mut octets = Vec::new();
        ToCrlf::new().feed(&raw[..count], &mut octets);
        return Ok(std::sync::Arc::new(Whole(octets)));
    }
    let believed = file_bytes == Some(length) && (length..=2 * length).contains(&expected_bytes);
    let size_bytes = if believed {
        expected_bytes
    } else {
        count_octets(&file, length, &path)?
    };
    Ok(std::sync::Arc::new(Streamed {
        file,
        path,
        size_bytes,
        as_is: size_bytes == length,
        reading: Mutex::new(Reading {
            at: Place::default(),
            marks: Vec::new(),
        }),
    }))
}

/// Counts the octets of a message with CRLF lines; its file has about `file_bytes`.
pub(crate) fn count_octets(file: &File, file_bytes: u64, path: &std::path::Path) -> Result<u64> {
    let mut block = vec![0; file_bytes.saturating_add(1).min(BLOCK_BYTES as u64) as usize];
    let (mut at, mut octets, mut counter) = (0, 0, ToCrlf::new());
    loop {
        let count = read_full(file, &mut block, at).map_err(paths::failed("read", path))?;
        octets += counter.count(&block[..count]);
        at += count as u64;
        if count < block.len() {
            return Ok(octets);
        }
    }
}

fn read_full(file: &File, into: &mut [u8], at: u64) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match file.read_at(&mut into[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

impl Body for Whole {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|at| self.0.get(at..))
            .unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl Body for Streamed {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let room = usize::try_from(self.size_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let into_bytes = into.len().min(room);
        let into = &mut into[..into_bytes];
        if self.as_is {
            return read_full(&self.file, into, offset).map_err(paths::failed("read", &self.path));
        }
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        reading.go_near(offset);
        let mut block = vec![0; BLOCK_BYTES.min(into.len() + 4096)];
        let mut filled = 0;
        while filled < into.len() {
            let place = reading.at;
            let want = if place.octet < offset {
                BLOCK_BYTES
            } else {
                block.len()
            };
            block.resize(want, 0);
            let count = read_full(&self.file, &mut block, place.file_at)
                .map_err(paths::failed("read", &self.path))?;
            if count == 0 {
                break;
            }
            filled += reading.convert(&block[..count], offset, &mut into[filled..]);
        }
        Ok(filled)
    }
}

impl Reading {
    /// Goes to the last known place that is not behind `offset`.
    fn go_near(&mut self, offset: u64) {
        if self.at.octet <= offset && offset - self.at.octet < MARK_EVERY_BYTES {
            return;
        }
        let after = self.marks.partition_point(|mark| mark.octet <= offset);
        let mark = after.checked_sub(1).map_or(Place::default(), |at| self.marks[at]);
        if self.at.octet > offset || mark.octet > self.at.octet {
            self.at = mark;
        }
    }

    /// Walks over `raw`, which lies at the present place, and puts the octets from `offset` on into `into`.
    fn convert(&mut self, raw: &[u8], offset: u64, into: &mut [u8]) -> usize {
        let mut filled = 0;
        let mut used = 0;
        for &byte in raw {
            if filled == into.len() {
                break;
            }
            let insert_cr = byte == b'\n' && !self.at.after_cr;
            let octet = if insert_cr { b'\r' } else { byte };
            if self.at.octet >= offset {
                into[filled] = octet;
                filled += 1;
            }
            self.at.octet += 1;
            self.at.after_cr = octet == b'\r';
            if insert_cr {
                // The LF itself, unless there is no room: then it is where the next reading begins.
                if filled == into.len() {
                    break;
                }
                if self.at.octet >= offset {
                    into[filled] = b'\n';
                    filled += 1;
                }
                self.at.octet += 1;
                self.at.after_cr = false;
            }
            used += 1;
        }
        self.at.file_at += used;
        let last = self.marks.last().map_or(0, |mark| mark.octet);
        if self.at.octet >= last + MARK_EVERY_BYTES {
            self.marks.push(self.at);
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body_of(raw: &[u8], name_is_right: bool) -> std::sync::Arc<dyn Body> {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(raw, 0).unwrap();
        let octets = count_octets(&file, raw.len() as u64, "message".as_ref()).unwrap();
        let length = name_is_right.then_some(raw.len() as u64);
        open(file, "message".into(), octets, length).unwrap()
    }

    fn long_message() -> Vec<u8> {
        let mut raw = Vec::new();
        for number in 0..40_000u32 {
            raw.extend_from_slice(format!("line {number}").as_bytes());
            raw.extend_from_slice(
                [b"\n".as_slice(), b"\r\n", b"\r\r\n", b"\n\n", b"\rx\n"][number as usize % 5],
            );
        }
        raw
    }

    fn reference(raw: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for &byte in raw {
            if byte == b'\n' && out.last() != Some(&b'\r') {
                out.push(b'\r');
            }
            out.push(byte);
        }
        out
    }

    #[test]
    fn a_long_message_reads_the_same_in_any_pieces() {
        let raw = long_message();
        let wanted = reference(&raw);
        for (body, piece) in [(body_of(&raw, true), 1000), (body_of(&raw, false), 65_537)] {
            assert_eq!(body.size_bytes(), wanted.len() as u64);
            let (mut all, mut into) = (Vec::new(), vec![0; piece]);
            loop {
                let count = body.read_at(all.len() as u64, &mut into).unwrap();
                if count == 0 {
                    break;
                }
                all.extend_from_slice(&into[..count]);
            }
            assert!(all == wanted);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn any_place_can_be_read(reads in proptest::collection::vec((0usize..600_000, 1usize..300), 1..40)) {
            let raw = long_message();
            let wanted = reference(&raw);
            let body = body_of(&raw, true);
            for (offset, count) in reads {
                let mut into = vec![0; count];
                let got = body.read_at(offset as u64, &mut into).unwrap();
                let from = offset.min(wanted.len());
                prop_assert_eq!(&into[..got], &wanted[from..(from + count).min(wanted.len())]);
            }
        }

        #[test]
        fn short_messages_too(text in "[a\r\n]{0,20}") {
            let body = body_of(text.as_bytes(), true);
            let mut into = vec![0; 100];
            let count = body.read_at(0, &mut into).unwrap();
            let wanted = reference(text.as_bytes());
            prop_assert_eq!(&into[..count], &wanted[..]);
            prop_assert_eq!(body.size_bytes(), wanted.len() as u64);
        }
    }
}
