//! The half of local(8) that has no rights: the loop check, aliases, the order of the methods, the outcome of all.

use std::path::Path;
use std::sync::Arc;

use address::Address;
use envelope::{DeliveryResult, Outcome, Recipient, StatusCode};
use settings::{Postfix, TableRef};
use tables::{Matter, Tables, Tell};

use crate::delivered_to::Been;
use crate::expansion::{self, Actor, AliasKind, End, Expander, Expansion, Leaf, Owner};
use crate::mailbox::Place;
use crate::outcomes::{bounced, deferred, interrupted, is_final, lookup_failed, looped, sent, sum};
use crate::task::{Agents, Facts, Kind, Next, Rights, Stages, Task, UserMail, Work, digest};
use crate::virtual_mailbox::VirtualMailboxes;
use crate::{Content, Delivery, Directory, Ending, Forward, Job, User, again, facts_of, mailbox};

/// The user id as which nothing is delivered.
const ROOT: u32 = 0;

/// The local delivery agent.
pub struct Local {
    settings: Arc<Postfix>,
    aliases: Tables,
    mailbox_transports: Tables,
    fallback_transports: Tables,
    virtual_mailboxes: VirtualMailboxes,
    directory: Arc<dyn Directory>,
    agents: Arc<dyn Agents>,
}

/// A delivery while it is being done.
struct Round<'a> {
    local: &'a Local,
    /// Whether it is an alias.
    alias: Option<AliasKind>,
    job: &'a Job<'a>,
    /// What holds for every target.
    facts: Facts,
    /// The recipient, without the mark of another try; for `luser_relay`, that.
    of: Address,
    /// Whether it is `luser_relay`, which is not caught again.
    is_caught: bool,
    /// Where the message has been.
    been: &'a Been,
    /// What was done, and the address that stands for it alone.
    parts: Vec<(Address, Outcome)>,
    /// What became of each address, for the log.
    told: Vec<(Address, Outcome)>,
    /// What is told only if it is not tried again by itself, for that is told then.
    waiting: Vec<(Address, Outcome)>,
    forwards: Vec<Forward>,
    /// Local addresses that are only tried again.
    again: Vec<Address>,
    warnings: Vec<String>,
}

impl Local {
    /// An agent by `settings`, and the tables that cannot be opened: as long as they cannot, mail is deferred.
    pub fn new(
        settings: Arc<Postfix>,
        directory: Arc<dyn Directory>,
        agents: Arc<dyn Agents>,
    ) -> (Local, Vec<tables::Error>) {
        let mut problems = Vec::new();
        let mut open = |matter, tables: &[TableRef]| {
            let (tables, found) = Tables::open_for(matter, tables);
            problems.extend(found);
            tables
        };
        let aliases = open(Matter::Rights, &settings.alias_maps).titled("alias_maps");
        let mailbox = open(Matter::Transport, &settings.mailbox_transport_maps);
        let fallback = open(Matter::Transport, &settings.fallback_transport_maps);
        let local = Local {
            aliases: aliases.as_aliases(),
            mailbox_transports: mailbox.titled("mailbox_transport_maps"),
            fallback_transports: fallback.titled("fallback_transport_maps"),
            virtual_mailboxes: VirtualMailboxes::open(&settings, &mut open),
            settings,
            directory,
            agents,
        };
        (local, problems)
    }

    /// The same, telling warnings of its tables: to `local` as local(8), to `of_virtual` as virtual(8).
    pub fn telling(mut self, local: &Tell, of_virtual: &Tell) -> Local {
        let tables = [
            &mut self.aliases,
            &mut self.mailbox_transports,
            &mut self.fallback_transports,
        ];
        tables.into_iter().for_each(|tables| tables.tell_warnings(local));
        self.virtual_mailboxes.tell_warnings(of_virtual);
        self
    }

    /// Delivers one message to one recipient. Blocks; runs on a worker thread.
    pub fn deliver(&self, job: &Job<'_>) -> Delivery {
        let address = &job.recipient.address;
        let again = again::parse(address);
        let of = again.as_ref().map_or(address, |again| &again.of);
        let facts = self.facts(job, of);
        // What is for one mailbox or one target has nowhere to come back from.
        let is_last = again.is_some() || expansion::mailbox_of(address).is_some();
        let done = |outcome| Delivery::of(of, outcome);
        let been = match Been::of(job.content) {
            Ok(been) if is_last => {
                drop(been);
                Been::default()
            }
            Ok(been) if been.at(&facts.delivered_to) => return done(looped(&facts.delivered_to)),
            Ok(been) => been,
            Err(error) => return done(unreadable(&error)),
        };
        let expansion = match self.expander(&facts, job.content, &been).expand(of, None) {
            Ok(expansion) => expansion,
            Err(outcome) => return done(outcome),
        };
        let mut round = Round {
            // Another try of a part tells of that part alone.
            alias: expansion.alias.filter(|_| !is_last),
            local: self,
            job,
            facts,
            of: of.clone(),
            is_caught: false,
            been: &been,
            parts: Vec::new(),
            told: Vec::new(),
            waiting: Vec::new(),
            forwards: Vec::new(),
            again: Vec::new(),
            warnings: Vec::new(),
        };
        round.warnings.extend(expansion.warnings.iter().cloned());
        round.leaves(expansion, again.as_ref());
        round.finish()
    }

    /// Delivers one message to one virtual mailbox (virtual(8)). Blocks; runs on a worker thread.
    pub fn deliver_virtual(&self, job: &Job<'_>) -> Delivery {
        let facts = facts_of(
            &job.recipient.address,
            (&self.facts(job, &job.recipient.address), &self.settings),
            &*self.directory,
        );
        let of_virtual = |outcome| {
            let outcome = Outcome {
                relay: "virtual".to_owned(),
                ..outcome
            };
            Delivery::of(&job.recipient.address, outcome)
        };
        match self
            .virtual_mailboxes
            .find(&job.recipient.address, &self.settings)
        {
            Ok((rights, work)) => {
                let report = self.agents.perform(&rights, &Task { facts, work }, job.content);
                Delivery {
                    warnings: report.warnings,
                    ..of_virtual(report.outcome)
                }
            }
            Err((outcome, warning)) => Delivery {
                warnings: warning.into_iter().collect(),
                ..of_virtual(outcome)
            },
        }
    }

    /// What a delivery to a virtual mailbox would come to; nothing is written (`sendmail -bv`).
    pub fn verify_virtual(&self, recipient: &Address) -> Outcome {
        self.end_virtual(recipient).outcome
    }

    /// The same, with the mailbox.
    pub fn end_virtual(&self, recipient: &Address) -> Ending {
        let (outcome, place) = match self.virtual_mailboxes.find(recipient, &self.settings) {
            Ok((_, Work::Virtual(name))) => {
                let place = mailbox::virtual_place(&name, &self.settings);
                let is_maildir = name.as_os_str().as_encoded_bytes().ends_with(b"/");
                (delivers(is_maildir), Some(place.display().to_string()))
            }
            Ok(_) => (sent("delivers to mailbox"), None),
            Err((outcome, _)) => (outcome, None),
        };
        let outcome = Outcome {
            relay: "virtual".to_owned(),
            ..outcome
        };
        Ending {
            target: recipient.to_string(),
            outcome,
            place,
        }
    }

    /// What a delivery to this recipient would come to; nothing is written (`sendmail -bv`). Of an alias with several
    /// targets the text tells each; one that is not deliverable makes the recipient so.
    pub fn verify(&self, recipient: &Address) -> Outcome {
        let mut told = match self.endings(recipient) {
            Ok(told) => told,
            Err(outcome) => return outcome,
        };
        if told.len() < 2 {
            let only = told.pop().map(|ending| ending.outcome);
            return only.unwrap_or_else(|| sent("expands to nobody"));
        }
        let texts = told
            .iter()
            .map(|ending| format!("{}: {}", ending.target, ending.outcome.text));
        let text = texts.collect::<Vec<_>>().join("; ");
        let is_bad = |ending: &Ending| ending.outcome.result != DeliveryResult::Sent;
        let at = told.iter().position(is_bad).unwrap_or(0);
        Outcome {
            text,
            ..told.swap_remove(at).outcome
        }
    }

    /// The same for address verification: an alias is good whatever it stands for, which the text tells.
    pub fn probe(&self, recipient: &Address) -> Outcome {
        let (facts, been) = (Facts::default(), Been::default());
        match self.expander(&facts, &Nothing, &been).text_of_alias(recipient) {
            Ok(Some(text)) => sent(format!("aliased to {text}")),
            Ok(None) => self.verify(recipient),
            Err(outcome) => outcome,
        }
    }

    /// Where mail for this recipient would end, aliases expanded; nothing is written, and no `.forward` is read.
    ///
    /// # Errors
    /// The outcome when that cannot be told.
    pub fn endings(&self, recipient: &Address) -> Result<Vec<Ending>, Outcome> {
        let (facts, been) = (Facts::default(), Been::default());
        let expansion = self.expander(&facts, &Nothing, &been).expand(recipient, None)?;
        let of_leaf = |leaf: &Leaf| {
            let (target, outcome) = match &leaf.end {
                End::User(name) | End::Mailbox(name) => return self.ending_of_user(name),
                End::Address(address) => (address.to_string(), sent(format!("forwards to {address}"))),
                End::Command(text, _) => (format!("|{text}"), sent(format!("delivers to command: {text}"))),
                End::File(path, _) => (
                    path.display().to_string(),
                    sent(format!("delivers to file: {}", path.display())),
                ),
                End::Failed(name, outcome) => (name.clone(), outcome.clone()),
            };
            Ending {
                target,
                outcome,
                place: None,
            }
        };
        Ok(expansion.leaves.iter().map(of_leaf).collect())
    }

    fn ending_of_user(&self, name: &str) -> Ending {
        let (outcome, place) = match self.directory.user(name) {
            Ok(Some(user)) => {
                let place = mailbox::place_of(&user.name, user.home.as_deref(), &self.settings);
                let is_maildir = matches!(place, Ok(Place::Maildir(_)));
                (delivers(is_maildir), place.ok().map(|place| place.to_string()))
            }
            Ok(None) => (unknown_user(name), None),
            Err(why) => (interrupted(why), None),
        };
        Ending {
            target: name.to_owned(),
            outcome,
            place,
        }
    }

    fn expander<'a>(&'a self, facts: &'a Facts, content: &'a dyn Content, been: &'a Been) -> Expander<'a> {
        Expander {
            aliases: &self.aliases,
            directory: &*self.directory,
            settings: &self.settings,
            agents: (&*self.agents, content),
            facts,
            been,
        }
    }

    /// What is known of the message and of its recipient, before aliases.
    fn facts(&self, job: &Job<'_>, of: &Address) -> Facts {
        let of = match expansion::mailbox_of(of) {
            Some(name) => Address::new(name, of.domain().cloned()),
            None => of.clone(),
        };
        let delivered_to = match of.domain() {
            Some(_) => of.to_string(),
            None => format!("{of}@{}", self.settings.myhostname),
        };
        Facts {
            sender: job.sender.cloned(),
            delivered_to,
            original: job.recipient.original.to_string(),
            client: job.client.clone(),
            ..Facts::default()
        }
    }

    /// The transport that a table names for a user, else the setting's.
    ///
    /// # Errors
    /// The outcome when a table cannot be asked.
    fn transport(&self, tables: &Tables, setting: &str, user: &str) -> Result<Option<String>, Outcome> {
        let found = tables.lookup(user);
        let found = found.map_err(|_| lookup_failed())?;
        Ok(found
            .or_else(|| Some(setting.to_owned()))
            .filter(|transport| !transport.is_empty()))
    }
}

impl Round<'_> {
    fn leaves(&mut self, expansion: Expansion, again: Option<&again::Again>) {
        let mut was_there = false;
        for leaf in expansion.leaves {
            let name = digest(&leaf.name());
            if again.is_some_and(|again| again.leaf != name) {
                continue;
            }
            was_there = true;
            let target = again.and_then(|again| again.target.as_deref());
            self.leaf(leaf, &name, target);
        }
        if again.is_some() && !was_there {
            let text = format!(
                "the alias {} no longer names what this message waited for",
                self.of
            );
            let mark = self.mark("", &self.of);
            self.part(&mark, bounced(StatusCode::permanent(3, 0), text));
        }
    }

    fn leaf(&mut self, leaf: Leaf, name: &str, target: Option<&str>) {
        let facts = self.facts_at(&leaf);
        let mark = self.mark(name, &leaf.at);
        let outcome = match leaf.end {
            End::Address(address) => return self.forward(address, leaf.owner),
            End::Failed(_, outcome) => outcome,
            End::Command(text, actor) => {
                let target = digest(&format!("|{text}"));
                self.act((&actor, &target), facts, Work::Command(text))
            }
            End::File(path, actor) => {
                let target = digest(&path.display().to_string());
                self.act((&actor, &target), facts, Work::File(path))
            }
            End::User(user) => {
                let stages = match target {
                    Some(target) => Stages::Again(target.to_owned()),
                    None => Stages::ForwardThenMailbox,
                };
                return self.user((&user, stages), facts, &mark);
            }
            End::Mailbox(user) => return self.user((&user, Stages::Mailbox), facts, &mark),
        };
        self.part(&mark, outcome);
    }

    /// How a target is called when it is tried again, and in the log: by the address whose expansion named it.
    fn mark(&self, name: &str, at: &Address) -> Mark {
        let at = match expansion::mailbox_of(at) {
            Some(user) => Address::new(user, at.domain().cloned()),
            None => at.clone(),
        };
        Mark {
            name: name.to_owned(),
            at: crate::qualified(&at, &self.local.settings),
        }
    }

    /// What the target of a leaf is told.
    fn facts_at(&self, leaf: &Leaf) -> Facts {
        let local = self.local;
        let mut facts = facts_of(&leaf.at, (&self.facts, &local.settings), &*local.directory);
        if let Some(sender) = leaf.owner.as_ref().and_then(|owner| owner.sender.clone()) {
            facts.sender = Some(sender);
            facts.original = String::new();
        }
        if !local.settings.frozen_delivered_to {
            facts.delivered_to.clone_from(&facts.recipient);
        }
        facts
    }

    fn act(&mut self, (actor, target): (&Actor, &str), facts: Facts, work: Work) -> Outcome {
        let work = match &actor.list {
            Some(path) => Work::OfInclude {
                path: path.clone(),
                target: Some(target.to_owned()),
            },
            None => work,
        };
        let facts = Facts {
            shell: actor.shell.clone(),
            ..facts
        };
        let report = self
            .local
            .agents
            .perform(&actor.rights, &Task { facts, work }, self.job.content);
        self.warnings.extend(report.warnings);
        report.outcome
    }

    /// Mail for a user: `.forward`, `mailbox_transport`, the mailbox; for nobody, what is set for that.
    fn user(&mut self, (user, stages): (&str, Stages), facts: Facts, mark: &Mark) {
        let local = self.local;
        let found = match local.directory.user(user) {
            Ok(found) => found,
            Err(why) => return self.part(mark, interrupted(why)),
        };
        let transport = local.transport(&local.mailbox_transports, &local.settings.mailbox_transport, user);
        let (found, transport) = match (found, transport) {
            (_, Err(outcome)) => return self.part(mark, outcome),
            (None, Ok(Some(transport))) => {
                let outcome = self.pass(&transport, &facts);
                return self.part(mark, outcome);
            }
            (None, Ok(None)) => return self.unknown(user, &facts, mark),
            (Some(found), Ok(transport)) => (found, transport),
        };
        let stages = match (&transport, stages) {
            (Some(transport), Stages::Mailbox) => {
                let outcome = self.pass(transport, &facts);
                return self.part(mark, outcome);
            }
            (Some(_), Stages::ForwardThenMailbox) => Stages::Forward,
            (_, stages) => stages,
        };
        self.perform(found, stages, facts, (mark, transport.as_deref()));
    }

    fn perform(
        &mut self,
        user: User,
        stages: Stages,
        facts: Facts,
        (mark, transport): (&Mark, Option<&str>),
    ) {
        if user.uid == ROOT {
            let text = format!(
                "mail for {0} waits for an alias, as nothing is delivered as root: add \"{0}: SOMEBODY\" to the alias table and run newaliases",
                user.name
            );
            return self.part(mark, deferred(StatusCode::temporary(3, 5), text));
        }
        let facts = Facts {
            shell: user.shell,
            ..facts
        };
        let mail = UserMail {
            name: user.name.clone(),
            stages,
        };
        let rights = Rights {
            uid: user.uid,
            gid: user.gid,
            // Users that only a userdb knows run no commands.
            kind: if user.login.is_some() {
                Kind::User
            } else {
                Kind::Virtual
            },
            user: user.login,
            home: user.home,
        };
        let task = Task {
            facts,
            work: Work::User(mail),
        };
        let report = self.local.agents.perform(&rights, &task, self.job.content);
        self.warnings.extend(report.warnings);
        let own = |address: &String| again::address(&format!("{}.{address}", mark.name), &self.of);
        self.again.extend(report.again.iter().map(own));
        let (mut is_own, is_forwarded) = (false, !report.forwards.is_empty());
        for address in report.forwards {
            is_own |= self.forward_of_user(&address, &user.name, &task.facts);
        }
        if let (Next::Mailbox, Some(transport)) = (report.next, transport) {
            let outcome = self.pass(transport, &task.facts);
            return self.part(mark, outcome);
        }
        if report.done.is_empty() && !is_forwarded && report.next == Next::Nothing {
            self.part(mark, report.outcome);
        } else {
            self.part_of(mark, report.outcome);
            report
                .done
                .into_iter()
                .for_each(|outcome| self.tell(&mark.at, outcome));
        }
        if is_own || report.next == Next::MailboxToo {
            self.own_mailbox((&rights, &user.name), &task.facts, (mark, transport));
        }
    }

    /// The mailbox that a user's `.forward` names among others; what cannot be written now waits by itself.
    fn own_mailbox(
        &mut self,
        (rights, user): (&Rights, &str),
        facts: &Facts,
        (mark, transport): (&Mark, Option<&str>),
    ) {
        let outcome = match transport {
            Some(transport) => self.pass(transport, facts),
            None => {
                let mail = UserMail {
                    name: user.to_owned(),
                    stages: Stages::Mailbox,
                };
                let task = Task {
                    facts: facts.clone(),
                    work: Work::User(mail),
                };
                let report = self.local.agents.perform(rights, &task, self.job.content);
                self.warnings.extend(report.warnings);
                report.outcome
            }
        };
        if is_final(&outcome) {
            let mark = self.mark("", &mark.at);
            return self.part(&mark, outcome);
        }
        let domain = self.of.domain().cloned();
        self.again.push(Address::new(&format!("\\{user}"), domain));
    }

    /// Whether it is the mailbox of the user himself; if not, it is queued for. An address of a `.forward`: aliases are followed at once, as local(8) does; everything else is queued anew.
    fn forward_of_user(&mut self, address: &Address, user: &str, facts: &Facts) -> bool {
        let owner = Owner {
            name: user.to_owned(),
            sender: None,
        };
        let local = self.local;
        let is_local = address
            .domain()
            .is_none_or(|domain| local.directory.is_local(domain) == Ok(true));
        let full = crate::qualified(address, &local.settings);
        if is_local && self.been.at(&full.to_string()) {
            let mark = self.mark("", &full);
            self.part(&mark, looped(&full.to_string()));
            return false;
        }
        let expanded = is_local
            .then(|| {
                local
                    .expander(facts, self.job.content, self.been)
                    .expand(address, Some(owner.clone()))
            })
            .and_then(Result::ok);
        // What acts, or is the user himself, keeps its way through the queue: the loop check ends it there.
        let is_plain = |expansion: &Expansion| {
            !expansion.leaves.is_empty()
                && expansion
                    .leaves
                    .iter()
                    .all(|leaf| matches!(leaf.end, End::Address(_)))
        };
        match expanded.filter(is_plain) {
            Some(expansion) => {
                for leaf in expansion.leaves {
                    if let End::Address(address) = leaf.end {
                        self.forward(address, leaf.owner);
                    }
                }
            }
            None if is_local && is_named(address, user, facts) => return true,
            None => self.forward(address.clone(), Some(owner)),
        }
        false
    }

    /// Nobody of that name: `fallback_transport`, `luser_relay`, the sender.
    fn unknown(&mut self, user: &str, facts: &Facts, mark: &Mark) {
        let local = self.local;
        let settings = &local.settings;
        match local.transport(&local.fallback_transports, &settings.fallback_transport, user) {
            Err(outcome) => return self.part(mark, outcome),
            Ok(Some(transport)) => {
                let outcome = self.pass(&transport, facts);
                return self.part(mark, outcome);
            }
            Ok(None) => {}
        }
        if !settings.luser_relay.is_empty() && !self.is_caught {
            // Who is unknown has no home, and an extension that is not there is nothing here, not a reason to give up.
            let facts = &Facts {
                extension: Some(facts.extension.clone().unwrap_or_default()),
                ..facts.clone()
            };
            let home = Some(Path::new(""));
            let text = crate::command::expanded(&settings.luser_relay, facts, home, (settings, None));
            return match text.and_then(|text| Address::parse(&text).ok()) {
                Some(relay) => self.catch(relay, facts, mark),
                None => self.part(mark, unknown_user(user)),
            };
        }
        if ["postmaster", "mailer-daemon"]
            .iter()
            .any(|special| user.eq_ignore_ascii_case(special))
        {
            let name = user.to_lowercase();
            self.warnings.push(format!("required alias not found: {name}"));
            return self.part(mark, sent("discarded"));
        }
        self.part(mark, unknown_user(user));
    }

    /// Delivers to `luser_relay`: on this host at once, elsewhere through the queue.
    fn catch(&mut self, relay: Address, facts: &Facts, mark: &Mark) {
        let local = self.local;
        let domain = relay.domain();
        match domain.map_or(Ok(true), |domain| local.directory.is_local(domain)) {
            Err(why) => return self.part(mark, deferred(StatusCode::temporary(3, 0), why)),
            Ok(false) => return self.forward(relay, None),
            Ok(true) => {}
        }
        match local
            .expander(facts, self.job.content, self.been)
            .expand(&relay, None)
        {
            Ok(expansion) => {
                self.warnings.extend(expansion.warnings.iter().cloned());
                let domain = relay.domain().or(self.of.domain()).cloned();
                let caught = std::mem::replace(&mut self.of, relay.at(domain));
                self.is_caught = true;
                self.leaves(expansion, None);
                self.is_caught = false;
                self.of = caught;
            }
            Err(outcome) => self.part(mark, outcome),
        }
    }

    fn pass(&self, transport: &str, facts: &Facts) -> Outcome {
        let (transport, next_hop) = transport.split_once(':').unwrap_or((transport, ""));
        let Ok(address) = Address::parse(&facts.recipient) else {
            return bounced(StatusCode::permanent(1, 3), "bad address syntax");
        };
        if transport == "local" {
            let text = format!("mail for {} loops back to the local transport", facts.recipient);
            return deferred(StatusCode::temporary(4, 6), text);
        }
        let recipient = Recipient {
            address,
            ..self.job.recipient.clone()
        };
        self.job.transports.pass(transport, next_hop, &recipient)
    }

    /// Notes what became of a target, for the log too.
    fn part(&mut self, mark: &Mark, outcome: Outcome) {
        self.tell(&mark.at, outcome.clone());
        self.part_of(mark, outcome);
    }

    fn part_of(&mut self, mark: &Mark, outcome: Outcome) {
        self.parts.push((again::address(&mark.name, &self.of), outcome));
    }

    fn tell(&mut self, at: &Address, outcome: Outcome) {
        let list = match is_final(&outcome) {
            true => &mut self.told,
            false => &mut self.waiting,
        };
        list.push((at.clone(), outcome));
    }

    /// Queues for an address, with others of the same list.
    fn forward(&mut self, address: Address, owner: Option<Owner>) {
        let sender = owner.and_then(|owner| owner.sender);
        let address = crate::qualified(&address, &self.local.settings);
        if let Some(group) = self.forwards.iter_mut().find(|group| group.sender == sender) {
            if !group.recipients.contains(&address) {
                group.recipients.push(address);
            }
            return;
        }
        let wanted = &self.local.settings.prepend_delivered_header;
        let is_wanted = wanted.iter().any(|word| word.eq_ignore_ascii_case("forward"));
        self.forwards.push(Forward {
            keeps_original: sender.is_none(),
            sender,
            recipients: vec![address],
            header: match is_wanted {
                true => format!("Delivered-To: {}\n", self.facts.delivered_to),
                false => String::new(),
            },
        });
    }

    fn finish(mut self) -> Delivery {
        let is_begun = !self.forwards.is_empty() || !self.again.is_empty();
        let is_empty = self.parts.is_empty();
        let (outcome, names) = sum(self.parts, is_begun);
        let mut outcome = match is_empty {
            true if is_begun => sent("forwarded"),
            _ => outcome,
        };
        self.again.extend(names);
        if !self.again.is_empty() {
            self.forwards.push(Forward {
                sender: None,
                recipients: self.again,
                header: String::new(),
                keeps_original: true,
            });
        } else {
            self.told.append(&mut self.waiting);
        }
        let recipient = crate::qualified(&self.of, &self.local.settings);
        let is_bounced = |(_, outcome): &&(Address, Outcome)| outcome.result == DeliveryResult::Bounced;
        let bounced: Vec<&(Address, Outcome)> = self.told.iter().filter(is_bounced).collect();
        if bounced.len() > 1 || bounced.iter().any(|(at, _)| *at != recipient) {
            outcome.detail.targets = bounced.into_iter().cloned().collect();
        }
        Delivery {
            alias: self.alias,
            outcome,
            recipient,
            told: self.told,
            forwards: self.forwards,
            warnings: self.warnings,
        }
    }
}

/// A target.
struct Mark {
    /// What it is called when it is tried again ([`digest`]).
    name: String,
    /// The address that the log has for it.
    at: Address,
}

/// Whether an address of a user's `.forward` is the user himself.
fn is_named(address: &Address, user: &str, facts: &Facts) -> bool {
    address.local().eq_ignore_ascii_case(user) || address.local().eq_ignore_ascii_case(&facts.local)
}

fn unreadable(error: &std::io::Error) -> Outcome {
    let text = format!("cannot read queued message: {}", os::words(error));
    deferred(StatusCode::temporary(3, 0), text)
}

fn unknown_user(name: &str) -> Outcome {
    bounced(StatusCode::permanent(1, 1), format!("unknown user: \"{name}\""))
}

/// No message.
struct Nothing;

impl Content for Nothing {
    fn size_bytes(&self) -> u64 {
        0
    }

    fn reader(&self) -> Box<dyn std::io::Read + '_> {
        Box::new(std::io::empty())
    }
}
/// What local(8) and virtual(8) say of a mailbox that they would write.
fn delivers(is_maildir: bool) -> Outcome {
    sent(match is_maildir {
        true => "delivers to maildir",
        false => "delivers to mailbox",
    })
}
