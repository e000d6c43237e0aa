//! How often a client may do what it does, and how many mistakes it may make: what the log and `yubin status limits` are told.

use std::sync::atomic::{AtomicU64, Ordering};

use access::limits::Slowed;
use access::{Excess, Happening};
use envelope::StatusCode;
use maillog::lines::smtpd as lines;
use maillog::lines::with_rule;
use serve::clock::now;
use serve::pump::Step;
use settings::NotifyClass;
use smtp::Reply;
use smtp::server::Answer;

use super::session::{Session, reply};
use super::transaction::Transaction;

/// A number that no other session has.
pub(super) fn next_number() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

impl Session {
    /// Whether the client does this more often than it may; the log knows then.
    pub(super) fn is_over(&self, happening: Happening) -> bool {
        let service = &self.service;
        let excess = service.front.anvil.count(
            &service.name,
            self.client.address,
            happening,
            (&service.settings, now()),
        );
        excess.inspect(|excess| self.log_excess(excess)).is_some()
    }

    pub(super) fn log_excess(&self, excess: &Excess) {
        let (what, count) = (excess.kind.excess(), excess.count);
        let rule = self.names_rules().then(|| excess.rule());
        let text = format!(
            "{what}: {count} from {} for service {}",
            self.client, self.service.name
        );
        let text = with_rule(text, rule.as_deref());
        self.service.log.warning("smtpd", &text);
    }

    /// The reply to a client that comes too often.
    pub(super) fn too_many(&mut self, what: &str) -> Step<Answer> {
        self.note_fault(NotifyClass::Policy);
        let text = format!("Error: too {what} from {}", self.client.address);
        reply(450, StatusCode::temporary(7, 1), &text)
    }

    /// The client made more mistakes than `smtpd_soft_error_limit`; its reply waits until `until_micros`.
    pub(super) fn slowed(&self, errors: usize, until_micros: i64) {
        let service = &self.service;
        let slowed = Slowed {
            session: self.number,
            errors,
            soft_limit: service.settings.smtpd_soft_error_limit,
            hard_limit: service.settings.smtpd_hard_error_limit,
            until_micros,
        };
        service.front.anvil.slow(&service.name, self.connected, slowed);
    }

    /// The session was ended for its mistakes.
    pub(super) fn gave_up(&self) {
        let service = &self.service;
        service.front.anvil.gave_up(&service.name, self.connected, now());
    }

    /// A refusal by a limit of the dialogue, of which Postfix says nothing in the log.
    pub(super) fn tell_own_limit(
        &self,
        stage: &str,
        (reply, recipient): (&Reply, Option<&str>),
        parameter: &str,
    ) {
        if !self.names_rules() {
            return;
        }
        let softened = self
            .service
            .settings
            .soft_bounce
            .then(|| reply.clone().softened());
        let transaction = self.transaction.as_ref();
        self.service.log.write(&lines::Decided {
            queue_id: transaction.and_then(Transaction::queue_id),
            decision: lines::Decision::Reject,
            stage,
            peer: self.peer(),
            text: &softened.as_ref().unwrap_or(reply).to_string(),
            sender: transaction.map(Transaction::sender_written),
            recipient,
            protocol: self.protocol(),
            helo: self.helo.as_ref().map(|(_, name)| name.as_str()),
            rule: Some(parameter),
        });
    }
}
