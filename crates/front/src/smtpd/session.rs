//! One SMTP session: every event of the machine is answered here, by asking access, auth and cleanup.

use std::net::IpAddr;
use std::sync::Arc;

use access::{Client, Excess, Happening, Refusal, Request};
use address::Address;
use envelope::StatusCode;
use intake::{Network, Origin};
use maillog::lines::Peer;
use maillog::lines::smtpd as lines;
use serve::Link;
use serve::clock::now;
use serve::pump::{Host, Step};
use settings::Postfix;
use smtp::Reply;
use smtp::server::{Answer, Ended, Ending, Event, HeloVerb, MailOptions, Note, RcptOptions, Server};

use super::Smtpd;
use super::transaction::Transaction;
use crate::authenticate::{Conversation, Progress, asker_of};
use crate::cleanup::{Cause, Declined};

/// A login.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) method: String,
    pub(super) user: String,
}

/// What is known about one client.
pub(super) struct Session {
    service: Arc<Smtpd>,
    client: Client,
    /// The limit that this connection is over from its start.
    excess: Option<Excess>,
    helo: Option<(HeloVerb, String)>,
    login: Option<Login>,
    conversation: Option<Conversation>,
    transaction: Option<Transaction>,
    /// STARTTLS was accepted, and nothing was heard since.
    in_handshake: bool,
}

impl Session {
    pub(super) fn new(service: Arc<Smtpd>, address: IpAddr) -> Session {
        let anvil = &service.front.anvil;
        let excess = anvil.connect(&service.name, address, &service.settings, now());
        Session {
            excess,
            service,
            client: Client {
                name: "unknown".to_owned(),
                reverse_name: "unknown".to_owned(),
                name_is_pending: false,
                address,
            },
            helo: None,
            login: None,
            conversation: None,
            transaction: None,
            in_handshake: false,
        }
    }

    /// The client's name is known from now on.
    pub(super) fn is_called(&mut self, found: dns::ClientName) {
        self.client.name_is_pending = found.is_temporary();
        self.client.name = found.name;
        self.client.reverse_name = found.reverse_name;
    }

    /// Whether a TLS handshake was begun and not finished.
    pub(super) fn is_in_handshake(&self) -> bool {
        self.in_handshake
    }

    /// The log's line about a client that is gone.
    pub(super) fn lost_after(&self, command: &str) {
        self.service.log.write(&lines::Ended {
            cut: lines::Cut::LostConnection,
            after: command,
            content_bytes: None,
            peer: self.peer(),
        });
    }

    pub(super) fn peer(&self) -> Peer<'_> {
        Peer {
            name: &self.client.name,
            address: self.client.address,
        }
    }

    fn request<'a>(&'a self, recipient: Option<&'a Address>) -> Request<'a> {
        Request {
            client: &self.client,
            helo: self.helo.as_ref().map(|(_, name)| name.as_str()),
            sender: self.transaction.as_ref().map(|transaction| transaction.sender()),
            recipient,
            sasl_user: self.login.as_ref().map(|login| login.user.as_str()),
        }
    }

    /// `SMTP`, `ESMTP`; what the log calls the protocol.
    fn protocol(&self) -> &'static str {
        match self.helo {
            Some((HeloVerb::Ehlo, _)) => "ESMTP",
            _ => "SMTP",
        }
    }

    /// Logs a refusal and makes the reply.
    fn refuse(&self, stage: &str, refusal: &Refusal, recipient: Option<&str>) -> Step<Answer> {
        let softened = softened(refusal, &self.service.settings);
        let refusal = softened.as_ref().unwrap_or(refusal);
        let sender = self.transaction.as_ref().filter(|_| stage != "VRFY");
        let sender = sender.map(|transaction| transaction.sender_text());
        self.service.log.write(&lines::Decided {
            queue_id: self.transaction.as_ref().and_then(Transaction::queue_id),
            decision: lines::Decision::Reject,
            stage,
            peer: self.peer(),
            text: &refusal.to_string(),
            sender: sender.as_deref(),
            recipient,
            protocol: self.protocol(),
            helo: self.helo.as_ref().map(|(_, name)| name.as_str()),
        });
        reply(refusal.code, refusal.status, &refusal.text)
    }

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

    fn log_excess(&self, excess: &Excess) {
        let Excess { what, count } = excess;
        let text = format!(
            "{what}: {count} from {} for service {}",
            self.client, self.service.name
        );
        self.service.log.warning("smtpd", &text);
    }

    /// The reply to a client that comes too often.
    fn too_many(&self, what: &str) -> Step<Answer> {
        let text = format!("Error: too {what} from {}", self.client.address);
        reply(450, StatusCode::temporary(7, 1), &text)
    }

    fn connected(&self) -> Step<Answer> {
        if let Some(excess) = &self.excess {
            self.log_excess(excess);
            let (host, address) = (&self.service.settings.myhostname, self.client.address);
            let text = format!("{host} Error: too many connections from {address}");
            return reply(421, StatusCode::temporary(7, 0), &text);
        }
        match self.service.access.connect(&self.request(None)) {
            Some(refusal) => self.refuse("CONNECT", &refusal, None),
            None => Step::Answer(Answer::Accept),
        }
    }

    fn greeted(&mut self, verb: HeloVerb, name: String) -> Step<Answer> {
        self.helo = Some((verb, name));
        match self.service.access.helo(&self.request(None)) {
            Some(refusal) => self.refuse("HELO", &refusal, None),
            None => Step::Answer(Answer::Accept),
        }
    }

    /// Whether the queue's disk has room: `queue_minfree`, and what the client says the message needs.
    fn has_room(&self, size_bytes: u64) -> bool {
        let settings = &self.service.settings;
        if settings.queue_minfree == 0 {
            return true;
        }
        match os::space::free_bytes(&settings.queue_directory) {
            Ok(free) => free > settings.queue_minfree.saturating_add(size_bytes),
            Err(error) => {
                let place = settings.queue_directory.display();
                let text = format!("cannot tell how much room {place} has: {error}");
                self.service.log.warning("smtpd", &text);
                true
            }
        }
    }

    fn mail(&mut self, sender: Option<Address>, options: MailOptions) -> Step<Answer> {
        if self.is_over(Happening::Message) {
            return self.too_many("much mail");
        }
        if !self.has_room(options.size.unwrap_or(0)) {
            return reply(452, StatusCode::temporary(3, 1), "Insufficient system storage");
        }
        let qualified = sender.map(|sender| intake::qualify(sender, &self.service.settings));
        let written = options.written.clone();
        self.transaction = Some(Transaction::new(qualified, options));
        if let Some(mut refusal) = self.service.access.mail(&self.request(None)) {
            self.show_sender(&mut refusal, &written);
            let step = self.refuse("MAIL", &refusal, None);
            self.transaction = None;
            return step;
        }
        Step::Answer(Answer::Accept)
    }

    fn rcpt(&mut self, recipient: Address, options: RcptOptions) -> Step<Answer> {
        if self.is_over(Happening::Recipient) {
            return self.too_many("many recipients");
        }
        let qualified = match self.meant(&recipient) {
            Ok(qualified) => qualified,
            Err(refusal) => return refusal,
        };
        if let Some(refusal) = self.asked_about(&qualified, &options.written) {
            return self.refuse("RCPT", &refusal, Some(&recipient.to_string()));
        }
        let is_first = self
            .transaction
            .as_ref()
            .is_some_and(|transaction| transaction.queue_id().is_none());
        if let Some(transaction) = &mut self.transaction {
            transaction.add(qualified, recipient, options, &self.service.front);
        }
        if is_first {
            self.log_client();
        }
        Step::Answer(Answer::Accept)
    }

    /// Whom a recipient means: completed, and without a route through this host.
    fn meant(&self, recipient: &Address) -> Result<Address, Step<Answer>> {
        let service = &self.service;
        match crate::cleanup::rewritten(recipient, &service.front.router, &service.settings) {
            Ok(Some(address)) => Ok(address),
            Ok(None) => Err(bad_recipient()),
            Err(error) => {
                service.log.error("smtpd", &error.to_string());
                let text = format!("<{recipient}>: Temporary lookup failure");
                Err(reply(451, StatusCode::temporary(3, 0), &text))
            }
        }
    }

    /// What access says about a recipient. The reply shows it as the client wrote it.
    fn asked_about(&self, qualified: &Address, written: &str) -> Option<Refusal> {
        let mut refusal = self.service.access.rcpt(&self.request(Some(qualified)))?;
        if let Some(rest) = refusal.text.strip_prefix(&format!("<{qualified}>: ")) {
            refusal.text = format!("<{written}>: {rest}");
        } else if let Some(transaction) = &self.transaction {
            self.show_sender(&mut refusal, transaction.sender_written());
        }
        Some(refusal)
    }

    /// The same for the sender.
    fn show_sender(&self, refusal: &mut Refusal, written: &str) {
        let qualified = self.transaction.as_ref().and_then(Transaction::sender);
        let shown = qualified.map(|sender| format!("<{sender}>: "));
        if let Some(rest) = shown.and_then(|shown| refusal.text.strip_prefix(&shown).map(str::to_owned)) {
            refusal.text = format!("<{written}>: {rest}");
        }
    }

    fn log_client(&self) {
        let Some(queue_id) = self.transaction.as_ref().and_then(Transaction::queue_id) else {
            return;
        };
        let sasl = self.login.as_ref().map(|login| lines::Sasl {
            method: &login.method,
            username: &login.user,
        });
        self.service.log.write(&lines::Client {
            queue_id,
            peer: self.peer(),
            sasl,
        });
    }

    fn data(&mut self, link: &Link) -> Step<Answer> {
        if let Some(refusal) = self.service.access.data(&self.request(None)) {
            return self.refuse("DATA", &refusal, None);
        }
        let origin = self.origin(link);
        let attributes = self.attributes(link);
        if let Some(transaction) = &mut self.transaction {
            transaction.begin_content(origin, attributes, (&self.service.settings, &self.service.front));
        }
        Step::Answer(Answer::Accept)
    }

    /// What the queue keeps of this client besides, for transports and content filters.
    fn attributes(&self, link: &Link) -> Vec<(String, String)> {
        let port = ("log_client_port", link.remote.port().to_string());
        let login = self.login.as_ref().map(|login| {
            let (method, user) = (login.method.clone(), login.user.clone());
            [("sasl_method", method), ("sasl_username", user)]
        });
        let all = std::iter::once(port).chain(login.into_iter().flatten());
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// What the Received field says of this client.
    fn origin(&self, link: &Link) -> Origin {
        let settings = &self.service.settings;
        let tls = link
            .tls()
            .and_then(|connection| tls::session::Description::of(connection));
        Origin::Network(Network {
            helo: self
                .helo
                .as_ref()
                .map(|(_, name)| name.clone())
                .unwrap_or_default(),
            name: self.client.name.clone(),
            address: self.client.address,
            protocol: self.with_protocol(link.is_secured()),
            tls: tls
                .filter(|_| settings.smtpd_tls_received_header)
                .map(|tls| tls.to_string()),
            login: self
                .login
                .as_ref()
                .filter(|_| settings.smtpd_sasl_authenticated_header)
                .map(|login| login.user.clone()),
            is_local: self.is_rewritten(),
        })
    }

    /// What the Received field says behind `with` (RFC 3848, RFC 6531 §4.3).
    fn with_protocol(&self, is_secured: bool) -> &'static str {
        let is_utf8 = self.transaction.as_ref().is_some_and(Transaction::is_smtputf8);
        match (self.protocol(), is_utf8, is_secured, self.login.is_some()) {
            ("ESMTP", false, true, true) => "ESMTPSA",
            ("ESMTP", false, true, false) => "ESMTPS",
            ("ESMTP", false, false, true) => "ESMTPA",
            ("ESMTP", false, false, false) => "ESMTP",
            ("ESMTP", true, true, true) => "UTF8SMTPSA",
            ("ESMTP", true, true, false) => "UTF8SMTPS",
            ("ESMTP", true, false, true) => "UTF8SMTPA",
            ("ESMTP", true, false, false) => "UTF8SMTP",
            _ => "SMTP",
        }
    }

    /// `local_header_rewrite_clients`
    fn is_rewritten(&self) -> bool {
        let (service, client) = (&self.service, self.client.address);
        let mut words = service.settings.local_header_rewrite_clients.iter();
        words.any(|word| match word.as_str() {
            "permit_inet_interfaces" => service.front.own_addresses.contains(&client),
            "permit_mynetworks" => service.settings.mynetworks.contains(client),
            "permit_sasl_authenticated" => self.login.is_some(),
            _ => false,
        })
    }

    async fn content_end(&mut self) -> Step<Answer> {
        if let Some(refusal) = self.service.access.end_of_data(&self.request(None)) {
            let step = self.refuse("END-OF-MESSAGE", &refusal, None);
            self.transaction = None;
            return step;
        }
        let Some(transaction) = self.transaction.take() else {
            return reply(503, StatusCode::permanent(5, 1), "Error: need RCPT command");
        };
        match transaction.commit(&self.service.front).await {
            Ok(accepted) => Step::Answer(Answer::Queued(accepted.queue_id().clone())),
            Err(Declined {
                refusal,
                cause: Cause::Content,
            }) => {
                let softened = softened(&refusal, &self.service.settings).unwrap_or(refusal);
                reply(softened.code, softened.status, &softened.text)
            }
            Err(Declined { refusal, .. }) => self.refuse("END-OF-MESSAGE", &refusal, None),
        }
    }

    async fn sasl(&mut self, response: Option<Vec<u8>>) -> Step<Answer> {
        let Some(conversation) = &mut self.conversation else {
            return reply(
                535,
                StatusCode::permanent(7, 8),
                "Error: authentication failed: Invalid authentication mechanism",
            );
        };
        let progress = conversation.step(response).await;
        let method = conversation.mechanism().to_owned();
        match progress {
            Progress::Challenge(challenge) => Step::Answer(Answer::Challenge(challenge)),
            Progress::Accepted(account, _) => {
                self.conversation = None;
                self.login = Some(Login {
                    method,
                    user: account.user.clone(),
                });
                Step::Answer(Answer::AuthSuccess { user: account.user })
            }
            Progress::Failed(refused) => {
                self.conversation = None;
                let username = (!refused.user.is_empty()).then_some(refused.user.as_str());
                self.service.log.write(&lines::SaslFailed {
                    peer: self.peer(),
                    method: &method,
                    reason: "",
                    username,
                });
                Step::Answer(Answer::AuthFailure(String::new()))
            }
            Progress::Unavailable(why) => {
                self.conversation = None;
                self.service.log.error("smtpd", &why);
                reply(
                    454,
                    StatusCode::temporary(7, 0),
                    "Temporary authentication failure",
                )
            }
        }
    }

    fn start_tls(&mut self) -> Step<Answer> {
        if self.is_over(Happening::TlsSession) {
            let text = format!("Error: too many new TLS sessions from {}", self.client.address);
            return reply(454, StatusCode::temporary(7, 0), &text);
        }
        match &self.service.tls {
            Some(tls) => {
                self.in_handshake = true;
                Step::StartTls(Arc::clone(&tls.config), Answer::TlsStarted)
            }
            None => Step::Answer(Answer::TlsFailed),
        }
    }

    /// ETRN: mail for a domain that is relayed for is tried at once (`fast_flush_domains = $relay_domains`).
    fn flush_for(&self, domain: &str) -> Step<Answer> {
        let front = &self.service.front;
        let is_served = address::Domain::parse(domain)
            .ok()
            .is_some_and(|site| front.router.is_flushed_for(&site).unwrap_or(false));
        if !is_served {
            let text = format!("<{domain}>: service unavailable");
            return Step::Answer(Answer::Reply(Reply::bare(459, text)));
        }
        front.qmgr.flush(ipc::control::Selection::Site(domain.to_owned()));
        Step::Answer(Answer::Accept)
    }

    fn verify(&self, address: &str) -> Step<Answer> {
        let path = address::path::read(address)
            .ok()
            .filter(|path| path.rest.is_empty());
        let router = &self.service.front.router;
        let (written, recipient) = match path.map(|path| (path.written, path.address)) {
            Some((written, Some(recipient))) if !router.looks_like_option(&recipient) => (written, recipient),
            _ => return bad_recipient(),
        };
        let qualified = match self.meant(&recipient) {
            Ok(qualified) => qualified,
            Err(refusal) => return refusal,
        };
        match self.asked_about(&qualified, &written) {
            Some(refusal) => self.refuse("VRFY", &refusal, Some(&recipient.to_string())),
            None => Step::Answer(Answer::Accept),
        }
    }

    fn ended(&self, ended: &Ended) {
        let cut = match ended.how {
            Ending::Quit | Ending::HungUp => return,
            Ending::Lost => lines::Cut::LostConnection,
            Ending::TimedOut => lines::Cut::Timeout,
            Ending::TooManyErrors => lines::Cut::TooManyErrors,
        };
        self.service.log.write(&lines::Ended {
            cut,
            after: &ended.after,
            content_bytes: None,
            peer: self.peer(),
        });
    }

    fn note(&self, note: Note) {
        match note {
            Note::BareLineFeed => {
                let text = format!("{}: bare <LF> received", self.client);
                self.service.log.warning("smtpd", &text);
            }
            Note::NonSmtpCommand(command) => self.service.log.write(&lines::NonSmtpCommand {
                peer: self.peer(),
                command: &command,
            }),
            Note::AnnouncedTooBig(sender, reply) => {
                let sender = sender.map(|sender| sender.to_string()).unwrap_or_default();
                self.service.log.write(&lines::Decided {
                    queue_id: None,
                    decision: lines::Decision::Reject,
                    stage: "MAIL",
                    peer: self.peer(),
                    text: &reply.to_string(),
                    sender: Some(&sender),
                    recipient: None,
                    protocol: self.protocol(),
                    helo: self.helo.as_ref().map(|(_, name)| name.as_str()),
                });
            }
            Note::DroppedPlaintext | Note::TooBig => {}
        }
    }
}

impl Host<Server> for Session {
    async fn decide(&mut self, event: Event, link: &Link) -> Step<Answer> {
        // The handshake is done as soon as there is something to decide again, or the client is heard no more.
        self.in_handshake = false;
        match event {
            Event::Connected => self.connected(),
            Event::Helo { verb, name } => self.greeted(verb, name),
            Event::Mail { sender, options } => self.mail(sender, options),
            Event::Rcpt { recipient, options } => self.rcpt(recipient, options),
            Event::Data => self.data(link),
            Event::Content(piece) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.content(&piece);
                }
                Step::Done
            }
            Event::ContentEnd { .. } => self.content_end().await,
            Event::Reset => {
                self.transaction = None;
                Step::Done
            }
            Event::Auth { .. } if self.is_over(Happening::Login) => self.too_many("many AUTH commands"),
            Event::Auth { mechanism, initial } => {
                let asker = asker_of(
                    &self.service.settings.smtpd_sasl_service,
                    link,
                    self.service.tls.as_ref(),
                );
                self.conversation = Conversation::start(&mechanism, &self.service.authority, &asker);
                self.sasl(initial).await
            }
            Event::AuthResponse(response) => self.sasl(Some(response)).await,
            Event::AuthCancelled => {
                self.conversation = None;
                Step::Done
            }
            Event::StartTls => self.start_tls(),
            Event::Vrfy { address } => self.verify(&address),
            Event::Etrn { domain } => self.flush_for(&domain),
            Event::Note(note) => {
                self.note(note);
                Step::Done
            }
            Event::Ended(ended) => {
                self.ended(&ended);
                Step::Done
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let service = &self.service;
        let anvil = &service.front.anvil;
        anvil.disconnect(&service.name, self.client.address, &service.settings, now());
    }
}

/// `soft_bounce`: what would be refused for good is refused for now.
fn softened(refusal: &Refusal, settings: &Postfix) -> Option<Refusal> {
    let is_for_good = settings.soft_bounce && refusal.code >= 500;
    is_for_good.then(|| Refusal {
        code: refusal.code - 100,
        status: StatusCode::temporary(refusal.status.subject, refusal.status.detail),
        text: refusal.text.clone(),
    })
}

fn bad_recipient() -> Step<Answer> {
    reply(501, StatusCode::permanent(1, 3), "Bad recipient address syntax")
}

fn reply(code: u16, status: StatusCode, text: &str) -> Step<Answer> {
    Step::Answer(Answer::Reply(Reply::new(code, status, text)))
}
