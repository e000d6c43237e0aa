//! `vnd.dovecot.debug`: `debug_log`.

use super::Extension;
use crate::checker::Checker;
use crate::diagnostics::Severity;
use crate::run::{Run, Step};
use crate::text::Text;
use crate::words::{BuiltCommand, Call, Command, Kind, Word};

pub(crate) const EXTENSION: Extension = Extension::new("vnd.dovecot.debug").off().words(&[Word::command(
    "debug_log",
    &[("message", Kind::Text)],
    &[],
    build,
)]);

#[derive(Debug)]
struct DebugLog(Text);

fn build(_: &mut Checker<'_>, call: Call) -> BuiltCommand {
    Some(Box::new(DebugLog(call.text(0))))
}

impl Command for DebugLog {
    fn run(&self, run: &mut Run<'_>) -> Step {
        let text = self.0.value(run);
        run.say(Severity::Info, format!("DEBUG: {text}"));
        Ok(())
    }
}
