//! A process of a role: started by executing this program again, spoken to over a socket that is its standard input.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use anyhow::{Context, Result};
use ipc::channel::{Filled, Inbox, Outbox, Parcel, halves};
use ipc::frame::Error;
use ipc::roles::{Begin, Identity, Message, Order};
use tokio::io::Interest;
use tokio::process::{Child as Process, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::roles::{Role, with_groups};

/// This program as it was when it started, even if its file was replaced since.
const PROGRAM: &str = "/proc/self/exe";
/// What a process of a role keeps of the environment.
const ENVIRONMENT: [&str; 3] = ["TZ", "LANG", "PATH"];

/// What the supervisor hears.
pub(super) enum Event {
    /// A child says something.
    Heard(u64, Message, Vec<OwnedFd>),
    /// A child has ended: how.
    Ended(u64, String),
    /// A role that ended too often is to be started now.
    StartAgain(Role),
    /// That question of the front has waited long enough for an agent.
    WaitedEnough(u64),
}

/// A child that was started.
pub(super) struct Child {
    pub(super) id: u64,
    pub(super) role: Role,
    pub(super) pid: u32,
    parcels: UnboundedSender<Parcel>,
    events: UnboundedSender<Event>,
    /// How many orders it was given, not counted the first, answers, and that it is to make room.
    pub(super) orders: u64,
}

impl Child {
    /// Starts `role` as `identity`; what it says and its end are told to `events` under `id`.
    pub(super) fn start(
        role: Role,
        identity: &Identity,
        id: u64,
        events: &UnboundedSender<Event>,
    ) -> Result<Child> {
        let (ours, theirs) = UnixStream::pair().context("cannot make a socket")?;
        let mut command = Command::new(PROGRAM);
        command
            .arg0("yubin")
            .args(["role", role.name()])
            .env_clear()
            .envs(
                ENVIRONMENT
                    .iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            )
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            // The terminal's keys are for the supervisor.
            .process_group(0);
        with_groups(identity)?.give_to(command.as_std_mut());
        let process = command
            .spawn()
            .with_context(|| format!("cannot start the process of role {}", role.name()))?;
        let pid = process.id().unwrap_or_default();
        ours.set_nonblocking(true)?;
        let (parcels, waiting) = unbounded_channel();
        let (inbox, outbox) = halves(ours.try_clone()?)?;
        let conversation = Conversation {
            id,
            events: events.clone(),
            ready: tokio::net::UnixStream::from_std(ours)?,
            inbox,
            outbox,
        };
        tokio::spawn(conversation.hold(process, waiting));
        Ok(Child {
            id,
            role,
            pid,
            parcels,
            events: events.clone(),
            orders: 0,
        })
    }

    /// Gives it the first order.
    ///
    /// # Errors
    /// When it cannot be told: the number of ports is over a limit of [`ipc`].
    pub(super) fn begin(&mut self, begin: Begin, descriptors: Vec<OwnedFd>) -> Result<()> {
        let parcel = Parcel::new(&Order::Begin(begin), descriptors).with_context(|| {
            format!(
                "cannot tell the process of role {} how to begin",
                self.role.name()
            )
        })?;
        let _ = self.parcels.send(parcel);
        Ok(())
    }

    /// Gives it an order. One that has ended is not heard of again.
    pub(super) fn order(&mut self, order: &Order, descriptors: Vec<OwnedFd>) {
        match Parcel::new(order, descriptors) {
            Ok(parcel) if matches!(order, Order::Answer { .. } | Order::MakeRoom) => {
                let _ = self.parcels.send(parcel);
            }
            Ok(parcel) => self.send(parcel),
            Err(error) => {
                let text = format!("an order did not reach it: {error}");
                let _ = self
                    .events
                    .send(Event::Heard(self.id, Message::Failed(text), Vec::new()));
            }
        }
    }

    /// Gives it an order that is wrapped up already.
    pub(super) fn send(&mut self, parcel: Parcel) {
        self.orders += 1;
        let _ = self.parcels.send(parcel);
    }
}

/// The supervisor's end of the socket.
struct Conversation {
    id: u64,
    events: UnboundedSender<Event>,
    /// The same socket, as the runtime watches it.
    ready: tokio::net::UnixStream,
    inbox: Inbox,
    outbox: Outbox,
}

impl Conversation {
    async fn hold(mut self, mut process: Process, mut parcels: UnboundedReceiver<Parcel>) {
        let how = loop {
            let carried = tokio::select! {
                parcel = parcels.recv() => match parcel {
                    Some(parcel) => {
                        self.outbox.push(parcel);
                        self.flush()
                    }
                    // The supervisor has forgotten it: it will hear that nobody is there any more.
                    None => break ended(&mut process).await,
                },
                ready = self.ready.readable() => match ready.map_err(Error::from).and_then(|()| self.fill()) {
                    Ok(Filled::Ended) => break ended(&mut process).await,
                    Ok(Filled::Some) => self.hear(),
                    Ok(Filled::Nothing) => Ok(()),
                    Err(error) => Err(error),
                },
                ready = self.ready.writable(), if !self.outbox.is_empty() => {
                    ready.map_err(Error::from).and_then(|()| self.flush())
                },
                status = process.wait() => break words(&status),
            };
            if let Err(error) = carried {
                // Who does not speak this language is none of ours.
                let _ = process.start_kill();
                let how = ended(&mut process).await;
                break format!("{how}, after {error}");
            }
        };
        // Its last words.
        while let Ok(Filled::Some) = self.inbox.fill() {
            if self.hear().is_err() {
                break;
            }
        }
        // The supervisor may have ended first.
        let _ = self.events.send(Event::Ended(self.id, how));
    }

    /// Reads once; the runtime learns when there was nothing.
    fn fill(&mut self) -> Result<Filled, Error> {
        let mut filled = Ok(Filled::Nothing);
        let _ = self.ready.try_io(Interest::READABLE, || {
            filled = self.inbox.fill();
            match filled {
                Ok(Filled::Nothing) => Err(ErrorKind::WouldBlock.into()),
                _ => Ok(()),
            }
        });
        filled
    }

    /// Writes what there is; the runtime learns when not all of it was taken.
    fn flush(&mut self) -> Result<(), Error> {
        let mut flushed = Ok(false);
        let _ = self.ready.try_io(Interest::WRITABLE, || {
            flushed = self.outbox.flush();
            match flushed {
                Ok(false) => Err(ErrorKind::WouldBlock.into()),
                _ => Ok(()),
            }
        });
        flushed.map(drop)
    }

    fn hear(&mut self) -> Result<(), Error> {
        while let Some((message, descriptors)) = self.inbox.take::<Message>()? {
            let _ = self.events.send(Event::Heard(self.id, message, descriptors));
        }
        Ok(())
    }
}

/// Waits for the end of a process that does not listen any more.
async fn ended(process: &mut Process) -> String {
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
    match tokio::time::timeout(PATIENCE, process.wait()).await {
        Ok(status) => words(&status),
        Err(_) => {
            let _ = process.start_kill();
            words(&process.wait().await)
        }
    }
}

/// `exit status 1`, `killed by signal 9`.
fn words(status: &std::io::Result<std::process::ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("killed by signal {signal}"),
            (None, None) => "ended".to_owned(),
        },
        Err(error) => format!("lost: {}", os::words(error)),
    }
}
