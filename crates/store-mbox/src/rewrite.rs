//! Rewriting an mbox file in place without losing mail at a crash: the new content lies in a journal first.
//!
//! States on disk: no journal (nothing to do); journal state 1 (content complete in the journal, file perhaps
//! partly overwritten); 3 (the file has been extended for longer content); 2 (content is in place, only the cut
//! is missing). Mail that other programs append after a crash is found behind the file's known end and kept.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::hash::Fnv;
use crate::{Error, Result};

const NAME: &str = "yubin.rewrite";
const MAGIC: &[u8; 8] = b"YBNMBXJ1";
const HEADER_BYTES: u64 = 64;
const STATE_AT: u64 = 8;
const PREPARED: u64 = 1;
const IN_PLACE: u64 = 2;
const EXTENDED: u64 = 3;
const PIECE_BYTES: usize = 64 * 1024;

/// Whether a rewrite of the file whose journal would be in this directory was cut short.
pub(crate) fn is_interrupted(journal_directory: &Path) -> bool {
    journal_directory.join(NAME).exists()
}

/// New content for everything from an offset on.
struct Journal {
    file: File,
    path: PathBuf,
    state: u64,
    target: (u64, u64),
    offset: u64,
    length: u64,
    old_end: u64,
    /// Hash of what the cut will take away.
    residue: u64,
}

/// The file being rewritten, and the directory of its journal.
pub(crate) struct Target<'a> {
    pub(crate) file: &'a File,
    pub(crate) path: &'a Path,
    pub(crate) journal_directory: &'a Path,
}

impl Target<'_> {
    /// Replaces everything from `offset` on by what `write` writes. Under the mailbox's locks.
    ///
    /// # Errors
    /// [`Error::Io`]. Before the journal is complete, the file is untouched; afterwards [`Target::recover`] ends it.
    pub(crate) fn rewrite(
        &self,
        offset: u64,
        write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<()> {
        self.prepare(offset, write)?;
        match self.load()? {
            Some(journal) => self.carry_out(journal),
            None => Err(Error::io("read back", &self.journal_path())(
                ErrorKind::InvalidData.into(),
            )),
        }
    }

    /// Ends a rewrite that a crash cut short. Under the mailbox's locks.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn recover(&self) -> Result<()> {
        let Some(journal) = self.load()? else {
            return self.forget();
        };
        let meta = self.file.metadata().map_err(Error::io("look at", self.path))?;
        if journal.target != (meta.dev(), meta.ino()) {
            // Somebody has put another file there: what the journal was for is gone.
            return self.forget();
        }
        let tail_at = self.tail_at(&journal, meta.size())?;
        if tail_at >= meta.size() {
            return self.carry_out(journal);
        }
        // Mail arrived meanwhile: it becomes part of the content.
        let mut content = File::open(&journal.path).map_err(Error::io("open", &journal.path))?;
        self.prepare(journal.offset, |output| {
            content.seek(SeekFrom::Start(HEADER_BYTES))?;
            std::io::copy(&mut content, output)?;
            copy_range(self.file, tail_at, meta.size(), output)
        })?;
        self.recover()
    }

    /// Where, in a file of `size` octets, mail begins that came after the crash.
    fn tail_at(&self, journal: &Journal, size: u64) -> Result<u64> {
        let new_end = journal.offset + journal.length;
        let is_extended = || -> Result<bool> {
            let mut zeros = vec![
                0;
                usize::try_from(new_end - journal.old_end)
                    .unwrap_or(usize::MAX)
                    .min(PIECE_BYTES)
            ];
            self.file
                .read_exact_at(&mut zeros, journal.old_end)
                .map_err(Error::io("read", self.path))?;
            Ok(zeros.iter().all(|&b| b == 0))
        };
        let is_uncut = || -> Result<bool> {
            Ok(hash_range(self.file, self.path, new_end, journal.old_end)? == journal.residue)
        };
        Ok(match journal.state {
            EXTENDED => new_end,
            IN_PLACE if size < journal.old_end || !is_uncut()? => new_end,
            PREPARED if new_end > journal.old_end && size >= new_end && is_extended()? => new_end,
            _ => journal.old_end,
        })
    }

    fn journal_path(&self) -> PathBuf {
        self.journal_directory.join(NAME)
    }

    /// Writes and syncs a journal, then gives it its name.
    fn prepare(&self, offset: u64, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
        let meta = self.file.metadata().map_err(Error::io("look at", self.path))?;
        let new = self.journal_directory.join(format!("{NAME}.new"));
        let said = Error::io("write", &new);
        let write_it = || -> std::io::Result<(File, u64)> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            file.seek(SeekFrom::Start(HEADER_BYTES))?;
            let mut output = BufWriter::with_capacity(PIECE_BYTES, &file);
            write(&mut output)?;
            output.flush()?;
            drop(output);
            let length = file.metadata()?.len().saturating_sub(HEADER_BYTES);
            Ok((file, length))
        };
        let (file, length) = write_it().map_err(said)?;
        let new_end = offset + length;
        let residue = if new_end < meta.size() {
            hash_range(self.file, self.path, new_end, meta.size())?
        } else {
            0
        };
        let mut header = Vec::with_capacity(HEADER_BYTES as usize);
        header.extend_from_slice(MAGIC);
        for field in [
            PREPARED,
            meta.dev(),
            meta.ino(),
            offset,
            length,
            meta.size(),
            residue,
        ] {
            header.extend_from_slice(&field.to_le_bytes());
        }
        file.write_all_at(&header, 0)
            .and_then(|()| file.sync_all())
            .map_err(Error::io("write", &new))?;
        std::fs::rename(&new, self.journal_path()).map_err(Error::io("name", &new))?;
        sync_directory(self.journal_directory)
    }

    /// The journal, if there is a whole one.
    fn load(&self) -> Result<Option<Journal>> {
        let path = self.journal_path();
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("open", &path)(error)),
        };
        let mut header = [0; HEADER_BYTES as usize];
        if file.read_exact(&mut header).is_err() || !header.starts_with(MAGIC) {
            return Ok(None);
        }
        let field = |number: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&header[8 * number..8 * number + 8]);
            u64::from_le_bytes(bytes)
        };
        let size = file.metadata().map_err(Error::io("look at", &path))?.size();
        let journal = Journal {
            state: field(1),
            target: (field(2), field(3)),
            offset: field(4),
            length: field(5),
            old_end: field(6),
            residue: field(7),
            file,
            path,
        };
        Ok((size == HEADER_BYTES + journal.length).then_some(journal))
    }

    /// Brings the content into place, step by step; every step may be done again.
    fn carry_out(&self, mut journal: Journal) -> Result<()> {
        let new_end = journal.offset + journal.length;
        let said = || Error::io("write", self.path);
        if new_end > journal.old_end && journal.state == PREPARED {
            self.file
                .set_len(new_end)
                .and_then(|()| self.file.sync_all())
                .map_err(said())?;
            self.mark(&mut journal, EXTENDED)?;
        }
        if journal.state != IN_PLACE {
            let mut at = journal.offset;
            let mut piece = vec![0; PIECE_BYTES];
            while at < new_end {
                let count = usize::try_from(new_end - at)
                    .unwrap_or(usize::MAX)
                    .min(piece.len());
                let from = HEADER_BYTES + (at - journal.offset);
                journal
                    .file
                    .read_exact_at(&mut piece[..count], from)
                    .map_err(Error::io("read", &journal.path))?;
                self.file.write_all_at(&piece[..count], at).map_err(said())?;
                at += count as u64;
            }
            self.file.sync_all().map_err(said())?;
        }
        if new_end < journal.old_end {
            self.mark(&mut journal, IN_PLACE)?;
            self.file
                .set_len(new_end)
                .and_then(|()| self.file.sync_all())
                .map_err(said())?;
        }
        self.forget()
    }

    fn mark(&self, journal: &mut Journal, state: u64) -> Result<()> {
        journal.state = state;
        let marked = journal.file.write_all_at(&state.to_le_bytes(), STATE_AT);
        marked
            .and_then(|()| journal.file.sync_all())
            .map_err(Error::io("write", &journal.path))
    }

    fn forget(&self) -> Result<()> {
        let path = self.journal_path();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", &path)(error)),
            _ => sync_directory(self.journal_directory),
        }
    }
}

/// Copies a range of a file.
pub(crate) fn copy_range(file: &File, from: u64, to: u64, output: &mut dyn Write) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = from;
    while at < to {
        let count = usize::try_from(to - at).unwrap_or(usize::MAX).min(piece.len());
        file.read_exact_at(&mut piece[..count], at)?;
        output.write_all(&piece[..count])?;
        at += count as u64;
    }
    Ok(())
}

fn hash_range(file: &File, path: &Path, from: u64, to: u64) -> Result<u64> {
    let mut hash = Fnv::default();
    copy_range(file, from, to, &mut hash).map_err(Error::io("read", path))?;
    Ok(hash.value())
}

fn sync_directory(directory: &Path) -> Result<()> {
    File::open(directory)
        .and_then(|d| d.sync_all())
        .map_err(Error::io("sync", directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file at every moment of a rewrite, with and without mail that came after a crash.
    #[test]
    fn a_crash_at_any_step_loses_nothing() {
        for (old, new) in [
            ("headOLDOLDOLD", "NEW"),
            ("headOLD", "NEWNEWNEW"),
            ("headOLD", "NEW"),
            ("head", "X"),
        ] {
            for step in 0..5 {
                for mail in ["", "mail", "a longer mail than everything before it"] {
                    let dir = tempfile::tempdir().unwrap();
                    let path = dir.path().join("mbox");
                    std::fs::write(&path, old).unwrap();
                    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
                    let target = Target {
                        file: &file,
                        path: &path,
                        journal_directory: dir.path(),
                    };
                    target
                        .prepare(4, |output| output.write_all(new.as_bytes()))
                        .unwrap();
                    crash_after(&target, step, new);
                    let size = file.metadata().unwrap().len();
                    file.write_all_at(mail.as_bytes(), size).unwrap();
                    assert!(is_interrupted(dir.path()));
                    target.recover().unwrap();
                    let expected = format!("head{new}{mail}");
                    assert_eq!(
                        std::fs::read_to_string(&path).unwrap(),
                        expected,
                        "{old} → {new}, step {step}"
                    );
                    assert!(!is_interrupted(dir.path()));
                }
            }
        }
    }

    /// Does the first steps of [`Target::carry_out`] by hand.
    fn crash_after(target: &Target<'_>, step: u32, new: &str) {
        let mut journal = target.load().unwrap().unwrap();
        let new_end = 4 + new.len() as u64;
        if new_end > journal.old_end {
            if step >= 1 {
                target.file.set_len(new_end).unwrap();
            }
            if step >= 2 {
                target.mark(&mut journal, EXTENDED).unwrap();
            }
        }
        if step >= 3 || (step >= 1 && new_end <= journal.old_end) {
            target.file.write_all_at(&new.as_bytes()[..1], 4).unwrap();
        }
        if step >= 3 {
            target.file.write_all_at(new.as_bytes(), 4).unwrap();
            if new_end < journal.old_end {
                target.mark(&mut journal, IN_PLACE).unwrap();
            }
        }
        if step >= 4 && new_end < journal.old_end {
            target.file.set_len(new_end).unwrap();
        }
    }

    #[test]
    fn a_rewrite_leaves_no_journal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mbox");
        std::fs::write(&path, "one two three").unwrap();
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let target = Target {
            file: &file,
            path: &path,
            journal_directory: dir.path(),
        };
        target.rewrite(4, |output| output.write_all(b"2")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one 2");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
