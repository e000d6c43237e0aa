//! `vnd.dovecot.report`: report a message as abuse (RFC 5965).

use super::Extension;
use crate::actions::{Action, Report};
use crate::checker::Checker;
use crate::parts;
use crate::result::Keep;
use crate::run::{Run, Step};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltCommand, Call, Command, Kind, Tag, Word};

pub(crate) const EXTENSION: Extension = Extension::new("vnd.dovecot.report").off().words(&[Word::command(
    "report",
    &[
        ("feedback-type", Kind::Text),
        ("message", Kind::Text),
        ("address", Kind::Text),
    ],
    &[Tag::flag("headers_only")],
    build,
)]);

#[derive(Debug)]
struct ReportCommand {
    feedback_type: Text,
    text: Text,
    address: Text,
    headers_only: bool,
}

fn build(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    let (feedback_type, address) = (call.text(0), call.text(2));
    if let Some(literal) = feedback_type.literal()
        && !is_token(literal)
    {
        checker.error(
            call.position,
            format!("specified feedback type '{literal}' is invalid"),
        );
        return None;
    }
    if let Some(literal) = address.literal()
        && let Err(why) = parts::single(literal)
    {
        checker.error(
            call.position,
            format!("specified report address '{literal}' is invalid: {why}"),
        );
        return None;
    }
    Some(Box::new(ReportCommand {
        feedback_type,
        text: call.text(1),
        address,
        headers_only: call.has("headers_only"),
    }))
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&b))
}

impl Command for ReportCommand {
    fn run(&self, run: &mut Run<'_>) -> Step {
        run.trace(Level::Actions, |_| "report action".to_owned());
        let (feedback_type, address) = (self.feedback_type.value(run), self.address.value(run));
        if !is_token(&feedback_type) {
            return run.fail(format!(
                "specified report feedback type `{feedback_type}' is invalid"
            ));
        }
        match parts::single(&address) {
            Ok(address) => {
                let report = Report {
                    feedback_type,
                    text: self.text.value(run),
                    address: address.whole(),
                    headers_only: self.headers_only,
                };
                run.add(Action::Report(report), Keep::Stays)
            }
            Err(why) => run.fail(format!("specified report address '{address}' is invalid: {why}")),
        }
    }
}
