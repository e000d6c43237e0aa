//! ENABLE (RFC 5161).

use super::{Command, Extension};
use crate::session::Session;
use crate::wire::cursor::Cursor;
use crate::wire::{Result, decode};

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["ENABLE"],
    commands: &[Command {
        name: "ENABLE",
        needs_mailbox: false,
        run: Session::enable,
    }],
};

impl Session {
    fn enable(&mut self, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        let names = decode::words(arguments)?;
        let mut enabled = String::from("* ENABLED");
        if names.iter().any(|name| name == "CONDSTORE") {
            self.enable_condstore();
            enabled.push_str(" CONDSTORE");
        }
        self.say(&enabled);
        self.complete(tag, "OK Enabled.");
        Ok(())
    }
}
