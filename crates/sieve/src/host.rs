//! What a script asks about the world around it. Whoever runs a script answers; the engine itself sees nothing.

use message::date::Date;

use crate::testing::Suite;

/// Where an included script is looked for (RFC 6609 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Location {
    /// Among the user's own scripts.
    Personal,
    /// Among those of the whole site.
    Global,
}

impl Location {
    /// `personal` or `global`.
    pub fn word(self) -> &'static str {
        match self {
            Location::Personal => "personal",
            Location::Global => "global",
        }
    }
}

/// What looking for an included script came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Its text.
    Text(String),
    /// There is no such script.
    Missing,
    /// There is nowhere to look.
    Unavailable,
}

/// Where included scripts are, when a script is compiled.
pub trait Library {
    /// The script `name`, without `.sieve`.
    fn script(&mut self, location: Location, name: &str) -> Found;
}

/// There are no scripts to include.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLibrary;

impl Library for NoLibrary {
    fn script(&mut self, _location: Location, _name: &str) -> Found {
        Found::Unavailable
    }
}

/// A program that `filter` or `execute` runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramCall {
    /// `filter` or `execute`.
    pub command: &'static str,
    /// Its name.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What it reads.
    pub input: Vec<u8>,
}

/// What came of such a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramEnd {
    /// It ended with exit code 0 and wrote this.
    Success(Vec<u8>),
    /// It ended with another exit code.
    Failure,
    /// It could not be run, and why. The run of the script goes on, the test is false.
    Trouble(String),
}

/// How long a message is remembered, and by what (RFC 7352).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DuplicateKey {
    /// `:handle`, with the name of the script when there is none.
    pub handle: Option<String>,
    /// What is looked up.
    pub id: String,
}

/// Answers about the delivery and the user. Every method has the answer of a place where nothing is known.
pub trait Host {
    /// The time, with the zone of the system.
    fn now(&mut self) -> Date {
        Date {
            secs: 0,
            offset_secs: 0,
        }
    }

    /// Seconds east of Greenwich of the system's zone at a moment.
    fn offset_at(&mut self, _secs: i64) -> i32 {
        0
    }

    /// An item of the environment (RFC 5183, vnd.dovecot.environment, vnd.dovecot.config); `None` when it is not known.
    fn environment(&mut self, _name: &str) -> Option<String> {
        None
    }

    /// Whether a mailbox is there and mail can be put into it (RFC 5490).
    fn mailbox_exists(&mut self, _name: &str) -> bool {
        false
    }

    /// Whether there is a mailbox with this id (RFC 9042).
    fn mailbox_id_exists(&mut self, _id: &str) -> bool {
        false
    }

    /// Whether a mailbox has this special use; any mailbox of the user's without a name (RFC 8579).
    fn special_use_exists(&mut self, _mailbox: Option<&str>, _flag: &str) -> bool {
        false
    }

    /// An annotation of a mailbox, or of the server (RFC 5490 §3).
    ///
    /// # Errors
    /// Why it cannot be read.
    fn metadata(&mut self, _mailbox: Option<&str>, _entry: &str) -> Result<Option<String>, String> {
        Ok(None)
    }

    /// Whether this was seen before. To be remembered it is only once the delivery succeeded: see
    /// [`crate::Action::DuplicateMark`].
    fn is_duplicate(&mut self, _key: &DuplicateKey) -> bool {
        false
    }

    /// Whether an external list has a member (RFC 6134).
    ///
    /// # Errors
    /// Why it cannot be told.
    fn list_contains(&mut self, _list: &str, _member: &str) -> Result<bool, String> {
        Err("there is no such list".to_owned())
    }

    /// Whether there is such a list.
    fn is_list(&mut self, _list: &str) -> bool {
        false
    }

    /// Runs a program for `filter` or `execute`.
    fn program(&mut self, call: &ProgramCall) -> ProgramEnd {
        ProgramEnd::Trouble(format!("program `{}' not found", call.program))
    }

    /// A line of the trace, for the places that ask for one.
    fn trace(&mut self, _line: &str) {}

    /// The driver of the test language, where there is one.
    fn suite(&mut self) -> Option<&mut dyn Suite> {
        None
    }
}

/// A host that knows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl Host for NoHost {}
