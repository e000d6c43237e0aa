//! `doveadm mailbox rename`.

use super::{Command, Formatter, Rows, Task, UserMail, Words, Wrong, complaint};
use crate::doveadm::USAGE;
use crate::doveadm::mail::IMPOSSIBLE;

pub(super) const COMMAND: Command = Command {
    name: "mailbox rename",
    usage: "[-s] <old name> <new name>",
    options: ("s", "", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make,
};

struct Rename {
    from: String,
    to: String,
    /// The new name is subscribed to, and the old one no longer.
    subscribes: bool,
}

fn make(words: &Words) -> Result<Box<dyn Task>, Wrong> {
    let [from, to] = words.exactly()?;
    Ok(Box::new(Rename {
        from: from.to_owned(),
        to: to.to_owned(),
        subscribes: words.has('s'),
    }))
}

impl Task for Rename {
    fn run(&mut self, mail: &mut UserMail, _rows: &mut Rows<'_>) {
        let what = format!("Can't rename mailbox {} to {}", self.from, self.to);
        let separator = mail.separator();
        let wrong = complaint(&self.from, separator).or_else(|| complaint(&self.to, separator));
        if let Some(why) = wrong {
            return mail.error(USAGE, &format!("{what}: Invalid mailbox name: {why}"));
        }
        let (from, to) = (mail.name(&self.from), mail.name(&self.to));
        if from.is_inbox() {
            return mail.error(IMPOSSIBLE, &format!("{what}: Renaming INBOX isn't supported."));
        }
        if from == to {
            return mail.error(IMPOSSIBLE, &format!("{what}: Can't rename mailbox to itself."));
        }
        let renamed = mail.store.rename(&from, &to);
        let done = renamed.and_then(|()| match self.subscribes {
            true => {
                mail.store.subscribe(&to, true)?;
                mail.store.subscribe(&from, false)
            }
            false => Ok(()),
        });
        if let Err(error) = done {
            mail.failed(&what, &error);
        }
    }
}
