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
/// How long a command waits without an octet from the daemon, and the daemon for the content of a message.
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
    /// Show a section of the system's state: [`Reply::Section`] frames.
    Show(Section),
    /// Forget what databases said of these users, of everybody when none is named: [`Reply::Count`].
    FlushAuthCache {
        /// Their names.
        users: Vec<String>,
    },
}

/// A section of the system's state, as `yubin status` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Section {
    /// Who is limited now, and why: [`crate::status::Limits`].
    Limits,
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
    /// A part of the section that was asked for, in the section's own type.
    Section(serde_json::Value),
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
    /// It listens, and says nothing: where, and for how long.
    #[error(
        "cannot hear from the mail system: {}: no answer for {} s. Its processes may be stopped or overloaded: look at them and at the log",
        .0.display(), .1.as_secs()
    )]
    Silent(PathBuf, Duration),
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
    ask_within((queue_directory, PATIENCE), request, each)
}

/// As [`ask_while`], with other patience than [`PATIENCE`].
///
/// # Errors
/// As [`ask`].
pub fn ask_within(
    (queue_directory, patience): (&Path, Duration),
    request: &Request,
    each: impl FnMut(Reply) -> ControlFlow<()>,
) -> Result<(), Error> {
    let silent = |error| silent(error, queue_directory, patience);
    let mut stream = connect(queue_directory, patience)?;
    frame::write(&mut stream, request).map_err(|error| silent(error.into()))?;
    hear(&mut stream, each).map_err(silent)
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
    let silent = |error| silent(error, queue_directory, PATIENCE);
    let mut stream = connect(queue_directory, PATIENCE)?;
    let size_bytes = content.len() as u64;
    frame::write(
        &mut stream,
        &Request::Drop {
            envelope,
            asks,
            size_bytes,
        },
    )
    .map_err(|error| silent(error.into()))?;
    // Who refuses does not read on, but says why.
    let written = match stream.write_all(content) {
        Err(error) if is_timeout(&error) => return Err(silent(frame::Error::from(error).into())),
        written => written,
    };
    let mut ids = Vec::new();
    hear(&mut stream, |reply| {
        if let Reply::Acted(acted) = reply {
            ids.extend(acted);
        }
        ControlFlow::Continue(())
    })
    .map_err(silent)?;
    written.map_err(frame::Error::from)?;
    ids.pop()
        .ok_or_else(|| Error::Frame(io::Error::from(io::ErrorKind::InvalidData).into()))
}

fn connect(queue_directory: &Path, patience: Duration) -> Result<UnixStream, Error> {
    let path = queue_directory.join(SOCKET);
    // Where nobody accepts, others may wait already.
    let stream = os::descriptors::connect(&path, patience).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::Down,
        _ if is_timeout(&error) => Error::Silent(path.clone(), patience),
        _ => Error::Connect(path.clone(), error),
    })?;
    stream
        .set_read_timeout(Some(patience))
        .and_then(|()| stream.set_write_timeout(Some(patience)))
        .map_err(frame::Error::from)?;
    Ok(stream)
}

/// What a conversation that was waited for too long comes to.
fn silent(error: Error, queue_directory: &Path, patience: Duration) -> Error {
    match error {
        Error::Frame(frame::Error::Io(error)) if is_timeout(&error) => {
            Error::Silent(queue_directory.join(SOCKET), patience)
        }
        other => other,
    }
}

/// Linux says `WouldBlock` where a socket's patience ends.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_daemon_that_says_nothing_is_not_waited_for_for_ever() {
        let queue = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(queue.path().join("public")).expect("made");
        let patience = Duration::from_millis(30);
        let ask = || {
            ask_within((queue.path(), patience), &Request::Status, |_| {
                ControlFlow::Continue(())
            })
        };
        assert!(matches!(ask(), Err(Error::Down)));
        // It is stopped: the system takes connections for it, and then no more.
        let listener = UnixListener::bind(queue.path().join(SOCKET)).expect("bound");
        let error = ask().expect_err("no answer");
        assert!(matches!(error, Error::Silent(..)), "{error}");
        rustix::net::listen(&listener, 0).expect("a shorter queue");
        for _ in 0..2 {
            let error = ask().expect_err("no answer");
            assert!(matches!(error, Error::Silent(..)), "{error}");
        }
        let text = Error::Silent("/q/public/control".into(), PATIENCE).to_string();
        assert!(
            text.starts_with("cannot hear from the mail system: /q/public/control: no answer for 60 s. "),
            "{text}"
        );
        drop(listener);
        assert!(matches!(ask(), Err(Error::Down)));
    }
}
