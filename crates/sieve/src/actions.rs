//! What a run of a script comes to: a list of actions that somebody else carries out, in order.

use std::sync::Arc;

use crate::diagnostics::{Diagnostic, Position};

/// Where in which script an action was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name of the script.
    pub script: Arc<str>,
    /// Where; `None` for the implicit keep.
    pub position: Option<Position>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.position {
            Some(position) => write!(f, "{}: line {}", self.script, position.line),
            None => write!(f, "{}", self.script),
        }
    }
}

/// Something to do with the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What.
    pub action: Action,
    /// Who asked for it.
    pub place: Place,
    /// The message as it was then.
    pub message: Arc<[u8]>,
    /// `:copy` stood there: the implicit keep stays (RFC 3894).
    pub copy: bool,
}

/// An action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Put the message into a mailbox.
    Store(Store),
    /// Send it on (RFC 5228 §4.2).
    Redirect(Redirect),
    /// Do nothing with it: only the implicit keep is gone.
    Discard,
    /// Refuse it (RFC 5429).
    Reject {
        /// Why, for the sender.
        reason: String,
        /// `ereject` rather than `reject`: while the sender's mail server still waits, if it can be.
        protocol_level: bool,
    },
    /// Answer that the user is away (RFC 5230).
    Vacation(Vacation),
    /// Tell the user (RFC 5435, 5436).
    Notify(Notify),
    /// Report the message as abuse (vnd.dovecot.report, RFC 5965).
    Report(Report),
    /// Give it to a program (vnd.dovecot.pipe).
    Pipe(Pipe),
    /// Remember that the message was here, once all else succeeded (RFC 7352).
    DuplicateMark {
        /// By what.
        key: crate::host::DuplicateKey,
        /// For how long, in seconds.
        seconds: u64,
        /// Anew from each time that it is seen.
        last: bool,
    },
}

/// See [`Action::Store`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Store {
    /// The mailbox, as UTF-8; `None` is the default one, where `keep` puts mail.
    pub mailbox: Option<String>,
    /// Flags and keywords, `\Seen` first where it is there (RFC 5232).
    pub flags: Vec<String>,
    /// `:create` (RFC 5490).
    pub create: bool,
    /// `:specialuse` (RFC 8579): rather the mailbox with this use, if there is one.
    pub special_use: Option<String>,
    /// `:mailboxid` (RFC 9042): rather the mailbox with this id, if there is one.
    pub mailbox_id: Option<String>,
}

/// See [`Action::Redirect`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redirect {
    /// The recipient, `local@domain`.
    pub address: String,
    /// `NOTIFY=` of DSN (RFC 6009).
    pub dsn_notify: Option<String>,
    /// `RET=` of DSN.
    pub dsn_ret: Option<String>,
    /// `BY=` of DELIVERBY: seconds, mode, trace (RFC 6009 §5).
    pub deliver_by: Option<DeliverBy>,
}

/// When a message is to be there at the latest (RFC 2852, 6009).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverBy {
    /// Seconds from now; behind the moment when it is negative.
    pub seconds: i64,
    /// `N` (notify) or `R` (return).
    pub mode: char,
    /// Whether relays are to be told of.
    pub trace: bool,
}

/// See [`Action::Vacation`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vacation {
    /// What the answer says.
    pub reason: String,
    /// How long a sender gets no second one, in seconds; 0 is always.
    pub seconds: u64,
    /// `:subject`.
    pub subject: Option<String>,
    /// `:from`.
    pub from: Option<String>,
    /// What tells one answer from another.
    pub handle: String,
    /// `:addresses`, those that are addresses.
    pub addresses: Vec<String>,
    /// Whether `reason` is a MIME part of its own.
    pub mime: bool,
    /// `:fcc` (RFC 8580): where a copy of the answer goes.
    pub fcc: Option<Store>,
}

/// See [`Action::Notify`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notify {
    /// The method as it stands in the script, `mailto:…`.
    pub method: String,
    /// Recipients of `To`.
    pub to: Vec<String>,
    /// Recipients of `Cc`.
    pub cc: Vec<String>,
    /// `subject` of the method.
    pub subject: Option<String>,
    /// `body` of the method.
    pub body: Option<String>,
    /// Other header fields of the method.
    pub headers: Vec<(String, String)>,
    /// `:message`.
    pub message: Option<String>,
    /// `:from`.
    pub from: Option<String>,
    /// 1 (high) to 3 (low).
    pub importance: u8,
    /// Given by the deprecated extension `notify`.
    pub deprecated: bool,
    /// `:id` of the deprecated extension.
    pub id: Option<String>,
    /// `:fcc` (RFC 8580): where a copy goes.
    pub fcc: Option<Store>,
}

/// See [`Action::Report`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// `abuse`, `spam` … (RFC 5965 §7.3).
    pub feedback_type: String,
    /// Text for people.
    pub text: String,
    /// The recipient.
    pub address: String,
    /// Only the header of the message goes with it.
    pub headers_only: bool,
}

/// See [`Action::Pipe`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pipe {
    /// Its name in `sieve_pipe_bin_dir`.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// `:try`: that it fails is no error.
    pub tries: bool,
}

impl Action {
    /// The name that the test language and messages have for it.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Store(store) if store.mailbox.is_none() => "keep",
            Action::Store(_) => "store",
            Action::Redirect(_) => "redirect",
            Action::Discard => "discard",
            Action::Reject { .. } => "reject",
            Action::Vacation(_) => "vacation",
            Action::Notify(_) => "notify",
            Action::Report(_) => "report",
            Action::Pipe(_) => "pipe",
            Action::DuplicateMark { .. } => "duplicate_mark",
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// To the end, or by `stop`.
    Done,
    /// An error: the message is kept, whatever else was asked for.
    Failed,
    /// The budget was spent: as an error.
    ResourceLimit,
}

/// What a run of a script came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How it ended. When it failed, nothing is to be done but the implicit keep.
    pub verdict: Verdict,
    /// What is to be done, in order.
    pub actions: Vec<Entry>,
    /// The implicit keep (RFC 5228 §2.10.2), when nothing cancelled it.
    pub implicit_keep: Option<Entry>,
    /// Messages for the user's log.
    pub log: Vec<Diagnostic>,
}
