//! `postsuper`: deletes, expires, holds, releases and requeues queued mail, as Postfix's postsuper(1) does.

use std::collections::HashSet;
use std::io::BufRead;
use std::process::ExitCode;

use envelope::QueueId;
use ipc::control::{Action, Reply, Request, Selection};
use maillog::Line;
use maillog::lines::postsuper as lines;
use queue::admin::{self, Change};
use queue::{QueueName, Spool, maildrop};
use world::World;

use crate::getopt::{self, Part};
use crate::mail_queue::{Answer, CommandLog, MailQueue, is_missing, is_queue_id};
use crate::{Invocation, eprint_line, print_line};

const HELP: &str = "usage: postsuper [-c DIR] {-d | -e | -f | -h | -H | -r} {ID | ALL | -} ... [QUEUE ...]
Changes queued mail: one message, all of them, or those whose ids come on standard input, one a line.
  -d  deletes      -h  puts on hold      -H  releases from hold      -r  requeues: has it routed and tried anew
  -e  expires: it is returned at its next try      -f  the same, and releases it from hold
  -p, -s  are taken and have nothing to do: the queue repairs itself when it is opened
  QUEUE   only messages in these queues: maildrop, incoming, active, deferred, hold, corrupt
  -c DIR  takes DIR/main.cf (MAIL_CONFIG does the same)
Only root and the owner of the queue may do this.";

const USAGE: &str = "usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] [-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] [-H queue_id (un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)] [-s (structure fix)] [-S (redundant structure fix)][-v (verbose)] [queue...]";
/// The order in which the totals are reported.
const ORDER: [Change; 5] = [
    Change::Requeue,
    Change::Delete,
    Change::Expire,
    Change::Hold,
    Change::Release,
];
/// How many ids are read from standard input before these messages are changed.
const IDS_AT_ONCE: usize = 1_000;

/// The messages that one option names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    One(String),
    All,
    StandardInput,
}

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    config_directory: Option<String>,
    /// In the order of the arguments. More than one change is made to each message in turn (`-f`).
    changes: Vec<(&'static [Change], Named)>,
    queues: Vec<QueueName>,
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let done = wanted_of(&invocation.args).and_then(perform);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprint_line(&format!("postsuper: fatal: {text}"));
            ExitCode::FAILURE
        }
    }
}

fn wanted_of(args: &[String]) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    let parts = getopt::parts_of(args, "psSv", "cdefhHr").map_err(|why| {
        eprint_line(&format!("postsuper: {why}"));
        USAGE
    })?;
    for part in parts {
        let (letter, value) = match part {
            Part::Flag(_) => continue,
            Part::Value(letter, value) => (letter, value),
            Part::Word(word) => {
                let queue = QueueName::parse(&word);
                wanted
                    .queues
                    .push(queue.ok_or_else(|| format!("invalid directory name: {word}"))?);
                continue;
            }
        };
        let changes: &'static [Change] = match letter {
            'd' => &[Change::Delete],
            'e' => &[Change::Expire],
            'f' => &[Change::Expire, Change::Release],
            'h' => &[Change::Hold],
            'H' => &[Change::Release],
            'r' => &[Change::Requeue],
            _ => {
                wanted.config_directory = Some(value);
                continue;
            }
        };
        let named = match value.as_str() {
            "ALL" => Named::All,
            "-" => Named::StandardInput,
            _ => Named::One(value),
        };
        wanted.changes.push((changes, named));
    }
    Ok(wanted)
}

fn perform(wanted: Wanted) -> Result<(), String> {
    let queue = MailQueue::of(wanted.config_directory.as_deref())?;
    if !queue.is_ours() {
        return Err("use of this command is reserved for the superuser".to_owned());
    }
    // The log is opened first: the owner of the queue may not be the one who may open it.
    let log = queue.log();
    let mut work = Work {
        queue,
        log,
        queues: wanted.queues,
        spool: None,
        totals: Vec::new(),
    };
    for (changes, named) in wanted.changes {
        // Their number is told even when nothing is named.
        changes.iter().for_each(|change| work.count(*change, 0));
        match named {
            Named::All => work.change_all(changes)?,
            Named::One(word) => work.change_named(changes, &[word])?,
            Named::StandardInput => {
                let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
                loop {
                    let some: Vec<String> = lines.by_ref().take(IDS_AT_ONCE).collect();
                    if some.is_empty() {
                        break;
                    }
                    work.change_named(changes, &some)?;
                }
            }
        }
    }
    work.report();
    Ok(())
}

/// What the changes work on.
struct Work {
    queue: MailQueue,
    log: Option<CommandLog>,
    /// The queues that are meant; none is all.
    queues: Vec<QueueName>,
    /// Opened when the mail system is down and there is something to change.
    spool: Option<Spool>,
    /// How many messages were changed, for each change that was asked for.
    totals: Vec<(Change, usize)>,
}

impl Work {
    fn change_all(&mut self, changes: &[Change]) -> Result<(), String> {
        for change in changes {
            let changed = self.make(*change, None)?;
            self.count(*change, changed.len());
        }
        Ok(())
    }

    /// Changes the messages with these ids, each in turn, and says of each what was done to it.
    fn change_named(&mut self, changes: &[Change], words: &[String]) -> Result<(), String> {
        let words = words.iter().map(|word| word.trim());
        let ids: Vec<QueueId> = words.clone().filter_map(QueueId::parse).collect();
        let mut done: Vec<(Change, HashSet<String>)> = Vec::new();
        for change in changes {
            let changed = self.make(*change, Some(&ids))?;
            self.count(*change, changed.len());
            done.push((*change, changed.into_iter().collect()));
        }
        for word in words {
            if !is_queue_id(word) {
                self.say(&lines::InvalidId { word });
            }
            // What is no id that a message can have was not changed.
            let Some(queue_id) = &QueueId::parse(word) else {
                continue;
            };
            for (change, changed) in &mut done {
                if changed.remove(word) {
                    let action = action_of(*change);
                    self.say(&lines::Changed { queue_id, action });
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, change: Change, messages: usize) {
        match self.totals.iter_mut().find(|(counted, _)| *counted == change) {
            Some((_, total)) => *total += messages,
            None => self.totals.push((change, messages)),
        }
    }

    /// Makes one change and returns the ids of the messages that were changed. `ids`: `None` is `ALL`.
    fn make(&mut self, change: Change, ids: Option<&[QueueId]>) -> Result<Vec<String>, String> {
        let mut changed = Vec::new();
        if change == Change::Delete && (self.queues.is_empty() || self.queues.contains(&QueueName::Maildrop))
        {
            changed = self.delete_dropped(ids)?;
        }
        changed.extend(match self.through_daemon(change, ids)? {
            Answer::Up(ids) => ids,
            Answer::Down => self.directly(change, ids)?,
        });
        Ok(changed)
    }

    /// Deletes what nobody has picked up yet.
    fn delete_dropped(&self, ids: Option<&[QueueId]>) -> Result<Vec<String>, String> {
        let (directory, world) = (self.queue.directory(), World::real());
        let mut deleted = Vec::new();
        for id in maildrop::scan(directory, &world).map_err(|error| error.to_string())? {
            if ids.is_none_or(|ids| ids.contains(&id)) {
                match maildrop::remove(directory, &world, &id) {
                    Ok(()) => deleted.push(id.to_string()),
                    Err(error) if is_missing(&error) => {}
                    // A stray directory, say: the messages behind it are still to be deleted.
                    Err(error) => eprint_line(&format!("postsuper: warning: {error}")),
                }
            }
        }
        Ok(deleted)
    }

    fn through_daemon(&self, change: Change, ids: Option<&[QueueId]>) -> Result<Answer<Vec<String>>, String> {
        let action = match change {
            Change::Delete => Action::Delete,
            Change::Expire => Action::Expire,
            Change::Hold => Action::Hold,
            Change::Release => Action::Release,
            Change::Requeue => Action::Requeue,
        };
        let selection = match ids {
            None => Selection::All,
            Some(ids) => Selection::Ids(ids.iter().map(ToString::to_string).collect()),
        };
        let queues = self.queues.iter().map(ToString::to_string).collect();
        let asked = self.queue.ask(&Request::Super(action, selection, queues));
        Ok(match asked.map_err(|error| error.to_string())? {
            Answer::Down => Answer::Down,
            Answer::Up(replies) => {
                let acted = replies.into_iter().filter_map(|reply| match reply {
                    Reply::Acted(ids) => Some(ids),
                    _ => None,
                });
                Answer::Up(acted.flatten().collect())
            }
        })
    }

    /// Changes the spool itself while the mail system is down.
    fn directly(&mut self, change: Change, ids: Option<&[QueueId]>) -> Result<Vec<String>, String> {
        let told = |error: queue::Error| error.to_string();
        let meant = admin::Selection {
            ids: ids.map(<[QueueId]>::to_vec),
            queues: self.queues.clone(),
        };
        let spool = match &self.spool {
            Some(spool) => spool,
            // Nothing is made where there is nothing to change.
            None if meant.of(&self.queue.open_to_look().map_err(told)?).is_empty() => return Ok(Vec::new()),
            None => self.spool.insert(self.queue.open_to_change()?),
        };
        let changed = admin::change(spool, change, &meant).map_err(told)?;
        spool.flush().map_err(told)?;
        Ok(changed.iter().map(ToString::to_string).collect())
    }

    /// Says and logs how many messages were changed.
    fn report(&self) {
        for change in ORDER {
            if let Some((_, messages)) = self.totals.iter().find(|(counted, _)| *counted == change) {
                self.say(&lines::Total {
                    action: action_of(change),
                    messages: *messages,
                });
            }
        }
    }

    fn say(&self, line: &dyn Line) {
        eprint_line(&format!("postsuper: {}", line.to_text()));
        if let Some(log) = &self.log {
            log.write(line);
        }
    }
}

fn action_of(change: Change) -> lines::Action {
    match change {
        Change::Delete => lines::Action::Deleted,
        Change::Expire => lines::Action::Expired,
        Change::Hold => lines::Action::Held,
        Change::Release => lines::Action::Released,
        Change::Requeue => lines::Action::Requeued,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail_queue;

    fn wanted(line: &str) -> Result<Wanted, String> {
        wanted_of(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn arguments() {
        assert_eq!(
            wanted("-c /x -d ALL -hABCDEF1 -d - deferred hold"),
            Ok(Wanted {
                config_directory: Some("/x".into()),
                changes: vec![
                    (&[Change::Delete], Named::All),
                    (&[Change::Hold], Named::One("ABCDEF1".into())),
                    (&[Change::Delete], Named::StandardInput),
                ],
                queues: vec![QueueName::Deferred, QueueName::Hold],
            })
        );
        assert_eq!(wanted("-ps"), Ok(Wanted::default()));
        let both: &[Change] = &[Change::Expire, Change::Release];
        assert_eq!(
            wanted("-f ALL").map(|wanted| wanted.changes),
            Ok(vec![(both, Named::All)])
        );
        assert_eq!(wanted("-d"), Err(USAGE.to_owned()));
        assert_eq!(wanted("-x"), Err(USAGE.to_owned()));
        assert_eq!(
            wanted("-d ALL bogus"),
            Err("invalid directory name: bogus".to_owned())
        );
    }

    fn work(queue: MailQueue) -> Work {
        let log = queue.log();
        Work {
            queue,
            log,
            queues: Vec::new(),
            spool: None,
            totals: Vec::new(),
        }
    }

    #[test]
    fn messages_are_changed_on_disk_while_the_mail_system_is_down() {
        let dir = tempfile::tempdir().expect("a directory");
        let (queue, ids) = mail_queue::tests::filled(dir.path());
        let [first, second, third] = [&ids[0], &ids[1], &ids[2]].map(ToString::to_string);
        let mut work = work(queue);
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let named = |work: &mut Work, changes: &[Change], ids: &[&str]| {
            work.change_named(changes, &words(ids)).expect("changed");
        };
        named(&mut work, &[Change::Hold], &["NONE1234", "no/id", &first, &third]);
        named(&mut work, &[Change::Expire, Change::Release], &[&second, &third]);
        work.queues = vec![QueueName::Deferred];
        named(&mut work, &[Change::Expire], &[&second]);
        drop(work.spool.take());
        let listed = mail_queue::tests::listed(&work.queue);
        let expired = listed.iter().filter(|message| message.forced_expire);
        let expired: HashSet<&str> = expired.map(|message| message.queue_id.as_str()).collect();
        assert_eq!(expired, HashSet::from([second.as_str(), &third]), "it is on disk");
        std::fs::create_dir_all(work.queue.directory().join("maildrop/STRAY1")).expect("made");
        work.change_all(&[Change::Delete]).expect("changed");
        work.queues.clear();
        named(&mut work, &[Change::Requeue], &[&first]);
        work.report();
        drop(work.spool.take());
        let left = mail_queue::tests::listed(&work.queue);
        let left: Vec<(&str, &str)> = left
            .iter()
            .map(|message| (message.queue_id.as_str(), message.queue_name.as_str()))
            .collect();
        assert_eq!(left, [(first.as_str(), "incoming")]);
        let log = std::fs::read_to_string(dir.path().join("mail.log")).expect("there");
        let log: Vec<&str> = log.lines().filter_map(|line| line.split("]: ").nth(1)).collect();
        let wanted = [
            "warning: invalid mail queue id: no/id",
            &format!("{first}: placed on hold"),
            &format!("{second}: expired"),
            &format!("{third}: expired"),
            &format!("{third}: released from hold"),
            &format!("{first}: requeued"),
            "Requeued: 1 message",
            "Deleted: 2 messages",
            "Force-expired: 2 messages",
            "Placed on hold: 1 message",
            "Released from hold: 1 message",
        ];
        assert_eq!(log, wanted);
    }

    #[test]
    fn the_running_mail_system_changes_its_messages_itself() {
        let dir = tempfile::tempdir().expect("a directory");
        let queue = mail_queue::tests::empty(dir.path());
        let socket = queue.directory().join(ipc::control::SOCKET);
        std::fs::create_dir_all(socket.parent().expect("it has one")).expect("made");
        let listener = std::os::unix::net::UnixListener::bind(&socket).expect("bound");
        let daemon = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a command");
            let asked: Request = ipc::frame::read(&mut stream).expect("read").expect("a request");
            for reply in [Reply::Acted(vec!["ABCDEF1".to_owned()]), Reply::Done] {
                ipc::frame::write(&mut stream, &reply).expect("written");
            }
            asked
        });
        let mut work = work(queue);
        work.queues = vec![QueueName::Active];
        let ids = [QueueId::parse("ABCDEF1").expect("one")];
        assert_eq!(
            work.make(Change::Hold, Some(&ids)),
            Ok(vec!["ABCDEF1".to_owned()])
        );
        let ids = Selection::Ids(vec!["ABCDEF1".to_owned()]);
        assert_eq!(
            daemon.join().expect("no panic"),
            Request::Super(Action::Hold, ids, vec!["active".to_owned()])
        );
    }
}
