//! Typed frames between roles, and between the daemon and commands; one file per conversation.
//!
//! A frame is a length (4 octets, big endian) and a JSON value ([`frame`]); between roles descriptors go with it
//! ([`channel`]), and what has no limit comes as a file ([`enclosed`]). [`calls`] has many questions under way at a time. Conversations: [`control`] (commands and the front; what it tells of the
//! system's state: [`status`]), [`roles`] (the
//! supervisor and each role), [`logins`] (the front and auth), [`deliveries`] (the front and an agent), [`errand`] (an agent and
//! the process that runs a command). Not in charge of what an answer means.
//!
//! Limits: [`frame::FRAME_BYTES_MAX`], [`channel::FRAME_DESCRIPTORS_MAX`].

pub mod calls;
pub mod channel;
pub mod control;
pub mod deliveries;
pub mod enclosed;
pub mod errand;
pub mod frame;
pub mod logins;
pub mod roles;
pub mod status;
