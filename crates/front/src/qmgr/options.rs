//! The scheduler's options by parameters.

use std::collections::HashMap;

use queue::backoff::Backoff;
use queue::scheduler::{Options, TransportLimits};
use settings::Postfix;

use super::micros;

/// The options that `settings` mean.
pub(super) fn of(settings: &Postfix) -> Options {
    let default_limits = TransportLimits {
        initial: settings.initial_destination_concurrency,
        limit: settings.default_destination_concurrency_limit,
        recipient_limit: settings.default_destination_recipient_limit,
        total: settings.default_process_limit,
    };
    // Every mailbox is its own, so the limit by destination (this host) would only slow deliveries down.
    let local = TransportLimits {
        limit: settings.default_process_limit,
        initial: settings.default_process_limit,
        recipient_limit: 1,
        ..default_limits
    };
    Options {
        active_limit: settings.qmgr_message_active_limit,
        queue_run_delay_micros: micros(settings.queue_run_delay),
        backoff: Backoff {
            minimal_micros: micros(settings.minimal_backoff_time),
            maximal_micros: micros(settings.maximal_backoff_time),
        },
        lifetime_micros: micros(settings.maximal_queue_lifetime),
        bounce_lifetime_micros: micros(settings.bounce_queue_lifetime),
        transport_limits: HashMap::from([("local".to_owned(), local)]),
        default_limits,
    }
}
