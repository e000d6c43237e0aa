//! What is derived from messages and kept beside them, so that a mailbox is shown without opening its messages.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::Uid;

/// What is derived. The content belongs to those who derive it; its first octet is their format, so that what another
/// version of the program left is not taken for its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Derived {
    /// The envelope, and header fields that are often asked for.
    Head = 1,
    /// The body structure.
    Structure = 2,
    /// The beginning of the text.
    Preview = 3,
    /// What sorting and threading compare.
    Sorting = 4,
}

/// Something derived from a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The message.
    pub uid: Uid,
    /// What it is.
    pub kind: Derived,
    /// At most [`ENTRY_BYTES_MAX`] octets; larger ones are not kept.
    pub content: Vec<u8>,
}

/// The largest content of an [`Entry`], in octets.
pub const ENTRY_BYTES_MAX: usize = 64 * 1024;

/// The cache of one mailbox, shared by all who have it open. Nothing in it is precious: it may forget anything at any time, and
/// troubles of the disk are no errors, only forgetting. What it gives is what it was given for that message.
pub trait Cache: Send + Sync {
    /// Appends what is known to `into`; `false` when nothing is.
    fn recall(&self, uid: Uid, kind: Derived, into: &mut Vec<u8>) -> bool;

    /// Keeps entries. What is known already is not changed: content of a message never changes under its UID.
    fn remember(&self, entries: &[Entry]);
}

/// A cache that keeps everything in memory.
#[derive(Debug, Default)]
pub struct MemoryCache(Mutex<HashMap<(Uid, Derived), Vec<u8>>>);

impl Cache for MemoryCache {
    fn recall(&self, uid: Uid, kind: Derived, into: &mut Vec<u8>) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let content = known.get(&(uid, kind));
        into.extend_from_slice(content.map_or(&[], Vec::as_slice));
        content.is_some()
    }

    fn remember(&self, entries: &[Entry]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries
            .iter()
            .filter(|entry| entry.content.len() <= ENTRY_BYTES_MAX)
        {
            known
                .entry((entry.uid, entry.kind))
                .or_insert_with(|| entry.content.clone());
        }
    }
}
