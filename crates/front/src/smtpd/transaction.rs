//! One mail transaction: sender, recipients, then the content on its way into the queue.

use access::Actions;
use address::{Address, Domain};
use envelope::{Envelope, QueueId, Recipient};
use queue::Incoming;
use smtp::server::{MailOptions, RcptOptions};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Front;
use crate::cleanup::{Accepted, Declined, Entry, Submission};
use crate::milters::Filters;
use intake::Origin;

/// What MAIL began.
pub(super) struct Transaction {
    envelope: Envelope,
    /// The sender as the client wrote it, without brackets.
    written: String,
    /// The size and the login that MAIL told of.
    announced_bytes: u64,
    auth: Option<String>,
    /// The last recipient that was accepted, as the client wrote it.
    last_written: String,
    /// What was said behind `FROM:`.
    said: String,
    /// It goes through a filter, and not into the queue.
    is_proxied: bool,
    /// The same of the first one.
    first_written: String,
    /// The same for all that restrictions ask about this message.
    instance: String,
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
            announced_bytes: options.size.unwrap_or(0),
            auth: options.auth,
            last_written: String::new(),
            first_written: String::new(),
            said: options.said,
            is_proxied: false,
            instance: instance(),
            began_micros: 0,
            stage: Stage::Empty,
        }
    }

    /// The same for mail that is not queued here.
    pub(super) fn proxied(self, is_proxied: bool) -> Transaction {
        Transaction { is_proxied, ..self }
    }

    /// What MAIL said behind `FROM:`.
    pub(super) fn said(&self) -> &str {
        &self.said
    }

    pub(super) fn sender(&self) -> Option<&Address> {
        self.envelope.sender.as_ref()
    }

    /// The sender as the log shows it: quoted where it must be, with the domain that was said.
    pub(super) fn sender_shown(&self) -> String {
        let written = self.sender_written().rsplit_once('@');
        let domain = written.and_then(|(_, domain)| Domain::parse(domain).ok());
        self.sender()
            .map_or_else(String::new, |sender| sender.at(domain).to_string())
    }

    /// The sender as replies show it.
    pub(super) fn sender_written(&self) -> &str {
        &self.written
    }

    /// What MAIL said in SIZE=, in octets.
    pub(super) fn announced_bytes(&self) -> u64 {
        self.announced_bytes
    }

    /// What MAIL said in AUTH=.
    pub(super) fn auth(&self) -> Option<&str> {
        self.auth.as_deref()
    }

    /// The name of this transaction for policy services.
    pub(super) fn instance(&self) -> &str {
        &self.instance
    }

    /// How many recipients were accepted.
    pub(super) fn recipients(&self) -> usize {
        self.envelope.recipients.len()
    }

    /// The recipient, and how it was written, if there is one and no other.
    pub(super) fn only_recipient(&self) -> Option<(&Address, &str)> {
        match self.envelope.recipients.as_slice() {
            [only] => Some((&only.address, &self.last_written)),
            _ => None,
        }
    }

    /// The first recipient that was accepted.
    pub(super) fn first_recipient(&self) -> Option<&Address> {
        self.envelope
            .recipients
            .first()
            .map(|recipient| &recipient.address)
    }

    /// The same as the client wrote it.
    pub(super) fn first_written(&self) -> Option<&str> {
        Some(self.first_written.as_str()).filter(|_| !self.envelope.recipients.is_empty())
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
        if matches!(self.stage, Stage::Empty) && !self.is_proxied {
            self.began_micros = serve::clock::now();
            self.stage = Stage::Addressed(front.spool.begin(self.began_micros));
        }
        let RcptOptions {
            notify,
            orcpt,
            written,
            ..
        } = options;
        if self.envelope.recipients.is_empty() {
            self.first_written.clone_from(&written);
        }
        self.last_written = written;
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
        (entry, log, actions): (&Entry, &maillog::Log, &Actions),
    ) {
        let Stage::Addressed(incoming) = std::mem::replace(&mut self.stage, Stage::Empty) else {
            return;
        };
        let submission = Submission::begin(incoming, origin, &self.envelope, (entry, log));
        let mut submission = submission.begun_at(self.began_micros).with_attributes(attributes);
        submission.prepend(&actions.prepend);
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
    pub(super) async fn commit(
        self,
        actions: Actions,
        front: &Front,
        filters: Option<&mut Filters>,
    ) -> Result<Accepted, Declined> {
        match self.stage {
            Stage::Content(submission) => {
                submission
                    .with_actions(actions)
                    .commit_past(self.envelope, front, filters)
                    .await
            }
            Stage::Empty | Stage::Addressed(_) => Err(crate::cleanup::no_content()),
        }
    }
}

/// A name that no other transaction has.
fn instance() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = serve::clock::now();
    let (secs, micros) = (now / machine::SECOND, now % machine::SECOND);
    format!("{:x}.{secs:x}.{micros:x}.{count:x}", std::process::id())
}
