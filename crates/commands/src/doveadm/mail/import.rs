//! `doveadm import`: messages from any place where mail lies into the user's mailboxes (doveadm-import(1)).

use std::sync::Arc;

use mailbox::{MailboxName, Store};

use super::find::{self, Found};
use super::query::Query;
use super::session::store_of;
use super::{Command, Formatter, Rows, TEMPORARY, Task, UserMail, Words, Wrong, copy, transfer};

pub(super) const COMMAND: Command = Command {
    name: "import",
    usage: "[-U source-user] [-s] <source mail location> <dest parent mailbox> <search query>",
    options: ("s", "U", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make,
};

struct Import {
    source: String,
    /// Whose `~` the source's is, if not the same user's.
    source_user: Option<String>,
    /// Below which mailbox; empty for none.
    parent: String,
    /// The mailboxes are subscribed to.
    subscribes: bool,
    query: Query,
}

fn make(words: &Words) -> Result<Box<dyn Task>, Wrong> {
    let ([source, parent], query) = words.split()?;
    Ok(Box::new(Import {
        source: source.to_owned(),
        source_user: words.value("U").map(str::to_owned),
        parent: parent.to_owned(),
        subscribes: words.has('s'),
        query: words.query(query)?,
    }))
}

impl Task for Import {
    fn run(&mut self, mail: &mut UserMail, _rows: &mut Rows<'_>) {
        let mut source = match self.open(mail) {
            Ok(source) => source,
            Err((code, text)) => return mail.error(code, &text),
        };
        let destination = Destination {
            store: Arc::clone(&mail.store),
            separator: mail.separator(),
            import: self,
        };
        let wrong = |name: &str| format!("Mailbox {name}: Mailbox sync failed");
        find::each(&mut source, &self.query, wrong, |source, found| {
            if let Err(error) = destination.take(source, &found) {
                source.failed(
                    &format!("Mailbox {}: Importing messages failed", found.name),
                    &error,
                );
            }
        });
        mail.code = mail.code.max(source.code);
    }
}

impl Import {
    fn open(&self, mail: &UserMail) -> Result<UserMail, (u8, String)> {
        let owner = match &self.source_user {
            None => mail.account.clone(),
            Some(user) => copy::source_of(mail, user)?.account,
        };
        let account = ::auth::Account {
            mail_location: self.source.clone(),
            user: mail.account.user.clone(),
            ..owner
        };
        // Names and limits of the destination are not those of the source.
        let settings = settings::Dovecot {
            mail_plugins: Vec::new(),
            namespaces: Vec::new(),
            ..(*mail.settings).clone()
        };
        let store = store_of(&account, &settings).map_err(|text| {
            let text = format!("Import namespace initialization failed: {text}");
            (TEMPORARY, text)
        })?;
        Ok(UserMail {
            account,
            settings: Arc::new(settings),
            store,
            code: 0,
        })
    }
}

struct Destination<'a> {
    store: Arc<dyn Store>,
    separator: char,
    import: &'a Import,
}

impl Destination<'_> {
    fn take(&self, source: &UserMail, found: &Found) -> mailbox::Result<()> {
        let separator = self.separator.to_string();
        let own = found.name.as_str().replace(source.separator(), &separator);
        let name = match self.import.parent.trim_end_matches(self.separator) {
            "" => own,
            parent => format!("{parent}{separator}{own}"),
        };
        let name = MailboxName::new(&name, self.separator);
        let opened = match self.store.open(&name) {
            Err(mailbox::Error::NoSuchMailbox(_) | mailbox::Error::NotSelectable(_)) => {
                self.store.create(&name, None)?;
                self.store.open(&name)?
            }
            opened => opened?,
        };
        if self.import.subscribes {
            self.store.subscribe(&name, true)?;
        }
        transfer::copy(source, found, (&*self.store, &opened.id))
    }
}
