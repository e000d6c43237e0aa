//! Open stores: sessions of one account share one, so that they hear of each other's changes at once.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use auth::Account;
use mailbox::{Report, SpecialUse, Store};
use os::locks::Tries;
use settings::{Dovecot, MailboxLock};
use store_maildir::MaildirStore;
use store_mbox::keeper::{Keeper, Kept};
use store_mbox::{LockKind, Locks, MboxStore};

use crate::location::{self, Location};
use crate::quota::{self, By};
use crate::sharing::{self, Joined};

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
    /// Stores that were used lately, the oldest first.
    kept: Mutex<VecDeque<Arc<dyn Store>>>,
    /// Mailboxes that one POP3 session has for itself (`pop3_lock_session`).
    alone: Mutex<HashMap<Location, Weak<tokio::sync::Mutex<()>>>>,
    mail_spool: Mutex<Option<MailSpool>>,
}

/// The system's mail spool, in which files may be made for one user.
#[derive(Debug, Clone)]
pub struct MailSpool {
    /// `mail_spool_directory`.
    pub directory: PathBuf,
    /// The user's login name, and so the name of the mailbox file.
    pub user: String,
    /// Who makes the files.
    pub keeper: Arc<dyn Keeper>,
}

impl MailSpool {
    /// The keeper of `inbox`, if that is the user's file in the spool.
    fn kept(&self, inbox: &Path) -> Option<Kept> {
        let is_users = inbox.file_name().is_some_and(|name| name == self.user.as_str());
        // /var/mail and /var/spool/mail are often one.
        let real = |directory: &Path| directory.canonicalize().ok();
        let here = inbox.parent().and_then(real);
        let is_here = here.is_some() && here == real(&self.directory);
        (is_users && is_here).then(|| Kept {
            keeper: Arc::clone(&self.keeper),
            user: self.user.clone(),
        })
    }
}

/// How many stores stay open when nobody uses them.
const KEPT_MAX: usize = 64;

impl Stores {
    /// The store of `account`, as `settings` show it. What it finds damaged while this and other sessions use it is told
    /// to `report`.
    ///
    /// # Errors
    /// When the location makes no sense or cannot be used.
    pub fn of(
        &self,
        account: &Account,
        (settings, by): (&Dovecot, By),
        report: Report,
    ) -> Result<Arc<dyn Store>, Error> {
        let inbox = settings.namespaces.iter().find(|namespace| namespace.inbox);
        let own = inbox.map_or("", |inbox| inbox.location.as_str());
        let location = match own.contains('%') || own.is_empty() {
            true => location::parse(&account.mail_location, &account.user, account.home.as_deref())?,
            false => location::parse(own, &account.user, account.home.as_deref())?,
        };
        let store = self.at(&location, (settings, by), Arc::clone(&report))?;
        let tell = |text: &str| report(text);
        let store = quota::around(store, (account, &location), (settings, by), &tell);
        if !sharing::is_wanted(settings) {
            return Ok(store);
        }
        let all = settings.clone();
        let usual_separator = location.usual_separator();
        let opener: sharing::Opener = Box::new(move |location, namespace| {
            if namespace.inbox {
                return Ok(Arc::clone(&store));
            }
            let shown = shown(namespace, location.usual_separator());
            make((location, None), shown, &all, Arc::clone(&report))
        });
        let joined = Joined::new(account, settings, usual_separator, opener)?;
        Ok(Arc::new(joined))
    }

    /// The lock that a POP3 session holds which wants to be the only one of its account.
    ///
    /// # Errors
    /// When the location makes no sense.
    pub fn lock_of(&self, account: &Account) -> Result<Arc<tokio::sync::Mutex<()>>, Error> {
        let location = location::parse(&account.mail_location, &account.user, account.home.as_deref())?;
        let mut alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = alone.get(&location).and_then(Weak::upgrade) {
            return Ok(lock);
        }
        alone.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::default();
        alone.insert(location, Arc::downgrade(&lock));
        Ok(lock)
    }

    /// From now on mailboxes are opened with that mail spool.
    pub fn keep_in(&self, mail_spool: MailSpool) {
        *self.mail_spool.lock().unwrap_or_else(PoisonError::into_inner) = Some(mail_spool);
    }

    fn at(
        &self,
        location: &Location,
        (settings, by): (&Dovecot, By),
        report: Report,
    ) -> Result<Arc<dyn Store>, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.get(location).and_then(Weak::upgrade);
        let store = match found {
            Some(store) => store,
            None => {
                open.retain(|_, store| store.strong_count() > 0);
                let mail_spool = self
                    .mail_spool
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                let inbox = settings.namespaces.iter().find(|namespace| namespace.inbox);
                let inbox = inbox.cloned().unwrap_or_else(settings::Namespace::inbox);
                let shown = shown(&inbox, location.usual_separator());
                let store = make((location, mail_spool.as_ref()), shown, settings, report)?;
                open.insert(location.clone(), Arc::downgrade(&store));
                store
            }
        };
        drop(open);
        // What a store has read of its mailboxes serves the next delivery or session. Only an mbox file has to hear at the end
        // of a session what became of its messages: other programs look there.
        if by == By::Delivery || matches!(location, Location::Maildir { .. }) {
            self.keep(&store);
        }
        Ok(store)
    }

    /// Lets a store stay open for a while.
    fn keep(&self, store: &Arc<dyn Store>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|known| !Arc::ptr_eq(known, store));
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(Arc::clone(store));
    }
}

fn make(
    (location, mail_spool): (&Location, Option<&MailSpool>),
    shown: Shown,
    settings: &Dovecot,
    report: Report,
) -> mailbox::Result<Arc<dyn Store>> {
    Ok(match location {
        Location::Maildir { root } => {
            let store = MaildirStore::new(root, maildir_options(shown));
            Arc::new(store.reporting(report))
        }
        Location::Mbox { root, inbox } => {
            let store = MboxStore::new(root.clone(), inbox.clone(), mbox_locks(settings))?;
            let store = match mail_spool.and_then(|mail_spool| mail_spool.kept(inbox)) {
                Some(kept) => store.kept_by(kept),
                None => store,
            };
            let store = store.shown(&shown.prefix, shown.separator, shown.special_use);
            Arc::new(store.reporting(report))
        }
    })
}

/// `mbox_write_locks`, `mbox_read_locks` and how long to wait for them.
fn mbox_locks(settings: &Dovecot) -> Locks {
    /// How often a lock that another program holds is tried again.
    const PAUSE: Duration = Duration::from_millis(250);
    let kinds = |locks: &[MailboxLock]| {
        let kind = |lock: &MailboxLock| match lock {
            MailboxLock::Fcntl => LockKind::Fcntl,
            MailboxLock::Flock => LockKind::Flock,
            MailboxLock::Dotlock => LockKind::Dotlock,
        };
        locks.iter().map(kind).collect::<Vec<_>>()
    };
    let patience = match settings.mail_max_lock_timeout {
        Duration::ZERO => settings.mbox_lock_timeout,
        most => settings.mbox_lock_timeout.min(most),
    };
    let attempts = patience.as_millis() / PAUSE.as_millis();
    Locks {
        kinds: kinds(&settings.mbox_write_locks),
        for_reading: kinds(&settings.mbox_read_locks),
        tries: Tries {
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX).max(1),
            pause: PAUSE,
        },
        stale_after: settings.mbox_dotlock_change_timeout,
    }
}

/// How a namespace shows its mailboxes.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    prefix: String,
    separator: char,
    /// By full name.
    special_use: Vec<(String, SpecialUse)>,
}

fn shown(namespace: &settings::Namespace, own_separator: char) -> Shown {
    let mut shown = Shown {
        prefix: String::new(),
        separator: own_separator,
        special_use: Vec::new(),
    };
    shown.separator = namespace.separator.chars().next().unwrap_or(own_separator);
    shown.prefix.clone_from(&namespace.prefix);
    for mailbox in &namespace.mailboxes {
        let name = format!("{}{}", namespace.prefix, mailbox.name);
        let uses = mailbox
            .special_use
            .iter()
            .filter_map(|word| SpecialUse::named(word));
        shown
            .special_use
            .extend(uses.map(|special_use| (name.clone(), special_use)));
    }
    shown
}

fn maildir_options(shown: Shown) -> store_maildir::Options {
    let options = store_maildir::Options::default();
    store_maildir::Options {
        separator: shown.separator,
        prefix: shown.prefix,
        special_use: shown.special_use,
        ..options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_shown_as_it_is_set() {
        let nothing = settings::Namespace::inbox();
        assert_eq!(
            (shown(&nothing, '/').separator, shown(&nothing, '.').separator),
            ('/', '.')
        );
        let sent = settings::MailboxSetting {
            special_use: vec!["\\Sent".to_owned()],
            ..settings::MailboxSetting::named("Sent")
        };
        let namespace = settings::Namespace {
            inbox: true,
            prefix: "mail.".to_owned(),
            separator: ".".to_owned(),
            mailboxes: vec![sent],
            ..settings::Namespace::named("")
        };
        let expected = Shown {
            prefix: "mail.".to_owned(),
            separator: '.',
            special_use: vec![("mail.Sent".to_owned(), SpecialUse::Sent)],
        };
        assert_eq!(shown(&namespace, '/'), expected);
    }
}
