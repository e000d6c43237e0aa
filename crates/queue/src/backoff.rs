//! When a deferred message is tried again.

/// The limits of the wait, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// `minimal_backoff_time`
    pub minimal_micros: i64,
    /// `maximal_backoff_time`
    pub maximal_micros: i64,
}

impl Backoff {
    /// When to try next a message that arrived at `arrival_micros` and was deferred at `now_micros`: after as long
    /// again as it has been in the queue, but within the limits. So the wait about doubles each time.
    pub fn next_try_micros(&self, arrival_micros: i64, now_micros: i64) -> i64 {
        let age = now_micros.saturating_sub(arrival_micros);
        let wait = age
            .max(self.minimal_micros)
            .min(self.maximal_micros.max(self.minimal_micros))
            .max(0);
        now_micros.saturating_add(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    #[test]
    fn the_wait_grows_with_the_age_between_the_limits() {
        let backoff = Backoff {
            minimal_micros: 5 * MINUTE,
            maximal_micros: 66 * MINUTE,
        };
        assert_eq!(backoff.next_try_micros(0, 0), 5 * MINUTE);
        assert_eq!(backoff.next_try_micros(0, 20 * MINUTE), 40 * MINUTE);
        assert_eq!(backoff.next_try_micros(0, 1000 * MINUTE), 1066 * MINUTE);
        assert_eq!(
            backoff.next_try_micros(50 * MINUTE, 10 * MINUTE),
            15 * MINUTE,
            "the clock went back"
        );
        assert_eq!(backoff.next_try_micros(i64::MIN, i64::MAX), i64::MAX);
    }
}
