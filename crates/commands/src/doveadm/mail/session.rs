//! One user's mail while a command works on it, and what is said when something goes wrong with it.

use std::sync::Arc;

use ::auth::Account;
use mailbox::{Error, MailboxName, Store};
use settings::Dovecot;

use crate::eprint_line;

/// sysexits(3), as Dovecot uses them.
pub(in crate::doveadm) const IMPOSSIBLE: u8 = 65;
pub(in crate::doveadm) const NOT_FOUND: u8 = 68;
const NO_ROOM: u8 = 73;

/// One user's mail.
pub(in crate::doveadm) struct UserMail {
    pub(in crate::doveadm) account: Account,
    pub(in crate::doveadm) settings: Arc<Dovecot>,
    pub(in crate::doveadm) store: Arc<dyn Store>,
    /// What the command will end with.
    pub(super) code: u8,
}

impl UserMail {
    /// The mail of an account.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub(super) fn open(account: Account, settings: Arc<Dovecot>) -> Result<UserMail, String> {
        let store = store_of(&account, &settings)?;
        Ok(UserMail {
            account,
            settings,
            store,
            code: 0,
        })
    }

    /// A mailbox's name as the user writes it.
    pub(in crate::doveadm) fn name(&self, text: &str) -> MailboxName {
        MailboxName::new(text, self.separator())
    }

    pub(in crate::doveadm) fn separator(&self) -> char {
        let namespaces = self.store.namespaces();
        namespaces.first().map_or('/', |namespace| namespace.separator)
    }

    /// Tells of an error.
    pub(in crate::doveadm) fn error(&mut self, code: u8, text: &str) {
        eprint_line(&format!("doveadm({}): Error: {text}", self.account.user));
        self.code = code;
    }

    /// Tells that `what` could not be done.
    pub(in crate::doveadm) fn failed(&mut self, what: &str, error: &Error) {
        self.error(code_of(error), &format!("{what}: {}", words_of(error)));
    }
}

/// What opens an account's mail, wherever it lies.
///
/// # Errors
/// Why it cannot be opened.
pub(in crate::doveadm) fn store_of(account: &Account, settings: &Dovecot) -> Result<Arc<dyn Store>, String> {
    let user = account.user.clone();
    let report = Arc::new(move |text: &str| eprint_line(&format!("doveadm({user}): Warning: {text}")));
    let stores = agent::stores::Stores::default();
    stores
        .of(account, (settings, agent::quota::By::Session), report)
        .map_err(|error| error.to_string())
}

fn code_of(error: &Error) -> u8 {
    match error {
        Error::NoSuchMailbox(_) => NOT_FOUND,
        Error::MailboxExists(_) | Error::NotSelectable(_) | Error::HasChildren(_) => IMPOSSIBLE,
        Error::InvalidName(name, _) if name == "INBOX" => IMPOSSIBLE,
        Error::InvalidName(..) => super::USAGE,
        Error::OverLimit(_) => NO_ROOM,
        Error::ReadOnly(_) => crate::doveadm::NO_PERMISSION,
        _ => super::TEMPORARY,
    }
}

/// An error in Dovecot's words where it has some.
pub(in crate::doveadm) fn words_of(error: &Error) -> String {
    match error {
        Error::MailboxExists(_) => "Mailbox already exists".to_owned(),
        Error::InvalidName(name, why) if name == "INBOX" => format!("{}.", why.trim_end_matches('.')),
        Error::InvalidName(_, why) => format!("Invalid mailbox name: {why}"),
        other => other.to_string(),
    }
}
