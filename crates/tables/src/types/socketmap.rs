//! `socketmap:inet:host:port:name`, `socketmap:unix:path:name`: Sendmail's protocol of netstrings (socketmap_table(5)).
//!
//! Limits: [`ANSWER_BYTES_MAX`], [`TIMEOUT`] for each answer, two connections for one lookup.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::tcp::{connect, words_of};
use crate::{Error, Table};

/// The longest answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = 100_000;
/// How long connecting, asking and answering may take, each.
pub const TIMEOUT: Duration = Duration::from_secs(100);

/// Where the server is.
#[derive(Debug)]
enum Server {
    Inet(String),
    Unix(String),
}

trait Stream: Read + Write + Send + std::fmt::Debug {}
impl<T: Read + Write + Send + std::fmt::Debug> Stream for T {}

/// A connection to a server, kept between lookups.
#[derive(Debug)]
pub struct SocketMap {
    whole: String,
    server: Server,
    map: String,
    connection: Mutex<Option<Box<dyn Stream>>>,
    warning: Mutex<Option<String>>,
}

impl SocketMap {
    pub(crate) fn new(name: &str) -> Result<SocketMap, Error> {
        let whole = format!("socketmap:{name}");
        let wrong = || Error::BadName {
            table: whole.clone(),
            wanted: "socketmap:inet:host:port:name or socketmap:unix:path:name".to_owned(),
        };
        let (endpoint, map) = name.rsplit_once(':').ok_or_else(wrong)?;
        let server = match endpoint.split_once(':') {
            Some(("inet", server)) if server.contains(':') => Server::Inet(server.to_owned()),
            Some(("unix", path)) if !path.is_empty() => Server::Unix(path.to_owned()),
            _ => return Err(wrong()),
        };
        let map = map.to_owned();
        Ok(SocketMap {
            server,
            map,
            connection: Mutex::default(),
            warning: Mutex::default(),
            whole,
        })
    }

    fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        match &self.server {
            Server::Inet(server) => Ok(Box::new(connect(server, TIMEOUT)?)),
            Server::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                Ok(Box::new(stream))
            }
        }
    }

    fn ask(&self, question: &[u8], connection: &mut Option<Box<dyn Stream>>) -> std::io::Result<String> {
        let stream = match connection {
            Some(stream) => stream,
            None => connection.insert(self.connect()?),
        };
        stream.write_all(question)?;
        stream.flush()?;
        netstring(stream.as_mut())
    }

    fn failed(&self, cause: String) -> Error {
        Error::Lookup {
            table: self.whole.clone(),
            cause,
        }
    }

    /// What an answer means.
    fn meaning(&self, answer: &str) -> Result<Option<String>, Error> {
        let (word, text) = answer.split_once(' ').unwrap_or((answer, ""));
        let said = |what: &str| Err(self.failed(format!("socketmap server {what}: {text}")));
        match word {
            // An empty answer is no answer (socketmap_table(5)).
            "OK" if text.is_empty() => Ok(None),
            "OK" => Ok(Some(text.to_owned())),
            "NOTFOUND" => Ok(None),
            "TEMP" => said("temporary error"),
            "TIMEOUT" => said("timeout"),
            "PERM" => said("permanent error"),
            _ => Err(self.failed(format!("unexpected reply status \"{word}\""))),
        }
    }
}

impl Table for SocketMap {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        let payload = format!("{} {key}", self.map);
        let question = format!("{}:{payload},", payload.len()).into_bytes();
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        // A kept connection may have ended meanwhile; a new one that fails has failed.
        let mut tries_left = 1 + usize::from(connection.is_some());
        loop {
            tries_left -= 1;
            match self.ask(&question, &mut connection) {
                Ok(answer) => return self.meaning(&answer),
                Err(error) => {
                    *connection = None;
                    if tries_left == 0 {
                        let text = format!("table {} lookup error: {}", self.whole, words_of(&error));
                        *self.warning.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
                        return Err(self.failed(words_of(&error)));
                    }
                }
            }
        }
    }

    fn take_warning(&self) -> Option<String> {
        self.warning.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Reads `LENGTH:TEXT,`.
fn netstring(stream: &mut dyn Stream) -> std::io::Result<String> {
    let malformed = || std::io::Error::other("the answer is not a netstring");
    let mut length = 0usize;
    let mut octet = [0u8];
    loop {
        stream.read_exact(&mut octet)?;
        match octet[0] {
            digit @ b'0'..=b'9' => length = length * 10 + usize::from(digit - b'0'),
            b':' => break,
            _ => return Err(malformed()),
        }
        if length > ANSWER_BYTES_MAX {
            return Err(std::io::Error::other("the answer is too long"));
        }
    }
    let mut text = vec![0; length + 1];
    stream.read_exact(&mut text)?;
    if text.pop() != Some(b',') {
        return Err(malformed());
    }
    String::from_utf8(text).map_err(|_| std::io::Error::other("the answer is not UTF-8"))
}
