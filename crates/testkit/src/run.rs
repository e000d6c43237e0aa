//! Runs a dialogue against a peer.

use crate::dialogue::{Dialogue, Step};
use crate::pattern::{Memory, Pattern};
use crate::{Given, Peer, Seed};
use std::collections::HashMap;

/// How many lines `S*` skips.
pub const SKIPPED_LINES_MAX: usize = 10_000;

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Cut what is sent into pieces of random length from this seed.
    pub cuts: Option<u64>,
}

/// What became of a run that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ran {
    /// Every line was done.
    Whole,
    /// From here on the peer cannot do what the file says.
    Skipped(String),
}

/// A run that failed: where, why, and what was said before.
#[derive(Debug, thiserror::Error)]
#[error("{name}:{line}: {what}\n--- so far:\n{transcript}")]
pub struct Failure {
    /// The file.
    pub name: String,
    /// The line in it.
    pub line: usize,
    /// What went wrong.
    pub what: String,
    /// Everything said so far.
    pub transcript: String,
}

impl Run {
    /// Runs `dialogue` against `peer` from its first line to its last.
    ///
    /// # Errors
    /// When the peer says or does something else than the file.
    pub fn run(&self, dialogue: &Dialogue, peer: &mut dyn Peer) -> Result<Ran, Failure> {
        for (key, value) in &dialogue.given {
            if peer.given(key, value) == Given::NotHere {
                return Ok(Ran::Skipped(format!("{}: given {key} {value}", dialogue.name)));
            }
        }
        let mut going = Going {
            peer,
            memory: Memory::new(),
            transcript: String::new(),
            cuts: self.cuts.map(Seed::new),
            seen: HashMap::new(),
        };
        for (line, step) in &dialogue.steps {
            match going.step(step) {
                Ok(true) => {}
                Ok(false) => {
                    return Ok(Ran::Skipped(format!(
                        "{}:{line}: not with this peer",
                        dialogue.name
                    )));
                }
                Err(what) => {
                    let (name, transcript) = (dialogue.name.clone(), going.transcript);
                    return Err(Failure {
                        name,
                        line: *line,
                        what,
                        transcript,
                    });
                }
            }
        }
        Ok(Ran::Whole)
    }
}

struct Going<'a> {
    peer: &'a mut dyn Peer,
    memory: Memory,
    transcript: String,
    cuts: Option<Seed>,
    /// How many facts of each kind were checked.
    seen: HashMap<String, usize>,
}

impl Going<'_> {
    /// Does one step; `false` when the peer cannot.
    fn step(&mut self, step: &Step) -> Result<bool, String> {
        match step {
            Step::Send(text) => self.send(text)?,
            Step::Expect(pattern) => self.expect(pattern)?,
            Step::ExpectLater(pattern) => self.expect_later(pattern)?,
            Step::Closed => self.expect_end()?,
            Step::Tls => {
                return self
                    .peer
                    .start_tls()
                    .map_err(|e| format!("the handshake failed: {e}"));
            }
            Step::Pass(time) => return Ok(self.peer.pass(*time)),
            Step::Fact(kind, pattern) => self.fact(kind, pattern.as_ref())?,
        }
        Ok(true)
    }

    fn send(&mut self, text: &Pattern) -> Result<(), String> {
        let octets = text.fill(&self.memory).map_err(|e| e.to_string())?;
        self.note("C", &octets);
        let pieces = match &mut self.cuts {
            Some(seed) => {
                let longest = 1 + octets.len() / (1 + seed.below(8));
                seed.cut(&octets, longest)
            }
            None => vec![&octets[..]],
        };
        pieces
            .into_iter()
            .try_for_each(|piece| self.peer.send(piece))
            .map_err(|e| format!("cannot send: {e}"))
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, String> {
        let line = self.peer.line().map_err(|e| format!("no line came: {e}"))?;
        match &line {
            Some(line) => self.note("S", line),
            None => self.transcript.push_str("closed\n"),
        }
        Ok(line)
    }

    fn expect(&mut self, pattern: &Pattern) -> Result<(), String> {
        match self.line()? {
            Some(line) if pattern.matches(&line, &mut self.memory) => Ok(()),
            Some(line) => Err(format!("another line came: {}", line.escape_ascii())),
            None => Err("the connection was closed instead".to_owned()),
        }
    }

    fn expect_later(&mut self, pattern: &Pattern) -> Result<(), String> {
        for _ in 0..SKIPPED_LINES_MAX {
            match self.line()? {
                Some(line) if pattern.matches(&line, &mut self.memory) => return Ok(()),
                Some(_) => {}
                None => return Err("the connection was closed before such a line".to_owned()),
            }
        }
        Err("too many other lines".to_owned())
    }

    fn expect_end(&mut self) -> Result<(), String> {
        match self.line()? {
            None => Ok(()),
            Some(line) => Err(format!("a line came instead of the end: {}", line.escape_ascii())),
        }
    }

    /// Facts that a peer cannot tell are not checked.
    fn fact(&mut self, kind: &str, pattern: Option<&Pattern>) -> Result<(), String> {
        let Some(facts) = self.peer.facts(kind) else {
            return Ok(());
        };
        let seen = self.seen.entry(kind.to_owned()).or_default();
        match (facts.get(*seen), pattern) {
            (None, None) => Ok(()),
            (Some(fact), Some(pattern)) if pattern.matches(fact.as_bytes(), &mut self.memory) => {
                *seen += 1;
                Ok(())
            }
            (Some(fact), _) => Err(format!("the next {kind} fact is: {fact}")),
            (None, Some(_)) => Err(format!("there is no more {kind} fact; all: {facts:#?}")),
        }
    }

    fn note(&mut self, side: &str, octets: &[u8]) {
        let shown = &octets[..octets.len().min(500)];
        self.transcript
            .push_str(&format!("{side}: {}\n", shown.escape_ascii()));
    }
}
