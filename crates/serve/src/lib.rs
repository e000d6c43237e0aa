//! Accept, TLS, and pump bytes and deadlines for any protocol machine, written once.
//!
//! In charge of sockets: a [`Link`] is a connection, plain or under TLS; [`pump::pump`] drives a
//! [`machine::Machine`] over it and asks a [`pump::Host`] for every decision; [`accept::serve`] takes
//! connections from a listener; [`waiting::step_aside`] is for what may block. Not in charge of any protocol or policy.
//!
//! While a conversation waits for its peer it holds no buffer: reads go through a scratch buffer of the thread.
//! Limits: [`pump::OUTPUT_BYTES`], [`pump::WRITE_TIMEOUT`], [`accept::Listener::connections_max`].

pub mod accept;
pub mod clock;
pub mod handover;
pub mod link;
pub mod pump;
mod relay;
pub mod waiting;

pub use link::{Link, NOWHERE};
pub use relay::Relay;
