//! The runner role: one command with the rights of one user, for that user's agent, which may start no programs itself. It is
//! not locked in: what a user's command may is what the user may.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use anyhow::{Result, bail};
use deliver_local::spawn::SpawnRunner;
use deliver_local::task::{Command, Exit, Runner};
use ipc::channel::halves;
use ipc::errand::{Errand, Outcome};
use ipc::roles::Identity;

pub(super) fn run(identity: &Identity, descriptors: Vec<OwnedFd>) -> Result<()> {
    let Some(socket) = descriptors.into_iter().next() else {
        bail!("nobody says which command to run");
    };
    super::become_identity(identity)?;
    os::process::close_to_others()?;
    let (mut inbox, mut outbox) = halves(UnixStream::from(socket))?;
    let Some((Errand { command }, mut descriptors)) = inbox.receive::<Errand<Command>>()? else {
        return Ok(());
    };
    let outcome: Result<Exit, String> = match descriptors.pop() {
        Some(input) => SpawnRunner.run(&command, &mut File::from(input)),
        None => Err("nothing came for the command to read".to_owned()),
    };
    outbox.send(&Outcome(outcome), Vec::new())?;
    Ok(())
}
