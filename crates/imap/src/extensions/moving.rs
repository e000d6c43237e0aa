//! MOVE and UID MOVE (RFC 6851).

use super::{Command, Extension};
use crate::extensions::uidplus;
use crate::session::Session;
use crate::session::reply::Context;
use crate::session::transfer::SOME_GONE;
use crate::wire::cursor::Cursor;
use crate::wire::sequence::SequenceSet;
use crate::wire::{Result, decode};

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["MOVE"],
    commands: &[
        Command {
            name: "MOVE",
            needs_mailbox: true,
            run: |session, tag, arguments| session.move_messages(tag, false, arguments),
        },
        Command {
            name: "UID MOVE",
            needs_mailbox: true,
            run: |session, tag, arguments| session.move_messages(tag, true, arguments),
        },
    ],
};

impl Session {
    fn move_messages(&mut self, tag: &str, by_uid: bool, arguments: &mut Cursor<'_>) -> Result<()> {
        let (messages, mailbox) = decode::messages_and_mailbox(arguments)?;
        arguments.end()?;
        self.move_to(tag, by_uid, &messages, &mailbox);
        Ok(())
    }

    fn move_to(&mut self, tag: &str, by_uid: bool, messages: &SequenceSet, mailbox: &[u8]) {
        let Some(ranges) = self.rows_named(tag, "MOVE", messages, by_uid) else {
            return;
        };
        let Some(name) = self.name(tag, mailbox) else {
            return;
        };
        let Some(view) = &mut self.view else { return };
        if !(view.rights.has(b'e') && view.rights.has(b't')) {
            return self.tagged(tag, "NO [NOPERM] Permission denied");
        }
        if view.read_only {
            return self.tagged(tag, "NO [READ-ONLY] Mailbox is read-only.");
        }
        if ranges.is_empty() {
            return self.complete(tag, "OK No messages found.");
        }
        let uids = view.uids_of(&ranges);
        if self.some_are_gone(&uids) {
            return self.complete(tag, SOME_GONE);
        }
        let Some(view) = &mut self.view else { return };
        let moved = self
            .store
            .open(&name)
            .and_then(|to| self.store.move_messages(&view.id, &uids, &to.id));
        match moved {
            Ok(moved) => {
                view.forget_all(&moved.pairs.iter().map(|pair| pair.0).collect());
                let code = uidplus::copy_code(&moved);
                if !code.is_empty() {
                    self.say(&format!("* OK {code}Moved UIDs."));
                }
                self.complete(tag, "OK Move completed.");
            }
            Err(error) => self.store_failed(tag, &error, Context::Destination),
        }
    }
}
