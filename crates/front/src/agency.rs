//! What the front asks of the agents: deliver into a mailbox, go on with a session. One process may hold both
//! roles; the questions stay the same.

use std::pin::Pin;
use std::sync::Arc;

use address::Address;
use deliver_local::task::{Client, Facts, Report};
use deliver_local::{Content, Delivery, Ending, Transports, pipe};
use envelope::{Outcome, Recipient};
use serve::handover::Handover;

/// One message for one recipient of this host.
pub struct LocalDelivery {
    /// The return path.
    pub sender: Option<Address>,
    /// To whom.
    pub recipient: Recipient,
    /// By which of its agents.
    pub class: MailboxClass,
    /// The message, with LF line ends.
    pub content: Arc<dyn Content + Send + Sync>,
    /// Where it came from.
    pub client: Client,
    /// The other transports, for mail that is not for a mailbox here.
    pub transports: Arc<dyn Transports>,
}

/// One message for recipients of a transport that is a command (pipe(8)).
pub struct PipeDelivery {
    /// What the command is told of them.
    pub mail: pipe::Mail,
    /// What it is told of the message.
    pub facts: Facts,
    /// The message, with LF line ends.
    pub content: Arc<dyn Content + Send + Sync>,
}

/// The agents of Postfix that write mailboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailboxClass {
    /// local(8)
    Local,
    /// virtual(8)
    Virtual,
}

impl MailboxClass {
    /// The transport, and the name in the log.
    pub fn name(self) -> &'static str {
        match self {
            MailboxClass::Local => "local",
            MailboxClass::Virtual => "virtual",
        }
    }
}

/// What comes of handing a session over.
pub type Taking<'a> = Pin<Box<dyn Future<Output = Result<u32, String>> + Send + 'a>>;

/// The agents.
pub trait Agency: Send + Sync {
    /// Delivers; blocks.
    fn deliver(&self, delivery: &LocalDelivery) -> Delivery;

    /// Hands a message to the command of a transport; one outcome for all recipients. Blocks.
    fn pipe(&self, delivery: PipeDelivery) -> Report;

    /// What a delivery by such a transport would come to; blocks.
    fn verify_pipe(&self, transport: &str) -> Report;

    /// What a delivery to an address of this host would come to; blocks.
    fn verify(&self, recipient: &Address, class: MailboxClass) -> Outcome;

    /// Whether an address of this host is good: address verification does not look behind aliases; blocks.
    fn probe(&self, recipient: &Address, class: MailboxClass) -> Outcome;

    /// Where mail to an address of this host would end, aliases expanded; blocks.
    ///
    /// # Errors
    /// The outcome when that cannot be told.
    fn endings(&self, recipient: &Address, class: MailboxClass) -> Result<Vec<Ending>, Outcome>;

    /// Takes over a session after its login; tells the id of the process that has it now, or why nobody has it.
    fn take(&self, handover: Handover<auth::Account, auth::Ticket>) -> Taking<'_>;
}
