//! The supervisor: starts the roles as processes, starts them again when they end, says who may act as whom, and passes
//! sockets between them. It parses no mail and speaks no protocol of the network.
//!
//! One task holds everything ([`Supervisor`]); each child has another one that carries frames ([`child`]).

mod agents;
mod child;
mod lone;
mod mail_spool;
mod reloading;
mod restarts;
mod room;
mod sessions;
mod table_files;

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use config::{Loaded, Severity};
use ipc::control::Haste;
use ipc::enclosed;
use ipc::roles::{Answer, Asker, AuthSocket, Begin, Identity, Message, Order, Question};
use maillog::Log;
use os::service_manager::{self, News};
use os::users::User;
use queue::Spool;
use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::auth_sockets::AuthSockets;
use crate::identity::{self, Policy};
use crate::listeners::{self, Bound};
use crate::pid_files::PidFiles;
use crate::roles::{Role, Slice};
use crate::running::GRACE;
use crate::signals::Signals;
use crate::snapshot::Snapshot;
use crate::start::{self, Offer, Start, base_dir, load};
use crate::table_files::{Asker as TableAsker, TableFiles};
use crate::{announcements, log_files, root_alias};
use agents::{Agents, What};
use child::{Child, Event};
use lone::Lone;
pub use lone::serve_one;
use mail_spool::{MailSpool, Place};
use restarts::Restarts;
use sessions::Sessions;

/// How long a graceful stop may take in all: what the roles allow themselves, and a little.
const STOP_PATIENCE: Duration = GRACE.saturating_mul(2);

/// As many descriptors every process may open, whatever else its limit is.
const DESCRIPTORS_EVERYWHERE: u64 = 256;

/// A system that is about to run: configured and bound.
pub struct Ready {
    start: Start,
    loaded: Loaded,
    snapshot: Snapshot,
    bound: Vec<Bound>,
    log: Log,
    front_user: User,
    pid_files: PidFiles,
    lone: Option<Lone>,
}

/// Reads the configuration, binds, opens the log, gives the queue to whom it will belong.
///
/// # Errors
/// The first thing that makes running impossible. Problems of the configuration were told to `tell`, all of them.
pub fn prepare(start: Start, tell: &mut dyn FnMut(&str)) -> Result<Ready> {
    let described = start.clone();
    prepare_here(start, tell).inspect_err(|error| announcements::failed(&described, error))
}

fn prepare_here(start: Start, tell: &mut dyn FnMut(&str)) -> Result<Ready> {
    let (loaded, wanted) = start::begin(&start, tell)?;
    let serves_mta = start.config_directory.is_some();
    if serves_mta {
        Spool::check_unused(&loaded.postfix.queue_directory, &world::World::real())?;
    }
    identity::check(&loaded, serves_mta)?;
    let front_user = identity::front_user(&loaded, serves_mta)?;
    let mut inherited = service_manager::inherited_listeners();
    let bound = listeners::bind(wanted, &mut inherited)?;
    listeners::tell_unwanted(inherited, tell);
    let log = log_files::of(&loaded, serves_mta)?;
    let snapshot = Snapshot::of(&loaded)?;
    // What makes no sense is told now, not by a process that cannot start.
    crate::certificates::Certificates::of(&snapshot.keys)?;
    if serves_mta {
        root_alias::complaint(&loaded).iter().for_each(|text| tell(text));
        identity::give_queue(&loaded.postfix, &front_user)?;
        let told = identity::give_data(&loaded.postfix, &front_user);
        told.iter().for_each(|text| tell(text));
    }
    let pid_files = PidFiles::open_as_root(base_dir(&loaded));
    Ok(Ready {
        start,
        loaded,
        snapshot,
        bound,
        log,
        front_user,
        pid_files,
        lone: None,
    })
}

impl Ready {
    /// The ports that are bound, each with what it is for.
    pub fn ports(&self) -> Vec<(Offer, u16)> {
        start::ports(&self.bound, &self.loaded)
    }

    /// Runs until a signal or a command says stop.
    ///
    /// # Errors
    /// What went wrong after all.
    pub fn run(self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let log = self.log.clone();
        let done = runtime.block_on(self.run_here());
        if let Err(error) = &done {
            log.write(&announcements::fatal(&os::with_causes(error.as_ref())));
        }
        log.flush();
        done
    }

    async fn run_here(self) -> Result<()> {
        let Ready {
            start,
            loaded,
            snapshot,
            bound,
            log,
            front_user,
            mut pid_files,
            lone,
        } = self;
        let is_lone = lone.is_some();
        let signals = Signals::listen()?;
        let (sender, events) = unbounded_channel();
        if !is_lone {
            announcements::started(&start, &loaded, &log);
        }
        let queue_directory = start
            .config_directory
            .is_some()
            .then_some(loaded.postfix.queue_directory.as_path());
        // What it is by now.
        let descriptors = os::limits::raise_open_files(0).unwrap_or(DESCRIPTORS_EVERYWHERE);
        let mut supervisor = Supervisor {
            policy: Policy::of(&snapshot, &front_user),
            table_files: TableFiles::of(&snapshot),
            start,
            snapshot,
            bound,
            log,
            front_user,
            sender,
            last_id: 0,
            front: None,
            auth: None,
            restarts: HashMap::new(),
            agents: Agents::for_descriptors(descriptors),
            sessions: Sessions::default(),
            mail_spool: MailSpool::default(),
            auth_sockets: AuthSockets::default(),
            runners: HashMap::new(),
            stopping: None,
            lone,
        };
        let dovecot = supervisor.snapshot.dovecot.as_ref();
        supervisor.auth_sockets.bind(dovecot, &supervisor.log);
        supervisor.start_role(Role::Auth)?;
        supervisor.start_role(Role::Front)?;
        if !is_lone {
            let directory = supervisor.start.config_directory.as_deref();
            pid_files.write(queue_directory, base_dir(&loaded), directory);
        }
        let stopped = supervisor.work(signals, events).await;
        drop(pid_files);
        stopped
    }
}

/// Everything that the supervisor knows.
struct Supervisor {
    start: Start,
    snapshot: Snapshot,
    policy: Policy,
    table_files: TableFiles,
    /// The ports stay open here: a front that is started again serves on.
    bound: Vec<Bound>,
    log: Log,
    front_user: User,
    sender: UnboundedSender<Event>,
    last_id: u64,
    front: Option<Child>,
    auth: Option<Child>,
    restarts: HashMap<Role, Restarts>,
    agents: Agents,
    sessions: Sessions,
    mail_spool: MailSpool,
    /// Other programs find them open while the auth role is started again.
    auth_sockets: AuthSockets,
    /// Processes that run one command each: they end by themselves.
    runners: HashMap<u64, Child>,
    stopping: Option<Haste>,
    /// When all of this is for one client.
    lone: Option<Lone>,
}

impl Supervisor {
    async fn work(&mut self, mut signals: Signals, mut events: UnboundedReceiver<Event>) -> Result<()> {
        let watchdog = service_manager::watchdog_interval();
        let mut alive = tokio::time::interval(watchdog.unwrap_or(Duration::from_secs(3600)));
        while self.stopping.is_none() && !self.lone_client_has_left() {
            tokio::select! {
                _ = alive.tick(), if watchdog.is_some() => service_manager::tell(News::Alive),
                event = events.recv() => match event {
                    Some(event) => self.take(event),
                    None => break,
                },
                _ = signals.hangup.recv() => drop(self.reload()),
                _ = signals.reopen.recv() => self.reopen_log(),
                _ = signals.terminate.recv() => self.stopped_by(SignalKind::terminate()),
                _ = signals.interrupt.recv() => self.stopped_by(SignalKind::interrupt()),
            }
        }
        self.stop(&mut events).await
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Heard(id, message, descriptors) => self.hear(id, message, descriptors),
            Event::Ended(id, how) => self.ended(id, &how),
            Event::StartAgain(role) => {
                if let Err(error) = self.start_role(role) {
                    self.log.error("master", &os::with_causes(error.as_ref()));
                    self.start_later(role);
                }
            }
            Event::WaitedEnough(number) => self.give_up(number),
        }
    }

    fn hear(&mut self, id: u64, message: Message, descriptors: Vec<OwnedFd>) {
        let is_front = self.front.as_ref().is_some_and(|front| front.id == id);
        let is_auth = self.auth.as_ref().is_some_and(|auth| auth.id == id);
        match message {
            Message::Question { number, question } if is_front => {
                self.answer_front(id, number, question, descriptors);
            }
            Message::Question { number, question } => self.answer_agent(id, number, &question),
            Message::Redeemed { number, account } if is_auth => self.redeemed(number, account),
            Message::Errand => self.run_errand(id, descriptors),
            Message::Idle { orders } => {
                self.agents.leave(id, orders);
            }
            // Ports are open, and the queue is read.
            Message::Up if is_front => {
                service_manager::tell(News::Ready);
                self.pass_lone_client();
            }
            Message::Failed(why) => self.tell_of_failure(id, &why),
            Message::ClientLeft if is_front => self.lone.iter_mut().for_each(Lone::left),
            Message::Redeemed { .. } | Message::Up | Message::ClientLeft => {}
        }
    }

    fn tell_of_failure(&mut self, id: u64, why: &str) {
        let runner = self.runners.get(&id).map(|runner| (runner.role, runner.pid));
        let mut others = self.everybody();
        let known = runner.or_else(|| {
            others
                .find(|child| child.id == id)
                .map(|child| (child.role, child.pid))
        });
        drop(others);
        if let Some((role, pid)) = known {
            let text = format!("process {pid} of role {} cannot serve: {why}", role.name());
            self.log.warning("master", &text);
        }
    }

    fn answer_front(&mut self, id: u64, number: u64, question: Question, descriptors: Vec<OwnedFd>) {
        let (answer, descriptors) = match question {
            Question::Deliveries(whose) => return self.want((id, number), whose, What::Deliveries),
            Question::Session { .. } => return self.ask_whose(number, question, descriptors),
            Question::OpenTable(path) => self.open_table(TableAsker::Front, &path),
            Question::Reload => (
                self.reload().map_or_else(Answer::Refused, |()| Answer::Done),
                Vec::new(),
            ),
            Question::Stop(haste) => {
                self.stopping = Some(haste);
                (Answer::Done, Vec::new())
            }
            Question::CreateMailbox(_) | Question::LockMailbox(_) | Question::UnlockMailbox(_) => (
                Answer::Refused("only an agent may ask that".to_owned()),
                Vec::new(),
            ),
        };
        self.answer(id, number, answer, descriptors);
    }

    /// Answers a question of the front, if it is still the same process.
    fn answer(&mut self, id: u64, number: u64, answer: Answer, descriptors: Vec<OwnedFd>) {
        if let Some(front) = self.front.as_mut().filter(|front| front.id == id) {
            front.order(&Order::Answer { number, answer }, descriptors);
        }
    }

    fn answer_agent(&mut self, id: u64, number: u64, question: &Question) {
        if let Question::OpenTable(path) = question {
            let (answer, descriptors) = self.open_table(TableAsker::Agent, path);
            if let Some((agent, _)) = self.agents.find(id) {
                agent.order(&Order::Answer { number, answer }, descriptors);
            }
            return;
        }
        let Some((agent, whose)) = self.agents.find(id) else {
            return;
        };
        let settings = &self.snapshot.postfix;
        let place = Place {
            directory: &settings.mail_spool_directory,
            stale_after: settings.stale_lock_time,
        };
        let answer = self.mail_spool.answer(question, id, &whose.identity, &place);
        agent.order(&Order::Answer { number, answer }, Vec::new());
    }

    /// Starts the process that runs one command for an agent, with that agent's identity.
    fn run_errand(&mut self, id: u64, descriptors: Vec<OwnedFd>) {
        let Some((_, whose)) = self.agents.find(id) else {
            return;
        };
        if whose.kind == ipc::roles::Kind::Virtual {
            let text = format!(
                "an agent of uid {} asks for a command: virtual users have none",
                whose.identity.uid
            );
            self.log.error("master", &text);
            return;
        }
        // A command has its user's own group and no other, as local(8)'s have.
        let identity = Identity {
            user: None,
            ..whose.identity.clone()
        };
        match self.start_child(Role::Runner, identity, descriptors) {
            Ok(runner) => drop(self.runners.insert(runner.id, runner)),
            Err(error) => self.log.error("master", &os::with_causes(error.as_ref())),
        }
    }

    /// A child is gone.
    fn ended(&mut self, id: u64, how: &str) {
        if self.runners.remove(&id).is_some() {
            return;
        }
        let role = if self.front.as_ref().is_some_and(|front| front.id == id) {
            self.front = None;
            self.agents.nobody_waits();
            Role::Front
        } else if self.auth.as_ref().is_some_and(|auth| auth.id == id) {
            self.auth = None;
            self.refuse_sessions("the auth service ended");
            Role::Auth
        } else {
            let settings = &self.snapshot.postfix;
            let place = Place {
                directory: &settings.mail_spool_directory,
                stale_after: settings.stale_lock_time,
            };
            self.mail_spool.ended(id, &place);
            if let Some(agent) = self.agents.ended(id)
                && self.stopping.is_none()
            {
                let text = format!("process {} of role agent: {how}", agent.pid);
                self.log.warning("master", &text);
            }
            self.serve_waiting();
            return;
        };
        if self.stopping.is_none() {
            self.log
                .warning("master", &format!("process of role {}: {how}", role.name()));
            self.start_later(role);
        }
    }

    /// Starts a role that ended, at once or after a pause.
    fn start_later(&mut self, role: Role) {
        let pause = self.restarts.entry(role).or_default().ended(Instant::now());
        if !pause.is_zero() {
            let text = format!(
                "role {} ended early: started again in {:.1} s",
                role.name(),
                pause.as_secs_f32()
            );
            self.log.warning("master", &text);
        }
        let sender = self.sender.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            // The supervisor may have ended meanwhile.
            let _ = sender.send(Event::StartAgain(role));
        });
    }

    /// Starts the front or the auth role, and tells each of the other.
    fn start_role(&mut self, role: Role) -> Result<()> {
        let identity = match role {
            Role::Front => identity_of(&self.front_user),
            _ => self.auth_identity()?,
        };
        let child = self.start_child(role, identity, Vec::new())?;
        self.restarts.entry(role).or_default().started(Instant::now());
        match role {
            Role::Front => self.front = Some(child),
            _ => self.auth = Some(child),
        }
        if role == Role::Auth {
            self.pass_auth_sockets();
        }
        self.introduce()
    }

    /// Tells the auth role on which sockets other programs ask.
    fn pass_auth_sockets(&mut self) {
        if let Some(auth) = &mut self.auth {
            let sockets = self.auth_sockets.to_pass().into_iter();
            let (named, descriptors) = sockets
                .map(|socket| {
                    let (path, kind) = (socket.path, socket.kind);
                    (AuthSocket { path, kind }, OwnedFd::from(socket.listener))
                })
                .unzip();
            auth.order(&Order::AuthSockets(named), descriptors);
        }
    }

    /// A new channel between the front and the auth role, when both are there.
    fn introduce(&mut self) -> Result<()> {
        if let (Some(front), Some(auth)) = (&mut self.front, &mut self.auth) {
            let (asks, answers) = UnixStream::pair().context("cannot make a socket")?;
            auth.order(&Order::Asker(Asker::Front), vec![answers.into()]);
            front.order(&Order::Asker(Asker::Front), vec![asks.into()]);
        }
        Ok(())
    }

    /// As whom passwords are verified.
    fn auth_identity(&self) -> Result<Identity> {
        let user = match &self.snapshot.dovecot {
            None => Some(self.front_user.clone()),
            Some(dovecot) => identity::auth_user(dovecot)?,
        };
        let root = Identity {
            uid: 0,
            gid: 0,
            user: None,
        };
        Ok(user.map_or(root, |user| identity_of(&user)))
    }

    /// Starts a process and tells it how to begin.
    fn start_child(&mut self, role: Role, identity: Identity, mut more: Vec<OwnedFd>) -> Result<Child> {
        self.last_id += 1;
        let mut child = Child::start(role, &identity, self.last_id, &self.sender)?;
        let mut descriptors = Vec::new();
        let log_files = match role {
            Role::Runner => Vec::new(),
            _ => {
                descriptors.push(enclosed::enclose(&self.slice(role, &self.snapshot))?);
                self.log_files(&mut descriptors)?
            }
        };
        let mut ports = Vec::new();
        if role == Role::Front {
            for bound in &self.bound {
                descriptors.push(bound.socket.as_fd().try_clone_to_owned()?);
                ports.push(reloading::port(bound));
            }
        }
        descriptors.append(&mut more);
        let begin = Begin {
            identity,
            log_files,
            ports,
            supervisor: std::process::id(),
        };
        child.begin(begin, descriptors)?;
        Ok(child)
    }

    /// What `role` sees of `snapshot`.
    fn slice(&self, role: Role, snapshot: &Snapshot) -> Slice {
        let snapshot = match role {
            Role::Front => snapshot.for_front(),
            Role::Auth => snapshot.for_auth(),
            Role::Agent(_) | Role::Runner => snapshot.for_agent(),
        };
        Slice {
            snapshot,
            scale: self.start.scale,
            serves_mta: self.start.config_directory.is_some(),
            kind: match role {
                Role::Agent(kind) => Some(kind),
                _ => None,
            },
        }
    }

    /// The log's files, opened for a child.
    fn log_files(&self, descriptors: &mut Vec<OwnedFd>) -> Result<Vec<PathBuf>> {
        let files = log_files::files(&self.snapshot.postfix, self.snapshot.dovecot.as_ref())?;
        let (paths, files): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        descriptors.extend(files.into_iter().map(OwnedFd::from));
        Ok(paths)
    }

    /// Everybody but the runners.
    fn everybody(&mut self) -> impl Iterator<Item = &mut Child> {
        self.front
            .iter_mut()
            .chain(self.auth.iter_mut())
            .chain(self.agents.all())
    }

    fn reopen_log(&mut self) {
        self.log.reopen();
        let files = log_files::files(&self.snapshot.postfix, self.snapshot.dovecot.as_ref());
        match files {
            Err(error) => self.log.error(
                "master",
                &format!("the old log files stay: {}", os::with_causes(error.as_ref())),
            ),
            Ok(files) => {
                for child in self.everybody() {
                    let copies = files.iter().filter_map(|(_, file)| file.try_clone().ok());
                    let copies = copies.map(OwnedFd::from).collect();
                    child.order(&Order::LogFiles, copies);
                }
            }
        }
    }

    /// Reads the configuration again; the old one stays when the new one has errors.
    fn reload(&mut self) -> Result<(), String> {
        service_manager::tell(News::Reloading);
        let done = self.try_reload();
        service_manager::tell(News::Ready);
        if let Err(why) = &done {
            self.log.error("master", why);
        }
        done
    }

    fn try_reload(&mut self) -> Result<(), String> {
        let loaded = load(&self.start);
        if loaded.has_errors() {
            let mistakes = loaded
                .problems
                .iter()
                .filter(|problem| problem.severity == Severity::Error);
            let mistakes: Vec<String> = mistakes.map(ToString::to_string).collect();
            return Err(format!(
                "the configuration has errors, the old one stays: {}",
                mistakes.join("; ")
            ));
        }
        let stays = |error: anyhow::Error| {
            format!("the old configuration stays: {}", os::with_causes(error.as_ref()))
        };
        self.check(&loaded).map_err(stays)?;
        let mut snapshot = Snapshot::of(&loaded).map_err(stays)?;
        crate::certificates::Certificates::of(&snapshot.keys).map_err(stays)?;
        let queue = &self.snapshot.postfix.queue_directory;
        let queue_moves = snapshot.postfix.queue_directory != *queue;
        snapshot.keep_queue(queue);
        let rebinding = reloading::Rebinding::of(&loaded, &self.bound).map_err(stays)?;
        // From here on nothing fails: what everybody is to be told is wrapped up.
        let letters = self.letters(&snapshot, &rebinding).map_err(stays)?;
        if snapshot.postfix.mail_owner != self.snapshot.postfix.mail_owner {
            self.log
                .warning("master", "mail_owner has changed: it is heeded at the next start");
        }
        if queue_moves {
            self.log.warning(
                "master",
                "queue_directory has changed: it is heeded at the next start",
            );
        }
        self.bound = rebinding.done(std::mem::take(&mut self.bound));
        self.policy = Policy::of(&snapshot, &self.front_user);
        self.table_files = TableFiles::of(&snapshot);
        self.snapshot = snapshot;
        self.reopen_log();
        self.post(letters);
        self.auth_sockets.bind(self.snapshot.dovecot.as_ref(), &self.log);
        self.pass_auth_sockets();
        announcements::reloaded(&self.start, &loaded, &self.log);
        Ok(())
    }

    fn stopped_by(&mut self, signal: SignalKind) {
        announcements::terminating(
            &self.start,
            self.snapshot.dovecot.is_some(),
            signal.as_raw_value(),
            &self.log,
        );
        self.stopping = Some(Haste::Graceful);
    }

    /// Tells everybody and waits until they have gone. Who stays longer than that is ended with this process: nobody goes on
    /// without a supervisor.
    async fn stop(&mut self, events: &mut UnboundedReceiver<Event>) -> Result<()> {
        service_manager::tell(News::Stopping);
        let haste = self.stopping.unwrap_or(Haste::Graceful);
        if let Some(front) = &mut self.front {
            front.order(&Order::Stop(haste), Vec::new());
        }
        for agent in self.agents.all() {
            agent.order(&Order::Stop(haste), Vec::new());
        }
        self.refuse_waiting("the mail system stops");
        let mut front_failed = None;
        let everybody_gone = async {
            while self.front.is_some() || !self.agents.is_empty() || self.auth.is_some() {
                // Deliveries may still ask who somebody is.
                if self.front.is_none()
                    && let Some(auth) = &mut self.auth
                {
                    auth.order(&Order::Stop(haste), Vec::new());
                }
                match events.recv().await {
                    Some(Event::Ended(id, how)) => {
                        let is_front = self.front.as_ref().is_some_and(|front| front.id == id);
                        if is_front && how != "exit status 0" {
                            front_failed = Some(how.clone());
                        }
                        self.ended(id, &how);
                    }
                    Some(Event::Heard(id, message, descriptors)) => self.hear(id, message, descriptors),
                    Some(Event::StartAgain(_) | Event::WaitedEnough(_)) => {}
                    None => break,
                }
            }
        };
        if tokio::time::timeout(STOP_PATIENCE, everybody_gone).await.is_err() {
            self.log.warning("master", "not everybody has gone in time");
        }
        match front_failed {
            Some(how) => bail!("the front did not end well ({how}): see the log"),
            None => Ok(()),
        }
    }
}

fn identity_of(user: &User) -> Identity {
    Identity {
        uid: user.uid,
        gid: user.gid,
        user: Some(user.name.clone()),
    }
}
