//! The conversation between the front and an agent: one task for one message, by [`calls`](crate::calls). The message comes
//! as a sealed file in memory. `T` is a task of `deliver-local`, and so is what is answered.

use serde::{Deserialize, Serialize};

/// What the front asks. A descriptor: the sealed message.
#[derive(Debug, Serialize, Deserialize)]
pub struct Delivery<R, T> {
    /// With whose rights; the agent refuses others than its own.
    pub rights: R,
    /// What to do.
    pub task: T,
}
