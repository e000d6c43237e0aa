//! The conversation between a command (`mailq`, `postsuper`, `postfix`, `doveadm`) and the running daemon.
//!
//! A command connects to [`SOCKET`] below the queue directory, sends one [`Request`] and reads [`Reply`] frames
//! until [`Reply::Done`] or [`Reply::Refused`].

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::frame;

/// Where the daemon listens, below `queue_directory`.
pub const SOCKET: &str = "public/control";
/// How long a command waits for each frame, and the daemon for the content of a message.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a command asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Is anybody there?
    Status,
    /// List the queue: [`Reply::Listing`] frames.
    List,
    /// Try deferred mail now: all of it, one message, or one site.
    Flush(Selection),
    /// Queue administration of the selected messages, only those in the named queues when there are any: [`Reply::Acted`]
    /// frames.
    Super(Action, Selection, Vec<String>),
    /// Mail was dropped into `maildrop`.
    Pickup,
    /// Mail of a user who may not write into `maildrop` ([`drop_message`]). The content follows the frame; the answer is
    /// [`Reply::Acted`] with the queue id.
    Drop {
        /// As `envelope::codec` writes it.
        envelope: Vec<u8>,
        /// What is asked besides a delivery, in the words of the maildrop; may be empty.
        asks: String,
        /// How many octets of content follow.
        size_bytes: u64,
    },
    /// Read the configuration again.
    Reload,
    /// Stop: gracefully, or at once.
    Stop(Haste),
    /// Forget what databases said of these users, of everybody when none is named: [`Reply::Count`].
    FlushAuthCache {
        /// Their names.
        users: Vec<String>,
    },
}

/// Which messages are meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Selection {
    /// All of them.
    All,
    /// These queue ids.
    Ids(Vec<String>),
    /// Those with a recipient in this domain.
    Site(String),
}

/// What `postsuper` does to messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Action {
    Delete,
    Hold,
    Release,
    Requeue,
    /// It is returned at its next try.
    Expire,
}

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Haste {
    /// Let conversations under way end, for a while.
    Graceful,
    /// Now. The queue loses nothing by it.
    Abrupt,
}

/// What the daemon answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// A part of the listing, as JSON of the queue's own type.
    Listing(serde_json::Value),
    /// The ids of some messages that were acted on, in the order in which they were named.
    Acted(Vec<String>),
    /// The daemon's process id.
    Process(u32),
    /// How many of what was asked for there were.
    Count(usize),
    /// That was all.
    Done,
    /// It cannot be done: why.
    Refused(String),
}

/// Why the daemon did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens: the mail system is down.
    #[error("the mail system is down")]
    Down,
    /// The socket cannot be used.
    #[error("cannot connect to {}: {}", .0.display(), os::words(.1))]
    Connect(PathBuf, io::Error),
    /// The conversation went wrong.
    #[error(transparent)]
    Frame(#[from] frame::Error),
    /// The daemon refused: why.
    #[error("{0}")]
    Refused(String),
}

/// Asks the daemon of `queue_directory` and gives each reply but the closing one to `each`.
///
/// # Errors
/// [`Error::Down`] when there is no daemon; the other variants when there is and something goes wrong.
pub fn ask(queue_directory: &Path, request: &Request, mut each: impl FnMut(Reply)) -> Result<(), Error> {
    ask_while(queue_directory, request, |reply| {
        each(reply);
        ControlFlow::Continue(())
    })
}

/// As [`ask`], until `each` wants to hear no more.
///
/// # Errors
/// As [`ask`].
pub fn ask_while(
    queue_directory: &Path,
    request: &Request,
    each: impl FnMut(Reply) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut stream = connect(queue_directory)?;
    frame::write(&mut stream, request)?;
    hear(&mut stream, each)
}

/// Gives the daemon of `queue_directory` a message for the maildrop; returns its queue id. It is on disk then.
///
/// # Errors
/// As [`ask`]; nothing was taken then.
pub fn drop_message(
    queue_directory: &Path,
    envelope: Vec<u8>,
    asks: String,
    content: &[u8],
) -> Result<String, Error> {
    let mut stream = connect(queue_directory)?;
    let size_bytes = content.len() as u64;
    frame::write(
        &mut stream,
        &Request::Drop {
            envelope,
            asks,
            size_bytes,
        },
    )?;
    // Who refuses does not read on, but says why.
    let written = stream.write_all(content);
    let mut ids = Vec::new();
    hear(&mut stream, |reply| {
        if let Reply::Acted(acted) = reply {
            ids.extend(acted);
        }
        ControlFlow::Continue(())
    })?;
    written.map_err(frame::Error::from)?;
    ids.pop()
        .ok_or_else(|| Error::Frame(io::Error::from(io::ErrorKind::InvalidData).into()))
}

fn connect(queue_directory: &Path) -> Result<UnixStream, Error> {
    let path = queue_directory.join(SOCKET);
    let stream = UnixStream::connect(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::Down,
        _ => Error::Connect(path.clone(), error),
    })?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
        .map_err(frame::Error::from)?;
    Ok(stream)
}

fn hear(stream: &mut UnixStream, mut each: impl FnMut(Reply) -> ControlFlow<()>) -> Result<(), Error> {
    loop {
        match frame::read(stream)? {
            Some(Reply::Done) => return Ok(()),
            Some(Reply::Refused(why)) => return Err(Error::Refused(why)),
            Some(reply) => {
                if each(reply).is_break() {
                    return Ok(());
                }
            }
            None => return Err(Error::Frame(io::Error::from(io::ErrorKind::UnexpectedEof).into())),
        }
    }
}
