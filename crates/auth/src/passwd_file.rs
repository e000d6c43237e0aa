//! Dovecot's passwd-file: `user:{SCHEME}hash:uid:gid:gecos:home:shell:extra fields`, read again when it changes.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// The largest file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// The most files that are kept at once (`%d` in a path makes one for each domain).
pub const FILES_MAX: usize = 1024;

/// One user's line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// The stored password, perhaps with `{SCHEME}`; empty when there is none.
    pub password: String,
    /// A number or a name; empty when there is none.
    pub uid: String,
    /// A number or a name; empty when there is none.
    pub gid: String,
    /// The home directory; empty when there is none.
    pub home: String,
    /// `key=value` fields in order; a word without `=` has the value `yes`.
    pub extra: Vec<(String, String)>,
}

impl Entry {
    /// The value of an extra field.
    pub fn field(&self, key: &str) -> Option<&str> {
        self.extra
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

/// The users of one file.
#[derive(Debug, Default)]
pub struct Users {
    entries: HashMap<String, Entry>,
    /// Names in the order of the file.
    order: Vec<String>,
}

impl Users {
    /// The users of a text. The first line of a name counts; lines without a name are passed over.
    pub fn parse(text: &str) -> Users {
        let mut users = Users::default();
        for line in text.lines() {
            let line = line.trim_end_matches('\r');
            if line.is_empty() || line.starts_with('#') || line.starts_with(':') {
                continue;
            }
            let (name, rest) = line.split_once(':').unwrap_or((line, ""));
            if users.entries.contains_key(name) {
                continue;
            }
            users.order.push(name.to_owned());
            users.entries.insert(name.to_owned(), entry(rest));
        }
        users
    }

    /// The entry of a user.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// All names in the order of the file.
    pub fn names(&self) -> &[String] {
        &self.order
    }

    /// Some stored password: hashing against it costs what hashing for an unknown user should cost.
    pub(crate) fn any_password(&self) -> Option<&str> {
        let first = self.order.first()?;
        self.entries.get(first).map(|entry| entry.password.as_str())
    }
}

/// What stands after the name.
fn entry(rest: &str) -> Entry {
    let mut fields = rest.splitn(7, ':');
    let mut next = || fields.next().unwrap_or("").to_owned();
    let (password, uid, gid, _gecos, home, _shell, extra) =
        (next(), next(), next(), next(), next(), next(), next());
    let extra = extra
        .split_ascii_whitespace()
        .map(|field| field.split_once('=').unwrap_or((field, "yes")))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    Entry {
        password,
        uid,
        gid,
        home,
        extra,
    }
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signature {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
    modified: (i64, i64),
}

impl Signature {
    fn of(metadata: &std::fs::Metadata) -> Signature {
        Signature {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// Files that were read, for as long as they do not change.
#[derive(Debug, Default)]
pub struct Files {
    known: Mutex<HashMap<PathBuf, (Signature, Arc<Users>)>>,
}

impl Files {
    /// The users of the file at `path`, read again if it changed since.
    ///
    /// # Errors
    /// A text that names the file and the cause.
    pub fn users(&self, path: &Path) -> Result<Arc<Users>, String> {
        let failed = |cause: std::io::Error| {
            format!(
                "passwd-file {}: cannot be read: {}",
                path.display(),
                os::words(&cause)
            )
        };
        let now = Signature::of(&std::fs::metadata(path).map_err(failed)?);
        let mut known = self
            .known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((then, users)) = known.get(path)
            && *then == now
        {
            return Ok(users.clone());
        }
        let file = File::open(path).map_err(failed)?;
        // The state of what is read, not of what was there a moment ago.
        let signature = Signature::of(&file.metadata().map_err(failed)?);
        if signature.size > FILE_BYTES_MAX {
            return Err(format!(
                "passwd-file {}: larger than {FILE_BYTES_MAX} bytes",
                path.display()
            ));
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let users = Arc::new(Users::parse(&String::from_utf8_lossy(&bytes)));
        if known.len() >= FILES_MAX {
            known.clear();
        }
        known.insert(path.to_owned(), (signature, users.clone()));
        Ok(users)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let users = Users::parse(
            "# comment\n\nalice:{PLAIN}x:1000:100:Alice A:/home/alice:/bin/sh:userdb_mail=maildir:~/M allow_nets=127.0.0.0/8 nopassword\n\
             bob:{PLAIN}pa:::::\nalice:{PLAIN}second\n:x\ncarol\r\n",
        );
        assert_eq!(users.names(), ["alice", "bob", "carol"]);
        let alice = users.find("alice").unwrap();
        assert_eq!(
            (alice.password.as_str(), alice.uid.as_str(), alice.gid.as_str()),
            ("{PLAIN}x", "1000", "100")
        );
        assert_eq!(alice.home, "/home/alice");
        assert_eq!(alice.field("userdb_mail"), Some("maildir:~/M"));
        assert_eq!(alice.field("nopassword"), Some("yes"));
        assert_eq!(users.find("carol"), Some(&Entry::default()));
        assert_eq!(users.find("dave"), None);
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        let files = Files::default();
        assert!(files.users(&path).unwrap_err().contains("No such file"));
        std::fs::write(&path, "alice:{PLAIN}x\n").unwrap();
        let first = files.users(&path).unwrap();
        assert!(Arc::ptr_eq(&first, &files.users(&path).unwrap()));
        let new = directory.path().join("users.new");
        std::fs::write(&new, "alicf:{PLAIN}x\n").unwrap();
        std::fs::rename(&new, &path).unwrap();
        assert_eq!(files.users(&path).unwrap().names(), ["alicf"]);
    }
}
