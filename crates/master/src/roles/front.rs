//! The front role: speaks with the network, owns the queue, asks the other roles for what it may not do.

use std::borrow::Cow;
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use auth::{Account, Ticket};
use deliver_local::Content;
use deliver_local::task::{Agents, Report, Rights, Task};
use front::agency::Taking;
use front::control::Supervisor;
use ipc::calls::Caller;
use ipc::channel::Inbox;
use ipc::control::Haste;
use ipc::deliveries::Delivery;
use ipc::logins::{Known, Remote};
use ipc::roles::{Answer, Identity, Message, Order, Port, Purpose, Question, Whose};
use serve::handover::Handover;
use settings::Dovecot;
use tokio::sync::{mpsc, watch};

use super::agent::deferred;
use super::line::Line;
use super::{Begun, Slice};
use crate::certificates::Certificates;
use crate::generation::{Generation, Kept};
use crate::glue::{Doors, TakesSessions};
use crate::running::{GRACE, Queue, Running};

/// A channel to an agent that was not used for so long is closed, so that the agent can end.
const CHANNEL_IDLE: Duration = Duration::from_secs(2);

pub(super) fn run(begun: Begun, mut inbox: Inbox, line: Line) -> Result<()> {
    // The auth role is the first thing that the supervisor tells of.
    let (socket, waiting) = wait_for_auth(&mut inbox)?;
    let authority = Remote::new(socket, known(&begun.slice)).context("cannot ask the auth service")?;
    let authority = Arc::new(authority);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the runtime")?;
    let log = begun.log.clone();
    let (sender, orders) = mpsc::unbounded_channel();
    waiting.into_iter().for_each(|order| drop(sender.send(order)));
    let answers = line.clone();
    std::thread::spawn(move || {
        while let Ok(Some((order, descriptors))) = inbox.receive::<Order>() {
            match order {
                Order::Answer { number, answer } => answers.answered(number, answer, descriptors),
                order => {
                    if sender.send((order, descriptors)).is_err() {
                        break;
                    }
                }
            }
        }
        answers.hung_up();
    });
    tables::waiting::go_through(serve::waiting::step_aside);
    super::borrowing::borrow_tables(&line);
    let done = runtime.block_on(serve(begun, line, authority, orders));
    runtime.shutdown_timeout(Duration::from_secs(1));
    log.flush();
    done
}

/// What this process knows of the auth role; without a dovecot.conf, it has the settings of an empty one.
fn known(slice: &Slice) -> Known {
    let dovecot = slice.snapshot.dovecot.as_ref();
    let dovecot = dovecot.map_or_else(|| Cow::Owned(Dovecot::defaults()), Cow::Borrowed);
    let mechanisms = auth::mechanisms(&dovecot).into_iter();
    Known {
        has_userdb: !dovecot.userdbs.is_empty(),
        mechanisms: mechanisms.map(str::to_owned).collect(),
    }
}

type Orders = Vec<(Order, Vec<OwnedFd>)>;

/// The socket of the auth role, and what was said before it.
fn wait_for_auth(inbox: &mut Inbox) -> Result<(UnixStream, Orders)> {
    let mut before = Vec::new();
    loop {
        match inbox.receive::<Order>()? {
            Some((Order::Asker(_), mut descriptors)) => {
                let socket = descriptors
                    .pop()
                    .context("the auth service came without its socket")?;
                return Ok((UnixStream::from(socket), before));
            }
            Some(other) => before.push(other),
            None => bail!("the supervisor is gone"),
        }
    }
}

async fn serve(
    begun: Begun,
    line: Line,
    authority: Arc<Remote>,
    mut orders: mpsc::UnboundedReceiver<(Order, Vec<OwnedFd>)>,
) -> Result<()> {
    let Begun {
        slice,
        log,
        bound,
        supervisor,
        ..
    } = begun;
    let snapshot = &slice.snapshot;
    // Without master.cf only mailboxes are served.
    let queue = slice
        .serves_mta
        .then(|| Queue::open(&snapshot.postfix, slice.scale))
        .transpose()?;
    let kept = Kept {
        queue: queue
            .as_ref()
            .map(|queue| (queue.spool.clone(), queue.handle.clone())),
        log: log.clone(),
        anvil: Arc::default(),
        verifications: Arc::default(),
        connections: Arc::default(),
        hosts: Arc::default(),
    };
    let sessions = Arc::new(OthersSessions {
        line: line.clone(),
        open: watch::Sender::new(()),
    });
    let agents = Arc::new(OthersAgents {
        line: line.clone(),
        channels: Mutex::default(),
        makes_room_until: Mutex::new(None),
    });
    let doors = Doors {
        authority: authority.clone(),
        agents: agents.clone(),
        sessions: sessions.clone(),
    };
    let certificates = Certificates::of(&snapshot.keys)?;
    let generation = Generation::build(snapshot, &kept, doors.clone(), &certificates)?;
    let running = Arc::new(Running::new(generation, kept));
    running.serve(bound);
    if let Some(queue) = queue {
        let upward = Upward {
            line: line.clone(),
            running: Arc::clone(&running),
            supervisor,
        };
        running.start_queue(queue, Arc::new(upward));
    }
    line.tell(&Message::Up, Vec::new());
    let mut tick = tokio::time::interval(CHANNEL_IDLE / 2);
    let haste = loop {
        let (order, mut descriptors) = tokio::select! {
            order = orders.recv() => match order {
                Some(order) => order,
                // Without its supervisor nobody may be asked for anything.
                None => break Haste::Graceful,
            },
            _ = tick.tick() => {
                agents.close_unused();
                continue;
            }
        };
        match order {
            Order::Asker(_) => {
                reconnect(&authority, descriptors, &log);
                if let Some((_, queue)) = &running.kept().queue {
                    queue.role_is_back();
                }
            }
            Order::Reconfigure(ports) => match super::open_slice(&mut descriptors) {
                Ok(slice) => reconfigure(&running, (&doors, &authority), &slice, (ports, descriptors)),
                Err(error) => super::tell_unreadable(&line, &error),
            },
            Order::Client(purpose) => {
                tokio::spawn(serve_client(
                    Arc::clone(&running),
                    line.clone(),
                    purpose,
                    descriptors,
                ));
            }
            Order::MakeRoom => agents.make_room(),
            Order::LogFiles => super::replace_log_files(&log, &slice, descriptors),
            Order::Stop(haste) => break haste,
            Order::Begin(_)
            | Order::AuthSockets(_)
            | Order::Session(_)
            | Order::Redeem { .. }
            | Order::Answer { .. } => {}
        }
    };
    let sessions_end = async {
        // Who does not read in time is cut off.
        let _ = tokio::time::timeout(GRACE, sessions.open.closed()).await;
    };
    running.stop(haste, sessions_end).await
}

/// The configuration was read again: new services, and the ports that it names, the new ones with their sockets.
fn reconfigure(
    running: &Running,
    (doors, authority): (&Doors, &Remote),
    slice: &Slice,
    (ports, sockets): (Vec<Port>, Vec<OwnedFd>),
) {
    authority.configure(known(slice));
    let addresses: Vec<_> = ports.iter().map(|port| port.address.clone()).collect();
    running.serve_only(&addresses);
    let new = ports.into_iter().filter(|port| !running.serves(&port.address));
    let new = super::bind(new.collect(), &mut sockets.into_iter());
    let built = Certificates::of(&slice.snapshot.keys).and_then(|certificates| {
        Generation::build(&slice.snapshot, running.kept(), doors.clone(), &certificates)
    });
    match built {
        Ok(generation) => running.replace(generation),
        Err(error) => {
            let text = format!("the old services stay: {}", os::with_causes(error.as_ref()));
            running.kept().log.error("master", &text);
        }
    }
    running.serve(new);
}

/// The auth service was started again.
fn reconnect(authority: &Remote, sockets: Vec<OwnedFd>, log: &maillog::Log) {
    for socket in sockets {
        if let Err(error) = authority.reconnect(UnixStream::from(socket)) {
            log.mailbox_error("auth", &format!("cannot ask the auth service: {error}"));
        }
    }
}

/// Speaks with a client whom somebody else has accepted, and says when there is no more to do.
async fn serve_client(running: Arc<Running>, line: Line, purpose: Purpose, sockets: Vec<OwnedFd>) {
    for socket in sockets {
        running.converse_with(&purpose, socket).await;
    }
    line.tell(&Message::ClientLeft, Vec::new());
}

/// What commands ask of the supervisor.
struct Upward {
    line: Line,
    running: Arc<Running>,
    supervisor: u32,
}

impl Supervisor for Upward {
    fn front(&self) -> Option<Arc<front::Front>> {
        self.running.current().front.clone()
    }

    fn process(&self) -> u32 {
        self.supervisor
    }

    fn reload(&self) -> Result<(), String> {
        match tokio::task::block_in_place(|| self.line.ask(Question::Reload, Vec::new()).0) {
            Answer::Busy(why) | Answer::Refused(why) => Err(why),
            Answer::Done | Answer::Agent(_) => Ok(()),
            Answer::Failed(_) => Err("the supervisor answers something else".to_owned()),
        }
    }

    fn stop(&self, haste: Haste) {
        let line = self.line.clone();
        tokio::task::block_in_place(move || drop(line.ask(Question::Stop(haste), Vec::new())));
    }
}

/// Sessions go on in the agents of their owners.
struct OthersSessions {
    line: Line,
    /// Each session that this process has a part in holds a receiver.
    open: watch::Sender<()>,
}

impl TakesSessions for OthersSessions {
    fn take(&self, handover: Handover<Account, Ticket>) -> Taking<'_> {
        Box::pin(self.pass_on(handover))
    }
}

impl OthersSessions {
    async fn pass_on(&self, handover: Handover<Account, Ticket>) -> Result<u32, String> {
        let Handover {
            protocol,
            link,
            unread,
            account: _,
            ticket,
            session,
            hold,
        } = handover;
        let words = |error: std::io::Error| os::words(&error);
        let (remote, local) = (link.remote, link.local);
        let (socket, relay) = link.hand_on().map_err(words)?;
        // Where nothing stays here, the end of the session shows in a pipe that ends with it.
        let (end, held) = std::io::pipe().map_err(words)?;
        let question = Question::Session {
            ticket,
            protocol,
            session,
            unread,
            remote,
            local,
        };
        let spare = socket.as_fd().try_clone_to_owned().map_err(words)?;
        let line = self.line.clone();
        let asked = move || line.ask(question, vec![socket, OwnedFd::from(held)]).0;
        let present = self.open.subscribe();
        let answer = tokio::task::spawn_blocking(asked).await;
        match answer.unwrap_or_else(|_| Answer::Busy("the question was broken off".to_owned())) {
            Answer::Agent(process) => {
                drop(spare);
                tokio::spawn(async move {
                    match relay {
                        Some(relay) => {
                            relay.run().await;
                            drop(present);
                        }
                        // It is nobody's but the agent's now.
                        None => {
                            drop(present);
                            ended(end).await;
                        }
                    }
                    drop(hold);
                });
                Ok(process)
            }
            Answer::Busy(why) | Answer::Refused(why) => {
                apologise(spare, relay, protocol).await;
                Err(why)
            }
            Answer::Done | Answer::Failed(_) => Err("the supervisor answers something else".to_owned()),
        }
    }
}

/// Waits for the end of a pipe into which nobody writes.
async fn ended(end: std::io::PipeReader) {
    let end = OwnedFd::from(end);
    if let Ok(mut receiver) = tokio::net::unix::pipe::Receiver::from_owned_fd(end) {
        let mut nothing = [0];
        let _ = tokio::io::AsyncReadExt::read(&mut receiver, &mut nothing).await;
    }
}

/// Tells a client that has logged in already that there is no session after all.
async fn apologise(socket: OwnedFd, relay: Option<serve::Relay>, protocol: serve::handover::Protocol) {
    let sorry = agent::sorry(protocol);
    let told = async {
        if let Ok(mut link) = serve::Link::handed(socket, serve::NOWHERE, serve::NOWHERE) {
            // A peer that is gone already needs no excuse.
            let _ = link.send(sorry).await;
            link.close().await;
        }
    };
    match relay {
        Some(relay) => drop(tokio::join!(told, tokio::time::timeout(GRACE, relay.run()))),
        None => told.await,
    }
}

/// Why there is no channel to an agent.
enum Trouble {
    /// There is none just now.
    Absent(String),
    /// There will be none.
    Refused(String),
}

/// Deliveries go to the agents of those whose rights they need.
struct OthersAgents {
    line: Line,
    channels: Mutex<HashMap<Whose, Channel>>,
    /// When there are many agents: until then none is kept for later mail.
    makes_room_until: Mutex<Option<Instant>>,
}

#[derive(Clone)]
struct Channel {
    caller: Arc<Caller<Report>>,
    last_used: Instant,
}

impl OthersAgents {
    fn channels(&self) -> MutexGuard<'_, HashMap<Whose, Channel>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the channels that nobody has used for a while.
    fn close_unused(&self) {
        let is_used = |channel: &Channel| {
            channel.last_used.elapsed() < CHANNEL_IDLE || Arc::strong_count(&channel.caller) > 1
        };
        self.channels()
            .retain(|_, channel| !channel.caller.is_gone() && is_used(channel));
    }

    /// Closes every channel that nobody uses, and for a while each as soon as that is so.
    fn make_room(&self) {
        let until = Instant::now() + CHANNEL_IDLE;
        *self
            .makes_room_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(until);
        self.channels()
            .retain(|_, channel| Arc::strong_count(&channel.caller) > 1);
    }

    /// A delivery is done.
    fn let_go(&self, whose: &Whose, caller: Arc<Caller<Report>>) {
        let until = *self
            .makes_room_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut channels = self.channels();
        drop(caller);
        let is_unused = |channel: &Channel| Arc::strong_count(&channel.caller) == 1;
        if until.is_some_and(|until| Instant::now() < until) && channels.get(whose).is_some_and(is_unused) {
            channels.remove(whose);
        }
    }

    /// A channel to the agent with these rights.
    fn channel(&self, whose: &Whose) -> Result<Arc<Caller<Report>>, Trouble> {
        if let Some(channel) = self.channels().get_mut(whose)
            && !channel.caller.is_gone()
        {
            channel.last_used = Instant::now();
            return Ok(Arc::clone(&channel.caller));
        }
        let (answer, mut descriptors) = self.line.ask(Question::Deliveries(whose.clone()), Vec::new());
        let socket = match (answer, descriptors.pop()) {
            (Answer::Agent(_), Some(socket)) => UnixStream::from(socket),
            (Answer::Busy(why), _) => return Err(Trouble::Absent(why)),
            (Answer::Refused(why), _) => return Err(Trouble::Refused(why)),
            _ => {
                let why = "the supervisor answers something else";
                return Err(Trouble::Refused(why.to_owned()));
            }
        };
        let caller = Caller::new(socket).map_err(|error| Trouble::Absent(os::words(&error)))?;
        let caller = Arc::new(caller);
        let channel = Channel {
            caller: Arc::clone(&caller),
            last_used: Instant::now(),
        };
        self.channels().insert(whose.clone(), channel);
        Ok(caller)
    }
}

/// A report that has the recipient tried again soon.
fn interrupted(why: &str) -> Report {
    Report::of(deliver_local::interrupted(why))
}

impl Agents for OthersAgents {
    fn perform(&self, rights: &Rights, task: &Task, content: &dyn Content) -> Report {
        let whose = Whose {
            identity: Identity {
                uid: rights.uid,
                gid: rights.gid,
                user: rights.user.clone(),
            },
            kind: rights.kind,
        };
        let message = match content.sealed() {
            Ok(message) => message,
            Err(error) => return deferred(&format!("cannot read queued message: {}", os::words(&error))),
        };
        let caller = match self.channel(&whose) {
            Ok(caller) => caller,
            Err(Trouble::Refused(why)) => return deferred(&why),
            Err(Trouble::Absent(why)) => return interrupted(&why),
        };
        let delivery = Delivery { rights, task };
        let answered = caller.call(&delivery, vec![message]);
        self.let_go(&whose, caller);
        match answered {
            Ok((report, _)) => report,
            // It may be done or not. At the next try it is done for certain, perhaps a second time.
            Err(_) => interrupted("the agent ended before it answered"),
        }
    }
}
