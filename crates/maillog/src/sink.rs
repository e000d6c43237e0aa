//! Where lines go: a thread per log that writes what has gathered, so that nobody who logs waits for a disk.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Error, Severity};

/// How much may wait to be written, in bytes; what comes beyond is dropped, counted and reported.
pub const BACKLOG_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long the writer lets lines gather after the first one: a wake and a write for many lines instead of each.
const GATHER: Duration = Duration::from_millis(10);

/// So many bytes do not wait any longer.
const GATHER_BYTES: usize = 64 * 1024;

/// The socket of the local syslog daemon.
const SYSLOG_SOCKET: &str = "/dev/log";

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A file, appended to; opened again when it was renamed or removed.
    File(PathBuf),
    /// The standard output (`maillog_file = /dev/stdout`).
    Stdout,
    /// The standard error output (`log_path = /dev/stderr`).
    Stderr,
    /// The local syslog daemon.
    Syslog(Facility),
    /// Nowhere.
    Discard,
}

/// A syslog facility by its code (RFC 3164 §4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facility(u8);

impl Facility {
    /// `mail`
    pub const MAIL: Facility = Facility(2);

    /// The `<PRI>` number of a line.
    pub(crate) fn priority(self, severity: Severity) -> u8 {
        let level = match severity {
            Severity::Panic | Severity::Fatal => 2,
            Severity::Error => 3,
            Severity::Warning => 4,
            Severity::Info => 6,
            Severity::Debug => 7,
        };
        self.0 * 8 + level
    }
}

impl std::str::FromStr for Facility {
    type Err = Error;

    /// The facility of that name (`syslog_facility`).
    fn from_str(name: &str) -> Result<Facility, Error> {
        const NAMES: [&str; 24] = [
            "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
            "ftp", "", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
            "local7",
        ];
        let code = NAMES
            .iter()
            .position(|known| !known.is_empty() && known.eq_ignore_ascii_case(name));
        code.and_then(|code| u8::try_from(code).ok())
            .map(Facility)
            .ok_or_else(|| Error::UnknownFacility {
                name: name.to_owned(),
            })
    }
}

impl Destination {
    /// The destination that Postfix's `maillog_file` names; an empty value is syslog.
    ///
    /// # Errors
    /// [`Error::UnknownFacility`].
    pub fn of_maillog_file(value: &str, syslog_facility: &str) -> Result<Destination, Error> {
        Ok(match value {
            "" => Destination::Syslog(syslog_facility.parse()?),
            path => Destination::of_path(path),
        })
    }

    /// The destination that Dovecot's `log_path` names: a path or `syslog`.
    ///
    /// # Errors
    /// [`Error::UnknownFacility`].
    pub fn of_log_path(value: &str, syslog_facility: &str) -> Result<Destination, Error> {
        Ok(match value {
            "" | "syslog" => Destination::Syslog(syslog_facility.parse()?),
            path => Destination::of_path(path),
        })
    }

    fn of_path(path: &str) -> Destination {
        match path {
            "/dev/stdout" => Destination::Stdout,
            "/dev/stderr" => Destination::Stderr,
            "/dev/null" => Destination::Discard,
            _ => Destination::File(PathBuf::from(path)),
        }
    }

    pub(crate) fn syslog_facility(&self) -> Option<Facility> {
        match self {
            Destination::Syslog(facility) => Some(*facility),
            _ => None,
        }
    }
}

/// A queue of complete lines and the thread that writes them.
#[derive(Debug)]
pub(crate) struct Sink {
    shared: Arc<Shared>,
    writer: Mutex<Option<std::thread::JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// The first line, so many that they cannot wait, somebody who waits for them, or the end.
    work: Condvar,
    /// Everything is written.
    idle: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Lines, each with its line feed.
    waiting: String,
    dropped: u64,
    is_writing: bool,
    /// Somebody waits until everything is written.
    is_awaited: bool,
    reopen: bool,
    /// What is to be written instead of the file that is open.
    replacement: Option<File>,
    is_closing: bool,
}

impl Sink {
    /// Opens `destination`, unless its file is `given`, and starts its writer.
    pub(crate) fn open(destination: &Destination, given: Option<File>) -> Result<Sink, Error> {
        let target = Target::open(destination, given)?;
        let shared = Arc::new(Shared::default());
        let for_writer = shared.clone();
        let writer = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || write_all(&for_writer, target))
            .map_err(|cause| Error::Thread { cause })?;
        Ok(Sink {
            shared,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Queues one line, which ends in a line feed.
    pub(crate) fn push(&self, line: &str) {
        let mut state = self.shared.lock();
        if state.waiting.len() + line.len() > BACKLOG_BYTES_MAX {
            state.dropped += 1;
            return;
        }
        let before = state.waiting.len();
        state.waiting.push_str(line);
        let is_first = before == 0 && !state.is_writing;
        if is_first || (before < GATHER_BYTES && state.waiting.len() >= GATHER_BYTES) {
            self.shared.work.notify_one();
        }
    }

    /// How many lines were dropped since this was last asked.
    pub(crate) fn take_dropped(&self) -> u64 {
        let mut state = self.shared.lock();
        if state.dropped == 0 || state.waiting.len() > BACKLOG_BYTES_MAX / 2 {
            return 0;
        }
        std::mem::take(&mut state.dropped)
    }

    /// Opens the file again before the next line.
    pub(crate) fn reopen(&self) {
        self.shared.lock().reopen = true;
    }

    /// Writes `file` instead of the one that is open, from the next line on.
    pub(crate) fn replace(&self, file: File) {
        self.shared.lock().replacement = Some(file);
    }

    /// Waits until everything queued so far has been handed to the system.
    pub(crate) fn flush(&self) {
        let mut state = self.shared.lock();
        while state.is_writing || !state.waiting.is_empty() {
            state.is_awaited = true;
            self.shared.work.notify_one();
            state = self
                .shared
                .idle
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.lock().is_closing = true;
        self.shared.work.notify_one();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }
}

impl Shared {
    /// A panic elsewhere must not silence the log: the state is a buffer, valid at any time.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer's life: let lines gather for a moment, write them in one call, again.
fn write_all(shared: &Shared, mut target: Target) {
    let mut batch = String::new();
    let mut state = shared.lock();
    loop {
        state = gather(shared, state);
        if state.waiting.is_empty() {
            return;
        }
        std::mem::swap(&mut batch, &mut state.waiting);
        state.is_writing = true;
        let reopen = std::mem::take(&mut state.reopen);
        let replacement = state.replacement.take();
        drop(state);
        if let Some(file) = replacement {
            target.replace(file);
        }
        target.write(&batch, reopen);
        batch.clear();
        batch.shrink_to(GATHER_BYTES);
        state = shared.lock();
        state.is_writing = false;
        if state.waiting.is_empty() {
            state.is_awaited = false;
            shared.idle.notify_all();
        }
    }
}

/// Waits until there are lines that should be written now. Nothing is there only at the end.
fn gather<'a>(shared: &Shared, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    let is_quiet = |state: &mut State| state.waiting.is_empty() && !state.is_closing;
    let state = shared
        .work
        .wait_while(state, is_quiet)
        .unwrap_or_else(PoisonError::into_inner);
    let may_wait =
        |state: &mut State| state.waiting.len() < GATHER_BYTES && !state.is_awaited && !state.is_closing;
    let gathered = shared.work.wait_timeout_while(state, GATHER, may_wait);
    gathered.unwrap_or_else(PoisonError::into_inner).0
}

/// An open destination.
enum Target {
    File { path: PathBuf, file: File },
    Stdout,
    Stderr,
    Syslog(Option<UnixDatagram>),
    Discard,
}

impl Target {
    fn open(destination: &Destination, given: Option<File>) -> Result<Target, Error> {
        Ok(match destination {
            Destination::File(path) => Target::File {
                path: path.clone(),
                file: match given {
                    Some(file) => file,
                    None => open_file(path)?,
                },
            },
            Destination::Stdout => Target::Stdout,
            Destination::Stderr => Target::Stderr,
            Destination::Syslog(_) => Target::Syslog(connect_syslog()),
            Destination::Discard => Target::Discard,
        })
    }

    fn replace(&mut self, new: File) {
        if let Target::File { file, .. } = self {
            *file = new;
        }
    }

    /// Writes whole lines. A log that cannot be written has nobody to complain to; the next batch tries anew.
    fn write(&mut self, batch: &str, reopen: bool) {
        match self {
            Target::File { path, file } => {
                if (reopen || is_moved(path, file))
                    && let Ok(new) = open_file(path)
                {
                    *file = new;
                }
                let _ = file.write_all(batch.as_bytes());
            }
            Target::Stdout => {
                let _ = std::io::stdout()
                    .write_all(batch.as_bytes())
                    .and_then(|()| std::io::stdout().flush());
            }
            Target::Stderr => {
                let _ = std::io::stderr().write_all(batch.as_bytes());
            }
            Target::Syslog(socket) => send_to_syslog(socket, batch),
            Target::Discard => {}
        }
    }
}

pub(crate) fn open_file(path: &Path) -> Result<File, Error> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path);
    file.map_err(|cause| Error::File {
        file: path.display().to_string(),
        cause,
    })
}

/// Whether the path now leads to another file than the one that is open (logrotate's `create` and `nocreate`).
fn is_moved(path: &Path, file: &File) -> bool {
    match (std::fs::metadata(path), file.metadata()) {
        (Ok(there), Ok(ours)) => (there.dev(), there.ino()) != (ours.dev(), ours.ino()),
        (Err(error), Ok(_)) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

fn connect_syslog() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect(SYSLOG_SOCKET).ok()?;
    Some(socket)
}

/// One datagram a line. The daemon may have been restarted: connect again once.
fn send_to_syslog(socket: &mut Option<UnixDatagram>, batch: &str) {
    for line in batch.lines() {
        let is_sent = socket
            .as_ref()
            .is_some_and(|socket| socket.send(line.as_bytes()).is_ok());
        if !is_sent {
            *socket = connect_syslog();
            if let Some(socket) = socket {
                let _ = socket.send(line.as_bytes());
            }
        }
    }
}
