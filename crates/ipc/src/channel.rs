//! A conversation between two roles: frames with descriptors over a Unix stream socket, one half to send and one to
//! receive. On a blocking socket [`Inbox::receive`] and [`Outbox::flush`] wait; on a non-blocking one [`Inbox::fill`] and
//! [`Outbox::flush`] say that they would have to.
//!
//! Before each frame come four octets: how many descriptors belong to it. They go in portions, the last not behind its end.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use os::descriptors::DESCRIPTORS_MAX;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::frame::{self, Error};

/// How much is read at once: what most frames need, and what a frame gets that needs more.
const READ_BYTES: [usize; 2] = [4 * 1024, 64 * 1024];
/// What stands before the content of a frame: how many descriptors, how many octets.
const HEAD_BYTES: usize = 8;

/// How many descriptors belong to one frame: as many listening sockets may a front be given at once.
pub const FRAME_DESCRIPTORS_MAX: usize = 16 * 1024;

/// What came: a value and its descriptors.
pub type Received<T> = (T, Vec<OwnedFd>);

/// The receiving half.
#[derive(Debug)]
pub struct Inbox {
    socket: UnixStream,
    bytes: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
}

/// What [`Inbox::fill`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// Something came.
    Some,
    /// Nothing is there now.
    Nothing,
    /// The other side is gone.
    Ended,
}

impl Inbox {
    /// The receiving half of `socket`.
    pub fn new(socket: UnixStream) -> Inbox {
        Inbox {
            socket,
            bytes: Vec::new(),
            descriptors: VecDeque::new(),
        }
    }

    /// Reads once.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn fill(&mut self) -> Result<Filled, Error> {
        let (before, mut came) = (self.bytes.len(), Vec::new());
        let [few, many] = READ_BYTES;
        self.bytes
            .resize(before + if before < few { few } else { many }, 0);
        let received = os::descriptors::receive(&self.socket, &mut self.bytes[before..], &mut came);
        let count = *received.as_ref().unwrap_or(&0);
        self.bytes.truncate(before + count);
        self.descriptors.extend(came);
        match received {
            Ok(0) => Ok(Filled::Ended),
            Ok(_) => Ok(Filled::Some),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Filled::Nothing),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(Filled::Ended),
            Err(error) => Err(error.into()),
        }
    }

    /// The next frame of those that were read.
    ///
    /// # Errors
    /// When it is none of this conversation.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<Option<Received<T>>, Error> {
        let Some((head, _)) = self.bytes.split_first_chunk::<HEAD_BYTES>() else {
            return Ok(None);
        };
        let [d0, d1, d2, d3, l0, l1, l2, l3] = *head;
        let count = u32::from_be_bytes([d0, d1, d2, d3]) as usize;
        let end = HEAD_BYTES + frame::length([l0, l1, l2, l3])?;
        if self.bytes.len() < end {
            return Ok(None);
        }
        if self.descriptors.len() < count {
            return Err(io::Error::from(io::ErrorKind::InvalidData).into());
        }
        let value = frame::decode(&self.bytes[HEAD_BYTES..end])?;
        self.bytes.drain(..end);
        if self.bytes.is_empty() {
            // An idle conversation keeps no buffer.
            self.bytes = Vec::new();
        }
        Ok(Some((value, self.descriptors.drain(..count).collect())))
    }

    /// The next frame; waits for it. `None` when the other side is gone.
    ///
    /// # Errors
    /// When the connection breaks or what comes is no frame of this conversation.
    pub fn receive<T: DeserializeOwned>(&mut self) -> Result<Option<Received<T>>, Error> {
        loop {
            if let Some(received) = self.take()? {
                return Ok(Some(received));
            }
            if self.fill()? == Filled::Ended {
                return Ok(None);
            }
        }
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The sending half.
#[derive(Debug)]
pub struct Outbox {
    socket: UnixStream,
    waiting: VecDeque<Parcel>,
}

/// A frame with its descriptors that is not sent yet, or not all of it.
#[derive(Debug)]
pub struct Parcel {
    bytes: Vec<u8>,
    sent: usize,
    /// Those that are not sent yet.
    descriptors: VecDeque<OwnedFd>,
}

impl Parcel {
    /// `value` with its descriptors.
    ///
    /// # Errors
    /// When it is too long, or has more than [`FRAME_DESCRIPTORS_MAX`] descriptors.
    pub fn new<T: Serialize>(value: &T, descriptors: Vec<OwnedFd>) -> Result<Parcel, Error> {
        let count = u32::try_from(descriptors.len())
            .ok()
            .filter(|_| descriptors.len() <= FRAME_DESCRIPTORS_MAX)
            .ok_or(Error::TooManyDescriptors(descriptors.len()))?;
        let mut bytes = count.to_be_bytes().to_vec();
        bytes.extend(frame::encode(value)?);
        // Every portion of descriptors needs an octet to go with.
        if descriptors.len() > bytes.len() * DESCRIPTORS_MAX {
            return Err(Error::TooManyDescriptors(descriptors.len()));
        }
        Ok(Parcel {
            bytes,
            sent: 0,
            descriptors: descriptors.into(),
        })
    }

    /// Sends a portion. While more descriptors are left than go with one write, it is a single octet with as many of them as go;
    /// then come the rest of both.
    fn send_some(&mut self, socket: &UnixStream) -> io::Result<()> {
        let portion = self.descriptors.len().min(DESCRIPTORS_MAX);
        let end = match self.descriptors.len() > portion {
            true => self.sent + 1,
            false => self.bytes.len(),
        };
        let descriptors: Vec<BorrowedFd<'_>> =
            self.descriptors.iter().take(portion).map(AsFd::as_fd).collect();
        self.sent += os::descriptors::send(socket, &self.bytes[self.sent..end], &descriptors)?;
        self.descriptors.drain(..portion);
        Ok(())
    }
}

impl Outbox {
    /// The sending half of `socket`.
    pub fn new(socket: UnixStream) -> Outbox {
        Outbox {
            socket,
            waiting: VecDeque::new(),
        }
    }

    /// Puts a frame behind those that wait.
    pub fn push(&mut self, parcel: Parcel) {
        self.waiting.push_back(parcel);
    }

    /// Sends what waits; whether all of it is sent.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn flush(&mut self) -> Result<bool, Error> {
        while let Some(first) = self.waiting.front_mut() {
            match first.send_some(&self.socket) {
                Ok(()) if first.sent == first.bytes.len() => {
                    self.waiting.pop_front();
                }
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Sends a frame, and what waits before it.
    ///
    /// # Errors
    /// As [`Parcel::new`] and [`Outbox::flush`].
    pub fn send<T: Serialize>(&mut self, value: &T, descriptors: Vec<OwnedFd>) -> Result<bool, Error> {
        self.push(Parcel::new(value, descriptors)?);
        self.flush()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Ends the conversation for both sides.
    pub fn hang_up(&self) {
        // Who is gone already needs no telling.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

/// Both halves of `socket`.
///
/// # Errors
/// When descriptors are short.
pub fn halves(socket: UnixStream) -> io::Result<(Inbox, Outbox)> {
    Ok((Inbox::new(socket.try_clone()?), Outbox::new(socket)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_keep_their_order_and_their_descriptors() {
        let (here, there) = UnixStream::pair().expect("a pair");
        let mut inbox = Inbox::new(there);
        let writer = std::thread::spawn(move || {
            let mut outbox = Outbox::new(here);
            for number in 0..200_u32 {
                let files = (0..number % 3).map(|_| tempfile::tempfile().expect("a file").into());
                let parcel = Parcel::new(&(number, "x".repeat(5000)), files.collect());
                outbox.push(parcel.expect("fits"));
            }
            outbox.flush().expect("sent")
        });
        for number in 0..200_u32 {
            let received = inbox.receive::<(u32, String)>().expect("a frame");
            let ((got, _), files) = received.expect("not the end");
            assert_eq!((got, files.len()), (number, number as usize % 3));
        }
        assert!(writer.join().expect("no panic"));
        assert!(inbox.receive::<u32>().expect("ends").is_none());
    }

    #[test]
    fn more_descriptors_than_go_with_one_write_come_in_portions() {
        let (here, there) = UnixStream::pair().expect("a pair");
        let mut inbox = Inbox::new(there);
        let counts = [DESCRIPTORS_MAX, DESCRIPTORS_MAX + 1, 0, 333, 1];
        let writer = std::thread::spawn(move || {
            let mut outbox = Outbox::new(here);
            for count in counts {
                let files = (0..count).map(|number| {
                    let file = os::descriptors::sealed(&mut number.to_string().as_bytes());
                    file.expect("memory").into()
                });
                let files: Vec<OwnedFd> = files.collect();
                assert!(outbox.send(&vec![7_u8; count], files).expect("sent"));
            }
        });
        for count in counts {
            let received = inbox.receive::<Vec<u8>>().expect("a frame");
            let (value, files) = received.expect("not the end");
            assert_eq!((value.len(), files.len()), (count, count));
            for (number, file) in files.into_iter().enumerate() {
                let text = io::read_to_string(std::fs::File::from(file)).expect("readable");
                assert_eq!(text, number.to_string());
            }
        }
        writer.join().expect("no panic");
    }

    #[test]
    fn what_would_block_is_sent_later() {
        let (here, there) = UnixStream::pair().expect("a pair");
        here.set_nonblocking(true).expect("set");
        let (mut inbox, mut outbox) = (Inbox::new(there), Outbox::new(here));
        let long = "x".repeat(1_000_000);
        assert!(!outbox.send(&long, Vec::new()).expect("queued"));
        let mut got = None;
        while got.is_none() {
            inbox.fill().expect("comes");
            outbox.flush().expect("goes on");
            got = inbox.take::<String>().expect("a frame");
        }
        assert_eq!(got.map(|(text, _)| text.len()), Some(long.len()));
        assert!(outbox.is_empty());
    }
}
