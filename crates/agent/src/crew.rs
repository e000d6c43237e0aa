//! Threads that help a search read messages: as many as there are processors, and no more for all sessions together.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use imap::session::crew::Crew;

/// How much of the messages a search reads before its connection is looked after, in octets.
pub(crate) const SLICE_BYTES: u64 = 16 << 20;

/// How many threads help at this moment.
static HELPING: AtomicUsize = AtomicUsize::new(0);

/// Lends threads to searches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Helpers;

impl Crew for Helpers {
    fn share(&self, parts: usize, work: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let work_on = || {
            loop {
                let part = next.fetch_add(1, Ordering::Relaxed);
                if part >= parts {
                    return;
                }
                work(part);
            }
        };
        let lent = Lent::up_to(parts.saturating_sub(1));
        thread::scope(|scope| {
            for _ in 0..lent.0 {
                // Where the system gives no thread, those that there are do the work.
                if thread::Builder::new().spawn_scoped(scope, work_on).is_err() {
                    break;
                }
            }
            work_on();
        });
    }
}

/// Threads of which nobody else makes use until this is dropped.
struct Lent(usize);

impl Lent {
    fn up_to(wanted: usize) -> Lent {
        let others = thread::available_parallelism().map_or(1, NonZero::get) - 1;
        let mut lent = 0;
        let _ = HELPING.try_update(Ordering::Relaxed, Ordering::Relaxed, |helping| {
            lent = others.saturating_sub(helping).min(wanted);
            Some(helping + lent)
        });
        Lent(lent)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        HELPING.fetch_sub(self.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_once() {
        for parts in [0, 1, 2, 1000] {
            let done: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
            Helpers.share(parts, &|part| {
                done[part].fetch_add(1, Ordering::Relaxed);
            });
            assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        }
        assert_eq!(HELPING.load(Ordering::Relaxed), 0);
    }
}
