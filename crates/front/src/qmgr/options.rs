//! The scheduler's options by parameters.

use std::collections::{BTreeMap, HashMap};

use queue::backoff::Backoff;
use queue::scheduler::{Gain, Options, Overtaking, TransportLimits};
use settings::kinds::Kind as _;
use settings::{ConcurrencyFeedback, FeedbackPart, Postfix};

use super::micros;

/// What a transport may have of its own: `smtp_destination_concurrency_limit`.
const OWN: [&str; 11] = [
    "_initial_destination_concurrency",
    "_destination_concurrency_limit",
    "_destination_concurrency_failed_cohort_limit",
    "_destination_concurrency_positive_feedback",
    "_destination_concurrency_negative_feedback",
    "_destination_recipient_limit",
    "_destination_rate_delay",
    "_transport_rate_delay",
    "_delivery_slot_cost",
    "_delivery_slot_loan",
    "_delivery_slot_discount",
];
const MINIMUM_SLOTS: &str = "_minimum_delivery_slots";

/// When deferred mail is tried again.
pub(super) fn backoff(settings: &Postfix) -> Backoff {
    Backoff {
        minimal_micros: micros(settings.minimal_backoff_time),
        maximal_micros: micros(settings.maximal_backoff_time),
    }
}

/// Sets what main.cf says about one transport. A text that makes no sense leaves what holds for all.
fn override_limits(limits: &mut TransportLimits, transport: &str, settings: &Postfix) {
    let text = |suffix: &str| settings.of_transport(transport, suffix);
    let number = |suffix: &str, into: &mut usize| {
        if let Some(number) = text(suffix).and_then(|text| text.trim().parse().ok()) {
            *into = number;
        }
    };
    let limit = |suffix: &str, into: &mut usize| {
        number(suffix, into);
        if text(suffix).is_some() {
            *into = unlimited(*into);
        }
    };
    let delay = |suffix: &str, into: &mut i64| {
        if let Some(Ok(delay)) = text(suffix).map(|text| settings::kinds::time(text, 's')) {
            *into = micros(delay);
        }
    };
    let feedback = |suffix: &str, into: &mut Gain| {
        if let Some(Ok(part)) = text(suffix).map(ConcurrencyFeedback::read) {
            *into = gain(part);
        }
    };
    number(OWN[0], &mut limits.initial);
    limit(OWN[1], &mut limits.limit);
    number(OWN[2], &mut limits.failed_cohorts);
    feedback(OWN[3], &mut limits.positive);
    feedback(OWN[4], &mut limits.negative);
    limit(OWN[5], &mut limits.recipient_limit);
    delay(OWN[6], &mut limits.rate_delay_micros);
    delay(OWN[7], &mut limits.transport_rate_delay_micros);
    number(OWN[8], &mut limits.overtaking.cost);
    number(OWN[9], &mut limits.overtaking.loan);
    number(OWN[10], &mut limits.overtaking.discount_percent);
    number(MINIMUM_SLOTS, &mut limits.overtaking.minimum);
}

fn gain(part: FeedbackPart) -> Gain {
    match part {
        FeedbackPart::Fixed(part) => Gain::Fixed(part),
        FeedbackPart::PerConcurrency(above) => Gain::PerConcurrency(above),
        FeedbackPart::PerSqrtConcurrency(above) => Gain::PerRoot(above),
    }
}

/// In main.cf 0 is no limit.
fn unlimited(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}

/// What holds for every transport of which nothing else is said.
fn default_limits(settings: &Postfix) -> TransportLimits {
    TransportLimits {
        initial: settings.initial_destination_concurrency,
        limit: unlimited(settings.default_destination_concurrency_limit),
        recipient_limit: unlimited(settings.default_destination_recipient_limit),
        total: settings.default_process_limit,
        seeking: settings.yubin_seeking_attempt_limit,
        positive: gain(settings.default_destination_concurrency_positive_feedback),
        negative: gain(settings.default_destination_concurrency_negative_feedback),
        failed_cohorts: settings.default_destination_concurrency_failed_cohort_limit,
        rate_delay_micros: micros(settings.default_destination_rate_delay),
        transport_rate_delay_micros: micros(settings.default_transport_rate_delay),
        overtaking: Overtaking {
            cost: settings.default_delivery_slot_cost,
            loan: settings.default_delivery_slot_loan,
            discount_percent: settings.default_delivery_slot_discount,
            minimum: settings.default_minimum_delivery_slots,
        },
    }
}

/// The options that `settings` mean. `process_limits`: the maxproc of transports in master.cf; `descriptors`: how many files may be
/// open at once.
pub(super) fn of(settings: &Postfix, process_limits: &BTreeMap<String, usize>, descriptors: u64) -> Options {
    let mut default_limits = default_limits(settings);
    // Each holds a socket, and others need descriptors too.
    let most = usize::try_from(descriptors / 4).unwrap_or(usize::MAX);
    default_limits.seeking = default_limits.seeking.min(most);
    // A destination of the local transport is a user ([`super::destination`]).
    let local = TransportLimits {
        limit: unlimited(settings.local_destination_concurrency_limit),
        recipient_limit: unlimited(settings.local_destination_recipient_limit),
        ..default_limits
    };
    let mut transport_limits = HashMap::from([("local".to_owned(), local)]);
    for (transport, total) in process_limits {
        let limits = transport_limits
            .entry(transport.clone())
            .or_insert(default_limits);
        limits.total = *total;
    }
    for name in settings.others.keys() {
        let mut suffixes = OWN.iter().chain([&MINIMUM_SLOTS]);
        let transport = suffixes.find_map(|suffix| name.strip_suffix(suffix));
        if let Some(transport) = transport.filter(|transport| !transport.is_empty()) {
            let limits = transport_limits
                .entry(transport.to_owned())
                .or_insert(default_limits);
            override_limits(limits, transport, settings);
        }
    }
    Options {
        active_limit: settings.qmgr_message_active_limit,
        recipient_limit: settings.qmgr_message_recipient_limit,
        recipient_minimum: settings.qmgr_message_recipient_minimum,
        refill_limit: settings.default_recipient_refill_limit,
        queue_run_delay_micros: micros(settings.queue_run_delay),
        backoff: backoff(settings),
        lifetime_micros: micros(settings.maximal_queue_lifetime),
        bounce_lifetime_micros: micros(settings.bounce_queue_lifetime),
        transport_limits,
        default_limits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Surroundings;

    #[test]
    fn a_transport_has_limits_of_its_own() {
        let mut settings = Postfix::defaults(&Surroundings::default());
        let mut set = |name: &str, text: &str| settings.others.insert(name.to_owned(), text.to_owned());
        set("slow_destination_concurrency_limit", "1");
        set("slow_destination_recipient_limit", "3");
        set("fast_destination_concurrency_limit", "0");
        set("odd_destination_concurrency_limit", "many");
        set("slow_destination_rate_delay", "2m");
        set("slow_transport_rate_delay", "1");
        set("fast_destination_concurrency_positive_feedback", "1/concurrency");
        set("fast_destination_concurrency_negative_feedback", "rubbish");
        set("fast_destination_concurrency_failed_cohort_limit", "0");
        set("fast_minimum_delivery_slots", "7");
        let options = of(
            &settings,
            &BTreeMap::from([("slow".to_owned(), 4), ("pipe".to_owned(), 9)]),
            400,
        );
        assert_eq!(options.default_limits.seeking, 100);
        let slow = options.transport_limits["slow"];
        assert_eq!((slow.limit, slow.recipient_limit, slow.total), (1, 3, 4));
        assert_eq!(
            (slow.rate_delay_micros, slow.transport_rate_delay_micros),
            (120_000_000, 1_000_000)
        );
        assert_eq!(slow.initial, options.default_limits.initial);
        let fast = options.transport_limits["fast"];
        assert_eq!((fast.limit, fast.failed_cohorts), (usize::MAX, 0));
        assert_eq!(
            (fast.positive, fast.negative),
            (Gain::PerConcurrency(1.0), Gain::Fixed(1.0))
        );
        assert_eq!((fast.overtaking.minimum, fast.overtaking.cost), (7, 5));
        assert_eq!(options.transport_limits["odd"], options.default_limits);
        assert_eq!(options.transport_limits["pipe"].total, 9);
        let local = options.transport_limits["local"];
        assert_eq!((local.limit, local.recipient_limit), (2, 1));
    }

    #[test]
    fn what_postfix_does_is_the_default() {
        let options = of(
            &Postfix::defaults(&Surroundings::default()),
            &BTreeMap::new(),
            65_536,
        );
        assert_eq!(options.default_limits, TransportLimits::default());
    }
}
