//! What is known of each recipient while one host after the other is tried.

use address::Address;
use envelope::{DeliveryResult, Outcome, StatusCode};
use smtp::client::{Message, Report};
use std::time::Instant;

use crate::{Delivery, FaultySession};

/// The recipients of one message.
pub(crate) struct Progress {
    message: Message,
    /// What the last host said of each; `None` before anybody said anything.
    outcomes: Vec<Option<Outcome>>,
    /// Those that are settled, whatever other hosts would say.
    settled: Vec<bool>,
    /// `soft_bounce`: nothing is for good while there is another host.
    is_soft: bool,
    dsn_offered: bool,
    tls: bool,
    began: Instant,
    pub(crate) faulty_sessions: Vec<FaultySession>,
}

impl Progress {
    /// Nothing was tried yet.
    pub(crate) fn new(message: Message, is_soft: bool) -> Progress {
        let count = message.recipients.len();
        Progress {
            message,
            outcomes: vec![None; count],
            settled: vec![false; count],
            is_soft,
            dsn_offered: false,
            tls: false,
            began: Instant::now(),
            faulty_sessions: Vec::new(),
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
    ///
    /// `ready` is when the session was ready for the message.
    pub(crate) fn heard(&mut self, report: Report, (connection_uses, ready): (u32, Instant)) {
        let set_up_millis = millis(ready.saturating_duration_since(self.began));
        self.dsn_offered = report.dsn_offered;
        self.tls = report.tls;
        for (index, mut outcome) in self.left().into_iter().zip(report.outcomes) {
            outcome.detail.connection_uses = u16::try_from(connection_uses).unwrap_or(u16::MAX);
            outcome.detail.set_up_millis = set_up_millis;
            self.settled[index] = self.is_final(&outcome) || report.perhaps_taken;
            self.outcomes[index] = Some(outcome);
        }
    }

    /// Whether no other host is asked.
    fn is_final(&self, outcome: &Outcome) -> bool {
        match outcome.result {
            DeliveryResult::Deferred => false,
            DeliveryResult::Bounced => !self.is_soft,
            _ => true,
        }
    }

    /// Nobody spoke: the same for all that are left. They stay left when it is only for now.
    pub(crate) fn failed(&mut self, outcome: &Outcome) {
        let is_final = self.is_final(outcome);
        let outcome = self.never_set_up(outcome);
        for index in self.left() {
            self.settled[index] = is_final;
            self.outcomes[index] = Some(outcome.clone());
        }
    }

    /// Nobody is to be asked about a place: its failure is remembered, and other places are tried, even when it was for good.
    pub(crate) fn missed(&mut self, outcome: &Outcome) {
        let outcome = self.never_set_up(outcome);
        for index in self.left() {
            self.outcomes[index] = Some(outcome.clone());
        }
    }

    /// All the time went into reaching somebody.
    fn never_set_up(&self, outcome: &Outcome) -> Outcome {
        let mut outcome = outcome.clone();
        outcome.detail.set_up_millis = millis(self.began.elapsed());
        outcome
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
            faulty_sessions: self.faulty_sessions,
        }
    }
}

fn millis(time: std::time::Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use envelope::BodyKind;
    use smtp::client::Recipient;
    use std::time::Duration;

    #[test]
    fn what_was_spent_before_the_message_is_told_apart() {
        let recipient = Recipient {
            address: Address::parse("a@x.test").expect("an address"),
            notify: None,
            orcpt: None,
        };
        let message = Message {
            sender: None,
            recipients: vec![recipient.clone(), recipient],
            octets: None,
            body: BodyKind::SevenBit,
            smtputf8: false,
            has_eight_bit_header: false,
            ret: None,
            envid: None,
            is_probe: false,
            client: None,
        };
        let outcome = |result| Outcome {
            result,
            status: StatusCode::temporary(0, 0),
            text: String::new(),
            relay: "mx.test".to_owned(),
            detail: Default::default(),
        };
        let mut progress = Progress::new(message, false);
        progress.began -= Duration::from_secs(9);
        let ready = progress.began + Duration::from_secs(3);
        let report = Report {
            outcomes: vec![
                outcome(DeliveryResult::Relayed),
                outcome(DeliveryResult::Deferred),
            ],
            never_begun: false,
            perhaps_taken: false,
            stale: false,
            dsn_offered: false,
            tls: false,
            warnings: Vec::new(),
        };
        progress.heard(report, (1, ready));
        // The second host is not reached for the recipient that is left.
        progress.failed(&outcome(DeliveryResult::Deferred));
        let spent: Vec<u32> = progress
            .finish(false)
            .outcomes
            .iter()
            .map(|outcome| outcome.detail.set_up_millis)
            .collect();
        assert_eq!(spent[0], 3_000);
        assert!(spent[1] >= 9_000, "{spent:?}");
    }
}
