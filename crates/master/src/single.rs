//! The single profile: all roles in this process, under one uid, from start to stop.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use config::{Loaded, Severity};
use front::control::Supervisor;
use ipc::control::Haste;
use ipc::roles::Endpoint;
use maillog::Log;
use os::service_manager::{self, News};
use queue::Spool;
use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc;

use crate::certificates::{Certificates, Keys};
use crate::generation::{Generation, Kept};
use crate::glue::Here;
use crate::listeners::{self, Bound};
use crate::pid_files::PidFiles;
use crate::running::{GRACE, Queue, Running};
use crate::signals::Signals;
use crate::snapshot::Snapshot;
use crate::start::{self, Offer, Start, base_dir, load};
use crate::{announcements, identity, log_files};

/// A system that is about to run: configured, bound, and no longer root.
pub struct Ready {
    start: Start,
    loaded: Loaded,
    bound: Vec<Bound>,
    kept: Kept,
    agents: Here,
    certificates: Certificates,
    queue: Option<Queue>,
    pid_files: PidFiles,
}

/// Binds, gives up root, opens log and queue. Nothing is read from the network yet.
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
    let mut inherited = service_manager::inherited_listeners();
    let bound = listeners::bind(wanted, &mut inherited)?;
    listeners::tell_unwanted(inherited, tell);
    let log = log_files::of(&loaded, serves_mta)?;
    let snapshot = Snapshot::of(&loaded)?;
    let certificates = Certificates::of(&snapshot.keys)?;
    if let Some(name) = identity::missing_default_user(&loaded, serves_mta).filter(|_| os::is_root()) {
        let what = "all roles run in one process; `yubin install` makes the user";
        log.warning("master", &format!("there is no user {name}: {what}"));
    }
    let pid_files = PidFiles::open_as_root(base_dir(&loaded));
    let agents = Here::default();
    agents.bind_auth_sockets(loaded.dovecot.as_ref(), &log);
    identity::give_up_root(&loaded)?;
    let queue = serves_mta
        .then(|| Queue::open(&loaded.postfix, start.scale))
        .transpose()?;
    let kept = Kept {
        queue: queue
            .as_ref()
            .map(|queue| (queue.spool.clone(), queue.handle.clone())),
        log,
        anvil: Arc::default(),
        verifications: Arc::default(),
        connections: Arc::default(),
        hosts: Arc::default(),
    };
    Ok(Ready {
        start,
        loaded,
        bound,
        kept,
        agents,
        certificates,
        queue,
        pid_files,
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
        self.run_and_tell(|| {})
    }

    /// The same; `up` is called when everything is served and signals are heeded.
    ///
    /// # Errors
    /// What went wrong after all.
    pub fn run_and_tell(self, up: impl FnOnce()) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("cannot start the threads of the runtime")?;
        tables::waiting::go_through(serve::waiting::step_aside);
        let log = self.kept.log.clone();
        let done = runtime.block_on(self.run_here(up));
        runtime.shutdown_timeout(Duration::from_secs(1));
        log.flush();
        done
    }

    async fn run_here(self, up: impl FnOnce()) -> Result<()> {
        let Ready {
            start,
            loaded,
            bound,
            kept,
            agents,
            certificates,
            queue,
            mut pid_files,
        } = self;
        let serves_mta = start.config_directory.is_some();
        // Before anybody can see that it runs: who starts it may stop it at once.
        let signals = Signals::listen()?;
        let snapshot = Snapshot::without_keys(&loaded);
        let doors = agents.doors(&snapshot, &kept.log);
        let generation = Generation::build(&snapshot, &kept, doors, &certificates)?;
        let running = Arc::new(Running::new(generation, kept));
        let (orders, mut received) = mpsc::unbounded_channel();
        let supervisor = Arc::new(Orders {
            orders,
            bound: bound.iter().map(|bound| bound.address.clone()).collect(),
            start,
            agents,
            certificates: Mutex::new(certificates),
            running: Arc::clone(&running),
        });
        announcements::started(&supervisor.start, &loaded, &running.kept().log);
        let queue_directory = serves_mta.then_some(loaded.postfix.queue_directory.as_path());
        pid_files.write(
            queue_directory,
            base_dir(&loaded),
            supervisor.start.config_directory.as_deref(),
        );
        running.serve(bound);
        if let Some(queue) = queue {
            running.start_queue(queue, supervisor.clone());
        }
        up();
        service_manager::tell(News::Ready);
        let haste = wait_for_stop(signals, &mut received, &supervisor).await;
        service_manager::tell(News::Stopping);
        let stopped = running.stop(haste, supervisor.agents.farewell.bid(GRACE)).await;
        drop(pid_files);
        stopped
    }
}

/// What commands ask of the supervisor.
struct Orders {
    orders: mpsc::UnboundedSender<Haste>,
    /// The ports that were bound at the start: what a reload can serve.
    bound: Vec<Endpoint>,
    start: Start,
    agents: Here,
    /// The newest that could be read.
    certificates: Mutex<Certificates>,
    running: Arc<Running>,
}

impl Orders {
    fn log(&self) -> &Log {
        &self.running.kept().log
    }

    fn stopped_by(&self, signal: SignalKind) -> Haste {
        let serves_mailboxes = self.running.current().serves_mailboxes();
        announcements::terminating(&self.start, serves_mailboxes, signal.as_raw_value(), self.log());
        Haste::Graceful
    }

    /// Ports that were named since the start: only a restart can bind them, as only root may.
    fn tell_of_ports(&self, loaded: &Loaded) {
        let wanted = listeners::wanted(&loaded.postfix, &loaded.services, loaded.dovecot.as_ref());
        let log = self.log();
        match wanted {
            Err(error) => log.error("master", &os::with_causes(error.as_ref())),
            Ok(wanted) => {
                let new = wanted.iter().filter(|port| !self.bound.contains(&port.address));
                new.filter(|port| !port.address.is_ipv6() || self.bound.iter().any(Endpoint::is_ipv6))
                    .for_each(|port| {
                        let text = format!("{}: {} is not served before a restart", port.place, port.address);
                        log.warning("master", &text);
                    });
            }
        }
    }

    /// The certificates as they are now. A key that only root could read was read at the start; it goes on being used.
    fn certificates(&self, loaded: &Loaded) -> Certificates {
        let mut newest = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        let read = Keys::read(loaded).and_then(|keys| Certificates::of(&keys));
        match read {
            Ok(read) => *newest = read,
            Err(error) => {
                let text = format!(
                    "the certificates read before stay in use: {}",
                    os::with_causes(error.as_ref())
                );
                self.log().warning("master", &text);
            }
        }
        newest.clone()
    }
}

impl Supervisor for Orders {
    fn front(&self) -> Option<Arc<front::Front>> {
        self.running.current().front.clone()
    }

    fn reload(&self) -> Result<(), String> {
        service_manager::tell(News::Reloading);
        let done = self.try_reload();
        service_manager::tell(News::Ready);
        done
    }

    fn stop(&self, haste: Haste) {
        // When nobody listens any more, the stop is under way.
        let _ = self.orders.send(haste);
    }
}

impl Orders {
    fn try_reload(&self) -> Result<(), String> {
        let loaded = load(&self.start);
        let mistakes = loaded
            .problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error);
        let errors: Vec<String> = mistakes.map(ToString::to_string).collect();
        if loaded.has_errors() {
            let why = format!(
                "the configuration has errors, the old one stays: {}",
                errors.join("; ")
            );
            self.log().error("master", &why);
            return Err(why);
        }
        self.tell_of_ports(&loaded);
        let certificates = self.certificates(&loaded);
        let snapshot = Snapshot::without_keys(&loaded);
        let doors = self.agents.doors(&snapshot, self.log());
        self.agents.bind_auth_sockets(loaded.dovecot.as_ref(), self.log());
        match Generation::build(&snapshot, self.running.kept(), doors, &certificates) {
            Ok(new) => {
                self.running.replace(new);
                self.log().reopen();
                announcements::reloaded(&self.start, &loaded, self.log());
                Ok(())
            }
            Err(error) => {
                let why = format!("the old configuration stays: {}", os::with_causes(error.as_ref()));
                self.log().error("master", &why);
                Err(why)
            }
        }
    }
}

async fn wait_for_stop(
    mut signals: Signals,
    orders: &mut mpsc::UnboundedReceiver<Haste>,
    supervisor: &Orders,
) -> Haste {
    let watchdog = service_manager::watchdog_interval();
    let mut alive = tokio::time::interval(watchdog.unwrap_or(Duration::from_secs(3600)));
    loop {
        tokio::select! {
            _ = alive.tick(), if watchdog.is_some() => service_manager::tell(News::Alive),
            _ = signals.hangup.recv() => drop(supervisor.reload()),
            _ = signals.reopen.recv() => supervisor.log().reopen(),
            _ = signals.terminate.recv() => return supervisor.stopped_by(SignalKind::terminate()),
            _ = signals.interrupt.recv() => return supervisor.stopped_by(SignalKind::interrupt()),
            order = orders.recv() => return order.unwrap_or(Haste::Graceful),
        }
    }
}
