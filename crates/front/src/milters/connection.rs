//! One connection to a filter: the machine of crate `milter` over a socket, with its time limits.

use std::io;
use std::path::Path;
use std::time::Duration;

use milter::client::{Client, Event, Macros};
use milter::command::Command;
use milter::fault::{Fault, HUNG_UP, TIMED_OUT};
use milter::reply::{Change, Verdict};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::service::{Endpoint, Service};

/// How much is read at once.
const PIECE_BYTES: usize = 8 * 1024;

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// A filter that agreed to be asked.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    pub(super) client: Client,
}

/// Why there is none.
pub(super) struct Unconnected {
    /// Lines for the log.
    pub(super) told: Vec<String>,
    /// The settings are to blame.
    pub(super) is_of_configuration: bool,
}

fn unavailable(told: Vec<String>) -> Unconnected {
    Unconnected {
        told,
        is_of_configuration: false,
    }
}

impl Connection {
    /// Connects, and agrees with the filter; with a line for the log, if there is something odd.
    pub(super) async fn open(
        service: &Service,
        queue_directory: &Path,
    ) -> Result<(Connection, Option<String>), Unconnected> {
        if let Endpoint::Wrong(problem) = &service.endpoint {
            return Err(Unconnected {
                told: vec![problem.clone()],
                is_of_configuration: true,
            });
        }
        let patience = service.connect_timeout;
        let connecting = timeout(patience, connect(&service.endpoint, queue_directory)).await;
        let connected = connecting.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
        let stream = connected.map_err(|error| {
            let text = format!("connect to Milter service {}: {}", service.name, words(&error));
            unavailable(vec![text])
        })?;
        let mut connection = Connection {
            stream,
            client: Client::new(service.protocol),
        };
        match connection.next(patience).await {
            Event::Agreed(odd) => {
                let odd = odd
                    .map(|version| format!("milter {}: unexpected protocol version {version}", service.name));
                Ok((connection, odd))
            }
            Event::Broken(fault) => {
                let mut lines = vec![format!("milter {}: {fault}", service.name)];
                if !matches!(fault, Fault::Version(..) | Fault::NoAgreement(_)) {
                    lines.push(format!(
                        "milter {}: read error in initial handshake",
                        service.name
                    ));
                }
                Err(unavailable(lines))
            }
            _ => Err(unavailable(Vec::new())),
        }
    }

    /// Says something, and waits for what the filter says to it: `None` when it says nothing to such. Changes go to `change`
    /// as they come.
    ///
    /// # Errors
    /// When the filter cannot be asked again.
    pub(super) async fn ask(
        &mut self,
        command: &Command,
        macros: &(dyn Macros + Sync),
        patience: Duration,
        change: &mut (dyn FnMut(Change) + Send),
    ) -> Result<Option<Verdict>, Fault> {
        self.client.say(command, macros);
        self.send(patience).await?;
        while self.client.is_waiting() {
            match self.next(patience).await {
                Event::Verdict(verdict) => return Ok(Some(verdict)),
                Event::Change(what) => change(what),
                Event::Broken(fault) => return Err(fault),
                Event::Progress | Event::Agreed(_) => {}
            }
        }
        Ok(None)
    }

    /// Says something that has no answer; a filter that does not hear it shows that later.
    pub(super) async fn tell(&mut self, command: &Command, macros: &(dyn Macros + Sync), patience: Duration) {
        self.client.say(command, macros);
        let _ = self.send(patience).await;
    }

    async fn send(&mut self, patience: Duration) -> Result<(), Fault> {
        let output = self.client.take_output();
        if output.is_empty() {
            return Ok(());
        }
        let sent = match timeout(patience, self.stream.write_all(&output)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => words(&error),
            Err(_) => TIMED_OUT.to_owned(),
        };
        Err(match self.client.lose(&sent) {
            Event::Broken(fault) => fault,
            _ => Fault::HalfPacket(sent),
        })
    }

    /// The next thing that the filter says, or that it says nothing more.
    async fn next(&mut self, patience: Duration) -> Event {
        if let Err(fault) = self.send(patience).await {
            return Event::Broken(fault);
        }
        let mut piece = [0; PIECE_BYTES];
        loop {
            if let Some(event) = self.client.next_event() {
                return event;
            }
            match timeout(patience, self.stream.read(&mut piece)).await {
                Ok(Ok(0)) => return self.client.lose(HUNG_UP),
                Ok(Ok(count)) => self.client.feed(&piece[..count]),
                Ok(Err(error)) => return self.client.lose(&words(&error)),
                Err(_) => return self.client.lose(TIMED_OUT),
            }
        }
    }
}

/// What the log calls an error: the system's words.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "Connection refused".to_owned(),
        io::ErrorKind::NotFound => "No such file or directory".to_owned(),
        io::ErrorKind::TimedOut => TIMED_OUT.to_owned(),
        io::ErrorKind::UnexpectedEof => HUNG_UP.to_owned(),
        _ => {
            let words = os::words(error);
            let looked_up = words.strip_prefix("failed to lookup address information: ");
            looked_up.map(str::to_owned).unwrap_or(words)
        }
    }
}

async fn connect(endpoint: &Endpoint, queue_directory: &Path) -> io::Result<Box<dyn Stream>> {
    match endpoint {
        Endpoint::Inet(host, port) => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
        Endpoint::Unix(path) => Ok(Box::new(
            UnixStream::connect(Service::path(queue_directory, path)).await?,
        )),
        Endpoint::Wrong(problem) => Err(io::Error::other(problem.clone())),
    }
}
