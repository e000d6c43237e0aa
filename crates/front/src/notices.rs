//! Mail that this system writes itself: on its way into the queue.

use std::sync::Arc;

use bounce::Notice;
use envelope::{Envelope, QueueId};
use intake::Origin;
use serve::clock::now;
use settings::{NotifyClass, Postfix};

use crate::Front;
use crate::cleanup::Submission;

/// Queues a report or a notice.
///
/// # Errors
/// Why it could not be queued.
pub async fn queue(
    front: &Front,
    settings: &Arc<Postfix>,
    (mut envelope, content): (Envelope, Vec<u8>),
) -> Result<QueueId, String> {
    for recipient in &mut envelope.recipients {
        recipient.address = intake::qualify(recipient.address.clone(), settings);
    }
    let incoming = front.spool.begin(now());
    let queue_id = incoming.queue_id().clone();
    let entry = match Arc::ptr_eq(settings, &front.settings) {
        true => front.cleanups.main.clone(),
        false => front.cleanups.entry(settings),
    };
    let mut submission = Submission::begin(incoming, Origin::Report, &envelope, (&entry, &front.log));
    submission.write(&content);
    match submission.commit(envelope, front).await {
        Ok(_) => Ok(queue_id),
        Err(refusal) => Err(refusal.to_string()),
    }
}

/// Tells the postmaster of a session, if `notify_classes` asks for that. A notice that cannot be made is only logged: mail
/// does not wait for it.
pub async fn tell_postmaster(
    front: &Front,
    settings: &Arc<Postfix>,
    classes: &[NotifyClass],
    about: &Notice<'_>,
) {
    let agent = match about.service {
        bounce::Service::SmtpServer => "smtpd",
        bounce::Service::SmtpClient => "smtp",
        bounce::Service::LmtpClient => "lmtp",
    };
    let made = match bounce::notice(settings, classes, about, crate::local_date(now())) {
        Ok(Some(made)) => made,
        Ok(None) => return,
        Err(error) => return front.log.error(agent, &error.to_string()),
    };
    if let Err(refusal) = queue(front, settings, made).await {
        let text = format!("cannot queue the notice about {}: {refusal}", about.peer);
        front.log.error(agent, &text);
    }
}
