//! Changing flags: first the names of the files, then the index.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use mailbox::{FlagChange, Flags, ModSeq, Result, Stored, Uid, UidSet};
use mailbox_index::{Change, Durability, Lock, Record};

use crate::file_name;
use crate::folder::Folder;
use crate::paths;

/// How often messages are tried again that another program renames at the same time.
const TRIES_MAX: usize = 3;

/// Changes the flags of the messages of `uids`; those changed after the modseq, if one is given, are left alone.
pub(crate) fn change(
    folder: &mut Folder,
    lock: &Lock,
    uids: &UidSet,
    (flag_change, unchanged_since): (&FlagChange, Option<ModSeq>),
) -> Result<Stored> {
    let mut stored = Stored::default();
    let mut to_do: Vec<Uid> = Vec::new();
    for record in folder.index.records_in(uids) {
        match unchanged_since.is_some_and(|modseq| record.modseq > modseq) {
            true => stored.modified.insert(record.uid),
            false => to_do.push(record.uid),
        }
    }
    for _ in 0..TRIES_MAX {
        to_do = change_once(folder, lock, &to_do, flag_change)?;
        if to_do.is_empty() {
            break;
        }
        folder.sync_reading(lock, true)?;
    }
    stored.messages = folder
        .index
        .records_in(uids)
        .map(|record| folder.index.message_state(record))
        .collect();
    Ok(stored)
}

/// Changes the flags of messages; returns those whose files were not where they should be.
fn change_once(folder: &mut Folder, lock: &Lock, uids: &[Uid], flag_change: &FlagChange) -> Result<Vec<Uid>> {
    let mut missing = Vec::new();
    let mut change = folder.index.change(lock);
    let own = folder.begin_own_change()?;
    let mut renamed = false;
    for &uid in uids {
        let Some(record) = folder.index.record(uid).copied() else {
            continue;
        };
        let now = folder.index.flags(&record);
        let wanted = now.changed(flag_change);
        if same(&now, &wanted) {
            continue;
        }
        match change_one(folder, &mut change, &record, &wanted) {
            Ok(Outcome::Renamed) => renamed = true,
            Ok(Outcome::IndexOnly) => {}
            Ok(Outcome::Missing) => missing.push(uid),
            Err(error) => {
                // Names that changed already are taken over when the directory is read again.
                return Err(error);
            }
        }
    }
    if renamed {
        paths::sync_directory(&folder.cur())?;
        folder.end_own_change(&mut change, own)?;
    }
    folder.index.commit(lock, change, Durability::Synced)?;
    Ok(missing)
}

enum Outcome {
    Renamed,
    IndexOnly,
    Missing,
}

fn change_one(folder: &mut Folder, change: &mut Change, record: &Record, wanted: &Flags) -> Result<Outcome> {
    let letters = folder.letters.letters(&wanted.keywords)?;
    let old = folder.index.key(record);
    let new = file_name::with_flags(old, wanted.system, letters);
    if new == old {
        change.set_flags(record.uid, wanted)?;
        return Ok(Outcome::IndexOnly);
    }
    // Before the file is renamed: the index may refuse a keyword.
    let (from, to) = (folder.file(record), folder.cur().join(OsStr::from_bytes(&new)));
    match std::fs::rename(&from, &to) {
        Ok(()) => {
            change.set_flags(record.uid, wanted)?;
            change.set_key(record.uid, &new)?;
            Ok(Outcome::Renamed)
        }
        Err(error) if paths::is_missing(&error) => Ok(Outcome::Missing),
        Err(error) => Err(paths::failed("rename", &from)(error)),
    }
}

/// Whether two messages have the same flags; the order of keywords means nothing.
fn same(a: &Flags, b: &Flags) -> bool {
    a.system == b.system
        && a.keywords.len() == b.keywords.len()
        && a.keywords.iter().all(|keyword| b.has_keyword(keyword))
}
