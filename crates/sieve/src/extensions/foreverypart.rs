//! `foreverypart` and `break` (RFC 5703 §3).

use super::Extension;
use crate::checker::Checker;
use crate::run::{Run, Step, Stop};
use crate::trace::Level;
use crate::words::{Block, BlockUse, BuiltCommand, Call, Command, Kind, Tag, Word};

pub(crate) const EXTENSION: Extension = Extension::new("foreverypart").words(&[
    Word::command(
        "foreverypart",
        &[],
        &[Tag::with("name", Kind::Text)],
        foreverypart,
    )
    .block(BlockUse::Loop),
    Word::command("break", &[], &[Tag::with("name", Kind::Text)], break_command),
]);

/// How deep loops nest.
const NESTING_MAX: usize = 4;

#[derive(Debug)]
struct ForEveryPart(Block);

fn foreverypart(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    if checker.loops.len() >= NESTING_MAX {
        checker.error(
            call.position,
            format!("new program loop exceeds the nesting limit (<= {NESTING_MAX} levels)"),
        );
        return None;
    }
    Some(Box::new(ForEveryPart(call.block.unwrap_or_default())))
}

impl Command for ForEveryPart {
    fn run(&self, run: &mut Run<'_>) -> Step {
        run.trace(Level::Commands, |_| "foreverypart command".to_owned());
        let parts = run.mail.parts();
        let (first, last) = match run.loops.last() {
            // Inside another loop: what is below its part.
            Some(&(at, below)) => (at + 1, at + below),
            None => (0, parts.list.len().saturating_sub(1)),
        };
        let mut at = first;
        while at <= last && at < parts.list.len() {
            run.spend(1)?;
            run.loops.push((at, parts.list[at].below));
            let result = run.block(&self.0);
            run.loops.pop();
            match result {
                Err(Stop::Break(1)) => break,
                Err(Stop::Break(loops)) => return Err(Stop::Break(loops - 1)),
                other => other?,
            }
            at += 1;
        }
        Ok(())
    }
}

/// Leaves so many loops.
#[derive(Debug)]
struct Break(usize);

fn break_command(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    let name = call.tag_text("name");
    let name = name.as_ref().and_then(|name| name.literal());
    let depth = match name {
        Some(name) => checker
            .loops
            .iter()
            .rev()
            .position(|other| other.as_deref() == Some(name)),
        None => (!checker.loops.is_empty()).then_some(0),
    };
    let Some(depth) = depth else {
        let named = name.map(|name| format!(" named `{name}'")).unwrap_or_default();
        checker.error(
            call.position,
            format!("the break command is not placed inside a foreverypart loop{named}"),
        );
        return None;
    };
    Some(Box::new(Break(depth + 1)))
}

impl Command for Break {
    fn run(&self, run: &mut Run<'_>) -> Step {
        run.trace(Level::Commands, |_| "break command".to_owned());
        Err(Stop::Break(self.0))
    }
}
