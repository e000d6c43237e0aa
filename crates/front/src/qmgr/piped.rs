//! Delivery by the command of a transport (pipe(8)).

use std::sync::Arc;

use deliver_local::pipe::{Mail, PROGRAM};
use deliver_local::task::{Facts, Report};
use envelope::{Outcome, Recipient};
use queue::Message;
use queue::scheduler::Destination;

use crate::Front;
use crate::agency::{Agency, PipeDelivery};
use crate::qmgr::attempt::{QueuedContent, deferred};
use crate::qmgr::passing::client_of;

/// A message for a command.
pub(super) struct Piped<'a> {
    pub(super) front: &'a Front,
    pub(super) agency: &'a Arc<dyn Agency>,
    pub(super) message: &'a Message,
}

impl Piped<'_> {
    /// What the command of the destination's transport is told.
    ///
    /// # Errors
    /// The outcome when the message cannot be read.
    pub(super) fn delivery(
        &self,
        destination: &Destination,
        recipients: Vec<&Recipient>,
    ) -> Result<PipeDelivery, Outcome> {
        let message = self.message;
        let content = self.front.spool.content(&message.queue_id);
        let content = content.map_err(|error| deferred(&destination.transport, error.to_string()))?;
        let both = |recipient: &Recipient| (recipient.address.clone(), recipient.original.clone());
        let client_port = message.facts.attribute("log_client_port").unwrap_or_default();
        Ok(PipeDelivery {
            mail: Mail {
                transport: destination.transport.clone(),
                next_hop: destination.next_hop.clone(),
                queue_id: message.queue_id.to_string(),
                client_port: client_port.to_owned(),
                recipients: recipients.into_iter().map(both).collect(),
            },
            facts: Facts {
                sender: message.envelope.sender.clone(),
                client: client_of(message),
                ..Facts::default()
            },
            content: Arc::new(QueuedContent::new(content)),
        })
    }

    /// Has the command run.
    pub(super) async fn deliver(&self, delivery: Result<PipeDelivery, Outcome>) -> Outcome {
        let delivery = match delivery {
            Ok(delivery) => delivery,
            Err(outcome) => return outcome,
        };
        let agency = Arc::clone(self.agency);
        self.told(
            tokio::task::spawn_blocking(move || agency.pipe(delivery))
                .await
                .ok(),
        )
    }

    /// What would come of it.
    pub(super) async fn verify(&self, transport: &str) -> Outcome {
        let (agency, transport) = (Arc::clone(self.agency), transport.to_owned());
        self.told(
            tokio::task::spawn_blocking(move || agency.verify_pipe(&transport))
                .await
                .ok(),
        )
    }

    fn told(&self, report: Option<Report>) -> Outcome {
        let Some(report) = report else {
            return deferred(PROGRAM, "the delivery was broken off".to_owned());
        };
        for warning in &report.warnings {
            self.front.log.warning(PROGRAM, warning);
        }
        report.outcome
    }
}
