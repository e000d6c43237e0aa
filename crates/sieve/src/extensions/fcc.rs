//! `fcc` (RFC 8580): a copy of an answer or notification into a mailbox.

use super::{Extension, Offer};
use crate::actions::Store;
use crate::checker::Checker;
use crate::run::Run;
use crate::store::{self, StoreOptions};
use crate::text::Text;
use crate::words::{Call, Kind, Tag};

pub(crate) const EXTENSION: Extension = Extension::new("fcc").offers(&[Offer {
    words: &["vacation", "notify"],
    tags: &[
        Tag::with("fcc", Kind::Text),
        Tag::with("flags", Kind::Texts),
        Tag::flag("create"),
    ],
}]);

/// Where a copy goes.
#[derive(Debug)]
pub(crate) struct Fcc {
    mailbox: Text,
    options: StoreOptions,
}

/// The copy that the tags of `call` ask for; `Some(None)` is none, `None` that they are wrong, which is told.
pub(crate) fn of(checker: &mut Checker<'_>, call: &Call) -> Option<Option<Fcc>> {
    let Some(mailbox) = call.tag_text("fcc") else {
        let alone = ["flags", "create", "specialuse", "mailboxid"]
            .into_iter()
            .find(|name| call.has(name));
        if let Some(name) = alone {
            let title = &call.title;
            checker.error(
                call.position,
                format!("the :{name} tag for the {title} cannot be specified without the :fcc tag"),
            );
            return None;
        }
        return Some(None);
    };
    for (tag, needs) in [("flags", "imap4flags"), ("create", "mailbox")] {
        if call.has(tag) && !checker.has(needs) {
            checker.unknown_tag(call.position, tag, &call.title);
            return None;
        }
    }
    let options = store::options(checker, call)?;
    Some(Some(Fcc { mailbox, options }))
}

impl Fcc {
    /// The copy as an action of its own.
    pub(crate) fn store(&self, run: &mut Run<'_>) -> Store {
        let mailbox = self.mailbox.value(run);
        let mut store = self.options.store(run, Some(mailbox));
        if !self.options.has_flags() {
            // The flags of the message itself are not those of the copy (RFC 8580 §3.1.2).
            store.flags.clear();
        }
        store
    }
}
