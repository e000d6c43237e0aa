//! `tcp:host:port`: a server that is asked `get KEY` and answers `200 VALUE`, `500` or `400` (tcp_table(5)).
//!
//! Limits: [`LINE_BYTES_MAX`] a question and an answer, [`TRIES`] connections for one lookup; those of [`super::connections`].

use std::io::{self, Read, Write};
use std::sync::{Mutex, PoisonError};

use super::connections::{Connection, Connections, Server, Tries, Trouble};
use crate::{Error, Table, waiting};

/// The longest question and the longest answer, in bytes.
pub const LINE_BYTES_MAX: usize = 4096;
/// How often a lookup that fails is begun anew.
pub const TRIES: usize = 2;

/// A server.
#[derive(Debug)]
pub struct Tcp {
    server: String,
    connections: Connections,
    warning: Mutex<Option<String>>,
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
            connections: Connections::to(Server::Inet(server.to_owned())),
            warning: Mutex::default(),
        })
    }

    fn warn(&self, text: String) {
        *self.warning.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    fn failed(&self, cause: String) -> Error {
        Error::Lookup {
            table: format!("tcp:{}", self.server),
            cause,
        }
    }

    /// What an answer means.
    fn meaning(&self, answer: &str) -> Result<Option<String>, Error> {
        let (code, text) = answer.split_at_checked(4).unwrap_or((answer, ""));
        let text = decoded(text).ok_or_else(|| self.failed(format!("malformed reply: {answer}")))?;
        match code {
            "500 " => Ok(None),
            "200 " => Ok(Some(text)),
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
        let name = format!("tcp:{}", self.server);
        waiting::look(&name, || {
            let answer = self
                .connections
                .ask(Tries::Always(TRIES), |connection| answer(connection, &question));
            let answer = answer.map_err(|trouble| {
                let (what, words) = match trouble {
                    Trouble::Connect(_) => ("connect to TCP map", trouble.words()),
                    Trouble::Ask(_) => ("read TCP map reply from", trouble.words()),
                };
                self.warn(format!("{what} {}: {words}", self.server));
                self.failed(words)
            })?;
            self.meaning(&answer).inspect_err(|error| {
                // A server that says "later" makes no mistake.
                if let Error::Lookup { cause, .. } = error
                    && !answer.starts_with("400 ")
                {
                    self.warn(format!("read TCP map reply from {}: {cause}", self.server));
                }
            })
        })
    }

    fn take_warning(&self) -> Option<String> {
        self.warning.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Asks, and reads the answer's line.
fn answer(connection: &mut Connection, question: &[u8]) -> io::Result<String> {
    connection.write_all(question)?;
    let (mut line, mut part) = (Vec::new(), [0; 512]);
    while !line.ends_with(b"\n") {
        // Nothing follows an answer: what is read is part of it.
        match connection.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => line.extend_from_slice(&part[..length]),
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(io::Error::other("the answer is too long"));
        }
    }
    line.pop();
    match line.contains(&b'\n') {
        true => Err(io::Error::other("there is more than one answer")),
        false => String::from_utf8(line).map_err(|_| io::Error::other("the answer is not UTF-8")),
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
