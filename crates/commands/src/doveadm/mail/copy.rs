//! `doveadm copy` and `doveadm move`: messages into another mailbox, also from another user's (doveadm-copy(1)).

use mailbox::store::MailboxId;

use super::find;
use super::query::Query;
use super::session::store_of;
use super::transfer;
use super::{Command, Formatter, NOT_FOUND, Rows, TEMPORARY, Task, UserMail, Words, Wrong};

pub(super) const COPY: Command = Command {
    name: "copy",
    usage: "<destination> [user <source user>] <search query>",
    options: ("", "", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make: |words| make(words, Manner::Copy),
};

pub(super) const MOVE: Command = Command {
    name: "move",
    make: |words| make(words, Manner::Move),
    ..COPY
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Copy,
    Move,
}

struct Transfer {
    manner: Manner,
    destination: String,
    /// Whose messages, if not the same user's.
    source: Option<String>,
    query: Query,
}

fn make(words: &Words, manner: Manner) -> Result<Box<dyn Task>, Wrong> {
    let ([destination], rest) = words.split()?;
    let (source, query) = match rest {
        [user, source, query @ ..] if user.eq_ignore_ascii_case("user") => (Some(source.clone()), query),
        query => (None, query),
    };
    Ok(Box::new(Transfer {
        manner,
        destination: destination.to_owned(),
        source,
        query: words.query(query)?,
    }))
}

impl Task for Transfer {
    fn run(&mut self, mail: &mut UserMail, _rows: &mut Rows<'_>) {
        let name = mail.name(&self.destination);
        let destination = match mail.store.open(&name) {
            Ok(opened) => opened.id,
            Err(error) => return mail.failed(&format!("Can't open mailbox '{}'", self.destination), &error),
        };
        match self.source.clone() {
            None => self.within(mail, &destination),
            Some(source) => self.between(mail, &source, &destination),
        }
    }
}

impl Transfer {
    fn within(&self, mail: &mut UserMail, destination: &MailboxId) {
        let manner = self.manner;
        find::each(mail, &self.query, sync_failed, |mail, found| {
            let (id, uids) = (found.finder.id(), &found.uids);
            let done = match manner {
                Manner::Copy => mail.store.copy(id, uids, destination),
                Manner::Move => mail.store.move_messages(id, uids, destination),
            };
            if let Err(error) = done {
                mail.failed(
                    &format!("Mailbox {}: Copying messages failed", found.name),
                    &error,
                );
            }
        });
    }

    /// From a user with the same rights to this one.
    fn between(&self, mail: &mut UserMail, source: &str, destination: &MailboxId) {
        let mut other = match source_of(mail, source) {
            Ok(other) => other,
            Err((code, text)) => return mail.error(code, &text),
        };
        let store = std::sync::Arc::clone(&mail.store);
        let manner = self.manner;
        find::each(&mut other, &self.query, sync_failed, |other, found| {
            let done = transfer::copy(other, &found, (&*store, destination));
            let done = done.and_then(|()| match manner {
                Manner::Copy => Ok(()),
                Manner::Move => transfer::remove(&*other.store, found.finder.id(), &found.uids),
            });
            if let Err(error) = done {
                other.failed(
                    &format!("Mailbox {}: Copying messages failed", found.name),
                    &error,
                );
            }
        });
        mail.code = mail.code.max(other.code);
    }
}

fn sync_failed(name: &str) -> String {
    format!("Mailbox {name}: Mailbox sync failed")
}

/// The mail of another user of the same uid.
pub(super) fn source_of(mail: &UserMail, user: &str) -> Result<UserMail, (u8, String)> {
    let (auth, _) = ::auth::Auth::new(&mail.settings);
    let account = auth.lookup(user, "doveadm").map_err(|text| (TEMPORARY, text))?;
    let account = account.ok_or_else(|| (NOT_FOUND, format!("User {user} doesn't exist")))?;
    if account.uid != mail.account.uid {
        let own = &mail.account.user;
        return Err((
            TEMPORARY,
            format!(
                "{user} and {own} have not the same uid: copying between them needs doveadm sync or import"
            ),
        ));
    }
    let store = store_of(&account, &mail.settings).map_err(|text| (TEMPORARY, text))?;
    Ok(UserMail {
        account,
        settings: std::sync::Arc::clone(&mail.settings),
        store,
        code: 0,
    })
}
