//! The filter's end, as far as tests need it: reads commands; replies write themselves ([`Reply::write`]).
//!
//! [`Reply::write`]: crate::reply::Reply::write

use crate::Error;
use crate::command::Command;
use crate::options::Agreement;
use crate::packet::{Packets, write};

/// One connection of a mail server.
#[derive(Debug, Default)]
pub struct Server {
    packets: Packets,
}

impl Server {
    /// Takes bytes, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.packets.feed(bytes);
    }

    /// The next command, if it is there in full.
    ///
    /// # Errors
    /// Every [`Error`]; nothing can be understood after it.
    pub fn next_command(&mut self) -> Result<Option<Command>, Error> {
        match self.packets.take()? {
            Some(packet) => Command::read(&packet).map(Some),
            None => Ok(None),
        }
    }

    /// Appends the answer to [`Command::Negotiate`] to `out`.
    pub fn agree(agreement: &Agreement, out: &mut Vec<u8>) {
        let mut data = Vec::new();
        agreement.write(&mut data);
        write(b'O', &data, out);
    }
}
