//! What restriction lists say of a session's commands: the questions to [`access`], and their lines in the log.

use std::net::SocketAddr;
use std::time::Duration;

use access::policy::{Failure, Server};
use access::verification::Answer;
use access::{Asked, Memory, Note, Outcome, Outside, Refusal, Request, Waiting, Word};
use address::Address;
use maillog::lines::smtpd as lines;
use serve::Link;

use super::Smtpd;
use super::security::described;
use super::session::{Session, Watched};
use super::transaction::Transaction;

/// A command, as the restrictions see it.
#[derive(Clone, Copy, Default)]
pub(super) struct Moment<'a> {
    /// `CONNECT`, `EHLO`, `RCPT`, `END-OF-MESSAGE` …
    pub(super) command: &'a str,
    /// The recipient at hand, and how it was written.
    pub(super) recipient: Option<(&'a Address, &'a str)>,
    /// The recipient as the log shows it.
    pub(super) shown: Option<&'a str>,
    /// What ETRN asks for.
    pub(super) etrn_domain: &'a str,
    /// The size of the content, in octets, where it is known.
    pub(super) size_bytes: Option<u64>,
    /// What decided, for the log.
    pub(super) rule: Option<&'a str>,
}

impl<'a> Moment<'a> {
    /// The same with what decided.
    pub(super) fn by(self, rule: &'a str) -> Moment<'a> {
        Moment {
            rule: Some(rule),
            ..self
        }
    }
}

struct Others<'a>(&'a Smtpd);

impl Outside for Others<'_> {
    fn dns(&self) -> &dyn dns::Dns {
        &*self.0.front.dns
    }

    fn ask_policy<'a>(
        &'a self,
        server: &'a Server,
        request: &'a str,
    ) -> Waiting<'a, Result<String, Failure>> {
        Box::pin(self.0.policies.ask(server, request))
    }

    fn local_time(&self) -> String {
        maillog::local_time()
    }

    fn verify<'a>(&'a self, address: &'a Address, patience: Duration) -> Waiting<'a, Answer> {
        Box::pin(crate::verify::verify(&self.0.front, address, patience))
    }

    fn sleep(&self, duration: Duration) -> Waiting<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

fn decision(word: Word) -> lines::Decision {
    match word {
        Word::RejectWarning => lines::Decision::RejectWarning,
        Word::Discard => lines::Decision::Discard,
        Word::Hold => lines::Decision::Hold,
        Word::Redirect => lines::Decision::Redirect,
        Word::Filter => lines::Decision::Filter,
        Word::Bcc => lines::Decision::Bcc,
        Word::Warn => lines::Decision::Warn,
        Word::Info => lines::Decision::Info,
    }
}

impl Session {
    /// What the lists of this command say: a refusal and its rule, or nothing. The log has been told the rest.
    pub(super) async fn judged(&mut self, moment: Moment<'_>, link: &Link) -> Option<(Refusal, String)> {
        let mut memory = std::mem::take(&mut self.memory);
        let outcome = {
            let port = self
                .port
                .clone()
                .unwrap_or_else(|| link.remote.port().to_string());
            let tls = described(link);
            let request = Request {
                tls: self.tls_asked(tls.as_ref(), link),
                ..self.request(moment, link.local, &port)
            };
            asked(&self.service, &request, &mut memory).await
        };
        self.memory = memory;
        if let Some(watching) = &mut self.watching {
            watching(Watched::Lists(&outcome));
        }
        for note in &outcome.notes {
            match note {
                Note::Warning(text) => self.service.log.warning("smtpd", text),
                Note::StatusMapped { from, class, to } => self.service.log.write(&lines::StatusMapped {
                    from: *from,
                    class,
                    to: *to,
                }),
                Note::About(word, text, rule) => {
                    let rule = rule.as_ref().map(ToString::to_string);
                    let moment = moment.by(rule.as_deref().unwrap_or_default());
                    self.tell(decision(*word), text, moment);
                }
            }
        }
        let rule = outcome.rule.map(|rule| rule.to_string());
        Some((outcome.refusal?, rule.unwrap_or_default()))
    }

    fn request<'a>(&'a self, moment: Moment<'a>, server: SocketAddr, port: &'a str) -> Request<'a> {
        let transaction = self.transaction.as_ref();
        let queue_id = transaction.and_then(Transaction::queue_id);
        let announced = transaction.map_or(0, Transaction::announced_bytes);
        let login = self.login.as_ref();
        Request {
            client: &self.client,
            client_port: Some(port),
            server,
            command: moment.command,
            protocol: self.protocol_at(moment.command),
            helo: self.helo.as_ref().map(|(_, name)| name.as_str()),
            sender: transaction.map(Transaction::sender),
            sender_written: transaction.map_or("", Transaction::sender_written),
            recipient: moment.recipient.map(|(address, _)| address),
            recipient_written: moment.recipient.map_or("", |(_, written)| written),
            recipients: transaction.map_or(0, Transaction::recipients),
            size_bytes: moment.size_bytes.unwrap_or(announced),
            queue_id: queue_id.map_or("", |id| id.as_str()),
            // It begins with the first recipient.
            instance: transaction
                .filter(|_| moment.command != "MAIL")
                .map_or("", Transaction::instance),
            etrn_domain: moment.etrn_domain,
            sasl_user: login.map(|login| login.user.as_str()),
            sasl_method: login.map(|login| login.method.as_str()),
            sasl_sender: transaction.and_then(Transaction::auth),
            tls: None,
            spoke_ahead: self.spoke_ahead,
        }
    }

    /// EHLO changes the protocol when it is answered.
    fn protocol_at(&self, command: &str) -> &'static str {
        match command {
            "HELO" | "EHLO" => "SMTP",
            _ => self.protocol(),
        }
    }

    /// A line of the log about a command.
    pub(super) fn tell(&self, decision: lines::Decision, text: &str, moment: Moment<'_>) {
        let sender = self.transaction.as_ref().map(Transaction::sender_shown);
        self.service.log.write(&lines::Decided {
            queue_id: self.transaction.as_ref().and_then(Transaction::queue_id),
            decision,
            stage: moment.command,
            peer: self.peer(),
            text,
            sender: sender.as_deref(),
            recipient: moment.shown,
            protocol: self.protocol_at(moment.command),
            helo: self.helo.as_ref().map(|(_, name)| name.as_str()),
            rule: moment.rule.filter(|_| self.names_rules() && keeps_back(decision)),
        });
    }

    /// `yubin_log_rules`
    pub(super) fn names_rules(&self) -> bool {
        self.service.settings.yubin_log_rules
    }
}

/// Whether it is a decision by which somebody does not get a message, or would not, whose rule the log names.
fn keeps_back(decision: lines::Decision) -> bool {
    use lines::Decision::{Discard, Hold, MilterDiscard, MilterHold, MilterReject, Reject, RejectWarning};
    matches!(
        decision,
        Reject | RejectWarning | Discard | Hold | MilterReject | MilterDiscard | MilterHold
    )
}

async fn asked(service: &Smtpd, request: &Request<'_>, memory: &mut Memory) -> Outcome {
    let others = Others(service);
    let asked = Asked {
        request,
        outside: &others,
    };
    let access = &service.access;
    match request.command {
        "CONNECT" => access.connect(&asked, memory).await,
        "HELO" | "EHLO" => access.helo(&asked, memory).await,
        "MAIL" => access.mail(&asked, memory).await,
        "DATA" | "BDAT" => access.data(&asked, memory).await,
        "END-OF-MESSAGE" => access.end_of_data(&asked, memory).await,
        "ETRN" => access.etrn(&asked, memory).await,
        "RCPT" if crate::verify::is_probe_sender(&service.front, request.recipient_written) => {
            Outcome::default()
        }
        _ => access.rcpt(&asked, memory).await,
    }
}
