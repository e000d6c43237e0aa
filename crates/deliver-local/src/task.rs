//! What [`crate::Local`] asks of whoever acts with the rights of users, and what it is answered. These values travel
//! between processes; the message travels apart, as a [`Content`].

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use address::Address;
use auth::Account;
use envelope::Outcome;
use serde::{Deserialize, Serialize};
use tables::aliases::Target;

use crate::Content;

pub use ipc::roles::Kind;

/// With whose rights a task is performed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rights {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The login name, for its groups and for commands; `None` where the uid has none (virtual mailboxes).
    pub user: Option<String>,
    /// The home directory.
    pub home: Option<PathBuf>,
    /// Whose business it is.
    pub kind: Kind,
}

/// What commands and mailboxes are told of a message and its recipient.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// The return path; `None` is the null sender.
    pub sender: Option<Address>,
    /// What `Delivered-To:` says: the recipient that the message was queued for, with its domain.
    pub delivered_to: String,
    /// The recipient at hand, with its domain: `RECIPIENT`. Behind an alias it is what the alias names.
    pub recipient: String,
    /// The recipient as the client wrote it: `X-Original-To:`, `ORIGINAL_RECIPIENT`; empty when it is nobody's business.
    pub original: String,
    /// The local part of the recipient at hand, with its extension: `LOCAL`, `$local`.
    pub local: String,
    /// The name without its extension: `USER`, `$user`.
    pub user: String,
    /// The extension: `EXTENSION`, `$extension`.
    pub extension: Option<String>,
    /// The domain: `DOMAIN`, `$domain`.
    pub domain: String,
    /// The login shell of whoever has the rights: `SHELL`, `$shell`.
    pub shell: Option<PathBuf>,
    /// Where the message came from.
    pub client: Client,
}

/// The SMTP client, as far as it is known: `CLIENT_*` and `SASL_*` of local(8). Empty texts are not passed on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Client {
    pub address: String,
    pub helo: String,
    pub hostname: String,
    pub protocol: String,
    pub sasl_method: String,
    pub sasl_sender: String,
    pub sasl_username: String,
}

/// One thing to do with one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// About the message.
    pub facts: Facts,
    /// What is to be done.
    pub work: Work,
}

/// What is to be done. [`Kind::User`] may do [`Work::User`], [`Work::OfInclude`] and [`Work::Save`], [`Kind::Virtual`] the first
/// without commands and files, [`Work::Save`], and [`Work::Virtual`], [`Kind::Pipe`] [`Work::Pipe`], and [`Kind::Table`] the others; everything else is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// Mail for a user.
    User(UserMail),
    /// `|command` of an alias: the text as the table has it.
    Command(String),
    /// `/file/name` of an alias; a Maildir when it ends in a slash.
    File(PathBuf),
    /// `:include:/file/name` of an alias: the answer is [`Report::included`]; nothing is delivered.
    Include(PathBuf),
    /// `:include:/file/name` of an alias where the file is the user's. Without a target the answer is
    /// [`Report::included`]; with one ([`digest`] of a command or file), that is done if the file names it and nobody else
    /// can have written it: whoever asks cannot choose what is run.
    OfInclude {
        /// The include file.
        path: PathBuf,
        /// The target.
        target: Option<String>,
    },
    /// The mailbox file below `virtual_mailbox_base`; a Maildir when it ends in a slash.
    Virtual(PathBuf),
    /// The command of a transport (pipe(8)): one outcome for all recipients.
    Pipe(crate::pipe::Mail),
    /// Mailboxes of users of dovecot.conf, reached over their stores (`lmtp`): the answers are in [`Report::saved`].
    Save(Vec<Save>),
}

/// One mailbox user's part of a message that `lmtp` or `dovecot-lda` delivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Save {
    /// The user, as the userdb has it.
    pub account: Account,
    /// What is asked.
    pub what: Saving,
    /// Lines that go in front of the message, each ended by LF.
    pub header: String,
    /// The mailbox; `None` is INBOX. When it is not there and may not be made, INBOX gets the mail.
    pub mailbox: Option<String>,
    /// `lmtp` or `lda`: the name in the log, and the `protocol` block that holds.
    pub service: String,
    /// The session's name in the log.
    pub session: String,
}

/// What is asked of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Saving {
    /// To take the message.
    Message,
    /// Only whether there is room for one more (`lmtp_rcpt_check_quota`).
    RoomOnly,
}

/// Mail for a user of this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserMail {
    /// The login name.
    pub name: String,
    /// What of the way to the mailbox is to be gone.
    pub stages: Stages,
}

/// Which of a user's delivery methods are tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stages {
    /// `.forward`; without one, the mailbox.
    ForwardThenMailbox,
    /// `.forward`; without one, nothing: the answer is [`Next::Mailbox`].
    Forward,
    /// The mailbox alone (`\name`).
    Mailbox,
    /// The one target of `.forward` that could not be done at an earlier try, by its [`digest`].
    Again(String),
}

/// What the front goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Next {
    /// With nothing: the outcome says it all.
    #[default]
    Nothing,
    /// With the mailbox of the user and nothing else: there is no `.forward` (only after [`Stages::Forward`]).
    Mailbox,
    /// With the mailbox too: `.forward` names it, and after [`Stages::Forward`] it is not for the agent to write. The
    /// outcome speaks of the rest.
    MailboxToo,
}

/// The contents of an include file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Included {
    /// Whose file it is: with those rights its commands and files are done.
    pub owner_uid: u32,
    /// What it lists.
    pub targets: Vec<Target>,
}

/// What became of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What became of everything that was done here. It holds for `forwards` only once they are in the queue.
    pub outcome: Outcome,
    /// What became of each target of a `.forward` that was done here, for the log; `again` has those that are missing.
    pub done: Vec<Outcome>,
    /// Addresses that the user's `.forward` names.
    pub forwards: Vec<Address>,
    /// Targets of `.forward` ([`digest`]) that must be tried again while others are done.
    pub again: Vec<String>,
    /// What an include file lists.
    pub included: Option<Included>,
    /// Of [`Work::Save`], an outcome for each, in order.
    pub saved: Vec<Outcome>,
    /// What the front goes on with.
    pub next: Next,
    /// What the administrator should see in the log, each a line without its tag (`not owned by …`).
    pub warnings: Vec<String>,
}

impl Report {
    /// A report of nothing but an outcome.
    pub fn of(outcome: Outcome) -> Report {
        Report {
            outcome,
            done: Vec::new(),
            forwards: Vec::new(),
            again: Vec::new(),
            included: None,
            saved: Vec::new(),
            next: Next::Nothing,
            warnings: Vec::new(),
        }
    }
}

/// Whoever can act with the rights of users.
pub trait Agents: Send + Sync {
    /// Performs a task with these rights; blocks. What cannot be done now comes back as a report that defers.
    fn perform(&self, rights: &Rights, task: &Task, content: &dyn Content) -> Report;
}

/// A command to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The program's file; there is a slash in it.
    pub program: String,
    /// What it is called, and its arguments.
    pub argv: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
    /// Where it runs; `None` is wherever the runner is.
    pub directory: Option<PathBuf>,
    /// After this it is killed, with everything it started.
    pub time_limit: Duration,
    /// How much of what it prints is kept, in octets.
    pub output_bytes_max: usize,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Why it ended.
    pub end: End,
    /// The beginning of what it printed to both of its outputs.
    pub output: Vec<u8>,
}

/// Why a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// By itself, with this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
    /// It was over its time limit and was killed.
    TimedOut,
    /// Nobody knows: whoever ran it ended first.
    Unknown,
}

/// Whoever can run commands with the rights that are meant.
pub trait Runner: Send + Sync {
    /// Runs a command, feeds it `input` and waits for its end. That it stops reading early is no error.
    ///
    /// # Errors
    /// Why it could not be started or fed.
    fn run(&self, command: &Command, input: &mut dyn Read) -> Result<Exit, String>;
}

/// A short name for one target, by which it is found again at the next try (FNV-1a, 64 bits, in hexadecimal).
pub fn digest(target: &str) -> String {
    let octets = target.bytes();
    let hash = octets.fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
