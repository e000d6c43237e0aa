//! mbox files as a mailbox store, and delivery into them.
//!
//! In charge of `mail_location = mbox:~/mail:INBOX=/var/mail/%u` as Dovecot's mbox driver lays it out: files, folders,
//! `.subscriptions`, the notes in `Status:`, `X-Status:`, `X-Keywords:`, `X-UID:` and `X-IMAPbase:`, locks that other
//! programs honour, changes that they make. UIDs, modseqs and flags are kept by crate `mailbox-index` in
//! `.imap/NAME/` and written into the file when it is rewritten or the store is closed.
//!
//! Entry: for local(8)-style writing [`deliver`]; the store itself is not here yet.

mod deliver;
pub mod error;
#[allow(dead_code, reason = "the store reads what delivery only leaves out")]
mod headers;
#[allow(dead_code, reason = "the store looks for changes")]
mod locking;

pub use deliver::deliver;
pub use error::{Error, Result};
pub use locking::{LockKind, Locks};
