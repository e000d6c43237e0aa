//! Lines of the stage that makes a message fit for the queue.

use envelope::QueueId;

use super::{on_one_line, say, say_rule};
use crate::{Line, Tag};

/// `D9DF698C2D9: message-id=<20261121214142.023357@vm>`
#[derive(Debug)]
pub struct MessageId<'a> {
    /// The message.
    pub queue_id: &'a QueueId,
    /// The field's value with its angle brackets; empty when the message has none.
    pub message_id: &'a str,
}

impl Line for MessageId<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("cleanup")
    }
    fn text(&self, out: &mut String) {
        let message_id = if self.message_id.is_empty() {
            "<>"
        } else {
            self.message_id
        };
        say!(out, "{}: message-id={message_id}", self.queue_id);
    }
}

/// `D9DF698C2D9: milter-reject: END-OF-MESSAGE from host[192.0.2.1]: 5.7.1 Command rejected; from=<a@b> to=<c@d> proto=ESMTP helo=<x>`
#[derive(Debug)]
pub struct FilterDecided<'a> {
    /// The message.
    pub queue_id: &'a QueueId,
    /// `milter-reject`, `milter-discard`, `milter-hold`.
    pub decision: &'a str,
    /// `END-OF-MESSAGE`, or what of the envelope it was said to.
    pub stage: &'a str,
    /// Where the message comes from: `host[192.0.2.1]`.
    pub origin: &'a str,
    /// What was said.
    pub text: &'a str,
    /// `from=<…> to=<…> proto=… helo=<…>`, as far as known.
    pub context: &'a str,
    /// Which filter decided, as the last field of the line.
    pub rule: Option<&'a str>,
}

impl Line for FilterDecided<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("cleanup")
    }
    fn text(&self, out: &mut String) {
        let text = on_one_line(self.text);
        say!(
            out,
            "{}: {}: {} from {}: {text}; {}",
            self.queue_id,
            self.decision,
            self.stage,
            self.origin,
            self.context
        );
        say_rule(out, self.rule);
    }
}

/// `D9DF698C2D9: reject: header Subject: x from host[192.0.2.1]; from=<a@b> to=<c@d> proto=ESMTP helo=<x>: text`
#[derive(Debug)]
pub struct ContentDecided<'a> {
    /// The message.
    pub queue_id: &'a QueueId,
    /// `reject`, `hold`, `warning`, `discard`, `redirect`, `filter`, `prepend`, `replace`, `info`.
    pub decision: &'a str,
    /// `header` or `body`, then the line that matched.
    pub matched: &'a str,
    /// Where the message comes from: `host[192.0.2.1]` or `local`.
    pub origin: &'a str,
    /// `from=<…> to=<…> proto=… helo=<…>`, as far as known.
    pub context: &'a str,
    /// The rule's text.
    pub text: &'a str,
    /// Which table and line decided, as the last field of the line.
    pub rule: Option<&'a str>,
}

impl Line for ContentDecided<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("cleanup")
    }
    fn text(&self, out: &mut String) {
        say!(
            out,
            "{}: {}: {} from {}; {}",
            self.queue_id,
            self.decision,
            self.matched,
            self.origin,
            self.context
        );
        if !self.text.is_empty() {
            say!(out, ": {}", self.text);
        }
        say_rule(out, self.rule);
    }
}
