//! A whole mbox file at once, for programs that hold a folder in memory and write it back when they leave it (mail(1)).

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use os::locks::Mode;

use crate::locking::{Handle, Held, Locks};
use crate::rewrite::{Target, is_interrupted};
use crate::{Error, Result};

/// The largest file that is read at once, in octets.
pub const WHOLE_FILE_BYTES_MAX: u64 = 2 << 30;

/// An mbox file that is read and changed as a whole, under the locks that deliveries honour.
#[derive(Debug, Clone)]
pub struct WholeFile {
    path: PathBuf,
    journal_directory: PathBuf,
    locks: Locks,
}

impl WholeFile {
    /// The file at `path`. A rewrite that is under way lies in `journal_directory`, which is this file's alone, made
    /// when it is needed, and must be the same every time so that what a crash cut short is ended.
    pub fn new(path: &Path, journal_directory: &Path, locks: Locks) -> WholeFile {
        WholeFile {
            path: path.to_owned(),
            journal_directory: journal_directory.to_owned(),
            locks,
        }
    }

    /// The file's content.
    ///
    /// # Errors
    /// [`Error::Io`], also when there is no file; [`Error::Locked`]; [`Error::NotAMailbox`] when it is no regular file or too large.
    pub fn read(&self) -> Result<Vec<u8>> {
        if is_interrupted(&self.journal_directory) {
            self.change(|_| None)?;
        }
        let file = Handle::new(open(&self.path, OpenOptions::new().read(true))?);
        let _held = Held::take(&file, &self.path, Mode::Shared, &self.locks)?;
        self.content(&file)
    }

    /// Reads the file, asks `change` for new content, and brings that into place; `None` leaves the file as it is.
    /// Nobody who honours the locks writes to the file meanwhile; a crash leaves the old or the new content.
    ///
    /// # Errors
    /// As [`WholeFile::read`], and [`Error::Io`] when the journal or the file cannot be written.
    pub fn change(&self, change: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> Result<()> {
        let file = Handle::new(open(&self.path, OpenOptions::new().read(true).write(true))?);
        let _held = Held::take(&file, &self.path, Mode::Exclusive, &self.locks)?;
        let target = Target {
            file: &file,
            path: &self.path,
            journal_directory: &self.journal_directory,
        };
        if is_interrupted(&self.journal_directory) {
            target.recover()?;
        }
        let old = self.content(&file)?;
        let Some(new) = change(&old).filter(|new| *new != old) else {
            return Ok(());
        };
        let mut directory = std::fs::DirBuilder::new();
        directory.recursive(true).mode(0o700);
        directory
            .create(&self.journal_directory)
            .map_err(Error::io("create", &self.journal_directory))?;
        let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
        target.rewrite(same as u64, |output| output.write_all(&new[same..]))
    }

    fn content(&self, mut file: &File) -> Result<Vec<u8>> {
        let read = Error::io("read", &self.path);
        let meta = file.metadata().map_err(Error::io("look at", &self.path))?;
        if !meta.is_file() {
            return Err(Error::NotAMailbox(self.path.clone(), "it is not a regular file"));
        }
        if meta.len() > WHOLE_FILE_BYTES_MAX {
            return Err(Error::NotAMailbox(
                self.path.clone(),
                "it is too large to be read at once",
            ));
        }
        let mut content = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
        file.read_to_end(&mut content).map_err(read)?;
        Ok(content)
    }
}

fn open(path: &Path, options: &OpenOptions) -> Result<File> {
    os::files::open_regular(path, options).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidInput => Error::NotAMailbox(path.to_owned(), "it is not a regular file"),
        _ => Error::io("open", path)(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_made_in_place_and_leaves_no_journal() {
        let dir = tempfile::tempdir().unwrap();
        let (path, journal) = (dir.path().join("box"), dir.path().join("a/b"));
        std::fs::write(&path, "one two three").unwrap();
        let whole = WholeFile::new(&path, &journal, Locks::default());
        let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&path).unwrap());
        for new in ["one 2 three and more", "one", "", "again"] {
            whole.change(|_| Some(new.as_bytes().to_vec())).unwrap();
            assert_eq!(whole.read().unwrap(), new.as_bytes());
        }
        assert_eq!(
            inode,
            std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&path).unwrap())
        );
        assert_eq!(std::fs::read_dir(&journal).unwrap().count(), 0);
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            2,
            "no lock stays behind"
        );
    }

    #[test]
    fn a_delivery_between_reading_and_changing_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("box");
        std::fs::write(&path, "From a  Thu Dec 24 22:25:24 2020\n\nx\n\n").unwrap();
        let whole = WholeFile::new(&path, &dir.path().join("journal"), Locks::default());
        let before = whole.read().unwrap();
        let from = "From b  Thu Dec 24 22:25:25 2020";
        crate::deliver(&path, from, &mut &b"Subject: y\n\ny\n"[..], &Locks::default()).unwrap();
        whole
            .change(|now| Some(now.strip_prefix(&before[..]).unwrap().to_vec()))
            .unwrap();
        assert_eq!(
            whole.read().unwrap(),
            format!("{from}\nSubject: y\n\ny\n\n").as_bytes()
        );
    }
}
