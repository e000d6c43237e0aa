//! Clock, randomness and disk as narrow traits, each real and simulated.
//!
//! In charge of everything that makes a run differ from the next one: what time it is, which random bytes come, and
//! what a disk keeps. Code of layers 3 to 7 that must survive crashes takes a [`World`] and is tested with
//! [`SimDisk`], which forgets unsynced writes at a crash, tears and reorders them, fails at the k-th operation and
//! fills up; the same seed gives the same run. Not in charge of sockets, processes or users (crate `os`).
//! Entry type: [`World`].

mod clock;
mod disk;
mod random;
mod real_disk;
mod sim_disk;

use std::sync::Arc;

pub use clock::{Clock, RealClock, SimClock};
pub use disk::{DirEntry, Disk, DiskFile, DiskLock, Error, Foreign, OpenMode, Owner, Result};
pub use random::{Random, RealRandom, SimRandom};
pub use real_disk::RealDisk;
pub use sim_disk::SimDisk;

/// The three together, cheap to clone.
#[derive(Clone)]
pub struct World {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes.
    pub random: Arc<dyn Random>,
    /// Files.
    pub disk: Arc<dyn Disk>,
}

impl World {
    /// The machine's own clock, randomness and disk.
    pub fn real() -> World {
        World {
            clock: Arc::new(RealClock::new()),
            random: Arc::new(RealRandom),
            disk: Arc::new(RealDisk),
        }
    }

    /// A simulated world: a clock that stands still until it is moved, and `disk`; all from `seed`.
    pub fn simulated(seed: u64, disk: SimDisk) -> World {
        World {
            clock: Arc::new(SimClock::new(1_700_000_000_000_000)),
            random: Arc::new(SimRandom::new(seed)),
            disk: Arc::new(disk),
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}
