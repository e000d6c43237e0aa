//! One SMTP session: every event of the machine is answered here, by asking access, auth and cleanup.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use access::rewrite_clients;
use access::{Client, Excess, Happening, Memory, Refusal};
use address::Address;
use envelope::StatusCode;
use intake::{Network, Origin};
use maillog::lines::smtpd as lines;
use maillog::lines::{Peer, with_rule};
use serve::Link;
use serve::clock::now;
use serve::pump::{Host, Step};
use settings::NotifyClass;
use smtp::server::{
    Answer, Attribute, Attributes, Ended, Ending, Event, HeloVerb, MailOptions, Note, RcptOptions, Server,
};
use smtp::transcript::Fault;
use smtp::{Reply, Transcript};
use tls::clients::Shown;

use super::Smtpd;
use super::forwarded::{Forwarded, introduced, value};
use super::judging::Moment;
use super::limits;
use super::milters::words;
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
    pub(super) service: Arc<Smtpd>,
    pub(super) client: Client,
    /// Who has connected, whoever the client is since XCLIENT.
    pub(super) connected: IpAddr,
    /// The client's port, as XCLIENT has it.
    pub(super) port: Option<String>,
    /// What XFORWARD told of the next message.
    forwarded: Option<Forwarded>,
    /// What restriction lists remember of it.
    pub(super) memory: Memory,
    /// The filters that are told of it.
    pub(super) filters: Option<Box<crate::milters::Filters>>,
    /// The filter that its message goes through.
    pub(super) proxy: Option<Box<super::proxy::Proxy>>,
    /// The limit that this connection is over from its start.
    excess: Option<Excess>,
    pub(super) helo: Option<(HeloVerb, String)>,
    pub(super) login: Option<Login>,
    conversation: Option<Conversation>,
    pub(super) transaction: Option<Transaction>,
    /// STARTTLS was accepted, and nothing was heard since.
    pub(super) in_handshake: bool,
    /// What a client hears instead of the greeting that began with TLS more often than it may.
    pub(super) too_many_tls: Option<Reply>,
    /// Which classes of `notify_classes` our refusals were of.
    pub(super) faults: Vec<NotifyClass>,
    /// The client of this message is in `local_header_rewrite_clients`.
    is_rewritten: bool,
    /// The certificate that it has shown, once TLS is there.
    pub(super) shown: OnceLock<Option<Shown>>,
    /// It said more where it had to wait.
    pub(super) spoke_ahead: bool,
    /// What is kept for the footers of refusals.
    pub(super) said: Option<super::footers::Shared>,
    /// Who is shown what the lists said of each command.
    pub(super) watching: Option<Watching>,
    /// Its number among all sessions.
    pub(super) number: u64,
}

/// Is shown what restriction lists said of a command, and by which rule it was refused.
pub(super) type Watching = Box<dyn FnMut(Watched<'_>) + Send>;

/// What is shown.
pub(super) enum Watched<'a> {
    /// What the lists said.
    Lists(&'a access::Outcome),
    /// The rule that refused, as the log names it.
    Refused(&'a str),
}

impl Session {
    pub(super) fn new(service: Arc<Smtpd>, address: IpAddr) -> Session {
        let client = Client {
            name: "unknown".to_owned(),
            reverse_name: "unknown".to_owned(),
            name_is_pending: false,
            address,
        };
        let anvil = &service.front.anvil;
        let excess = anvil.connect(&service.name, address, service.terms(&client), now());
        Session {
            excess,
            service,
            memory: Memory::default(),
            filters: None,
            proxy: None,
            connected: address,
            port: None,
            forwarded: None,
            client,
            helo: None,
            login: None,
            conversation: None,
            transaction: None,
            in_handshake: false,
            faults: Vec::new(),
            is_rewritten: false,
            shown: OnceLock::new(),
            spoke_ahead: false,
            said: None,
            too_many_tls: None,
            watching: None,
            number: limits::next_number(),
        }
    }

    /// The client's name is known from now on.
    pub(super) fn is_called(&mut self, found: dns::ClientName) {
        self.client.name_is_pending = found.is_temporary();
        self.client.name = found.name;
        self.client.reverse_name = found.reverse_name;
    }

    /// Who it is.
    pub(super) fn client(&self) -> &Client {
        &self.client
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

    /// `SMTP`, `ESMTP`; what the log calls the protocol.
    pub(super) fn protocol(&self) -> &'static str {
        match self.helo {
            Some((HeloVerb::Ehlo, _)) => "ESMTP",
            _ => "SMTP",
        }
    }

    /// Logs a refusal and makes the reply.
    pub(super) fn refuse(&mut self, refusal: &Refusal, moment: Moment<'_>) -> Step<Answer> {
        self.note_fault(refusal.class());
        let softened = self.service.settings.soft_bounce.then(|| refusal.softened());
        let refusal = softened.as_ref().unwrap_or(refusal);
        self.tell(lines::Decision::Reject, &refusal.to_string(), moment);
        self.show_rule(moment.rule);
        reply(refusal.code, refusal.status, &refusal.text)
    }

    /// What the lists say, and the reply if they refuse.
    async fn pass(&mut self, moment: Moment<'_>, link: &Link) -> Result<(), Step<Answer>> {
        match self.judged(moment, link).await {
            Some((refusal, rule)) => Err(self.refuse(&refusal, moment.by(&rule))),
            None => Ok(()),
        }
    }

    /// Shows whoever watches which rule refuses.
    pub(super) fn show_rule(&mut self, rule: Option<&str>) {
        if let (Some(watching), Some(rule)) = (&mut self.watching, rule) {
            watching(Watched::Refused(rule));
        }
    }

    async fn connected(&mut self, link: &Link) -> Step<Answer> {
        if let Some(refused) = self.too_many_tls.take() {
            return Step::Answer(Answer::Reply(refused));
        }
        if let Some(excess) = &self.excess {
            self.log_excess(excess);
            self.faults.push(NotifyClass::Policy);
            let (host, address) = (&self.service.settings.myhostname, self.client.address);
            let text = format!("{host} Error: too many connections from {address}");
            return reply(421, StatusCode::temporary(7, 0), &text);
        }
        match self.pass(said("CONNECT"), link).await {
            Err(Step::Answer(Answer::Reply(greeting))) => {
                let text = format!("Error: access denied for {}", self.client);
                let later = Reply::new(503, StatusCode::permanent(7, 0), text);
                Step::Answer(Answer::TurnAway { greeting, later })
            }
            Err(refused) => refused,
            Ok(()) => Step::Answer(self.filters_meet(link).await),
        }
    }

    async fn greeted(&mut self, verb: HeloVerb, name: String, link: &Link) -> Step<Answer> {
        let before = self.helo.replace((verb, name));
        let command = match verb {
            HeloVerb::Helo => "HELO",
            HeloVerb::Ehlo | HeloVerb::Lhlo => "EHLO",
        };
        if let Err(refused) = self.pass(said(command), link).await {
            self.helo = before;
            return refused;
        }
        accepted_unless(self.filters_hear_helo(link, command, before.is_none()).await)
    }

    async fn mail(&mut self, sender: Option<Address>, options: MailOptions, link: &Link) -> Step<Answer> {
        if self.is_over(Happening::Message) {
            return self.too_many("much mail");
        }
        if let Some(refused) = self.without_room(options.size.unwrap_or(0)) {
            return refused;
        }
        self.is_rewritten = match self.is_rewritten(link) {
            Ok(is_rewritten) => is_rewritten,
            Err(refusal) => return self.refuse(&refusal, said("MAIL").by(rewrite_clients::PARAMETER)),
        };
        let qualified = sender.map(|sender| intake::qualify(sender, &self.service.settings));
        let words = words(&options.said);
        let transaction = Transaction::new(qualified, options);
        self.transaction = Some(transaction.proxied(self.is_proxied()));
        if let Err(refused) = self.pass(said("MAIL"), link).await {
            self.transaction = None;
            return refused;
        }
        let refused = self.filters_hear_mail(words).await;
        if refused.is_some() {
            self.transaction = None;
        }
        accepted_unless(refused)
    }

    async fn rcpt(&mut self, recipient: Address, options: RcptOptions, link: &Link) -> Step<Answer> {
        if self.is_over(Happening::Recipient) {
            return self.too_many("many recipients");
        }
        let qualified = match self.meant(&recipient) {
            Ok(qualified) => qualified,
            Err(refusal) => return self.not_meant(refusal),
        };
        let moment = Moment {
            recipient: Some((&qualified, &options.written)),
            shown: Some(&recipient.to_string()),
            ..said("RCPT")
        };
        let words = words(&options.said);
        if let Err(refused) = self.pass(moment, link).await {
            if let Step::Answer(Answer::Reply(reply)) = &refused {
                self.filters_hear_refused_rcpt(words, reply).await;
            }
            return refused;
        }
        if let Some(refused) = self.filters_hear_rcpt(words, &qualified, moment).await {
            return Step::Answer(Answer::Reply(refused));
        }
        let is_proxied = self.is_proxied();
        if is_proxied && let Some(refused) = self.proxy_hears_rcpt(&options.said, link).await {
            return Step::Answer(Answer::Reply(refused));
        }
        let is_first = self
            .transaction
            .as_ref()
            .is_some_and(|transaction| transaction.queue_id().is_none() && !is_proxied);
        if let Some(transaction) = &mut self.transaction {
            transaction.add(qualified, recipient, options, &self.service.front);
        }
        if is_first {
            self.log_client();
        }
        Step::Answer(Answer::Accept)
    }

    /// Answers for a recipient that means nobody.
    fn not_meant(&mut self, refusal: Refusal) -> Step<Answer> {
        self.note_fault(match refusal.code {
            501 => NotifyClass::Protocol,
            _ => NotifyClass::Data,
        });
        reply(refusal.code, refusal.status, &refusal.text)
    }

    pub(super) fn note_fault(&mut self, class: NotifyClass) {
        if !self.faults.contains(&class) {
            self.faults.push(class);
        }
    }

    /// Sends what was said to the postmaster, if it showed what `notify_classes` asks for.
    pub(super) async fn tell_postmaster(&mut self, transcript: &Transcript, aborted: Option<&str>) {
        let mut classes = std::mem::take(&mut self.faults);
        classes.extend(transcript.faults().map(|fault| match fault {
            Fault::Bounce => NotifyClass::Bounce,
            Fault::Policy => NotifyClass::Policy,
            Fault::Protocol => NotifyClass::Protocol,
        }));
        let peer = self.client.to_string();
        let about = bounce::Notice {
            service: bounce::Service::SmtpServer,
            peer: &peer,
            transcript,
            aborted,
        };
        let service = &self.service;
        crate::notices::tell_postmaster(&service.front, &service.settings, &classes, &about).await;
    }

    /// Whom a recipient means: completed, and without a route through this host.
    fn meant(&self, recipient: &Address) -> Result<Address, Refusal> {
        let service = &self.service;
        match crate::cleanup::rewritten(recipient, &service.front.router, &service.settings) {
            Ok(Some(address)) => Ok(address),
            Ok(None) => Err(bad_recipient()),
            // The lists ask the same tables, and put off whom they cannot judge.
            Err(_) => Ok(intake::qualify(recipient.clone(), &service.settings)),
        }
    }

    pub(super) fn log_client(&self) {
        let queue_id = self.transaction.as_ref().and_then(Transaction::queue_id);
        let sasl = self.login.as_ref().map(|login| lines::Sasl {
            method: &login.method,
            username: &login.user,
        });
        self.service.log.write(&lines::Client {
            queue_id,
            peer: self.peer(),
            sasl,
            sasl_sender: self.transaction.as_ref().and_then(Transaction::auth),
            original: self.forwarded.as_ref().map(Forwarded::original),
        });
    }

    /// What the lists say of the content, before it comes or when it is there.
    async fn pass_content(
        &mut self,
        command: &str,
        size_bytes: Option<u64>,
        link: &Link,
    ) -> Result<(), Step<Answer>> {
        let only = self.transaction.as_ref().and_then(Transaction::only_recipient);
        let only = only.map(|(address, written)| (address.clone(), written.to_owned()));
        let moment = Moment {
            recipient: only
                .as_ref()
                .map(|(address, written)| (address, written.as_str())),
            shown: only.as_ref().map(|(_, written)| written.as_str()),
            size_bytes,
            ..said(command)
        };
        self.pass(moment, link).await
    }

    async fn data(&mut self, command: &str, link: &Link) -> Step<Answer> {
        if let Err(refused) = self.pass_content(command, None, link).await {
            return refused;
        }
        if let Some(refused) = self.filters_hear_data().await {
            return Step::Answer(Answer::Reply(refused));
        }
        if self.is_proxied() {
            return accepted_unless(self.proxy_hears_data(link).await);
        }
        let origin = self.origin(link);
        let attributes = self.attributes(link);
        if let Some(transaction) = &mut self.transaction {
            let service = &self.service;
            let all = (&service.entry, &service.front.log, &self.memory.actions);
            transaction.begin_content(origin, attributes, all);
        }
        Step::Answer(Answer::Accept)
    }

    /// What the queue keeps of this client besides, for transports and content filters.
    pub(super) fn attributes(&self, link: &Link) -> Vec<(String, String)> {
        let own_port = || link.remote.port().to_string();
        let port = ("log_client_port", self.port.clone().unwrap_or_else(own_port));
        let login = self.login.as_ref().map(|login| {
            let (method, user) = (login.method.clone(), login.user.clone());
            [("sasl_method", method), ("sasl_username", user)]
        });
        let all = std::iter::once(port).chain(login.into_iter().flatten());
        let own = all.map(|(name, value)| (name.to_owned(), value));
        match &self.forwarded {
            None => own.collect(),
            Some(forwarded) => {
                let rest = own.filter(|(name, _)| name != "log_client_port");
                forwarded.attributes().into_iter().chain(rest).collect()
            }
        }
    }

    /// XCLIENT: another client from now on.
    async fn introduced(&mut self, attributes: &Attributes) -> Step<Answer> {
        self.filters_quit().await;
        self.client = introduced(&self.client, attributes);
        self.transaction = None;
        self.forwarded = None;
        self.memory = Memory::default();
        if let Some(port) = value(attributes, Attribute::Port) {
            self.port = Some(port.unwrap_or_default());
        }
        self.helo = value(attributes, Attribute::Helo).flatten().map(|name| {
            let is_extended = value(attributes, Attribute::Protocol).flatten().as_deref() == Some("ESMTP");
            let verb = if is_extended {
                HeloVerb::Ehlo
            } else {
                HeloVerb::Helo
            };
            (verb, name)
        });
        if let Some(user) = value(attributes, Attribute::Login) {
            self.login = user.map(|user| Login {
                method: "XCLIENT".to_owned(),
                user,
            });
        }
        Step::Answer(Answer::Introduced(self.service.config_for(&self.client).await))
    }

    /// What the Received field says of this client.
    pub(super) fn origin(&self, link: &Link) -> Origin {
        let settings = &self.service.settings;
        Origin::Network(Network {
            helo: self
                .helo
                .as_ref()
                .map(|(_, name)| name.clone())
                .unwrap_or_default(),
            name: self.client.name.clone(),
            address: self.client.address,
            protocol: self.with_protocol(link.is_secured()),
            tls: self
                .encryption(link)
                .filter(|_| settings.smtpd_tls_received_header),
            login: self
                .login
                .as_ref()
                .filter(|_| settings.smtpd_sasl_authenticated_header)
                .map(|login| login.user.clone()),
            is_local: self.is_rewritten,
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

    async fn content_end(&mut self, size_bytes: u64, link: &Link) -> Step<Answer> {
        let passed = self.pass_content("END-OF-MESSAGE", Some(size_bytes), link).await;
        let actions = std::mem::take(&mut self.memory.actions);
        self.memory.end_transaction();
        if let Err(refused) = passed {
            self.transaction = None;
            self.proxy_is_left().await;
            self.filters_abort().await;
            return refused;
        }
        if self.is_proxied() {
            return self.proxied_end(&actions, link).await;
        }
        let Some(transaction) = self.transaction.take() else {
            return reply(503, StatusCode::permanent(5, 1), "Error: need RCPT command");
        };
        self.forwarded = None;
        if let (true, Some(queue_id)) = (actions.discard, transaction.queue_id()) {
            self.faults.clear();
            let queue_id = queue_id.clone();
            self.filters_abort().await;
            return Step::Answer(Answer::Queued(queue_id));
        }
        let filters = self.filters.as_deref_mut();
        let committed = transaction.commit(actions, &self.service.front, filters).await;
        self.filters_abort().await;
        match committed {
            Ok(accepted) => {
                self.faults.clear();
                Step::Answer(Answer::Queued(accepted.queue_id().clone()))
            }
            Err(Declined {
                words: Some(words), ..
            }) => {
                self.note_fault(NotifyClass::Policy);
                Step::Answer(Answer::Reply(words))
            }
            Err(Declined {
                refusal, cause, rule, ..
            }) => {
                let faults = self.faults.clone();
                let (step, class) = match cause {
                    // It is in the log already.
                    Cause::Content => {
                        let softened = self.service.settings.soft_bounce.then(|| refusal.softened());
                        let said = softened.as_ref().unwrap_or(&refusal);
                        let step = reply(said.code, said.status, &said.text);
                        (step, NotifyClass::Policy)
                    }
                    Cause::Other => {
                        let step = self.refuse(&refusal, said("END-OF-MESSAGE").by(rule));
                        (step, class_of_commit(&refusal))
                    }
                };
                self.faults = faults;
                self.note_fault(class);
                step
            }
        }
    }

    /// The end of mail that is not queued here.
    async fn proxied_end(&mut self, actions: &access::Actions, link: &Link) -> Step<Answer> {
        for (is_wanted, action) in [(actions.hold, "HOLD"), (actions.discard, "DISCARD")] {
            if is_wanted {
                let text = format!("with smtpd_proxy_filter specified, action {action} is unavailable");
                self.service.log.warning("smtpd", &text);
            }
        }
        let reply = self.proxy_hears_end(link).await;
        self.transaction = None;
        self.forwarded = None;
        self.filters_abort().await;
        match reply.is_positive() {
            true => self.faults.clear(),
            false => self.note_fault(NotifyClass::Policy),
        }
        Step::Answer(Answer::Reply(reply))
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

    /// ETRN: mail for a domain of `fast_flush_domains` is tried at once, if `smtpd_etrn_restrictions` let it.
    async fn flush_for(&mut self, domain: &str, link: &Link) -> Step<Answer> {
        let moment = Moment {
            etrn_domain: domain,
            ..said("ETRN")
        };
        if let Err(refused) = self.pass(moment, link).await {
            return refused;
        }
        let front = &self.service.front;
        let is_served = address::Domain::parse(domain)
            .ok()
            .is_some_and(|site| front.router.is_flushed_for(&site).unwrap_or(false));
        if !is_served {
            self.note_fault(NotifyClass::Policy);
            let text = format!("reject: ETRN {domain}... from {}", self.client);
            let text = with_rule(text, self.names_rules().then_some("fast_flush_domains"));
            self.service.log.warning("smtpd", &text);
            let text = format!("<{domain}>: service unavailable");
            return Step::Answer(Answer::Reply(Reply::bare(459, text)));
        }
        front.qmgr.flush(ipc::control::Selection::Site(domain.to_owned()));
        Step::Answer(Answer::Accept)
    }

    async fn verify(&mut self, address: &str, link: &Link) -> Step<Answer> {
        let path = address::path::read(address)
            .ok()
            .filter(|path| path.rest.is_empty());
        let router = &self.service.front.router;
        let (written, recipient) = match path.map(|path| (path.written, path.address)) {
            Some((written, Some(recipient))) if !router.looks_like_option(&recipient) => (written, recipient),
            _ => return self.not_meant(bad_recipient()),
        };
        let qualified = match self.meant(&recipient) {
            Ok(qualified) => qualified,
            Err(refusal) => return self.not_meant(refusal),
        };
        let moment = Moment {
            recipient: Some((&qualified, &written)),
            shown: Some(&recipient.to_string()),
            ..said("VRFY")
        };
        match self.pass(moment, link).await {
            Err(refused) => refused,
            Ok(()) => Step::Answer(Answer::Accept),
        }
    }

    fn ended(&self, ended: &Ended) {
        let cut = match ended.how {
            Ending::Quit | Ending::HungUp => return,
            Ending::Lost => lines::Cut::LostConnection,
            Ending::TimedOut => lines::Cut::Timeout,
            Ending::TooManyErrors => {
                self.gave_up();
                lines::Cut::TooManyErrors
            }
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
                let reply = match self.service.settings.soft_bounce {
                    true => reply.softened(),
                    false => reply,
                };
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
                    rule: Some("message_size_limit").filter(|_| self.names_rules()),
                });
            }
            note @ (Note::Replaced { .. } | Note::NotReplaced { .. } | Note::IllegalAddress { .. }) => {
                self.tell_of_command(&note);
            }
            Note::Slowed { errors, until } => self.slowed(errors, until),
            Note::TooManyRecipients(recipient, reply) => {
                self.had_too_many_recipients(&recipient.to_string(), &reply);
            }
            Note::TooBig => self.outgrew_limit(),
            Note::DroppedPlaintext | Note::Transcript(..) | Note::ImproperPipelining { .. } => {}
        }
    }
}

impl Host<Server> for Session {
    async fn decide(&mut self, event: Event, link: &Link) -> Step<Answer> {
        // The handshake is done as soon as there is something to decide again, or the client is heard no more.
        if std::mem::take(&mut self.in_handshake) {
            self.log_tls(link);
        }
        if self.is_out_of_step(&event, link) {
            return Step::Answer(Answer::OutOfStep);
        }
        let step = self.decided(event, link).await;
        self.keep_for_footers(link);
        step
    }
}

impl Session {
    async fn decided(&mut self, event: Event, link: &Link) -> Step<Answer> {
        match event {
            Event::Connected => self.connected(link).await,
            Event::Helo { verb, name } => self.greeted(verb, name, link).await,
            Event::Mail { sender, options } => self.mail(sender, options, link).await,
            Event::Rcpt { recipient, options } => self.rcpt(recipient, options, link).await,
            Event::Data { chunked } => self.data(if chunked { "BDAT" } else { "DATA" }, link).await,
            Event::Content(piece) => {
                self.proxy_hears_content(&piece).await;
                if let Some(transaction) = &mut self.transaction {
                    transaction.content(&piece);
                }
                Step::Done
            }
            Event::ContentEnd { octets } => self.content_end(octets, link).await,
            Event::Forwarded(attributes) => {
                self.forwarded.get_or_insert_default().take(attributes);
                Step::Done
            }
            Event::Introduced(attributes) => self.introduced(&attributes).await,
            Event::Reset => {
                self.proxy_is_left().await;
                if self.transaction.take().is_some() {
                    self.filters_abort().await;
                }
                self.forwarded = None;
                self.memory.end_transaction();
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
            Event::StartTls => self.may_start_tls(),
            Event::Handshake => self.handshake(),
            Event::Secured => self.secured(link),
            Event::Unknown { word } => accepted_unless(self.filters_hear_unknown(&word).await),
            Event::Vrfy { address } => self.verify(&address, link).await,
            Event::Etrn { domain } => self.flush_for(&domain, link).await,
            Event::Note(Note::Transcript(transcript, ending)) => {
                let aborted = match ending {
                    Some(Ending::Lost) => Some("lost connection"),
                    Some(Ending::TimedOut) => Some("timeout"),
                    Some(Ending::TooManyErrors) => Some("too many errors"),
                    Some(Ending::Quit | Ending::HungUp) | None => None,
                };
                self.tell_postmaster(&transcript, aborted).await;
                Step::Done
            }
            Event::Note(Note::ImproperPipelining { after, unread }) => {
                self.speaks_ahead(after, &unread);
                Step::Done
            }
            Event::Note(note) => {
                self.note(note);
                Step::Done
            }
            Event::Ended(ended) => {
                self.ended(&ended);
                self.filters_quit().await;
                Step::Done
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let service = &self.service;
        let anvil = &service.front.anvil;
        anvil.disconnect(&service.name, self.connected, self.number, now());
    }
}

/// Yes, unless there is a reply that refuses.
fn accepted_unless(refused: Option<Reply>) -> Step<Answer> {
    Step::Answer(refused.map_or(Answer::Accept, Answer::Reply))
}

/// A command that names nobody.
pub(super) fn said(command: &str) -> Moment<'_> {
    Moment {
        command,
        ..Moment::default()
    }
}

fn bad_recipient() -> Refusal {
    Refusal {
        code: 501,
        status: StatusCode::permanent(1, 3),
        text: "Bad recipient address syntax".to_owned(),
    }
}

/// Which class of `notify_classes` it is of that a message could not be queued.
fn class_of_commit(refusal: &Refusal) -> NotifyClass {
    match (refusal.code, refusal.status.subject) {
        // Too many hops.
        (554, 4) => NotifyClass::Bounce,
        (400..500, 3) => NotifyClass::Resource,
        (503, _) => NotifyClass::Protocol,
        _ => NotifyClass::Policy,
    }
}

pub(super) fn reply(code: u16, status: StatusCode, text: &str) -> Step<Answer> {
    Step::Answer(Answer::Reply(Reply::new(code, status, text)))
}
