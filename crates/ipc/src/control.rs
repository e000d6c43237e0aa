//! The conversation between a command (`mailq`, `postsuper`, `postfix`, `doveadm`) and the running daemon.
//!
//! A command connects to [`SOCKET`] below the queue directory, sends one [`Request`] and reads [`Reply`] frames
//! until [`Reply::Done`] or [`Reply::Refused`].

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::frame;

/// Where the daemon listens, below `queue_directory`.
pub const SOCKET: &str = "public/control";
/// How long a command waits for each frame.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a command asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Is anybody there?
    Status,
    /// List the queue: [`Reply::Listing`] frames.
    List,
    /// Try deferred mail now: all of it, one message, or one site.
    Flush(Selection),
    /// Queue administration: [`Reply::Count`].
    Super(Action, Selection),
    /// Mail was dropped into `maildrop`.
    Pickup,
    /// Read the configuration again.
    Reload,
    /// Stop: gracefully, or at once.
    Stop(Haste),
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
    /// The ids of the messages that were acted on.
    Acted(Vec<String>),
    /// The daemon's process id.
    Process(u32),
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
    #[error("cannot connect to {0}: {1}")]
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
    let path = queue_directory.join(SOCKET);
    let mut stream = UnixStream::connect(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::Down,
        _ => Error::Connect(path.clone(), error),
    })?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .map_err(frame::Error::from)?;
    frame::write(&mut stream, request)?;
    loop {
        match frame::read(&mut stream)? {
            Some(Reply::Done) => return Ok(()),
            Some(Reply::Refused(why)) => return Err(Error::Refused(why)),
            Some(reply) => each(reply),
            None => return Err(Error::Frame(io::Error::from(io::ErrorKind::UnexpectedEof).into())),
        }
    }
}
