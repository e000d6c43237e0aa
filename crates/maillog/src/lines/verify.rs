//! Lines of verify(8).

use super::say;
use crate::{Line, Tag};

/// `cache btree:/var/lib/postfix/verify_cache full cleanup: retained=5 dropped=1 entries`
#[derive(Debug)]
pub struct Cleanup<'a> {
    /// As main.cf names it.
    pub cache: &'a str,
    /// How many entries are left.
    pub retained: u64,
    /// How many went.
    pub dropped: u64,
}

impl Line for Cleanup<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("verify")
    }
    fn text(&self, out: &mut String) {
        say!(
            out,
            "cache {} full cleanup: retained={} dropped={} entries",
            self.cache,
            self.retained,
            self.dropped
        );
    }
}
