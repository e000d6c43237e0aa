//! QUOTA (RFC 2087, RFC 9208): how much mail there may be, and is. Resources are STORAGE and MESSAGE; limits are the
//! administrator's, so that SETQUOTA is always refused.

use mailbox::quota::{QuotaKind, QuotaRoot};

use super::{Command, Extension};
use crate::session::Session;
use crate::session::reply::Context;
use crate::wire::cursor::Cursor;
use crate::wire::{Result, decode, encode};

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["QUOTA", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE"],
    commands: &[
        Command {
            name: "GETQUOTAROOT",
            needs_mailbox: false,
            run: Session::quota_root_command,
        },
        Command {
            name: "GETQUOTA",
            needs_mailbox: false,
            run: Session::quota_command,
        },
        Command {
            name: "SETQUOTA",
            needs_mailbox: false,
            run: Session::set_quota,
        },
    ],
};

impl Session {
    fn quota_root_command(&mut self, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        decode::some(arguments)?;
        let raw = decode::argument(arguments)?;
        let Some(name) = self.name(tag, &raw) else {
            return Ok(());
        };
        let roots = match self.store.quota_roots(Some(&name)) {
            Ok(roots) => roots,
            Err(error) => {
                self.store_failed(tag, &error, Context::Other);
                return Ok(());
            }
        };
        let roots: Vec<&QuotaRoot> = roots.iter().filter(|root| !root.hidden).collect();
        if roots.is_empty() {
            self.tagged(tag, "OK No quota.");
            return Ok(());
        }
        self.output.extend_from_slice(b"* QUOTAROOT ");
        self.push_as_written(&raw);
        for root in &roots {
            self.output.push(b' ');
            encode::astring(&mut self.output, root.name.as_bytes());
        }
        self.say("");
        roots.iter().for_each(|root| self.tell_quota(root));
        self.tagged(tag, "OK Getquotaroot completed.");
        Ok(())
    }

    fn quota_command(&mut self, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        decode::some(arguments)?;
        let wanted = decode::argument(arguments)?;
        match self.store.quota_roots(None) {
            Ok(roots) => match roots.iter().find(|root| root.name.as_bytes() == wanted) {
                Some(root) => {
                    self.tell_quota(root);
                    self.tagged(tag, "OK Getquota completed.");
                }
                None => self.tagged(tag, "NO Quota root doesn't exist."),
            },
            Err(error) => self.store_failed(tag, &error, Context::Other),
        }
        Ok(())
    }

    fn set_quota(&mut self, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        decode::some(arguments)?;
        decode::argument(arguments)?;
        decode::some(arguments)?;
        self.tagged(tag, "NO Quota can be changed only by admin.");
        Ok(())
    }

    /// Writes `* QUOTA`; a root without limits has none.
    fn tell_quota(&mut self, root: &QuotaRoot) {
        if root.resources.is_empty() {
            return;
        }
        let resource = |resource: &mailbox::quota::QuotaResource| match resource.kind {
            // Counted in units of 1024 octets (RFC 9208 §5.1).
            QuotaKind::Storage => {
                let (used, limit) = (resource.used.div_ceil(1024), resource.limit / 1024);
                format!("STORAGE {used} {limit}")
            }
            QuotaKind::Message => format!("MESSAGE {} {}", resource.used, resource.limit),
        };
        let resources: Vec<String> = root.resources.iter().map(resource).collect();
        self.output.extend_from_slice(b"* QUOTA ");
        encode::astring(&mut self.output, root.name.as_bytes());
        self.say(&format!(" ({})", resources.join(" ")));
    }
}
