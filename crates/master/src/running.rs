//! The services of the front while they run: ports, the queue's driver, the maildrop, the socket for commands. Both
//! profiles run them, the single one and the front role.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, Result};
use front::control::{self, Supervisor};
use front::{hosts_access, pickup, qmgr};
use ipc::control::Haste;
use ipc::roles::Endpoint;
use queue::Spool;
use serve::Link;
use serve::accept::{self, Listener};
use serve::handover::Protocol;
use settings::Postfix;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::generation::{Generation, Kept};
use crate::listeners::{Bound, Purpose};

/// How long conversations and deliveries under way may take to end after a graceful stop.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// The queue's log segments of the embedded system, in octets: three of them are on disk from its first minute.
const SMALL_SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// How much mail the system is for: what it puts aside beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Scale {
    /// A user's own, or a test's.
    Embedded,
    /// A host's.
    Host,
}

/// The queue, opened.
pub(crate) struct Queue {
    pub(crate) spool: Spool,
    pub(crate) handle: qmgr::Handle,
    driver: qmgr::Driver,
    recovered: queue::Recovered,
    control: std::os::unix::net::UnixListener,
}

impl Queue {
    /// Opens the queue and the socket for commands.
    ///
    /// # Errors
    /// Why there is no queue.
    pub(crate) fn open(settings: &Postfix, scale: Scale) -> Result<Queue> {
        let directory = &settings.queue_directory;
        let defaults = queue::spool::SpoolOptions::default();
        let options = queue::spool::SpoolOptions {
            long_queue_ids: settings.enable_long_queue_ids,
            segment_bytes: match scale {
                Scale::Embedded => SMALL_SEGMENT_BYTES,
                Scale::Host => defaults.segment_bytes,
            },
            ..defaults
        };
        let (spool, recovered) = Spool::open(directory, &options, &world::World::real())?;
        // Commands drop mail there, and it must be this process's to pick up. (Root made it for others too.)
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory.join("maildrop"))
            .with_context(|| format!("cannot create the maildrop below {}", directory.display()))?;
        let (handle, driver) = qmgr::new();
        let control = control::bind(directory)
            .with_context(|| format!("cannot make the control socket below {}", directory.display()))?;
        Ok(Queue {
            spool,
            handle,
            driver,
            recovered,
            control,
        })
    }
}

/// The services of the newest generation.
pub(crate) struct Running {
    generation: Arc<RwLock<Arc<Generation>>>,
    kept: Kept,
    stop: watch::Sender<bool>,
    /// Whoever serves a port hears of its end here.
    ports: Mutex<HashMap<Endpoint, watch::Sender<bool>>>,
}

impl Running {
    /// The services of `generation`, not yet running.
    pub(crate) fn new(generation: Generation, kept: Kept) -> Running {
        Running {
            generation: Arc::new(RwLock::new(Arc::new(generation))),
            kept,
            stop: watch::Sender::new(false),
            ports: Mutex::default(),
        }
    }

    /// The services as the configuration makes them now.
    pub(crate) fn current(&self) -> Arc<Generation> {
        current(&self.generation)
    }

    /// What outlives a generation.
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Starts what works on the queue.
    pub(crate) fn start_queue(&self, queue: Queue, supervisor: Arc<dyn Supervisor>) {
        let damage = &queue.recovered.damage;
        damage
            .iter()
            .for_each(|damage| self.kept.log.error("qmgr", damage));
        let generation = self.current();
        if let Some(front) = &generation.front {
            tokio::spawn(queue.driver.run(
                Arc::clone(front),
                Arc::clone(&generation.agency),
                queue.recovered,
                self.stop.subscribe(),
            ));
            tokio::spawn(pickup_regularly(
                Arc::clone(&self.generation),
                self.stop.subscribe(),
            ));
            tokio::spawn(tell_peaks(Arc::clone(&self.generation), self.stop.subscribe()));
        }
        tokio::spawn(control::serve(queue.control, supervisor, self.stop.subscribe()));
    }

    /// Serves these ports.
    pub(crate) fn serve(&self, bound: Vec<Bound>) {
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        for port in bound {
            let (stop, stopping) = watch::channel(false);
            ports.insert(port.address.clone(), stop);
            let generation = Arc::clone(&self.generation);
            tokio::spawn(serve_port(port, generation, stopping, self.kept.clone()));
        }
    }

    /// Speaks with a client whom somebody else has accepted.
    pub(crate) async fn converse_with(&self, purpose: &Purpose, socket: OwnedFd) {
        let stream = std::net::TcpStream::from(socket);
        let link = stream
            .set_nonblocking(true)
            .and_then(|()| TcpStream::from_std(stream))
            .and_then(Link::new);
        let (Some(login), Ok(link)) = (self.current().login(purpose), link) else {
            return;
        };
        if self
            .kept
            .hosts
            .admits(daemon(purpose), &link, &self.kept.log)
            .await
        {
            login.converse(link).await;
        }
    }

    /// Whether that port is served.
    pub(crate) fn serves(&self, address: &Endpoint) -> bool {
        let ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.contains_key(address)
    }

    /// Takes no new connections on other ports than these.
    pub(crate) fn serve_only(&self, addresses: &[Endpoint]) {
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.retain(|address, stop| {
            let stays = addresses.contains(address);
            if !stays {
                stop.send_replace(true);
            }
            stays
        });
    }

    /// From now on `new` serves; conversations under way stay with theirs.
    pub(crate) fn replace(&self, new: Generation) {
        let new = Arc::new(new);
        if let Some(front) = &new.front {
            front.qmgr.reconfigure(Arc::clone(front), Arc::clone(&new.agency));
        }
        *self.generation.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// Ends it all: takes nothing new, lets what is under way end for a while, writes what the queue has to say. `others`
    /// is what else is waited for in a graceful stop.
    ///
    /// # Errors
    /// What of the queue could not be written: it will be forgotten, so whoever stops the system must know.
    pub(crate) async fn stop(&self, haste: Haste, others: impl Future<Output = ()>) -> Result<()> {
        self.stop.send_replace(true);
        self.serve_only(&[]);
        let mut is_at_rest = false;
        if haste == Haste::Graceful {
            let current = self.current();
            let deliveries = async {
                match &current.front {
                    Some(front) => tokio::time::timeout(GRACE, front.qmgr.quiesce()).await.is_ok(),
                    None => true,
                }
            };
            ((), is_at_rest) = tokio::join!(others, deliveries);
        }
        let Some((spool, _)) = &self.kept.queue else {
            return Ok(());
        };
        let spool = spool.clone();
        let close = move || if is_at_rest { spool.finish() } else { spool.flush() };
        let closed = tokio::task::spawn_blocking(close).await;
        let closed = closed.context("the queue was not closed")?;
        if let Err(error) = &closed {
            self.kept.log.error("qmgr", &error.to_string());
        }
        Ok(closed?)
    }
}

fn current(generation: &RwLock<Arc<Generation>>) -> Arc<Generation> {
    Arc::clone(&generation.read().unwrap_or_else(PoisonError::into_inner))
}

/// What hosts.allow calls the service.
fn daemon(purpose: &Purpose) -> hosts_access::Daemon {
    match purpose {
        Purpose::Smtpd(_) => hosts_access::SMTP,
        Purpose::Login(Protocol::Imap, _) => hosts_access::IMAP,
        Purpose::Login(Protocol::Pop3, _) => hosts_access::POP3,
        Purpose::Lmtp(_) => hosts_access::LMTP,
    }
}

async fn serve_port(
    port: Bound,
    generation: Arc<RwLock<Arc<Generation>>>,
    stopping: watch::Receiver<bool>,
    kept: Kept,
) {
    let Kept { log, hosts, .. } = kept;
    let Bound {
        purpose,
        connections_max,
        socket,
        address,
    } = port;
    let daemon = daemon(&purpose);
    // Programs of this host come by paths; those have modes.
    let is_open = matches!(address, Endpoint::Unix(_));
    let door_log = log.clone();
    let converse = move |link: Link| {
        let now = current(&generation);
        let (smtpd, login, lmtp) = (now.smtpd(&purpose), now.login(&purpose), now.lmtp(&purpose));
        let (hosts, log) = (Arc::clone(&hosts), door_log.clone());
        async move {
            if !is_open && !hosts.admits(daemon, &link, &log).await {
                return;
            }
            if let Some(smtpd) = smtpd {
                smtpd.converse(link).await;
            } else if let Some(login) = login {
                login.converse(link).await;
            } else if let Some(lmtp) = lmtp {
                lmtp.converse(link).await;
            }
        }
    };
    let listener = Listener {
        socket,
        connections_max,
    };
    if let Err(error) = accept::serve(listener, stopping, converse).await {
        let text = format!("cannot serve {address}: {}", os::words(&error));
        log.error("master", &text);
    }
}

/// The maildrop is looked at when a command says so, and now and then in case it could not.
/// `anvil_status_update_time`: the log is told the highest figures about clients; at the end once more.
async fn tell_peaks(generation: Arc<RwLock<Arc<Generation>>>, mut stopping: watch::Receiver<bool>) {
    loop {
        let Some(front) = current(&generation).front.clone() else {
            return;
        };
        // Of zero seconds there would be no end.
        let every = front
            .settings
            .anvil_status_update_time
            .max(Duration::from_secs(1));
        let is_over = tokio::select! {
            () = tokio::time::sleep(every) => false,
            _ = stopping.wait_for(|stop| *stop) => true,
        };
        front::limits::log_peaks(&front);
        if is_over {
            return;
        }
    }
}

async fn pickup_regularly(generation: Arc<RwLock<Arc<Generation>>>, mut stopping: watch::Receiver<bool>) {
    const EVERY: Duration = Duration::from_secs(60);
    loop {
        let left = match &current(&generation).front {
            Some(front) => pickup::run_once(front).await,
            None => pickup::Left::Nothing,
        };
        if left == pickup::Left::More && !*stopping.borrow() {
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}
