//! A message on its way into the spool, and the proof that it got there.

use std::path::PathBuf;
use std::sync::Arc;

use envelope::{Envelope, QueueId};
use journal::{Record, Urgency};
use world::{DiskFile, OpenMode};

use super::entry::{self, Place, State};
use super::{Facts, Inner};
use crate::{Error, QueueName, RECIPIENTS_MAX, Result};

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
    inner: Arc<Inner>,
    queue_id: QueueId,
    /// Content that is not in `file`.
    buffer: Vec<u8>,
    size_bytes: u64,
    file: Option<LargeFile>,
    failed: Option<Error>,
}

/// Content that another one takes the place of. It can still be read.
pub struct Former {
    buffer: Vec<u8>,
    file: Option<LargeFile>,
    size_bytes: u64,
}

impl Former {
    /// Its size in octets.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// As [`Incoming::read_at`].
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn read_at(&self, at: u64, into: &mut [u8]) -> Result<usize> {
        read_at((&self.buffer, self.file.as_ref()), at, into)
    }
}

/// Reads from content whose end is in a buffer, and whose start may be in a file.
fn read_at((buffer, file): (&[u8], Option<&LargeFile>), at: u64, into: &mut [u8]) -> Result<usize> {
    let written = file.map_or(0, |large| large.written);
    if let Some(large) = file.filter(|large| at < large.written) {
        let room = usize::try_from(large.written - at).unwrap_or(usize::MAX);
        let length = into.len().min(room);
        return Ok(large.file.read_at(&mut into[..length], at)?);
    }
    let start = usize::try_from(at - written)
        .unwrap_or(usize::MAX)
        .min(buffer.len());
    let length = into.len().min(buffer.len() - start);
    into[..length].copy_from_slice(&buffer[start..start + length]);
    Ok(length)
}

/// The file of a large content. Removed when dropped, unless it was kept.
struct LargeFile {
    inner: Arc<Inner>,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    written: u64,
    keep: bool,
}

impl Drop for LargeFile {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed now is removed as an orphan by the next start.
            let _ = self.inner.world.disk.remove(&self.path);
        }
    }
}

impl Incoming {
    pub(super) fn new(inner: Arc<Inner>, queue_id: QueueId) -> Incoming {
        Incoming {
            inner,
            queue_id,
            buffer: Vec::new(),
            size_bytes: 0,
            file: None,
            failed: None,
        }
    }

    /// The message's queue id.
    pub fn queue_id(&self) -> &QueueId {
        &self.queue_id
    }

    /// Octets written so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Appends content. Up to the limit it stays in memory; above it goes to a file, so this may wait for the disk.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Disk`]; after one the message cannot be committed.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        self.buffer.extend_from_slice(bytes);
        self.size_bytes += bytes.len() as u64;
        if self.buffer.len() > self.inner.options.inline_bytes_max {
            self.spill()
                .inspect_err(|error| self.failed = Some(error.clone()))?;
        }
        Ok(())
    }

    /// Reads what was written so far; fewer octets than asked for at its end, and where buffer and file meet. May wait for
    /// the disk.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn read_at(&self, at: u64, into: &mut [u8]) -> Result<usize> {
        read_at((&self.buffer, self.file.as_ref()), at, into)
    }

    /// Sets aside what was written: other content takes its place, from its start.
    ///
    /// # Errors
    /// [`Error::Disk`]; after it the message cannot be committed.
    pub fn begin_again(&mut self) -> Result<Former> {
        let mut file = self.file.take();
        if let Some(large) = &mut file {
            // The name is free for another file; this one can be read until it is closed.
            large.keep = true;
            let removed = self.inner.world.disk.remove(&large.path);
            removed.map_err(|error| {
                let error = Error::from(error);
                self.failed = Some(error.clone());
                error
            })?;
        }
        Ok(Former {
            buffer: std::mem::take(&mut self.buffer),
            file,
            size_bytes: std::mem::take(&mut self.size_bytes),
        })
    }

    /// Writes the buffer to the message's file.
    fn spill(&mut self) -> Result<()> {
        if self.file.is_none() {
            let path = self.inner.large_path(&self.queue_id);
            let file = self.inner.world.disk.open(&path, OpenMode::CreateNew)?;
            self.file = Some(LargeFile {
                inner: Arc::clone(&self.inner),
                path,
                file,
                written: 0,
                keep: false,
            });
        }
        if let Some(large) = &mut self.file {
            large.file.write_all_at(&self.buffer, large.written)?;
            large.written += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Commits the message: returns soon (content in a file of its own is synced before that, so call it from a
    /// thread that may wait); `on_done` is called once, from the committer's thread, after the sync or the failure.
    pub fn commit(
        mut self,
        envelope: &Envelope,
        facts: &Facts,
        on_done: impl FnOnce(Result<Committed>) + Send + 'static,
    ) {
        let payload = match self.prepare(envelope, facts) {
            Ok(payload) => payload,
            Err(error) => return on_done(Err(error)),
        };
        let Incoming {
            inner,
            queue_id,
            size_bytes,
            file,
            ..
        } = self;
        let log = match inner.log() {
            Ok(log) => log,
            Err(error) => return on_done(Err(error)),
        };
        let (state, meta_bytes) = payload.1;
        let record_bytes = payload.0.len() as u64;
        let reserved_bytes = entry::reserve_bytes(u64::from(state.recipients));
        log.reserve(reserved_bytes);
        let record = Record {
            kind: entry::KIND_MESSAGE,
            payload: payload.0,
        };
        let owner = Arc::clone(&inner);
        log.append(vec![record], Urgency::Now, move |result| match result {
            Ok(position) => {
                if let Some(mut file) = file {
                    file.keep = true;
                }
                let mut index = owner.lock_index();
                let grown = index.confirm(position);
                index.insert(queue_id.clone(), state, position, meta_bytes, record_bytes);
                drop(index);
                if grown {
                    owner.wake_up();
                }
                // The caller may close the spool as soon as it knows.
                drop(owner);
                on_done(Ok(Committed { queue_id, size_bytes }));
            }
            Err(error) => {
                owner.unreserve(reserved_bytes);
                // Whether the record is on disk is unknown after a failed sync. A file that it names must stay then.
                if let (Some(mut file), journal::Error::Closed(_)) = (file, &error) {
                    file.keep = true;
                }
                drop(owner);
                on_done(Err(error.into()));
            }
        });
    }

    /// Syncs the content's file, if there is one, and encodes the record.
    fn prepare(&mut self, envelope: &Envelope, facts: &Facts) -> Result<(Vec<u8>, (State, u32))> {
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        if envelope.recipients.len() > RECIPIENTS_MAX {
            return Err(Error::EnvelopeTooLarge);
        }
        if self.file.is_some() {
            self.spill()?;
        }
        if let Some(large) = &self.file {
            large.file.sync_data()?;
            self.inner.world.disk.sync_dir(&self.inner.large_dir())?;
        }
        let state = State {
            queue: if facts.hold {
                QueueName::Hold
            } else {
                QueueName::Incoming
            },
            place: if self.file.is_some() {
                Place::File
            } else {
                Place::Inline
            },
            arrival_micros: facts.arrival_micros,
            next_try_micros: 0,
            size_bytes: self.size_bytes,
            recipients: u32::try_from(envelope.recipients.len()).map_err(|_| Error::EnvelopeTooLarge)?,
            forced_expire: false,
            outcomes: Vec::new(),
        };
        let fixed = entry::encode_fixed(envelope, facts)?;
        let mut payload = entry::encode_head(&self.queue_id, &state, &fixed);
        let meta_bytes =
            u32::try_from(payload.len() - entry::META_AT).map_err(|_| Error::EnvelopeTooLarge)?;
        payload.append(&mut self.buffer);
        Ok((payload, (state, meta_bytes)))
    }

    /// [`Incoming::commit`], waiting for the result.
    ///
    /// # Errors
    /// Every [`Error`] but [`Error::InUse`] and [`Error::NoSuchMessage`].
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
