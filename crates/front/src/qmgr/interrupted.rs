//! Messages whose delivery was interrupted by the end of one of our own processes: how soon they are tried again (pure).
//!
//! Nothing is known against such a recipient, so `minimal_backoff_time` is not waited for: a second, then twice as long each
//! time. Where the process can never be started this grows into the usual wait.

use std::collections::HashMap;
use std::time::Duration;

use envelope::QueueId;

/// The first pause.
const FIRST: Duration = Duration::from_secs(1);

/// What is remembered. A message is forgotten when an attempt ends in another way, and when it leaves the queue.
#[derive(Debug, Default)]
pub(super) struct Interrupted(HashMap<QueueId, Times>);

#[derive(Debug, Default)]
struct Times {
    /// Interrupted since it became active.
    is_now: bool,
    /// How often in a row it was before.
    before: u32,
}

impl Interrupted {
    /// An attempt at the message was interrupted.
    pub(super) fn note(&mut self, queue_id: &QueueId) {
        self.0.entry(queue_id.clone()).or_default().is_now = true;
    }

    /// All attempts have ended and the message is to wait: how long, when that is less than `usual_micros`
    /// (`minimal_backoff_time`); `None` is as long as others.
    pub(super) fn pause(&mut self, queue_id: &QueueId, usual_micros: i64) -> Option<Duration> {
        let times = self.0.get_mut(queue_id)?;
        if !times.is_now {
            self.0.remove(queue_id);
            return None;
        }
        times.is_now = false;
        let pause = FIRST.saturating_mul(1 << times.before.min(16));
        times.before = times.before.saturating_add(1);
        (super::micros(pause) < usual_micros).then_some(pause)
    }

    /// The message is gone.
    pub(super) fn forget(&mut self, queue_id: &QueueId) {
        self.0.remove(queue_id);
    }

    /// Those that wait.
    pub(super) fn all(&self) -> Vec<QueueId> {
        self.0.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    #[test]
    fn pauses_grow_into_the_usual_wait_and_begin_anew_after_another_outcome() {
        let id = QueueId::parse("4XvGfk5c3zz1").expect("a queue id");
        let mut interrupted = Interrupted::default();
        assert_eq!(interrupted.pause(&id, MINUTE), None, "nothing was interrupted");
        let mut pauses = Vec::new();
        for _ in 0..8 {
            interrupted.note(&id);
            interrupted.note(&id);
            pauses.push(interrupted.pause(&id, MINUTE).map(|pause| pause.as_secs()));
        }
        let grown = [1, 2, 4, 8, 16, 32].map(Some);
        assert_eq!(pauses, [&grown[..], &[None, None]].concat());
        assert_eq!(interrupted.all(), std::slice::from_ref(&id));
        assert_eq!(interrupted.pause(&id, MINUTE), None, "deferred by its mailbox");
        assert_eq!(interrupted.all(), []);
        interrupted.note(&id);
        assert_eq!(interrupted.pause(&id, MINUTE), Some(FIRST));
        interrupted.note(&id);
        interrupted.forget(&id);
        assert_eq!(interrupted.pause(&id, MINUTE), None);
    }
}
