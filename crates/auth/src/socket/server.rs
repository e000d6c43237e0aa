//! Answers programs that ask by a socket of `service auth`: Postfix, Exim, Dovecot's own. A thread for each connection, and
//! no more connections than a limit says.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use machine::Machine;
use sasl::mechanism;
use serde::{Deserialize, Serialize};
use sidecar::auth_server::{self, Answer, Event, Hello};
use sidecar::auth_userdb;

use super::asker_of;
use crate::{Asker, Authority, Exchange, Failure, Progress, Reason, Verdict};

/// The most programs that are connected at once; more wait in the listener's queue.
const CONNECTIONS_MAX: usize = 512;
/// How much is read at once.
const READ_BYTES: usize = 4096;

/// How many buffers are thrown away at the end of a connection.
const UNREAD_MAX: usize = 64;

/// What a socket is for, as Dovecot knows it by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Log-ins.
    Client,
    /// Looking up users (a name that is `userdb` or `master` behind its last hyphen, or without one).
    Userdb,
}

impl Kind {
    /// By the socket's name.
    pub fn of(name: &str) -> Kind {
        match name.rsplit(['-', '/']).next() {
            Some("userdb" | "master") => Kind::Userdb,
            _ => Kind::Client,
        }
    }
}

/// What is to be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A log-in was refused.
    Refused {
        /// Who asked.
        asker: Box<Asker>,
        /// Why.
        failure: Failure,
    },
    /// Something could not be done.
    Error(String),
}

/// What is done with a report.
pub type Tell = Arc<dyn Fn(Report) + Send + Sync>;

/// A socket that is bound.
#[derive(Debug)]
pub struct Bound {
    /// Where it is: the name by which it is known.
    pub path: PathBuf,
    /// What it is for.
    pub kind: Kind,
    /// The socket itself.
    pub listener: UnixListener,
}

/// The sockets that one process answers on. They outlive reloads; who decides is put in anew each time.
#[derive(Default)]
pub struct Sockets {
    shared: Arc<Shared>,
    /// Those that are answered, each with what ends that.
    listening: Mutex<HashMap<PathBuf, UnixStream>>,
}

/// Who decides about log-ins, and who is told of it.
#[derive(Clone)]
struct Decider {
    authority: Arc<dyn Authority>,
    tell: Tell,
}

#[derive(Default)]
struct Shared {
    /// Nobody until the first call of [`Sockets::decided_by`].
    decider: RwLock<Option<Decider>>,
    connections: AtomicUsize,
    numbers: AtomicU32,
}

impl std::fmt::Debug for Sockets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sockets").finish_non_exhaustive()
    }
}

impl Sockets {
    /// From now on `authority` decides, and `tell` is told what is to be logged. Nobody is answered before the first call.
    pub fn decided_by(&self, authority: Arc<dyn Authority>, tell: Tell) {
        let decider = Decider { authority, tell };
        *write(&self.shared.decider) = Some(decider);
    }

    /// From now on these sockets are answered, and no others. One that was there already goes on as it is. Conversations
    /// under way go on.
    pub fn listen(&self, bound: Vec<Bound>) {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        listening.retain(|path, end| {
            let stays = bound.iter().any(|socket| socket.path == *path);
            if !stays {
                // A thread that accepts there wakes up and ends.
                let _ = end.shutdown(Shutdown::Both);
            }
            stays
        });
        for Bound { path, kind, listener } in bound {
            if listening.contains_key(&path) {
                continue;
            }
            match start(&self.shared, listener, kind) {
                Ok(end) => drop(listening.insert(path, end)),
                Err(error) => self.shared.report(format!(
                    "cannot serve the auth socket {}: {}",
                    path.display(),
                    os::words(&error)
                )),
            }
        }
    }
}

/// Starts the thread that accepts; gives what ends it.
fn start(shared: &Arc<Shared>, listener: UnixListener, kind: Kind) -> std::io::Result<UnixStream> {
    let end = UnixStream::from(OwnedFd::from(listener.try_clone()?));
    let own = Arc::clone(shared);
    std::thread::Builder::new()
        .name("auth-socket".to_owned())
        .spawn(move || accept(&listener, kind, &own))?;
    Ok(end)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Accepts until the socket is shut down, or the process ends.
fn accept(listener: &UnixListener, kind: Kind, shared: &Arc<Shared>) {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            // What accept says of a socket that was shut down.
            Err(error) if error.kind() == ErrorKind::InvalidInput => return,
            Err(error) => {
                shared.report(format!(
                    "cannot accept a connection on an auth socket: {}",
                    os::words(&error)
                ));
                // No descriptors, or no memory: it will not be better at once.
                std::thread::park_timeout(Duration::from_secs(1));
                continue;
            }
        };
        if shared.connections.fetch_add(1, Ordering::SeqCst) >= CONNECTIONS_MAX {
            shared.connections.fetch_sub(1, Ordering::SeqCst);
            shared.report(format!(
                "an auth socket has more than {CONNECTIONS_MAX} connections: one is sent away"
            ));
            continue;
        }
        let own = Arc::clone(shared);
        let guard = Connected(Arc::clone(shared));
        let started = std::thread::Builder::new()
            .name("auth-client".to_owned())
            .spawn(move || {
                let _guard = guard;
                match kind {
                    Kind::Client => converse_client(stream, &own),
                    Kind::Userdb => converse_userdb(stream, &own),
                }
            });
        if let Err(error) = started {
            shared.report(format!("cannot answer on an auth socket: {}", os::words(&error)));
        }
    }
}

/// Counts a connection for as long as it lives.
struct Connected(Arc<Shared>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn decider(&self) -> Option<Decider> {
        let decider = self.decider.read().unwrap_or_else(PoisonError::into_inner);
        decider.clone()
    }

    fn authority(&self) -> Option<Arc<dyn Authority>> {
        self.decider().map(|decider| decider.authority)
    }

    fn tell(&self, report: Report) {
        if let Some(decider) = self.decider() {
            (decider.tell)(report);
        }
    }

    fn report(&self, text: String) {
        self.tell(Report::Error(text));
    }
}

/// Moves bytes between a stream and a machine until one of them is done. `decide` answers events; `None` needs no answer.
fn pump<M: Machine>(
    mut stream: UnixStream,
    mut machine: M,
    mut decide: impl FnMut(M::Event) -> Option<M::Answer>,
) {
    let (mut output, mut buffer) = (Vec::new(), [0; READ_BYTES]);
    loop {
        while let Some(event) = machine.next_event() {
            if let Some(answer) = decide(event) {
                machine.answer(answer, 0);
            }
        }
        machine.next_output(&mut output, READ_BYTES);
        if !output.is_empty() && stream.write_all(&output).is_err() {
            return;
        }
        output.clear();
        if machine.is_finished() {
            return let_go(stream, &mut buffer);
        }
        match stream.read(&mut buffer) {
            Ok(0) => machine.end_of_input(0),
            Ok(count) => machine.feed(&buffer[..count], 0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Closes a connection so that the other side reads our last words and then its end: what it said and nobody read would make
/// that a reset.
fn let_go(mut stream: UnixStream, buffer: &mut [u8]) {
    let _ = stream.shutdown(Shutdown::Write);
    if stream.set_nonblocking(true).is_ok() {
        for _ in 0..UNREAD_MAX {
            if !matches!(stream.read(buffer), Ok(1..)) {
                return;
            }
        }
    }
}

fn converse_client(stream: UnixStream, shared: &Arc<Shared>) {
    let Some(authority) = shared.authority() else {
        return;
    };
    let _ = stream.set_write_timeout(Some(Duration::from_secs(super::PATIENCE_SECS)));
    let mut cookie = [0; 16];
    if getrandom::fill(&mut cookie).is_err() {
        return;
    }
    let mechanisms = authority.mechanisms().into_iter().filter(|name| {
        // There is no TLS here that they could be bound to.
        !name.ends_with("-PLUS")
    });
    let words = |name: &str| {
        mechanism::traits(name)
            .iter()
            .map(|one| one.word().to_owned())
            .collect()
    };
    let hello = Hello {
        mechanisms: mechanisms.map(|name| (name.clone(), words(&name))).collect(),
        pid: std::process::id(),
        connection: shared.numbers.fetch_add(1, Ordering::Relaxed).wrapping_add(1),
        cookie,
    };
    let mut conversation = Conversation {
        shared: Arc::clone(shared),
        exchanges: HashMap::new(),
    };
    pump(stream, auth_server::Server::new(&hello), |event| {
        conversation.decide(event)
    });
}

struct Conversation {
    shared: Arc<Shared>,
    /// Bounded by the machine.
    exchanges: HashMap<u32, (Asker, Box<dyn Exchange>)>,
}

impl Conversation {
    fn decide(&mut self, event: Event) -> Option<Answer> {
        match event {
            Event::Begin {
                id,
                mechanism,
                request,
                initial,
            } => {
                let mut asker = asker_of(&request);
                let exchange = self.shared.authority().and_then(|authority| {
                    let penalty = authority.penalty(&asker);
                    asker.failures_before = Some(penalty.failures);
                    let exchange = authority.exchange(&mechanism, &asker)?;
                    hold_back(Instant::now(), penalty.wait);
                    Some(exchange)
                });
                let Some(exchange) = exchange else {
                    let failure = Failure {
                        user: String::new(),
                        database: "auth".into(),
                        reason: Reason::Mechanism(mechanism.into()),
                        delay: Duration::ZERO,
                    };
                    return Some(self.refuse(asker, failure));
                };
                self.exchanges.insert(id, (asker, exchange));
                Some(self.step(id, initial))
            }
            Event::Response { id, response } => Some(self.step(id, Some(response))),
            Event::Cancelled(id) => {
                self.exchanges.remove(&id);
                None
            }
            Event::Broken(error) => {
                self.shared
                    .report(format!("a client of an auth socket is sent away: {error}"));
                None
            }
        }
    }

    fn step(&mut self, id: u32, response: Option<Vec<u8>>) -> Answer {
        let Some((asker, mut exchange)) = self.exchanges.remove(&id) else {
            return temporary(String::new());
        };
        let began = Instant::now();
        match exchange.step(response.as_deref()) {
            Progress::Challenge(challenge) => {
                self.exchanges.insert(id, (asker, exchange));
                Answer::Challenge(challenge)
            }
            Progress::Done(Verdict::Ok(account, _)) => Answer::Ok { user: account.user },
            Progress::Done(Verdict::Failed(failure)) => {
                // Other exchanges of this connection wait too: a program that wants none to wait opens another.
                hold_back(began, failure.delay);
                self.refuse(asker, failure)
            }
            Progress::Done(Verdict::Temporary(text)) => {
                self.shared.report(text);
                temporary(String::new())
            }
        }
    }

    fn refuse(&self, asker: Asker, failure: Failure) -> Answer {
        let user = failure.user.clone();
        let asker = Box::new(asker);
        self.shared.tell(Report::Refused { asker, failure });
        Answer::Fail {
            user,
            is_temporary: false,
            reason: String::new(),
        }
    }
}

fn temporary(user: String) -> Answer {
    Answer::Fail {
        user,
        is_temporary: true,
        reason: String::new(),
    }
}

/// Waits until `delay` after the beginning.
fn hold_back(began: Instant, delay: Duration) {
    let until = began + delay;
    // A park may end early.
    while let Some(left) = until
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
    {
        std::thread::park_timeout(left);
    }
}

fn converse_userdb(stream: UnixStream, shared: &Arc<Shared>) {
    let _ = stream.set_write_timeout(Some(Duration::from_secs(super::PATIENCE_SECS)));
    pump(stream, auth_userdb::Server::new(std::process::id()), |event| {
        let authority = shared.authority()?;
        let unavailable = |text: String| {
            shared.report(text);
            auth_userdb::Answer::Unavailable
        };
        match event {
            auth_userdb::Event::User { name, request } => {
                Some(match authority.lookup(&name, &request.service) {
                    Ok(Some(account)) => user(account),
                    Ok(None) => auth_userdb::Answer::NotFound,
                    Err(text) => unavailable(text),
                })
            }
            auth_userdb::Event::List => Some(match authority.list() {
                Ok(users) => auth_userdb::Answer::Users(users),
                Err(text) => unavailable(text),
            }),
            auth_userdb::Event::Broken(error) => {
                shared.report(format!("a client of an auth socket is sent away: {error}"));
                None
            }
        }
    });
}

/// An account in the fields of a userdb.
fn user(account: crate::Account) -> auth_userdb::Answer {
    let mut fields = vec![
        ("uid".to_owned(), account.uid.to_string()),
        ("gid".to_owned(), account.gid.to_string()),
    ];
    fields.extend(
        account
            .home
            .map(|home| ("home".to_owned(), home.display().to_string())),
    );
    if !account.mail_location.is_empty() {
        fields.push(("mail".to_owned(), account.mail_location));
    }
    fields.extend(account.extra);
    auth_userdb::Answer::User {
        name: account.user,
        fields,
    }
}
