//! The one table of parameters and the typed settings made from it.
//!
//! In charge of what every `main.cf`, `master.cf` and `dovecot.conf` name means: its shape, its default (as
//! text, so that `$name` works), one line about it, when a change takes effect and whether Yubin has it. Not in
//! charge of the files' syntax: that is `config`.
//!
//! Entry: [`Postfix`] and [`Dovecot`] (a field per parameter, field name = parameter name), [`Service`] (a row of
//! `master.cf`), [`params::postfix`] and [`params::dovecot`] (the table), [`Values`] (texts with `$name` in them).
//! Times are [`std::time::Duration`], sizes `u64` bytes (0 = no limit where Postfix says so), counts `usize`, lists
//! `Vec<String>`, yes/no `bool`; a text that is not set is an empty `String`.
//!
//! To make settings without files: `Postfix::defaults(&Surroundings::default())`, then set fields.
//! Sources: postconf(5), master(5), doveconf(1). Limits: [`expand::DEPTH_MAX`], [`expand::BYTES_MAX`].

mod bounce_templates;
mod choices;
mod dovecot;
pub mod expand;
pub mod kinds;
mod named_tables;
mod network;
pub mod params;
mod postfix;
mod sendmail_files;
mod service;
mod surroundings;
mod table_ref;
mod values;

pub use bounce_templates::{BounceTemplate, BounceTemplates, FILE_BYTES_MAX as BOUNCE_TEMPLATE_BYTES_MAX};
pub use choices::*;
pub use dovecot::{
    Condition, Connection, Dovecot, FifoListener, Filter, InetListener, ListenerService, MailboxSetting,
    Namespace, Passdb, UnixListener, Userdb, name_matches,
};
pub use network::{Network, NetworkPattern, Networks};
pub use params::{Parameter, Reload, Support};
pub use postfix::{Differences, Postfix};
pub use sendmail_files::SendmailFiles;
pub use service::{Row, Service, ServiceType};
pub use surroundings::{Interface, Surroundings};
pub use table_ref::TableRef;
pub use values::{Values, Wrong};

/// Why a text is not a value of its parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text does not have the parameter's shape; the text says what was found and what is expected.
    #[error("{0}")]
    Shape(String),
    /// `$name` could not be replaced.
    #[error(transparent)]
    Expand(#[from] expand::Error),
}
