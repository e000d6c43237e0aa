//! Where and how a message is stored: what `keep`, `fileinto` and `:fcc` have in common.

use crate::actions::Store;
use crate::checker::Checker;
use crate::extensions::{imap4flags, special_use};
use crate::run::Run;
use crate::text::Text;
use crate::words::Call;

/// The tags of a command that stores.
#[derive(Debug)]
pub(crate) struct StoreOptions {
    flags: Option<Vec<Text>>,
    create: bool,
    special_use: Option<Text>,
    mailbox_id: Option<Text>,
}

/// What the tags of `call` ask for; `None` when one is wrong, which is told.
pub(crate) fn options(checker: &mut Checker<'_>, call: &Call) -> Option<StoreOptions> {
    let special_use = call.tag_text("specialuse");
    if let Some(literal) = special_use.as_ref().and_then(Text::literal)
        && !special_use::is_flag(literal)
    {
        checker.error(
            call.position,
            format!("specialuse tag: invalid special-use flag `{literal}' specified"),
        );
        return None;
    }
    Some(StoreOptions {
        flags: call.tag_texts("flags"),
        create: call.has("create"),
        special_use,
        mailbox_id: call.tag_text("mailboxid"),
    })
}

impl StoreOptions {
    /// Whether `:flags` stands there.
    pub(crate) fn has_flags(&self) -> bool {
        self.flags.is_some()
    }

    /// The store into `mailbox`; `None` is the default one. Without `:flags` the flags are those of the internal variable.
    pub(crate) fn store(&self, run: &mut Run<'_>, mailbox: Option<String>) -> Store {
        let flags = match &self.flags {
            Some(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| text.value(run)).collect();
                imap4flags::split(texts.iter().map(String::as_str))
            }
            None => run.flags.clone(),
        };
        Store {
            mailbox,
            flags,
            create: self.create,
            special_use: self.special_use.as_ref().map(|text| text.value(run)),
            mailbox_id: self.mailbox_id.as_ref().map(|text| text.value(run)),
        }
    }
}
