//! What tests share: dialogue files and the peers they run against, seeds, a message builder.
//!
//! In charge of running one script of a conversation (a *dialogue file*, see [`dialogue`] for its syntax)
//! against a machine in memory ([`MachinePeer`]), against a server over TCP ([`TcpPeer`]), or against anything
//! else that is a [`Peer`], of making messages that look like mail from a seed ([`messages`]), and of DNS as a test wants
//! it ([`DnsServer`]).
//!
//! Every wait is bounded; nothing here sleeps. Only tests depend on this crate.

pub mod dialogue;
pub mod dns_server;
pub mod machine_peer;
pub mod messages;
pub mod pattern;
mod peer;
pub mod run;
mod seed;
pub mod skip;
pub mod tcp_peer;

pub use dialogue::Dialogue;
pub use dns_server::DnsServer;
pub use machine_peer::{MachinePeer, Policy};
pub use peer::{Given, Peer};
pub use run::{Failure, Ran, Run};
pub use seed::Seed;
pub use tcp_peer::TcpPeer;
