//! What is told while a login is looked at (`auth_debug`), for whoever writes the log.

use std::net::IpAddr;

/// How much a note matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `auth_debug` asks for it.
    Debug,
    /// An event.
    Info,
}

/// One thing that happened: `passwd-file(ann,192.0.2.1): Performing passdb lookup`.
#[derive(Debug, Clone, Copy)]
pub struct Note<'a> {
    /// How much it matters.
    pub level: Level,
    /// The driver, `auth` for what is not a driver's.
    pub database: &'a str,
    /// The user who is looked up.
    pub user: &'a str,
    /// From where the client comes.
    pub remote: Option<IpAddr>,
    /// Whether a master user's password is looked at.
    pub is_master: bool,
    /// What happened. No password is in it.
    pub text: &'a str,
}

/// Where notes go.
pub type Sink = Box<dyn Fn(&Note<'_>) + Send + Sync>;

/// The sink of a configuration; silent until somebody listens.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) sink: Option<Sink>,
    pub(crate) is_debug: bool,
}

impl std::fmt::Debug for Notes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notes")
            .field("is_debug", &self.is_debug)
            .finish_non_exhaustive()
    }
}

impl Notes {
    pub(crate) fn say(&self, note: &Note<'_>) {
        if let Some(sink) = &self.sink
            && (self.is_debug || note.level != Level::Debug)
        {
            sink(note);
        }
    }
}
