//! `postcat`: shows queued messages, as Postfix's postcat(1) does.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use envelope::QueueId;
use queue::admin::{self, Place, View};
use queue::maildrop;
use world::World;

use crate::getopt::{self, Part};
use crate::mail_queue::{MailQueue, full_date, id_of_path, is_missing, is_queue_id};
use crate::{Invocation, eprint_line, print_bytes, print_line};

const HELP: &str = "usage: postcat [-bdehorv] [-c DIR] [-s OFFSET] -q ID ...
Shows queued messages: envelope, header and body.
  -q       the words that follow are queue ids; without it they are paths QUEUE/ID below the queue directory
  -b       shows the body
  -e       shows the envelope
  -h       shows the header
  -d       shows the number of each record's type, -v the names of lines of the content, -o their offsets
  -s OFFSET  shows the content from this offset on
  -r       is taken: records are always shown in the order of the queue
  -c DIR   takes DIR/main.cf (MAIL_CONFIG does the same)";

const USAGE: &str = "usage: postcat [-b (body text)] [-c config_dir] [-d (decimal record type)] [-e (envelope records)] [-h (header text)] [-q (access queue)] [-v] [file(s)...]";
/// How often a message is looked for while the mail system rewrites its log at the same time.
const LOOKS: usize = 3;

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    config_directory: Option<String>,
    by_id: bool,
    view: View,
    words: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    match wanted_of(&invocation.args).and_then(|wanted| show_all(&wanted)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprint_line(&format!("postcat: fatal: {text}"));
            ExitCode::FAILURE
        }
    }
}

fn wanted_of(args: &[String]) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    let parts = getopt::parts_of(args, "qbehdovr", "cs").map_err(|why| {
        eprint_line(&format!("postcat: {why}"));
        USAGE
    })?;
    for part in parts {
        match part {
            Part::Flag('q') => wanted.by_id = true,
            Part::Flag('b') => wanted.view.parts.body = true,
            Part::Flag('e') => wanted.view.parts.envelope = true,
            Part::Flag('h') => wanted.view.parts.header = true,
            Part::Flag('d') => wanted.view.types = true,
            Part::Flag('o') => wanted.view.offsets = true,
            Part::Flag('v') => wanted.view.names = true,
            // There are no pointers between our records that could be followed or not.
            Part::Flag(_) => {}
            Part::Value('s', value) => {
                let offset = value.parse().map_err(|_| format!("bad offset: {value}"))?;
                wanted.view.skip_bytes = offset;
            }
            Part::Value(_, value) => wanted.config_directory = Some(value),
            Part::Word(word) => wanted.words.push(word),
        }
    }
    Ok(wanted)
}

fn show_all(wanted: &Wanted) -> Result<(), String> {
    let queue = MailQueue::of(wanted.config_directory.as_deref())?;
    for word in &wanted.words {
        let (id, place) = if !wanted.by_id {
            match id_of_path(queue.directory(), word) {
                Some(id) => (id, Place::Named(word)),
                None => {
                    unusable_file(word)?;
                    continue;
                }
            }
        } else if is_queue_id(word) {
            (QueueId::parse(word).ok_or_else(|| missing(word))?, Place::Queue)
        } else {
            return Err(format!("bad mail queue ID: {word}"));
        };
        match text_of(&queue, (&id, place), wanted.view) {
            Ok(text) => print_bytes(&text),
            // A file that only looks like one of this queue.
            Err(_) if place != Place::Queue && Path::new(word).is_file() => unusable_file(word)?,
            Err(why) => return Err(why),
        }
    }
    Ok(())
}

/// The message as it lies on disk, be the mail system up or down.
fn text_of(queue: &MailQueue, (id, place): (&QueueId, Place<'_>), view: View) -> Result<Vec<u8>, String> {
    let mut last = missing(id.as_str());
    for _ in 0..LOOKS {
        let dropped = maildrop::read(queue.directory(), &World::real(), id);
        let shown = match dropped {
            Ok(dropped) => admin::dump_dropped((dropped, place), view, &full_date),
            Err(error) if is_missing(&error) => queue
                .open_to_look()
                .and_then(|spool| admin::dump(&spool, (id, place), view, &full_date)),
            Err(error) => Err(error),
        };
        match shown {
            Ok(text) => return Ok(text),
            Err(error) if is_missing(&error) => last = missing(id.as_str()),
            Err(error) => last = format!("open queue file {id}: {error}"),
        }
    }
    Err(last)
}

fn missing(id: &str) -> String {
    format!("open queue file {id}: No such file or directory")
}

/// Says of a file that it is no message; one that is not there ends the command.
fn unusable_file(path: &str) -> Result<(), String> {
    let trouble = |error: std::io::Error| format!("open {path}: {}", os::words(&error));
    let mut start = Vec::new();
    let file = std::fs::File::open(path).map_err(trouble)?;
    // A directory can be opened, but not read.
    let read = file.take(RECORD_BYTES as u64).read_to_end(&mut start);
    let text = if read.is_ok() && is_postfix_file(&start) {
        "input is a queue file of Postfix, not of this queue; the postcat of Postfix shows it"
    } else {
        "input is not a valid queue file; postcat -q ID shows a message"
    };
    eprint_line(&format!("postcat: warning: {path}: {text}"));
    Ok(())
}

/// What the first record of a queue file of Postfix takes: its type, its length, numbers in columns of 15 with blanks between.
const RECORD_BYTES: usize = 97;

fn is_postfix_file(start: &[u8]) -> bool {
    let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b' ';
    match start {
        [b'C', length, numbers @ ..] => {
            usize::from(*length) == RECORD_BYTES - 2
                && numbers.len() == RECORD_BYTES - 2
                && numbers.iter().all(is_number)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue::admin::Parts;

    fn wanted(line: &str) -> Result<Wanted, String> {
        wanted_of(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn arguments() {
        let view = View {
            parts: Parts {
                header: true,
                body: true,
                envelope: false,
            },
            types: true,
            skip_bytes: 7,
            ..View::default()
        };
        assert_eq!(
            wanted("-bhq -ds7 -c/x ABCDEF1 ABCDEF2"),
            Ok(Wanted {
                config_directory: Some("/x".into()),
                by_id: true,
                view,
                words: vec!["ABCDEF1".into(), "ABCDEF2".into()],
            })
        );
        assert_eq!(wanted("-x"), Err(USAGE.to_owned()));
        assert_eq!(
            wanted("-q").map(|wanted| wanted.words),
            Ok(Vec::new()),
            "nothing is shown"
        );
        assert_eq!(wanted("-sx A"), Err("bad offset: x".to_owned()));
    }

    #[test]
    fn queue_files_of_postfix_are_known() {
        let numbers = format!("{:15} {:15} {:15} {:15} {:15} {:15}", 282, 350, 2, 0, 282, 0);
        let file = [b"C\x5f", numbers.as_bytes()].concat();
        assert!(is_postfix_file(&file));
        assert!(!is_postfix_file(&file[..96]));
        assert!(!is_postfix_file(b"Content-Type: text/plain\n"));
        assert!(!is_postfix_file(b""));
    }

    #[test]
    fn paths_of_the_queue_are_ids() {
        let directory = Path::new("/q");
        let id = |path| id_of_path(directory, path).map(|id| id.to_string());
        assert_eq!(id("/q/deferred/E/E69259AE0B7").as_deref(), Some("E69259AE0B7"));
        assert_eq!(id("deferred/E69259AE0B7").as_deref(), Some("E69259AE0B7"));
        assert_eq!(id("E69259AE0B7"), None);
        assert_eq!(id("/q/deferred/.."), None);
        assert_eq!(id("/etc/passwd"), None);
    }
}
