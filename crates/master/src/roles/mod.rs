//! What each process does after the supervisor has started it: it hears who it is and what to serve, locks itself in, and
//! serves. The supervisor speaks on standard input ([`ipc::roles`]).
//!
//! In charge of the beginning that all roles share. What a role may is in [`profile`]. One file a role.

mod agent;
mod auth;
mod borrowing;
mod front;
mod line;
pub mod profile;
mod runner;
pub mod truth;

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, bail};
use ipc::channel::{Inbox, halves};
use ipc::enclosed;
use ipc::roles::{Begin, Kind, Message, Order, Whose};
use maillog::Log;
use serde::{Deserialize, Serialize};
use serve::accept::Socket;

use crate::listeners::Bound;
use crate::log_files;
use crate::running::Scale;
use crate::snapshot::Snapshot;
use line::Line;

/// A role of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Speaks with the network and owns the queue.
    Front,
    /// Knows passwords and users.
    Auth,
    /// Acts with the rights of one user.
    Agent(Kind),
    /// Runs one command with the rights of one user.
    Runner,
}

impl Role {
    /// Its name on the command line and in the table of profiles.
    pub fn name(self) -> &'static str {
        match self {
            Role::Front => "front",
            Role::Auth => "auth",
            Role::Agent(_) => "agent",
            Role::Runner => "runner",
        }
    }
}

/// What a role is given of the configuration.
#[derive(Clone, Serialize, Deserialize)]
pub struct Slice {
    /// The settings.
    pub snapshot: Snapshot,
    /// How much mail the system is for.
    pub scale: Scale,
    /// Whether mail is moved, not only read.
    pub serves_mta: bool,
    /// What an agent is for; others have none.
    pub kind: Option<Kind>,
}

/// Runs the role of that name until the supervisor says stop, or is gone.
///
/// # Errors
/// What makes it impossible; the supervisor, who has heard of it, logs it and tries again.
pub fn run(name: &str) -> Result<()> {
    // More descriptors than the limit allows are a wish, not a need.
    let _ = os::limits::raise_open_files(crate::start::DESCRIPTORS_WANTED);
    os::signals::ignore_sigpipe();
    let (inbox, line) = connect()?;
    let done = serve(name, inbox, line.clone());
    if let Err(error) = &done {
        line.tell(&Message::Failed(os::with_causes(error.as_ref())), Vec::new());
    }
    done
}

fn serve(name: &str, mut inbox: Inbox, line: Line) -> Result<()> {
    let Some((order, mut descriptors)) = inbox.receive::<Order>()? else {
        return Ok(());
    };
    let Order::Begin(begin) = order else {
        bail!("the supervisor said something else before it said how to begin");
    };
    if name == Role::Runner.name() {
        return runner::run(&begin.identity, descriptors);
    }
    let slice = open_slice(&mut descriptors)?;
    let role = match (name, slice.kind) {
        ("front", _) => Role::Front,
        ("auth", _) => Role::Auth,
        ("agent", Some(kind)) => Role::Agent(kind),
        _ => bail!("there is no role \"{name}\""),
    };
    let begun = begin_as(role, (begin, slice), descriptors)?;
    match role {
        Role::Front => front::run(begun, inbox, line),
        Role::Auth => auth::run(begun, inbox, line),
        Role::Agent(_) | Role::Runner => agent::run(begun, inbox, line),
    }
}

/// Takes the supervisor's socket away from standard input, so that nobody started from here has it.
fn connect() -> Result<(Inbox, Line)> {
    let socket = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .context("standard input is not the supervisor's socket")?;
    let nothing = File::open("/dev/null").context("cannot open /dev/null")?;
    rustix::stdio::dup2_stdin(&nothing).context("cannot let go of standard input")?;
    let (inbox, outbox) = halves(UnixStream::from(socket))?;
    Ok((inbox, Line::new(outbox)))
}

/// A role that is who it should be, and locked in.
pub(crate) struct Begun {
    whose: Whose,
    slice: Slice,
    log: Log,
    bound: Vec<Bound>,
    supervisor: u32,
}

/// The slice of the configuration that came with an order, before everything else.
fn open_slice(descriptors: &mut Vec<OwnedFd>) -> Result<Slice> {
    let file = (!descriptors.is_empty()).then(|| descriptors.remove(0));
    enclosed::open(file).context("cannot read the configuration that the supervisor has sent")
}

/// A new configuration could not be read: the old one stays, and the supervisor's log says so.
fn tell_unreadable(line: &Line, error: &anyhow::Error) {
    let text = format!("the old configuration stays: {}", os::with_causes(error.as_ref()));
    line.tell(&Message::Failed(text), Vec::new());
}

fn begin_as(role: Role, (begin, slice): (Begin, Slice), descriptors: Vec<OwnedFd>) -> Result<Begun> {
    let Begin {
        identity,
        log_files,
        ports,
        supervisor,
    } = begin;
    let mut descriptors = descriptors.into_iter();
    let files = log_files.into_iter().zip(&mut descriptors);
    let files = files.map(|(path, file)| (path, File::from(file))).collect();
    let bound = bind(ports, &mut descriptors);
    let whose = Whose {
        identity,
        kind: slice.kind.unwrap_or(Kind::Virtual),
    };
    let locked = lock_in(role, &whose, &slice.snapshot)?;
    let (postfix, dovecot) = (&slice.snapshot.postfix, slice.snapshot.dovecot.as_ref());
    let log = Log::with_files(&log_files::options(postfix, dovecot)?, files)?;
    let log = log.of(log_files::halves(slice.serves_mta, dovecot));
    if locked == os::sandbox::Locked::WithoutFiles {
        log.warning(
            "master",
            "this kernel has no Landlock: files are guarded by their modes alone",
        );
    }
    Ok(Begun {
        whose,
        slice,
        log,
        bound,
        supervisor,
    })
}

/// Becomes who the role is to be, then gives up everything that it does not need.
fn lock_in(role: Role, whose: &Whose, snapshot: &Snapshot) -> Result<os::sandbox::Locked> {
    become_identity(&whose.identity)?;
    os::process::close_to_others()?;
    match profile::of(role, snapshot) {
        Some(profile) => Ok(os::sandbox::enter(&profile)?),
        None => Ok(os::sandbox::Locked::Fully),
    }
}

/// The supervisor has started this process as who it is to be; a trial begins as root.
fn become_identity(wanted: &ipc::roles::Identity) -> Result<()> {
    let own = os::identity::Identity::current();
    if own.uid == wanted.uid && own.gid == wanted.gid {
        return Ok(());
    }
    Ok(with_groups(wanted)?.take()?)
}

/// With the groups that the system gives the user; one whom it does not know has none but its own.
///
/// # Errors
/// When the system cannot be asked.
pub(crate) fn with_groups(wanted: &ipc::roles::Identity) -> Result<os::identity::Identity> {
    let user = match &wanted.user {
        None => None,
        Some(name) => os::users::user_by_name(name)?,
    };
    let groups = match user {
        // A name whose uid is another one has groups that are none of ours.
        Some(user) if user.uid == wanted.uid => os::users::groups_of(&user)?,
        _ => vec![wanted.gid],
    };
    Ok(os::identity::Identity {
        uid: wanted.uid,
        gid: wanted.gid,
        groups,
    })
}

/// The ports with the sockets that came for them.
fn bind(ports: Vec<ipc::roles::Port>, sockets: &mut impl Iterator<Item = OwnedFd>) -> Vec<Bound> {
    let bound = ports.into_iter().zip(sockets).filter_map(|(port, socket)| {
        Some(Bound {
            purpose: port.purpose,
            connections_max: port.connections_max,
            // The supervisor sends sockets and nothing else.
            socket: Socket::handed(socket).ok()?,
            address: port.address,
        })
    });
    bound.collect()
}

/// The log files were opened again by the supervisor.
fn replace_log_files(log: &Log, slice: &Slice, descriptors: Vec<OwnedFd>) {
    let (postfix, dovecot) = (&slice.snapshot.postfix, slice.snapshot.dovecot.as_ref());
    if let Ok(options) = log_files::options(postfix, dovecot) {
        let paths = options.to.file_paths();
        let files = paths.into_iter().zip(descriptors.into_iter().map(File::from));
        log.replace_files(files.collect());
    }
}
