//! UIDPLUS (RFC 4315): APPENDUID, COPYUID, UID EXPUNGE.

use super::{Command, Extension};
use mailbox::UidSet;
use mailbox::store::{Appended, Copied};

use crate::session::Session;
use crate::wire::cursor::Cursor;
use crate::wire::{Result, decode};

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["UIDPLUS"],
    commands: &[Command {
        name: "UID EXPUNGE",
        needs_mailbox: true,
        run: Session::uid_expunge,
    }],
};

impl Session {
    fn uid_expunge(&mut self, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        let messages = decode::messages(arguments)?;
        arguments.end()?;
        self.expunge(tag, Some(&messages));
        Ok(())
    }
}

/// `[APPENDUID validity uids] `
pub(crate) fn append_code(appended: &Appended) -> String {
    let uids: UidSet = appended.uids.iter().copied().collect();
    format!("[APPENDUID {} {uids}] ", appended.uid_validity)
}

/// `[COPYUID validity source destination] `, or nothing when nothing was copied.
pub(crate) fn copy_code(copied: &Copied) -> String {
    if copied.pairs.is_empty() {
        return String::new();
    }
    let from = in_order(copied.pairs.iter().map(|pair| pair.0));
    let to = in_order(copied.pairs.iter().map(|pair| pair.1));
    format!("[COPYUID {} {from} {to}] ", copied.uid_validity)
}

/// UIDs in the order given, runs written as ranges: the two sets correspond position by position.
pub(crate) fn in_order(uids: impl Iterator<Item = u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for uid in uids {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(uid) => *last = uid,
            _ => ranges.push((uid, uid)),
        }
    }
    let text = |&(first, last): &(u32, u32)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}:{last}")
        }
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}
