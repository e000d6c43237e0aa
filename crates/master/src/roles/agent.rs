//! The agent role: deliveries and mailbox sessions with the rights of one uid. It ends when nobody needs it for a while.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use agent::farewell::Farewell;
use agent::stores::{MailSpool, Stores};
use agent::{Saver, Sessions};
use anyhow::{Context, Result};
use auth::Ticket;
use deliver_local::pipe::Pipes;
use deliver_local::task::{Command, End, Exit, Report, Rights, Runner, Save, Task, Work};
use deliver_local::{Content, Hands};
use envelope::{DeliveryResult, StatusCode};
use ipc::channel::{Inbox, halves};
use ipc::control::Haste;
use ipc::deliveries::Delivery;
use ipc::errand::{Errand, Outcome};
use ipc::roles::{Answer, Kind, Message, Order, Question, Session, Whose};
use maillog::Log;
use os::locks::Tries;
use serve::Link;
use serve::handover::Handover;
use settings::Dovecot;
use store_mbox::keeper::Keeper;

use super::line::Line;
use super::{Begun, Slice};
use crate::generation::warnings_to;
use crate::running::GRACE;

/// How many deliveries of one front are worked on at a time.
const DELIVERIES_MAX: usize = 32;

/// What the role has.
struct Agent {
    whose: Whose,
    log: Log,
    line: Line,
    stores: Arc<Stores>,
    farewell: Arc<Farewell>,
    services: RwLock<Services>,
    /// Channels of deliveries and sessions that are open.
    busy: AtomicUsize,
    /// How many orders were obeyed.
    taken: AtomicU64,
    /// Others wait for room: it ends as soon as it can.
    makes_room: AtomicBool,
}

/// What the configuration makes of it.
#[derive(Clone)]
struct Services {
    hands: Arc<Hands>,
    sessions: Option<Arc<Sessions>>,
    saver: Option<Arc<Saver>>,
    idle: Duration,
}

pub(super) fn run(begun: Begun, mut inbox: Inbox, line: Line) -> Result<()> {
    let workers = match begun.whose.kind {
        Kind::Virtual => std::thread::available_parallelism().map_or(1, usize::from),
        Kind::User | Kind::Table | Kind::Pipe => 1,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .context("cannot start the threads of the runtime")?;
    let (stores, farewell) = (Arc::default(), Arc::default());
    keep_mail_spool(&stores, &begun.whose, &begun.slice, &line);
    let (sender, orders) = channel();
    let answers = line.clone();
    std::thread::spawn(move || {
        while let Ok(Some((order, descriptors))) = inbox.receive::<Order>() {
            let passed_on = match order {
                Order::Answer { number, answer } => {
                    answers.answered(number, answer, descriptors);
                    Ok(())
                }
                order => sender.send((order, descriptors)),
            };
            if passed_on.is_err() {
                break;
            }
        }
        answers.hung_up();
    });
    // Only now: tables that this role may not open are asked for, and answers are taken in.
    tables::waiting::go_through(serve::waiting::step_aside);
    super::borrowing::borrow_tables(&line);
    let services = Services::of(&begun.slice, &begun.log, &line, &stores, &farewell);
    let agent = Arc::new(Agent {
        whose: begun.whose,
        log: begun.log,
        line: line.clone(),
        stores,
        farewell,
        services: RwLock::new(services),
        busy: AtomicUsize::new(0),
        taken: AtomicU64::new(0),
        makes_room: AtomicBool::new(false),
    });
    line.tell(&Message::Up, Vec::new());
    let haste = agent.work(&orders, &begun.slice, runtime.handle());
    if haste == Haste::Graceful {
        runtime.block_on(agent.farewell.bid(GRACE));
        agent.wait_until_idle(GRACE);
    }
    runtime.shutdown_timeout(Duration::from_millis(100));
    agent.log.flush();
    Ok(())
}

impl Agent {
    /// Does what the supervisor says until it says stop, or is gone.
    fn work(
        self: &Arc<Agent>,
        orders: &Receiver<(Order, Vec<OwnedFd>)>,
        slice: &Slice,
        runtime: &tokio::runtime::Handle,
    ) -> Haste {
        let mut idle_since = Instant::now();
        loop {
            let idle = self.services().idle;
            let (order, mut descriptors) = match orders.recv_timeout(idle) {
                Ok(order) => order,
                Err(RecvTimeoutError::Disconnected) => return Haste::Graceful,
                Err(RecvTimeoutError::Timeout) => {
                    if self.busy.load(Ordering::SeqCst) > 0 {
                        idle_since = Instant::now();
                    } else if idle_since.elapsed() >= idle {
                        self.tell_idle();
                    }
                    continue;
                }
            };
            idle_since = Instant::now();
            if matches!(order, Order::MakeRoom) {
                self.makes_room.store(true, Ordering::SeqCst);
                self.make_room();
                continue;
            }
            match order {
                Order::Asker(_) => descriptors
                    .drain(..)
                    .for_each(|socket| self.deliver_for(UnixStream::from(socket))),
                Order::Session(session) => self.begin_session(*session, descriptors, runtime),
                Order::Reconfigure(_) => match super::open_slice(&mut descriptors) {
                    Ok(slice) => self.reconfigure(&slice),
                    Err(error) => super::tell_unreadable(&self.line, &error),
                },
                Order::LogFiles => super::replace_log_files(&self.log, slice, descriptors),
                Order::Stop(haste) => return haste,
                Order::Begin(_)
                | Order::Client(_)
                | Order::AuthSockets(_)
                | Order::Redeem { .. }
                | Order::MakeRoom
                | Order::Answer { .. } => {}
            }
            // Only now: what it has begun counts as busy before it counts as obeyed.
            self.taken.fetch_add(1, Ordering::SeqCst);
            self.make_room();
        }
    }

    fn reconfigure(&self, slice: &Slice) {
        keep_mail_spool(&self.stores, &self.whose, slice, &self.line);
        let new = Services::of(slice, &self.log, &self.line, &self.stores, &self.farewell);
        *self.services.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// The supervisor, who knows whether there is another order on its way, may say stop then.
    fn tell_idle(&self) {
        let orders = self.taken.load(Ordering::SeqCst);
        self.line.tell(&Message::Idle { orders }, Vec::new());
    }

    /// Says that it is idle, if it is and others wait for that.
    fn make_room(&self) {
        if self.makes_room.load(Ordering::SeqCst) && self.busy.load(Ordering::SeqCst) == 0 {
            self.tell_idle();
        }
    }

    fn services(&self) -> Services {
        self.services
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Answers one front, in threads of its own, until it is gone.
    fn deliver_for(self: &Arc<Agent>, socket: UnixStream) {
        let present = Present::new(self);
        let agent = Arc::clone(self);
        std::thread::spawn(move || {
            let _present = present;
            let log = agent.log.clone();
            let perform = move |delivery: Delivery<Rights, Task>, descriptors: Vec<OwnedFd>| {
                (agent.perform(&delivery, descriptors), Vec::new())
            };
            if let Err(error) = ipc::calls::answer(socket, DELIVERIES_MAX, perform) {
                log.error("local", &format!("the front speaks another language: {error}"));
            }
        });
    }

    fn perform(&self, delivery: &Delivery<Rights, Task>, mut descriptors: Vec<OwnedFd>) -> Report {
        let Delivery { rights, task } = delivery;
        let own = &self.whose.identity;
        let is_own = rights.uid == own.uid && rights.gid == own.gid && rights.kind == self.whose.kind;
        let content = descriptors.pop().map(File::from).and_then(Sealed::new);
        match content {
            Some(content) if is_own => {
                let services = self.services();
                match (&task.work, &services.saver) {
                    (Work::Save(saves), Some(saver)) if self.may_save(saves) => {
                        crate::glue::saved(saver, saves, &content)
                    }
                    _ => {
                        let now_secs = serve::clock::now() / machine::SECOND;
                        services.hands.perform(task, rights, &content, now_secs)
                    }
                }
            }
            Some(_) => deferred("this agent has other rights"),
            None => deferred("the message did not come with the delivery"),
        }
    }

    /// Mailboxes are written for accounts of this uid, and not with the rights of an alias table.
    fn may_save(&self, saves: &[Save]) -> bool {
        let own = &self.whose.identity;
        !matches!(self.whose.kind, Kind::Table | Kind::Pipe)
            && saves.iter().all(|save| save.account.uid == own.uid)
    }

    fn begin_session(
        self: &Arc<Agent>,
        session: Session,
        descriptors: Vec<OwnedFd>,
        runtime: &tokio::runtime::Handle,
    ) {
        let mut descriptors = descriptors.into_iter();
        let (Some(socket), Some(sessions)) = (descriptors.next(), self.services().sessions) else {
            return;
        };
        let Session {
            protocol,
            account,
            session,
            unread,
            remote,
            local,
        } = session;
        let present = Present::new(self);
        let log = self.log.clone();
        let hold: Box<dyn std::any::Any + Send> = Box::new((descriptors.next(), present));
        runtime.spawn(async move {
            match Link::handed(socket, remote, local) {
                Ok(link) => {
                    let handover = Handover {
                        protocol,
                        link,
                        unread,
                        account,
                        ticket: Ticket::default(),
                        session,
                        hold,
                    };
                    sessions.run(handover).await;
                }
                Err(error) => log.error(protocol.name(), &format!("cannot use the connection: {error}")),
            }
        });
    }

    fn wait_until_idle(&self, patience: Duration) {
        const LOOK_EVERY: Duration = Duration::from_millis(20);
        let began = Instant::now();
        while self.busy.load(Ordering::SeqCst) > 0 && began.elapsed() < patience {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Something is under way as long as this is there.
struct Present(Arc<Agent>);

impl Present {
    fn new(agent: &Arc<Agent>) -> Present {
        agent.busy.fetch_add(1, Ordering::SeqCst);
        Present(Arc::clone(agent))
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
        self.0.make_room();
    }
}

impl Services {
    fn of(slice: &Slice, log: &Log, line: &Line, stores: &Arc<Stores>, farewell: &Arc<Farewell>) -> Services {
        let postfix = Arc::new(slice.snapshot.postfix.clone());
        let hands = Hands::new(postfix, Arc::new(Errands(line.clone())))
            .with_pipes(Pipes::of(&slice.snapshot.transports));
        let sessions = slice.snapshot.dovecot.as_ref().map(|dovecot| Sessions {
            settings: Arc::new(dovecot.clone()),
            log: log.clone(),
            stores: Arc::clone(stores),
            farewell: Arc::clone(farewell),
        });
        let saver = slice
            .snapshot
            .dovecot
            .as_ref()
            .map(|dovecot| Arc::new(Saver::new(dovecot, log.clone(), Arc::clone(stores))));
        let idle = slice.snapshot.dovecot.as_ref().map_or_else(
            || Dovecot::defaults().default_idle_kill,
            |dovecot| dovecot.default_idle_kill,
        );
        Services {
            hands: Arc::new(
                hands
                    .telling(&warnings_to(log, "local"))
                    .with_keeper(Arc::new(SpoolKeeper(line.clone()))),
            ),
            sessions: sessions.map(Arc::new),
            saver,
            idle: idle.max(Duration::from_secs(1)),
        }
    }
}

/// A user's INBOX in the system's mail spool is made and locked by the supervisor.
fn keep_mail_spool(stores: &Stores, whose: &Whose, slice: &Slice, line: &Line) {
    if let Some(user) = &whose.identity.user {
        stores.keep_in(MailSpool {
            directory: slice.snapshot.postfix.mail_spool_directory.clone(),
            user: user.clone(),
            keeper: Arc::new(SpoolKeeper(line.clone())),
        });
    }
}

/// A report that has the recipient tried again.
pub(super) fn deferred(why: &str) -> Report {
    Report::of(envelope::Outcome {
        result: DeliveryResult::Deferred,
        status: StatusCode::temporary(3, 0),
        text: why.to_owned(),
        relay: "local".to_owned(),
        detail: Default::default(),
    })
}

/// A message that came sealed.
struct Sealed {
    file: File,
    size_bytes: u64,
}

impl Sealed {
    /// `None` when somebody could still change it.
    fn new(file: File) -> Option<Sealed> {
        let size_bytes = file.metadata().ok()?.len();
        os::descriptors::is_sealed(&file).then_some(Sealed { file, size_bytes })
    }
}

impl Content for Sealed {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn reader(&self) -> Box<dyn Read + '_> {
        Box::new(At {
            sealed: self,
            offset: 0,
        })
    }
}

/// Reads a file from a place of its own: several may read one at the same time.
struct At<'a> {
    sealed: &'a Sealed,
    offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // Sealed, it is no longer than it was.
        if self.offset >= self.sealed.size_bytes {
            return Ok(0);
        }
        let count = self.sealed.file.read_at(into, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// Commands run in processes of their own, which the supervisor starts with this agent's identity.
struct Errands(Line);

impl Runner for Errands {
    fn run(&self, command: &Command, input: &mut dyn Read) -> Result<Exit, String> {
        let trouble = |error: &dyn std::fmt::Display| format!("cannot have the command run: {error}");
        let input = os::descriptors::sealed(input).map_err(|error| trouble(&error))?;
        let (ours, theirs) = UnixStream::pair().map_err(|error| trouble(&error))?;
        self.0.tell(&Message::Errand, vec![theirs.into()]);
        let (mut inbox, mut outbox) = halves(ours).map_err(|error| trouble(&error))?;
        outbox
            .send(&Errand { command }, vec![input.into()])
            .map_err(|error| trouble(&error))?;
        match inbox.receive::<Outcome<Exit>>() {
            Ok(Some((Outcome(outcome), _))) => outcome,
            Ok(None) => Ok(Exit {
                end: End::Unknown,
                output: Vec::new(),
            }),
            Err(error) => Err(trouble(&error)),
        }
    }
}

/// The supervisor makes files in the mail spool.
#[derive(Clone)]
pub(super) struct SpoolKeeper(Line);

impl std::fmt::Debug for SpoolKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SpoolKeeper")
    }
}

impl SpoolKeeper {
    fn ask(&self, question: Question) -> io::Result<()> {
        match self.0.ask(question, Vec::new()).0 {
            // Nobody is left who could say when it is free.
            Answer::Busy(why) if self.0.has_hung_up() => {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
            }
            Answer::Done | Answer::Agent(_) => Ok(()),
            Answer::Busy(why) => Err(io::Error::new(io::ErrorKind::WouldBlock, why)),
            Answer::Refused(why) => Err(io::Error::new(io::ErrorKind::PermissionDenied, why)),
            Answer::Failed(number) => Err(io::Error::from_raw_os_error(number)),
        }
    }
}

impl Keeper for SpoolKeeper {
    fn create(&self, user: &str) -> io::Result<()> {
        self.ask(Question::CreateMailbox(user.to_owned()))
    }

    fn lock(&self, user: &str, tries: Tries) -> io::Result<()> {
        let mut attempts = tries.attempts;
        loop {
            match self.ask(Question::LockMailbox(user.to_owned())) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && attempts > 1 => {
                    attempts -= 1;
                    std::thread::sleep(tries.pause);
                }
                locked => return locked,
            }
        }
    }

    fn unlock(&self, user: &str) -> io::Result<()> {
        self.ask(Question::UnlockMailbox(user.to_owned()))
    }
}
