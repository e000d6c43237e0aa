//! Control commands (RFC 5228 §3) and tests that are made of tests.

use crate::checker::Checker;
use crate::run::{Run, Step, Stop};
use crate::trace::Level;
use crate::words::{Block, BuiltTest, Call, Command, Test};

/// `if`, `elsif`, `else`.
#[derive(Debug)]
pub(crate) struct If {
    pub(crate) branches: Vec<(Box<dyn Test>, Block)>,
    pub(crate) otherwise: Option<Block>,
}

impl Command for If {
    fn run(&self, run: &mut Run<'_>) -> Step {
        for (test, block) in &self.branches {
            let taken = test.test(run)?;
            run.trace(Level::Tests, |_| "jump if result is false".to_owned());
            if taken {
                run.trace(Level::Tests, |_| "  not jumping".to_owned());
                return run.block(block);
            }
            run.trace(Level::Tests, |_| "  jumping".to_owned());
        }
        self.otherwise.as_ref().map_or(Ok(()), |block| run.block(block))
    }
}

/// A chain of which no branch is ever taken.
#[derive(Debug)]
pub(crate) struct Noop;

impl Command for Noop {
    fn run(&self, _run: &mut Run<'_>) -> Step {
        Ok(())
    }
}

/// `stop`.
#[derive(Debug)]
pub(crate) struct StopCommand;

impl Command for StopCommand {
    fn run(&self, run: &mut Run<'_>) -> Step {
        run.trace(Level::Commands, |_| {
            "stop command; end all script execution".to_owned()
        });
        Err(Stop::Script)
    }
}

/// `true` and `false`.
#[derive(Debug)]
pub(crate) struct Constant(pub(crate) bool);

impl Test for Constant {
    fn test(&self, _run: &mut Run<'_>) -> Result<bool, Stop> {
        Ok(self.0)
    }

    fn constant(&self) -> Option<bool> {
        Some(self.0)
    }
}

/// `not`.
#[derive(Debug)]
pub(crate) struct Not(Box<dyn Test>);

impl Test for Not {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        self.0.test(run).map(|answer| !answer)
    }

    fn constant(&self) -> Option<bool> {
        self.0.constant().map(|answer| !answer)
    }
}

/// `allof` and `anyof`: evaluated from the left, no further than needed.
#[derive(Debug)]
pub(crate) struct Several {
    tests: Vec<Box<dyn Test>>,
    /// The answer that ends the evaluation.
    decisive: bool,
}

impl Test for Several {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        for test in &self.tests {
            run.spend(1)?;
            if test.test(run)? == self.decisive {
                return Ok(self.decisive);
            }
        }
        Ok(!self.decisive)
    }

    fn constant(&self) -> Option<bool> {
        // As with Pigeonhole, one such answer decides wherever it stands.
        if self
            .tests
            .iter()
            .any(|test| test.constant() == Some(self.decisive))
        {
            return Some(self.decisive);
        }
        self.tests
            .iter()
            .all(|test| test.constant().is_some())
            .then_some(!self.decisive)
    }
}

pub(crate) fn not(_: &mut Checker<'_>, mut call: Call) -> BuiltTest {
    let test = call.tests.pop()?;
    Some(Box::new(Not(test)))
}

pub(crate) fn allof(_: &mut Checker<'_>, call: Call) -> BuiltTest {
    Some(Box::new(Several {
        tests: call.tests,
        decisive: false,
    }))
}

pub(crate) fn anyof(_: &mut Checker<'_>, call: Call) -> BuiltTest {
    Some(Box::new(Several {
        tests: call.tests,
        decisive: true,
    }))
}
