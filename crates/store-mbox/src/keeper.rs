//! What needs more rights than a user has: files in a mail spool that belongs to a group (`/var/mail`, group mail).

use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;

use os::locks::Tries;

/// Whoever may make files in the mail spool. Asked only when doing it oneself was refused.
pub trait Keeper: Send + Sync + std::fmt::Debug {
    /// Makes the mailbox file of `user` (mode 0600, the user's, group mail) if it is missing.
    ///
    /// # Errors
    /// Why it cannot be made.
    fn create(&self, user: &str) -> Result<()>;

    /// Makes the lock file of that mailbox.
    ///
    /// # Errors
    /// `WouldBlock` when another program held the lock during all `tries`; else why it cannot be made.
    fn lock(&self, user: &str, tries: Tries) -> Result<()>;

    /// Removes that lock file.
    ///
    /// # Errors
    /// Why it is still there.
    fn unlock(&self, user: &str) -> Result<()>;
}

/// A mailbox in the spool: whose, and who keeps it.
#[derive(Debug, Clone, Copy)]
pub struct Spool<'a> {
    /// Who may make files there.
    pub keeper: &'a dyn Keeper,
    /// The user whose mailbox it is.
    pub user: &'a str,
}

/// A mailbox in the spool, as a store holds it.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Who may make files there.
    pub keeper: Arc<dyn Keeper>,
    /// The user whose mailbox it is.
    pub user: String,
}

impl Kept {
    /// The same, for one delivery.
    pub fn spool(&self) -> Spool<'_> {
        Spool {
            keeper: &*self.keeper,
            user: &self.user,
        }
    }
}

/// Nobody: what was refused stays refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Keeper for Nobody {
    fn create(&self, _: &str) -> Result<()> {
        Err(Error::from(ErrorKind::PermissionDenied))
    }

    fn lock(&self, _: &str, _: Tries) -> Result<()> {
        Err(Error::from(ErrorKind::PermissionDenied))
    }

    fn unlock(&self, _: &str) -> Result<()> {
        Err(Error::from(ErrorKind::PermissionDenied))
    }
}
