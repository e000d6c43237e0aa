//! The role that starts the others and decides who becomes whom.
//!
//! In charge of: the embedded system's directory ([`embedded`]), binding ports ([`listeners`]), giving up root
//! ([`identity`]), building the services from the configuration ([`generation`]), signals, reload and stop
//! ([`single`]). Today all roles run in one process, the `--single` profile; the interfaces between them are those
//! along which they will be moved apart. Not in charge of any
//! protocol. What of a configuration is not there yet is told by [`complaints`].

mod announcements;
pub mod auth_notes;
mod auth_sockets;
pub mod certificates;
pub mod complaints;
pub mod embedded;
pub mod explaining;
pub mod generation;
pub mod glue;
pub mod identity;
pub mod inetd;
pub mod left_queue;
pub mod listeners;
pub mod log_files;
pub mod lookups;
mod maildrop;
mod pid_files;
pub mod roles;
pub mod root_alias;
pub mod running;
mod signals;
pub mod single;
pub mod snapshot;
pub mod start;
pub mod supervisor;
pub mod table_files;
