//! What is wrong with a script: where, and what was expected. All of a script in one run.

use std::fmt;
use std::sync::Arc;

/// A place in a script; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The character in the line.
    pub column: u32,
}

/// How grave a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// What the script itself tells (`debug_log`).
    Info,
    /// The script can be used.
    Warning,
    /// The script cannot be used, or this run of it failed.
    Error,
}

impl Severity {
    /// `error`, `warning` or `info`, as it stands in a log line.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One message to the owner of a script, about its text or about a run of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The name of the script: its file name without `.sieve`.
    pub script: Arc<str>,
    /// Where; `None` for the script as a whole.
    pub position: Option<Position>,
    /// How grave.
    pub severity: Severity,
    /// What could not be done and why, in Pigeonhole's words, without a stop at the end.
    pub text: String,
}

impl fmt::Display for Diagnostic {
    /// `NAME: line N: error: TEXT.`, the form that users of Pigeonhole's tools know.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.script)?;
        if let Some(position) = self.position {
            write!(f, "line {}: ", position.line)?;
        }
        write!(f, "{}: {}.", self.severity.word(), self.text)
    }
}

/// Which step of compiling a script failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The text is no Sieve.
    Parse,
    /// Its words or arguments are not right.
    Validation,
    /// A script that it includes cannot be used.
    Generation,
}

impl Stage {
    /// The last line about it, as Pigeonhole writes it.
    pub fn verdict(self) -> &'static str {
        match self {
            Stage::Parse => "parse failed",
            Stage::Validation => "validation failed",
            Stage::Generation => "code generation failed",
        }
    }
}
