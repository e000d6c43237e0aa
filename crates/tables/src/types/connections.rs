//! The connections to a table's server: each lookup has one of its own, so that none waits for another's answer; those that are
//! done are kept for the next.
//!
//! Limits: [`CONNECTIONS_MAX`] at once to one server; [`TIMEOUT`] for connecting, and for an answer as a whole.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many lookups may ask one server at once: as many as Postfix has processes (`default_process_limit`).
pub const CONNECTIONS_MAX: usize = 100;
/// How long connecting may take, and then asking and answering together.
pub const TIMEOUT: Duration = Duration::from_secs(100);

/// Where a server is.
#[derive(Debug)]
pub(crate) enum Server {
    /// `host:port`
    Inet(String),
    /// The path of a socket.
    Unix(String),
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// An open connection. Reading and writing end with `TimedOut` when the patience is over that was granted last.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Socket,
    until: Instant,
}

/// The connections to one server.
#[derive(Debug)]
pub(crate) struct Connections {
    server: Server,
    kept: Mutex<Vec<Connection>>,
    busy: AtomicUsize,
}

impl Connections {
    pub(crate) fn to(server: Server) -> Connections {
        Connections {
            server,
            kept: Mutex::default(),
            busy: AtomicUsize::new(0),
        }
    }

    /// Has a question asked by `ask` on a connection of its own: one that was kept, or else a new one. One that was kept may have
    /// ended meanwhile: then `ask` gets a new one, as often as there are `tries`. Without an error the connection is kept.
    ///
    /// # Errors
    /// Why there is no connection, as `Err(Trouble::Connect(_))`; what `ask` fails with last.
    pub(crate) fn ask<T>(
        &self,
        tries: Tries,
        ask: impl Fn(&mut Connection) -> io::Result<T>,
    ) -> Result<T, Trouble> {
        let _busy = self.busy()?;
        let mut kept = self.kept().pop();
        let mut tries_left = match tries {
            Tries::Always(tries) => tries,
            Tries::OnceAnew => 1 + usize::from(kept.is_some()),
        };
        loop {
            tries_left = tries_left.saturating_sub(1);
            let answer = self
                .connection(kept.take())
                .map_err(Trouble::Connect)
                .and_then(|mut connection| {
                    let answer = ask(&mut connection).map_err(Trouble::Ask)?;
                    Ok((answer, connection))
                });
            match answer {
                Ok((answer, connection)) => {
                    self.kept().push(connection);
                    return Ok(answer);
                }
                // An answer that did not come in time has had its time.
                Err(trouble) if tries_left == 0 || trouble.is_late() => return Err(trouble),
                Err(_) => {}
            }
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn busy(&self) -> Result<Busy<'_>, Trouble> {
        let busy = Busy(&self.busy);
        match self.busy.fetch_add(1, Ordering::SeqCst) < CONNECTIONS_MAX {
            true => Ok(busy),
            false => Err(Trouble::Ask(io::Error::other(format!(
                "{CONNECTIONS_MAX} lookups are waiting for its answers"
            )))),
        }
    }

    fn connection(&self, kept: Option<Connection>) -> io::Result<Connection> {
        let mut connection = match kept {
            Some(connection) => connection,
            None => Connection {
                socket: self.connected()?,
                until: Instant::now(),
            },
        };
        connection.until = Instant::now() + TIMEOUT;
        Ok(connection)
    }

    fn connected(&self) -> io::Result<Socket> {
        match &self.server {
            Server::Inet(server) => Ok(Socket::Tcp(connect(server)?)),
            Server::Unix(path) => Ok(Socket::Unix(UnixStream::connect(path)?)),
        }
    }
}

struct Busy<'c>(&'c AtomicUsize);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// When a lookup that fails is begun anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tries {
    /// In any case, until there were so many.
    Always(usize),
    /// Where the connection was an old one.
    OnceAnew,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// There is no connection.
    Connect(io::Error),
    /// The connection failed, or makes no sense.
    Ask(io::Error),
}

impl Trouble {
    /// In the words of the system.
    pub(crate) fn words(&self) -> String {
        let (Trouble::Connect(error) | Trouble::Ask(error)) = self;
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "Connection timed out".to_owned(),
            io::ErrorKind::UnexpectedEof => "Connection closed by the server".to_owned(),
            _ => os::words(error),
        }
    }

    fn is_late(&self) -> bool {
        let (Trouble::Connect(error) | Trouble::Ask(error)) = self;
        matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
    }
}

/// Connects to `host:port`, waiting no longer than [`TIMEOUT`] for each of its addresses.
fn connect(server: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in server.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Connection {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => Ok(Some(left)),
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left()?;
        match &mut self.socket {
            Socket::Tcp(stream) => {
                stream.set_read_timeout(left)?;
                stream.read(buffer)
            }
            Socket::Unix(stream) => {
                stream.set_read_timeout(left)?;
                stream.read(buffer)
            }
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left()?;
        match &mut self.socket {
            Socket::Tcp(stream) => {
                stream.set_write_timeout(left)?;
                stream.write(bytes)
            }
            Socket::Unix(stream) => {
                stream.set_write_timeout(left)?;
                stream.write(bytes)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn what_comes_after_the_patience_is_late() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connections = Connections::to(Server::Inet(listener.local_addr().unwrap().to_string()));
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"200 never ends").unwrap();
            // The connection ends, and nobody makes another: what is late is not asked again.
            let _ = stream.read(&mut [0]);
            listener.set_nonblocking(true).unwrap();
            listener.accept().is_err()
        });
        let trouble = connections.ask(Tries::Always(2), |connection| {
            connection.read_exact(&mut [0])?;
            // The patience is for the answer as a whole, however it drips.
            connection.until = Instant::now();
            connection.read_exact(&mut [0])
        });
        assert_eq!(trouble.unwrap_err().words(), "Connection timed out");
        assert_eq!(connections.busy.load(Ordering::SeqCst), 0);
        assert!(server.join().unwrap());
    }

    #[test]
    fn more_lookups_than_there_may_be_connections_are_an_error_at_once() {
        let connections = Connections::to(Server::Unix("/nonexistent".to_owned()));
        let busy: Vec<_> = (0..CONNECTIONS_MAX)
            .map(|_| connections.busy().unwrap())
            .collect();
        let trouble = connections.ask(Tries::OnceAnew, |_| Ok(())).unwrap_err().words();
        assert_eq!(trouble, "100 lookups are waiting for its answers");
        drop(busy);
        let trouble = connections.ask(Tries::OnceAnew, |_| Ok(())).unwrap_err();
        assert!(matches!(trouble, Trouble::Connect(_)));
    }
}
