//! The time that machines are told, and how long until one of their deadlines.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use machine::Stamp;

/// Now, in microseconds since the Unix epoch.
pub fn now() -> Stamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Stamp::try_from(since.as_micros()).unwrap_or(Stamp::MAX)
}

/// How long to wait for `deadline`; nothing when it has passed.
pub fn until(deadline: Stamp) -> Duration {
    Duration::from_micros(u64::try_from(deadline - now()).unwrap_or(0))
}
