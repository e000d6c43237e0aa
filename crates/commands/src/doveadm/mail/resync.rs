//! `doveadm force-resync`: has the indexes of mailboxes look at everything again (doveadm-force-resync(1)).

use super::index::names;
use super::{Command, Formatter, Rows, Task, UserMail, Words, Wrong};

pub(super) const COMMAND: Command = Command {
    name: "force-resync",
    usage: "[-f] <mailbox mask>",
    options: ("f", "", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make,
};

struct Resync(String);

fn make(words: &Words) -> Result<Box<dyn Task>, Wrong> {
    let [mask] = words.exactly()?;
    Ok(Box::new(Resync(mask.to_owned())))
}

impl Task for Resync {
    fn run(&mut self, mail: &mut UserMail, _rows: &mut Rows<'_>) {
        let names = match names(mail, &self.0) {
            Ok(names) => names,
            Err(error) => return mail.failed("Failed to iterate mailboxes", &error),
        };
        for name in names {
            let done = mail
                .store
                .open(&name)
                .and_then(|opened| mail.store.rescan(&opened.id));
            if let Err(error) = done {
                mail.failed(&format!("Forcing a resync on mailbox {name} failed"), &error);
            }
        }
    }
}
