//! A message being written into `tmp`: CRLF becomes LF, both lengths are counted, a dropped one is removed.

use std::fs::{File, FileTimes, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mailbox::Result;
use os::durability::{self, Order};

use crate::{file_name, paths};

/// How much is gathered before it is written, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;

/// Turns the lines of a message into LF lines, wherever it is cut. What reads back as CRLF by the rule "LF not
/// after CR becomes CRLF" is exactly what was written (with bare LF made CRLF).
#[derive(Debug, Default)]
pub(crate) struct LineEnds {
    /// A CR that was seen last and not passed on yet.
    pending_cr: bool,
    /// Whether the last byte passed on is a CR.
    after_cr: bool,
    /// Octets with CRLF lines.
    pub(crate) size_bytes: u64,
}

impl LineEnds {
    pub(crate) fn feed(&mut self, content: &[u8], out: &mut Vec<u8>) {
        let mut rest = content;
        while let Some(&first) = rest.first() {
            if self.pending_cr {
                self.pending_cr = false;
                if first != b'\n' || self.after_cr {
                    // A CR on its own, or one before CRLF, which must not be taken for a part of the line's end.
                    out.push(b'\r');
                    self.size_bytes += 1;
                    self.after_cr = true;
                }
                if first == b'\n' {
                    out.push(b'\n');
                    self.size_bytes += if self.after_cr { 1 } else { 2 };
                    self.after_cr = false;
                    rest = &rest[1..];
                }
                continue;
            }
            let end = rest
                .iter()
                .position(|byte| matches!(byte, b'\r' | b'\n'))
                .unwrap_or(rest.len());
            if end > 0 {
                out.extend_from_slice(&rest[..end]);
                self.size_bytes += end as u64;
                self.after_cr = false;
            }
            match rest.get(end) {
                Some(b'\r') => self.pending_cr = true,
                Some(_) => {
                    out.push(b'\n');
                    self.size_bytes += 2;
                    self.after_cr = false;
                }
                None => return,
            }
            rest = &rest[end + 1..];
        }
    }

    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.pending_cr) {
            out.push(b'\r');
            self.size_bytes += 1;
        }
    }
}

/// A message file that is not in the mailbox yet.
#[derive(Debug)]
pub(crate) struct MessageFile {
    /// Open until the message is complete: of many that arrive together, one is.
    file: Option<File>,
    path: PathBuf,
    unique: String,
    buffer: Vec<u8>,
    ends: LineEnds,
    file_bytes: u64,
    /// Whether the file is somewhere else by now and must not be removed.
    placed: bool,
}

impl MessageFile {
    /// Makes a file of a new name in `tmp` of a maildir, mode 0600.
    pub(crate) fn create(maildir: &Path, host: &str) -> Result<MessageFile> {
        let unique = file_name::unique(host);
        let path = maildir.join("tmp").join(&unique);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(paths::failed("create", &path))?;
        Ok(MessageFile {
            file: Some(file),
            path,
            unique,
            buffer: Vec::new(),
            ends: LineEnds::default(),
            file_bytes: 0,
            placed: false,
        })
    }

    pub(crate) fn write(&mut self, content: &[u8]) -> Result<()> {
        for piece in content.chunks(BUFFER_BYTES) {
            self.ends.feed(piece, &mut self.buffer);
            if self.buffer.len() >= BUFFER_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes what is left, with the internal date as the file's time. As soon as a name that the file gets after this is on
    /// disk, the content is.
    pub(crate) fn finish(&mut self, internal_date_secs: Option<i64>) -> Result<()> {
        self.ends.finish(&mut self.buffer);
        self.flush()?;
        self.buffer = Vec::new();
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        if let Some(date) = internal_date_secs {
            let date = time_of(date);
            let times = FileTimes::new().set_accessed(date).set_modified(date);
            // A file system that refuses the date still holds the message; the index knows the date too.
            let _ = file.set_times(times);
        }
        let written = match durability::order_of(&file) {
            Order::Kept => durability::hand_over(&file),
            Order::Unknown => file.sync_all(),
        };
        written.map_err(paths::failed("sync", &self.path))
    }

    /// Octets with CRLF lines, once finished.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.ends.size_bytes
    }

    /// Octets of the file, once finished.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The name in the mailbox, without flags, once finished.
    pub(crate) fn base(&self) -> String {
        file_name::with_sizes(&self.unique, self.file_bytes, self.ends.size_bytes)
    }

    /// Renames the file; it is no longer removed when this is dropped.
    pub(crate) fn place(&mut self, to: &Path) -> Result<()> {
        std::fs::rename(&self.path, to).map_err(paths::failed("put a message at", to))?;
        self.placed = true;
        Ok(())
    }

    /// Renames the file; dropping this removes it from its new place.
    pub(crate) fn rename(&mut self, to: PathBuf) -> Result<()> {
        std::fs::rename(&self.path, &to).map_err(paths::failed("rename a message to", &to))?;
        self.path = to;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        // A message that is complete has nothing left to write.
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        file.write_all(&self.buffer)
            .map_err(paths::failed("write", &self.path))?;
        self.file_bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl Drop for MessageFile {
    fn drop(&mut self) {
        if !self.placed {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn time_of(secs: i64) -> SystemTime {
    let distance = Duration::from_secs(secs.unsigned_abs());
    let time = if secs < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stored(pieces: &[&[u8]]) -> (Vec<u8>, u64) {
        let (mut ends, mut out) = (LineEnds::default(), Vec::new());
        pieces.iter().for_each(|piece| ends.feed(piece, &mut out));
        ends.finish(&mut out);
        (out, ends.size_bytes)
    }

    #[test]
    fn line_ends() {
        for (given, kept, size) in [
            ("a\r\nb\r\n", "a\nb\n", 6),
            ("a\nb", "a\nb", 4),
            ("a\rb\r", "a\rb\r", 4),
            ("\r\r\n", "\r\r\n", 3),
            ("\n\r\n", "\n\n", 4),
        ] {
            assert_eq!(
                stored(&[given.as_bytes()]),
                (kept.as_bytes().to_vec(), size),
                "{given:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter_and_all_comes_back(text in "[ab\r\n]{0,30}", cut in 0usize..30) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            let (kept, size) = stored(&[bytes]);
            prop_assert_eq!(&stored(&[&bytes[..cut], &bytes[cut..]]), &(kept.clone(), size));
            // The wanted form: every LF not after CR gets one.
            let crlf = |bytes: &[u8]| {
                let mut out = Vec::new();
                for &byte in bytes {
                    if byte == b'\n' && out.last() != Some(&b'\r') { out.push(b'\r'); }
                    out.push(byte);
                }
                out
            };
            prop_assert_eq!(crlf(&kept), crlf(bytes));
            prop_assert_eq!(size, crlf(bytes).len() as u64);
        }
    }
}
