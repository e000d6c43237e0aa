//! A machine in memory as the peer of a dialogue, with a policy that answers its events.

use crate::{Given, Peer};
use machine::{Machine, SECOND, Stamp};
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

/// When every machine's life starts: 2026-01-01 00:00:00 UTC.
pub const START: Stamp = 1_767_225_600 * SECOND;

/// Makes a machine and answers for it, from memory.
pub trait Policy {
    /// The machine it is for.
    type Machine: Machine;

    /// A `given` line.
    fn given(&mut self, key: &str, value: &str) -> Given;

    /// The machine, made after the last `given`.
    fn machine(&mut self, now: Stamp) -> Self::Machine;

    /// Decides about one event; `None` when it needs no answer.
    fn decide(
        &mut self,
        event: <Self::Machine as Machine>::Event,
        now: Stamp,
    ) -> Option<<Self::Machine as Machine>::Answer>;

    /// See [`Peer::facts`].
    fn facts(&mut self, kind: &str) -> Option<Vec<String>>;
}

/// A machine and its policy. Delays that the machine itself makes are waited out by moving its clock.
pub struct MachinePeer<P: Policy> {
    policy: P,
    machine: Option<P::Machine>,
    now: Stamp,
    input: VecDeque<u8>,
    output: Vec<u8>,
}

impl<P: Policy> MachinePeer<P> {
    /// A peer that has not started yet.
    pub fn new(policy: P) -> MachinePeer<P> {
        MachinePeer {
            policy,
            machine: None,
            now: START,
            input: VecDeque::new(),
            output: Vec::new(),
        }
    }

    /// The policy, to look at what it has seen.
    pub fn policy(&self) -> &P {
        &self.policy
    }

    /// The machine, once something was sent or read.
    pub fn machine(&mut self) -> &mut P::Machine {
        let (policy, now) = (&mut self.policy, self.now);
        self.machine.get_or_insert_with(|| policy.machine(now))
    }

    /// Everything it has said that was not read yet, line ends included.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.settle();
        std::mem::take(&mut self.output)
    }

    /// The client closes its side.
    pub fn end_of_input(&mut self) {
        self.settle();
        let now = self.now;
        self.machine().end_of_input(now);
        self.settle();
    }

    /// Drives the machine until it can go no further without input or time.
    fn settle(&mut self) {
        loop {
            let now = self.now;
            if let Some(event) = self.machine().next_event() {
                if let Some(answer) = self.policy.decide(event, now) {
                    self.machine().answer(answer, now);
                }
                continue;
            }
            let mut output = Vec::new();
            self.machine().next_output(&mut output, 4096);
            if !output.is_empty() {
                self.output.extend(output);
                continue;
            }
            if self.input.is_empty() || self.machine().is_finished() || !self.machine().wants_input() {
                return;
            }
            let piece: Vec<u8> = self.input.drain(..).collect();
            self.machine().feed(&piece, now);
        }
    }

    /// Moves the clock to the machine's own delay, if it is in one. A machine that waits for input is not.
    fn wait_out_delay(&mut self) -> bool {
        self.settle();
        let machine = self.machine();
        if machine.wants_input() || machine.is_finished() {
            return false;
        }
        let Some(deadline) = machine.deadline() else {
            return false;
        };
        self.now = self.now.max(deadline);
        let now = self.now;
        self.machine().time_out(now);
        self.settle();
        true
    }
}

impl<P: Policy> Peer for MachinePeer<P> {
    fn given(&mut self, key: &str, value: &str) -> Given {
        self.policy.given(key, value)
    }

    fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.input.extend(octets);
        self.settle();
        Ok(())
    }

    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.settle();
        loop {
            if let Some(end) = self.output.iter().position(|&octet| octet == b'\n') {
                let mut line: Vec<u8> = self.output.drain(..=end).collect();
                line.truncate(line.strip_suffix(b"\r\n").map_or(end, <[u8]>::len));
                return Ok(Some(line));
            }
            if self.wait_out_delay() {
                continue;
            }
            if self.machine().is_finished() && self.output.is_empty() {
                return Ok(None);
            }
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the machine waits for more input",
            ));
        }
    }

    fn pass(&mut self, time: Duration) -> bool {
        self.settle();
        let end = self.now + Stamp::try_from(time.as_micros()).unwrap_or(Stamp::MAX / 2);
        while let Some(deadline) = self.machine().deadline().filter(|&deadline| deadline <= end) {
            if self.machine().is_finished() {
                break;
            }
            self.now = self.now.max(deadline);
            let now = self.now;
            self.machine().time_out(now);
            self.settle();
        }
        self.now = end;
        true
    }

    /// The policy answers a machine's wish for a handshake itself.
    fn start_tls(&mut self) -> io::Result<bool> {
        self.settle();
        Ok(true)
    }

    fn facts(&mut self, kind: &str) -> Option<Vec<String>> {
        self.settle();
        self.policy.facts(kind)
    }
}
