//! Giving back the log's space: void segments are released, sparse old ones emptied by copying what lives to the end.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use envelope::QueueId;
use journal::{Record, Urgency};

use super::entry;
use super::{Inner, Tidy, Wake};
use crate::Result;

/// How much is copied before the copies are synced.
const COPY_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// A log of so few segments is left alone.
const SEGMENTS_MIN: usize = 3;
/// When what could not be written is tried again, if nothing happens before; doubled up to the latter as long as it
/// does not help.
const AGAIN_FIRST: Duration = Duration::from_secs(1);
const AGAIN_LAST: Duration = Duration::from_secs(30);

impl Inner {
    /// Releases void segments; then, while less than half of the log is alive, empties the oldest segment. So a message
    /// that waits for days is copied now and then, but no octet written costs more than one octet copied.
    pub(super) fn maintain(self: &Arc<Inner>) -> Result<()> {
        loop {
            self.release();
            let log = self.log()?;
            let segments = log.segments();
            let (Some((oldest, _)), Some((newest, _))) = (segments.first(), segments.last()) else {
                return Ok(());
            };
            let used: u64 = segments
                .iter()
                .filter(|(g, _)| g < newest)
                .map(|(_, bytes)| bytes)
                .sum();
            let (live, confirmed) = {
                let index = self.lock_index();
                (index.live_bytes_below(*newest), index.confirmed())
            };
            if segments.len() <= SEGMENTS_MIN || live * 2 > used || *oldest >= confirmed {
                return Ok(());
            }
            if !self.empty_segment(*oldest)? {
                return Ok(());
            }
        }
    }

    /// Tells the log which segments are void.
    pub(super) fn release(&self) {
        let (void_below, void_through) = {
            let index = self.lock_index();
            (index.void_below(), index.void_through())
        };
        if let Ok(log) = self.log() {
            log.release_before(void_below);
            if let Some(position) = void_through {
                log.release_through(position);
            }
        }
    }

    /// Copies everything alive in the segment to the end of the log. Says whether that helped.
    fn empty_segment(self: &Arc<Inner>, generation: u32) -> Result<bool> {
        let ids: Vec<QueueId> = {
            let index = self.lock_index();
            let inside = index
                .messages
                .iter()
                .filter(|(_, message)| message.position.generation == generation);
            inside.map(|(id, _)| id.clone()).collect()
        };
        let mut copied = 0;
        for id in ids {
            copied += self.copy_to_end(&id)?;
            if copied > COPY_BYTES_MAX {
                self.log()?.sync()?;
                copied = 0;
            }
        }
        self.log()?.sync()?;
        let index = self.lock_index();
        Ok(!index
            .messages
            .values()
            .any(|message| message.position.generation == generation))
    }

    /// Appends a message's record once more, with its present state. Returns the octets copied.
    fn copy_to_end(self: &Arc<Inner>, id: &QueueId) -> Result<u64> {
        let log = self.log()?;
        let Some(position) = self.lock_index().messages.get(id).map(|message| message.position) else {
            return Ok(0);
        };
        let Ok(old) = log.read(position) else {
            // Removed meanwhile; or damaged, and then it stays where it is, to be looked at.
            return Ok(0);
        };
        let Some((_, old_state, fixed)) = entry::meta_of(&old.payload).and_then(entry::decode_meta) else {
            return Ok(0);
        };
        let content_at = entry::META_AT + entry::meta_of(&old.payload).map_or(0, <[u8]>::len);
        // State and order are taken under the lock: a removal or an outcome comes either before, and is seen, or
        // after the copy in the log.
        let index = self.lock_index();
        let Some(message) = index
            .messages
            .get(id)
            .filter(|message| message.position == position)
        else {
            return Ok(0);
        };
        debug_assert_eq!(old_state.size_bytes, message.state.size_bytes);
        let mut payload = entry::encode_head(id, &message.state, fixed);
        let meta_bytes = u32::try_from(payload.len() - entry::META_AT).unwrap_or(u32::MAX);
        payload.extend_from_slice(&old.payload[content_at..]);
        let bytes = payload.len() as u64;
        let (owner, id) = (Arc::downgrade(self), id.clone());
        let record = Record {
            kind: entry::KIND_MESSAGE,
            payload,
        };
        log.append(vec![record], Urgency::Lazy, move |result| {
            let (Ok(new), Some(owner)) = (result, owner.upgrade()) else {
                return;
            };
            let mut index = owner.lock_index();
            index.confirm(new);
            let Some(message) = index.messages.get_mut(&id) else {
                return;
            };
            let old = (message.position, message.record_bytes);
            (message.position, message.record_bytes, message.meta_bytes) = (new, bytes, meta_bytes);
            index.remember(new, bytes);
            index.forget(old.0, old.1);
        });
        Ok(bytes)
    }
}

/// The thread that maintains a spool until it is told to stop.
pub(super) fn run(inner: &Arc<Inner>, wake: &Wake) {
    let mut again = None;
    loop {
        let mut tidy = wake.tidy.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_time = false;
        while *tidy == Tidy::Sleep && !is_time {
            tidy = match again {
                None => wake.changed.wait(tidy).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    is_time = true;
                    let woken = wake.changed.wait_timeout(tidy, patience);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        if *tidy == Tidy::Stop {
            return;
        }
        *tidy = Tidy::Sleep;
        drop(tidy);
        // A log that failed is reported to those who write messages; there is nothing to maintain then.
        let _ = inner.maintain();
        // Removals and outcomes that fail wake this thread too, so that it must not be at once each time.
        if again.is_none() || is_time {
            again = match inner.write_again() {
                Err(_) => Some(again.map_or(AGAIN_FIRST, |before: Duration| (before * 2).min(AGAIN_LAST))),
                Ok(()) => None,
            };
        }
    }
}
