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
        let mut enabled = String::new();
        for name in names {
            match name.as_str() {
                "CONDSTORE" => self.enable_condstore(),
                "UTF8=ACCEPT" => self.utf8 = true,
                "QRESYNC" => self.enable_qresync(),
                _ => continue,
            }
            enabled.push_str(&format!(" {name}"));
        }
        // As Dovecot does, nothing is said where nothing was turned on.
        if !enabled.is_empty() {
            self.say(&format!("* ENABLED{enabled}"));
        }
        self.complete(tag, "OK Enabled.");
        Ok(())
    }
}
