//! What is wrong in a file, where, and what to do about it.

use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something is not there yet or has no effect; mail flows.
    Note,
    /// Probably a mistake; the system starts.
    Warning,
    /// The system does not start.
    Error,
}

/// One thing to tell. Printed as `main.cf:41: mynetworks: "10.0.0.0/33" is not a network: the prefix must be 0..32`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file: its name for the main files, the path for included ones.
    pub file: String,
    /// The line, from 1; 0: the file as a whole.
    pub line: usize,
    /// The setting; may be empty.
    pub name: String,
    /// What is wrong.
    pub text: String,
    /// What to do; may be empty.
    pub hint: String,
    /// How bad it is.
    pub severity: Severity,
}

impl Problem {
    /// A problem without a hint.
    pub fn new(severity: Severity, place: (&str, usize), name: &str, text: impl Into<String>) -> Problem {
        Problem {
            file: place.0.to_owned(),
            line: place.1,
            name: name.to_owned(),
            text: text.into(),
            hint: String::new(),
            severity,
        }
    }

    /// Adds what to do.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = hint.into();
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.name.is_empty() {
            write!(f, ": {}", self.name)?;
        }
        write!(f, ": {}", self.text)?;
        if !self.hint.is_empty() {
            write!(f, ". {}", self.hint)?;
        }
        Ok(())
    }
}
