//! The lines of the log about what became of recipients: which ones there are, for whom. The queue's driver writes them, and
//! the simulation of the whole queue counts them.

use address::Address;
use envelope::Outcome;
use maillog::lines::delivery::{Delivery, Purpose};
use maillog::{Delays, Line};

use crate::Message;

/// What there is to say of one address: the recipient's index, the address, what became of it. An alias has several.
pub type Told = (u32, Address, Outcome);

/// What the lines about one attempt at some recipients of a message have in common.
#[derive(Debug, Clone, Copy)]
pub struct OutcomeLines<'a> {
    /// Which message.
    pub message: &'a Message,
    /// Who delivered.
    pub agent: &'a str,
    /// How long it took; the whole of connection and transmission is in the latter.
    pub delays: Delays,
    /// What the attempt was for.
    pub purpose: Purpose,
    /// `soft_bounce`
    pub is_soft: bool,
}

impl OutcomeLines<'_> {
    /// One line for each recipient, given to `write`.
    pub fn of_outcomes(&self, outcomes: &[(u32, Outcome)], mut write: impl FnMut(&dyn Line)) {
        for (index, outcome) in outcomes {
            if let Some(recipient) = self.message.envelope.recipients.get(*index as usize) {
                self.line(*index, &recipient.address, outcome, &mut write);
            }
        }
    }

    /// One line for each address, given to `write`.
    pub fn of_told(&self, told: &[Told], mut write: impl FnMut(&dyn Line)) {
        for (index, address, outcome) in told {
            self.line(*index, address, outcome, &mut write);
        }
    }

    fn line(&self, index: u32, address: &Address, outcome: &Outcome, write: &mut impl FnMut(&dyn Line)) {
        let Some(recipient) = self.message.envelope.recipients.get(index as usize) else {
            return;
        };
        let whole = self.delays.transmission_micros;
        let set_up = (i64::from(outcome.detail.set_up_millis) * 1000).min(whole.max(0));
        let delays = Delays {
            connection_micros: set_up,
            transmission_micros: whole - set_up,
            ..self.delays
        };
        let (to, original) = (address.to_string(), recipient.original.to_string());
        write(&Delivery {
            agent: self.agent,
            queue_id: &self.message.queue_id,
            to: &to,
            original_to: (to != original).then_some(original.as_str()),
            connection_uses: u32::from(outcome.detail.connection_uses),
            delays,
            outcome,
            purpose: self.purpose,
            is_soft: self.is_soft,
        });
    }
}
