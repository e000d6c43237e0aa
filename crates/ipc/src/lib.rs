//! Typed frames between the daemon and commands (later: between roles), one file per conversation.
//!
//! A frame is a length (4 octets, big endian) and a JSON value. [`frame`] codes them; each conversation names
//! its requests and answers as types. Limits: [`frame::FRAME_BYTES_MAX`].

pub mod calls;
pub mod channel;
pub mod control;
pub mod frame;
