//! Why mail is taken or refused, and where it goes: everything that the services do with sender and recipient, without a message
//! (`yubin explain`, `sendmail -bt`). The thread that asks watches tables ([`tables::watch::begin`]).

use address::Address;
use deliver_local::Ending;
use envelope::Outcome;
use route::Route;
use tables::watch::{self, Hit};

use crate::Front;
use crate::agency::{Agency, MailboxClass};
pub use crate::cleanup::Rewriting;
use crate::transports::Agent;

/// The way of a message behind its 250.
#[derive(Debug, Clone)]
pub struct Journey {
    /// What became of the sender.
    pub sender: Vec<Rewriting>,
    /// What became of the recipient.
    pub recipient: Vec<Rewriting>,
    /// Where it goes, for each of those whom the recipient stands for.
    pub stations: Vec<Station>,
}

/// Where the message goes for one recipient.
#[derive(Debug, Clone)]
pub struct Station {
    /// The recipient.
    pub recipient: Address,
    /// Class, transport and next hop.
    pub route: Route,
    /// How the transport delivers; `None` where master.cf has no such transport.
    pub agent: Option<Agent>,
    /// Which tables knew something.
    pub hits: Vec<Hit>,
    /// Where it ends on this host, where it stays here.
    pub endings: Result<Vec<Ending>, Outcome>,
    /// Which tables knew something about that.
    pub ending_hits: Vec<Hit>,
}

/// The way of a message from `sender` to `recipient`, by the settings of a service; through `filter`, if there is one
/// (`content_filter`, FILTER).
///
/// # Errors
/// Why that cannot be told: a table cannot be asked.
pub fn journey(
    (front, agency): (&Front, &dyn Agency),
    settings: &settings::Postfix,
    (sender, recipient): (Option<&Address>, &Address),
    filter: Option<&str>,
) -> Result<Journey, String> {
    let entry = front.cleanups.entry(settings);
    let failed = |error: intake::mapping::Error| error.to_string();
    watch::take();
    let of_sender = match sender {
        Some(sender) => entry.steps_of_sender(sender).map_err(failed)?,
        None => Vec::new(),
    };
    let sender = of_sender.last().map_or(sender, |step| step.to.first());
    let of_recipient = entry.steps_of_recipient(recipient).map_err(failed)?;
    let only = [recipient.clone()];
    let recipients = of_recipient.last().map_or(&only[..], |step| &step.to);
    let mut stations = Vec::new();
    for recipient in recipients {
        let router = &front.router;
        let route = match filter {
            Some(filter) => router.filtered(recipient, filter),
            None => router.resolve(recipient, sender),
        };
        let route = route.map_err(|error| error.to_string())?;
        let hits = watch::take();
        let agent = front.transports.find(&route.transport).map(|found| found.agent);
        let endings = match agent {
            Some(Agent::Local) => agency.endings(recipient, MailboxClass::Local),
            Some(Agent::Virtual) => agency.endings(recipient, MailboxClass::Virtual),
            _ => Ok(Vec::new()),
        };
        stations.push(Station {
            recipient: recipient.clone(),
            route,
            agent,
            hits,
            endings,
            ending_hits: watch::take(),
        });
    }
    Ok(Journey {
        sender: of_sender,
        recipient: of_recipient,
        stations,
    })
}
