//! `tcp:host:port`: a server that is asked `get KEY` and answers `200 VALUE`, `500` or `400` (tcp_table(5)).
//!
//! Limits: [`LINE_BYTES_MAX`] a question and an answer, [`TIMEOUT`] for each, [`TRIES`] connections for one lookup.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::{Error, Table};

/// The longest question and the longest answer, in bytes.
pub const LINE_BYTES_MAX: usize = 4096;
/// How long connecting, asking and answering may take, each.
pub const TIMEOUT: Duration = Duration::from_secs(100);
/// How often a lookup that fails is begun anew.
pub const TRIES: usize = 2;

/// A connection to a server, kept between lookups.
#[derive(Debug)]
pub struct Tcp {
    server: String,
    connection: Mutex<Option<BufReader<TcpStream>>>,
    warning: Mutex<Option<String>>,
}

/// Connects to `host:port`, waiting no longer than `patience` for each of its addresses.
pub(crate) fn connect(server: &str, patience: Duration) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
    for address in server.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => {
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What went wrong in the words of the system.
pub(crate) fn words_of(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => "Connection timed out".to_owned(),
        std::io::ErrorKind::UnexpectedEof => "Connection closed by the server".to_owned(),
        _ => os::words(error),
    }
}

impl Tcp {
    pub(crate) fn new(server: &str) -> Result<Tcp, Error> {
        let has_port = server.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !port.is_empty() && port.chars().all(|c| c.is_ascii_alphanumeric())
        });
        if !has_port {
            return Err(Error::BadName {
                table: format!("tcp:{server}"),
                wanted: "tcp:host:port".to_owned(),
            });
        }
        Ok(Tcp {
            server: server.to_owned(),
            connection: Mutex::default(),
            warning: Mutex::default(),
        })
    }

    fn failed(&self, cause: String) -> Error {
        Error::Lookup {
            table: format!("tcp:{}", self.server),
            cause,
        }
    }

    fn ask(&self, question: &[u8], connection: &mut Option<BufReader<TcpStream>>) -> std::io::Result<String> {
        let reader = match connection {
            Some(reader) => reader,
            None => {
                let stream = connect(&self.server, TIMEOUT);
                let stream = stream.inspect_err(|error| {
                    let text = format!("connect to TCP map {}: {}", self.server, words_of(error));
                    *self.warning.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
                })?;
                connection.insert(BufReader::new(stream))
            }
        };
        reader.get_mut().write_all(question)?;
        let mut line = Vec::new();
        reader
            .by_ref()
            .take(LINE_BYTES_MAX as u64)
            .read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(match line.len() + 1 < LINE_BYTES_MAX {
                true => std::io::ErrorKind::UnexpectedEof.into(),
                false => std::io::Error::other("the answer is too long"),
            });
        }
        String::from_utf8(line).map_err(|_| std::io::Error::other("the answer is not UTF-8"))
    }

    /// What an answer means.
    fn meaning(&self, answer: &str) -> Result<Option<String>, Error> {
        let (code, text) = answer.split_at_checked(4).unwrap_or((answer, ""));
        let text = decoded(text).ok_or_else(|| self.failed(format!("malformed reply: {answer}")))?;
        match code {
            "500 " => Ok(None),
            "200 " if !text.is_empty() => Ok(Some(text)),
            "200 " => Err(self.failed("an empty answer".to_owned())),
            "400 " => Err(self.failed(format!("the server says: {text}"))),
            _ => Err(self.failed(format!("malformed reply: {answer}"))),
        }
    }
}

impl Table for Tcp {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        let question = format!("get {}\n", encoded(key)).into_bytes();
        // The protocol has no room for such a key; nobody can have it.
        if key.is_empty() || question.len() > LINE_BYTES_MAX {
            return Ok(None);
        }
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failure = String::new();
        for _ in 0..TRIES {
            match self.ask(&question, &mut connection) {
                Ok(answer) => {
                    let meaning = self.meaning(&answer);
                    if meaning.is_err() {
                        *connection = None;
                    }
                    return meaning;
                }
                Err(error) => {
                    *connection = None;
                    failure = words_of(&error);
                }
            }
        }
        Err(self.failed(failure))
    }

    fn take_warning(&self) -> Option<String> {
        self.warning.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// `%XX` for what is no printable ASCII, and for `%`.
fn encoded(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'%' | 0..=32 | 127..=255 => out.push_str(&format!("%{byte:02X}")),
            byte => out.push(char::from(byte)),
        }
    }
    out
}

fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
        out.push((high * 16 + low) as u8);
    }
    String::from_utf8(out).ok()
}
