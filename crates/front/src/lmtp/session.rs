//! One LMTP conversation: recipients are looked up, the message goes to the agents of their owners, each gets its reply.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use address::Address;
use deliver_local::Content;
use deliver_local::task::{Facts, Rights, Save, Saving, Task, Work};
use envelope::{DeliveryResult, Outcome, StatusCode};
use maillog::lines::problem::Problem;
use maillog::lines::session::LmtpRefused;
use maillog::{Severity, Tag};
use message::date::Date;
use serve::Link;
use serve::clock::now;
use serve::pump::{End, Host, Step};
use smtp::Reply;
use smtp::server::{Answer, Ending, Event, RcptOptions, Server};

use super::recipient::{Recipient, Refusal, look_up, user_and_detail};
use super::{Lmtp, peer};

/// What is known about one client.
pub(super) struct Session {
    service: Arc<Lmtp>,
    id: String,
    helo: String,
    transactions: u32,
    transaction: Option<Transaction>,
    ending: Option<Ending>,
    state: &'static str,
}

/// One message on its way in.
struct Transaction {
    id: String,
    sender: Option<Address>,
    recipients: Vec<Recipient>,
    content: Vec<u8>,
    began_secs: i64,
}

/// The message, its lines as they came.
struct Message(Vec<u8>);

impl Content for Message {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn reader(&self) -> Box<dyn Read + '_> {
        Box::new(&self.0[..])
    }
}

impl Session {
    pub(super) fn new(service: Arc<Lmtp>, id: String) -> Session {
        Session {
            service,
            id,
            helo: String::new(),
            transactions: 0,
            transaction: None,
            ending: None,
            state: "READY",
        }
    }

    /// Why and where the conversation ended, in the log's words.
    pub(super) fn ended(&self, end: &End) -> (&'static str, &'static str) {
        let reason = match (end, self.ending) {
            (_, Some(Ending::Quit)) => "Logged out",
            (_, Some(Ending::TimedOut)) => "Disconnected for inactivity",
            (_, Some(Ending::TooManyErrors)) => "Too many invalid commands",
            (End::Broken(_), _) | (_, Some(Ending::Lost) | None) => "Connection closed",
            (_, Some(Ending::HungUp)) => "Aborted",
        };
        (reason, self.state)
    }

    fn problem(&self, text: &str) {
        self.service.log.write(&Problem {
            tag: Tag::Process("lmtp"),
            severity: Severity::Error,
            text,
        });
    }

    fn mail(&mut self, sender: Option<Address>) -> Step<Answer> {
        self.transactions += 1;
        let id = match self.transactions {
            1 => self.id.clone(),
            number => format!("{}:T{number}", self.id),
        };
        self.transaction = Some(Transaction {
            id,
            sender,
            recipients: Vec::new(),
            content: Vec::new(),
            began_secs: 0,
        });
        self.state = "MAIL FROM";
        Step::Answer(Answer::Accept)
    }

    async fn rcpt(&mut self, address: Address, options: RcptOptions) -> Step<Answer> {
        let Some(transaction) = &self.transaction else {
            return reply(503, StatusCode::permanent(5, 0), "MAIL needed first");
        };
        self.state = "RCPT TO";
        let shown = options.written;
        let number = transaction.recipients.len() + 1;
        let session = match number {
            1 => transaction.id.clone(),
            number => format!("{}:R{number}", transaction.id),
        };
        let service = Arc::clone(&self.service);
        let delimiters = &service.settings.recipient_delimiter;
        let (user, detail) = user_and_detail(&address, delimiters);
        let looked_up = tokio::task::spawn_blocking({
            let service = Arc::clone(&service);
            move || look_up(&*service.authority, &user, (&service.settings, &service.general))
        });
        let found = looked_up
            .await
            .unwrap_or_else(|_| Err(Refusal::Later("the lookup was broken off".to_owned())));
        let (account, rights) = match found {
            Ok(found) => found,
            Err(Refusal::Unknown(user)) => {
                let text = format!("<{shown}> User doesn't exist: {user}");
                return self.refused(Reply::new(550, StatusCode::permanent(1, 1), text), "userdb");
            }
            Err(Refusal::Later(why)) => {
                self.problem(&format!("Failed to lookup user {shown}: {why}"));
                let text = format!("<{shown}> Temporary user lookup failure");
                return self.refused(Reply::new(451, StatusCode::temporary(3, 0), text), "userdb");
            }
        };
        let original = options.orcpt.as_deref().and_then(|orcpt| orcpt.split_once(';'));
        let recipient = Recipient {
            shown,
            original: original.map(|(_, address)| address.to_owned()),
            account,
            detail,
            rights,
            session,
        };
        if service.settings.lmtp_rcpt_check_quota
            && let Some(refusal) = self.without_room(&recipient).await
        {
            return refusal;
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.recipients.push(recipient);
        }
        Step::Answer(Answer::Accept)
    }

    /// `lmtp_rcpt_check_quota`: the refusal of a recipient whose mailbox is full.
    async fn without_room(&self, recipient: &Recipient) -> Option<Step<Answer>> {
        let save = Save {
            what: Saving::RoomOnly,
            ..self.save(recipient, String::new())
        };
        let (rights, agents) = (recipient.rights.clone(), Arc::clone(&self.service.agents));
        let work = tokio::task::spawn_blocking(move || {
            let task = Task {
                facts: Facts::default(),
                work: Work::Save(vec![save]),
            };
            agents.perform(&rights, &task, &Message(Vec::new()))
        });
        let report = work.await.ok()?;
        let outcome = report.saved.into_iter().next().unwrap_or(report.outcome);
        (outcome.result != DeliveryResult::Sent).then(|| {
            let reply = worded(&outcome, &recipient.shown, &recipient.session);
            self.refused(reply, "lmtp_rcpt_check_quota")
        })
    }

    /// The answer that refuses a recipient; the log is told by which rule.
    fn refused(&self, reply: Reply, rule: &str) -> Step<Answer> {
        if self.service.names_rules {
            self.service.log.write(&LmtpRefused {
                text: &reply.to_string(),
                rule,
            });
        }
        Step::Answer(Answer::Reply(reply))
    }

    fn save(&self, recipient: &Recipient, header: String) -> Save {
        let detail = recipient.detail.clone().filter(|detail| !detail.is_empty());
        Save {
            account: recipient.account.clone(),
            what: Saving::Message,
            header,
            mailbox: detail.filter(|_| self.service.settings.lmtp_save_to_detail_mailbox),
            service: "lmtp".to_owned(),
            session: recipient.session.clone(),
        }
    }

    /// The lines that go on top (RFC 5321 §4.4). Of several recipients none is told of the others.
    fn header(&self, transaction: &Transaction, link: &Link) -> String {
        let settings = &self.service.settings;
        let sender = transaction
            .sender
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let mut header = format!("Return-Path: <{sender}>\n");
        let alone = match &transaction.recipients[..] {
            [recipient] => Some(recipient),
            _ => None,
        };
        let named = alone.and_then(|recipient| match settings.lmtp_hdr_delivery_address.as_str() {
            "none" => None,
            "original" => recipient.original.as_ref(),
            _ => Some(&recipient.shown),
        });
        if let Some(address) = named {
            header.push_str(&format!("Delivered-To: {address}\n"));
        }
        if settings.lmtp_add_received_header {
            header.push_str(&format!("Received: from {}", self.helo));
            if let Some(ip) = peer(link) {
                header.push_str(&format!(" ([{ip}])"));
            }
            let with = if link.tls().is_some() { "LMTPS" } else { "LMTP" };
            let own = self.service.own_name();
            header.push_str(&format!(
                "\n\tby {own} with {with}\n\tid {}\n\t(envelope-from <{sender}>)",
                transaction.id
            ));
            if let Some(address) = named {
                header.push_str(&format!("\n\tfor <{address}>"));
            }
            header.push_str(&format!("; {}\n", date(transaction.began_secs)));
        }
        header
    }

    /// Has the message written by the agents of all recipients, each for those whose rights it has.
    async fn deliver(&mut self, link: &Link) -> Step<Answer> {
        let Some(mut transaction) = self.transaction.take() else {
            return reply(503, StatusCode::permanent(5, 0), "MAIL needed first");
        };
        self.state = "READY";
        let header = self.header(&transaction, link);
        let content = Arc::new(Message(std::mem::take(&mut transaction.content)));
        // Who is named twice gets it once.
        let mut first: HashMap<(&str, Option<&str>), usize> = HashMap::new();
        let mut same_as = Vec::with_capacity(transaction.recipients.len());
        let mut work: HashMap<&Rights, Vec<(usize, Save)>> = HashMap::new();
        for (at, recipient) in transaction.recipients.iter().enumerate() {
            let whose = (recipient.account.user.as_str(), recipient.detail.as_deref());
            let earlier = *first.entry(whose).or_insert(at);
            same_as.push(earlier);
            if earlier == at {
                let save = self.save(recipient, header.clone());
                work.entry(&recipient.rights).or_default().push((at, save));
            }
        }
        let mut running = Vec::new();
        for (rights, saves) in work {
            let (places, saves): (Vec<usize>, Vec<Save>) = saves.into_iter().unzip();
            let (rights, content) = (rights.clone(), Arc::clone(&content));
            let agents = Arc::clone(&self.service.agents);
            let work = tokio::task::spawn_blocking(move || {
                let task = Task {
                    facts: Facts::default(),
                    work: Work::Save(saves),
                };
                agents.perform(&rights, &task, &*content)
            });
            running.push((places, work));
        }
        let mut outcomes: HashMap<usize, Outcome> = HashMap::new();
        for (places, work) in running {
            let Ok(report) = work.await else { continue };
            if report.saved.len() != places.len() {
                self.problem(&format!("Failed to deliver: {}", report.outcome.text));
                continue;
            }
            outcomes.extend(places.into_iter().zip(report.saved));
        }
        let replies = transaction
            .recipients
            .iter()
            .zip(&same_as)
            .map(|(recipient, same)| {
                let session = &transaction.recipients[*same].session;
                match outcomes.get(same) {
                    Some(outcome) => worded(outcome, &recipient.shown, session),
                    None => {
                        let text = format!("<{}> Temporary internal error", recipient.shown);
                        Reply::new(451, StatusCode::temporary(3, 0), text)
                    }
                }
            });
        Step::Answer(Answer::PerRecipient(replies.collect()))
    }

    fn start_tls(&self) -> Step<Answer> {
        match &self.service.tls {
            Some(tls) => Step::StartTls(Arc::clone(tls), Answer::TlsStarted),
            None => Step::Answer(Answer::TlsFailed),
        }
    }
}

/// `250 2.0.0 <alice@example.test> SESSION Saved`, `552 5.2.2 <…> Quota exceeded …`
fn worded(outcome: &Outcome, shown: &str, session: &str) -> Reply {
    let is_full = (outcome.status.subject, outcome.status.detail) == (2, 2);
    let (code, text) = match (outcome.result, is_full) {
        (DeliveryResult::Sent, _) => (250, format!("<{shown}> {session} {}", outcome.text)),
        (DeliveryResult::Bounced, true) => (552, format!("<{shown}> {}", outcome.text)),
        (DeliveryResult::Bounced, false) => (550, format!("<{shown}> {}", outcome.text)),
        (_, true) => (452, format!("<{shown}> {}", outcome.text)),
        (_, false) => (451, format!("<{shown}> {}", outcome.text)),
    };
    Reply::new(code, outcome.status, text)
}

fn reply(code: u16, status: StatusCode, text: &str) -> Step<Answer> {
    Step::Answer(Answer::Reply(Reply::new(code, status, text)))
}

fn date(secs: i64) -> String {
    let date = Date {
        secs,
        offset_secs: intake::date::local_offset_secs(secs),
    };
    date.rfc5322()
}

impl Host<Server> for Session {
    async fn decide(&mut self, event: Event, link: &Link) -> Step<Answer> {
        match event {
            Event::Connected | Event::Etrn { .. } | Event::Unknown { .. } | Event::Introduced(_) => {
                Step::Answer(Answer::Accept)
            }
            Event::Helo { name, .. } => {
                self.helo = name;
                self.state = "READY";
                Step::Answer(Answer::Accept)
            }
            Event::Mail { sender, .. } => self.mail(sender),
            Event::Rcpt { recipient, options } => self.rcpt(recipient, options).await,
            Event::Data { .. } => {
                self.state = "DATA";
                if let Some(transaction) = &mut self.transaction {
                    transaction.began_secs = now() / machine::SECOND;
                }
                Step::Answer(Answer::Accept)
            }
            Event::Content(piece) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.content.extend_from_slice(&piece);
                }
                Step::Done
            }
            Event::ContentEnd { .. } => self.deliver(link).await,
            Event::Reset => {
                self.transaction = None;
                self.state = "READY";
                Step::Done
            }
            Event::StartTls | Event::Secured => Step::Answer(Answer::Accept),
            Event::Handshake => self.start_tls(),
            Event::Vrfy { .. } => {
                let status = StatusCode::success(3, 3);
                reply(252, status, "Try RCPT instead")
            }
            Event::Auth { .. } | Event::AuthResponse(_) => {
                reply(502, StatusCode::permanent(5, 1), "Unsupported command")
            }
            Event::AuthCancelled | Event::Forwarded(_) | Event::Note(_) => Step::Done,
            Event::Ended(ended) => {
                self.ending = Some(ended.how);
                Step::Done
            }
        }
    }
}
