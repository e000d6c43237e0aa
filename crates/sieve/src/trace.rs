//! What a run tells of itself, step by step, for `sieve-test -t`.

/// How much is told; each level tells what those before it tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Actions.
    Actions,
    /// Commands too.
    Commands,
    /// Tests too.
    Tests,
    /// Values and keys too.
    Matching,
}
