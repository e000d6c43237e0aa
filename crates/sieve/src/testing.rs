//! What the test language (vnd.dovecot.testsuite) needs of the program that drives it.

use crate::actions::Entry;
use crate::checker::{Compiled, Failure};
use crate::diagnostics::Diagnostic;
use crate::envelope::Envelope;
use crate::program::Program;
use crate::settings::Settings;

/// The name that a script of the test language requires.
pub const EXTENSION: &str = "vnd.dovecot.testsuite";

/// What happens to a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Case {
    /// It begins; its name.
    Started(String),
    /// It came to its end.
    Succeeded,
    /// It failed, and why.
    Failed(String),
}

/// A message that was sent: one for each recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The message.
    pub message: Vec<u8>,
    /// The envelope sender; empty is the null sender.
    pub sender: String,
    /// The recipient.
    pub recipient: String,
}

/// A message that is asked for in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// It is there, with these flags.
    Message(Vec<u8>, Vec<String>),
    /// There are not so many.
    NoMessage,
    /// There is no such mailbox.
    NoMailbox,
}

/// What carrying out actions came to.
#[derive(Debug, Clone, Default)]
pub struct Executed {
    /// All of them succeeded.
    pub succeeded: bool,
    /// What was said.
    pub log: Vec<Diagnostic>,
}

/// The driver: a scratch mail store, a place where sent mail goes, files.
pub trait Suite {
    /// Where the file of tests lies.
    fn directory(&self) -> String;
    /// The invoking user.
    fn user(&self) -> String;
    /// A case begins or ends.
    fn case(&mut self, case: Case);
    /// The sent message number `index`, from 0.
    fn sent(&mut self, index: usize) -> Option<Sent>;
    /// Forgets what was sent.
    fn forget_sent(&mut self);
    /// The message number `index`, from 0, of a mailbox.
    fn stored(&mut self, mailbox: &str, index: usize) -> Stored;
    /// Compiles the script at `path`, as seen from [`Suite::directory`].
    ///
    /// # Errors
    /// Its mistakes.
    fn compile(&mut self, path: &str, settings: &Settings) -> Result<Compiled, Failure>;
    /// Carries out actions.
    fn execute(&mut self, entries: &[Entry], envelope: &Envelope, settings: &Settings) -> Executed;
    /// Makes a mailbox; one that is there is no error.
    ///
    /// # Errors
    /// Why it cannot be made.
    fn create_mailbox(&mut self, name: &str) -> Result<(), String>;
    /// Sets an annotation of a mailbox, or of the server.
    ///
    /// # Errors
    /// Why it cannot be set.
    fn set_metadata(&mut self, mailbox: Option<&str>, entry: &str, value: &str) -> Result<(), String>;
    /// Keeps a program under a name.
    fn save(&mut self, name: &str, program: &Program);
    /// The program that was kept under it.
    fn load(&mut self, name: &str, settings: &Settings) -> Option<Program>;
    /// Takes up changed settings, for one extension or all.
    ///
    /// # Errors
    /// Why they cannot be taken up.
    fn configure(&mut self, settings: &Settings, extension: Option<&str>) -> Result<(), String>;
    /// Prints text.
    fn print(&mut self, text: &str);
    /// Prints actions as `sieve-test` does.
    fn print_actions(&mut self, actions: &[Entry], implicit_keep: Option<&Entry>);
}

/// What a run of the test language keeps.
#[derive(Default)]
pub(crate) struct Testing {
    /// The directory of the file.
    pub(crate) directory: String,
    /// The script that was compiled last.
    pub(crate) program: Option<Program>,
    /// How many of the actions are carried out.
    pub(crate) executed: usize,
    /// The implicit keep was carried out.
    pub(crate) kept: bool,
    /// The implicit keep of the last script.
    pub(crate) keep: Option<Entry>,
    /// What went wrong in the last step.
    pub(crate) errors: Vec<String>,
    /// Settings that are not in force yet.
    pub(crate) pending: Option<Settings>,
}
