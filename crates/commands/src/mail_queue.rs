//! How mailq, postqueue, postsuper and postcat reach the queue: through the running mail system, or directly while
//! it is down. Also the log line and the date of these commands.

use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use envelope::QueueId;
use ipc::control::{self, Reply, Request};
use maillog::{Destination, Destinations, Line, Log};
use os::Identity;
use queue::admin::{Listed, listing};
use queue::spool::SpoolOptions;
use queue::{Error, Spool};
use settings::Postfix;
use world::World;

use crate::configuration;

/// The queue that a configuration names.
pub(crate) struct MailQueue {
    /// What main.cf says.
    pub(crate) settings: Postfix,
    /// How the spool is opened for changing it.
    pub(crate) spool_options: SpoolOptions,
}

/// How many messages are listed at once from the disk.
const LISTED_AT_ONCE: usize = 100;

/// Why the queue could not be listed.
#[derive(Debug)]
pub(crate) enum ListError {
    /// The running mail system did not tell.
    Daemon(control::Error),
    /// It is down, and the disk cannot be read.
    Disk(Error),
}

impl std::fmt::Display for ListError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ListError::Daemon(error) => error.fmt(f),
            ListError::Disk(error) => error.fmt(f),
        }
    }
}

/// What the running mail system made of a question.
pub(crate) enum Answer<T> {
    /// It answered.
    Up(T),
    /// Nobody listens.
    Down,
}

impl MailQueue {
    /// The queue of the configuration in the directory that `-c` names, or the usual one.
    ///
    /// # Errors
    /// Why the configuration cannot be used.
    pub(crate) fn of(config_directory: Option<&str>) -> Result<MailQueue, String> {
        let settings = configuration::postfix(&configuration::directory(config_directory))?;
        let spool_options = SpoolOptions {
            long_queue_ids: settings.enable_long_queue_ids,
            background: false,
            ..SpoolOptions::default()
        };
        Ok(MailQueue {
            settings,
            spool_options,
        })
    }

    /// Where it lies.
    pub(crate) fn directory(&self) -> &Path {
        &self.settings.queue_directory
    }

    /// Asks the running mail system and gathers its replies.
    ///
    /// # Errors
    /// What it refused, or what kept it from answering.
    pub(crate) fn ask(&self, request: &Request) -> Result<Answer<Vec<Reply>>, control::Error> {
        let mut replies = Vec::new();
        match control::ask(self.directory(), request, |reply| replies.push(reply)) {
            Ok(()) => Ok(Answer::Up(replies)),
            Err(control::Error::Down) => Ok(Answer::Down),
            Err(error) => Err(error),
        }
    }

    /// Gives `each` the list of queued mail, some messages at a time, until it wants no more: as the running mail system
    /// tells it, or as it lies on disk, of which `down` is told first.
    ///
    /// # Errors
    /// What kept it from being read.
    pub(crate) fn list(
        &self,
        down: impl FnOnce(),
        mut each: impl FnMut(&[Listed]) -> ControlFlow<()>,
    ) -> Result<(), ListError> {
        let mut wrong = None;
        let asked = control::ask_while(self.directory(), &Request::List, |reply| {
            let Reply::Listing(part) = reply else {
                return ControlFlow::Continue(());
            };
            match serde_json::from_value::<Vec<Listed>>(part) {
                Ok(part) => each(&part),
                Err(error) => {
                    wrong = Some(control::Error::Frame(error.into()));
                    ControlFlow::Break(())
                }
            }
        });
        match (asked, wrong) {
            (Err(control::Error::Down), _) => {}
            (Err(error), _) | (Ok(()), Some(error)) => return Err(ListError::Daemon(error)),
            (Ok(()), None) => return Ok(()),
        }
        let spool = self.open_to_look().map_err(ListError::Disk)?;
        let mut messages = listing(&spool, &World::real()).map_err(ListError::Disk)?;
        down();
        loop {
            let part: Vec<Listed> = messages.by_ref().take(LISTED_AT_ONCE).collect();
            if part.is_empty() || each(&part).is_break() {
                return Ok(());
            }
        }
    }

    /// The spool, for looking only.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn open_to_look(&self) -> queue::Result<Spool> {
        Ok(Spool::open_read_only(self.directory(), &World::real())?.0)
    }

    /// The spool, for changing it while the mail system is down. Root becomes the owner of the queue first, so that
    /// the mail system finds files that it can use.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn open_to_change(&self) -> Result<Spool, String> {
        self.become_owner()?;
        let opened = Spool::open(self.directory(), &self.spool_options, &World::real());
        Ok(opened.map_err(|error| error.to_string())?.0)
    }

    /// Whether this user may change the queue: root, or the one to whom it belongs.
    pub(crate) fn is_ours(&self) -> bool {
        let own = Identity::current().uid;
        own == 0 || std::fs::metadata(self.directory()).is_ok_and(|found| found.uid() == own)
    }

    fn become_owner(&self) -> Result<(), String> {
        // Without a directory yet, what is made belongs to whoever makes it.
        let Ok(found) = std::fs::metadata(self.directory().join("log")) else {
            return Ok(());
        };
        if !os::is_root() || found.uid() == 0 {
            return Ok(());
        }
        let owner = Identity {
            uid: found.uid(),
            gid: found.gid(),
            groups: vec![found.gid()],
        };
        owner.take().map_err(|error| error.to_string())
    }

    /// The log of the mail system, to add lines to. `None` where it cannot be opened or is the daemon's own output.
    pub(crate) fn log(&self) -> Option<CommandLog> {
        let settings = &self.settings;
        let file = settings.maillog_file.to_string_lossy();
        let to = Destination::of_maillog_file(&file, &settings.syslog_facility).ok()?;
        if matches!(
            to,
            Destination::Stdout | Destination::Stderr | Destination::Discard
        ) {
            return None;
        }
        let opened = Log::open(&maillog::Options {
            to: Destinations::all(to),
            hostname: settings.myhostname.clone(),
            syslog_name: settings.syslog_name.clone(),
            instance_name: String::new(),
            debug: false,
        });
        opened.ok().map(CommandLog)
    }
}

/// The log of the mail system as a command writes to it.
pub(crate) struct CommandLog(Log);

impl CommandLog {
    /// Writes a line and waits until the system has it.
    pub(crate) fn write(&self, line: &dyn Line) {
        self.0.write(line);
        self.0.flush();
    }
}

/// A queue id in a command's words; Postfix takes ids that cannot be there as well, it only wants no other characters.
pub(crate) fn is_queue_id(word: &str) -> bool {
    !word.is_empty() && word.len() <= QueueId::BYTES_MAX && word.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// `Sat Nov 21 21:43:46` in the local time zone.
pub(crate) fn short_date(seconds: i64) -> String {
    date(seconds, "%a %b %e %H:%M:%S")
}

/// `Sat Nov 21 21:43:46 2026` in the local time zone.
pub(crate) fn full_date(seconds: i64) -> String {
    date(seconds, "%a %b %e %H:%M:%S %Y")
}

fn date(seconds: i64, format: &str) -> String {
    let stamp = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    stamp
        .to_zoned(jiff::tz::TimeZone::system())
        .strftime(format)
        .to_string()
}

/// The path of a queue file in Postfix's manner, `queue/ID` below the queue directory, as the id that it means.
pub(crate) fn id_of_path(queue_directory: &Path, path: &str) -> Option<QueueId> {
    let path = PathBuf::from(path);
    let below = match path.strip_prefix(queue_directory) {
        Ok(below) => below,
        Err(_) if path.is_absolute() => return None,
        Err(_) => &path,
    };
    let id = below.file_name()?.to_str().and_then(QueueId::parse)?;
    (below.components().count() > 1).then_some(id)
}

/// Whether the queue says that there is no such message.
pub(crate) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::NoSuchMessage(_))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use address::Address;
    use envelope::{BodyKind, DeliveryResult, Envelope, Outcome, Recipient, StatusCode};
    use queue::{Facts, QueueName};

    /// The arrival of the first message of [`filled`]: 2026-11-21 12:00 UTC.
    pub(crate) const NOON: i64 = 1_795_262_400;

    /// A queue below a directory of its own.
    pub(crate) fn empty(dir: &Path) -> MailQueue {
        let mut settings = Postfix::defaults(&settings::Surroundings::default());
        settings.queue_directory = dir.join("spool");
        settings.maillog_file = dir.join("mail.log");
        let spool_options = SpoolOptions {
            segment_bytes: 1024 * 1024,
            background: false,
            ..SpoolOptions::default()
        };
        MailQueue {
            settings,
            spool_options,
        }
    }

    /// A queue with a new message, a deferred one, one on hold, in this order, and their ids.
    pub(crate) fn filled(dir: &Path) -> (MailQueue, Vec<QueueId>) {
        let queue = empty(dir);
        std::fs::create_dir_all(queue.directory()).expect("made");
        let opened = Spool::open(queue.directory(), &queue.spool_options, &World::real());
        let (spool, _) = opened.expect("opened");
        let mut ids = Vec::new();
        for (at, sender) in ["a@example.test", "b@example.test", ""].iter().enumerate() {
            let recipients = ["c@example.com", "d@example.com"];
            let envelope = Envelope {
                sender: Address::parse(sender).ok(),
                recipients: recipients
                    .iter()
                    .map(|text| Recipient::new(Address::parse(text).expect("an address")))
                    .collect(),
                ret: None,
                envid: None,
                body: BodyKind::SevenBit,
                smtputf8: false,
            };
            let arrival_micros = (NOON + i64::try_from(at).expect("small")) * 1_000_000;
            let facts = Facts {
                arrival_micros,
                hold: at == 2,
                ..Facts::default()
            };
            let mut incoming = spool.begin(arrival_micros);
            incoming.write(b"Subject: x\n\nbody\n").expect("written");
            ids.push(
                incoming
                    .commit_and_wait(&envelope, &facts)
                    .expect("committed")
                    .queue_id()
                    .clone(),
            );
        }
        let outcome = Outcome {
            result: DeliveryResult::Deferred,
            text: "connect to mx.example.com[192.0.2.1]:25: Connection refused".to_owned(),
            status: StatusCode::temporary(4, 1),
            relay: "none".to_owned(),
            detail: Default::default(),
        };
        spool.record(&ids[1], vec![(0, outcome)]).expect("recorded");
        spool.move_to(&ids[1], QueueName::Deferred).expect("moved");
        spool.flush().expect("flushed");
        (queue, ids)
    }

    /// The list as it lies on disk.
    pub(crate) fn listed(queue: &MailQueue) -> Vec<Listed> {
        let (mut told, mut all) = (false, Vec::new());
        let done = queue.list(
            || told = true,
            |part| {
                all.extend_from_slice(part);
                ControlFlow::Continue(())
            },
        );
        done.expect("it can be read");
        assert!(told, "the mail system is down");
        all
    }

    #[test]
    fn what_is_on_disk_is_listed_while_the_mail_system_is_down() {
        let dir = tempfile::tempdir().expect("a directory");
        let (queue, ids) = filled(dir.path());
        let shown = queue::admin::render(&listed(&queue), false, &|_| "Sat Nov 21 12:00:00".to_owned());
        let [first, second, third] = [&ids[0], &ids[1], &ids[2]].map(ToString::to_string);
        let wanted = format!(
            "\
-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------
{first:<11}      17 Sat Nov 21 12:00:00  a@example.test
                                         c@example.com
                                         d@example.com

{second:<11}      17 Sat Nov 21 12:00:00  b@example.test
                 (connect to mx.example.com[192.0.2.1]:25: Connection refused)
                                         c@example.com
                                         d@example.com

{third:<11}      17 Sat Nov 21 12:00:00  MAILER-DAEMON
                                         c@example.com
                                         d@example.com

-- 0 Kbytes in 3 Requests.
",
            third = format!("{third}!"),
        );
        assert_eq!(shown, wanted);
    }

    #[test]
    fn a_queue_that_was_never_used_is_empty() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(listed(&empty(dir.path())), []);
    }
}
