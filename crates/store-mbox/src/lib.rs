//! mbox files as a mailbox store, and delivery into them.
//!
//! In charge of `mail_location = mbox:~/mail:INBOX=/var/mail/%u` as Dovecot's mbox driver lays it out: files, folders,
//! `.subscriptions`, the notes in `Status:`, `X-Status:`, `X-Keywords:`, `X-UID:` and `X-IMAPbase:`, locks that other
//! programs honour, changes that they make. UIDs, modseqs and flags are kept by crate `mailbox-index` in
//! `.imap/NAME/` and written into the file when it is rewritten or the store is closed.
//!
//! Entry: [`MboxStore`]; for local(8)-style writing [`deliver`]; for mail(1) [`WholeFile`]. A file is rewritten in place, through a journal in
//! the index directory: a rename would lose the mail of a program that waits for the old file's lock.
//! Limits: [`scan::HEADER_BYTES_MAX`], [`folders::DEPTH_MAX`], [`folders::MAILBOXES_MAX`], [`WHOLE_FILE_BYTES_MAX`].

mod body;
mod deliver;
pub mod error;
mod file;
pub mod folders;
mod hash;
mod headers;
pub mod keeper;
mod locking;
mod naming;
mod rewrite;
pub mod scan;
mod spool;
mod store;
mod whole;
mod zone;

pub use deliver::{Owner, Place, append, deliver};
pub use error::{Error, Result};
pub use locking::{LockKind, Locks};
pub use store::MboxStore;
pub use whole::{WHOLE_FILE_BYTES_MAX, WholeFile};
