//! main.cf edited in place, as `postconf -e`, `-X` and `-#` do: comments and order stay.

use std::path::Path;

use crate::{Error, bytes_of};

/// A change of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Gives it this text, at its place or at the end.
    Set(String, String),
    /// Takes it out.
    Remove(String),
    /// Makes it a comment.
    CommentOut(String),
}

impl Edit {
    /// The name that is edited.
    pub fn name(&self) -> &str {
        match self {
            Edit::Set(name, _) | Edit::Remove(name) | Edit::CommentOut(name) => name,
        }
    }
}

impl Edit {
    fn by_bytes(&self) -> Edit {
        match self {
            Edit::Set(name, value) => Edit::Set(by_bytes(name), by_bytes(value)),
            Edit::Remove(name) => Edit::Remove(by_bytes(name)),
            Edit::CommentOut(name) => Edit::CommentOut(by_bytes(name)),
        }
    }
}

/// The text with the changes made. A name that stands several times is changed everywhere.
pub fn edited(text: &str, edits: &[Edit]) -> String {
    let mut out = String::new();
    let mut found = vec![false; edits.len()];
    // The edit that the lines up to the next setting belong to.
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let bare = line.trim_start();
        if bare.is_empty() || bare.starts_with('#') {
            push(&mut out, line);
            continue;
        }
        let continues = line.starts_with([' ', '\t']);
        if !continues {
            let name = line.split('=').next().unwrap_or_default().trim();
            open = edits.iter().position(|edit| edit.name() == name);
        }
        match open.map(|at| (at, &edits[at])) {
            None => push(&mut out, line),
            Some((_, Edit::CommentOut(_))) => push(&mut out, &format!("#{line}")),
            Some((at, Edit::Set(name, value))) if !continues => {
                push(&mut out, setting(name, value).as_str());
                found[at] = true;
            }
            Some(_) => {}
        }
    }
    for (edit, found) in edits.iter().zip(found) {
        if let (Edit::Set(name, value), false) = (edit, found) {
            push(&mut out, setting(name, value).as_str());
        }
    }
    out
}

/// Makes the changes in a file: the new text is on disk before it takes the old one's place.
///
/// # Errors
/// [`Error::Read`] when the file cannot be read, [`Error::Write`] when the new one cannot be written; the old one
/// stays then.
pub fn edit_file(path: &Path, edits: &[Edit]) -> Result<(), Error> {
    let edits: Vec<Edit> = edits.iter().map(Edit::by_bytes).collect();
    rewrite(path, |text| Ok(edited(text, &edits)))
}

/// Replaces a file by what `change` makes of it. The text has a character for every byte, so that comments in any
/// character set stay as they are.
///
/// # Errors
/// [`Error::Read`], [`Error::Write`], and what `change` says.
pub(crate) fn rewrite(path: &Path, change: impl FnOnce(&str) -> Result<String, Error>) -> Result<(), Error> {
    let old: String = bytes_of(path)?.into_iter().map(char::from).collect();
    // Characters above 255 cannot come out of texts that went through `by_bytes`.
    let new: Vec<u8> = change(&old)?.chars().map(|c| c as u8).collect();
    let next = path.with_extension("cf.tmp");
    write_next(path, &next, &new).map_err(|source| {
        // Whether or not the half-made file can be taken away, the old one is untouched.
        let _ = std::fs::remove_file(&next);
        Error::Write {
            path: path.to_owned(),
            source,
        }
    })
}

/// A character for every byte of the text.
pub(crate) fn by_bytes(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

fn write_next(path: &Path, next: &Path, text: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::{MetadataExt, fchown};
    let old = std::fs::metadata(path)?;
    // The leaving of a crash, or a link that somebody put there.
    let _ = std::fs::remove_file(next);
    let mut file = std::fs::File::options().write(true).create_new(true).open(next)?;
    // Who could read it must still be able to: the mail system may run as its owner.
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        fchown(&file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(old.permissions())?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(next, path)?;
    match path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => std::fs::File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// With a blank before an empty value too, as Postfix writes it.
fn setting(name: &str, value: &str) -> String {
    format!("{name} = {value}")
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Edit {
        Edit::Set(name.to_owned(), value.to_owned())
    }

    #[test]
    fn comments_and_order_stay() {
        let text = "# top\nmyhostname = a\n# mid\nmydestination = a,\n# inside\n  b\nmyhostname = c\n";
        let edits = [
            set("myhostname", "z"),
            set("mydestination", "q"),
            set("relayhost", ""),
        ];
        assert_eq!(
            edited(text, &edits),
            "# top\nmyhostname = z\n# mid\nmydestination = q\n# inside\nmyhostname = z\nrelayhost = \n"
        );
        let text = "a = 1\n b\n# x\nrelayhost = 5\n  d\n";
        assert_eq!(
            edited(text, &[Edit::Remove("relayhost".to_owned())]),
            "a = 1\n b\n# x\n"
        );
        assert_eq!(
            edited(text, &[Edit::CommentOut("relayhost".to_owned())]),
            "a = 1\n b\n# x\n#relayhost = 5\n#  d\n"
        );
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("main.cf");
        // A comment in an older character set stays as it is.
        std::fs::write(&path, b"# caf\xe9\na = 1\n").expect("a file");
        edit_file(&path, &[set("a", "\u{3042}")]).expect("writable");
        assert_eq!(
            std::fs::read(&path).expect("readable"),
            b"# caf\xe9\na = \xe3\x81\x82\n"
        );
        assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 1);
    }
}
