//! How often a client may do what it does, and how many mistakes it may make: what the log and `yubin status limits` are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use access::limits::Slowed;
use access::{Excess, Happening, Refusal};
use envelope::StatusCode;
use maillog::lines::smtpd as lines;
use maillog::lines::with_rule;
use serve::Link;
use serve::clock::now;
use serve::pump::Step;
use settings::NotifyClass;
use smtp::Reply;
use smtp::server::Answer;

use super::judging::Moment;
use super::session::{Session, reply, said};
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
        let terms = service.terms(&self.client);
        let excess = service
            .front
            .anvil
            .count(&service.name, self.client.address, happening, (terms, now()));
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

    /// Whether a handshake may begin: not for a client that was over the limit before.
    pub(super) fn may_begin_tls(&mut self, asked: &str) -> bool {
        let service = Arc::clone(&self.service);
        let (terms, anvil) = (service.terms(&self.client), &service.front.anvil);
        let address = self.client.address;
        let excess = anvil.has_exceeded(&service.name, address, Happening::TlsSession, (terms, now()));
        let Some(excess) = excess else { return true };
        self.note_fault(NotifyClass::Policy);
        let rule = self.names_rules().then(|| excess.rule());
        let text = format!(
            "Refusing {asked} from {} for service {}",
            self.client, service.name
        );
        service.log.warning("smtpd", &with_rule(text, rule.as_deref()));
        false
    }

    fn too_many_tls(&self) -> String {
        format!("Error: too many new TLS sessions from {}", self.client)
    }

    /// STARTTLS.
    pub(super) fn may_start_tls(&mut self) -> Step<Answer> {
        match self.may_begin_tls("STARTTLS request") {
            true => Step::Answer(Answer::Accept),
            false => reply(454, StatusCode::temporary(7, 0), &self.too_many_tls()),
        }
    }

    /// The handshake behind STARTTLS.
    pub(super) fn handshake(&mut self) -> Step<Answer> {
        match &self.service.tls {
            Some(tls) => {
                self.in_handshake = true;
                Step::StartTls(Arc::clone(&tls.config), Answer::TlsStarted)
            }
            None => Step::Answer(Answer::TlsFailed),
        }
    }

    /// The handshake is done: whether the client may go on.
    pub(super) fn secured(&mut self, link: &Link) -> Step<Answer> {
        Step::Answer(
            self.too_many_handshakes(link)
                .map_or(Answer::Accept, Answer::Reply),
        )
    }

    /// Counts a handshake that is done, unless it went on with an older one; what the client hears if it was one too many.
    pub(super) fn too_many_handshakes(&mut self, link: &Link) -> Option<Reply> {
        let is_resumed = link
            .tls()
            .is_some_and(|tls| tls.handshake_kind() == Some(rustls::HandshakeKind::Resumed));
        if is_resumed || !self.is_over(Happening::TlsSession) {
            return None;
        }
        self.note_fault(NotifyClass::Policy);
        let text = format!("{} {}", self.service.settings.myhostname, self.too_many_tls());
        Some(Reply::new(421, StatusCode::temporary(7, 0), text))
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

    /// The refusal of a message for which the queue's disk has no room: `queue_minfree`, and what the client says that it needs.
    pub(super) fn without_room(&mut self, size_bytes: u64) -> Option<Step<Answer>> {
        let settings = Arc::clone(&self.service.settings);
        if settings.queue_minfree == 0 {
            return None;
        }
        let free = match os::space::free_bytes(&settings.queue_directory) {
            Ok(free) => free,
            Err(error) => {
                let place = settings.queue_directory.display();
                let text = format!("cannot tell how much room {place} has: {error}");
                self.service.log.warning("smtpd", &text);
                return None;
            }
        };
        if free > settings.queue_minfree.saturating_add(size_bytes) {
            return None;
        }
        let text = "Insufficient system storage".to_owned();
        let refusal = Refusal::new(452, StatusCode::temporary(3, 1), text);
        let faults = self.faults.clone();
        let refused = self.refuse(&refusal, said("MAIL").by("queue_minfree"));
        self.faults = faults;
        self.note_fault(NotifyClass::Resource);
        // The words that log analysers know, whichever setting it is.
        let text = format!("not enough free space in mail queue: {free} bytes < 1.5*message size limit");
        self.service.log.warning("smtpd", &text);
        Some(refused)
    }

    /// The content is larger than `message_size_limit`.
    pub(super) fn outgrew_limit(&self) {
        let queue_id = self.transaction.as_ref().and_then(Transaction::queue_id);
        let queue_id = queue_id.map_or("NOQUEUE", |id| id.as_str());
        let text = format!("{queue_id}: queue file size limit exceeded");
        let rule = self.names_rules().then_some("message_size_limit");
        self.service.log.warning("smtpd", &with_rule(text, rule));
    }

    /// A recipient was refused because the message has `smtpd_recipient_limit` of them. Postfix says nothing of it in the log.
    pub(super) fn had_too_many_recipients(&self, recipient: &str, reply: &Reply) {
        if !self.names_rules() {
            return;
        }
        let moment = Moment {
            shown: Some(recipient),
            ..said("RCPT")
        };
        let text = reply.to_string();
        self.tell(lines::Decision::Reject, &text, moment.by("smtpd_recipient_limit"));
    }
}
