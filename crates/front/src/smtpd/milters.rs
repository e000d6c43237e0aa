//! What mail filters say of a session's commands, and how they are told.

use std::net::IpAddr;

use super::security::described;
use address::Address;
use maillog::lines::smtpd as lines;
use milter::command::{Command, Peer};
use milter::standing::Decision;
use serve::Link;
use smtp::Reply;
use smtp::server::Answer;

use super::judging::Moment;
use super::session::Session;
use super::transaction::Transaction;
use crate::cleanup::in_words;

impl Session {
    /// A client is there: filters are looked for and told. The answer to that: what a filter refuses is shown by the greeting, and
    /// the client hears of it at MAIL, but for a filter that wants the connection to be closed.
    pub(super) async fn filters_meet(&mut self, link: &Link) -> Answer {
        let host = &self.service.settings.myhostname;
        let refusing = Reply::bare(554, format!("{host} ESMTP not accepting connections"));
        let closing = Reply::bare(421, format!("{host} Service unavailable - try again later"));
        match self.filters_hear_connect(link).await {
            Some(reply) if reply.closes() => Answer::Reply(closing),
            Some(reply) if reply.is_permanent() => Answer::Greet(refusing),
            _ => Answer::Accept,
        }
    }

    async fn filters_hear_connect(&mut self, link: &Link) -> Option<Reply> {
        let found = self.service.milters.for_client(Some(self.client.address));
        self.filters = match found {
            Ok(filters) => filters.map(Box::new),
            Err(error) => {
                self.service.log.warning("smtpd", &error.to_string());
                let text = "Error: local configuration error - try again later";
                return Some(Reply::new(421, envelope::StatusCode::temporary(3, 0), text));
            }
        };
        self.filters.as_ref()?;
        self.tell_macros_of_client(link);
        let client = &self.client;
        let host = match client.name.as_str() {
            "unknown" => format!("[{}]", client.address),
            name => name.to_owned(),
        };
        let port = self.client_port(link);
        let address = client.address.to_string();
        let port = port.parse().unwrap_or(0);
        let peer = match client.address {
            IpAddr::V4(_) => Peer::V4(address, port),
            IpAddr::V6(_) => Peer::V6(address, port),
        };
        let command = Command::Connect { host, peer };
        self.filtered(&command, said("CONNECT")).await
    }

    fn client_port(&self, link: &Link) -> String {
        let own = || link.remote.port().to_string();
        self.port.clone().unwrap_or_else(own)
    }

    fn tell_macros_of_client(&mut self, link: &Link) {
        let port = self.client_port(link);
        let service = &self.service;
        let anvil = &service.front.anvil;
        let connections = anvil.connections(&service.name, self.client.address).max(1);
        let (name, address) = (&self.client.name, self.client.address);
        let values = [
            ("_", format!("{name} [{address}]")),
            ("client_addr", address.to_string()),
            ("client_name", name.clone()),
            ("client_port", port),
            ("client_ptr", self.client.reverse_name.clone()),
            ("client_connections", connections.to_string()),
            ("daemon_addr", link.local.ip().to_string()),
            ("daemon_port", link.local.port().to_string()),
        ];
        if let Some(filters) = &mut self.filters {
            values
                .into_iter()
                .for_each(|(name, value)| filters.macros.set(name, Some(value)));
        }
    }

    /// HELO. A reply that ends the session; other refusals wait for MAIL.
    pub(super) async fn filters_hear_helo(
        &mut self,
        link: &Link,
        command: &str,
        is_first: bool,
    ) -> Option<Reply> {
        let tls = described(link);
        let shown = self.shown(link).filter(|shown| shown.is_trusted).cloned();
        let filters = self.filters.as_mut()?;
        let values = [
            ("tls_version", tls.as_ref().map(|tls| tls.protocol.to_owned())),
            ("cipher", tls.as_ref().map(|tls| tls.cipher.to_owned())),
            ("cipher_bits", tls.as_ref().map(|tls| tls.bits.to_string())),
            ("cert_subject", shown.as_ref().map(|shown| shown.subject.clone())),
            ("cert_issuer", shown.map(|shown| shown.issuer)),
        ];
        values
            .into_iter()
            .for_each(|(name, value)| filters.macros.set(name, value));
        let name = self
            .helo
            .as_ref()
            .map(|(_, name)| name.clone())
            .unwrap_or_default();
        let refused = self.filtered(&Command::Helo(name), said(command)).await;
        if !is_first {
            self.filters_abort().await;
        }
        refused.filter(Reply::closes)
    }

    /// MAIL that may be; the reply that refuses it.
    pub(super) async fn filters_hear_mail(&mut self, words: Vec<String>) -> Option<Reply> {
        let filters = self.filters.as_mut()?;
        let login = self.login.as_ref();
        let transaction = self.transaction.as_ref();
        let values = [
            ("auth_type", login.map(|login| login.method.clone())),
            ("auth_authen", login.map(|login| login.user.clone())),
            (
                "auth_author",
                transaction.and_then(Transaction::auth).map(str::to_owned),
            ),
            ("rcpt_addr", None),
            ("rcpt_host", None),
            ("rcpt_mailer", None),
            ("i", None),
        ];
        values
            .into_iter()
            .for_each(|(name, value)| filters.macros.set(name, value));
        let sender = transaction.and_then(Transaction::sender);
        filters.knows_sender(sender, &self.service.front.router);
        let refused = self.filtered(&Command::Mail(words), said("MAIL")).await;
        if refused.is_some() {
            self.filters_abort().await;
        }
        refused
    }

    /// RCPT that may be; the reply that refuses it.
    pub(super) async fn filters_hear_rcpt(
        &mut self,
        words: Vec<String>,
        recipient: &Address,
        moment: Moment<'_>,
    ) -> Option<Reply> {
        let filters = self.filters.as_mut()?;
        let transaction = self.transaction.as_ref();
        let router = &self.service.front.router;
        filters.knows_recipient(Some(recipient), transaction.and_then(Transaction::sender), router);
        let refused = self.filtered(&Command::Rcpt(words), moment).await;
        self.tell_first_recipient(refused.is_none().then_some(recipient));
        refused
    }

    /// RCPT that was refused with this reply.
    pub(super) async fn filters_hear_refused_rcpt(&mut self, words: Vec<String>, refused: &Reply) {
        self.tell_queue_id();
        let Some(filters) = &mut self.filters else { return };
        let text = refused.lines.first().map_or("", String::as_str);
        let text = text.split_once(">: ").map_or(text, |(_, text)| text);
        filters.knows_refusal(&refused.status().to_string(), text);
        filters.tell_refused(&Command::Rcpt(words)).await;
        self.tell_first_recipient(None);
    }

    /// Behind RCPT, macros are about the first recipient again; that is `fresh`, if there was none.
    fn tell_first_recipient(&mut self, fresh: Option<&Address>) {
        let transaction = self.transaction.as_ref();
        let first = transaction.and_then(Transaction::first_recipient).or(fresh);
        if let Some(filters) = &mut self.filters {
            let sender = transaction.and_then(Transaction::sender);
            filters.knows_recipient(first, sender, &self.service.front.router);
        }
    }

    /// DATA that may be; the reply that refuses it.
    pub(super) async fn filters_hear_data(&mut self) -> Option<Reply> {
        self.filters.as_ref()?;
        let first = self.transaction.as_ref().and_then(Transaction::first_written);
        let first = first.map(str::to_owned);
        let moment = Moment {
            shown: first.as_deref(),
            ..said("DATA")
        };
        self.filtered(&Command::Data, moment).await
    }

    /// A command that nobody knows; the reply that refuses it in other words.
    pub(super) async fn filters_hear_unknown(&mut self, word: &str) -> Option<Reply> {
        let command = Command::Unknown(word.as_bytes().to_vec());
        self.filtered(&command, said("UNKNOWN")).await
    }

    /// The transaction is over.
    pub(super) async fn filters_abort(&mut self) {
        if let Some(filters) = &mut self.filters {
            filters.abort().await;
        }
    }

    /// The session is over.
    pub(super) async fn filters_quit(&mut self) {
        if let Some(mut filters) = self.filters.take() {
            if self.helo.is_some() {
                filters.abort().await;
            }
            filters.quit().await;
        }
    }

    fn tell_queue_id(&mut self) {
        let queue_id = self.transaction.as_ref().and_then(Transaction::queue_id);
        if let (Some(filters), Some(id)) = (&mut self.filters, queue_id) {
            filters.macros.set("i", Some(id.to_string()));
        }
    }

    /// What the filters say to a command: the reply that refuses it, or nothing. The log has been told; what is to happen to
    /// the message besides is remembered.
    async fn filtered(&mut self, command: &Command, moment: Moment<'_>) -> Option<Reply> {
        // What goes nowhere is nobody's business.
        if self.memory.actions.discard {
            return None;
        }
        self.tell_queue_id();
        let filters = self.filters.as_mut()?;
        let decision = filters.tell(command).await;
        let rule = filters.rule().unwrap_or_default();
        let moment = moment.by(&rule);
        match decision {
            Decision::Pass => None,
            Decision::Hold => {
                self.tell(lines::Decision::MilterHold, "milter triggers HOLD action", moment);
                self.memory.actions.hold = true;
                None
            }
            Decision::Discard => {
                let text = "milter triggers DISCARD action";
                self.tell(lines::Decision::MilterDiscard, text, moment);
                self.memory.actions.discard = true;
                None
            }
            Decision::Refuse(words) | Decision::HangUp(words) => {
                self.tell(lines::Decision::MilterReject, &words, moment);
                self.show_rule(moment.rule);
                self.note_fault(settings::NotifyClass::Policy);
                Some(in_words(&words))
            }
        }
    }
}

/// What was said behind `FROM:` or `TO:`, in words: the address, then each parameter.
pub(super) fn words(said: &str) -> Vec<String> {
    let rest = address::path::read(said).map_or("", |path| path.rest);
    let path = said[..said.len() - rest.len()].trim();
    let parameters = rest.split_ascii_whitespace();
    std::iter::once(path)
        .chain(parameters)
        .map(str::to_owned)
        .collect()
}

/// A command that names nobody.
fn said(command: &str) -> Moment<'_> {
    Moment {
        command,
        ..Moment::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_as_they_were_said() {
        assert_eq!(
            words("<a@b> SIZE=1  BODY=8BITMIME"),
            ["<a@b>", "SIZE=1", "BODY=8BITMIME"]
        );
        assert_eq!(words("<>"), ["<>"]);
        assert_eq!(words("a@b"), ["a@b"]);
        assert_eq!(words("<\"a b\"@c> X"), ["<\"a b\"@c>", "X"]);
    }
}
