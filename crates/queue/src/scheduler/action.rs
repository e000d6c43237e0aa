//! What the scheduler says to its driver, and what it is answered.

use envelope::{DeliveryResult, QueueId};

use super::Destination;

/// Names an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId(pub u64);

/// What an attempt says about its destination, apart from its recipients' outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feedback {
    /// The destination answered.
    Reached,
    /// It could not be reached or refused to talk; counts against its concurrency.
    Unreachable,
    /// The attempt says nothing about it (it was ours that failed).
    None,
}

/// How far an attempt is with the host that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    /// It has waited for a while, and no host has said a word yet.
    Sought,
    /// A host greets.
    Made,
}

/// What the caller must do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Move the message to `active`, read its envelope, resolve recipients still to be delivered and answer with
    /// [`super::Scheduler::resolved`].
    Load {
        /// Which.
        queue_id: QueueId,
        /// The index of the first recipient to look at. When it is not 0, the message is active already.
        from: u32,
        /// How many recipients to resolve at most; those that need no delivery any more do not count.
        at_most: usize,
    },
    /// Try to deliver to these recipients, answer with [`super::Scheduler::finished`].
    Deliver {
        /// How to name the attempt in the answer.
        attempt: AttemptId,
        /// Which message.
        queue_id: QueueId,
        /// Where.
        destination: Destination,
        /// Indexes in the envelope.
        recipients: Vec<u32>,
    },
    /// Record these recipients as deferred without an attempt, because the destination was found dead (the reason is
    /// that of its last failure). The message's fate follows as another action.
    DeferUntried {
        /// Which message.
        queue_id: QueueId,
        /// The destination.
        destination: Destination,
        /// Indexes in the envelope.
        recipients: Vec<u32>,
    },
    /// Nothing more to try this time: move the message to `deferred` until then.
    Defer {
        /// Which.
        queue_id: QueueId,
        /// When to try next.
        next_try_micros: i64,
    },
    /// The message is too old: give up the recipients still deferred (bounce them), then remove it. The scheduler has
    /// forgotten it.
    Expire {
        /// Which.
        queue_id: QueueId,
    },
    /// Every recipient is delivered or given up: report what is to be reported, then remove the message. The
    /// scheduler has forgotten it.
    Done {
        /// Which.
        queue_id: QueueId,
    },
}

impl Action {
    /// Which message it is about.
    pub fn queue_id(&self) -> &QueueId {
        match self {
            Action::Load { queue_id, .. }
            | Action::Deliver { queue_id, .. }
            | Action::DeferUntried { queue_id, .. }
            | Action::Defer { queue_id, .. }
            | Action::Expire { queue_id }
            | Action::Done { queue_id } => queue_id,
        }
    }
}

/// What became of a [`Action::Load`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    /// The sender is `<>`, so `bounce_lifetime_micros` counts.
    pub null_sender: bool,
    /// Where each recipient (index in the envelope) goes that is still to be delivered.
    pub routes: Vec<(u32, Destination)>,
    /// Some recipients could not be resolved just now and were recorded as deferred.
    pub some_deferred: bool,
    /// The index of the first recipient that was not looked at, and how many there are from there on.
    pub unread: Option<Unread>,
}

/// The recipients of a message that were not looked at yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    /// The index of the first.
    pub from: u32,
    /// How many there are.
    pub count: usize,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished<'a> {
    /// Index in the envelope and result of each recipient. One that is missing counts as deferred.
    pub results: &'a [(u32, DeliveryResult)],
    /// What it says about the destination.
    pub feedback: Feedback,
}

impl Finished<'_> {
    /// Whether all of `recipients` need no other attempt. The results come in the order of the recipients, or else they are
    /// searched.
    pub(super) fn ends_all(&self, recipients: &[u32]) -> bool {
        let is_end = |result: DeliveryResult| result != DeliveryResult::Deferred;
        let in_order = recipients.len() == self.results.len()
            && recipients
                .iter()
                .zip(self.results)
                .all(|(r, (index, _))| r == index);
        if in_order {
            return self.results.iter().all(|(_, result)| is_end(*result));
        }
        let mut ended: Vec<u32> = self
            .results
            .iter()
            .filter(|(_, r)| is_end(*r))
            .map(|(i, _)| *i)
            .collect();
        ended.sort_unstable();
        recipients
            .iter()
            .all(|recipient| ended.binary_search(recipient).is_ok())
    }
}
