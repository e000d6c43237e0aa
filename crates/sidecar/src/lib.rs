//! The small line protocols by which other programs are asked, and ask.
//!
//! In charge of the words on the wire, of order and of limits. Not in charge of sockets, nor of who somebody is.
//!
//! Entries: [`auth_server::Server`] and [`auth_client::Client`] for Dovecot's authentication protocol (the one that Postfix
//! and Exim speak), [`auth_userdb::Server`] for its sibling by which users are looked up; what the two have in common is in [`conversation`]. Pure: bytes in, events and bytes
//! out.
//! Sources: Dovecot's auth-protocol.txt, version 1.2, and what Debian's Dovecot 2.3 and Postfix 3.7 say to each other.
//! Limits: [`LINE_BYTES_MAX`], [`auth_server::EXCHANGES_MAX`]. Test data lies in `dialogues/`.

pub mod auth_client;
pub mod auth_server;
pub mod auth_userdb;
pub mod conversation;
pub mod escape;
pub mod request;

/// The longest line that is read, in bytes.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// Why a conversation cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The other side speaks another major version.
    #[error("the other side speaks version {0} of the protocol, not 1")]
    Version(String),
    /// A line that makes no sense here.
    #[error("{0}")]
    Line(&'static str),
    /// A command that nobody knows.
    #[error("unknown command: {0}")]
    Command(String),
    /// A line over [`LINE_BYTES_MAX`].
    #[error("a line is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
}
