//! `postsuper`: delete, expire, hold, release, requeue one message, or all, or all of one queue.

use std::collections::BTreeSet;

use envelope::QueueId;

use crate::{QueueName, Result, Spool};

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// `-d`
    Delete,
    /// `-e`: it is returned at its next try.
    Expire,
    /// `-h`
    Hold,
    /// `-H`
    Release,
    /// `-r`
    Requeue,
}

/// To which messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// One queue id.
    One(QueueId),
    /// These queue ids.
    Several(BTreeSet<QueueId>),
    /// `ALL`, perhaps only those in the named queues (`postsuper -d ALL deferred`); none named is every queue.
    All(Vec<QueueName>),
}

impl Change {
    /// What `postsuper` logs about one message, and at the end about their number: `removed`, `Deleted`.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Change::Delete => ("removed", "Deleted"),
            Change::Expire => ("expired", "Force-expired"),
            Change::Hold => ("placed on hold", "Placed on hold"),
            Change::Release => ("released from hold", "Released from hold"),
            Change::Requeue => ("requeued", "Requeued"),
        }
    }

    /// The closing line: `Deleted: 1 message`.
    pub fn summary(self, count: usize) -> String {
        format!(
            "{}: {count} message{}",
            self.words().1,
            if count == 1 { "" } else { "s" }
        )
    }

    /// Whether it changes a message in that queue.
    fn applies_to(self, queue: QueueName) -> bool {
        match self {
            Change::Delete => true,
            Change::Expire => queue != QueueName::Corrupt,
            Change::Hold => !matches!(queue, QueueName::Hold | QueueName::Corrupt),
            Change::Release => queue == QueueName::Hold,
            Change::Requeue => queue != QueueName::Corrupt,
        }
    }
}

/// Changes messages of the spool and returns the ids of those that were changed, in order. With the daemon up its
/// scheduler must be told of each. A requeued message is put back into the incoming queue; whoever takes the messages in
/// there treats it as new. The caller calls [`Spool::flush`] before it reports.
///
/// # Errors
/// [`crate::Error::Stopped`]. A message that is gone meanwhile is none.
pub fn change(spool: &Spool, what: Change, which: &Selection) -> Result<Vec<QueueId>> {
    let mut ids: Vec<QueueId> = spool
        .queue_ids()
        .into_iter()
        .filter(|(id, queue)| match which {
            Selection::One(wanted) => id == wanted,
            Selection::Several(wanted) => wanted.contains(id),
            Selection::All(queues) => queues.is_empty() || queues.contains(queue),
        })
        .filter(|(_, queue)| what.applies_to(*queue))
        .map(|(id, _)| id)
        .collect();
    ids.sort();
    let mut changed = Vec::new();
    for id in ids {
        let done = match what {
            Change::Delete => spool.remove(&id),
            Change::Expire => match spool.force_expire(&id) {
                // It was expired already.
                Ok(false) => continue,
                other => other.map(drop),
            },
            Change::Hold => spool.move_to(&id, QueueName::Hold),
            Change::Release => spool.defer(&id, 0),
            Change::Requeue => spool.move_to(&id, QueueName::Incoming),
        };
        match done {
            Ok(()) => changed.push(id),
            Err(crate::Error::NoSuchMessage(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(changed)
}
