//! One mail transaction: sender, recipients, then the content on its way into the queue.

use address::Address;
use envelope::{Envelope, QueueId, Recipient};
use queue::Incoming;
use settings::Postfix;
use smtp::server::{MailOptions, RcptOptions};
use std::sync::Arc;

use crate::Front;
use crate::cleanup::{Accepted, Declined, Submission};
use intake::Origin;

/// What MAIL began.
pub(super) struct Transaction {
    envelope: Envelope,
    /// The sender as the client wrote it, without brackets.
    written: String,
    /// When the first recipient was accepted.
    began_micros: i64,
    stage: Stage,
}

/// How far it is.
enum Stage {
    /// No recipient was accepted yet.
    Empty,
    /// There are recipients, and a queue id.
    Addressed(Incoming),
    /// The content arrives.
    Content(Box<Submission>),
}

impl Transaction {
    pub(super) fn new(sender: Option<Address>, options: MailOptions) -> Transaction {
        let envelope = Envelope {
            sender,
            recipients: Vec::new(),
            ret: options.ret,
            envid: options.envid,
            body: options.body,
            smtputf8: options.smtputf8,
        };
        Transaction {
            envelope,
            written: options.written,
            began_micros: 0,
            stage: Stage::Empty,
        }
    }

    pub(super) fn sender(&self) -> Option<&Address> {
        self.envelope.sender.as_ref()
    }

    /// The sender as replies show it.
    pub(super) fn sender_written(&self) -> &str {
        &self.written
    }

    /// The sender as the log shows it, empty for the null sender.
    pub(super) fn sender_text(&self) -> String {
        self.envelope
            .sender
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// Whether the client asked for SMTPUTF8.
    pub(super) fn is_smtputf8(&self) -> bool {
        self.envelope.smtputf8
    }

    pub(super) fn queue_id(&self) -> Option<&QueueId> {
        match &self.stage {
            Stage::Empty => None,
            Stage::Addressed(incoming) => Some(incoming.queue_id()),
            Stage::Content(submission) => Some(submission.queue_id()),
        }
    }

    /// Adds a recipient that was accepted. The first one opens a queue file.
    pub(super) fn add(&mut self, address: Address, original: Address, options: RcptOptions, front: &Front) {
        if matches!(self.stage, Stage::Empty) {
            self.began_micros = serve::clock::now();
            self.stage = Stage::Addressed(front.spool.begin(self.began_micros));
        }
        let RcptOptions { notify, orcpt, .. } = options;
        self.envelope.recipients.push(Recipient {
            address,
            original,
            orcpt,
            notify,
        });
    }

    /// The client may send the content now.
    pub(super) fn begin_content(
        &mut self,
        origin: Origin,
        attributes: Vec<(String, String)>,
        (settings, front): (&Arc<Postfix>, &Front),
    ) {
        let Stage::Addressed(incoming) = std::mem::replace(&mut self.stage, Stage::Empty) else {
            return;
        };
        let submission = Submission::begin(incoming, origin, &self.envelope, (Arc::clone(settings), front));
        let submission = submission.begun_at(self.began_micros).with_attributes(attributes);
        self.stage = Stage::Content(Box::new(submission));
    }

    pub(super) fn content(&mut self, piece: &[u8]) {
        if let Stage::Content(submission) = &mut self.stage {
            submission.write(piece);
        }
    }

    /// Ends the content and waits until the message is on disk, or known to go nowhere.
    ///
    /// # Errors
    /// What the client is told instead of a 250.
    pub(super) async fn commit(self, front: &Front) -> Result<Accepted, Declined> {
        match self.stage {
            Stage::Content(submission) => submission.commit(self.envelope, front).await,
            Stage::Empty | Stage::Addressed(_) => Err(crate::cleanup::no_content()),
        }
    }
}
