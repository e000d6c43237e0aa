//! The agents: one for each uid, group and purpose, started when somebody needs it.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use ipc::roles::{Answer, Asker, Kind, Order, Whose};

use super::Supervisor;
use super::child::Child;
use crate::identity::may_become;
use crate::roles::Role;

/// How many there may be at a time.
const AGENTS_MAX: usize = 4_000;

/// What tells one from another.
type Key = (u32, u32, Kind);

/// The agents that are there.
#[derive(Default)]
pub(super) struct Agents {
    working: HashMap<Key, (Child, Whose)>,
    /// Those that were told to end.
    leaving: Vec<Child>,
}

impl Agents {
    /// The working agent of that child number.
    pub(super) fn find(&mut self, id: u64) -> Option<(&mut Child, &Whose)> {
        self.working
            .values_mut()
            .find(|(child, _)| child.id == id)
            .map(|(child, whose)| (child, &*whose))
    }

    /// Takes an agent out that says it is idle, unless it was given an order that it had not heard of then.
    pub(super) fn leave(&mut self, id: u64, orders: u64) -> Option<Child> {
        let is_idle = |(child, _): &(Child, Whose)| child.id == id && child.orders == orders;
        let key = self
            .working
            .iter()
            .find(|(_, agent)| is_idle(agent))
            .map(|(key, _)| *key)?;
        self.working.remove(&key).map(|(child, _)| child)
    }

    /// Remembers one that was told to end.
    pub(super) fn keep_leaving(&mut self, child: Child) {
        self.leaving.push(child);
    }

    /// One has ended; it is given back when nobody had told it to.
    pub(super) fn ended(&mut self, id: u64) -> Option<Child> {
        self.leaving.retain(|child| child.id != id);
        let key = self
            .working
            .iter()
            .find(|(_, (child, _))| child.id == id)
            .map(|(key, _)| *key)?;
        self.working.remove(&key).map(|(child, _)| child)
    }

    /// All of them.
    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Child> {
        self.working
            .values_mut()
            .map(|(child, _)| child)
            .chain(&mut self.leaving)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.working.is_empty() && self.leaving.is_empty()
    }
}

impl Supervisor {
    /// The agent with these rights, started if it is not there.
    pub(super) fn agent(&mut self, whose: &Whose) -> Result<&mut Child, Answer> {
        let identity = &whose.identity;
        may_become(&self.policy, identity.uid, identity.gid, whose.kind)
            .map_err(|refusal| Answer::Refused(refusal.to_string()))?;
        let key = (identity.uid, identity.gid, whose.kind);
        if !self.agents.working.contains_key(&key) {
            if self.agents.working.len() >= AGENTS_MAX {
                return Err(Answer::Busy(format!("{AGENTS_MAX} agents are at work")));
            }
            let child = self
                .start_child(Role::Agent(whose.kind), identity.clone(), Vec::new())
                .map_err(|error| Answer::Busy(format!("{error:#}")))?;
            self.agents.working.insert(key, (child, whose.clone()));
        }
        let agent = self.agents.working.get_mut(&key);
        agent
            .map(|(child, _)| child)
            .ok_or_else(|| Answer::Busy("the agent is gone".to_owned()))
    }

    /// A channel for deliveries with these rights.
    pub(super) fn open_deliveries(&mut self, whose: &Whose) -> (Answer, Vec<OwnedFd>) {
        let (asks, answers) = match UnixStream::pair() {
            Ok(pair) => pair,
            Err(error) => return (Answer::Busy(os::words(&error)), Vec::new()),
        };
        match self.agent(whose) {
            Ok(agent) => {
                agent.order(&Order::Asker(Asker::Front), vec![answers.into()]);
                (Answer::Agent(agent.pid), vec![asks.into()])
            }
            Err(answer) => (answer, Vec::new()),
        }
    }
}
