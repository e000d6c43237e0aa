//! The line of the service that takes up what `sendmail` left in the maildrop.

use envelope::QueueId;

use super::say;
use crate::{Line, Tag};

/// `6F5BA98C321: uid=0 from=<alice@example.test>`
#[derive(Debug)]
pub struct PickedUp<'a> {
    /// The message.
    pub queue_id: &'a QueueId,
    /// Who left it.
    pub uid: u32,
    /// The sender without brackets; empty is the null sender.
    pub sender: &'a str,
}

impl Line for PickedUp<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("pickup")
    }
    fn text(&self, out: &mut String) {
        say!(out, "{}: uid={} from=<{}>", self.queue_id, self.uid, self.sender);
    }
}
