//! REPLACE (RFC 8508): a message takes the place of another, which goes only when the new one is there.

use mailbox::{FlagChange, Flags, SystemFlags, Uid, UidSet};

use super::{Command, Extension};
use crate::session::Session;
use crate::session::append::Failure;
use crate::session::reply::Context;
use crate::session::view::View;
use crate::wire::sequence::{STAR, SequenceSet};

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["REPLACE"],
    commands: &[
        Command {
            name: "REPLACE",
            needs_mailbox: true,
            run: |session, tag, arguments| session.append_line(tag, "REPLACE", arguments),
        },
        Command {
            name: "UID REPLACE",
            needs_mailbox: true,
            run: |session, tag, arguments| session.append_line(tag, "UID REPLACE", arguments),
        },
    ],
};

/// The UID of the message that is to be replaced.
pub(crate) fn named(view: Option<&View>, by_uid: bool, message: &SequenceSet) -> Result<Uid, Failure> {
    let Some(view) = view else {
        return Err(Failure::Answer("BAD No mailbox selected".to_owned()));
    };
    if view.read_only {
        return Err(Failure::Answer("NO [READ-ONLY] Mailbox is read-only.".to_owned()));
    }
    let number = message.0.first().map_or(STAR, |range| range.0);
    let row = match number {
        STAR => view.rows.last(),
        uid if by_uid => view.index_of(uid).map(|index| &view.rows[index]),
        number => view.rows.get(number as usize - 1),
    };
    let there = row.filter(|row| !view.gone.contains(row.state.uid));
    match there {
        Some(row) => Ok(row.state.uid),
        None if by_uid => Err(Failure::Answer(
            "NO [NONEXISTENT] There is no message with this UID".to_owned(),
        )),
        None if row.is_some() => Err(Failure::Answer(
            "NO [EXPUNGEISSUED] The message no longer exists.".to_owned(),
        )),
        None => Err(Failure::Bad("Invalid messageset".to_owned())),
    }
}

impl Session {
    /// The new message is in its mailbox: the old one goes.
    pub(crate) fn end_replace(&mut self, tag: &str, append_code: &str, uid: Uid) {
        self.say(&format!("* OK {append_code}Replacement message is there."));
        let Some(view) = &self.view else { return };
        let old: UidSet = [uid].into_iter().collect();
        let deleted = Flags {
            system: SystemFlags::DELETED,
            ..Flags::default()
        };
        let gone = self
            .store
            .store_flags(&view.id, &old, &FlagChange::Add(deleted), None)
            .and_then(|_| self.store.expunge(&view.id, &old));
        match gone {
            Ok(expunged) => {
                self.traffic.expunged += expunged.count();
                self.complete(tag, "OK Replace completed.");
            }
            Err(error) => self.store_failed(tag, &error, Context::Other),
        }
    }
}
