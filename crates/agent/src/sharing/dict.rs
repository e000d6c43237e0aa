//! A dictionary in a file as Dovecot's `file:` driver has it: a key a line, its value on the next one.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use mailbox::{Error, Result};

/// The largest file that is read, in octets.
const BYTES_MAX: u64 = 16 << 20;
/// How long the lock may be waited for.
const LOCK_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(30);

/// The dictionary in one file, which need not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dict {
    path: PathBuf,
}

impl Dict {
    /// By a setting such as `file:/var/lib/shared-mailboxes`; `None` for another driver.
    pub(crate) fn named(text: &str) -> Option<Dict> {
        let path = text.strip_prefix("file:")?.split(':').next()?;
        (!path.is_empty()).then(|| Dict { path: path.into() })
    }

    /// Every key with its value.
    pub(crate) fn read(&self) -> Result<BTreeMap<String, String>> {
        match std::fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(self.failed("read")(error)),
            Ok(meta) if meta.len() > BYTES_MAX => {
                return Err(self.failed("read")(ErrorKind::FileTooLarge.into()));
            }
            Ok(_) => {}
        }
        let text = std::fs::read_to_string(&self.path).map_err(self.failed("read"))?;
        let mut lines = text.lines();
        let mut entries = BTreeMap::new();
        while let (Some(key), Some(value)) = (lines.next(), lines.next()) {
            entries.insert(unescaped(key), unescaped(value));
        }
        Ok(entries)
    }

    /// Changes it; when this returns, it is on disk.
    pub(crate) fn change(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<()> {
        let beside = |end: &str| {
            let mut name = self.path.file_name().unwrap_or_default().to_owned();
            name.push(end);
            self.path.with_file_name(name)
        };
        let lock_path = beside(".yubin-lock");
        let lock = os::files::open_like_directory(&lock_path).map_err(self.failed("lock"))?;
        os::locks::wait_flock(&lock, &lock_path, os::locks::Mode::Exclusive, LOCK_WAIT_MAX)
            .map_err(|error| self.failed("lock")(std::io::Error::other(error)))?;
        let before = self.read()?;
        let mut entries = before.clone();
        change(&mut entries);
        if entries == before {
            return Ok(());
        }
        let new = beside(".new");
        let text: String = entries
            .iter()
            .map(|(key, value)| format!("{}\n{}\n", escaped(key), escaped(value)))
            .collect();
        os::files::create_like_directory(&new)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| std::fs::rename(&new, &self.path))
            .map_err(self.failed("write"))
    }

    fn failed(&self, what: &str) -> impl FnOnce(std::io::Error) -> Error + use<> {
        let what = format!("cannot {what} {}", self.path.display());
        move |source| Error::Io { what, source }
    }
}

/// Line ends and the escape itself are written so that a line stays one.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\0' => out.push_str("\u{1}0"),
            '\u{1}' => out.push_str("\u{1}1"),
            '\t' => out.push_str("\u{1}t"),
            '\r' => out.push_str("\u{1}r"),
            '\n' => out.push_str("\u{1}n"),
            other => out.push(other),
        }
    }
    out
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\u{1}' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('0') => out.push('\0'),
            Some('1') => out.push('\u{1}'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('n') => out.push('\n'),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dict");
        let dict = Dict::named(&format!("file:{}", path.display())).unwrap();
        assert!(dict.read().unwrap().is_empty());
        dict.change(|entries| {
            entries.insert("b".to_owned(), "two\nlines\t\u{1}".to_owned());
            entries.insert("a".to_owned(), "1".to_owned());
        })
        .unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "a\n1\nb\ntwo\u{1}nlines\u{1}t\u{1}1\n"
        );
        assert_eq!(dict.read().unwrap()["b"], "two\nlines\t\u{1}");
        dict.change(|entries| drop(entries.remove("b"))).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n1\n");
        assert!(Dict::named("redis:x").is_none());
    }
}
