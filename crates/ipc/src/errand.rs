//! The conversation between an agent and the process that runs one command for it: one question, one answer. The
//! supervisor starts that process with the agent's identity; it never sees the command.

use serde::{Deserialize, Serialize};

/// What the agent asks. A descriptor: what the command reads, sealed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Errand<C> {
    /// The command.
    pub command: C,
}

/// How it went; `Err` says why there was no start.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outcome<E>(pub Result<E, String>);
