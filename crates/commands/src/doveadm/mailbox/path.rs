//! `doveadm mailbox path`: where a mailbox lies.

use agent::location::{self, Location};
use mailbox::mutf7;

use super::{Cell, Column, Command, Formatter, Rows, Shape, Task, UserMail, Words, Wrong};
use crate::doveadm::TEMPORARY;

pub(super) const COMMAND: Command = Command {
    name: "mailbox path",
    usage: "[-t <type>] <mailbox>",
    options: ("", "t", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make,
};

/// Of what: all of it lies in one place here.
const KINDS: [&str; 6] = ["dir", "alt-dir", "mailbox", "alt-mailbox", "control", "index"];

struct Path(String);

fn make(words: &Words) -> Result<Box<dyn Task>, Wrong> {
    let [name] = words.exactly()?;
    match words.value("t") {
        Some(kind) if !KINDS.contains(&kind) => Err(Wrong::Usage),
        _ => Ok(Box::new(Path(name.to_owned()))),
    }
}

impl Task for Path {
    fn columns(&self) -> Vec<Column> {
        vec![Column::new("path", Shape::Untitled)]
    }

    fn run(&mut self, mail: &mut UserMail, rows: &mut Rows<'_>) {
        let account = &mail.account;
        let location = location::parse(&account.mail_location, &account.user, account.home.as_deref());
        let location = match location {
            Ok(location) => location,
            Err(error) => return mail.error(TEMPORARY, &error.to_string()),
        };
        let name = mail.name(&self.0);
        let namespaces = mail.store.namespaces();
        let prefix = namespaces
            .first()
            .map_or("", |namespace| namespace.prefix.as_str());
        let own = name.as_str().strip_prefix(prefix).unwrap_or(name.as_str());
        let separator = mail.separator().to_string();
        let path = match location {
            Location::Maildir { root } if name.is_inbox() => root,
            Location::Maildir { root } => {
                root.join(format!(".{}", mutf7::encode(own).replace(&separator, ".")))
            }
            Location::Mbox { inbox, .. } if name.is_inbox() => inbox,
            Location::Mbox { root, .. } => root.join(mutf7::encode(own).replace(&separator, "/")),
        };
        rows.add(vec![Cell::from(path.to_string_lossy().into_owned())]);
    }
}
