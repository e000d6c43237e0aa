//! Waiting for something to become true, with a bound.

use std::time::{Duration, Instant};

/// How long anything may take on a loaded machine before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at that nobody tells about.
const LOOK_AGAIN: Duration = Duration::from_millis(15);

/// Waits until `holds` says yes.
///
/// # Panics
/// When that takes longer than [`PATIENCE`]; the message names `what`.
#[track_caller]
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for_value(what, || holds().then_some(()));
}

/// Waits until `look` finds something.
///
/// # Panics
/// When that takes longer than [`PATIENCE`]; the message names `what`.
#[track_caller]
pub fn wait_for_value<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::park_timeout(LOOK_AGAIN);
    }
}
