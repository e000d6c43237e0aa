//! `postsuper`: delete, expire, hold, release, requeue one message, or all, or all of one queue.

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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Those with these queue ids; `None` is `ALL`.
    pub ids: Option<Vec<QueueId>>,
    /// Only those in these queues (`postsuper -d ALL deferred`); none named is every queue.
    pub queues: Vec<QueueName>,
}

impl Selection {
    /// The messages of the spool that are meant, with their queues: in the order in which they were named, `ALL` by id.
    pub fn of(&self, spool: &Spool) -> Vec<(QueueId, QueueName)> {
        let mut meant: Vec<(QueueId, QueueName)> = match &self.ids {
            Some(ids) => ids
                .iter()
                .filter_map(|id| Some((id.clone(), spool.queue_of(id)?)))
                .collect(),
            None => spool.queue_ids(),
        };
        meant.retain(|(_, queue)| self.queues.is_empty() || self.queues.contains(queue));
        if self.ids.is_none() {
            meant.sort();
        }
        meant
    }
}

impl Change {
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
    let meant = which.of(spool).into_iter();
    let ids = meant
        .filter(|(_, queue)| what.applies_to(*queue))
        .map(|(id, _)| id);
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
