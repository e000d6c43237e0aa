//! Which virtual mailbox a recipient has, and whose it is (virtual(8)).

use std::path::PathBuf;

use address::Address;
use envelope::{Outcome, StatusCode};
use settings::{Postfix, TableRef};
use tables::{Matter, Tables, Tell};

use crate::outcomes::{bounced, deferred};
use crate::task::{Kind, Rights, Work};

/// `virtual_mailbox_maps`, `virtual_uid_maps`, `virtual_gid_maps`.
pub(crate) struct VirtualMailboxes {
    mailboxes: Tables,
    uids: Tables,
    gids: Tables,
}

/// An outcome, and what the administrator is told.
pub(crate) type Failure = (Outcome, Option<String>);

impl VirtualMailboxes {
    /// Opens the tables.
    pub(crate) fn open(
        settings: &Postfix,
        open: &mut dyn FnMut(Matter, &[TableRef]) -> Tables,
    ) -> VirtualMailboxes {
        let mut open = |name: &str, tables: &[TableRef]| open(Matter::Rights, tables).titled(name);
        VirtualMailboxes {
            mailboxes: open("virtual_mailbox_maps", &settings.virtual_mailbox_maps),
            uids: open("virtual_uid_maps", &settings.virtual_uid_maps),
            gids: open("virtual_gid_maps", &settings.virtual_gid_maps),
        }
    }

    /// As [`Tables::tell_warnings`].
    pub(crate) fn tell_warnings(&mut self, tell: &Tell) {
        let tables = [&mut self.mailboxes, &mut self.uids, &mut self.gids];
        tables.into_iter().for_each(|tables| tables.tell_warnings(tell));
    }

    /// Whose rights write the mailbox of `recipient`, and which it is.
    pub(crate) fn find(&self, recipient: &Address, settings: &Postfix) -> Result<(Rights, Work), Failure> {
        let Some(path) = lookup((&self.mailboxes, "virtual_mailbox_maps"), recipient, settings)? else {
            let text = format!("unknown user: \"{}\"", recipient.to_string().to_lowercase());
            return Err((bounced(StatusCode::permanent(1, 1), text), None));
        };
        if path.is_empty() || path.split('/').any(|part| part == "..") {
            return Err(wrong(recipient, "virtual_mailbox_maps", &format!("path {path}")));
        }
        let uid = self.id(&self.uids, (recipient, "virtual_uid_maps"), settings)?;
        if usize::try_from(uid).unwrap_or(0) < settings.virtual_minimum_uid.max(1) {
            return Err(wrong(recipient, "virtual_uid_maps", &format!("uid {uid}")));
        }
        let gid = self.id(&self.gids, (recipient, "virtual_gid_maps"), settings)?;
        if gid == 0 {
            return Err(wrong(recipient, "virtual_gid_maps", "gid 0"));
        }
        let rights = Rights {
            uid,
            gid,
            user: None,
            home: None,
            kind: Kind::Virtual,
        };
        Ok((rights, Work::Virtual(PathBuf::from(path))))
    }

    fn id(
        &self,
        tables: &Tables,
        (recipient, setting): (&Address, &str),
        settings: &Postfix,
    ) -> Result<u32, Failure> {
        let Some(text) = lookup((tables, setting), recipient, settings)? else {
            let warning = format!("recipient {recipient}: not found in {setting}");
            return Err(misconfigured(warning));
        };
        text.trim()
            .parse()
            .map_err(|_| wrong(recipient, setting, &format!("number {text}")))
    }
}

fn wrong(recipient: &Address, setting: &str, value: &str) -> Failure {
    misconfigured(format!("recipient {recipient}: bad {value} in {setting}"))
}

fn misconfigured(warning: String) -> Failure {
    let outcome = deferred(StatusCode::temporary(3, 5), "mail system configuration error");
    (outcome, Some(warning))
}

/// The keys in virtual(8)'s order: `user+extension@domain`, `user@domain`, `@domain`.
fn lookup(
    (tables, setting): (&Tables, &str),
    recipient: &Address,
    settings: &Postfix,
) -> Result<Option<String>, Failure> {
    let plain = recipient
        .strip_extension(&settings.recipient_delimiter)
        .map(|(plain, _)| plain);
    let forms = std::iter::once(recipient)
        .chain(plain.as_ref())
        .map(ToString::to_string);
    let domain = recipient.domain().map(|domain| format!("@{}", domain.as_str()));
    for key in forms.chain(domain) {
        let found = tables.lookup(&key.to_lowercase());
        // Why is told by the tables.
        let failed = |_| misconfigured(format!("table {setting}: lookup {recipient}: Application error"));
        if let Some(value) = found.map_err(failed)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}
