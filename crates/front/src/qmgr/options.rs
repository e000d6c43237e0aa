//! The scheduler's options by parameters.

use std::collections::HashMap;

use queue::backoff::Backoff;
use queue::scheduler::{Options, TransportLimits};
use settings::Postfix;

use super::micros;

/// What a transport may have of its own: `smtp_destination_concurrency_limit`.
const LIMITS: [&str; 3] = [
    "_initial_destination_concurrency",
    "_destination_concurrency_limit",
    "_destination_recipient_limit",
];

/// When deferred mail is tried again.
pub(super) fn backoff(settings: &Postfix) -> Backoff {
    Backoff {
        minimal_micros: micros(settings.minimal_backoff_time),
        maximal_micros: micros(settings.maximal_backoff_time),
    }
}

/// Sets what main.cf says about one transport. A text that is no number was told when the configuration was read.
fn override_limits(limits: &mut TransportLimits, transport: &str, settings: &Postfix) {
    let number = |suffix: &str| {
        settings
            .of_transport(transport, suffix)?
            .parse()
            .ok()
            .map(unlimited)
    };
    let [initial, limit, recipients] = LIMITS.map(number);
    limits.initial = initial.unwrap_or(limits.initial);
    limits.limit = limit.unwrap_or(limits.limit);
    limits.recipient_limit = recipients.unwrap_or(limits.recipient_limit);
}

/// In main.cf 0 is no limit.
fn unlimited(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}

/// The options that `settings` mean.
pub(super) fn of(settings: &Postfix) -> Options {
    let default_limits = TransportLimits {
        initial: settings.initial_destination_concurrency,
        limit: unlimited(settings.default_destination_concurrency_limit),
        recipient_limit: unlimited(settings.default_destination_recipient_limit),
        total: settings.default_process_limit,
    };
    // A destination of the local transport is a user ([`super::destination`]).
    let local = TransportLimits {
        limit: unlimited(settings.local_destination_concurrency_limit),
        recipient_limit: unlimited(settings.local_destination_recipient_limit),
        ..default_limits
    };
    let mut transport_limits = HashMap::from([("local".to_owned(), local)]);
    for name in settings.others.keys() {
        let suffix = LIMITS.iter().find(|suffix| name.ends_with(*suffix));
        if let Some(transport) = suffix.and_then(|suffix| name.strip_suffix(suffix)) {
            let limits = transport_limits
                .entry(transport.to_owned())
                .or_insert(default_limits);
            override_limits(limits, transport, settings);
        }
    }
    Options {
        active_limit: settings.qmgr_message_active_limit,
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
        let options = of(&settings);
        let slow = options.transport_limits["slow"];
        assert_eq!((slow.limit, slow.recipient_limit), (1, 3));
        assert_eq!(slow.initial, options.default_limits.initial);
        assert_eq!(options.transport_limits["fast"].limit, usize::MAX);
        assert_eq!(options.transport_limits["odd"], options.default_limits);
        let local = options.transport_limits["local"];
        assert_eq!((local.limit, local.recipient_limit), (2, 1));
    }
}
