//! `doveadm search`: the mailboxes and UIDs of the messages that a query finds (doveadm-search(1)).

use super::find::{self, guid_of};
use super::query::Query;
use super::{Column, Command, Formatter, Rows, Shape, Task, UserMail, Words, Wrong};

pub(super) const COMMAND: Command = Command {
    name: "search",
    usage: "<search query>",
    options: ("", "", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make,
};

struct Search(Query);

fn make(words: &Words) -> Result<Box<dyn Task>, Wrong> {
    Ok(Box::new(Search(words.query(&words.args)?)))
}

impl Task for Search {
    fn columns(&self) -> Vec<Column> {
        ["mailbox-guid", "uid"]
            .map(|name| Column::new(name, Shape::Untitled))
            .into()
    }

    fn run(&mut self, mail: &mut UserMail, rows: &mut Rows<'_>) {
        let wrong = |name: &str| format!("Couldn't get mailbox '{name}' GUID");
        find::each(mail, &self.0, wrong, |mail, found| {
            let guid = guid_of(mail, &found.finder);
            for uid in found.uids.iter() {
                rows.add(vec![guid.as_str().into(), uid.to_string().into()]);
            }
        });
    }
}
