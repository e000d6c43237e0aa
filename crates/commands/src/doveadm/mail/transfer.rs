//! Messages from one store into another, as they are: content, flags, dates.

use mailbox::store::{Body, MailboxId};
use mailbox::{FlagChange, Flags, Result, Store, SystemFlags, UidSet};

use super::find::Found;
use super::session::UserMail;

/// How much of a message is read at once, in octets.
const PIECE_BYTES: usize = 64 * 1024;
/// So many messages are put into a mailbox at once: each time what was put is on disk.
const BATCH: usize = 200;

/// Puts the messages that were found into a mailbox of another store.
pub(super) fn copy(mail: &UserMail, found: &Found, (to, mailbox): (&dyn Store, &MailboxId)) -> Result<()> {
    let states: Vec<_> = found.messages().map(|(_, state, _)| state.clone()).collect();
    for batch in states.chunks(BATCH) {
        let mut append = to.append(mailbox)?;
        for state in batch {
            let body = match mail.store.body(found.finder.id(), state.uid) {
                Err(mailbox::Error::NoSuchMessage(_)) => continue,
                body => body?,
            };
            append.start(state.flags.clone(), state.internal_date_secs)?;
            pour(&*body, |piece| append.write(piece))?;
        }
        append.commit()?;
    }
    Ok(())
}

/// Reads a message to its end.
pub(super) fn pour(body: &dyn Body, mut into: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut offset = 0;
    loop {
        let count = body.read_at(offset, &mut piece)?;
        if count == 0 {
            return Ok(());
        }
        into(&piece[..count])?;
        offset += count as u64;
    }
}

/// Removes messages for good.
pub(super) fn remove(store: &dyn Store, mailbox: &MailboxId, uids: &UidSet) -> Result<()> {
    let deleted = FlagChange::Add(Flags::system(SystemFlags::DELETED));
    store.store_flags(mailbox, uids, &deleted, None)?;
    store.expunge(mailbox, uids).map(drop)
}
