//! UNSELECT (RFC 3691): leaves the mailbox without expunging.

use super::{Command, Extension};
use crate::session::Session;
use crate::wire::Result;
use crate::wire::cursor::Cursor;

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["UNSELECT"],
    commands: &[Command {
        name: "UNSELECT",
        needs_mailbox: true,
        run: Session::unselect,
    }],
};

impl Session {
    fn unselect(&mut self, tag: &str, _arguments: &mut Cursor<'_>) -> Result<()> {
        self.view = None;
        self.tagged(tag, "OK Unselect completed.");
        Ok(())
    }
}
