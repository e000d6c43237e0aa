//! The role that acts on one owner's mail: deliveries into mailboxes and mailbox sessions after login.
//!
//! In charge of opening the right store for an account ([`location`], [`stores`]) and of running IMAP and POP3 sessions
//! over it ([`sessions`]) until the client or the system ([`farewell`]) ends them, and of delivering into it ([`saving`]),
//! all within the user's [`quota`]. Not in charge of who may log in or
//! of the network's listeners. One agent acts for one uid; in the single profile that is the uid of the whole process.

mod autocreate;
mod crew;
pub mod farewell;
pub mod location;
mod pop3_settings;
pub mod quota;
pub mod saving;
pub mod sessions;
mod sharing;
pub mod stores;

pub use saving::Saver;
pub use sessions::{Sessions, offered, sorry};
