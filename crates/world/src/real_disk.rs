//! The machine's file system.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{DirEntry, Disk, DiskFile, DiskLock, Error, Foreign, OpenMode, Owner, Result};

/// The machine's file system.
#[derive(Debug, Clone, Copy)]
pub struct RealDisk;

struct RealFile {
    file: File,
    path: PathBuf,
}

impl Disk for RealDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).mode(0o600);
        match mode {
            OpenMode::Read => &mut options,
            OpenMode::ReadWrite => options.write(true),
            OpenMode::Create => options.write(true).create(true),
            OpenMode::CreateNew => options.write(true).create_new(true),
        };
        let file = options.open(path).map_err(|e| Error::from_io("open", path, e))?;
        Ok(Arc::new(RealFile {
            file,
            path: path.to_owned(),
        }))
    }

    fn open_foreign(&self, path: &Path) -> Result<Foreign> {
        let failed = |e: io::Error| Error::from_io("open", path, e);
        let file = os::files::open_alone(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        let directory = directory.metadata().map_err(failed)?;
        let owner = if found.uid() == directory.uid() {
            Owner::OfDirectory
        } else {
            Owner::Other {
                uid: found.uid(),
                mode: found.mode() & 0o7777,
            }
        };
        let path = path.to_owned();
        Ok(Foreign {
            file: Arc::new(RealFile { file, path }),
            owner,
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::rename(from, to).map_err(|e| Error::from_io("rename", from, e))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path).map_err(|e| Error::from_io("remove", path, e))
    }

    fn list(&self, dir: &Path) -> Result<Vec<DirEntry>> {
        let failed = |e: io::Error| Error::from_io("list", dir, e);
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            match entry.file_type() {
                Ok(kind) => entries.push(DirEntry {
                    name,
                    is_dir: kind.is_dir(),
                }),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(failed(e)),
            }
        }
        entries.sort_unstable();
        Ok(entries)
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|e| Error::from_io("create directory", dir, e))
    }

    fn free_bytes(&self, dir: &Path) -> Result<u64> {
        os::space::free_bytes(dir).map_err(|e| Error::from_io("measure", dir, e))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        File::open(dir)
            .and_then(|d| d.sync_all())
            .map_err(|e| Error::from_io("sync directory", dir, e))
    }

    fn lock(&self, path: &Path) -> Result<DiskLock> {
        let failed = |e: io::Error| Error::from_io("lock", path, e);
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let mut file = options.open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The process id is a kindness to the reader; without it the error still says what it must.
                let _ = file.take(32).read_to_string(&mut holder);
                return Err(Error::Locked {
                    path: path.to_owned(),
                    process: holder.trim().parse().ok(),
                });
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(DiskLock(Box::new(file)))
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while done < bytes.len() {
            match self.file.read_at(&mut bytes[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::from_io("read", &self.path, e)),
            }
        }
        Ok(done)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file
            .write_all_at(bytes, offset)
            .map_err(|e| Error::from_io("write", &self.path, e))
    }

    fn sync_data(&self) -> Result<()> {
        self.file
            .sync_data()
            .map_err(|e| Error::from_io("sync", &self.path, e))
    }

    fn size_bytes(&self) -> Result<u64> {
        self.file
            .metadata()
            .map(|m| m.len())
            .map_err(|e| Error::from_io("inspect", &self.path, e))
    }

    fn truncate(&self, size_bytes: u64) -> Result<()> {
        self.file
            .set_len(size_bytes)
            .map_err(|e| Error::from_io("truncate", &self.path, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_names_the_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = RealDisk.lock(&path).unwrap();
        let refused = RealDisk.lock(&path).unwrap_err();
        assert!(
            matches!(refused, Error::Locked { process: Some(p), .. } if p == std::process::id()),
            "{refused}"
        );
        drop(held);
        RealDisk.lock(&path).unwrap();
    }

    #[test]
    fn a_file_is_written_listed_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let sub = dir.path().join("a/b");
        RealDisk.create_dir(&sub).unwrap();
        let file = RealDisk.open(&sub.join("x"), OpenMode::CreateNew).unwrap();
        file.write_all_at(b"hello", 3).unwrap();
        file.fill_zeros(8, 300_000).unwrap();
        assert_eq!(file.size_bytes().unwrap(), 300_000);
        let mut bytes = [9; 8];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 8);
        assert_eq!(&bytes, b"\0\0\0hello");
        file.truncate(4).unwrap();
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 4);
        file.sync_data().unwrap();
        RealDisk.rename(&sub.join("x"), &sub.join("y")).unwrap();
        RealDisk.sync_dir(&sub).unwrap();
        assert_eq!(
            RealDisk.list(&sub).unwrap(),
            [DirEntry {
                name: "y".into(),
                is_dir: false
            }]
        );
        assert!(matches!(
            RealDisk.open(&sub.join("y"), OpenMode::CreateNew),
            Err(Error::Exists { .. })
        ));
        RealDisk.remove(&sub.join("y")).unwrap();
        assert!(matches!(
            RealDisk.open(&sub.join("y"), OpenMode::Read),
            Err(Error::NotFound { .. })
        ));
    }
}
