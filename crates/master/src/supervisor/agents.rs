//! The agents: one for each uid, group and purpose, started when somebody needs it. When there is no room for another one, who
//! needs it waits until one has ended.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use ipc::control::Haste;
use ipc::roles::{Answer, Asker, Kind, Order, Session, Whose};

use super::Supervisor;
use super::child::{Child, Event};
use super::room::{Room, Used, Waits};
use crate::identity::may_become;
use crate::roles::Role;

/// How many questions wait for room at a time.
const WAITING_MAX: usize = 1_000;
/// How long each of them waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// What tells one from another.
type Key = (u32, u32, Kind);

fn key(whose: &Whose) -> Key {
    (whose.identity.uid, whose.identity.gid, whose.kind)
}

/// One that was not told to end.
struct Agent {
    child: Child,
    whose: Whose,
    /// The turn of its last order.
    last_used: u64,
    /// It was asked to make room.
    was_asked: bool,
}

/// What an agent is needed for.
pub(super) enum What {
    /// A channel for deliveries.
    Deliveries,
    /// A session, with its descriptors.
    Session(Box<Session>, Vec<OwnedFd>),
}

/// A question of the front that waits for an agent.
struct Wanted {
    /// Its own number.
    turn: u64,
    /// The front that asked, and its number.
    asked: (u64, u64),
    whose: Whose,
    what: What,
}

/// The agents that are there.
pub(super) struct Agents {
    working: HashMap<Key, Agent>,
    /// Those that were told to end.
    leaving: Vec<(Child, Whose)>,
    waiting: VecDeque<Wanted>,
    room: Room,
    /// Goes up with each agent that is needed.
    turn: u64,
}

impl Agents {
    /// None, in a process that may open so many descriptors.
    pub(super) fn for_descriptors(descriptors: u64) -> Agents {
        Agents {
            working: HashMap::new(),
            leaving: Vec::new(),
            waiting: VecDeque::new(),
            room: Room::of(descriptors),
            turn: 0,
        }
    }

    /// The agent of that child number. One that was told to end may still have to ask before it can.
    pub(super) fn find(&mut self, id: u64) -> Option<(&mut Child, &Whose)> {
        let leaving = self.leaving.iter_mut().map(|(child, whose)| (child, &*whose));
        self.working
            .values_mut()
            .map(|agent| (&mut agent.child, &agent.whose))
            .chain(leaving)
            .find(|(child, _)| child.id == id)
    }

    /// Tells an agent that says it is idle to end, unless it was given an order that it had not heard of then.
    pub(super) fn leave(&mut self, id: u64, orders: u64) {
        let is_idle = |agent: &&Agent| agent.child.id == id && agent.child.orders == orders;
        let idle = self.working.values().find(is_idle).map(|agent| key(&agent.whose));
        if let Some(mut agent) = idle.and_then(|key| self.working.remove(&key)) {
            agent.child.order(&Order::Stop(Haste::Graceful), Vec::new());
            self.leaving.push((agent.child, agent.whose));
        }
    }

    /// One has ended; it is given back when nobody had told it to.
    pub(super) fn ended(&mut self, id: u64) -> Option<Child> {
        self.leaving.retain(|(child, _)| child.id != id);
        let ended = self.working.values().find(|agent| agent.child.id == id);
        let key = ended.map(|agent| key(&agent.whose))?;
        self.working.remove(&key).map(|agent| agent.child)
    }

    /// All of them.
    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Child> {
        let leaving = self.leaving.iter_mut().map(|(child, _)| child);
        self.working
            .values_mut()
            .map(|agent| &mut agent.child)
            .chain(leaving)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.working.is_empty() && self.leaving.is_empty()
    }

    /// Nobody is there any more whose questions wait.
    pub(super) fn nobody_waits(&mut self) {
        self.waiting.clear();
    }

    fn count(&self) -> usize {
        self.working.len() + self.leaving.len()
    }

    /// Whether there is an agent with these rights, or may be.
    fn has_room_for(&self, whose: &Whose) -> bool {
        self.working.contains_key(&key(whose)) || self.count() < self.room.most
    }

    /// Asks those that were unused longest to end, if there are many.
    fn make_room(&mut self, waits: Waits) {
        let used = self.working.values().map(|agent| Used {
            id: agent.child.id,
            last_used: agent.last_used,
            was_asked: agent.was_asked,
        });
        let asked = self.room.asked(used.collect(), waits);
        for agent in self.working.values_mut() {
            if asked.contains(&agent.child.id) {
                agent.was_asked = true;
                agent.child.order(&Order::MakeRoom, Vec::new());
            }
        }
    }
}

impl Supervisor {
    /// The front needs the agent with these rights: it gets it, or waits for it.
    pub(super) fn want(&mut self, asked: (u64, u64), whose: Whose, what: What) {
        self.agents.turn += 1;
        let wanted = Wanted {
            turn: self.agents.turn,
            asked,
            whose,
            what,
        };
        if self.agents.has_room_for(&wanted.whose) {
            self.serve(wanted);
        } else if self.agents.waiting.len() >= WAITING_MAX || self.stopping.is_some() {
            self.refuse(wanted, &format!("{} agents are at work", self.agents.room.most));
        } else {
            let (turn, sender) = (wanted.turn, self.sender.clone());
            tokio::spawn(async move {
                tokio::time::sleep(PATIENCE).await;
                // The supervisor may have ended meanwhile.
                let _ = sender.send(Event::WaitedEnough(turn));
            });
            self.agents.waiting.push_back(wanted);
            self.make_room(Waits::Somebody);
        }
    }

    /// An agent has ended: those who wait and have room now get their agents.
    pub(super) fn serve_waiting(&mut self) {
        for wanted in std::mem::take(&mut self.agents.waiting) {
            if self.agents.has_room_for(&wanted.whose) {
                self.serve(wanted);
            } else {
                self.agents.waiting.push_back(wanted);
            }
        }
        if !self.agents.waiting.is_empty() {
            // Those that were started just now are not to stay longer than they are needed.
            self.make_room(Waits::Somebody);
        }
    }

    /// That one has waited long enough.
    pub(super) fn give_up(&mut self, turn: u64) {
        let waiting = &mut self.agents.waiting;
        let place = waiting.iter().position(|wanted| wanted.turn == turn);
        if let Some(wanted) = place.and_then(|place| waiting.remove(place)) {
            self.refuse(wanted, &format!("{} agents are at work", self.agents.room.most));
        }
    }

    /// Nobody who waits will get an agent.
    pub(super) fn refuse_waiting(&mut self, why: &str) {
        for wanted in std::mem::take(&mut self.agents.waiting) {
            self.refuse(wanted, why);
        }
    }

    fn refuse(&mut self, wanted: Wanted, why: &str) {
        let (front, number) = wanted.asked;
        self.answer(front, number, Answer::Busy(why.to_owned()), Vec::new());
    }

    fn serve(&mut self, wanted: Wanted) {
        let (front, number) = wanted.asked;
        let (answer, descriptors) = match self.agent(&wanted.whose, wanted.turn) {
            Err(answer) => (answer, Vec::new()),
            Ok(agent) => match wanted.what {
                What::Deliveries => open_deliveries(agent),
                What::Session(session, descriptors) => {
                    agent.order(&Order::Session(session), descriptors);
                    (Answer::Agent(agent.pid), Vec::new())
                }
            },
        };
        self.answer(front, number, answer, descriptors);
    }

    /// The agent with these rights, started if it is not there.
    fn agent(&mut self, whose: &Whose, turn: u64) -> Result<&mut Child, Answer> {
        let identity = &whose.identity;
        may_become(&self.policy, identity.uid, identity.gid, whose.kind)
            .map_err(|refusal| Answer::Refused(refusal.to_string()))?;
        let key = key(whose);
        if !self.agents.working.contains_key(&key) {
            let child = self
                .start_child(Role::Agent(whose.kind), identity.clone(), Vec::new())
                .map_err(|error| Answer::Busy(os::with_causes(error.as_ref())))?;
            let agent = Agent {
                child,
                whose: whose.clone(),
                last_used: turn,
                was_asked: false,
            };
            self.agents.working.insert(key, agent);
            if self.agents.room.is_crowded(self.agents.count()) {
                self.make_room(Waits::Nobody);
            }
        }
        let gone = || Answer::Busy("the agent is gone".to_owned());
        let agent = self.agents.working.get_mut(&key).ok_or_else(gone)?;
        agent.last_used = turn;
        Ok(&mut agent.child)
    }

    /// The front keeps agents for later mail: it lets go of them first.
    fn make_room(&mut self, waits: Waits) {
        if let Some(front) = &mut self.front {
            front.order(&Order::MakeRoom, Vec::new());
        }
        self.agents.make_room(waits);
    }
}

/// A channel for deliveries.
fn open_deliveries(agent: &mut Child) -> (Answer, Vec<OwnedFd>) {
    match UnixStream::pair() {
        Ok((asks, answers)) => {
            agent.order(&Order::Asker(Asker::Front), vec![answers.into()]);
            (Answer::Agent(agent.pid), vec![asks.into()])
        }
        Err(error) => (Answer::Busy(os::words(&error)), Vec::new()),
    }
}
