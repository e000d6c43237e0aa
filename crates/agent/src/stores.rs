//! Open stores: sessions of one account share one, so that they hear of each other's changes at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use auth::Account;
use mailbox::Store;
use store_maildir::MaildirStore;
use store_mbox::{Locks, MboxStore};

use crate::location::{self, Location};

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The location makes no sense.
    #[error(transparent)]
    Location(#[from] location::Error),
    /// It cannot be used.
    #[error(transparent)]
    Store(#[from] mailbox::Error),
}

/// The stores that sessions hold.
#[derive(Default)]
pub struct Stores {
    open: Mutex<HashMap<Location, Weak<dyn Store>>>,
}

impl Stores {
    /// The store of `account`; its location may be overridden by `default` (`mail_location`).
    ///
    /// # Errors
    /// When the location makes no sense or cannot be used.
    pub fn of(&self, account: &Account, default: &str) -> Result<Arc<dyn Store>, Error> {
        let text = if account.mail_location.is_empty() {
            default
        } else {
            &account.mail_location
        };
        let location = location::parse(text, &account.user, account.home.as_deref())?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(&location).and_then(Weak::upgrade) {
            return Ok(store);
        }
        open.retain(|_, store| store.strong_count() > 0);
        let store = make(&location)?;
        open.insert(location, Arc::downgrade(&store));
        Ok(store)
    }
}

fn make(location: &Location) -> mailbox::Result<Arc<dyn Store>> {
    Ok(match location {
        Location::Maildir { root } => Arc::new(MaildirStore::new(root, store_maildir::Options::default())),
        Location::Mbox { root, inbox } => {
            Arc::new(MboxStore::new(root.clone(), inbox.clone(), Locks::default())?)
        }
    })
}
