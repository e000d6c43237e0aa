//! `doveadm mailbox delete`.

use mailbox::{Error, MailboxName, Result};

use super::{Command, Formatter, Rows, Task, UserMail, Words, Wrong, complaint, names};
use crate::doveadm::{TEMPORARY, USAGE};

pub(super) const COMMAND: Command = Command {
    name: "mailbox delete",
    usage: "[-e] [-r] [-s] [-Z] <mailbox> [...]",
    options: ("ersZ", "", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make,
};

struct Delete {
    names: Vec<String>,
    /// Only if they are empty.
    if_empty: bool,
    /// With all that is below them.
    with_children: bool,
    unsubscribes: bool,
}

fn make(words: &Words) -> std::result::Result<Box<dyn Task>, Wrong> {
    Ok(Box::new(Delete {
        names: names(words)?,
        if_empty: words.has('e'),
        with_children: words.has('r'),
        unsubscribes: words.has('s'),
    }))
}

impl Task for Delete {
    fn run(&mut self, mail: &mut UserMail, _rows: &mut Rows<'_>) {
        let mut names: Vec<MailboxName> = Vec::new();
        for text in &self.names {
            if let Some(why) = complaint(text, mail.separator()) {
                mail.error(
                    USAGE,
                    &format!("Can't delete mailbox {text}: Invalid mailbox name: {why}"),
                );
                continue;
            }
            let name = mail.name(text);
            if self.with_children {
                match children(mail, &name) {
                    Ok(children) => names.extend(children),
                    Err(error) => mail.failed("Failed to iterate mailboxes", &error),
                }
            }
            names.push(name);
        }
        // What is below another one goes first.
        names.sort_by(|one, other| other.cmp(one));
        names.dedup();
        for name in names {
            match self.is_wanted(mail, &name) {
                Ok(true) => {}
                Ok(false) => {
                    mail.error(
                        TEMPORARY,
                        &format!("Can't delete mailbox {name}: Mailbox isn't empty"),
                    );
                    continue;
                }
                Err(error) => {
                    mail.failed(&format!("Can't delete mailbox {name}"), &error);
                    continue;
                }
            }
            let done = mail.store.delete(&name).and_then(|()| match self.unsubscribes {
                true => mail.store.subscribe(&name, false),
                false => Ok(()),
            });
            if let Err(error) = done {
                mail.failed(&format!("Can't delete mailbox {name}"), &error);
            }
        }
    }
}

impl Delete {
    fn is_wanted(&self, mail: &UserMail, name: &MailboxName) -> Result<bool> {
        if !self.if_empty || name.is_inbox() {
            return Ok(true);
        }
        match mail.store.open(name) {
            Ok(opened) => Ok(mail.store.status(&opened.id)?.messages == 0),
            Err(Error::NotSelectable(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

fn children(mail: &UserMail, name: &MailboxName) -> Result<Vec<MailboxName>> {
    let above = format!("{name}{}", mail.separator());
    let entries = mail.store.list()?.into_iter();
    Ok(entries
        .map(|entry| entry.name)
        .filter(|name| name.as_str().starts_with(&above))
        .collect())
}
