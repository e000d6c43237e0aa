//! The mailboxes of an account: listing, creating, deleting, renaming, and UIDVALIDITY values that never repeat.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use mailbox::{Error, ListEntry, MailboxName, Result, SpecialUse, UidValidity};

use crate::names::Naming;
use crate::{file_name, paths};

/// What a deleted mailbox is called until its files are gone. No mailbox's directory begins so.
const DELETED_PREFIX: &str = "..yubin-deleted.";

/// The file in a mailbox that says what it is for.
const SPECIAL_USE_FILE: &str = "yubin.special-use";

/// Every mailbox below `root`, with the nodes above them; INBOX first.
pub(crate) fn list(root: &Path, naming: &Naming) -> Result<Vec<ListEntry>> {
    let mut found: BTreeMap<MailboxName, ListEntry> = BTreeMap::new();
    for directory in directories(root)? {
        let Some(name) = naming.mailbox(&directory) else {
            continue;
        };
        let path = root.join(&directory);
        if !paths::is_maildir(&path) {
            continue;
        }
        let special_use = special_use(&path);
        found.insert(
            name.clone(),
            ListEntry {
                name,
                selectable: true,
                no_inferiors: false,
                exists: true,
                special_use,
            },
        );
    }
    let names: Vec<MailboxName> = found.keys().cloned().collect();
    for parent in names.iter().flat_map(|name| naming.parents(name)) {
        if parent.is_inbox() {
            continue;
        }
        let node = ListEntry {
            name: parent.clone(),
            selectable: false,
            no_inferiors: false,
            exists: false,
            special_use: Vec::new(),
        };
        found.entry(parent).or_insert(node);
    }
    let inbox = ListEntry {
        name: MailboxName::inbox(),
        selectable: true,
        no_inferiors: false,
        exists: true,
        special_use: special_use(root),
    };
    let mut all = vec![inbox];
    all.extend(found.into_values());
    Ok(all)
}

/// The directories below `root` that could be mailboxes.
fn directories(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if paths::is_missing(&error) => return Ok(names),
        Err(error) => return Err(paths::failed("list", root)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(paths::failed("list", root))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // A symbolic link to a maildir is a mailbox too.
        if name.starts_with('.')
            && entry
                .file_type()
                .is_ok_and(|kind| kind.is_dir() || kind.is_symlink())
        {
            names.push(name);
        }
    }
    Ok(names)
}

fn special_use(path: &Path) -> Vec<SpecialUse> {
    let text = std::fs::read_to_string(path.join(SPECIAL_USE_FILE)).unwrap_or_default();
    text.split_whitespace().filter_map(SpecialUse::named).collect()
}

/// Makes the mailbox in `directory` below `root`.
pub(crate) fn create(
    root: &Path,
    name: &MailboxName,
    directory: &str,
    special_use: Option<SpecialUse>,
) -> Result<PathBuf> {
    let path = root.join(directory);
    if directory.is_empty() || paths::is_maildir(&path) {
        return Err(Error::MailboxExists(name.to_string()));
    }
    paths::create_maildir(&path)?;
    let marker = path.join("maildirfolder");
    os::files::create_like_directory(&marker).map_err(paths::failed("create", &marker))?;
    if let Some(special_use) = special_use {
        paths::replace_file(&path.join(SPECIAL_USE_FILE), special_use.attribute().as_bytes())?;
    }
    paths::sync_directory(&path)?;
    paths::sync_directory(root)?;
    Ok(path)
}

/// Deletes the mailbox in `directory`: at once under another name, then its files. What a crash leaves behind goes
/// with the next deletion.
pub(crate) fn delete(root: &Path, directory: &str, host: &str) -> Result<()> {
    let path = root.join(directory);
    let away = root.join(format!("{DELETED_PREFIX}{}", file_name::unique(host)));
    std::fs::rename(&path, &away).map_err(paths::failed("delete", &path))?;
    paths::sync_directory(root)?;
    for leftover in directories(root)?
        .iter()
        .filter(|name| name.starts_with(DELETED_PREFIX))
    {
        let _ = std::fs::remove_dir_all(root.join(leftover));
    }
    Ok(())
}

/// Renames the mailbox in one directory, if there is one, and those below it.
pub(crate) fn rename(root: &Path, from: &str, to: &str) -> Result<()> {
    let below = format!("{from}.");
    for directory in directories(root)? {
        let target = match directory.strip_prefix(below.as_str()) {
            _ if directory == from => to.to_owned(),
            Some(rest) => format!("{to}.{rest}"),
            None => continue,
        };
        let path = root.join(&directory);
        std::fs::rename(&path, root.join(target)).map_err(paths::failed("rename", &path))?;
    }
    paths::sync_directory(root)
}

/// A UIDVALIDITY larger than all before it in this account: the time, or one more than the last.
pub(crate) fn new_uid_validity(root: &Path) -> Result<UidValidity> {
    let path = root.join("yubin.uidvalidity");
    let file = os::files::open_like_directory(&path).map_err(paths::failed("open", &path))?;
    paths::wait_for_lock(&file, &path)?;
    let mut text = [0; 10];
    let count = file.read_at(&mut text, 0).map_err(paths::failed("read", &path))?;
    let last: UidValidity = std::str::from_utf8(&text[..count])
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0);
    let now = u32::try_from(paths::now_ns() / 1_000_000_000).unwrap_or(UidValidity::MAX);
    let new = now.max(last.saturating_add(1));
    file.write_all_at(format!("{new:010}").as_bytes(), 0)
        .and_then(|()| file.sync_all())
        .map_err(paths::failed("write", &path))?;
    Ok(new)
}
