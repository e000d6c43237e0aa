//! SPECIAL-USE (RFC 6154): what a mailbox is for, in LIST.

use super::Extension;
use mailbox::SpecialUse;

pub(crate) const EXTENSION: Extension = Extension::of_words(&["SPECIAL-USE"]);

/// The attribute.
pub(crate) fn attribute(special_use: SpecialUse) -> &'static str {
    match special_use {
        SpecialUse::All => "\\All",
        SpecialUse::Archive => "\\Archive",
        SpecialUse::Drafts => "\\Drafts",
        SpecialUse::Flagged => "\\Flagged",
        SpecialUse::Junk => "\\Junk",
        SpecialUse::Sent => "\\Sent",
        SpecialUse::Trash => "\\Trash",
    }
}
