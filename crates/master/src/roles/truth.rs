//! Tries from inside a role what it must not be able to do, for the tests of [`profile`](super::profile): the process
//! becomes the role in earnest, then says what it could do.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use config::DovecotFile;
use ipc::roles::{Identity, Kind, Whose};

use super::{Role, lock_in};
use crate::running::Scale;
use crate::snapshot::Snapshot;
use crate::start::{Start, load};

/// What is tried, and whom it would harm.
pub struct Trial {
    /// `front` or `agent`.
    pub role: String,
    /// As whom.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The configuration, for the profile.
    pub config_directory: PathBuf,
    /// Somebody else's mailbox.
    pub mailbox: PathBuf,
    /// A port on loopback where somebody listens.
    pub port: u16,
}

/// What is tried, and how.
type Attempt<'a> = (&'a str, Box<dyn Fn() -> io::Result<()> + 'a>);

/// Becomes the role and tries everything; a line for each attempt: what, a tab, and `done` or why not.
///
/// # Errors
/// When it cannot become the role.
pub fn lines(trial: &Trial) -> Result<Vec<String>> {
    let role = match trial.role.as_str() {
        "front" => Role::Front,
        _ => Role::Agent(Kind::User),
    };
    let whose = Whose {
        identity: Identity {
            uid: trial.uid,
            gid: trial.gid,
            user: None,
        },
        kind: Kind::User,
    };
    let loaded = load(&Start {
        scale: Scale::Host,
        config_directory: Some(trial.config_directory.clone()),
        dovecot: DovecotFile::Beside,
    });
    let snapshot = Snapshot::without_keys(&loaded);
    lock_in(role, &whose, &snapshot).context("cannot become the role")?;
    let port = trial.port;
    let attempts: [Attempt<'_>; 7] = [
        (
            "read /etc/shadow",
            Box::new(|| File::open("/etc/shadow").map(drop)),
        ),
        (
            "read another's mailbox",
            Box::new(|| File::open(&trial.mailbox).map(drop)),
        ),
        (
            "write another's mailbox",
            Box::new(|| OpenOptions::new().append(true).open(&trial.mailbox).map(drop)),
        ),
        (
            "write /etc",
            Box::new(|| File::create("/etc/yubin-was-here").map(drop)),
        ),
        (
            "connect",
            Box::new(move || TcpStream::connect(("127.0.0.1", port)).map(drop)),
        ),
        (
            "start a program",
            Box::new(|| Command::new("/bin/true").status().map(drop)),
        ),
        ("become root", Box::new(become_root)),
    ];
    let tell = |(what, attempt): &Attempt<'_>| match attempt() {
        Ok(()) => format!("{what}\tdone"),
        Err(error) => format!("{what}\t{}", os::words(&error)),
    };
    Ok(attempts.iter().map(tell).collect())
}

fn become_root() -> io::Result<()> {
    let root = os::identity::Identity {
        uid: 0,
        gid: 0,
        groups: vec![0],
    };
    root.take().map_err(io::Error::other)
}
