//! `imapflags`: the deprecated draft before imap4flags, as Pigeonhole has it.

use super::Extension;
use super::imap4flags::{CONFLICT, Change, change_own, split};
use crate::checker::Checker;
use crate::run::{Run, Step};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltCommand, Call, Command, Kind, Word};

pub(crate) const EXTENSION: Extension = Extension::new("imapflags")
    .off()
    .conflicts(&[("imap4flags", CONFLICT)])
    .words(&[
        Word::command("setflag", FLAGS, &[], |c, call| build(c, call, Change::Set)),
        Word::command("addflag", FLAGS, &[], |c, call| build(c, call, Change::Add)),
        Word::command("removeflag", FLAGS, &[], |c, call| build(c, call, Change::Remove)),
        Word::command("mark", &[], &[], |_, _| flagged(Change::Add)),
        Word::command("unmark", &[], &[], |_, _| flagged(Change::Remove)),
    ]);

const FLAGS: &[(&str, Kind)] = &[("flag list", Kind::Texts)];

#[derive(Debug)]
struct Flag {
    change: Change,
    flags: Vec<Text>,
}

fn build(_: &mut Checker<'_>, call: Call, change: Change) -> BuiltCommand {
    Some(Box::new(Flag {
        change,
        flags: call.texts(0),
    }))
}

fn flagged(change: Change) -> BuiltCommand {
    Some(Box::new(Flag {
        change,
        flags: vec![Text::from_literal("\\Flagged")],
    }))
}

impl Command for Flag {
    fn run(&self, run: &mut Run<'_>) -> Step {
        let texts: Vec<String> = self.flags.iter().map(|text| text.value(run)).collect();
        run.trace(Level::Commands, |_| format!("change flags `{}'", texts.join(" ")));
        let given = split(texts.iter().map(String::as_str));
        change_own(run, self.change, given);
        Ok(())
    }
}
