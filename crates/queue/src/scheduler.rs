//! What to try when: the pure part of the queue manager. Events and `now` in, actions out.
//!
//! Rules, in this order: (1) no two attempts at one recipient at once; (2) at most `active_limit` messages are
//! active, taken alternately from the incoming and the due deferred ones; (3) transports take turns, and within a
//! transport its destinations, and within a destination its messages, one attempt each (at most `recipient_limit`
//! recipients), so a mailing to thousands delays nobody else by more than one attempt per destination; (4) a
//! destination's concurrency starts at `initial`, grows by one per window of successes up to `limit`, shrinks by one
//! per failure to connect, and at zero the destination is dead until `minimal_backoff`: its recipients are deferred
//! without an attempt.

use envelope::{DeliveryResult, QueueId};

use crate::backoff::Backoff;

/// Where recipients go together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Destination {
    /// The transport: `smtp`, `local` …
    pub transport: String,
    /// The next hop, as `route` gave it.
    pub next_hop: String,
}

/// How much goes to one destination of a transport at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransportLimits {
    /// `initial_destination_concurrency`
    pub initial: usize,
    /// `TRANSPORT_destination_concurrency_limit`
    pub limit: usize,
    /// `TRANSPORT_destination_recipient_limit`
    pub recipient_limit: usize,
    /// The transport's process limit: attempts at once to all its destinations.
    pub total: usize,
}

/// The scheduler's settings. All times in microseconds.
#[derive(Debug, Clone)]
pub struct Options {
    /// `qmgr_message_active_limit`
    pub active_limit: usize,
    /// `queue_run_delay`: how often due deferred messages are looked for.
    pub queue_run_delay_micros: i64,
    /// `minimal_backoff_time`, `maximal_backoff_time`
    pub backoff: Backoff,
    /// `maximal_queue_lifetime`
    pub lifetime_micros: i64,
    /// `bounce_queue_lifetime`, for messages from the null sender.
    pub bounce_lifetime_micros: i64,
    /// Limits of the transports that differ from `default_limits`.
    pub transport_limits: std::collections::HashMap<String, TransportLimits>,
    /// Limits of all other transports.
    pub default_limits: TransportLimits,
}

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

/// What the caller must do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Move the message to `active`, read its envelope, resolve the recipients still to be delivered and answer with
    /// [`Scheduler::resolved`].
    Load {
        /// Which.
        queue_id: QueueId,
    },
    /// Try to deliver to these recipients, answer with [`Scheduler::finished`].
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

/// A recipient's result of an attempt: index in the envelope, how it ended.
pub type Results<'a> = &'a [(u32, DeliveryResult)];
