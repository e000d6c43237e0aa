//! SPECIAL-USE and CREATE-SPECIAL-USE (RFC 6154): what a mailbox is for. In LIST it stands with the other attributes.

use super::{Command, Extension};
use crate::session::Session;
use crate::wire::cursor::Cursor;
use crate::wire::{Result, decode, list};

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["SPECIAL-USE", "CREATE-SPECIAL-USE"],
    commands: &[Command {
        name: "CREATE",
        needs_mailbox: false,
        run: Session::create_command,
    }],
};

impl Session {
    fn create_command(&mut self, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        decode::some(arguments)?;
        let name = decode::argument(arguments)?;
        let uses = list::decode_uses(arguments)?;
        match uses.as_slice() {
            [] => self.create(tag, &name, None),
            [Some(special_use)] => self.create(tag, &name, Some(*special_use)),
            [None] => self.tagged(tag, "NO [USEATTR] There is no such special use"),
            _ => self.tagged(tag, "NO [USEATTR] A mailbox can be made for one special use only"),
        }
        Ok(())
    }
}
