//! CONDSTORE (RFC 7162): what turns it on. MODSEQ in FETCH, STORE and SEARCH stands with those commands.

use super::Extension;
use crate::session::Session;

pub(crate) const EXTENSION: Extension = Extension::of_words(&["CONDSTORE"]);

impl Session {
    /// From here on untagged FETCH carries MODSEQ. A client that is in a mailbox is told where it stands.
    pub(crate) fn enable_condstore(&mut self) {
        if self.condstore {
            return;
        }
        self.condstore = true;
        if let Some(modseq) = self.view.as_ref().map(|view| view.modseq) {
            self.say(&format!("* OK [HIGHESTMODSEQ {modseq}] Highest"));
        }
    }
}
