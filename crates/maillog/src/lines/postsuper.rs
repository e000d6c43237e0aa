//! Lines of postsuper(1), the super-user's queue command.

use envelope::QueueId;

use super::say;
use crate::{Line, Tag};

/// What was done to a message or to many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Removed from the queue.
    Deleted,
    /// To be returned at its next try.
    Expired,
    /// Put on hold.
    Held,
    /// Released from hold.
    Released,
    /// Put back to the start of the queue.
    Requeued,
}

/// `D9DF698C2D9: removed`, `D9DF698C2D9: placed on hold` …
#[derive(Debug)]
pub struct Changed<'a> {
    /// The message.
    pub queue_id: &'a QueueId,
    /// What was done.
    pub action: Action,
}

impl Line for Changed<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("postsuper")
    }
    fn text(&self, out: &mut String) {
        let done = match self.action {
            Action::Deleted => "removed",
            Action::Expired => "expired",
            Action::Held => "placed on hold",
            Action::Released => "released from hold",
            Action::Requeued => "requeued",
        };
        say!(out, "{}: {done}", self.queue_id);
    }
}

/// `warning: invalid mail queue id: no/id`
#[derive(Debug)]
pub struct InvalidId<'a> {
    /// What was taken for one.
    pub word: &'a str,
}

impl Line for InvalidId<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("postsuper")
    }
    fn text(&self, out: &mut String) {
        say!(out, "warning: invalid mail queue id: {}", self.word);
    }
}

/// `Deleted: 2 messages`
#[derive(Debug)]
pub struct Total {
    /// What was done.
    pub action: Action,
    /// To how many.
    pub messages: usize,
}

impl Line for Total {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("postsuper")
    }
    fn text(&self, out: &mut String) {
        let done = match self.action {
            Action::Deleted => "Deleted",
            Action::Expired => "Force-expired",
            Action::Held => "Placed on hold",
            Action::Released => "Released from hold",
            Action::Requeued => "Requeued",
        };
        let plural = if self.messages == 1 { "" } else { "s" };
        say!(out, "{done}: {} message{plural}", self.messages);
    }
}
