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

    /// When a message that arrived at `arrival_micros` was deferred, if it is to be tried next at `next_try_micros`: the
    /// inverse of [`Backoff::next_try_micros`].
    pub fn deferred_at_micros(&self, arrival_micros: i64, next_try_micros: i64) -> i64 {
        let (shortest, longest) = (self.minimal_micros, self.maximal_micros.max(self.minimal_micros));
        // The age at the deferral, plus the wait.
        let both = next_try_micros.saturating_sub(arrival_micros);
        let wait = (both / 2).clamp(shortest.max(0), longest.max(0));
        next_try_micros.saturating_sub(wait)
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

    #[test]
    fn the_next_try_tells_when_the_last_was() {
        let backoff = Backoff {
            minimal_micros: 5 * MINUTE,
            maximal_micros: 66 * MINUTE,
        };
        for age in [0, 1, 4, 5, 6, 30, 65, 66, 67, 1000] {
            let arrival = 7 * MINUTE;
            let deferred = arrival + age * MINUTE;
            let next_try = backoff.next_try_micros(arrival, deferred);
            assert_eq!(
                backoff.deferred_at_micros(arrival, next_try),
                deferred,
                "{age} minutes"
            );
        }
    }
}
