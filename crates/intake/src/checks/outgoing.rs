//! A message on its way out: its header fields and body lines past the client's checks, and the addresses in its header
//! past `smtp_generic_maps`.

use std::io::{self, Read};

use address::Address;
use message::scan::{Line, Place, Scanner, Sink};

use super::{Checks, Effects};
use crate::address_fields;

/// How much is read at once, in octets.
const PIECE_BYTES: usize = 64 * 1024;

/// What is done to a message that goes out.
pub trait Outgoing: Send + Sync {
    /// What looks at it.
    fn checks(&self) -> &Checks;

    /// What stands for an address in its header; `None`: itself.
    ///
    /// # Errors
    /// When that cannot be told now.
    fn generic(&self, address: &Address) -> Result<Option<Address>, tables::Error>;

    /// Told once what was logged of it on the way, when all was read or nothing more can be.
    fn tell(&self, effects: &mut Effects);
}

/// Why [`Reader`] breaks a message off; [`Outgoing::tell`] has heard more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a lookup table cannot be asked")]
pub struct TableFailed;

/// Reads a message, lines ending in LF, as it goes out. What a table cannot answer breaks it off with [`TableFailed`].
pub struct Reader<'a, R> {
    inner: R,
    outgoing: &'a dyn Outgoing,
    scanner: Scanner,
    effects: Effects,
    ready: Vec<u8>,
    at: usize,
    has_ended: bool,
}

impl<'a, R: Read> Reader<'a, R> {
    /// At the start of a message.
    pub fn new(inner: R, outgoing: &'a dyn Outgoing) -> Reader<'a, R> {
        Reader {
            inner,
            scanner: Scanner::new(outgoing.checks().limits),
            outgoing,
            effects: Effects::default(),
            ready: Vec::new(),
            at: 0,
            has_ended: false,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut piece = vec![0; PIECE_BYTES];
        let count = self.inner.read(&mut piece)?;
        self.ready.clear();
        self.at = 0;
        let mut sink = Rewritten {
            outgoing: self.outgoing,
            effects: &mut self.effects,
            out: &mut self.ready,
        };
        if count == 0 {
            self.has_ended = true;
            self.scanner.finish(&mut sink);
        } else {
            self.scanner.feed(&piece[..count], &mut sink);
        }
        if self.effects.has_failed || self.has_ended {
            self.outgoing.tell(&mut self.effects);
        }
        match self.effects.has_failed {
            true => Err(io::Error::other(TableFailed)),
            false => Ok(()),
        }
    }
}

impl<R: Read> Read for Reader<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() && !self.has_ended {
            self.fill()?;
        }
        let count = out.len().min(self.ready.len() - self.at);
        out[..count].copy_from_slice(&self.ready[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

struct Rewritten<'a> {
    outgoing: &'a dyn Outgoing,
    effects: &'a mut Effects,
    out: &'a mut Vec<u8>,
}

impl Rewritten<'_> {
    /// A field of the message's own header with other addresses; `None`: as it is.
    fn generic(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        let colon = memchr::memchr(b':', text)?;
        let (name, value) = (&text[..colon], text[colon + 1..].trim_ascii());
        address_fields::whose(name.trim_ascii_end())?;
        match address_fields::changed(value, |address| self.outgoing.generic(address)) {
            Ok(changed) => changed.map(|value| {
                let name = String::from_utf8_lossy(name);
                address_fields::folded(&name, &value).into_bytes()
            }),
            Err(error) => {
                self.effects.fail_with(error.to_string());
                None
            }
        }
    }
}

impl Sink for Rewritten<'_> {
    fn field(&mut self, place: Place, text: &[u8]) {
        let fate = self.outgoing.checks().field(place, text, self.effects);
        let (before, text) = fate.of(text);
        for (line, is_own) in [(before, false), (text, true)] {
            let Some(line) = line else { continue };
            let is_generic = is_own && place == Place::Primary;
            let generic = is_generic.then(|| self.generic(line)).flatten();
            self.out.extend_from_slice(generic.as_deref().unwrap_or(line));
            self.out.push(b'\n');
        }
    }

    fn line(&mut self, line: Line<'_>) {
        let fate = self.outgoing.checks().line(line, self.effects);
        fate.write(line.text, line.ends, self.out);
    }
}
