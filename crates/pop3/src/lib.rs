//! POP3 (RFC 1939): the login phase and the session as machines.
//!
//! In charge of the words on the wire, their order, limits and answers, as Dovecot 2.3 gives them. Not in
//! charge of who may log in (the caller answers [`login::Event`]s), of TLS, sockets or logging.
//!
//! Entry: [`login::Login`] until somebody is logged in, then [`session::Session`] over a
//! [`mailbox::Store`], which is fed the bytes that [`login::Login::into_unread`] hands over.
//!
//! RFCs: 1939, 1460 (LAST), 2449 (CAPA, RESP-CODES, PIPELINING, AUTH-RESP-CODE), 2595 (STLS), 5034 (SASL), 6856 (UTF8, LANG).
//! Limits: [`LINE_BYTES_MAX`], [`login::SASL_LINE_BYTES_MAX`], [`login::BAD_COMMANDS_MAX`],
//! [`login::IDLE_SECS_MAX`], [`session::BAD_COMMANDS_MAX`], [`session::IDLE_SECS_MAX`],
//! [`uidl::UIDL_BYTES_MAX`], [`digest::HEADER_BYTES_MAX`]. Test data: `dialogues/*.pop3`.

pub mod body;
pub mod digest;
mod language;
pub mod login;
pub mod logout;
mod maildrop;
pub mod session;
mod template;
pub mod uidl;
mod words;

/// The longest command line, without its end (RFC 2449 §4 asks for 255; clients with long user names send more).
pub const LINE_BYTES_MAX: usize = 1024;
