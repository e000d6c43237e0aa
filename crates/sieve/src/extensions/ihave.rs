//! `ihave` and `error` (RFC 5463).

use super::Extension;
use crate::checker::Checker;
use crate::control::Constant;
use crate::run::{Run, Step};
use crate::text::Text;
use crate::words::{BuiltCommand, BuiltTest, Call, Command, Kind, Word};

pub(crate) const EXTENSION: Extension = Extension::new("ihave").words(&[
    Word::test("ihave", &[("capabilities", Kind::Texts)], &[], ihave),
    Word::command("error", &[("message", Kind::Text)], &[], error),
]);

/// Answered while the script is checked: what is there may be used from here on, what is not makes the answer no, and
/// nobody looks at what stands behind that.
fn ihave(checker: &mut Checker<'_>, call: Call) -> BuiltTest {
    let names = call.texts(0);
    let mut known = Vec::new();
    for name in &names {
        match name.literal() {
            Some(name) => known.push(name.to_owned()),
            None => {
                checker.error(
                    call.position,
                    "the ihave test requires constant strings as argument 1 (capabilities)",
                );
                return None;
            }
        }
    }
    let all = known.iter().all(|name| {
        // Strings before this were read without variables already: too late for them, as with Pigeonhole.
        let late = name == "variables" && !checker.has(name);
        (checker.allows(name) && !late)
            || matches!(name.as_str(), "comparator-i;octet" | "comparator-i;ascii-casemap")
    });
    if all {
        for name in &known {
            checker.require(name, call.position);
        }
    }
    Some(Box::new(Constant(all)))
}

#[derive(Debug)]
struct ErrorCommand(Text);

fn error(_: &mut Checker<'_>, call: Call) -> BuiltCommand {
    Some(Box::new(ErrorCommand(call.text(0))))
}

impl Command for ErrorCommand {
    fn run(&self, run: &mut Run<'_>) -> Step {
        let text = self.0.value(run);
        run.fail(text)
    }
}
