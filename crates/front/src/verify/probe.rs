//! Makes a probe: a message for one address that is never delivered.

use std::sync::Arc;

use access::verification::{Finding, ProbeSender, Status};
use address::Address;
use envelope::{BodyKind, Envelope, Recipient, Trace};
use intake::Origin;
use serve::clock::now;

use super::{OF_MANY, PROBED};
use crate::Front;
use crate::cleanup::{Accepted, Submission};

/// Queues a probe of an address, which the cache knows by `key`; `Some` where its result is known already.
///
/// # Errors
/// Why it could not be queued.
pub(super) async fn send(
    front: &Arc<Front>,
    key: &str,
    address: &Address,
) -> Result<Option<Finding>, String> {
    let sender = ProbeSender::of(&front.settings).at(now());
    let from = sender.as_ref().map(Address::to_string).unwrap_or_default();
    let content = format!("From: <{from}>\nTo: <{address}>\nSubject: Address verification probe\n\n");
    let envelope = Envelope {
        smtputf8: address.needs_smtputf8(),
        sender,
        recipients: vec![Recipient {
            address: intake::qualify(address.clone(), &front.settings),
            ..Recipient::new(address.clone())
        }],
        ret: None,
        envid: None,
        body: BodyKind::default(),
    };
    let incoming = front.spool.begin(now());
    let by = (&front.cleanups.main, &front.log);
    let submission = Submission::begin(incoming, Origin::Report, &envelope, by);
    let mut submission = submission
        .with_trace(Trace::Probe)
        .with_attributes(vec![(PROBED.to_owned(), key.to_owned())]);
    submission.write(content.as_bytes());
    match submission.commit(envelope, front).await {
        Ok(Accepted::Queued(_)) => Ok(None),
        // Neither rules nor filters see it: it is left out where the address stands for several, and only there.
        Ok(Accepted::Discarded(_)) => Ok(Some(Finding {
            status: Status::Deliverable,
            text: OF_MANY.to_owned(),
        })),
        Err(declined) => Err(declined.to_string()),
    }
}
