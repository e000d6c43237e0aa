//! The server's side of SMTP and LMTP: what it asks its caller, what it is told, what it allows.

mod config;
mod event;

pub use config::{Auth, BareNewline, Config, Limits, Protocol, Tls};
pub use event::{Answer, Ended, Ending, Event, HeloVerb, MailOptions, Note, RcptOptions};

/// The largest piece of content in one [`Event::Content`], in octets (line ends that are put right may add some).
pub const CONTENT_PIECE_OCTETS_MAX: usize = 64 * 1024;
