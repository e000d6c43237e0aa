//! `doveadm deduplicate`: of messages that are in a mailbox several times, all but the first go (doveadm-deduplicate(1)).

use std::collections::HashSet;

use imap::outside::Letter;
use mailbox::UidSet;
use message::header;

use super::find::{self, Found};
use super::query::Query;
use super::transfer;
use super::{Command, Formatter, Rows, Task, UserMail, Words, Wrong};

pub(super) const COMMAND: Command = Command {
    name: "deduplicate",
    usage: "[-m] <search query>",
    options: ("m", "", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make,
};

struct Deduplicate {
    query: Query,
    /// Messages are the same by their Message-ID, not by their GUID.
    by_message_id: bool,
}

fn make(words: &Words) -> Result<Box<dyn Task>, Wrong> {
    Ok(Box::new(Deduplicate {
        query: words.query(&words.args)?,
        by_message_id: words.has('m'),
    }))
}

impl Task for Deduplicate {
    fn run(&mut self, mail: &mut UserMail, _rows: &mut Rows<'_>) {
        let by_message_id = self.by_message_id;
        let wrong = |name: &str| format!("Mailbox {name}: Mailbox sync failed");
        find::each(mail, &self.query, wrong, |mail, found| {
            let done = doubled(mail, &found, by_message_id).and_then(|uids| match uids.is_empty() {
                true => Ok(()),
                false => transfer::remove(&*mail.store, found.finder.id(), &uids),
            });
            if let Err(error) = done {
                mail.failed(&format!("Mailbox {}: Mailbox sync failed", found.name), &error);
            }
        });
    }
}

/// The messages that are not the first of their kind.
fn doubled(mail: &UserMail, found: &Found, by_message_id: bool) -> mailbox::Result<UidSet> {
    let (mut known, mut doubled) = (HashSet::new(), UidSet::new());
    for (_, state, _) in found.messages() {
        let key = match by_message_id {
            // Copies of one content have one id, wherever they are.
            false => Some(state.email_id.to_be_bytes().to_vec()),
            true => {
                let body = match mail.store.body(found.finder.id(), state.uid) {
                    Err(mailbox::Error::NoSuchMessage(_)) => continue,
                    body => body?,
                };
                let mut letter = Letter::new(body);
                let field = header::find(letter.header()?, "message-id");
                field.map(|field| field.unfolded().trim_ascii().to_vec())
            }
        };
        if key.is_some_and(|key| !known.insert(key)) {
            doubled.insert(state.uid);
        }
    }
    Ok(doubled)
}
