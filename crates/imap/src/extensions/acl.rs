//! ACL and RIGHTS=texk (RFC 4314): who may do what with a mailbox; LIST-MYRIGHTS (RFC 8440). Identifiers are Dovecot's: a user's name, `$group`,
//! `!$group` for what goes before users, `owner`, `authenticated`, `anyone`; a `-` before it takes rights away.

use mailbox::rights::{AclEntry, Identifier, Rights, RightsChange};
use mailbox::{Error as StoreError, MailboxName};

use super::{Command, Extension};
use crate::login::one_line;
use crate::session::Session;
use crate::session::reply::Context;
use crate::wire::cursor::Cursor;
use crate::wire::{Result, decode, encode};

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["ACL", "RIGHTS=texk", "LIST-MYRIGHTS"],
    commands: &[
        Command {
            name: "SETACL",
            needs_mailbox: false,
            run: Session::set_acl,
        },
        Command {
            name: "DELETEACL",
            needs_mailbox: false,
            run: Session::delete_acl,
        },
        Command {
            name: "GETACL",
            needs_mailbox: false,
            run: Session::tell_acl,
        },
        Command {
            name: "LISTRIGHTS",
            needs_mailbox: false,
            run: Session::list_rights,
        },
        Command {
            name: "MYRIGHTS",
            needs_mailbox: false,
            run: Session::my_rights,
        },
    ],
};

/// A space and an astring, which Dovecot misses in its own words.
fn argument(arguments: &mut Cursor<'_>) -> Result<Vec<u8>> {
    decode::some(arguments)?;
    decode::argument(arguments)
}

/// Letters with those of RFC 2086 that stand for some of them behind.
fn with_old(letters: &str) -> String {
    let rights = Rights::letters(letters);
    let create = if rights.has_any("kx") { "c" } else { "" };
    let delete = if rights.has_any("et") { "d" } else { "" };
    format!("{letters}{create}{delete}")
}

fn shown(entry: &AclEntry) -> String {
    let sign = if entry.is_negative { "-" } else { "" };
    match &entry.identifier {
        Identifier::Anyone => format!("{sign}anyone"),
        Identifier::Authenticated => format!("{sign}authenticated"),
        Identifier::Owner => format!("{sign}owner"),
        Identifier::User(user) => format!("{sign}{user}"),
        Identifier::Group(group) => format!("{sign}${group}"),
        Identifier::GroupOverride(group) => format!("{sign}!${group}"),
    }
}

impl Session {
    /// Whom a command is about; an error is the text of BAD.
    fn identifier(&self, raw: &[u8]) -> std::result::Result<(Identifier, bool), String> {
        let text = std::str::from_utf8(raw).map_err(|_| "Identifier is not UTF-8".to_owned())?;
        let (name, is_negative) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let open = |identifier| match self.settings.offered.acl_anyone {
            true => Ok(identifier),
            false => Err(format!("'{name}' identifier is disallowed")),
        };
        let identifier = match name {
            "" => return Err("Invalid identifier: it is empty".to_owned()),
            "anyone" => open(Identifier::Anyone)?,
            "authenticated" => open(Identifier::Authenticated)?,
            "owner" => Identifier::Owner,
            _ if name.chars().any(char::is_control) || name.contains('"') => {
                return Err("Invalid identifier".to_owned());
            }
            _ if name.starts_with('#') => return Err(format!("Global ACLs can't be modified: {name}")),
            _ => match (name.strip_prefix("!$"), name.strip_prefix('$')) {
                (Some(group), _) => Identifier::GroupOverride(group.to_owned()),
                (_, Some(group)) => Identifier::Group(group.to_owned()),
                _ => Identifier::User(name.to_owned()),
            },
        };
        Ok((identifier, is_negative))
    }

    fn set_acl(&mut self, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        let (raw, whom, letters) = (argument(arguments)?, argument(arguments)?, argument(arguments)?);
        let letters = String::from_utf8_lossy(&letters).into_owned();
        let (make, rest): (fn(Rights) -> RightsChange, &str) = match letters.split_at_checked(1) {
            Some(("+", rest)) => (RightsChange::Add, rest),
            Some(("-", rest)) => (RightsChange::Remove, rest),
            _ => (RightsChange::Set, &letters),
        };
        let whom = self.identifier(&whom);
        let read = whom.and_then(|whom| match Rights::parse(rest) {
            Ok(rights) => Ok((whom, rights)),
            Err(letter) => Err(format!("Invalid ACL right: {letter}")),
        });
        match read {
            Ok((whom, rights)) => self.change_acl(tag, "Setacl", (&raw, whom), make(rights)),
            Err(why) => self.bad(tag, &one_line(&format!("Error in IMAP command SETACL: {why}"))),
        }
        Ok(())
    }

    fn delete_acl(&mut self, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        let (raw, whom) = (argument(arguments)?, argument(arguments)?);
        match self.identifier(&whom) {
            Ok(whom) => self.change_acl(tag, "Deleteacl", (&raw, whom), RightsChange::Delete),
            Err(why) => self.bad(tag, &one_line(&format!("Error in IMAP command DELETEACL: {why}"))),
        }
        Ok(())
    }

    fn change_acl(
        &mut self,
        tag: &str,
        verb: &str,
        (raw, (identifier, is_negative)): (&[u8], (Identifier, bool)),
        change: RightsChange,
    ) {
        let Some(name) = self.name(tag, raw) else { return };
        match self.store.set_acl(&name, (&identifier, is_negative), change) {
            Ok(()) => self.tagged(tag, &format!("OK {verb} complete.")),
            Err(error) => self.acl_failed(tag, &error),
        }
    }

    fn acl_failed(&mut self, tag: &str, error: &StoreError) {
        match error {
            StoreError::NoPermission(_) => self.tagged(
                tag,
                "NO [NOPERM] You lack administrator privileges on this mailbox.",
            ),
            // No such name can be: then there is no such mailbox.
            StoreError::InvalidName(name, _) => {
                let error = StoreError::NoSuchMailbox(name.clone());
                self.store_failed(tag, &error, Context::Managing);
            }
            error => self.store_failed(tag, error, Context::Managing),
        }
    }

    fn tell_acl(&mut self, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        let raw = argument(arguments)?;
        let Some(name) = self.name(tag, &raw) else {
            return Ok(());
        };
        match self.store.acl(&name) {
            Ok(entries) => {
                self.output.extend_from_slice(b"* ACL ");
                self.push_as_written(&raw);
                for entry in entries {
                    self.output.push(b' ');
                    encode::astring(&mut self.output, shown(&entry).as_bytes());
                    self.output.push(b' ');
                    encode::astring(&mut self.output, with_old(&entry.letters).as_bytes());
                }
                self.say("");
                self.tagged(tag, "OK Getacl completed.");
            }
            Err(error) => self.acl_failed(tag, &error),
        }
        Ok(())
    }

    fn list_rights(&mut self, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        let (raw, whom) = (argument(arguments)?, argument(arguments)?);
        if self.name(tag, &raw).is_none() {
            return Ok(());
        }
        self.output.extend_from_slice(b"* LISTRIGHTS ");
        self.push_as_written(&raw);
        self.output.push(b' ');
        encode::astring(&mut self.output, &whom);
        // Each right stands for itself, and none is given to all.
        self.say(" \"\" l r w s t p i e k x a c d");
        self.tagged(tag, "OK Listrights completed.");
        Ok(())
    }

    fn my_rights(&mut self, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        let raw = argument(arguments)?;
        let Some(name) = self.name(tag, &raw) else {
            return Ok(());
        };
        match self.store.my_rights(&name) {
            Ok(rights) => {
                self.my_rights_line(&raw, rights);
                self.tagged(tag, "OK Myrights completed.");
            }
            Err(error) => self.store_failed(tag, &error, Context::Managing),
        }
        Ok(())
    }

    fn my_rights_line(&mut self, raw: &[u8], rights: Rights) {
        self.output.extend_from_slice(b"* MYRIGHTS ");
        self.push_as_written(raw);
        self.output.push(b' ');
        encode::astring(&mut self.output, with_old(&rights.to_string()).as_bytes());
        self.say("");
    }

    /// Tells the rights in a mailbox that LIST has just told of (RFC 8440); nothing where they cannot be found out.
    pub(crate) fn list_my_rights(&mut self, name: &MailboxName) {
        if let Ok(rights) = self.store.my_rights(name) {
            let name = self.written(name);
            self.my_rights_line(&name, rights);
        }
    }
}
