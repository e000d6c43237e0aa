//! Mail that users left in the maildrop is taken into the queue. What else lies there, any local user may have put there.

use std::collections::HashSet;
use std::io::Read;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use access::Refusal;
use envelope::{Envelope, QueueId};
use intake::Origin;
use maillog::lines::pickup::PickedUp;
use queue::Error;
use queue::maildrop::{self, Dropped};
use world::World;

use crate::Front;
use crate::cleanup::{Cause, Submission};

/// How much is read at once.
const PIECE_BYTES: usize = 64 * 1024;
/// How many messages are taken in before others have their turn.
const RUN_MESSAGES: usize = 1000;
/// How many complaints are remembered, so that the log does not say the same each minute.
const TOLD_MAX: usize = 1000;

/// Whether messages wait when a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// None that could be taken in.
    Nothing,
    /// The run ended before them.
    More,
}

/// Messages that are being taken in: two runs at once must not take the same one.
static IN_HAND: LazyLock<Mutex<HashSet<QueueId>>> = LazyLock::new(Mutex::default);
/// What was complained about already.
static TOLD: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// A message in this run's hand until it is dropped.
struct Hand(QueueId);

impl Hand {
    fn on(queue_id: &QueueId) -> Option<Hand> {
        let mut in_hand = IN_HAND.lock().unwrap_or_else(PoisonError::into_inner);
        in_hand.insert(queue_id.clone()).then(|| Hand(queue_id.clone()))
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        IN_HAND
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.0);
    }
}

/// What became of a file.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// It is in the queue, or gone, or was never a message.
    Done,
    /// It is no message yet, or cannot be read; it stays where it is.
    Kept,
    /// The queue does not take it now; it would not take others either.
    Hindered,
}

/// Takes in what is there, up to a limit; what cannot be taken in now stays for the next time.
pub async fn run_once(front: &Arc<Front>) -> Left {
    let directory = front.settings.queue_directory.clone();
    let scanned = tokio::task::spawn_blocking(move || maildrop::look_into(&directory, &World::real())).await;
    let names = match scanned {
        Ok(Ok(names)) => names,
        Ok(Err(error)) => {
            front.log.error("pickup", &error.to_string());
            return Left::Nothing;
        }
        Err(_) => return Left::Nothing,
    };
    for odd in names.odd {
        tell_once(
            front,
            &format!("bogus file name: maildrop/{}", odd.escape_debug()),
        );
    }
    let mut taken = 0;
    for name in names.messages {
        if taken == RUN_MESSAGES {
            return Left::More;
        }
        match take_in(front, &name).await {
            Fate::Done => taken += 1,
            Fate::Kept => {}
            Fate::Hindered => return Left::Nothing,
        }
    }
    Left::Nothing
}

/// Takes in one message.
pub async fn take_one(front: &Arc<Front>, name: &QueueId) {
    take_in(front, name).await;
}

async fn take_in(front: &Arc<Front>, name: &QueueId) -> Fate {
    let Some(_hand) = Hand::on(name) else {
        return Fate::Done;
    };
    let wanted = name.clone();
    let read = on_disk(front, move |directory, world| {
        maildrop::read(directory, world, &wanted)
    });
    let dropped = match read.await {
        Ok(dropped) => dropped,
        // Another run was faster, or the program that writes it is not done.
        Err(Error::NoSuchMessage(_)) => return Fate::Kept,
        Err(Error::Damaged(why)) => return set_aside(front, name, &why).await,
        Err(error) => return tell_once(front, &error.to_string()),
    };
    let uid = dropped.slip.uid;
    match submit(front, dropped).await {
        Ok(()) => {
            let name = name.clone();
            let removed = on_disk(front, move |directory, world| {
                maildrop::remove(directory, world, &name)
            });
            if let Err(error) = removed.await {
                front.log.warning("pickup", &error.to_string());
            }
            Fate::Done
        }
        Err(Trouble::Refused(refusal)) if refusal.code >= 500 => {
            let why = format!("maildrop/{name}: uid={uid}: {}", refusal.text);
            set_aside(front, name, &why).await
        }
        Err(Trouble::Refused(refusal)) => {
            let why = format!("cannot take in mail of uid {uid}: {refusal}");
            front.log.warning("pickup", &why);
            Fate::Hindered
        }
        Err(Trouble::PutOff(refusal)) => {
            tell_once(front, &format!("maildrop/{name}: message deferred: {refusal}"))
        }
        Err(Trouble::Unreadable(why)) => tell_once(front, &why),
    }
}

/// Something with the maildrop, on a thread that may wait.
async fn on_disk<T: Send + 'static>(
    front: &Front,
    act: impl FnOnce(&std::path::Path, &World) -> queue::Result<T> + Send + 'static,
) -> queue::Result<T> {
    let directory = front.settings.queue_directory.clone();
    let acted = tokio::task::spawn_blocking(move || act(&directory, &World::real())).await;
    acted.unwrap_or_else(|_| Err(Error::Busy))
}

/// What is no message, and never becomes one, goes out of the way but not away.
async fn set_aside(front: &Front, name: &QueueId, why: &str) -> Fate {
    let wanted = name.clone();
    let moved = on_disk(front, move |directory, world| {
        maildrop::set_aside(directory, world, &wanted)
    });
    match moved.await {
        Ok(()) => {
            let told = format!("{why}: moved to {}/{name}", maildrop::CORRUPT);
            front.log.warning("pickup", &told);
            Fate::Done
        }
        Err(Error::NoSuchMessage(_)) => Fate::Kept,
        Err(error) => tell_once(front, &format!("{why}: it stays: {error}")),
    }
}

/// A warning, unless it was given before.
fn tell_once(front: &Front, why: &str) -> Fate {
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.len() >= TOLD_MAX {
        told.clear();
    }
    if told.insert(why.to_owned()) {
        front.log.warning("pickup", why);
    }
    Fate::Kept
}

/// Why a message is not in the queue.
enum Trouble {
    /// It was not taken.
    Refused(Refusal),
    /// It was not taken for what is in it; it may be later.
    PutOff(Refusal),
    /// It could not be read to its end.
    Unreadable(String),
}

/// Puts the message into the queue.
async fn submit(front: &Arc<Front>, dropped: Dropped) -> Result<(), Trouble> {
    let settings = &front.pickup;
    let limit = settings.message_size_limit;
    if limit != 0 && dropped.size_bytes > limit {
        return Err(Trouble::Refused(Refusal {
            code: 552,
            status: envelope::StatusCode::permanent(3, 4),
            text: "message file too big".to_owned(),
        }));
    }
    let incoming = front.spool.begin(serve::clock::now());
    let envelope = qualified(dropped.envelope, settings);
    let sender = envelope
        .sender
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    front.log.write(&PickedUp {
        queue_id: incoming.queue_id(),
        uid: dropped.slip.uid,
        sender: &sender,
    });
    let origin = Origin::Local {
        uid: dropped.slip.uid,
        full_name: full_name(dropped.slip.uid),
        is_relayed: dropped.slip.is_relayed,
    };
    let submission = Submission::begin(incoming, origin, &envelope, (&front.cleanups.pickup, &front.log));
    let mut submission = submission.with_trace(dropped.slip.trace);
    let (mut content, mut piece, mut left) = (dropped.content, vec![0; PIECE_BYTES], dropped.size_bytes);
    loop {
        match content.read(&mut piece) {
            Ok(0) if left == 0 => break,
            Ok(count @ 1..) => {
                left = left.saturating_sub(count as u64);
                submission.write(&piece[..count]);
            }
            found => {
                let why = found.map_or_else(|error| os::words(&error), |_| "it became shorter".to_owned());
                let told = format!("cannot read maildrop/{}: {why}", dropped.queue_id);
                return Err(Trouble::Unreadable(told));
            }
        }
    }
    let committed = submission.commit(envelope, front).await;
    committed.map(drop).map_err(|declined| match declined.cause {
        Cause::Content => Trouble::PutOff(declined.refusal),
        Cause::Other => Trouble::Refused(declined.refusal),
    })
}

/// The name for a missing From: what the system knows of the user.
fn full_name(uid: u32) -> String {
    let user = os::users::user_by_uid(uid).ok().flatten();
    user.map(|user| user.gecos.split(',').next().unwrap_or_default().to_owned())
        .unwrap_or_default()
}

/// Local users leave the domain out.
fn qualified(mut envelope: Envelope, settings: &settings::Postfix) -> Envelope {
    envelope.sender = envelope.sender.map(|sender| intake::qualify(sender, settings));
    for recipient in &mut envelope.recipients {
        recipient.address = intake::qualify(recipient.address.clone(), settings);
    }
    envelope
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_in_one_hand() {
        let queue_id = QueueId::parse("HANDTEST1").expect("an id");
        let first = Hand::on(&queue_id);
        assert!(first.is_some());
        assert!(Hand::on(&queue_id).is_none());
        drop(first);
        assert!(Hand::on(&queue_id).is_some());
    }
}
