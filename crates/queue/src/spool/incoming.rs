//! A message on its way into the spool, and the proof that it got there.

use envelope::{Envelope, QueueId};

use super::Facts;
use crate::{Error, Result};

/// The proof that a message is on disk. Only the spool makes one, after the sync; only from one may a 250 be built.
#[derive(Debug)]
pub struct Committed {
    queue_id: QueueId,
    size_bytes: u64,
}

impl Committed {
    /// The message's queue id.
    pub fn queue_id(&self) -> &QueueId {
        &self.queue_id
    }

    /// The content's size in octets.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

/// A message on its way in. Dropping it before [`Incoming::commit`] removes everything.
pub struct Incoming {
    queue_id: Option<QueueId>,
    size_bytes: u64,
}

pub(super) fn begin(_now_micros: i64) -> Incoming {
    Incoming {
        queue_id: None,
        size_bytes: 0,
    }
}

impl Incoming {
    /// The message's queue id.
    pub fn queue_id(&self) -> &QueueId {
        self.queue_id.as_ref().expect("not written yet")
    }

    /// Octets written so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Appends content. Up to the limit it stays in memory; above it goes to a file, so this may wait for the disk.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Disk`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let _ = bytes;
        Err(Error::Stopped("not written yet".into()))
    }

    /// Commits the message: returns soon (content in a file of its own is synced before that, so call it from a
    /// thread that may wait); `on_done` is called once, from the committer's thread, after the sync or the failure.
    pub fn commit(
        self,
        envelope: &Envelope,
        facts: &Facts,
        on_done: impl FnOnce(Result<Committed>) + Send + 'static,
    ) {
        let _ = (envelope, facts);
        on_done(Err(Error::Stopped("not written yet".into())));
    }

    /// [`Incoming::commit`], waiting for the result.
    pub fn commit_and_wait(self, envelope: &Envelope, facts: &Facts) -> Result<Committed> {
        let (done, wait) = std::sync::mpsc::sync_channel(1);
        self.commit(envelope, facts, move |result| {
            // The receiver below waits, so the send cannot fail while this frame is alive.
            let _ = done.send(result);
        });
        wait.recv()
            .unwrap_or_else(|_| Err(Error::Stopped("the committer is gone".into())))
    }
}
