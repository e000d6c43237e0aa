//! passdb `pam`: each attempt is made by a process of its own kind, the *worker*, which is this program again under the name
//! [`WORKER`]. PAM modules are foreign C: they block for seconds, leak, change environment and signals of the whole process,
//! and may crash. In a worker, a crash is one login that fails temporarily, and what leaks goes after `max_requests` logins.
//! Limits: [`WORKERS_MAX`] at once, [`PATIENCE`] for an answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use os::pam::{Attempt, Outcome, attempt};
use serde::{Deserialize, Serialize};

use crate::driver::is_set;
use crate::variables::{Variables, expand};

/// The first argument of a worker process.
pub const WORKER: &str = "pam-worker";
/// The most workers of one block; further logins wait for one.
pub const WORKERS_MAX: usize = 30;
/// How long an answer may take. A module that waits longer is given up.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How long a worker waits for its next login.
const IDLE_PATIENCE: Duration = Duration::from_secs(60);
/// The longest question or answer, in bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// Logins of one worker when the block does not say.
const REQUESTS_DEFAULT: usize = 100;

/// The block's arguments, and its workers.
#[derive(Debug)]
pub(crate) struct Pam {
    service: String,
    opens_session: bool,
    sets_credentials: bool,
    /// `failure_show_msg`: what the modules say is what the client is told.
    pub(crate) tells_client: bool,
    max_requests: usize,
    /// `cache_key`
    pub(crate) cache_key: Option<String>,
    workers: Mutex<Pool>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Worker>,
    busy: usize,
}

#[derive(Debug)]
struct Worker {
    child: Child,
    stream: BufReader<UnixStream>,
    served: usize,
}

/// What a worker is asked, one JSON line.
#[derive(Serialize, Deserialize)]
struct Question {
    service: String,
    user: String,
    password: Vec<u8>,
    remote_host: String,
    opens_session: bool,
    sets_credentials: bool,
}

/// What it answers, one JSON line.
#[derive(Serialize, Deserialize)]
enum Reply {
    Ok(String),
    Refused { why: String, told: String },
    UnknownUser,
    Expired(String),
    Unavailable(String),
}

impl Pam {
    /// `session=yes setcred=yes max_requests=N failure_show_msg=yes cache_key=KEY SERVICE`; `*` and `%s` are the protocol.
    pub(crate) fn of(args: &str) -> Result<Pam, String> {
        let mut pam = Pam {
            service: String::new(),
            opens_session: false,
            sets_credentials: false,
            tells_client: false,
            max_requests: REQUESTS_DEFAULT,
            cache_key: None,
            workers: Mutex::new(Pool::default()),
            freed: Condvar::new(),
        };
        for word in args.split_ascii_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, "yes"));
            let is_on = is_set(&[(key.to_owned(), value.to_owned())], key);
            match key {
                "session" | "-session" => pam.opens_session = is_on,
                "setcred" => pam.sets_credentials = is_on,
                "failure_show_msg" => pam.tells_client = is_on,
                "blocking" => {}
                "cache_key" => pam.cache_key = Some(value.to_owned()),
                "max_requests" => {
                    let number = value
                        .parse()
                        .map_err(|_| format!("max_requests={value}: a number wanted"))?;
                    // 0 is "no limit" in Dovecot.
                    pam.max_requests = if number == 0 { usize::MAX } else { number };
                }
                _ if word.contains('=') => return Err(format!("\"{key}\" is not known")),
                "*" => "%s".clone_into(&mut pam.service),
                service if pam.service.is_empty() => service.clone_into(&mut pam.service),
                other => return Err(format!("a second service, \"{other}\"")),
            }
        }
        if pam.service.is_empty() {
            "dovecot".clone_into(&mut pam.service);
        }
        Ok(pam)
    }

    /// Asks a worker. Blocks until it answers.
    pub(crate) fn ask(&self, variables: &Variables<'_>) -> Outcome {
        let service = match expand(&self.service, variables) {
            // It is a file's name below /etc/pam.d.
            Ok(service) if service.contains('/') => {
                return Outcome::Unavailable(format!("pam: \"{service}\" is not a service"));
            }
            Ok(service) => service,
            Err(error) => return Outcome::Unavailable(format!("pam: {}: {error}", self.service)),
        };
        let question = Question {
            service,
            user: variables.user.to_owned(),
            password: variables.password.as_bytes().to_vec(),
            remote_host: variables
                .remote
                .map(|address| address.to_string())
                .unwrap_or_default(),
            opens_session: self.opens_session,
            sets_credentials: self.sets_credentials,
        };
        let kept = self.take();
        let outcome = self.ask_one(kept, &question);
        let mut pool = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        pool.busy -= 1;
        self.freed.notify_one();
        drop(pool);
        outcome.unwrap_or_else(|why| Outcome::Unavailable(format!("pam: {why}")))
    }

    /// A worker that waits; `None` when one is to be started. Either way one more is busy.
    fn take(&self) -> Option<Worker> {
        let pool = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pool = self
            .freed
            .wait_while(pool, |pool| pool.busy >= WORKERS_MAX)
            .unwrap_or_else(PoisonError::into_inner);
        pool.busy += 1;
        pool.idle.pop()
    }

    fn ask_one(&self, kept: Option<Worker>, question: &Question) -> Result<Outcome, String> {
        if let Some(mut worker) = kept
            // One that has waited too long has gone: the next one is fresh.
            && let Ok(reply) = worker.ask(question)
        {
            self.give_back(worker);
            return Ok(reply.into());
        }
        let mut worker =
            Worker::start().map_err(|error| format!("cannot start a worker: {}", os::words(&error)))?;
        let reply = worker.ask(question).map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
                format!("no answer within {} seconds", PATIENCE.as_secs())
            }
            _ => format!("a worker ended without an answer: {}", os::words(&error)),
        })?;
        self.give_back(worker);
        Ok(reply.into())
    }

    fn give_back(&self, worker: Worker) {
        if worker.served < self.max_requests {
            self.workers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .idle
                .push(worker);
        }
    }
}

impl Worker {
    fn start() -> std::io::Result<Worker> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_read_timeout(Some(PATIENCE))?;
        ours.set_write_timeout(Some(PATIENCE))?;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("yubin")
            .arg(WORKER)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(Worker {
            child: command.spawn()?,
            stream: BufReader::new(ours),
            served: 0,
        })
    }

    fn ask(&mut self, question: &Question) -> std::io::Result<Reply> {
        self.served += 1;
        write_line(self.stream.get_mut(), question)?;
        read_line(&mut self.stream)?.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a worker process does: answers questions on its standard input, which is a socket, until the other end goes.
pub fn work() -> ExitCode {
    let Ok(stdin) = std::io::stdin().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    let mut stream = BufReader::new(UnixStream::from(stdin));
    if stream.get_ref().set_read_timeout(Some(IDLE_PATIENCE)).is_err() {
        return ExitCode::FAILURE;
    }
    while let Ok(Some(question)) = read_line::<Question>(&mut stream) {
        let outcome = attempt(&Attempt {
            service: question.service,
            user: question.user,
            password: question.password,
            remote_host: question.remote_host,
            opens_session: question.opens_session,
            sets_credentials: question.sets_credentials,
        });
        if write_line(stream.get_mut(), &Reply::from(outcome)).is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn write_line(stream: &mut UnixStream, value: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// `None` at the end of the stream.
fn read_line<T: for<'de> Deserialize<'de>>(stream: &mut BufReader<UnixStream>) -> std::io::Result<Option<T>> {
    let mut line = Vec::new();
    stream
        .by_ref()
        .take(LINE_BYTES_MAX)
        .read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Reply {
        match outcome {
            Outcome::Ok { user } => Reply::Ok(user),
            Outcome::Refused { why, told } => Reply::Refused { why, told },
            Outcome::UnknownUser => Reply::UnknownUser,
            Outcome::Expired(why) => Reply::Expired(why),
            Outcome::Unavailable(why) => Reply::Unavailable(why),
        }
    }
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Outcome {
        match reply {
            Reply::Ok(user) => Outcome::Ok { user },
            Reply::Refused { why, told } => Outcome::Refused { why, told },
            Reply::UnknownUser => Outcome::UnknownUser,
            Reply::Expired(why) => Outcome::Expired(why),
            Reply::Unavailable(why) => Outcome::Unavailable(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let pam = Pam::of("session=yes max_requests=5 failure_show_msg=yes cache_key=%u %s").unwrap();
        assert_eq!((pam.service.as_str(), pam.max_requests), ("%s", 5));
        assert!(pam.opens_session && pam.tells_client && !pam.sets_credentials);
        assert_eq!(pam.cache_key.as_deref(), Some("%u"));
        assert_eq!(Pam::of("").unwrap().service, "dovecot");
        assert_eq!(Pam::of("*").unwrap().service, "%s");
        for wrong in ["sesion=yes", "a b", "max_requests=x"] {
            assert!(Pam::of(wrong).is_err(), "{wrong}");
        }
    }

    /// In this test, `/proc/self/exe` is no worker: it ends without an answer.
    #[test]
    fn a_worker_that_dies_is_no_verdict_on_the_user() {
        let pam = Pam::of("nothing").unwrap();
        let variables = Variables {
            user: "ann",
            password: "x",
            ..Variables::default()
        };
        match pam.ask(&variables) {
            Outcome::Unavailable(why) => assert!(why.contains("a worker ended"), "{why}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(pam.workers.lock().unwrap().busy, 0);
    }
}
