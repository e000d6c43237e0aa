//! The single profile: all roles in this process, under one uid, from start to stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use config::{DovecotFile, Loaded, Severity};
use front::control::{self, Supervisor};
use front::{pickup, qmgr};
use ipc::control::Haste;
use maillog::{Destination, Destinations, Log};
use queue::Spool;
use serve::accept::{self, Listener};
use serve::handover::Protocol;
use settings::Postfix;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::announcements;
use crate::certificates::{Certificates, Keys};
use crate::complaints;
use crate::generation::{Generation, Kept};
use crate::identity;
use crate::listeners::{self, Bound, Purpose};
use crate::pid_files::PidFiles;
use crate::snapshot::Snapshot;

/// How long conversations and deliveries under way may take to end after a graceful stop.
const GRACE: Duration = Duration::from_secs(5);
/// How many descriptors are asked for: two for each connection and a reserve.
const DESCRIPTORS_WANTED: u64 = 65_536;

/// The queue's log segments of the embedded system, in octets: three of them are on disk from its first minute.
const SMALL_SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// How much mail the system is for: what it puts aside beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// A user's own, or a test's.
    Embedded,
    /// A host's.
    Host,
}

/// What to run.
#[derive(Debug, Clone)]
pub struct Start {
    /// How large.
    pub scale: Scale,
    /// Where main.cf and master.cf are; `None` serves mailboxes only.
    pub config_directory: Option<PathBuf>,
    /// Where dovecot.conf is.
    pub dovecot: DovecotFile,
}

/// What a port offers, as a person would say it, and whether TLS begins with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Offer {
    Smtp { tls: bool },
    Submission { tls: bool },
    Imap { tls: bool },
    Pop3 { tls: bool },
}

impl Offer {
    fn of(purpose: &Purpose, loaded: &Loaded) -> Offer {
        match purpose {
            Purpose::Login(Protocol::Imap, tls) => Offer::Imap { tls: *tls },
            Purpose::Login(Protocol::Pop3, tls) => Offer::Pop3 { tls: *tls },
            Purpose::Smtpd(name) => {
                let service = loaded.services.iter().find(|service| service.name == *name);
                let tls = service.is_some_and(|service| service.settings.smtpd_tls_wrappermode);
                // By its custom, a service that users submit to says so in its log name.
                match service.is_some_and(|service| service.settings.syslog_name.contains("/submission")) {
                    true => Offer::Submission { tls },
                    false => Offer::Smtp { tls },
                }
            }
        }
    }
}

/// A system that is about to run: configured, bound, and no longer root.
pub struct Ready {
    start: Start,
    loaded: Loaded,
    bound: Vec<Bound>,
    kept: Kept,
    certificates: Certificates,
    recovered: queue::Recovered,
    qmgr: Option<qmgr::Driver>,
    control: Option<std::os::unix::net::UnixListener>,
    pid_files: PidFiles,
}

/// Reads the configuration of `start`.
pub fn load(start: &Start) -> Loaded {
    let directory = start.config_directory.clone().unwrap_or_default();
    let options = config::Options {
        surroundings: config::this_machine(),
        dovecot: start.dovecot.clone(),
        overrides: Vec::new(),
    };
    match (&start.config_directory, &start.dovecot) {
        (None, DovecotFile::At(file)) => {
            let (dovecot, problems) = config::load_dovecot(file);
            let surroundings = &options.surroundings;
            Loaded {
                main: config::main_cf::MainCf::default(),
                postfix: Postfix::defaults(surroundings),
                values: settings::Values::new(surroundings),
                services: Vec::new(),
                dovecot: Some(dovecot),
                problems,
            }
        }
        _ => {
            let mut loaded = config::load(&directory, &options);
            loaded.problems.extend(complaints::of(&loaded));
            sort(&mut loaded.problems);
            loaded
        }
    }
}

/// By file, in the order in which they are read, and line.
fn sort(problems: &mut [config::Problem]) {
    let files: Vec<String> = problems.iter().map(|problem| problem.file.clone()).collect();
    problems.sort_by_key(|problem| {
        let rank = files.iter().position(|file| *file == problem.file);
        (rank, problem.line)
    });
}

/// Binds, gives up root, opens log and queue. Nothing is read from the network yet.
///
/// # Errors
/// The first thing that makes running impossible. Problems of the configuration were told to `tell`, all of them.
pub fn prepare(start: Start, tell: &mut dyn FnMut(&str)) -> Result<Ready> {
    let loaded = load(&start);
    loaded
        .problems
        .iter()
        .for_each(|problem| tell(&problem.to_string()));
    if loaded.has_errors() {
        bail!("the configuration has errors: nothing was started");
    }
    // More descriptors than the limit allows are a wish, not a need.
    let _ = os::limits::raise_open_files(DESCRIPTORS_WANTED);
    os::signals::ignore_sigpipe();
    let wanted = listeners::wanted(&loaded.postfix, &loaded.services, loaded.dovecot.as_ref())?;
    if wanted.is_empty() {
        bail!("the configuration names no port to listen on: there is nothing to do");
    }
    let serves_mta = start.config_directory.is_some();
    if serves_mta {
        Spool::check_unused(&loaded.postfix.queue_directory, &world::World::real())?;
    }
    let bound = listeners::bind(wanted)?;
    let log = open_log(&loaded)?;
    let snapshot = Snapshot::of(&loaded)?;
    let certificates = Certificates::of(&snapshot.keys)?;
    let pid_files = PidFiles::open_as_root(base_dir(&loaded));
    identity::give_up_root(&loaded)?;
    let own_uid = os::identity::Identity::current().uid;
    let (queue, recovered, driver, control) = if serves_mta {
        open_queue(&loaded.postfix, start.scale)?
    } else {
        none()
    };
    let kept = Kept {
        queue,
        log,
        own_uid,
        anvil: Arc::default(),
        connections: Arc::default(),
        stores: Arc::default(),
        farewell: Arc::default(),
    };
    Ok(Ready {
        start,
        loaded,
        bound,
        kept,
        certificates,
        recovered,
        qmgr: driver,
        control,
        pid_files,
    })
}

/// Where the mailbox services have what concerns the running process, if there are any.
fn base_dir(loaded: &Loaded) -> Option<&Path> {
    loaded
        .dovecot
        .as_ref()
        .map(|dovecot| Path::new(&dovecot.base_dir))
}

type Queue = (
    Option<(Spool, qmgr::Handle)>,
    queue::Recovered,
    Option<qmgr::Driver>,
    Option<std::os::unix::net::UnixListener>,
);

fn none() -> Queue {
    (None, queue::Recovered::default(), None, None)
}

fn open_queue(settings: &Postfix, scale: Scale) -> Result<Queue> {
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
    // Commands drop mail there, and it must be this process's to pick up.
    std::fs::create_dir_all(directory.join("maildrop"))
        .with_context(|| format!("cannot create the maildrop below {}", directory.display()))?;
    let (handle, driver) = qmgr::new();
    let control = control::bind(directory)
        .with_context(|| format!("cannot make the control socket below {}", directory.display()))?;
    Ok((Some((spool, handle)), recovered, Some(driver), Some(control)))
}

/// `maillog_file` for the MTA, `log_path` and `info_log_path` for the mailbox services.
fn open_log(loaded: &Loaded) -> Result<Log> {
    let postfix = &loaded.postfix;
    let file = postfix.maillog_file.to_string_lossy();
    let mta = Destination::of_maillog_file(&file, &postfix.syslog_facility)?;
    let (mailbox, mailbox_info, instance_name, debug) = match &loaded.dovecot {
        Some(dovecot) => {
            let of =
                |path: &Path| Destination::of_log_path(&path.to_string_lossy(), &dovecot.syslog_facility);
            let errors = of(&dovecot.log_path)?;
            let info = if dovecot.info_log_path.as_os_str().is_empty() {
                errors.clone()
            } else {
                of(&dovecot.info_log_path)?
            };
            (errors, info, dovecot.instance_name.clone(), dovecot.mail_debug)
        }
        None => (mta.clone(), mta.clone(), "dovecot".to_owned(), false),
    };
    Ok(Log::open(&maillog::Options {
        to: Destinations {
            mta,
            mailbox,
            mailbox_info,
        },
        hostname: postfix.myhostname.clone(),
        syslog_name: postfix.syslog_name.clone(),
        instance_name,
        debug,
    })?)
}

impl Ready {
    /// The ports that are bound, each with what it is for.
    pub fn ports(&self) -> Vec<(Offer, u16)> {
        let mut ports: Vec<(Offer, u16)> = Vec::new();
        for bound in &self.bound {
            let port = (Offer::of(&bound.purpose, &self.loaded), bound.address.port());
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
        ports
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
            certificates,
            recovered,
            qmgr,
            control,
            mut pid_files,
        } = self;
        let serves_mta = start.config_directory.is_some();
        // Before anybody can see that it runs: who starts it may stop it at once.
        let signals = Signals::listen()?;
        let generation = Arc::new(RwLock::new(Arc::new(Generation::build(
            &Snapshot::without_keys(&loaded),
            &kept,
            &certificates,
        )?)));
        let (stop, stopping) = watch::channel(false);
        let (orders, mut received) = mpsc::unbounded_channel();
        let supervisor = Arc::new(Orders {
            orders,
            bound: bound.iter().map(|bound| bound.address).collect(),
            start,
            kept: kept.clone(),
            certificates: Mutex::new(certificates),
            generation: Arc::clone(&generation),
        });
        announcements::started(&supervisor.start, &loaded, &kept.log);
        recovered
            .damage
            .iter()
            .for_each(|damage| kept.log.error("qmgr", damage));
        let queue_directory = serves_mta.then_some(loaded.postfix.queue_directory.as_path());
        pid_files.write(
            queue_directory,
            base_dir(&loaded),
            supervisor.start.config_directory.as_deref(),
        );
        for port in bound {
            tokio::spawn(serve_port(
                port,
                Arc::clone(&generation),
                stopping.clone(),
                kept.log.clone(),
            ));
        }
        let current = current(&generation);
        if let (Some(driver), Some(front)) = (qmgr, &current.front) {
            tokio::spawn(driver.run(
                Arc::clone(front),
                Arc::clone(&current.agency),
                recovered,
                stopping.clone(),
            ));
            tokio::spawn(pickup_regularly(Arc::clone(&generation), stopping.clone()));
        }
        if let Some(listener) = control {
            tokio::spawn(control::serve(listener, supervisor.clone(), stopping.clone()));
        }
        up();
        let haste = wait_for_stop(signals, &mut received, &supervisor, &kept.log).await;
        let _ = stop.send(true);
        let mut is_at_rest = false;
        if haste == Haste::Graceful {
            let deliveries = async {
                match &current.front {
                    Some(front) => tokio::time::timeout(GRACE, front.qmgr.quiesce()).await.is_ok(),
                    None => true,
                }
            };
            let ((), at_rest) = tokio::join!(kept.farewell.bid(GRACE), deliveries);
            is_at_rest = at_rest;
        }
        let closed = close_queue(&kept, is_at_rest).await;
        drop(pid_files);
        closed
    }
}

/// Has everything about the queue written. What cannot be written will be forgotten, so whoever stops the system must
/// know.
async fn close_queue(kept: &Kept, is_at_rest: bool) -> Result<()> {
    let Some((spool, _)) = &kept.queue else {
        return Ok(());
    };
    let spool = spool.clone();
    let close = move || if is_at_rest { spool.finish() } else { spool.flush() };
    let closed = tokio::task::spawn_blocking(close).await;
    let closed = closed.context("the queue was not closed")?;
    if let Err(error) = &closed {
        kept.log.error("qmgr", &error.to_string());
    }
    Ok(closed?)
}

fn current(generation: &RwLock<Arc<Generation>>) -> Arc<Generation> {
    Arc::clone(&generation.read().unwrap_or_else(PoisonError::into_inner))
}

async fn serve_port(
    port: Bound,
    generation: Arc<RwLock<Arc<Generation>>>,
    stopping: watch::Receiver<bool>,
    log: Log,
) {
    let Bound {
        purpose,
        connections_max,
        socket,
        address,
    } = port;
    let converse = move |link: serve::Link| {
        let now = current(&generation);
        let (smtpd, login) = (now.smtpd(&purpose), now.login(&purpose));
        async move {
            if let Some(smtpd) = smtpd {
                smtpd.converse(link).await;
            } else if let Some(login) = login {
                login.converse(link).await;
            }
        }
    };
    if let Err(error) = accept::serve(
        Listener {
            socket,
            connections_max,
        },
        stopping,
        converse,
    )
    .await
    {
        log.error(
            "master",
            &format!("cannot serve {address}: {}", os::words(&error)),
        );
    }
}

/// The maildrop is looked at when a command says so, and now and then in case it could not.
async fn pickup_regularly(generation: Arc<RwLock<Arc<Generation>>>, mut stopping: watch::Receiver<bool>) {
    const EVERY: Duration = Duration::from_secs(60);
    loop {
        if let Some(front) = &current(&generation).front {
            pickup::run_once(front).await;
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}

/// What commands ask of the supervisor.
struct Orders {
    orders: mpsc::UnboundedSender<Haste>,
    /// The ports that were bound at the start: what a reload can serve.
    bound: Vec<SocketAddr>,
    start: Start,
    kept: Kept,
    /// The newest that could be read.
    certificates: Mutex<Certificates>,
    generation: Arc<RwLock<Arc<Generation>>>,
}

impl Orders {
    fn stopped_by(&self, signal: SignalKind) -> Haste {
        let serves_mailboxes = current(&self.generation).serves_mailboxes();
        announcements::terminating(
            &self.start,
            serves_mailboxes,
            signal.as_raw_value(),
            &self.kept.log,
        );
        Haste::Graceful
    }

    /// Ports that were named since the start: only a restart can bind them, as only root may.
    fn tell_of_ports(&self, loaded: &Loaded) {
        let wanted = listeners::wanted(&loaded.postfix, &loaded.services, loaded.dovecot.as_ref());
        let log = &self.kept.log;
        match wanted {
            Err(error) => log.error("master", &format!("{error:#}")),
            Ok(wanted) => {
                let new = wanted.iter().filter(|port| !self.bound.contains(&port.address));
                new.filter(|port| port.address.is_ipv4() || self.bound.iter().any(SocketAddr::is_ipv6))
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
        let read = Keys::read(&loaded.services, loaded.dovecot.as_ref()).and_then(|keys| Certificates::of(&keys));
        match read {
            Ok(read) => *newest = read,
            Err(error) => {
                let text = format!("the certificates read before stay in use: {error:#}");
                self.kept.log.warning("master", &text);
            }
        }
        newest.clone()
    }
}

impl Supervisor for Orders {
    fn front(&self) -> Option<Arc<front::Front>> {
        current(&self.generation).front.clone()
    }

    fn reload(&self) -> Result<(), String> {
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
            self.kept.log.error("master", &why);
            return Err(why);
        }
        self.tell_of_ports(&loaded);
        let certificates = self.certificates(&loaded);
        match Generation::build(&Snapshot::without_keys(&loaded), &self.kept, &certificates) {
            Ok(new) => {
                let new = Arc::new(new);
                if let Some(front) = &new.front {
                    front.qmgr.reconfigure(Arc::clone(front), Arc::clone(&new.agency));
                }
                *self.generation.write().unwrap_or_else(PoisonError::into_inner) = new;
                self.kept.log.reopen();
                announcements::reloaded(&self.start, &loaded, &self.kept.log);
                Ok(())
            }
            Err(error) => {
                let why = format!("the old configuration stays: {error:#}");
                self.kept.log.error("master", &why);
                Err(why)
            }
        }
    }

    fn stop(&self, haste: Haste) {
        // When nobody listens any more, the stop is under way.
        let _ = self.orders.send(haste);
    }
}

/// The signals that are heeded, from the moment this is made.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    /// doveadm-log(1): log files are opened again.
    reopen: Signal,
}

impl Signals {
    fn listen() -> Result<Signals> {
        Ok(Signals {
            hangup: signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?,
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
            reopen: signal(SignalKind::user_defined1()).context("cannot listen for SIGUSR1")?,
        })
    }
}

async fn wait_for_stop(
    mut signals: Signals,
    orders: &mut mpsc::UnboundedReceiver<Haste>,
    supervisor: &Orders,
    log: &Log,
) -> Haste {
    loop {
        tokio::select! {
            _ = signals.hangup.recv() => drop(supervisor.reload()),
            _ = signals.reopen.recv() => log.reopen(),
            _ = signals.terminate.recv() => return supervisor.stopped_by(SignalKind::terminate()),
            _ = signals.interrupt.recv() => return supervisor.stopped_by(SignalKind::interrupt()),
            order = orders.recv() => return order.unwrap_or(Haste::Graceful),
        }
    }
}
