//! What Yubin asks of the operating system, behind safe functions; the only crate with `unsafe`.
//!
//! In charge of users and groups ([`users`]), giving up an identity for good ([`identity`]), giving files away ([`ownership`]), locks between
//! programs ([`locks`]), programs with more rights than their caller ([`elevated`]), the host's name and interfaces ([`hostname`], [`interfaces`]), watching directories
//! ([`watch`]), looking at files by directory ([`files`]), opening them as root for others ([`guarded`]), what a sync covers ([`durability`]), mailbox files that root makes ([`mail_spool`]), files that are read in memory ([`mapping`]), open files between processes ([`descriptors`]), locking a process in ([`sandbox`]), what a service manager hands over and hears ([`service_manager`]), room on disks ([`space`]), POSIX expressions ([`regexp`]), PAM ([`pam`]) and shadow(5) ([`shadow`]), and small questions about processes, limits, signals and terminals.
//! Not in charge of reading or writing mail, or of what a failure means for a message.
//!
//! Sources: the Linux man pages named at each function. Limits: [`users::ENTRY_BYTES_MAX`],
//! [`users::GROUPS_MAX`], [`locks::Tries`].

pub mod descriptors;
pub mod durability;
pub mod elevated;
pub mod error;
pub mod files;
pub mod guarded;
pub mod hostname;
pub mod identity;
pub mod interfaces;
pub mod limits;
pub mod locks;
pub mod mail_spool;
pub mod mapping;
pub mod names;
pub mod ownership;
pub mod pam;
pub mod process;
pub mod regexp;
pub mod sandbox;
pub mod service_manager;
pub mod shadow;
pub mod signals;
pub mod space;
pub mod terminal;
pub mod users;
pub mod watch;

pub use error::{Error, Result, with_causes, words};
pub use identity::{Identity, is_root};
pub use users::{Group, User};
