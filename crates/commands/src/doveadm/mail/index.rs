//! `doveadm index` and `doveadm purge`: what the indexes of mailboxes are to know beforehand (doveadm-index(1)); and what formats
//! that are not here keep of expunged messages (doveadm-purge(1)).

use mailbox::Result;

use super::find::fits;
use super::{Command, Formatter, Rows, Task, UserMail, Words, Wrong};

pub(super) const COMMAND: Command = Command {
    name: "index",
    usage: "[-q] [-n <max recent>] <mailbox mask>",
    options: ("q", "n", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make,
};

pub(super) const PURGE: Command = Command {
    name: "purge",
    usage: "",
    options: ("", "", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make: |words| {
        words.exactly::<0>()?;
        Ok(Box::new(Purge))
    },
};

struct Index {
    mask: String,
    /// Mailboxes with more recent messages are left alone.
    recent_max: Option<u32>,
}

fn make(words: &Words) -> std::result::Result<Box<dyn Task>, Wrong> {
    let [mask] = words.exactly()?;
    let recent_max = match words.value("n") {
        None => None,
        Some(text) => Some(
            text.parse()
                .map_err(|_| Wrong::Fatal(super::USAGE, format!("Invalid -n parameter number: {text}")))?,
        ),
    };
    Ok(Box::new(Index {
        mask: mask.to_owned(),
        recent_max,
    }))
}

impl Task for Index {
    fn run(&mut self, mail: &mut UserMail, _rows: &mut Rows<'_>) {
        let names = match names(mail, &self.mask) {
            Ok(names) => names,
            Err(error) => return mail.failed("Failed to iterate mailboxes", &error),
        };
        for name in names {
            // Opening a mailbox and counting what is in it makes its index know every message.
            let done = mail.store.open(&name).and_then(|opened| {
                let status = mail.store.status(&opened.id)?;
                match self.recent_max {
                    Some(most) if status.recent > most => Ok(()),
                    _ => mail.store.changes(&opened.id, 0).map(drop),
                }
            });
            if let Err(error) = done {
                mail.failed(&format!("Mailbox {name}: Mailbox sync failed"), &error);
            }
        }
    }
}

/// The mailboxes that fit a mask.
pub(super) fn names(mail: &UserMail, mask: &str) -> Result<Vec<mailbox::MailboxName>> {
    let entries = mail.store.list()?.into_iter();
    let selectable = entries.filter(|entry| entry.selectable);
    Ok(selectable
        .map(|entry| entry.name)
        .filter(|name| fits(mask, name, mail))
        .collect())
}

/// Maildir and mbox keep nothing of what is expunged.
struct Purge;

impl Task for Purge {
    fn run(&mut self, _mail: &mut UserMail, _rows: &mut Rows<'_>) {}
}
