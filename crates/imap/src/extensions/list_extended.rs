//! LIST-EXTENDED (RFC 5258): selection and return options, several patterns. Which mailboxes that are is worked out in
//! [`crate::session`], as for the LIST that everybody has; XLIST is its older form, which Dovecot still takes.

use super::{Command, Extension};
use crate::session::Session;
use crate::wire::cursor::Cursor;
use crate::wire::list::{self, List};
use crate::wire::{Error, Result};

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["LIST-EXTENDED"],
    commands: &[
        Command {
            name: "LIST",
            needs_mailbox: false,
            run: Session::list_command,
        },
        Command {
            name: "XLIST",
            needs_mailbox: false,
            run: |session, tag, arguments| {
                let list = session.plain(arguments)?;
                session.list(tag, &list);
                Ok(())
            },
        },
        Command {
            name: "LSUB",
            needs_mailbox: false,
            run: |session, tag, arguments| {
                let list = session.plain(arguments)?;
                session.lsub(tag, &list);
                Ok(())
            },
        },
    ],
};

impl Session {
    fn list_command(&mut self, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        let list = list::decode(arguments)?;
        if list.returning.my_rights && !self.settings.offered.has("LIST-MYRIGHTS") {
            return Err(Error::Invalid("Unknown return options"));
        }
        self.list(tag, &list);
        Ok(())
    }

    /// Arguments without anything of the extension.
    fn plain(&self, arguments: &mut Cursor<'_>) -> Result<List> {
        match list::decode(arguments)? {
            list if list.extended => Err(Error::Invalid("Extra arguments")),
            list => Ok(list),
        }
    }
}
