//! Appending: files in `tmp`, then the index, then `cur`; all messages of one append or none.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use mailbox::{Append, Appended, Error, Flags, MailboxId, Result, Uid};
use mailbox_index::{Durability, Lock, NewMessage, email_id};

use crate::file_name;
use crate::folder::Folder;
use crate::message_file::MessageFile;
use crate::paths;
use crate::store::Account;

/// Messages on their way into one mailbox.
pub(crate) struct MaildirAppend {
    pub(crate) account: Arc<Account>,
    pub(crate) mailbox: MailboxId,
    pub(crate) maildir: PathBuf,
    pub(crate) messages: Vec<Arriving>,
}

/// A message that has its file in `tmp`.
pub(crate) struct Arriving {
    pub(crate) file: MessageFile,
    pub(crate) flags: Flags,
    pub(crate) internal_date_secs: i64,
}

impl Append for MaildirAppend {
    fn start(&mut self, flags: Flags, internal_date_secs: i64) -> Result<()> {
        let file = match MessageFile::create(&self.maildir, &self.account.host) {
            // Deleted by another session or program since the append began.
            Err(Error::Io { source, .. }) if paths::is_missing(&source) => {
                return Err(Error::NoSuchMailbox(self.maildir.display().to_string()));
            }
            result => result?,
        };
        self.finish_last()?;
        self.messages.push(Arriving {
            file,
            flags,
            internal_date_secs,
        });
        Ok(())
    }

    fn write(&mut self, content: &[u8]) -> Result<()> {
        match self.messages.last_mut() {
            Some(message) => message.file.write(content),
            None => Err(Error::Damaged("content was given before its message".to_owned())),
        }
    }

    fn commit(self: Box<Self>) -> Result<Appended> {
        self.take_in(Durability::Synced)
    }

    fn deliver(self: Box<Self>) -> Result<()> {
        self.take_in(Durability::Unshown).map(drop)
    }
}

impl MaildirAppend {
    fn take_in(mut self, durability: Durability) -> Result<Appended> {
        self.finish_last()?;
        let messages = std::mem::take(&mut self.messages);
        self.account.with_folder(&self.mailbox, |folder, lock| {
            let uids = take_in(folder, lock, messages, durability)?;
            Ok(Appended {
                uid_validity: folder.index.uid_validity(),
                uids,
            })
        })
    }

    /// The message started last is complete; waits for the disk.
    fn finish_last(&mut self) -> Result<()> {
        match self.messages.last_mut() {
            Some(message) => message.file.finish(Some(message.internal_date_secs)),
            None => Ok(()),
        }
    }
}

/// Puts synced messages into a mailbox; on disk when this returns, their UIDs as `durability` says. On an error none of them
/// is in it.
fn take_in(
    folder: &mut Folder,
    lock: &Lock,
    mut messages: Vec<Arriving>,
    durability: Durability,
) -> Result<Vec<Uid>> {
    // What is in the mailbox already comes first, and is not taken for ours.
    folder.look(lock)?;
    let mut change = folder.index.change(lock);
    let mut arrivals = Vec::with_capacity(messages.len());
    for message in &mut messages {
        let base = message.file.base();
        let letters = folder.letters.letters(&message.flags.keywords)?;
        let name = file_name::with_flags(base.as_bytes(), message.flags.system, letters);
        // Under its base in `tmp` the file can be found if we die between the index and the move.
        message.file.rename(folder.tmp().join(&base))?;
        let uid = change.add(NewMessage {
            flags: &message.flags,
            size_bytes: message.file.size_bytes(),
            internal_date_secs: message.internal_date_secs,
            save_date_secs: paths::now_secs(),
            email_id: email_id(base.as_bytes()),
            key: &name,
        })?;
        arrivals.push((uid, name));
    }
    folder.index.commit(lock, change, durability)?;
    place(folder, lock, &arrivals, |number, to| {
        messages[number].file.place(to)
    })
}

/// Moves messages that the index has already to `cur`, and takes them back from the index when that fails.
pub(crate) fn place(
    folder: &mut Folder,
    lock: &Lock,
    arrivals: &[(Uid, Vec<u8>)],
    mut move_to: impl FnMut(usize, &std::path::Path) -> Result<()>,
) -> Result<Vec<Uid>> {
    let cur = folder.cur();
    let own = folder.begin_own_change()?;
    let placed = arrivals
        .iter()
        .enumerate()
        .try_for_each(|(number, (_, name))| move_to(number, &cur.join(OsStr::from_bytes(name))))
        .and_then(|()| paths::sync_directory(&cur));
    let mut change = folder.index.change(lock);
    if let Err(error) = placed {
        for (uid, name) in arrivals {
            let _ = std::fs::remove_file(cur.join(OsStr::from_bytes(name)));
            change.expunge(*uid);
        }
        folder.index.commit(lock, change, Durability::Synced)?;
        return Err(error);
    }
    folder.end_own_change(&mut change, own)?;
    folder.index.commit(lock, change, Durability::Cached)?;
    Ok(arrivals.iter().map(|(uid, _)| *uid).collect())
}
