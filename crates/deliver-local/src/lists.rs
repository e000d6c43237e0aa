//! Files that list targets: `.forward` and `:include:`. What may be believed of them, and what they say.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tables::aliases::{self, Target};

/// The longest list, in octets.
pub const LIST_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A list that was read.
#[derive(Debug)]
pub(crate) struct List {
    /// Its file's owner.
    pub(crate) owner_uid: u32,
    /// What it lists.
    pub(crate) targets: Vec<Target>,
}

/// Why there is no list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// There is no such file.
    NoFile,
    /// It must not be believed; the text is for the log.
    Unsafe(String),
    /// It cannot be read now.
    Unreadable(String),
    /// It is there and makes no sense.
    Senseless(String),
}

/// Who may have written a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// `.forward`: root or this user alone, in a file that is no link.
    Owner(u32),
    /// `:include:`: anybody, so long as not everybody.
    NotTheWorld,
    /// An include file that is read with the rights of its owner: root's or this user's, and not everybody's.
    OwnerOfInclude(u32),
}

/// Reads the list at `path` with the rights of this process.
pub(crate) fn read(path: &Path, trust: Trust) -> Result<List, Missing> {
    let shown = path.display();
    let file = open(path, trust)?;
    let unreadable =
        |error: std::io::Error| Missing::Unreadable(format!("cannot read {shown}: {}", os::words(&error)));
    let meta = file.metadata().map_err(unreadable)?;
    if let Some(why) = distrust(&meta, trust) {
        return Err(Missing::Unsafe(format!("file {shown} {why}")));
    }
    let mut text = Vec::new();
    file.take(LIST_BYTES_MAX + 1)
        .read_to_end(&mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > LIST_BYTES_MAX {
        return Err(Missing::Senseless(format!("file {shown} is too long")));
    }
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let list = lines.collect::<Vec<_>>().join("\n");
    match aliases::targets(&list) {
        Ok(targets) => Ok(List {
            owner_uid: meta.uid(),
            targets,
        }),
        Err(error) => Err(Missing::Senseless(format!("file {shown}: {error}"))),
    }
}

fn open(path: &Path, trust: Trust) -> Result<File, Missing> {
    let shown = path.display();
    let not_regular = || Missing::Unsafe(format!("file {shown} is not a regular file"));
    if matches!(trust, Trust::Owner(_)) {
        match std::fs::symlink_metadata(path) {
            Ok(meta) if !meta.is_file() => return Err(not_regular()),
            // Perhaps it cannot even be opened; it would not be believed.
            Ok(meta) if let Some(why) = distrust(&meta, trust) => {
                return Err(Missing::Unsafe(format!("file {shown} {why}")));
            }
            _ => {}
        }
    }
    os::files::open_regular(path, OpenOptions::new().read(true)).map_err(|error| match error.kind() {
        // A name that is too long (a long extension) is the name of no file.
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => Missing::NoFile,
        ErrorKind::InvalidInput | ErrorKind::IsADirectory => not_regular(),
        _ => Missing::Unreadable(format!("cannot open {shown}: {}", os::words(&error))),
    })
}

fn distrust(meta: &std::fs::Metadata, trust: Trust) -> Option<String> {
    let owner = match trust {
        Trust::Owner(uid) | Trust::OwnerOfInclude(uid) => Some(uid),
        Trust::NotTheWorld => None,
    };
    if owner.is_some_and(|uid| meta.uid() != 0 && meta.uid() != uid) {
        return Some(format!("has bad owner uid {}", meta.uid()));
    }
    if meta.mode() & 0o002 != 0 {
        return Some("is world writable".to_owned());
    }
    let is_others = matches!(trust, Trust::Owner(_)) && meta.mode() & 0o020 != 0;
    is_others.then(|| "is group writable".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_list_that_others_could_have_written_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list");
        let own = os::Identity::current().uid;
        let of = |trust| read(&path, trust).map(|list| list.targets.len());
        assert_eq!(of(Trust::Owner(own)), Err(Missing::NoFile));
        std::fs::write(&path, "# a, b\n a, \"|x #y\"\n\nb\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        mode(0o644);
        assert_eq!(of(Trust::Owner(own)), Ok(3));
        let wrong = |why: &str| Err(Missing::Unsafe(format!("file {} {why}", path.display())));
        mode(0o664);
        assert_eq!(of(Trust::Owner(own)), wrong("is group writable"));
        assert_eq!(of(Trust::NotTheWorld), Ok(3));
        mode(0o646);
        assert_eq!(of(Trust::Owner(own)), wrong("is world writable"));
        assert_eq!(of(Trust::NotTheWorld), wrong("is world writable"));
        mode(0o644);
        if own != 0 {
            assert_eq!(
                of(Trust::Owner(own + 1)),
                wrong(&format!("has bad owner uid {own}"))
            );
        }
        std::fs::rename(&path, dir.path().join("other")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("other"), &path).unwrap();
        assert_eq!(of(Trust::Owner(own)), wrong("is not a regular file"));
        assert_eq!(of(Trust::NotTheWorld), Ok(3));
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "a, |\n").unwrap();
        mode(0o644);
        assert!(matches!(of(Trust::NotTheWorld), Err(Missing::Senseless(_))));
    }
}
