//! Copying and moving between mailboxes: hard links, which share the content and the date of the message.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mailbox::{Copied, Error, Flags, Result, Uid, UidSet};
use mailbox_index::{Durability, Lock, NewMessage, Record};

use crate::append::place;
use crate::file_name;
use crate::folder::Folder;
use crate::paths;

/// A message that waits in `tmp` of its new mailbox. Dropping it removes the file, wherever it is not needed.
struct Linked {
    source: Uid,
    base: String,
    path: PathBuf,
    flags: Flags,
    size_bytes: u64,
    internal_date_secs: i64,
    email_id: u64,
    placed: bool,
}

impl Drop for Linked {
    fn drop(&mut self) {
        if !self.placed {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Links the messages of `uids` that exist into `tmp` of another mailbox.
fn link_all(
    from: &mut Folder,
    lock: &Lock,
    uids: &UidSet,
    (tmp, host): (&Path, &str),
) -> Result<Vec<Linked>> {
    let wanted: Vec<Uid> = from.index.records_in(uids).map(|record| record.uid).collect();
    let mut linked = Vec::with_capacity(wanted.len());
    for uid in wanted {
        let unique = file_name::unique(host);
        let outcome = from.with_file(lock, uid, |path, record| {
            let file_bytes = std::fs::metadata(path)?.size();
            let base = file_name::with_sizes(&unique, file_bytes, record.size_bytes);
            let target = tmp.join(&base);
            link_or_copy(path, &target)?;
            Ok((*record, base, target))
        });
        let (record, base, path) = match outcome {
            Err(Error::NoSuchMessage(_)) => continue,
            other => other?,
        };
        linked.push(Linked {
            source: uid,
            base,
            path,
            flags: from.index.flags(&record),
            size_bytes: record.size_bytes,
            internal_date_secs: record.internal_date_secs,
            email_id: from.index.email_id(&record),
            placed: false,
        });
    }
    Ok(linked)
}

/// A hard link; where there can be none, a copy with the same date, synced.
fn link_or_copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let error = match std::fs::hard_link(from, to) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    if paths::is_missing(&error) {
        return Err(error);
    }
    std::fs::copy(from, to)?;
    let copy = std::fs::File::options().write(true).open(to)?;
    copy.set_modified(std::fs::metadata(from)?.modified()?)?;
    copy.sync_all()
}

/// Takes linked messages into their new mailbox; on disk when this returns, all or none.
fn take_in(to: &mut Folder, lock: &Lock, mut linked: Vec<Linked>) -> Result<Copied> {
    let mut change = to.index.change(lock);
    let mut arrivals = Vec::with_capacity(linked.len());
    for message in &linked {
        let letters = to.letters.letters(&message.flags.keywords)?;
        let name = file_name::with_flags(message.base.as_bytes(), message.flags.system, letters);
        let uid = change.add(NewMessage {
            flags: &message.flags,
            size_bytes: message.size_bytes,
            internal_date_secs: message.internal_date_secs,
            save_date_secs: paths::now_secs(),
            email_id: message.email_id,
            key: &name,
        })?;
        arrivals.push((uid, name));
    }
    to.index.commit(lock, change, Durability::Synced)?;
    let uids = place(to, lock, &arrivals, |number, target| {
        let message = &mut linked[number];
        std::fs::rename(&message.path, target).map_err(paths::failed("put a message at", target))?;
        message.placed = true;
        Ok(())
    })?;
    let pairs = linked.iter().map(|message| message.source).zip(uids).collect();
    Ok(Copied {
        uid_validity: to.index.uid_validity(),
        pairs,
    })
}

/// Copies between two mailboxes that are both locked.
pub(crate) fn copy(
    (from, from_lock): (&mut Folder, &Lock),
    (to, to_lock): (&mut Folder, &Lock),
    uids: &UidSet,
    host: &str,
) -> Result<Copied> {
    from.sync(from_lock)?;
    to.sync(to_lock)?;
    let linked = link_all(from, from_lock, uids, (&to.tmp(), host))?;
    take_in(to, to_lock, linked)
}

/// Copies within one mailbox.
pub(crate) fn copy_within(folder: &mut Folder, lock: &Lock, uids: &UidSet, host: &str) -> Result<Copied> {
    folder.sync(lock)?;
    let tmp = folder.tmp();
    let linked = link_all(folder, lock, uids, (&tmp, host))?;
    take_in(folder, lock, linked)
}

/// Removes messages for which `doomed` says so, after looking for what others did; returns which. First the files,
/// then the index: what a crash leaves behind is a message that is there, or one that is found missing.
pub(crate) fn remove(
    folder: &mut Folder,
    lock: &Lock,
    uids: &UidSet,
    doomed: impl Fn(&Record) -> bool,
) -> Result<UidSet> {
    folder.sync(lock)?;
    let records: Vec<Record> = folder
        .index
        .records_in(uids)
        .filter(|record| doomed(record))
        .copied()
        .collect();
    if records.is_empty() {
        return Ok(UidSet::new());
    }
    let own = folder.begin_own_change()?;
    let mut removed = UidSet::new();
    let mut renamed = Vec::new();
    for record in &records {
        let path = folder.file(record);
        match std::fs::remove_file(&path) {
            Ok(()) => removed.insert(record.uid),
            Err(error) if paths::is_missing(&error) => renamed.push(record.uid),
            Err(error) => return Err(paths::failed("remove", &path)(error)),
        }
    }
    for uid in renamed {
        let again = folder.with_file(lock, uid, |path, record| match doomed(record) {
            true => std::fs::remove_file(path).map(|()| true),
            false => Ok(false),
        });
        match again {
            Ok(true) | Err(Error::NoSuchMessage(_)) => removed.insert(uid),
            Ok(false) => {}
            Err(error) => return Err(error),
        }
    }
    paths::sync_directory(&folder.cur())?;
    let mut change = folder.index.change(lock);
    let still_known: Vec<Uid> = folder
        .index
        .records_in(&removed)
        .map(|record| record.uid)
        .collect();
    still_known.into_iter().for_each(|uid| change.expunge(uid));
    folder.end_own_change(&mut change, own)?;
    folder.index.commit(lock, change, Durability::Synced)?;
    Ok(removed)
}
