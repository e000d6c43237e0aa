//! What a reload is made of: first everything that can fail, then everybody is told.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result};
use config::Loaded;
use front::transports::{self, Agent};
use ipc::channel::Parcel;
use ipc::enclosed;
use ipc::roles::{Order, Port};
use settings::Service;

use super::Supervisor;
use crate::listeners::{self, Bound, Wanted};
use crate::roles::Role;
use crate::snapshot::Snapshot;
use crate::{auth_sockets, generation, identity, log_files};

/// The ports of a configuration that is about to hold.
pub(super) struct Rebinding {
    /// Those that are bound already.
    known: Vec<Wanted>,
    /// Those that were bound for it.
    new: Vec<Bound>,
}

impl Rebinding {
    /// Binds those that `loaded` wants besides `bound`.
    ///
    /// # Errors
    /// A port that cannot be had; none of the new ones is bound then.
    pub(super) fn of(loaded: &Loaded, bound: &[Bound]) -> Result<Rebinding> {
        let wanted = listeners::wanted(&loaded.postfix, &loaded.services, loaded.dovecot.as_ref())?;
        let is_known = |port: &Wanted| bound.iter().any(|bound| bound.address == port.address);
        let (known, new): (Vec<_>, Vec<_>) = wanted.into_iter().partition(is_known);
        let new = listeners::bind(new, &mut Vec::new())?;
        Ok(Rebinding { known, new })
    }

    /// Every port, in words for the front.
    fn ports(&self) -> Vec<Port> {
        let known = self.known.iter().map(|wanted| Port {
            purpose: wanted.purpose.clone(),
            connections_max: wanted.connections_max,
            address: wanted.address.clone(),
        });
        known.chain(self.new.iter().map(port)).collect()
    }

    /// The new ones' sockets, for the front.
    fn sockets(&self) -> Result<Vec<OwnedFd>> {
        let sockets = self.new.iter();
        let sockets = sockets.map(|bound| Ok(bound.socket.as_fd().try_clone_to_owned()?));
        sockets.collect()
    }

    /// Lets go of what is not wanted any more; what is bound from now on.
    pub(super) fn done(self, mut bound: Vec<Bound>) -> Vec<Bound> {
        bound.retain_mut(|bound| {
            let wanted = self.known.iter().find(|port| port.address == bound.address);
            if let Some(wanted) = wanted {
                bound.purpose = wanted.purpose.clone();
                bound.connections_max = wanted.connections_max;
            }
            wanted.is_some()
        });
        bound.extend(self.new);
        bound
    }
}

/// What each process is to be told, wrapped up.
pub(super) struct Letters {
    front: Parcel,
    auth: Parcel,
    /// One for each agent, by its number.
    agents: Vec<(u64, Parcel)>,
}

impl Supervisor {
    /// Looks for what a role would stumble over, before anybody is told of the new configuration.
    pub(super) fn check(&self, loaded: &Loaded) -> Result<()> {
        let serves_mta = self.start.config_directory.is_some();
        identity::check(loaded, serves_mta)?;
        auth_sockets::check(loaded.dovecot.as_ref())?;
        log_files::options(&loaded.postfix, loaded.dovecot.as_ref())?;
        if serves_mta {
            // Its words tell the cause as well.
            let certificates = deliver_remote::OwnCertificates::read(&loaded.postfix);
            let certificates = certificates.map_err(|error| anyhow::Error::msg(error.to_string()))?;
            let is_remote = |row: &&Service| {
                !row.overrides.is_empty()
                    && transports::is_transport(row)
                    && Agent::of(&row.name, &row.command).is_some_and(Agent::is_remote)
            };
            let rows = loaded.services.iter().filter(is_remote);
            for settings in rows.map(|row| &row.settings).chain([&loaded.postfix]) {
                generation::remote(settings, &certificates)
                    .map_err(|error| anyhow::Error::msg(error.to_string()))?;
            }
        }
        Ok(())
    }

    /// What everybody is to be told of `snapshot`.
    ///
    /// # Errors
    /// When memory or descriptors are short, or there are more ports than the front can be given at once.
    pub(super) fn letters(&mut self, snapshot: &Snapshot, rebinding: &Rebinding) -> Result<Letters> {
        let roles: Vec<(u64, Role)> = self.agents.all().map(|agent| (agent.id, agent.role)).collect();
        // All agents of a kind get the same file.
        let mut slices: HashMap<Role, OwnedFd> = HashMap::new();
        let mut letter = |role, ports, sockets: Vec<OwnedFd>| -> Result<Parcel> {
            let slice = match slices.get(&role) {
                Some(slice) => slice.try_clone()?,
                None => {
                    let slice = enclosed::enclose(&self.slice(role, snapshot))
                        .context("cannot write the configuration down for the processes")?;
                    slices.insert(role, slice.try_clone()?);
                    slice
                }
            };
            let mut descriptors = vec![slice];
            descriptors.extend(sockets);
            Parcel::new(&Order::Reconfigure(ports), descriptors)
                .with_context(|| format!("cannot tell the process of role {}", role.name()))
        };
        let agents = roles.into_iter();
        let agents = agents.map(|(id, role)| Ok((id, letter(role, Vec::new(), Vec::new())?)));
        let agents = agents.collect::<Result<_>>()?;
        Ok(Letters {
            front: letter(Role::Front, rebinding.ports(), rebinding.sockets()?)?,
            auth: letter(Role::Auth, Vec::new(), Vec::new())?,
            agents,
        })
    }

    /// Tells everybody. A process that is not there is told when it starts.
    pub(super) fn post(&mut self, letters: Letters) {
        if let Some(front) = &mut self.front {
            front.send(letters.front);
        }
        if let Some(auth) = &mut self.auth {
            auth.send(letters.auth);
        }
        for (id, letter) in letters.agents {
            if let Some(agent) = self.agents.all().find(|agent| agent.id == id) {
                agent.send(letter);
            }
        }
    }
}

/// A bound port in words for the front.
pub(super) fn port(bound: &Bound) -> Port {
    Port {
        purpose: bound.purpose.clone(),
        connections_max: bound.connections_max,
        address: bound.address.clone(),
    }
}
