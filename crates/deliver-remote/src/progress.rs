//! What is known of each recipient while one host after the other is tried.

use address::Address;
use envelope::{DeliveryResult, Outcome, StatusCode};
use smtp::client::{Message, Report};

use crate::Delivery;

/// The recipients of one message.
pub(crate) struct Progress {
    message: Message,
    /// What the last host said of each; `None` before anybody said anything.
    outcomes: Vec<Option<Outcome>>,
    /// Those that are settled, whatever other hosts would say.
    settled: Vec<bool>,
    dsn_offered: bool,
    tls: bool,
}

impl Progress {
    /// Nothing was tried yet.
    pub(crate) fn new(message: Message) -> Progress {
        let count = message.recipients.len();
        Progress {
            message,
            outcomes: vec![None; count],
            settled: vec![false; count],
            dsn_offered: false,
            tls: false,
        }
    }

    /// Whether there is nobody left for another host.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled.iter().all(|settled| *settled)
    }

    /// Who sends it.
    pub(crate) fn sender(&self) -> Option<&Address> {
        self.message.sender.as_ref()
    }

    fn left(&self) -> Vec<usize> {
        let all = 0..self.settled.len();
        all.filter(|index| !self.settled[*index]).collect()
    }

    /// The message for the recipients that are left.
    pub(crate) fn message(&self) -> Message {
        let recipients = self.left().into_iter();
        Message {
            recipients: recipients
                .filter_map(|index| self.message.recipients.get(index).cloned())
                .collect(),
            ..self.message.clone()
        }
    }

    /// A host spoke about the recipients that were left. What is only put off may go better elsewhere, unless the host may
    /// have taken it.
    pub(crate) fn heard(&mut self, report: Report, connection_uses: u32) {
        self.dsn_offered = report.dsn_offered;
        self.tls = report.tls;
        for (index, mut outcome) in self.left().into_iter().zip(report.outcomes) {
            outcome.detail.connection_uses = connection_uses;
            self.settled[index] = outcome.result != DeliveryResult::Deferred || report.perhaps_taken;
            self.outcomes[index] = Some(outcome);
        }
    }

    /// Nobody spoke: the same for all that are left. They stay left when it is only for now.
    pub(crate) fn failed(&mut self, outcome: &Outcome) {
        let is_final = outcome.result != DeliveryResult::Deferred;
        for index in self.left() {
            self.settled[index] = is_final;
            self.outcomes[index] = Some(outcome.clone());
        }
    }

    /// Nobody is to be asked about a place: its failure is remembered, and other places are tried, even when it was for good.
    pub(crate) fn missed(&mut self, outcome: &Outcome) {
        for index in self.left() {
            self.outcomes[index] = Some(outcome.clone());
        }
    }

    /// What became of it.
    pub(crate) fn finish(self, loops: bool) -> Delivery {
        let unknown = || Outcome {
            result: DeliveryResult::Deferred,
            status: StatusCode::temporary(3, 0),
            text: "server unavailable or unable to receive mail".to_owned(),
            relay: "none".to_owned(),
            detail: Default::default(),
        };
        Delivery {
            outcomes: self
                .outcomes
                .into_iter()
                .map(|outcome| outcome.unwrap_or_else(unknown))
                .collect(),
            dsn_offered: self.dsn_offered,
            tls: self.tls,
            loops,
        }
    }
}
