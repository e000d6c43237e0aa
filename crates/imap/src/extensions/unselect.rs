//! UNSELECT (RFC 3691): leaves the mailbox without expunging.

use crate::session::Session;

impl Session {
    pub(crate) fn unselect(&mut self, tag: &str) {
        self.view = None;
        self.tagged(tag, "OK Unselect completed.");
    }
}
