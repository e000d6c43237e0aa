//! When a role that ended is started again: at once, and if it goes on ending, later and later (pure).

use std::time::{Duration, Instant};

/// The first pause.
const FIRST: Duration = Duration::from_millis(100);
/// The longest one.
const LONGEST: Duration = Duration::from_secs(30);
/// Who ran so long begins anew.
const STABLE: Duration = Duration::from_secs(60);

/// What is remembered of one role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Restarts {
    started: Option<Instant>,
    /// How often in a row it ended early.
    early_ends: u32,
}

impl Restarts {
    /// It was started.
    pub(super) fn started(&mut self, now: Instant) {
        self.started = Some(now);
    }

    /// It ended: how long to wait before it is started again.
    pub(super) fn ended(&mut self, now: Instant) -> Duration {
        let is_stable = self
            .started
            .is_some_and(|started| now.duration_since(started) >= STABLE);
        if is_stable {
            self.early_ends = 0;
        }
        let pause = match self.early_ends {
            0 => Duration::ZERO,
            times => FIRST.saturating_mul(1 << (times - 1).min(16)).min(LONGEST),
        };
        self.early_ends += 1;
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_are_forgotten() {
        let (mut restarts, mut now) = (Restarts::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..12 {
            restarts.started(now);
            now += Duration::from_secs(1);
            pauses.push(restarts.ended(now));
        }
        let millis: Vec<u128> = pauses.iter().map(Duration::as_millis).collect();
        assert_eq!(
            millis,
            [
                0, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000
            ]
        );
        restarts.started(now);
        assert_eq!(restarts.ended(now + STABLE), Duration::ZERO);
    }
}
