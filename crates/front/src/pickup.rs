//! Mail that `sendmail` and `mail` left in the maildrop is taken into the queue.

use std::io::Read;
use std::sync::Arc;

use envelope::{Envelope, QueueId};
use intake::Origin;
use maillog::lines::pickup::PickedUp;
use queue::maildrop::{self, Dropped};
use world::World;

use crate::Front;
use crate::cleanup::Submission;

/// How much is read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Takes in everything that is there; what cannot be taken in now stays for the next time.
pub async fn run_once(front: &Arc<Front>) {
    let directory = front.settings.queue_directory.clone();
    let scanned = tokio::task::spawn_blocking(move || maildrop::scan(&directory, &World::real())).await;
    let names = match scanned {
        Ok(Ok(names)) => names,
        Ok(Err(error)) => return front.log.error("pickup", &error.to_string()),
        Err(_) => return,
    };
    for name in names {
        take_in(front, &name).await;
    }
}

async fn take_in(front: &Arc<Front>, name: &QueueId) {
    let (directory, wanted) = (front.settings.queue_directory.clone(), name.clone());
    let read = tokio::task::spawn_blocking(move || maildrop::read(&directory, &World::real(), &wanted)).await;
    let dropped = match read {
        Ok(Ok(dropped)) => dropped,
        Ok(Err(error)) => return front.log.warning("pickup", &error.to_string()),
        Err(_) => return,
    };
    if submit(front, dropped).await {
        let (directory, name) = (front.settings.queue_directory.clone(), name.clone());
        let removed =
            tokio::task::spawn_blocking(move || maildrop::remove(&directory, &World::real(), &name)).await;
        if let Ok(Err(error)) = removed {
            front.log.warning("pickup", &error.to_string());
        }
    }
}

/// Whether the message is in the queue now.
async fn submit(front: &Arc<Front>, dropped: Dropped) -> bool {
    let settings = &front.settings;
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
    let submission = Submission::begin(incoming, origin, &envelope, Arc::clone(settings));
    let mut submission = submission.with_trace(dropped.slip.trace);
    let (mut content, mut piece) = (dropped.content, vec![0; PIECE_BYTES]);
    loop {
        match content.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => submission.write(&piece[..count]),
            Err(error) => {
                front.log.warning(
                    "pickup",
                    &format!(
                        "cannot read {} in the maildrop: {}",
                        dropped.queue_id,
                        os::words(&error)
                    ),
                );
                return false;
            }
        }
    }
    match submission.commit(envelope, front).await {
        Ok(_) => true,
        Err(refusal) => {
            front.log.warning(
                "pickup",
                &format!("cannot take in mail of uid {}: {refusal}", dropped.slip.uid),
            );
            false
        }
    }
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
