//! `postsuper`: deletes, expires, holds, releases and requeues queued mail, as Postfix's postsuper(1) does.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};
use std::io::BufRead;
use std::process::ExitCode;

use envelope::QueueId;
use ipc::control::{self, Action, Reply, Request, Selection};
use maillog::Line;
use maillog::lines::postsuper as lines;
use queue::admin::{self, Change};
use queue::{Spool, maildrop};
use world::World;

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
const QUEUES: [&str; 6] = ["maildrop", "incoming", "active", "deferred", "hold", "corrupt"];
/// The order in which the changes are made and reported.
const ORDER: [Change; 5] = [
    Change::Requeue,
    Change::Delete,
    Change::Expire,
    Change::Hold,
    Change::Release,
];
/// The most ids that are read from standard input.
const IDS_MAX: usize = 10_000_000;
/// How many ids go to the running mail system at once.
const IDS_AT_ONCE: usize = 10_000;

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
    changes: Vec<(Change, Named)>,
    queues: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let done = wanted_of(&invocation.args).and_then(|wanted| perform(&wanted));
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
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            if !QUEUES.contains(&arg.as_str()) {
                return Err(format!("invalid directory name: {arg}"));
            }
            wanted.queues.push(arg.clone());
            continue;
        };
        for (at, letter) in letters.char_indices() {
            let changes: &[Change] = match letter {
                'd' => &[Change::Delete],
                'e' => &[Change::Expire],
                'f' => &[Change::Expire, Change::Release],
                'h' => &[Change::Hold],
                'H' => &[Change::Release],
                'r' => &[Change::Requeue],
                'c' => &[],
                'p' | 's' | 'S' | 'v' => continue,
                _ => return Err(USAGE.to_owned()),
            };
            let rest = &letters[at + 1..];
            let value = if rest.is_empty() {
                args.next().cloned()
            } else {
                Some(rest.to_owned())
            };
            let value = value.ok_or(USAGE)?;
            if changes.is_empty() {
                wanted.config_directory = Some(value);
            } else {
                let named = named(value);
                let named = changes.iter().map(|change| (*change, named.clone()));
                wanted.changes.extend(named);
            }
            break;
        }
    }
    Ok(wanted)
}

fn named(word: String) -> Named {
    match word.as_str() {
        "ALL" => Named::All,
        "-" => Named::StandardInput,
        _ => Named::One(word),
    }
}

fn perform(wanted: &Wanted) -> Result<(), String> {
    let queue = MailQueue::of(wanted.config_directory.as_deref())?;
    if !queue.is_ours() {
        return Err("use of this command is reserved for the superuser".to_owned());
    }
    // The log is opened first: the owner of the queue may not be the one who may open it.
    let log = queue.log();
    let mut work = Work {
        queue,
        log,
        queues: wanted.queues.clone(),
        spool: None,
    };
    let typed = OnceCell::new();
    for change in ORDER {
        let of_change = wanted.changes.iter().filter(|(wanted, _)| *wanted == change);
        let named: Vec<&Named> = of_change.map(|(_, named)| named).collect();
        if !named.is_empty() {
            let chosen = Chosen::of(&named, &typed);
            let changed = work.make(change, &chosen)?;
            work.report(change, &chosen, &changed);
        }
    }
    Ok(())
}

/// The messages that the options of one change name together.
#[derive(Debug, Default)]
struct Chosen {
    all: bool,
    ids: HashSet<String>,
}

impl Chosen {
    /// `typed`: the words of standard input, once they were read; `-f` names them for two changes.
    fn of(named: &[&Named], typed: &OnceCell<Vec<String>>) -> Chosen {
        let mut chosen = Chosen::default();
        for name in named {
            match name {
                Named::All => chosen.all = true,
                Named::One(word) => chosen.take(word),
                Named::StandardInput => {
                    let read = || {
                        let lines = std::io::stdin().lock().lines().map_while(Result::ok);
                        lines.take(IDS_MAX).collect()
                    };
                    typed
                        .get_or_init(read)
                        .iter()
                        .for_each(|line| chosen.take(line.trim()));
                }
            }
        }
        chosen
    }

    fn take(&mut self, word: &str) {
        if is_queue_id(word) {
            self.ids.insert(word.to_owned());
        } else {
            eprint_line(&format!("postsuper: warning: invalid mail queue id: {word}"));
        }
    }

    fn has(&self, id: &str) -> bool {
        self.all || self.ids.contains(id)
    }
}

/// What the changes work on.
struct Work {
    queue: MailQueue,
    log: Option<CommandLog>,
    /// The queues that are meant; none is all.
    queues: Vec<String>,
    /// Opened when the mail system is down and there is something to change.
    spool: Option<Spool>,
}

impl Work {
    /// Makes one change and returns the ids of the messages that were changed.
    fn make(&mut self, change: Change, chosen: &Chosen) -> Result<Vec<String>, String> {
        let mut changed = Vec::new();
        if change == Change::Delete && self.is_meant("maildrop") {
            changed = self.delete_dropped(chosen)?;
        }
        changed.extend(match self.through_daemon(change, chosen)? {
            Answer::Up(ids) => ids,
            Answer::Down => self.directly(change, chosen)?,
        });
        Ok(changed)
    }

    fn is_meant(&self, queue: &str) -> bool {
        self.queues.is_empty() || self.queues.iter().any(|meant| meant == queue)
    }

    /// Deletes what nobody has picked up yet.
    fn delete_dropped(&self, chosen: &Chosen) -> Result<Vec<String>, String> {
        let (directory, world) = (self.queue.directory(), World::real());
        let mut deleted = Vec::new();
        for id in maildrop::scan(directory, &world).map_err(|error| error.to_string())? {
            if chosen.has(id.as_str()) {
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

    fn through_daemon(&self, change: Change, chosen: &Chosen) -> Result<Answer<Vec<String>>, String> {
        let told = |error: control::Error| error.to_string();
        let ids: Vec<String> = if self.queues.is_empty() && !chosen.all {
            chosen.ids.iter().cloned().collect()
        } else if self.queues.is_empty() {
            return self.ask(change, Selection::All).map_err(told);
        } else {
            let Answer::Up(listed) = self.queue.listing_of_daemon().map_err(told)? else {
                return Ok(Answer::Down);
            };
            let meant = listed
                .into_iter()
                .filter(|message| self.is_meant(&message.queue_name));
            meant
                .map(|message| message.queue_id)
                .filter(|id| chosen.has(id))
                .collect()
        };
        let mut changed = Vec::new();
        for some in ids.chunks(IDS_AT_ONCE) {
            match self.ask(change, Selection::Ids(some.to_vec())).map_err(told)? {
                Answer::Up(ids) => changed.extend(ids),
                Answer::Down => return Ok(Answer::Down),
            }
        }
        if ids.is_empty() && matches!(self.queue.ask(&Request::Status).map_err(told)?, Answer::Down) {
            return Ok(Answer::Down);
        }
        changed.sort();
        Ok(Answer::Up(changed))
    }

    fn ask(&self, change: Change, selection: Selection) -> Result<Answer<Vec<String>>, control::Error> {
        let action = match change {
            Change::Delete => Action::Delete,
            Change::Expire => Action::Expire,
            Change::Hold => Action::Hold,
            Change::Release => Action::Release,
            Change::Requeue => Action::Requeue,
        };
        Ok(match self.queue.ask(&Request::Super(action, selection))? {
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
    fn directly(&mut self, change: Change, chosen: &Chosen) -> Result<Vec<String>, String> {
        let told = |error: queue::Error| error.to_string();
        let there = match &self.spool {
            Some(spool) => spool.queue_ids(),
            None => self.queue.open_to_look().map_err(told)?.queue_ids(),
        };
        let meant = there
            .into_iter()
            .filter(|(id, queue)| chosen.has(id.as_str()) && self.is_meant(queue.as_str()));
        let ids: BTreeSet<QueueId> = meant.map(|(id, _)| id).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        if self.spool.is_none() {
            self.spool = Some(self.queue.open_to_change()?);
        }
        let Some(spool) = &self.spool else {
            return Ok(Vec::new());
        };
        let changed = admin::change(spool, change, &admin::Selection::Several(ids)).map_err(told)?;
        spool.flush().map_err(told)?;
        Ok(changed.iter().map(ToString::to_string).collect())
    }

    /// Says and logs what was done: each message that was named, and how many.
    fn report(&self, change: Change, chosen: &Chosen, changed: &[String]) {
        let action = match change {
            Change::Delete => lines::Action::Deleted,
            Change::Expire => lines::Action::Expired,
            Change::Hold => lines::Action::Held,
            Change::Release => lines::Action::Released,
            Change::Requeue => lines::Action::Requeued,
        };
        let say = |line: &dyn Line| {
            eprint_line(&format!("postsuper: {}", line.to_text()));
            if let Some(log) = &self.log {
                log.write(line);
            }
        };
        let named = changed.iter().filter(|id| chosen.ids.contains(*id));
        for queue_id in named.filter_map(|id| QueueId::parse(id)) {
            let queue_id = &queue_id;
            say(&lines::Changed { queue_id, action });
        }
        let messages = changed.len();
        say(&lines::Total { action, messages });
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
                    (Change::Delete, Named::All),
                    (Change::Hold, Named::One("ABCDEF1".into())),
                    (Change::Delete, Named::StandardInput),
                ],
                queues: vec!["deferred".into(), "hold".into()],
            })
        );
        assert_eq!(wanted("-ps"), Ok(Wanted::default()));
        let both = vec![(Change::Expire, Named::All), (Change::Release, Named::All)];
        assert_eq!(wanted("-f ALL").map(|wanted| wanted.changes), Ok(both));
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
        }
    }

    fn chosen(ids: &[&str]) -> Chosen {
        Chosen {
            all: ids.is_empty(),
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    #[test]
    fn messages_are_changed_on_disk_while_the_mail_system_is_down() {
        let dir = tempfile::tempdir().expect("a directory");
        let (queue, ids) = mail_queue::tests::filled(dir.path());
        let [first, second, third] = [&ids[0], &ids[1], &ids[2]].map(ToString::to_string);
        let mut work = work(queue);
        let make = |work: &mut Work, change, ids: &[&str]| {
            let chosen = chosen(ids);
            let changed = work.make(change, &chosen).expect("changed");
            work.report(change, &chosen, &changed);
            changed
        };
        assert_eq!(make(&mut work, Change::Hold, &["NONE1234"]), Vec::<String>::new());
        assert_eq!(
            make(&mut work, Change::Hold, &[&first]),
            std::slice::from_ref(&first)
        );
        assert_eq!(
            make(&mut work, Change::Release, &[&third]),
            std::slice::from_ref(&third)
        );
        work.queues = vec!["deferred".to_owned()];
        let marked = make(&mut work, Change::Expire, &[&second]);
        assert_eq!(marked, std::slice::from_ref(&second));
        assert_eq!(make(&mut work, Change::Expire, &[&second]), Vec::<String>::new());
        drop(work.spool.take());
        let listed = work.queue.listing_on_disk().expect("read");
        let expired = listed.iter().filter(|message| message.forced_expire);
        assert!(
            expired.map(|message| &message.queue_id).eq([&second]),
            "it is on disk"
        );
        std::fs::create_dir_all(work.queue.directory().join("maildrop/STRAY1")).expect("made");
        let deleted = make(&mut work, Change::Delete, &[]);
        assert_eq!(
            deleted.iter().collect::<BTreeSet<_>>(),
            BTreeSet::from([&second, &third])
        );
        work.queues.clear();
        assert_eq!(
            make(&mut work, Change::Requeue, &[&first]),
            std::slice::from_ref(&first)
        );
        drop(work.spool.take());
        let left = work.queue.listing_on_disk().expect("read");
        let left: Vec<(&str, &str)> = left
            .iter()
            .map(|message| (message.queue_id.as_str(), message.queue_name.as_str()))
            .collect();
        assert_eq!(left, [(first.as_str(), "incoming")]);
        let log = std::fs::read_to_string(dir.path().join("mail.log")).expect("there");
        let log: Vec<&str> = log.lines().filter_map(|line| line.split("]: ").nth(1)).collect();
        let (held, released) = (
            format!("{first}: placed on hold"),
            format!("{third}: released from hold"),
        );
        let (requeued, expired) = (format!("{first}: requeued"), format!("{second}: expired"));
        let wanted = [
            "Placed on hold: 0 messages",
            &held,
            "Placed on hold: 1 message",
            &released,
            "Released from hold: 1 message",
            &expired,
            "Force-expired: 1 message",
            "Force-expired: 0 messages",
            "Deleted: 2 messages",
            &requeued,
            "Requeued: 1 message",
        ];
        assert_eq!(log, wanted);
    }

    #[test]
    fn the_running_mail_system_changes_its_messages_itself() {
        let dir = tempfile::tempdir().expect("a directory");
        let queue = mail_queue::tests::empty(dir.path());
        let socket = queue.directory().join(control::SOCKET);
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
        let changed = work(queue).make(Change::Hold, &chosen(&["ABCDEF1"]));
        assert_eq!(changed, Ok(vec!["ABCDEF1".to_owned()]));
        let ids = Selection::Ids(vec!["ABCDEF1".to_owned()]);
        assert_eq!(
            daemon.join().expect("no panic"),
            Request::Super(Action::Hold, ids)
        );
    }
}
