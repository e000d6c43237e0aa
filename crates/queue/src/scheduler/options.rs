//! The scheduler's settings: limits of the whole queue, and those of each transport.

use std::collections::HashMap;

use crate::backoff::Backoff;

/// Where recipients go together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Destination {
    /// The transport: `smtp`, `local` …
    pub transport: String,
    /// The next hop, as `route` gave it.
    pub next_hop: String,
    /// The one recipient that the destination is, where the transport takes one recipient at a time
    /// (`TRANSPORT_destination_recipient_limit = 1`): all that is said of destinations holds for each recipient then.
    pub recipient: Option<String>,
}

impl Destination {
    /// A next hop of a transport, with all recipients there.
    pub fn new(transport: impl Into<String>, next_hop: impl Into<String>) -> Destination {
        Destination {
            transport: transport.into(),
            next_hop: next_hop.into(),
            recipient: None,
        }
    }

    /// What the log calls it: the next hop, or the recipient at it.
    pub fn name(&self) -> String {
        match &self.recipient {
            Some(recipient) => format!("{recipient}@{}", self.next_hop),
            None => self.next_hop.clone(),
        }
    }
}

/// How much an answer of a destination changes its concurrency: a part of one, between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gain {
    /// `0.2`, `1/5`
    Fixed(f64),
    /// `1/concurrency`
    PerConcurrency(f64),
    /// `1/sqrt_concurrency`
    PerRoot(f64),
}

impl Gain {
    /// The part at a concurrency of `window`, at most 1.
    pub(super) fn at(self, window: usize) -> f64 {
        let window = window.max(1) as f64;
        let part = match self {
            Gain::Fixed(part) => part,
            Gain::PerConcurrency(above) => above / window,
            Gain::PerRoot(above) => above / window.sqrt(),
        };
        part.clamp(0.0, 1.0)
    }
}

/// When a small message may go before a large one: see the rule of fairness at [`super::Scheduler`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overtaking {
    /// `TRANSPORT_delivery_slot_cost`: attempts of a message that earn others one slot before it; 0: nothing is overtaken, otherwise at
    /// least 2.
    pub cost: usize,
    /// `TRANSPORT_delivery_slot_loan`: slots that may be missing.
    pub loan: usize,
    /// `TRANSPORT_delivery_slot_discount`: how much of the slots that are needed may be missing besides, in percent.
    pub discount_percent: usize,
    /// `TRANSPORT_minimum_delivery_slots`: a message that earns less than these in its whole life is not overtaken.
    pub minimum: usize,
}

/// How much one transport does, and one destination of it, at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TransportLimits {
    /// `TRANSPORT_initial_destination_concurrency`
    pub initial: usize,
    /// `TRANSPORT_destination_concurrency_limit`
    pub limit: usize,
    /// `TRANSPORT_destination_recipient_limit`
    pub recipient_limit: usize,
    /// The transport's process limit (maxproc of its line in master.cf): attempts at once to all its destinations.
    pub total: usize,
    /// `yubin_seeking_attempt_limit`: attempts that wait for a host that says nothing, and that do not count in `total` therefore.
    pub seeking: usize,
    /// `TRANSPORT_destination_concurrency_positive_feedback`
    pub positive: Gain,
    /// `TRANSPORT_destination_concurrency_negative_feedback`
    pub negative: Gain,
    /// `TRANSPORT_destination_concurrency_failed_cohort_limit`; 0: a destination is never taken for dead.
    pub failed_cohorts: usize,
    /// `TRANSPORT_destination_rate_delay`, in microseconds; when it is not 0, one attempt at a time.
    pub rate_delay_micros: i64,
    /// `TRANSPORT_transport_rate_delay`, in microseconds.
    pub transport_rate_delay_micros: i64,
    /// Which messages go before others.
    pub overtaking: Overtaking,
}

impl TransportLimits {
    /// The largest concurrency of a destination.
    pub(super) fn window_max(&self) -> usize {
        if self.rate_delay_micros > 0 {
            1
        } else {
            self.limit.max(1)
        }
    }
}

impl Default for TransportLimits {
    /// What Postfix does when main.cf says nothing.
    fn default() -> TransportLimits {
        TransportLimits {
            initial: 5,
            limit: 20,
            recipient_limit: 50,
            total: 100,
            seeking: 5000,
            positive: Gain::Fixed(1.0),
            negative: Gain::Fixed(1.0),
            failed_cohorts: 1,
            rate_delay_micros: 0,
            transport_rate_delay_micros: 0,
            overtaking: Overtaking {
                cost: 5,
                loan: 3,
                discount_percent: 50,
                minimum: 3,
            },
        }
    }
}

/// The scheduler's settings. All times in microseconds.
#[derive(Debug, Clone)]
pub struct Options {
    /// `qmgr_message_active_limit`
    pub active_limit: usize,
    /// `qmgr_message_recipient_limit`: recipients of active messages that are known where they go, beyond the minimum of each.
    pub recipient_limit: usize,
    /// `qmgr_message_recipient_minimum`: how many recipients of a message are looked at in any case.
    pub recipient_minimum: usize,
    /// `default_recipient_refill_limit`: when so many recipients of a message can be taken in besides those that wait, they are.
    pub refill_limit: usize,
    /// `queue_run_delay`: how often due deferred messages are looked for.
    pub queue_run_delay_micros: i64,
    /// `minimal_backoff_time`, `maximal_backoff_time`
    pub backoff: Backoff,
    /// `maximal_queue_lifetime`
    pub lifetime_micros: i64,
    /// `bounce_queue_lifetime`, for messages from the null sender.
    pub bounce_lifetime_micros: i64,
    /// Limits of the transports that differ from `default_limits`.
    pub transport_limits: HashMap<String, TransportLimits>,
    /// Limits of all other transports.
    pub default_limits: TransportLimits,
}

impl Options {
    /// What holds for a transport.
    pub fn limits_of(&self, transport: &str) -> TransportLimits {
        let own = self.transport_limits.get(transport);
        *own.unwrap_or(&self.default_limits)
    }

    /// The longest rest that a destination or a transport can have.
    pub(super) fn rest_max_micros(&self) -> i64 {
        let all = self.transport_limits.values().chain([&self.default_limits]);
        let longest =
            |limits: &TransportLimits| limits.rate_delay_micros.max(limits.transport_rate_delay_micros);
        let rest = all.map(longest).max().unwrap_or(0);
        rest.max(self.backoff.minimal_micros).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_is_a_part_of_one() {
        assert_eq!(Gain::Fixed(0.2).at(4), 0.2);
        assert_eq!(Gain::PerConcurrency(1.0).at(4), 0.25);
        assert_eq!(Gain::PerRoot(1.0).at(4), 0.5);
        assert_eq!(Gain::Fixed(3.0).at(4), 1.0, "never more than one");
        assert_eq!(Gain::PerConcurrency(1.0).at(0), 1.0);
    }
}
