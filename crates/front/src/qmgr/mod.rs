//! The queue's driver: asks the pure scheduler what to do, does it, and tells it what came of it.
//!
//! One task owns the scheduler; attempts run in tasks of their own and report back as [`Order`]s. Whatever is
//! decided is on disk (or will be repeated) before it is forgotten.

mod attempt;
mod clogs;
mod handle;
mod interrupted;
mod options;
mod passing;
mod piped;
mod report;
mod seeking;
mod sites;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use envelope::{DeliveryResult, Outcome, QueueId, StatusCode, Trace};
use ipc::control::{Action as Administration, Selection};
use maillog::lines::qmgr as lines;
use queue::admin::Change;
use queue::conduct::{self, Failures, Portion};
use queue::outcome_lines::OutcomeLines;
use queue::scheduler::{
    Action, AttemptId, Condition, Contact, Destination, Feedback, Finished, Options, Resolved, Scheduler,
};
use queue::{Message, Notice, QueueName, Recovered};
use serve::clock::{now, until};
use tokio::sync::{mpsc, oneshot, watch};

use crate::Front;
use crate::agency::Agency;
use crate::cleanup::{CONTENT_FILTER, trace_of};

use clogs::Clogs;
pub use handle::{Handle, new};
use interrupted::Interrupted;
use seeking::Seeking;
use sites::Sites;

/// What the driver is told.
pub(crate) enum Order {
    /// A message was committed.
    Arrived(QueueId),
    /// A message came and waits until somebody lets it go.
    Held(QueueId),
    /// Try deferred mail now.
    Flush(Selection),
    /// Deferred mail for a site that somebody asked for.
    Found(Vec<QueueId>),
    /// All deferred mail was looked at.
    Searched,
    /// What an administrator wants; the answer is the ids that were acted on.
    Administer(Administration, Selection, oneshot::Sender<Vec<String>>),
    /// An attempt at the message ended; its outcomes are recorded.
    Ended(QueueId, AttemptId, Destination, Vec<(u32, Outcome)>, Feedback),
    /// An attempt waits for a host that says nothing, or does so no longer.
    Contact(AttemptId, Contact),
    /// The pause of an interrupted message is over.
    Again(QueueId),
    /// A role that was gone is back: interrupted messages wait no longer.
    RoleIsBack,
    /// A message whose recipients are all done was reported on; `false`: it could not be, try again later.
    Reported(QueueId, bool),
    /// The failures of a message that goes on being tried were reported on.
    Told(QueueId),
    /// A new configuration.
    Reconfigure(Arc<Front>, Arc<dyn Agency>),
    /// Start no attempt any more; answer when none is under way.
    Quiesce(oneshot::Sender<()>),
}

/// The driver before it runs.
pub struct Driver {
    orders: mpsc::UnboundedReceiver<Order>,
    sender: mpsc::UnboundedSender<Order>,
}

impl Driver {
    /// Drives the queue until `stopping` says so and the last attempt has ended.
    pub async fn run(
        self,
        front: Arc<Front>,
        agency: Arc<dyn Agency>,
        recovered: Recovered,
        stopping: watch::Receiver<bool>,
    ) {
        front.spool.start();
        watch_queue(&front);
        tell_of_repetitions(&front, &recovered);
        let mut scheduler = Scheduler::new(options(&front));
        conduct::know(&mut scheduler, &recovered);
        let Driver { orders, sender } = self;
        let mut running = Running {
            front,
            agency,
            scheduler,
            sender,
            active: HashMap::new(),
            failures: Failures::default(),
            telling: HashMap::new(),
            flushed: HashSet::new(),
            sites: Sites::default(),
            clogs: Clogs::default(),
            interrupted: Interrupted::default(),
            in_flight: 0,
            quiesced: None,
        };
        running.drive(orders, stopping).await;
    }
}

/// The scheduler's options by the configuration, within what the system allows.
fn options(front: &Front) -> Options {
    let descriptors = os::limits::raise_open_files(0).unwrap_or(0);
    options::of(&front.settings, &front.process_limits, descriptors)
}

/// Has the queue's own troubles logged.
fn watch_queue(front: &Front) {
    let log = front.log.clone();
    front.spool.watch(move |notice| match notice {
        Notice::Unwritten(why) => log.error(
            "qmgr",
            &format!(
                "{why}: what became of messages is kept in memory and tried again; do not stop the system now"
            ),
        ),
        Notice::Written => log.warning("qmgr", "what became of messages is on disk again"),
    });
}

/// After a crash some deliveries may be made twice. Which ones is not on disk, so all that may be tried are counted.
fn tell_of_repetitions(front: &Front, recovered: &Recovered) {
    let is_tried = |queue| !matches!(queue, QueueName::Hold | QueueName::Corrupt);
    let messages = recovered.messages.iter().filter(|known| is_tried(known.queue));
    let count = messages.count();
    if recovered.unclean && count > 0 {
        let text = format!(
            "the system did not stop cleanly: {count} messages are tried again, those whose delivery was under way may \
             arrive twice"
        );
        front.log.warning("qmgr", &text);
    }
}

/// A message whose recipients are being tried. `qmgr_message_active_limit` bounds how many there are.
struct Active {
    since_micros: i64,
    /// As it was when it became active.
    message: Arc<Message>,
}

/// The driver while it runs.
struct Running {
    front: Arc<Front>,
    agency: Arc<dyn Agency>,
    scheduler: Scheduler,
    sender: mpsc::UnboundedSender<Order>,
    /// The active messages.
    active: HashMap<QueueId, Active>,
    /// Why destinations are dead.
    failures: Failures,
    /// Messages whose failures are being reported, and the end that came meanwhile (`true`: expired).
    telling: HashMap<QueueId, Option<bool>>,
    /// Messages that somebody asked to be tried now, in spite of `defer_transports`.
    flushed: HashSet<QueueId>,
    /// Sites whose mail is looked for.
    sites: Sites,
    /// Destinations that take much of the active queue.
    clogs: Clogs,
    /// Messages that are tried again sooner than others.
    interrupted: Interrupted,
    /// Attempts and reports under way.
    in_flight: usize,
    /// Somebody waits for the end of the last attempt.
    quiesced: Option<oneshot::Sender<()>>,
}

impl Running {
    async fn drive(
        &mut self,
        mut orders: mpsc::UnboundedReceiver<Order>,
        mut stopping: watch::Receiver<bool>,
    ) {
        loop {
            while self.quiesced.is_none() && !*stopping.borrow() {
                let Some(action) = self.scheduler.next_action(now()) else {
                    break;
                };
                self.act(action);
            }
            if self.in_flight == 0
                && let Some(waiting) = self.quiesced.take()
            {
                let _ = waiting.send(());
                return;
            }
            let patience = self
                .scheduler
                .deadline_micros()
                .map_or(std::time::Duration::from_secs(3600), until);
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                () = tokio::time::sleep(patience) => {}
                _ = stopping.wait_for(|stop| *stop), if !*stopping.borrow() => {}
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Arrived(id) => self.scheduler.incoming(id, now()),
            Order::Held(id) => self.scheduler.held(id, now()),
            Order::Flush(selection) => self.flush(&selection),
            Order::Found(ids) => self.flush_these(&ids),
            Order::Searched => {
                self.sites.ended();
                self.search();
            }
            Order::Administer(action, selection, answer) => {
                let acted = self.administer(action, &selection);
                let _ = answer.send(acted);
            }
            Order::Ended(queue_id, attempt, destination, outcomes, feedback) => {
                self.in_flight -= 1;
                if outcomes.iter().any(|(_, outcome)| is_interrupted(outcome)) {
                    self.interrupted.note(&queue_id);
                }
                self.ended(attempt, destination, &outcomes, feedback);
            }
            Order::Contact(attempt, contact) => self.scheduler.contact(attempt, contact),
            Order::Again(id) => drop(self.scheduler.flush_one(&id)),
            Order::RoleIsBack => {
                for id in self.interrupted.all() {
                    self.scheduler.flush_one(&id);
                }
            }
            Order::Reported(id, done) => {
                self.in_flight -= 1;
                self.reported(&id, done);
            }
            Order::Told(id) => {
                self.in_flight -= 1;
                if let Some(Some(expired)) = self.telling.remove(&id) {
                    self.report(id, expired);
                }
            }
            Order::Reconfigure(front, agency) => {
                let options = options(&front);
                self.scheduler.reconfigure(options, now());
                front
                    .spool
                    .set_long_queue_ids(front.settings.enable_long_queue_ids);
                self.front = front;
                self.agency = agency;
            }
            Order::Quiesce(waiting) => self.quiesced = Some(waiting),
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Load {
                queue_id,
                from: 0,
                at_most,
            } => self.load(&queue_id, at_most),
            Action::Load {
                queue_id,
                from,
                at_most,
            } => self.load_more(&queue_id, from, at_most),
            Action::Deliver {
                attempt,
                queue_id,
                destination,
                recipients,
            } => {
                self.deliver(attempt, &queue_id, destination, recipients);
            }
            Action::DeferUntried {
                queue_id,
                destination,
                recipients,
            } => {
                self.defer_untried(&queue_id, &destination, &recipients);
            }
            Action::Defer {
                queue_id,
                next_try_micros,
            } => self.defer(queue_id, next_try_micros),
            Action::Expire { queue_id } => self.report(queue_id, true),
            Action::Done { queue_id } => self.report(queue_id, false),
        }
    }

    fn defer(&mut self, queue_id: QueueId, next_try_micros: i64) {
        let due = report::due(&self.front, &queue_id);
        if due.is_verification {
            // It is made once; nothing of it is tried again.
            self.scheduler.remove(&queue_id);
            return self.report(queue_id, false);
        }
        let before = self.active.remove(&queue_id).map(|active| active.message);
        let usual_micros = micros(self.front.settings.minimal_backoff_time);
        if let Some(pause) = self.interrupted.pause(&queue_id, usual_micros) {
            return self.try_again_after(pause, queue_id);
        }
        self.told(self.front.spool.defer(&queue_id, next_try_micros));
        self.tell(queue_id, due, before);
    }

    /// Puts an interrupted message off for a moment. On disk it stays as it was, so that a start has it tried at once.
    fn try_again_after(&self, pause: std::time::Duration, queue_id: QueueId) {
        self.front.log.write(&lines::Interrupted {
            queue_id: &queue_id,
            pause,
        });
        let sender = self.sender.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            // The driver is gone only when everything is.
            let _ = sender.send(Order::Again(queue_id));
        });
    }

    /// A failed queue operation is logged; the disk still has the state before it, which is always a legal one.
    fn told(&self, result: queue::Result<()>) {
        if let Err(error) = result {
            self.front.log.error("qmgr", &error.to_string());
        }
    }

    fn load(&mut self, queue_id: &QueueId, at_most: usize) {
        let message = match self.front.spool.message(queue_id) {
            Ok(message) => message,
            Err(error) => {
                self.front.log.error("qmgr", &format!("{queue_id}: {error}"));
                self.told(self.front.spool.move_to(queue_id, QueueName::Corrupt));
                self.scheduler.remove(queue_id);
                return;
            }
        };
        self.told(self.front.spool.move_to(queue_id, QueueName::Active));
        let sender = message
            .envelope
            .sender
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        self.front.log.write(&lines::Active {
            queue_id,
            sender: &sender,
            size_bytes: message.size_bytes,
            recipients: message.envelope.recipients.len(),
        });
        if message.forced_expire {
            // Nobody is tried any more: the scheduler knows it no longer, the report removes it.
            self.expire_by_force(queue_id, message);
            return;
        }
        let resolved = self.resolve(&message, 0, at_most);
        self.flushed.remove(queue_id);
        let active = Active {
            since_micros: now(),
            message: Arc::new(message),
        };
        self.active.insert(queue_id.clone(), active);
        self.resolved(queue_id, resolved);
    }

    fn resolved(&mut self, queue_id: &QueueId, resolved: Resolved) {
        let settings = &self.front.settings;
        let every_micros = micros(settings.qmgr_clog_warn_time);
        let many = settings.qmgr_message_active_limit / 5;
        let warns = every_micros > 0 && self.scheduler.active_count() > many;
        let routes = resolved.routes.iter().filter(|_| warns);
        let mut destinations: Vec<Destination> = routes.map(|(_, destination)| destination.clone()).collect();
        destinations.dedup();
        self.scheduler.resolved(queue_id, resolved, now());
        for destination in destinations {
            let condition = self.scheduler.condition(&destination);
            let Some(condition) = condition.filter(|condition| condition.entries > many) else {
                continue;
            };
            if self.clogs.is_news(&destination, now(), every_micros) {
                let active = self.scheduler.active_count();
                clogs::warn(&self.front.log, &destination, condition, active);
            }
        }
    }

    /// Resolves more recipients of an active message.
    fn load_more(&mut self, queue_id: &QueueId, from: u32, at_most: usize) {
        let Some(message) = self
            .active
            .get(queue_id)
            .map(|active| Arc::clone(&active.message))
        else {
            // An administrator deleted it meanwhile.
            self.scheduler.remove(queue_id);
            return;
        };
        let resolved = self.resolve(&message, from, at_most);
        self.resolved(queue_id, resolved);
    }

    /// `postsuper -e`: what is not delivered yet is returned, with the reason of its delay if there is one.
    fn expire_by_force(&mut self, queue_id: &QueueId, message: Message) {
        let untried = (0u32..)
            .zip(&message.outcomes)
            .filter(|(_, outcome)| outcome.is_none());
        let expired = Outcome {
            result: DeliveryResult::Deferred,
            status: StatusCode::temporary(7, 0),
            text: "message is administratively expired".to_owned(),
            relay: "none".to_owned(),
            detail: Default::default(),
        };
        let outcomes: Vec<_> = untried.map(|(index, _)| (index, expired.clone())).collect();
        if !outcomes.is_empty() {
            self.told(self.front.spool.record(queue_id, outcomes));
        }
        self.scheduler.remove(queue_id);
        self.active.insert(
            queue_id.clone(),
            Active {
                since_micros: now(),
                message: Arc::new(message),
            },
        );
        self.report(queue_id.clone(), true);
    }

    /// Resolves at most so many recipients, those from the index `from` on that are still to be delivered.
    fn resolve(&mut self, message: &Message, from: u32, at_most: usize) -> Resolved {
        let mut resolved = Resolved {
            null_sender: message.envelope.sender.is_none(),
            ..Resolved::default()
        };
        let (mut failed, mut discarded) = (Vec::new(), Vec::new());
        let sender = message.envelope.sender.as_ref();
        let Portion { open, unread } = conduct::portion(message, from, at_most);
        resolved.unread = unread;
        for index in open {
            let Some(recipient) = message.envelope.recipients.get(index as usize) else {
                continue;
            };
            match self.route(message, &recipient.address, sender) {
                Ok(route) if self.is_returned_notice(&route, &recipient.address) => {
                    discarded.push((
                        index,
                        passing::discarded("undeliverable postmaster notification discarded"),
                    ));
                }
                Ok(route) if self.is_waiting(&message.queue_id, &route.transport) => {
                    let waiting = Outcome {
                        status: StatusCode::temporary(3, 2),
                        ..attempt::deferred("none", "deferred transport".to_owned())
                    };
                    failed.push((index, waiting));
                }
                Ok(route) => {
                    let destination = self.destination(route, recipient);
                    resolved.routes.push((index, destination));
                }
                Err(error) => failed.push((index, self.unresolved(&error))),
            }
        }
        resolved.some_deferred = !failed.is_empty();
        for (agent, outcomes) in [("qmgr", discarded), ("error", failed)] {
            if outcomes.is_empty() {
                continue;
            }
            let known = self.active.get(&message.queue_id);
            let activated_micros = known.map_or_else(now, |active| active.since_micros);
            self.log_untried((message, agent), activated_micros, &outcomes);
            self.told(self.front.spool.record(&message.queue_id, outcomes));
        }
        resolved
    }

    /// The outcome where it cannot be told where mail goes. Tables have told the log why.
    fn unresolved(&self, error: &route::Error) -> Outcome {
        if let route::Error::Directory(..) = error {
            self.front.log.warning("trivial-rewrite", &error.to_string());
        }
        attempt::deferred("none", "address resolver failure".to_owned())
    }

    /// Where a recipient's mail goes: through the content filter, where it has not been yet. A probe of a user is for the
    /// recipient and not for the filter.
    fn route(
        &self,
        message: &Message,
        address: &address::Address,
        sender: Option<&address::Address>,
    ) -> Result<route::Route, route::Error> {
        let trace = trace_of(message);
        let router = match trace {
            Trace::Probe => &self.front.probe_router,
            _ => &self.front.router,
        };
        let filter = message.facts.attribute(CONTENT_FILTER);
        match filter.filter(|_| !trace.only_verifies()) {
            Some(filter) => router.filtered(address, filter),
            None => router.resolve(address, sender),
        }
    }

    /// Whether it is for the sender of notices and probes, who reads nothing: it would be about one of those.
    fn is_returned_notice(&self, route: &route::Route, recipient: &address::Address) -> bool {
        let nobody = &self.front.settings.double_bounce_sender;
        route.class == route::Class::Local && recipient.local().eq_ignore_ascii_case(nobody)
    }

    /// Where a recipient goes together with others. A transport that takes one recipient at a time
    /// (`TRANSPORT_destination_recipient_limit = 1`) has a destination for each, so that one whose mailbox or command is slow holds
    /// nobody up.
    fn destination(&self, route: route::Route, recipient: &envelope::Recipient) -> Destination {
        let is_alone = self.scheduler.limits_of(&route.transport).recipient_limit == 1;
        Destination {
            recipient: is_alone.then(|| user(recipient, &self.front.settings.recipient_delimiter)),
            ..Destination::new(route.transport, route.next_hop)
        }
    }

    /// Whether the transport is one of `defer_transports`, and nobody asked for this message.
    fn is_waiting(&self, queue_id: &QueueId, transport: &str) -> bool {
        let mut waiting = self.front.settings.defer_transports.iter();
        waiting.any(|name| name == transport) && !self.flushed.contains(queue_id)
    }

    fn deliver(
        &mut self,
        attempt: AttemptId,
        queue_id: &QueueId,
        destination: Destination,
        recipients: Vec<u32>,
    ) {
        let Some(active) = self.active.get(queue_id) else {
            // An administrator deleted it meanwhile: there is nothing to record anything about.
            return self.ended(attempt, destination, &[], Feedback::None);
        };
        let work = attempt::Attempt {
            front: Arc::clone(&self.front),
            agency: Arc::clone(&self.agency),
            activated_micros: active.since_micros,
            message: Arc::clone(&active.message),
            destination: destination.clone(),
            recipients,
            seeking: Seeking {
                attempt,
                driver: self.sender.clone(),
            },
        };
        let (sender, queue_id) = (self.sender.clone(), queue_id.clone());
        self.in_flight += 1;
        tokio::spawn(async move {
            let (outcomes, feedback) = work.run().await;
            // The driver is gone only when everything is.
            let _ = sender.send(Order::Ended(queue_id, attempt, destination, outcomes, feedback));
        });
    }

    fn ended(
        &mut self,
        attempt: AttemptId,
        destination: Destination,
        outcomes: &[(u32, Outcome)],
        feedback: Feedback,
    ) {
        let first = outcomes.first().map(|(_, outcome)| outcome);
        self.failures
            .learn(&destination, feedback, first, &self.scheduler);
        let results: Vec<(u32, DeliveryResult)> =
            outcomes.iter().map(|(index, o)| (*index, o.result)).collect();
        let condition = self.scheduler.finished(
            attempt,
            Finished {
                results: &results,
                feedback,
            },
            now(),
        );
        if let Some(condition) =
            condition.filter(|_| self.front.settings.destination_concurrency_feedback_debug)
        {
            self.log_feedback(&destination, feedback, condition);
        }
    }

    /// `destination_concurrency_feedback_debug`
    fn log_feedback(&self, destination: &Destination, feedback: Feedback, condition: Condition) {
        self.front.log.write(&lines::Feedback {
            is_failure: feedback == Feedback::Unreachable,
            name: &destination.name(),
            limit: condition.limit,
            window: condition.window,
            success: condition.success,
            failure: condition.failure,
            failed_cohorts: condition.failed_cohorts,
        });
    }

    fn defer_untried(&mut self, queue_id: &QueueId, destination: &Destination, recipients: &[u32]) {
        let outcome = self.failures.outcome_of_untried(destination);
        let outcomes: Vec<(u32, Outcome)> =
            recipients.iter().map(|index| (*index, outcome.clone())).collect();
        if let Some(active) = self.active.get(queue_id) {
            self.log_untried((&active.message, "error"), active.since_micros, &outcomes);
        }
        self.told(self.front.spool.record(queue_id, outcomes));
    }

    /// The lines about recipients that no agent was asked about.
    fn log_untried(
        &self,
        (message, agent): (&Message, &str),
        activated_micros: i64,
        outcomes: &[(u32, Outcome)],
    ) {
        let lines = OutcomeLines {
            message,
            agent,
            delays: maillog::Delays {
                before_queue_manager_micros: activated_micros - message.facts.arrival_micros,
                in_queue_manager_micros: now() - activated_micros,
                ..maillog::Delays::default()
            },
            purpose: attempt::purpose_of(&self.front, message),
            is_soft: false,
        };
        lines.of_outcomes(outcomes, |line| self.front.log.write(line));
    }

    /// Tells the sender what is to be told although the message goes on being tried.
    fn tell(&mut self, queue_id: QueueId, due: report::Due, before: Option<Arc<Message>>) {
        if self.telling.contains_key(&queue_id) || !due.is_any() {
            return;
        }
        let (front, sender) = (Arc::clone(&self.front), self.sender.clone());
        self.telling.insert(queue_id.clone(), None);
        self.in_flight += 1;
        tokio::spawn(async move {
            report::report_while_tried(&front, &queue_id, due, before).await;
            let _ = sender.send(Order::Told(queue_id));
        });
    }

    /// Tells the sender what is to be told, then removes the message.
    fn report(&mut self, queue_id: QueueId, expired: bool) {
        if let Some(end) = self.telling.get_mut(&queue_id) {
            *end = Some(expired);
            return;
        }
        self.interrupted.forget(&queue_id);
        let message = self.active.remove(&queue_id).map(|active| active.message);
        let (front, sender) = (Arc::clone(&self.front), self.sender.clone());
        self.in_flight += 1;
        tokio::spawn(async move {
            let done = report::report_and_remove(&front, &queue_id, message, expired).await;
            let _ = sender.send(Order::Reported(queue_id, done));
        });
    }

    fn reported(&mut self, queue_id: &QueueId, done: bool) {
        if done {
            self.front.log.write(&lines::Removed { queue_id });
            return;
        }
        let next_try = now() + micros(self.front.settings.minimal_backoff_time);
        let stays = conduct::stays(&mut self.scheduler, &self.front.spool, queue_id, next_try);
        self.told(stays);
    }

    fn flush(&mut self, selection: &Selection) {
        match selection {
            Selection::All => {
                if !self.front.settings.defer_transports.is_empty() {
                    self.flushed.extend(self.selected(selection));
                }
                self.scheduler.flush_all();
            }
            Selection::Ids(_) => self.flush_these(&self.selected(selection)),
            Selection::Site(site) => {
                if !self.sites.ask(site) {
                    let text =
                        format!("too many sites are asked for at once: mail for {site} waits for its time");
                    self.front.log.warning("qmgr", &text);
                }
                self.search();
            }
        }
    }

    fn flush_these(&mut self, ids: &[QueueId]) {
        if ids.is_empty() {
            return;
        }
        self.scheduler.revive();
        let waits = !self.front.settings.defer_transports.is_empty();
        for id in ids {
            let is_known = self.scheduler.flush_one(id) || self.front.spool.queue_of(id).is_some();
            if is_known && waits {
                self.flushed.insert(id.clone());
            }
        }
    }

    /// Begins the next search for sites' mail, if there is one to be made.
    fn search(&mut self) {
        if let Some(sites) = self.sites.next() {
            sites::search(self.front.spool.clone(), sites, self.sender.clone());
        }
    }

    /// The messages that a selection means; sites are searched for beside the driver.
    fn selected(&self, selection: &Selection) -> Vec<QueueId> {
        match selection {
            Selection::All => {
                let all = self.front.spool.queue_ids();
                all.into_iter().map(|(id, _)| id).collect()
            }
            Selection::Ids(ids) => ids.iter().filter_map(|id| QueueId::parse(id)).collect(),
            Selection::Site(_) => Vec::new(),
        }
    }

    fn administer(&mut self, action: Administration, selection: &Selection) -> Vec<String> {
        let mut acted = Vec::new();
        for id in self.selected(selection) {
            let change = match action {
                Administration::Delete => Change::Delete,
                Administration::Hold => Change::Hold,
                Administration::Release => Change::Release,
                Administration::Requeue => Change::Requeue,
                Administration::Expire => Change::Expire,
            };
            let done = conduct::administer(&mut self.scheduler, &self.front.spool, change, &id);
            if change == Change::Delete {
                self.active.remove(&id);
                self.interrupted.forget(&id);
            }
            if done {
                acted.push(id.to_string());
            }
        }
        acted
    }
}

/// The recipient that is a destination by itself, with all extensions.
fn user(recipient: &envelope::Recipient, delimiter: &str) -> String {
    let plain = recipient.address.strip_extension(delimiter);
    let user = plain.as_ref().map_or(&recipient.address, |(plain, _)| plain);
    user.local().to_string().to_lowercase()
}

/// Whether one of our own processes, and not the recipient, is why it was deferred.
fn is_interrupted(outcome: &Outcome) -> bool {
    outcome.result == DeliveryResult::Deferred && outcome.detail.is_interrupted
}

/// A duration of a parameter in the queue's unit.
fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use address::Address;
    use envelope::Recipient;

    #[test]
    fn a_user_is_one_destination_with_all_extensions() {
        let of = |address: &str| user(&Recipient::new(Address::parse(address).expect("an address")), "+");
        let same = ["bob@a.test", "bob+1@a.test", "Bob+2@A.test"].map(of);
        assert_eq!(same, ["bob", "bob", "bob"]);
    }
}
