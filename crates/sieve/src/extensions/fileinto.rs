//! `fileinto` (RFC 5228 §4.1): into a mailbox by name.

use super::Extension;
use crate::actions::Action;
use crate::checker::Checker;
use crate::result::Keep;
use crate::run::{Run, Step};
use crate::store::{self, StoreOptions};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltCommand, Call, Command, Kind, Word};

pub(crate) const EXTENSION: Extension =
    Extension::new("fileinto").words(&[Word::command("fileinto", &[("folder", Kind::Text)], &[], build)]);

#[derive(Debug)]
struct Fileinto {
    mailbox: Text,
    copy: bool,
    options: StoreOptions,
}

fn build(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    let mailbox = call.text(0);
    if let Some(literal) = mailbox.literal()
        && !is_mailbox_name(literal)
    {
        checker.error(
            call.position,
            format!("invalid folder name `{literal}' specified for fileinto command"),
        );
        return None;
    }
    Some(Box::new(Fileinto {
        mailbox,
        copy: call.has("copy"),
        options: store::options(checker, &call)?,
    }))
}

/// Whether a mailbox can be called so at all: no control characters, no longer than IMAP servers take.
pub(crate) fn is_mailbox_name(name: &str) -> bool {
    name.len() <= 4096 && !name.contains('\0')
}

impl Command for Fileinto {
    fn run(&self, run: &mut Run<'_>) -> Step {
        let mailbox = self.mailbox.value(run);
        if !is_mailbox_name(&mailbox) {
            return run.fail(format!("fileinto action: mailbox name `{mailbox}' is not valid"));
        }
        run.trace(Level::Actions, |_| "fileinto action".to_owned());
        run.trace(Level::Actions, |_| {
            format!("  store message in mailbox `{mailbox}'")
        });
        // INBOX has one name in any case of letters (RFC 9051 §5.1).
        let is_inbox = mailbox.eq_ignore_ascii_case("INBOX");
        let mailbox = if is_inbox { "INBOX".to_owned() } else { mailbox };
        let store = self.options.store(run, Some(mailbox));
        let keep = if self.copy { Keep::Stays } else { Keep::Cancelled };
        run.add(Action::Store(store), keep)
    }
}
