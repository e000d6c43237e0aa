//! What time it is.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What time it is.
pub trait Clock: Send + Sync {
    /// Microseconds since the Unix epoch; may jump when somebody sets the clock.
    fn now_micros(&self) -> i64;

    /// Microseconds since some moment in the past; never goes back.
    fn monotonic_micros(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug)]
pub struct RealClock {
    start: Instant,
}

impl RealClock {
    /// A clock whose monotonic time starts now.
    pub fn new() -> RealClock {
        RealClock {
            start: Instant::now(),
        }
    }
}

impl Default for RealClock {
    fn default() -> RealClock {
        RealClock::new()
    }
}

impl Clock for RealClock {
    fn now_micros(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
        }
    }

    fn monotonic_micros(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct SimClock {
    start: i64,
    now: AtomicI64,
}

impl SimClock {
    /// A clock that shows `now_micros`.
    pub fn new(now_micros: i64) -> SimClock {
        SimClock {
            start: now_micros,
            now: AtomicI64::new(now_micros),
        }
    }

    /// Moves it forward.
    pub fn advance_micros(&self, micros: i64) {
        self.now.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn now_micros(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    fn monotonic_micros(&self) -> u64 {
        u64::try_from(self.now_micros() - self.start).unwrap_or(0)
    }
}
