//! `doveadm mailbox list`.

use mailbox::mutf7;

use super::{Cell, Column, Command, Formatter, Rows, Shape, Task, UserMail, Words, Wrong};
use crate::doveadm::mail::fits;

pub(super) const COMMAND: Command = Command {
    name: "mailbox list",
    usage: "[-7|-8] [-s] [<mailbox mask> [...]]",
    options: ("78s", "", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make,
};

struct List {
    masks: Vec<String>,
    /// Only names that are subscribed to.
    subscribed: bool,
    /// In modified UTF-7.
    encodes: bool,
}

fn make(words: &Words) -> Result<Box<dyn Task>, Wrong> {
    let masks = match words.args.is_empty() {
        true => vec!["*".to_owned()],
        false => words.args.clone(),
    };
    Ok(Box::new(List {
        masks,
        subscribed: words.has('s'),
        encodes: words.has('7') && !words.has('8'),
    }))
}

impl Task for List {
    fn columns(&self) -> Vec<Column> {
        vec![Column::new("mailbox", Shape::Untitled)]
    }

    fn run(&mut self, mail: &mut UserMail, rows: &mut Rows<'_>) {
        let names = match self.subscribed {
            true => mail.store.subscriptions(),
            false => mail
                .store
                .list()
                .map(|entries| entries.into_iter().map(|entry| entry.name).collect()),
        };
        let mut names = match names {
            Ok(names) => names,
            Err(error) => return mail.failed("Listing mailboxes failed", &error),
        };
        names.retain(|name| self.masks.iter().any(|mask| fits(mask, name, mail)));
        // A name without wildcards is told whether there is such a mailbox or not.
        let exact = self.masks.iter().filter(|mask| !mask.contains(['*', '%', '?']));
        for name in exact.filter(|_| !self.subscribed).map(|mask| mail.name(mask)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        for name in names {
            rows.add(vec![match self.encodes {
                true => Cell::from(mutf7::encode(name.as_str())),
                false => Cell::from(name.as_str()),
            }]);
        }
    }
}
