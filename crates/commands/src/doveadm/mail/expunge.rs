//! `doveadm expunge`: removes messages for good (doveadm-expunge(1)).

use super::find;
use super::query::Query;
use super::transfer;
use super::{Command, Formatter, Rows, Task, USAGE, UserMail, Words, Wrong};

pub(super) const COMMAND: Command = Command {
    name: "expunge",
    usage: "[-d] <search query>",
    options: ("d", "", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make,
};

struct Expunge {
    query: Query,
    /// Mailboxes that are empty afterwards are deleted.
    deletes_empty: bool,
}

fn make(words: &Words) -> Result<Box<dyn Task>, Wrong> {
    let query = words.query(&words.args)?;
    match query.is_careful() {
        (false, _) => Err(Wrong::Fatal(
            USAGE,
            "expunge: To avoid accidents, search query must contain MAILBOX in all search branches".to_owned(),
        )),
        (_, false) => Err(Wrong::Fatal(
            USAGE,
            "expunge: To avoid accidents, each branch in search query must contain something else besides MAILBOX \
             (e.g. just add \"all\" if you want everything)"
                .to_owned(),
        )),
        _ => Ok(Box::new(Expunge {
            query,
            deletes_empty: words.has('d'),
        })),
    }
}

impl Task for Expunge {
    fn run(&mut self, mail: &mut UserMail, _rows: &mut Rows<'_>) {
        let wrong = |name: &str| format!("Syncing mailbox '{name}' failed");
        find::each(mail, &self.query, wrong, |mail, found| {
            let done = transfer::remove(&*mail.store, found.finder.id(), &found.uids);
            let done = done.and_then(|()| {
                let is_empty = self.deletes_empty
                    && !found.name.is_inbox()
                    && mail.store.status(found.finder.id())?.messages == 0;
                match is_empty {
                    true => mail.store.delete(&found.name),
                    false => Ok(()),
                }
            });
            if let Err(error) = done {
                mail.failed(&format!("Syncing mailbox '{}' failed", found.name), &error);
            }
        });
    }
}
