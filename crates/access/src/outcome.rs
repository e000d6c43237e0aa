//! What an evaluation comes to: a refusal or none, lines for the log, what is to happen to the message, and the trace.

use envelope::StatusCode;

use crate::Refusal;
use crate::lists::Stage;
use crate::rule::Rule;

/// What the lists of a command say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The reply that refuses; `None`: go on.
    pub refusal: Option<Refusal>,
    /// Which rule refuses, where something does.
    pub rule: Option<Rule>,
    /// What the log is to say before that, in order.
    pub notes: Vec<Note>,
    /// What was looked at, in order.
    pub trace: Vec<Step>,
}

/// A line for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// About this request: `hold: RCPT from …: TEXT; from=<…>`; and the rule that says so.
    About(Word, String, Option<Rule>),
    /// About our configuration, or those whom we ask.
    Warning(String),
    /// The enhanced code of a table became another one, which fits what the refusal is about.
    StatusMapped {
        /// What the table has.
        from: StatusCode,
        /// `Sender address` …
        class: &'static str,
        /// What the client gets.
        to: StatusCode,
    },
}

/// The word by which the log tells what was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Word {
    RejectWarning,
    Discard,
    Hold,
    Redirect,
    Filter,
    Bcc,
    Warn,
    Info,
}

/// One restriction that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// In which list.
    pub stage: Stage,
    /// How deep in classes and in what tables say; 1 is the list itself.
    pub depth: usize,
    /// Its name.
    pub restriction: String,
    /// Its table, server or list, if it has one.
    pub argument: String,
    /// The key that a table knows, and its value.
    pub found: Option<(String, String)>,
    /// The line of a table of patterns, from 1, that decided.
    pub line: Option<usize>,
    /// What came of it.
    pub decided: Decided,
}

/// What came of a restriction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// Nothing.
    Dunno,
    /// The list is over.
    Permit,
    /// This is the reply.
    Refuse(Refusal),
    /// This would have been the reply without `warn_if_reject`.
    WouldRefuse(Refusal),
    /// This is the reply, unless something refuses for good.
    DeferIfPermit(Refusal),
    /// This is the reply, if something refuses for good.
    DeferIfReject(Refusal),
    /// Something happens to the message, or to the log.
    Action(String),
    /// Other restrictions are asked, in the steps that follow.
    Goes,
}

/// What is to happen to a message that is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actions {
    /// It is put on hold.
    pub hold: bool,
    /// Nobody gets it, and nobody is told.
    pub discard: bool,
    /// `transport:nexthop` of the filter that sees it first.
    pub filter: Option<String>,
    /// Who gets it instead of its recipients.
    pub redirect: Option<String>,
    /// Who gets it besides.
    pub bcc: Vec<String>,
    /// Header fields to put in front of it, the first one first; without line ends.
    pub prepend: Vec<String>,
}
