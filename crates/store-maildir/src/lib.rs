//! Mail in Maildir++ directories, shared with whatever other programs use them.
//!
//! In charge of [`MaildirStore`], the [`mailbox::Store`] over `~/Maildir` (INBOX there, other mailboxes in
//! `.Name.Sub` directories beside `cur`), of [`deliver()`], which puts one message into `new` and knows no index, and of
//! the quota's file ([`maildirsize`]).
//! Not in charge of UIDs and modseqs on disk (crate `mailbox-index`, files `yubin.index*` in each mailbox).
//!
//! What lies on disk: messages with LF lines, `unique,S=bytes,W=bytes_with_crlf:2,FLAGS` in `cur`; `maildirfolder`,
//! `subscriptions`, `dovecot-keywords` in Dovecot's formats; a `dovecot-uidlist` is read once, when there is no index, and whenever it is
//! new for what it notes for POP3 (`yubin.uidls`).
//! The index is committed before an appended message moves from `tmp` to `cur`; a crash between the two is mended
//! when the message is looked for. Messages are removed before the index forgets them. Messages in `new` move to `cur`
//! as soon as a session looks.
//! Limits: [`scan::ENTRIES_MAX`], [`names::DIRECTORY_NAME_BYTES_MAX`], [`subscriptions::NAMES_MAX`].

mod append;
mod body;
pub mod deliver;
mod file_name;
mod flags;
mod folder;
mod folders;
mod keywords;
pub mod maildirsize;
mod message_file;
pub mod names;
mod open_folders;
mod paths;
pub mod scan;
pub mod store;
pub mod subscriptions;
mod transfer;
mod uidlist;
mod uidls;

pub use deliver::{Delivered, deliver};
pub use store::{MaildirStore, Options};
