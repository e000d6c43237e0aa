//! Who carries out the parts of one piece of work: this thread alone, or several at the same time. This layer starts no
//! threads: who drives the session lends them.

use std::fmt::Debug;

/// Carries out parts of one piece of work, in any order, on any threads.
pub trait Crew: Debug + Send + Sync {
    /// Calls `work` once with each number below `parts`; returns when all have returned.
    fn share(&self, parts: usize, work: &(dyn Fn(usize) + Sync));
}

/// The calling thread does everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Crew for Alone {
    fn share(&self, parts: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..parts).for_each(work);
    }
}
