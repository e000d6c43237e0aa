//! `socketmap:inet:host:port:name`, `socketmap:unix:path:name`: Sendmail's protocol of netstrings (socketmap_table(5)).
//!
//! Limits: [`ANSWER_BYTES_MAX`], two connections for one lookup; those of [`super::connections`].

use std::io::{self, Read, Write};
use std::sync::{Mutex, PoisonError};

use super::connections::{Connection, Connections, Server, Tries};
use crate::{Error, Table, waiting};

/// The longest answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = 100_000;

/// A map of a server.
#[derive(Debug)]
pub struct SocketMap {
    whole: String,
    map: String,
    connections: Connections,
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
            map,
            connections: Connections::to(server),
            warning: Mutex::default(),
            whole,
        })
    }

    fn warn(&self, text: String) {
        *self.warning.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
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
        waiting::look(&self.whole, || {
            // A kept connection may have ended meanwhile; a new one that fails has failed.
            let answer = self.connections.ask(Tries::OnceAnew, |connection| {
                connection.write_all(&question)?;
                netstring(connection)
            });
            let answer = answer.map_err(|trouble| {
                self.warn(format!("table {} lookup error: {}", self.whole, trouble.words()));
                self.failed(trouble.words())
            })?;
            self.meaning(&answer).inspect_err(|error| {
                if let Error::Lookup { cause, .. } = error {
                    self.warn(format!("{} {cause}", self.whole));
                }
            })
        })
    }

    fn take_warning(&self) -> Option<String> {
        self.warning.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Reads `LENGTH:TEXT,`.
fn netstring(stream: &mut Connection) -> io::Result<String> {
    let malformed = || io::Error::other("the answer is not a netstring");
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
            return Err(io::Error::other("the answer is too long"));
        }
    }
    let mut text = vec![0; length + 1];
    stream.read_exact(&mut text)?;
    if text.pop() != Some(b',') {
        return Err(malformed());
    }
    String::from_utf8(text).map_err(|_| io::Error::other("the answer is not UTF-8"))
}
