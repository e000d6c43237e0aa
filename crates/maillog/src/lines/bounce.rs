//! Lines about the reports that the bounce service makes.

use envelope::QueueId;

use super::say;
use crate::{Line, Tag};

/// Which report was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// To the sender: it failed.
    NonDelivery,
    /// To the sender: it is late.
    Delay,
    /// To the sender: it was delivered, relayed or expanded.
    Success,
    /// To the postmaster: it failed.
    PostmasterNonDelivery,
    /// To the postmaster: it is late.
    PostmasterDelay,
}

/// `2C9D498C315: sender non-delivery notification: 30A1298C31B`
#[derive(Debug)]
pub struct Notification<'a> {
    /// The message that the report is about.
    pub queue_id: &'a QueueId,
    /// Which report.
    pub report: Report,
    /// The report's own queue id.
    pub report_id: &'a QueueId,
}

impl Line for Notification<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("bounce")
    }
    fn text(&self, out: &mut String) {
        let report = match self.report {
            Report::NonDelivery => "sender non-delivery",
            Report::Delay => "sender delay",
            Report::Success => "sender delivery status",
            Report::PostmasterNonDelivery => "postmaster non-delivery",
            Report::PostmasterDelay => "postmaster delay",
        };
        say!(
            out,
            "{}: {report} notification: {}",
            self.queue_id,
            self.report_id
        );
    }
}
