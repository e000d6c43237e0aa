//! A supervisor for one client of the mailbox services, whom inetd(8) accepted: the same roles as otherwise, no ports, and it
//! ends with the session.

use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Result, bail};
use ipc::roles::{Order, Purpose};

use super::{Ready, Supervisor};
use crate::certificates::Certificates;
use crate::pid_files::PidFiles;
use crate::snapshot::Snapshot;
use crate::start::{Start, load};
use crate::{identity, log_files};

/// How long an agent of the one client waits for another one: nobody else can come.
const AGENT_IDLE: Duration = Duration::from_secs(1);

/// The client.
pub(super) struct Lone {
    purpose: Purpose,
    /// Until the front has it.
    socket: Option<OwnedFd>,
    is_over: bool,
}

impl Lone {
    /// The front has no more to do with it.
    pub(super) fn left(&mut self) {
        self.is_over = true;
    }
}

/// Serves one client by processes of their own, as root.
///
/// # Errors
/// What makes it impossible.
pub fn serve_one(start: Start, purpose: Purpose, socket: OwnedFd) -> Result<()> {
    let mut loaded = load(&start);
    os::signals::ignore_sigpipe();
    if log_files::are_wrong(&loaded) {
        bail!("the configuration has errors");
    }
    let log = log_files::of(&loaded, start.config_directory.is_some())?;
    let errors = loaded
        .problems
        .iter()
        .filter(|problem| problem.severity == config::Severity::Error);
    errors.for_each(|problem| log.error("master", &problem.to_string()));
    if loaded.has_errors() {
        log.flush();
        bail!("the configuration has errors");
    }
    if let Some(dovecot) = &mut loaded.dovecot {
        dovecot.default_idle_kill = AGENT_IDLE;
    }
    let snapshot = Snapshot::of(&loaded)?;
    Certificates::of(&snapshot.keys)?;
    let front_user = identity::front_user(&loaded, start.config_directory.is_some())?;
    Ready {
        start,
        loaded,
        snapshot,
        bound: Vec::new(),
        log,
        front_user,
        pid_files: PidFiles::default(),
        lone: Some(Lone {
            purpose,
            socket: Some(socket),
            is_over: false,
        }),
    }
    .run()
}

impl Supervisor {
    /// Whether there was one client only, and nobody has anything to do for it any more.
    pub(super) fn lone_client_has_left(&self) -> bool {
        self.lone.as_ref().is_some_and(|lone| lone.is_over) && self.agents.is_empty()
    }

    /// Gives the client to the front. It is gone when the front was started again.
    pub(super) fn pass_lone_client(&mut self) {
        let (Some(lone), Some(front)) = (&mut self.lone, &mut self.front) else {
            return;
        };
        match lone.socket.take() {
            Some(socket) => front.order(&Order::Client(lone.purpose.clone()), vec![socket]),
            None => lone.left(),
        }
    }
}
