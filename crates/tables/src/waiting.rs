//! The one door through which lookups go that may wait for somebody else: a server, a lock, the system's users. A process that has
//! other work on its threads says here how that is taken over meanwhile.
//!
//! Limits: [`WAITING_MAX`] lookups of a process wait at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Error;

/// How many lookups of a process may wait at once; more are an error, so that what else may block has threads left.
pub const WAITING_MAX: usize = 400;

/// Does what may wait, on the thread that calls.
pub type Door = fn(work: &mut dyn FnMut());

static DOOR: OnceLock<Door> = OnceLock::new();
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// From now on, lookups that may wait go through `door`. The first door of a process stays.
pub fn go_through(door: Door) {
    // A second one would be the same: there is one for each process.
    let _ = DOOR.set(door);
}

/// A lookup that waits.
struct Waiting;

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Does a lookup in `table`, through the door if there is one.
///
/// # Errors
/// The lookup's own; [`Error::Lookup`] when too many wait.
pub(crate) fn look<T>(table: &str, lookup: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    let Some(door) = DOOR.get() else {
        return lookup();
    };
    let before = WAITING.fetch_add(1, Ordering::SeqCst);
    let _waiting = Waiting;
    if before >= WAITING_MAX {
        return Err(Error::Lookup {
            table: table.to_owned(),
            cause: format!("{WAITING_MAX} other lookups are waiting"),
        });
    }
    let mut found = None;
    door(&mut || found = Some(lookup()));
    found.unwrap_or_else(|| {
        Err(Error::Lookup {
            table: table.to_owned(),
            cause: "the process ends".to_owned(),
        })
    })
}
