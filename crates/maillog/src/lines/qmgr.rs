//! Lines of the queue manager.

use envelope::QueueId;

use super::say;
use crate::{Line, Tag};

/// `D9DF698C2D9: from=<a@x.test>, size=394, nrcpt=1 (queue active)`
#[derive(Debug)]
pub struct Active<'a> {
    /// The message.
    pub queue_id: &'a QueueId,
    /// The sender without brackets; empty is the null sender.
    pub sender: &'a str,
    /// The size of the message.
    pub size_bytes: u64,
    /// How many recipients are left.
    pub recipients: usize,
}

impl Line for Active<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("qmgr")
    }
    fn text(&self, out: &mut String) {
        let (id, sender) = (self.queue_id, self.sender);
        say!(
            out,
            "{id}: from=<{sender}>, size={}, nrcpt={} (queue active)",
            self.size_bytes,
            self.recipients
        );
    }
}

/// `D9DF698C2D9: from=<a@x.test>, status=expired, returned to sender`
#[derive(Debug)]
pub struct Expired<'a> {
    /// The message.
    pub queue_id: &'a QueueId,
    /// The sender without brackets.
    pub sender: &'a str,
    /// Whether an administrator asked for it (`postsuper -e`).
    pub is_forced: bool,
}

impl Line for Expired<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("qmgr")
    }
    fn text(&self, out: &mut String) {
        let status = if self.is_forced {
            "force-expired"
        } else {
            "expired"
        };
        say!(
            out,
            "{}: from=<{}>, status={status}, returned to sender",
            self.queue_id,
            self.sender
        );
    }
}

/// `D9DF698C2D9: delivery was interrupted by a service of this system that is not there: tried again in 1 s`
#[derive(Debug)]
pub struct Interrupted<'a> {
    /// The message.
    pub queue_id: &'a QueueId,
    /// When it is tried again.
    pub pause: std::time::Duration,
}

impl Line for Interrupted<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("qmgr")
    }
    fn text(&self, out: &mut String) {
        say!(
            out,
            "{}: delivery was interrupted by a service of this system that is not there: tried again in {} s",
            self.queue_id,
            self.pause.as_secs()
        );
    }
}

/// `D9DF698C2D9: removed`
#[derive(Debug)]
pub struct Removed<'a> {
    /// The message.
    pub queue_id: &'a QueueId,
}

impl Line for Removed<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("qmgr")
    }
    fn text(&self, out: &mut String) {
        say!(out, "{}: removed", self.queue_id);
    }
}

/// At most six digits, without zeros at the end.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

/// `qmgr_queue_unthrottle: queue mx.example: limit 20 window 6 success 0 failure 0 fail_cohorts 0`, and with
/// `qmgr_queue_throttle` after a failure (`destination_concurrency_feedback_debug`)
#[derive(Debug)]
pub struct Feedback<'a> {
    /// The destination could not be reached.
    pub is_failure: bool,
    /// The next hop, or `recipient@next hop` where each recipient is a destination.
    pub name: &'a str,
    /// The largest number of deliveries at once.
    pub limit: usize,
    /// The number of now.
    pub window: usize,
    /// Progress towards more, below 1.
    pub success: f64,
    /// Progress towards fewer, below 1.
    pub failure: f64,
    /// Failures since the last success, in windows.
    pub failed_cohorts: f64,
}

impl Line for Feedback<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("qmgr")
    }
    fn text(&self, out: &mut String) {
        say!(
            out,
            "qmgr_queue_{}throttle: queue {}: limit {} window {} success {} failure {} fail_cohorts {}",
            if self.is_failure { "" } else { "un" },
            self.name,
            self.limit,
            self.window,
            rounded(self.success),
            rounded(self.failure),
            rounded(self.failed_cohorts)
        );
    }
}
