//! One attempt: the places of a next hop, their hosts, one after the other, until every recipient is settled.

use address::Address;
use envelope::{DeliveryResult, Outcome, QueueId, StatusCode};
use intake::checks::Effects;
use intake::checks::outgoing::Reader;
use smtp::client::{Message, Protocol, Report};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::Way;
use crate::connection::{Connection, Target};
use crate::converse::{Beginning, Session};
use crate::dane::NoDane;
use crate::departure::Other;
use crate::hosts::{Chosen, NoHost};
use crate::logins::NoLogin;
use crate::options::Options;
use crate::policy::NoPolicy;
use crate::progress::Progress;
use crate::sizing_up::SizingUp;
use crate::terms::Terms;
use crate::{Content, Delivery, Greeted, NextHop, Remote, Request, Site, converse};

/// Whose place it is, which decides what its faults mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    NextHop,
    Fallback,
}

impl Remote {
    /// Hands one message to one next hop, and what that does not take to `smtp_fallback_relay`. Never fails: what goes wrong
    /// is in the outcomes.
    pub async fn deliver(&self, request: Request, content: &Content<'_>, greeted: Greeted<'_>) -> Delivery {
        let protocol = request.next_hop.protocol;
        let mut delivery = self.deliver_rewritten(request, (content, greeted)).await;
        let filters = &self.options(protocol).filters;
        let filtered = delivery.outcomes.into_iter().map(|outcome| {
            filters.status(outcome).unwrap_or_else(|(outcome, why)| {
                self.warn(protocol, &why);
                *outcome
            })
        });
        delivery.outcomes = filtered.collect();
        delivery
    }

    /// With the content and the addresses as they go out.
    async fn deliver_rewritten(
        &self,
        request: Request,
        (content, greeted): (&Content<'_>, Greeted<'_>),
    ) -> Delivery {
        let Request {
            next_hop,
            message,
            queue_id,
            age,
            detects_smtputf8,
        } = request;
        let (protocol, unchanged) = (next_hop.protocol, Other::default());
        let sizing_up = SizingUp::new(content, detects_smtputf8);
        let sized_up = |message: Message| sizing_up.of(message);
        let letter = Letter {
            content,
            greeted,
            other: &unchanged,
            queue_id: queue_id.as_ref(),
            age,
            sized_up: &sized_up,
        };
        let departure = &self.options(protocol).departure;
        if departure.is_idle() {
            return self.deliver_unfiltered(&next_hop, message, letter).await;
        }
        let other = match departure.addresses(&message) {
            Ok(other) => other,
            Err(error) => {
                self.warn(protocol, &error);
                let mut progress = Progress::new(message, self.options(protocol).is_soft);
                let text = "Address mapping lookup error".to_owned();
                progress.failed(&deferral(StatusCode::temporary(3, 0), text));
                return progress.finish(false);
            }
        };
        let tell = |effects: &mut Effects| self.tell_effects(protocol, queue_id.as_ref(), effects);
        let leaving = departure.leaving(&tell);
        let rewritten = || -> Box<dyn Read + Send> { Box::new(Reader::new(content(), &leaving)) };
        let letter = Letter {
            content: &rewritten,
            greeted,
            other: &other,
            queue_id: queue_id.as_ref(),
            age,
            sized_up: &sized_up,
        };
        self.deliver_unfiltered(&next_hop, message, letter).await
    }

    async fn deliver_unfiltered(
        &self,
        next_hop: &NextHop,
        message: Message,
        letter: Letter<'_, '_>,
    ) -> Delivery {
        let protocol = next_hop.protocol;
        let sites = self.sites(next_hop);
        let mut progress = Progress::new(message, self.options(protocol).is_soft);
        // The last place for which no host was found, while nothing was heard from another.
        let (mut missed, mut is_own) = (None, false);
        for (site, origin) in sites {
            if progress.is_settled() || (is_own && origin == Origin::Fallback) {
                break;
            }
            match self.try_site((protocol, site), letter, &mut progress).await {
                Ok(own) => {
                    missed = None;
                    is_own |= own;
                }
                Err(no_host) => {
                    if let Some(warning) = &no_host.warning {
                        self.warn(protocol, warning);
                    }
                    is_own |= no_host.loops;
                    progress.missed(&no_host.outcome());
                    missed = Some((no_host, origin));
                }
            }
        }
        let missed = missed.filter(|_| !progress.is_settled());
        let Some((no_host, origin)) = missed else {
            return progress.finish(false);
        };
        match self.configuration_fault(&no_host, (next_hop, origin)) {
            Some(outcome) => {
                progress.missed(&outcome);
                progress.finish(false)
            }
            None => progress.finish(no_host.loops),
        }
    }

    /// All places to try: those of the next hop, and for SMTP those of the fallback relay.
    fn sites<'a>(&'a self, next_hop: &'a NextHop) -> Vec<(&'a Site, Origin)> {
        let mut sites: Vec<(&Site, Origin)> = Vec::new();
        sites.extend(next_hop.sites.iter().map(|site| (site, Origin::NextHop)));
        if let (Some(fallback), Protocol::Smtp) = (&self.fallback, next_hop.protocol) {
            sites.extend(fallback.sites.iter().map(|site| (site, Origin::Fallback)));
        }
        sites
    }

    /// A host of one's own configuration that is not to be found for good is a mistake, and mail waits until it is mended.
    fn configuration_fault(&self, no_host: &NoHost, whose: (&NextHop, Origin)) -> Option<Outcome> {
        let (next_hop, origin) = whose;
        let name = match origin {
            Origin::Fallback => "smtp_fallback_relay",
            Origin::NextHop if next_hop.protocol == Protocol::Smtp && next_hop.text == self.relayhost => {
                "relayhost"
            }
            Origin::NextHop => return None,
        };
        if no_host.missed.is_temporary() {
            return None;
        }
        self.warn(next_hop.protocol, &format!("{name} configuration problem"));
        Some(Outcome {
            result: DeliveryResult::Deferred,
            status: StatusCode::temporary(3, 5),
            ..no_host.outcome()
        })
    }

    /// Tries a place: connections that are kept for it first, then its hosts.
    async fn try_site(
        &self,
        (protocol, site): (Protocol, &Site),
        letter: Letter<'_, '_>,
        progress: &mut Progress,
    ) -> Result<bool, NoHost> {
        let sender = progress.sender().cloned();
        let way = (protocol, site.text.clone());
        let visit = self.cache.visit(way.clone());
        let mut trying = Trying {
            remote: self,
            options: self.options(protocol),
            site,
            sender: sender.as_ref(),
            keeps: self.options(protocol).habit.keeps(site, visit.is_busy),
            way,
            letter,
            sessions: 0,
        };
        let kept = match trying.keeps {
            true => self.cache.hosts_of(&trying.way),
            false => Vec::new(),
        };
        for target in &kept {
            if let Some(session) = trying.kept_session(target).await {
                trying.hand_over(session, progress).await;
            }
            if progress.is_settled() || trying.had_enough() {
                return Ok(false);
            }
        }
        let Chosen { targets, is_own } = self.chooser(protocol).choose(site, &self.helo_name).await?;
        for target in &targets {
            trying.host(target, progress).await;
            if progress.is_settled() || trying.had_enough() {
                break;
            }
        }
        Ok(is_own)
    }
}

/// What is handed over, whoever takes it.
#[derive(Clone, Copy)]
struct Letter<'a, 'c> {
    content: &'a Content<'c>,
    greeted: Greeted<'a>,
    /// The addresses that others stand for on the way out.
    other: &'a Other,
    queue_id: Option<&'a QueueId>,
    age: Duration,
    /// Adds what its content says of it.
    sized_up: &'a (dyn Fn(Message) -> Message + Sync + 'a),
}

impl Letter<'_, '_> {
    /// The message for the recipients that are left, as a host is told of it.
    fn message(&self, progress: &Progress) -> Message {
        (self.sized_up)(self.other.of(progress.message()))
    }
}

/// One message on its way to the hosts of one place.
struct Trying<'a, 'c> {
    remote: &'a Remote,
    options: &'a Options,
    site: &'a Site,
    sender: Option<&'a Address>,
    /// Whether connections are kept.
    keeps: bool,
    way: Way,
    letter: Letter<'a, 'c>,
    /// How many sessions there were.
    sessions: usize,
}

/// Whether the kept connection could be used.
#[derive(PartialEq, Eq)]
enum Use {
    Served,
    Stale,
}

impl Trying<'_, '_> {
    fn had_enough(&self) -> bool {
        self.remote.sessions_max > 0 && self.sessions >= self.remote.sessions_max
    }

    /// On which terms that host is connected to; where that cannot be said, why the message waits.
    async fn terms(&self, target: &Target) -> Result<Terms, Outcome> {
        let login = self
            .options
            .logins
            .login(self.sender, &target.host, &self.site.text);
        let login = login.map_err(|NoLogin(warning)| {
            let queue_id = self.letter.queue_id.map_or("", QueueId::as_str);
            self.remote
                .warn(self.options.protocol, &format!("{queue_id}: {warning}"));
            let text = format!("local data error while talking to {}", target.peer);
            Outcome {
                relay: target.relay.clone(),
                ..deferral(StatusCode::temporary(3, 0), text)
            }
        })?;
        let policy = self
            .options
            .policies
            .for_host(target, self.site)
            .map_err(|NoPolicy(why)| {
                self.remote.warn(self.options.protocol, &why);
                let place = format!("{}/{}", self.site.text, target.host);
                let warning = format!("TLS policy lookup for {place}: client TLS configuration problem");
                self.remote.warn(self.options.protocol, &warning);
                deferral(
                    StatusCode::temporary(7, 5),
                    "client TLS configuration problem".to_owned(),
                )
            })?;
        let names = self.remote.chooser(self.options.protocol).names();
        let policy = self
            .options
            .policies
            .by_dnssec(policy, (target, self.site), names)
            .await
            .map_err(|NoDane(why)| {
                let place = format!("{}/{}", self.site.name(), target.host);
                let warning = format!("TLS policy lookup for {place}: {why}");
                self.remote.warn(self.options.protocol, &warning);
                deferral(StatusCode::temporary(7, 5), why)
            })?;
        Ok(Terms { login, policy })
    }

    /// A kept connection to that host, on the terms on which one would be made.
    async fn kept_session(&self, target: &Target) -> Option<Session> {
        if !self.keeps {
            return None;
        }
        let terms = self.terms(target).await.ok()?;
        self.remote.cache.take(self.options.protocol, target, &terms)
    }

    /// Gives the message to a kept session.
    async fn hand_over(&mut self, mut session: Session, progress: &mut Progress) -> Use {
        let message = self.letter.message(progress);
        match session
            .run(&message, (self.letter.content)(), self.letter.greeted)
            .await
        {
            converse::End::Done(report) => self.heard(&session, report, progress),
            converse::End::NeverBegun(outcome) | converse::End::HandshakeFailed(outcome) => {
                progress.failed(&outcome);
            }
            converse::End::Stale => return Use::Stale,
        }
        progress.faulty_sessions.extend(session.take_faulty());
        self.sessions += 1;
        self.leave(session).await;
        Use::Served
    }

    fn heard(&self, session: &Session, mut report: Report, progress: &mut Progress) {
        for warning in std::mem::take(&mut report.warnings) {
            self.remote.warn(self.options.protocol, &warning);
        }
        progress.heard(report, (session.uses, session.ready));
    }

    /// The session is done with this message.
    async fn leave(&self, session: Session) {
        match self.keeps {
            true => {
                self.remote
                    .cache
                    .give(&self.way, session, &self.options.habit)
                    .await;
            }
            false => session.end().await,
        }
    }

    /// Tries one address: over a connection that is kept to it for whatever place, or over a new one.
    async fn host(&mut self, target: &Target, progress: &mut Progress) {
        while let Some(session) = self.kept_session(target).await {
            if self.hand_over(session, progress).await == Use::Served {
                return;
            }
        }
        let terms = match self.terms(target).await {
            Ok(terms) => terms,
            Err(outcome) => return progress.failed(&outcome),
        };
        let mut with_tls = true;
        loop {
            match self.new_session(&terms, target, (with_tls, progress)).await {
                // `smtp_tls_security_level = may`: better in the clear than not at all.
                Some(_) if !terms.policy.is_mandatory() && with_tls => with_tls = false,
                Some(outcome) => return progress.failed(&outcome),
                None => return,
            }
        }
    }

    /// Makes a connection and gives it the message. The outcome of a failed handshake, if it did.
    async fn new_session(
        &mut self,
        terms: &Terms,
        target: &Target,
        (with_tls, progress): (bool, &mut Progress),
    ) -> Option<Outcome> {
        let options = self.options;
        let opened = Connection::open(target, options.connect_timeout, options.source).await;
        let connection = match opened {
            Ok(connection) => connection,
            Err(reason) => {
                self.remote.tell_unreachable(options.protocol, target, &reason);
                let text = format!("connect to {}: {reason}", target.relay);
                progress.failed(&deferral(StatusCode::temporary(4, 1), text));
                return None;
            }
        };
        if let Some(warning) = connection.warning() {
            self.remote.warn(options.protocol, warning);
        }
        let config = match options.client_config(target, terms, (with_tls, self.letter.age)) {
            Ok(config) => config,
            Err(error) => {
                let text = format!("cannot look up what {} announces: {error}", target.relay);
                progress.failed(&deferral(StatusCode::temporary(3, 0), text));
                return None;
            }
        };
        let workarounds = config.pix.words();
        let beginning = Beginning {
            target: target.clone(),
            terms: terms.clone(),
            config,
            tls: options
                .policies
                .config_for(&terms.policy, target)
                .filter(|_| with_tls),
            teller: self.remote.teller(options.protocol, target),
            logins: Arc::clone(&options.logins),
            replies: options.filters.replies(),
        };
        let mut session = match Session::begin(connection, beginning).await {
            Ok(session) => session,
            Err(outcome) => return Some(outcome),
        };
        let message = self.letter.message(progress);
        let end = session
            .run(&message, (self.letter.content)(), self.letter.greeted)
            .await;
        if session.is_behind_pix() {
            let queue_id = self.letter.queue_id.map_or("", QueueId::as_str);
            let told = (queue_id, workarounds.as_str());
            self.remote.note_workarounds(options.protocol, target, told);
        }
        progress.faulty_sessions.extend(session.take_faulty());
        match end {
            converse::End::Done(report) => self.heard(&session, report, progress),
            converse::End::NeverBegun(outcome) => progress.failed(&outcome),
            converse::End::HandshakeFailed(outcome) => return Some(outcome),
            converse::End::Stale => {}
        }
        if session.offers_unused_tls() {
            self.remote.note_offer(options.protocol, target);
        }
        self.sessions += 1;
        self.leave(session).await;
        None
    }
}

/// A deferral before anybody was reached.
fn deferral(status: StatusCode, text: String) -> Outcome {
    Outcome {
        result: DeliveryResult::Deferred,
        status,
        text,
        relay: "none".to_owned(),
        detail: Default::default(),
    }
}
