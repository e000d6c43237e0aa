//! Answers programs that ask by a socket of `service auth`: Postfix, Exim, Dovecot's own. A thread for each connection, and
//! no more connections than a limit says.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use machine::Machine;
use sasl::mechanism;
use sidecar::auth_server::{self, Answer, Event, Hello};
use sidecar::auth_userdb;

use super::asker_of;
use crate::{Asker, Authority, Exchange, Failure, Progress, Reason, Verdict};

/// The most programs that are connected at once; more wait in the listener's queue.
const CONNECTIONS_MAX: usize = 512;
/// How much is read at once.
const READ_BYTES: usize = 4096;

/// What a socket is for, as Dovecot knows it by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Log-ins.
    Client,
    /// Looking up users (a name that ends in `-userdb` or `-master`).
    Userdb,
}

impl Kind {
    /// By the socket's name.
    pub fn of(name: &str) -> Kind {
        if name.ends_with("-userdb") || name.ends_with("-master") {
            Kind::Userdb
        } else {
            Kind::Client
        }
    }
}

/// What is to be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A log-in was refused.
    Refused {
        /// Who asked.
        asker: Asker,
        /// Why.
        failure: Failure,
    },
    /// Something could not be done.
    Error(String),
}

/// The sockets of one process. They outlive reloads; who decides is put in anew each time.
pub struct Sockets {
    shared: Arc<Shared>,
}

struct Shared {
    /// Nobody until the first call of [`Sockets::serve`].
    authority: RwLock<Option<Arc<dyn Authority>>>,
    tell: Box<dyn Fn(Report) + Send + Sync>,
    connections: AtomicUsize,
    numbers: AtomicU32,
    /// Bound, and not served yet.
    waiting: RwLock<Vec<(UnixListener, Kind)>>,
}

impl std::fmt::Debug for Sockets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sockets").finish_non_exhaustive()
    }
}

impl Sockets {
    /// Sockets that are bound already. Nobody is answered before [`Sockets::serve`]. `tell` is told what is to be logged.
    pub fn new(bound: Vec<(UnixListener, Kind)>, tell: Box<dyn Fn(Report) + Send + Sync>) -> Sockets {
        Sockets {
            shared: Arc::new(Shared {
                authority: RwLock::new(None),
                tell,
                connections: AtomicUsize::new(0),
                numbers: AtomicU32::new(0),
                waiting: RwLock::new(bound),
            }),
        }
    }

    /// From now on `authority` decides. The first call starts the threads that accept.
    pub fn serve(&self, authority: &Arc<dyn Authority>) {
        let shared = &self.shared;
        *write(&shared.authority) = Some(Arc::clone(authority));
        for (listener, kind) in std::mem::take(&mut *write(&shared.waiting)) {
            let own = Arc::clone(shared);
            let started = std::thread::Builder::new()
                .name("auth-socket".to_owned())
                .spawn(move || accept(&listener, kind, &own));
            if let Err(error) = started {
                (shared.tell)(Report::Error(format!(
                    "cannot serve an auth socket: {}",
                    os::words(&error)
                )));
            }
        }
    }
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Accepts for ever; it ends with the process.
fn accept(listener: &UnixListener, kind: Kind, shared: &Arc<Shared>) {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => {
                let text = format!(
                    "cannot accept a connection on an auth socket: {}",
                    os::words(&error)
                );
                (shared.tell)(Report::Error(text));
                // No descriptors, or no memory: it will not be better at once.
                std::thread::park_timeout(Duration::from_secs(1));
                continue;
            }
        };
        if shared.connections.fetch_add(1, Ordering::SeqCst) >= CONNECTIONS_MAX {
            shared.connections.fetch_sub(1, Ordering::SeqCst);
            let text =
                format!("an auth socket has more than {CONNECTIONS_MAX} connections: one is sent away");
            (shared.tell)(Report::Error(text));
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
            let text = format!("cannot answer on an auth socket: {}", os::words(&error));
            (shared.tell)(Report::Error(text));
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
    fn authority(&self) -> Option<Arc<dyn Authority>> {
        let authority = self.authority.read().unwrap_or_else(PoisonError::into_inner);
        authority.clone()
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
            return;
        }
        match stream.read(&mut buffer) {
            Ok(0) => machine.end_of_input(0),
            Ok(count) => machine.feed(&buffer[..count], 0),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
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
                let asker = asker_of(&request);
                let exchange = self
                    .shared
                    .authority()
                    .and_then(|authority| authority.exchange(&mechanism, &asker));
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
                (self.shared.tell)(Report::Error(format!(
                    "a client of an auth socket is sent away: {error}"
                )));
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
                (self.shared.tell)(Report::Error(text));
                temporary(String::new())
            }
        }
    }

    fn refuse(&self, asker: Asker, failure: Failure) -> Answer {
        let user = failure.user.clone();
        (self.shared.tell)(Report::Refused { asker, failure });
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
            (shared.tell)(Report::Error(text));
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
                (shared.tell)(Report::Error(format!(
                    "a client of an auth socket is sent away: {error}"
                )));
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
