//! `doveadm mailbox create`.

use super::{Command, Formatter, Rows, Task, UserMail, Words, Wrong, complaint, names};
use crate::doveadm::USAGE;

pub(super) const COMMAND: Command = Command {
    name: "mailbox create",
    usage: "[-s] [-g <guid>] <mailbox> [...]",
    options: ("s", "g", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make,
};

struct Create {
    names: Vec<String>,
    subscribes: bool,
}

fn make(words: &Words) -> Result<Box<dyn Task>, Wrong> {
    if words.value("g").is_some() {
        return Err(Wrong::fatal(
            "-g: the GUID of a mailbox is made of what it is called for good; none can be given",
        ));
    }
    Ok(Box::new(Create {
        names: names(words)?,
        subscribes: words.has('s'),
    }))
}

impl Task for Create {
    fn run(&mut self, mail: &mut UserMail, _rows: &mut Rows<'_>) {
        for text in &self.names {
            let what = format!("Can't create mailbox {text}");
            if let Some(why) = complaint(text, mail.separator()) {
                mail.error(USAGE, &format!("{what}: Invalid mailbox name: {why}"));
                continue;
            }
            let node = text.strip_suffix(mail.separator());
            let name = mail.name(node.unwrap_or(text));
            let made = match node {
                Some(_) => mail.store.create_node(&name),
                None => mail.store.create(&name, None),
            };
            let done = made.and_then(|()| match self.subscribes {
                true => mail.store.subscribe(&name, true),
                false => Ok(()),
            });
            if let Err(error) = done {
                mail.failed(&what, &error);
            }
        }
    }
}
