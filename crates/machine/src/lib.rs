//! The verbs that every protocol machine speaks, and the line framing they share.
//!
//! A machine is one side of a conversation as a value: bytes in, events and bytes out, time as an
//! argument. It owns framing, pipelining, order and limits. It does no I/O, knows no policy and holds no
//! buffer while it is idle. The pump that moves the bytes is written once, in `serve`.
//!
//! Entry: [`Machine`]; framing: [`lines::Lines`]. Limits: each machine names its own.

pub mod lines;
pub mod login;

/// A moment: microseconds since the Unix epoch.
pub type Stamp = i64;

/// Microseconds in a second, for building a [`Stamp`] from settings that are in seconds.
pub const SECOND: Stamp = 1_000_000;

/// One side of a protocol conversation.
///
/// The caller's loop: write what [`next_output`](Machine::next_output) gives; take each
/// [`next_event`](Machine::next_event), do what it asks and [`answer`](Machine::answer) it; when there is
/// neither, read from the peer if the machine [wants input](Machine::wants_input) and [`feed`](Machine::feed)
/// it; stop when it [is finished](Machine::is_finished) and its output is drained.
pub trait Machine {
    /// What the machine asks its caller to decide or to do.
    type Event;
    /// What the caller answers.
    type Answer;

    /// Takes bytes that the peer sent. The machine keeps what it cannot use yet.
    fn feed(&mut self, input: &[u8], now: Stamp);

    /// The peer closed its sending side.
    fn end_of_input(&mut self, now: Stamp);

    /// The next thing to decide or to do. While an event that needs an answer is open, there is no next one.
    fn next_event(&mut self) -> Option<Self::Event>;

    /// Answers the open event.
    fn answer(&mut self, answer: Self::Answer, now: Stamp);

    /// Appends up to about `limit` bytes for the peer to `into`; adds nothing when there is nothing to say now.
    fn next_output(&mut self, into: &mut Vec<u8>, limit: usize);

    /// When [`time_out`](Machine::time_out) is to be called if nothing arrives before.
    fn deadline(&self) -> Option<Stamp>;

    /// The deadline has passed.
    fn time_out(&mut self, now: Stamp);

    /// Whether reading from the peer makes sense now. `false` while an event is open and while input that
    /// was fed is not used up: this is the back-pressure.
    fn wants_input(&self) -> bool;

    /// Whether the conversation is over: write what is left to write, then close.
    fn is_finished(&self) -> bool;

    /// Something that the machine watches has changed (a mailbox). Most machines watch nothing.
    fn wake(&mut self, now: Stamp) {
        let _ = now;
    }
}
