//! `doveadm save`: puts a message into a mailbox (doveadm-save(1)).

use std::io::Read;

use mailbox::Flags;

use super::{Command, Formatter, Rows, TEMPORARY, Task, UserMail, Words, Wrong, now_secs};

/// How much of the message is read at once, in octets.
const PIECE_BYTES: usize = 64 * 1024;

pub(super) const COMMAND: Command = Command {
    name: "save",
    usage: "[-m mailbox]",
    options: ("", "m", &[]),
    formatter: Formatter::Flow,
    reads_input: true,
    make,
};

struct Save {
    mailbox: String,
    /// Where the message is, if not on standard input.
    file: Option<String>,
}

fn make(words: &Words) -> Result<Box<dyn Task>, Wrong> {
    let file = match words.args.as_slice() {
        [] => None,
        [file] => Some(file.clone()),
        _ => return Err(Wrong::Usage),
    };
    Ok(Box::new(Save {
        mailbox: words.value("m").unwrap_or("INBOX").to_owned(),
        file,
    }))
}

impl Task for Save {
    fn run(&mut self, mail: &mut UserMail, _rows: &mut Rows<'_>) {
        let mut source: Box<dyn Read> = match &self.file {
            None => Box::new(std::io::stdin().lock()),
            Some(file) => match std::fs::File::open(file) {
                Ok(opened) => Box::new(opened),
                Err(error) => {
                    return mail.error(TEMPORARY, &format!("open({file}) failed: {}", os::words(&error)));
                }
            },
        };
        let name = mail.name(&self.mailbox);
        let opened = match mail.store.open(&name) {
            Ok(opened) => opened,
            Err(error) => return mail.failed(&format!("Failed to open mailbox {}", self.mailbox), &error),
        };
        let saved = mail.store.append(&opened.id).and_then(|mut append| {
            append.start(Flags::default(), now_secs())?;
            let mut piece = vec![0; PIECE_BYTES];
            loop {
                let read = source.read(&mut piece).map_err(|source| mailbox::Error::Io {
                    what: "cannot read the message".to_owned(),
                    source,
                })?;
                match read {
                    0 => return append.commit(),
                    count => append.write(&piece[..count])?,
                }
            }
        });
        if let Err(error) = saved {
            mail.failed(&format!("Saving failed: Mailbox {}", self.mailbox), &error);
        }
    }
}
