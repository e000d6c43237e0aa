//! main.cf edited in place, as `postconf -e`, `-X` and `-#` do: comments and order stay.

use std::path::Path;

use crate::{Error, text_of};

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
    fn name(&self) -> &str {
        match self {
            Edit::Set(name, _) | Edit::Remove(name) | Edit::CommentOut(name) => name,
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
    let text = edited(&text_of(path)?, edits);
    let next = path.with_extension("cf.tmp");
    write_next(path, &next, &text).map_err(|source| {
        // Whether or not the half-made file can be taken away, the old one is untouched.
        let _ = std::fs::remove_file(&next);
        Error::Write {
            path: path.to_owned(),
            source,
        }
    })
}

fn write_next(path: &Path, next: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::create(next)?;
    file.set_permissions(std::fs::metadata(path)?.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(next, path)?;
    match path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => std::fs::File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

fn setting(name: &str, value: &str) -> String {
    format!("{name} = {value}").trim_end().to_owned()
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
            "# top\nmyhostname = z\n# mid\nmydestination = q\n# inside\nmyhostname = z\nrelayhost =\n"
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
        std::fs::write(&path, "a = 1\n").expect("a file");
        edit_file(&path, &[set("a", "2")]).expect("writable");
        assert_eq!(std::fs::read_to_string(&path).expect("readable"), "a = 2\n");
        assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 1);
    }
}
