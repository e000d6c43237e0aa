//! The other side of a dialogue.

use std::io;
use std::time::Duration;

/// What a peer says to a `given` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// It is so.
    Set,
    /// This peer cannot be brought there; the dialogue is not for it.
    NotHere,
}

/// Something that a dialogue can run against.
pub trait Peer {
    /// A `given KEY VALUE` line. All of them come before the first octet.
    fn given(&mut self, key: &str, value: &str) -> Given;

    /// Sends octets to it.
    ///
    /// # Errors
    /// When the connection is gone.
    fn send(&mut self, octets: &[u8]) -> io::Result<()>;

    /// The next line it says, without its CRLF. `None`: it has closed the connection.
    ///
    /// # Errors
    /// `TimedOut` when nothing comes within the peer's own bound; what the connection says.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>>;

    /// Lets time pass (`@ +30s`). `false`: this peer's clock cannot be moved.
    fn pass(&mut self, time: Duration) -> bool;

    /// Does the client's side of a TLS handshake. `false`: this peer cannot.
    ///
    /// # Errors
    /// When the handshake fails.
    fn start_tls(&mut self) -> io::Result<bool>;

    /// What it has done that a dialogue may check, by the word at the line's start (`queue`, `log`, `mailbox`): one
    /// line a fact, oldest first. `None`: this peer cannot tell.
    fn facts(&mut self, kind: &str) -> Option<Vec<String>>;
}
