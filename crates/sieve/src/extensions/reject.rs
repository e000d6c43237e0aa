//! `reject` and `ereject` (RFC 5429): refuse the message.

use super::Extension;
use crate::actions::Action;
use crate::checker::Checker;
use crate::result::Keep;
use crate::run::{Run, Step};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltCommand, Call, Command, Kind, Word};

pub(crate) const EXTENSION: Extension =
    Extension::new("reject").words(&[Word::command("reject", &[("reason", Kind::Text)], &[], reject)]);
pub(crate) const EREJECT: Extension =
    Extension::new("ereject").words(&[Word::command("ereject", &[("reason", Kind::Text)], &[], ereject)]);

#[derive(Debug)]
struct Reject {
    reason: Text,
    protocol_level: bool,
}

fn reject(_: &mut Checker<'_>, call: Call) -> BuiltCommand {
    Some(Box::new(Reject {
        reason: call.text(0),
        protocol_level: false,
    }))
}

fn ereject(_: &mut Checker<'_>, call: Call) -> BuiltCommand {
    Some(Box::new(Reject {
        reason: call.text(0),
        protocol_level: true,
    }))
}

impl Command for Reject {
    fn run(&self, run: &mut Run<'_>) -> Step {
        let reason = self.reason.value(run);
        run.trace(Level::Actions, |_| "reject action".to_owned());
        run.trace(Level::Actions, |_| {
            format!("  reject message with reason `{reason}'")
        });
        let action = Action::Reject {
            reason,
            protocol_level: self.protocol_level,
        };
        run.add(action, Keep::Cancelled)
    }
}
