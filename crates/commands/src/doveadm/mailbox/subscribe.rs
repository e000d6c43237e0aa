//! `doveadm mailbox subscribe` and `doveadm mailbox unsubscribe`.

use super::{Command, Formatter, Rows, Task, UserMail, Words, Wrong, complaint, names};
use crate::doveadm::USAGE;

pub(super) const SUBSCRIBE: Command = Command {
    name: "mailbox subscribe",
    usage: "<mailbox> [...]",
    options: ("", "", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make: |words| make(words, Wish::Subscribe),
};

pub(super) const UNSUBSCRIBE: Command = Command {
    name: "mailbox unsubscribe",
    make: |words| make(words, Wish::Unsubscribe),
    ..SUBSCRIBE
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Subscribe,
    Unsubscribe,
}

struct Subscribe {
    names: Vec<String>,
    wish: Wish,
}

fn make(words: &Words, wish: Wish) -> Result<Box<dyn Task>, Wrong> {
    Ok(Box::new(Subscribe {
        names: names(words)?,
        wish,
    }))
}

impl Task for Subscribe {
    fn run(&mut self, mail: &mut UserMail, _rows: &mut Rows<'_>) {
        let word = match self.wish {
            Wish::Subscribe => "subscribe to",
            Wish::Unsubscribe => "unsubscribe from",
        };
        for text in &self.names {
            let what = format!("Can't mailbox {word} {text}");
            if let Some(why) = complaint(text, mail.separator()) {
                mail.error(USAGE, &format!("{what}: Invalid mailbox name: {why}"));
                continue;
            }
            let name = mail.name(text);
            let done = mail.store.subscribe(&name, self.wish == Wish::Subscribe);
            if let Err(error) = done {
                mail.failed(&what, &error);
            }
        }
    }
}
