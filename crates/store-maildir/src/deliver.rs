//! Delivery as local(8) does it: one message into `new` of a maildir, synced, no index involved.

use std::io::Read;
use std::path::{Path, PathBuf};

use mailbox::{Error, Result};

use crate::message_file::MessageFile;
use crate::paths;

/// How much of a message is read at a time, in octets.
const PIECE_BYTES: usize = 16 * 1024;

/// A message that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Its file.
    pub path: PathBuf,
    /// Its octets, lines counted as ending in CRLF.
    pub size_bytes: u64,
    /// Its octets on disk.
    pub file_bytes: u64,
}

/// Delivers what `content` gives (lines ending in LF or CRLF) into the maildir at `maildir`, whose missing directories
/// are made with mode 0700. `host` becomes part of the file's name. On return the message is on disk; on an error
/// there is none.
///
/// # Errors
/// [`Error::Io`] with the path; the kind tells a full disk or quota from a forbidden directory.
pub fn deliver(maildir: &Path, content: &mut dyn Read, host: &str) -> Result<Delivered> {
    let mut message = match MessageFile::create(maildir, host) {
        Err(Error::Io { source, .. }) if paths::is_missing(&source) => {
            paths::create_maildir(maildir)?;
            MessageFile::create(maildir, host)?
        }
        result => result?,
    };
    let mut buffer = [0; PIECE_BYTES];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => message.write(&buffer[..count])?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(Error::Io {
                    what: "cannot read the message".to_owned(),
                    source: error,
                });
            }
        }
    }
    message.finish(None)?;
    let new = maildir.join("new");
    let path = new.join(message.base());
    if let Err(error) = message.place(&path) {
        if new.is_dir() {
            return Err(error);
        }
        paths::create_maildir(maildir)?;
        message.place(&path)?;
    }
    if let Err(error) = paths::sync_directory(&new) {
        let _ = std::fs::remove_file(&path);
        return Err(error);
    }
    Ok(Delivered {
        path,
        size_bytes: message.size_bytes(),
        file_bytes: message.file_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_message_gets_into_a_maildir_that_was_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let maildir = dir.path().join("ann/Maildir");
        let delivered = deliver(&maildir, &mut b"Subject: x\r\n\r\nbody\n".as_slice(), "host").unwrap();
        assert_eq!(std::fs::read(&delivered.path).unwrap(), b"Subject: x\n\nbody\n");
        assert_eq!((delivered.size_bytes, delivered.file_bytes), (20, 17));
        assert_eq!(delivered.path.parent(), Some(maildir.join("new").as_path()));
        assert!(delivered.path.to_str().unwrap().ends_with(".host,S=17,W=20"));
        assert_eq!(
            maildir.join("new").metadata().unwrap().permissions().mode() & 0o777,
            0o700
        );
        assert_eq!(
            delivered.path.metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(std::fs::read_dir(maildir.join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn a_source_that_fails_leaves_nothing() {
        struct Failing(usize);
        impl Read for Failing {
            fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
                self.0 += 1;
                if self.0 > 3 {
                    Err(std::io::Error::other("gone"))
                } else {
                    Ok(into.len())
                }
            }
        }
        let dir = tempfile::tempdir().unwrap();
        assert!(deliver(dir.path(), &mut Failing(0), "host").is_err());
        for part in paths::PARTS {
            assert_eq!(
                std::fs::read_dir(dir.path().join(part)).unwrap().count(),
                0,
                "{part}"
            );
        }
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(
            deliver(&file, &mut b"x".as_slice(), "host"),
            Err(Error::Io { .. })
        ));
    }
}
