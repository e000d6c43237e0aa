//! A logged-in session on its way from the front to the owner's agent.

use crate::Link;

pub use ipc::roles::Protocol;

/// What the agent needs to go on where the login phase ended.
pub struct Handover<Account, Ticket> {
    /// The protocol.
    pub protocol: Protocol,
    /// The connection.
    pub link: Link,
    /// Bytes that the peer sent after its login command.
    pub unread: Vec<u8>,
    /// What the login phase still owes the peer (the tagged OK) is written already; this is who logged in.
    pub account: Account,
    /// What proves it to the one who passes the session on.
    pub ticket: Ticket,
    /// The session's name in the log.
    pub session: String,
    /// Dropped when the session ends: what the front holds for it.
    pub hold: Box<dyn std::any::Any + Send>,
}
