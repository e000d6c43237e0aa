//! Asks another program who somebody is, by its socket: `smtpd_sasl_type = dovecot` with Dovecot's `smtpd_sasl_path`.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sasl::mechanism;
use sidecar::auth_client::{self, Event};

use super::{PATIENCE_SECS, request_of};
use crate::{Account, Asker, Authority, Exchange, Failure, Progress, Reason, Request, Ticket, Verdict};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How many idle connections are kept.
const IDLE_MAX: usize = 32;
/// How much is read at once.
const READ_BYTES: usize = 4096;

/// Where the other program listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A socket in the file system.
    Path(PathBuf),
    /// `inet:host:port`
    Inet(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Path(path) => write!(f, "{}", path.display()),
            Place::Inet(address) => f.write_str(address),
        }
    }
}

/// Another program as an authority about log-ins. It knows nothing of mailboxes.
#[derive(Debug)]
pub struct Client {
    place: Place,
    /// Connections that wait for work.
    idle: Mutex<Vec<Connection>>,
}

#[derive(Debug)]
struct Connection {
    stream: Stream,
    machine: auth_client::Client,
}

#[derive(Debug)]
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Client {
    /// The program that listens there. Nothing is connected before somebody asks.
    pub fn new(place: Place) -> Client {
        Client {
            place,
            idle: Mutex::default(),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection whose greeting was read. One that was idle may be dead: whoever takes it must be able to begin
    /// again with a fresh one.
    fn connect(&self) -> Result<Connection, String> {
        let failed = |error: &dyn fmt::Display| format!("cannot ask the auth socket {}: {error}", self.place);
        let stream = self.stream().map_err(|error| failed(&os::words(&error)))?;
        let mut connection = Connection {
            stream,
            machine: auth_client::Client::new(std::process::id()),
        };
        match connection.next_event() {
            Ok(Event::Ready) => Ok(connection),
            Ok(_) => Err(failed(&"it answers before it is asked")),
            Err(error) => Err(failed(&error)),
        }
    }

    fn stream(&self) -> io::Result<Stream> {
        let patience = Some(Duration::from_secs(PATIENCE_SECS));
        match &self.place {
            Place::Path(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(patience)?;
                stream.set_write_timeout(patience)?;
                Ok(Stream::Unix(stream))
            }
            Place::Inet(address) => {
                let mut last = io::Error::from(io::ErrorKind::NotFound);
                for address in address.to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                        Ok(stream) => {
                            stream.set_nodelay(true)?;
                            stream.set_read_timeout(patience)?;
                            stream.set_write_timeout(patience)?;
                            return Ok(Stream::Tcp(stream));
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }

    /// Begins an exchange and waits for the first answer, on an idle connection if there is one that lives.
    fn begin(&self, ask: &Ask<'_>) -> Result<(Connection, u32, Event), String> {
        while let Some(mut connection) = { self.idle().pop() } {
            if let Ok((id, event)) = connection.ask(ask) {
                return Ok((connection, id, event));
            }
        }
        let mut connection = self.connect()?;
        let failed = |error| format!("cannot ask the auth socket {}: {error}", self.place);
        let (id, event) = connection.ask(ask).map_err(failed)?;
        Ok((connection, id, event))
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
    }
}

/// What an exchange begins with.
struct Ask<'a> {
    mechanism: &'a str,
    asker: &'a Asker,
    initial: Option<&'a [u8]>,
}

impl Connection {
    fn ask(&mut self, ask: &Ask<'_>) -> Result<(u32, Event), String> {
        let id = self
            .machine
            .begin(ask.mechanism, &request_of(ask.asker), ask.initial);
        Ok((id, self.event_about(id)?))
    }

    /// The next event about an exchange; of others, which were given up, nothing is heard.
    fn event_about(&mut self, wanted: u32) -> Result<Event, String> {
        loop {
            let event = self.next_event()?;
            match &event {
                Event::Challenge { id, .. } | Event::Ok { id, .. } | Event::Fail { id, .. }
                    if *id == wanted =>
                {
                    return Ok(event);
                }
                _ => {}
            }
        }
    }

    fn next_event(&mut self) -> Result<Event, String> {
        let output = self.machine.take_output();
        self.stream
            .write_all(&output)
            .map_err(|error| os::words(&error).to_string())?;
        let mut buffer = [0; READ_BYTES];
        loop {
            if let Some(event) = self.machine.next_event().map_err(|error| error.to_string())? {
                return Ok(event);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err("it closed the connection".to_owned()),
                Ok(count) => self.machine.feed(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(format!("no answer in {PATIENCE_SECS} seconds"));
                }
                Err(error) => return Err(os::words(&error).to_string()),
            }
        }
    }
}

impl Stream {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Unix(stream) => stream.write_all(bytes),
            Stream::Tcp(stream) => stream.write_all(bytes),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => stream.read(buffer),
            Stream::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Authority for Client {
    fn verify(&self, request: &Request<'_>) -> Verdict {
        let parts = [
            request.authzid.as_bytes(),
            request.user.as_bytes(),
            request.password.bytes(),
        ];
        let asked = self.begin(&Ask {
            mechanism: "PLAIN",
            asker: request.asker,
            initial: Some(&parts.join(&0)),
        });
        match asked {
            Err(text) => Verdict::Temporary(text),
            Ok((connection, _, event)) => {
                self.give_back(connection);
                match verdict(event, &self.place) {
                    Progress::Done(verdict) => verdict,
                    Progress::Challenge(_) => Verdict::Temporary(format!("{} asks for more", self.place)),
                }
            }
        }
    }

    /// What the program offers; none when it cannot be asked. EXTERNAL and -PLUS are nothing that could be passed on.
    fn mechanisms(&self) -> Vec<String> {
        let Ok(connection) = self.connect() else {
            return Vec::new();
        };
        let offered = connection.machine.mechanisms().iter();
        let offered = offered.filter(|(_, traits)| !traits.iter().any(|word| word == "private"));
        let names = offered.filter_map(|(name, _)| mechanism::known(name));
        let names = names.filter(|name| !name.ends_with("-PLUS") && *name != "EXTERNAL");
        let names = names.map(str::to_owned).collect();
        self.give_back(connection);
        names
    }

    fn exchange(self: Arc<Self>, mechanism: &str, asker: &Asker) -> Option<Box<dyn Exchange>> {
        Some(Box::new(Foreign {
            mechanism: mechanism::known(mechanism)?,
            asker: asker.clone(),
            under_way: None,
            client: self,
        }))
    }

    fn lookup(&self, user: &str, _service: &str) -> Result<Option<Account>, String> {
        Err(format!(
            "the auth socket {} is not asked for users ({user})",
            self.place
        ))
    }

    fn has_userdb(&self) -> bool {
        false
    }

    fn list(&self) -> Result<Vec<String>, String> {
        Err(format!("the auth socket {} is not asked for users", self.place))
    }
}

/// An exchange that another program decides.
struct Foreign {
    client: Arc<Client>,
    mechanism: &'static str,
    asker: Asker,
    under_way: Option<(Connection, u32)>,
}

impl Exchange for Foreign {
    fn step(&mut self, response: Option<&[u8]>) -> Progress {
        let asked = match self.under_way.take() {
            None => self.client.begin(&Ask {
                mechanism: self.mechanism,
                asker: &self.asker,
                initial: response,
            }),
            Some((mut connection, id)) => {
                connection.machine.respond(id, response.unwrap_or_default());
                let event = connection.event_about(id);
                event.map(|event| (connection, id, event))
            }
        };
        match asked {
            Err(text) => Progress::Done(Verdict::Temporary(text)),
            Ok((connection, id, event)) => {
                let progress = verdict(event, &self.client.place);
                match progress {
                    Progress::Challenge(_) => self.under_way = Some((connection, id)),
                    Progress::Done(_) => self.client.give_back(connection),
                }
                progress
            }
        }
    }
}

impl Drop for Foreign {
    /// A client that goes away in the middle.
    fn drop(&mut self) {
        if let Some((mut connection, id)) = self.under_way.take() {
            connection.machine.cancel(id);
            self.client.give_back(connection);
        }
    }
}

fn verdict(event: Event, place: &Place) -> Progress {
    Progress::Done(match event {
        Event::Challenge { challenge, .. } => return Progress::Challenge(challenge),
        // The other program says that it is this user, not what its mailbox is.
        Event::Ok { user, .. } => Verdict::Ok(Account::of_name(user), Ticket::default()),
        Event::Fail {
            is_temporary: true,
            reason,
            ..
        } => Verdict::Temporary(format!("the auth socket {place} cannot tell now: {reason}")),
        Event::Fail { user, reason, .. } => Verdict::Failed(Failure {
            user,
            database: "dovecot".into(),
            reason: match reason.is_empty() {
                true => Reason::PasswordMismatch,
                false => Reason::Malformed(reason.into()),
            },
            // The other program has held its answer back already.
            delay: Duration::ZERO,
        }),
        Event::Ready => Verdict::Temporary(format!("the auth socket {place} greets twice")),
    })
}
