//! SMTP, LMTP and submission: what is said on the wire, for both ends, as machines.
//!
//! In charge of framing, command syntax, order of commands, extensions, pipelining, dot-stuffing, limits and
//! the replies that the protocol itself makes. Not in charge of policy (who may send what to whom), of TLS, of
//! passwords or of any I/O: the caller decides, by answering events.
//!
//! Entry: [`server::Server`] and [`client::Client`], both [`machine::Machine`]s.
//! RFCs: 5321, 2033 (LMTP), 2920, 1870, 6152, 6531, 3030 (without BINARYMIME), 2034, 3461, 3207, 4954.
//! Limits: [`server::Limits`]. Test data: `dialogues/*.smtp`.

pub mod client;
pub mod reply;
pub mod server;
pub mod transcript;

pub use reply::Reply;
pub use transcript::Transcript;
