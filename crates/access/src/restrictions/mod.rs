//! The restrictions that exist, one file each, and what they are given.

mod fully_qualified;
mod generic;
mod permit_mynetworks;
mod permit_sasl_authenticated;
mod reject_unauth_destination;
mod unlisted;

use address::Address;
use envelope::StatusCode;
use route::Router;
use settings::Postfix;

use crate::Verdict;
use crate::lists::Stage;
use crate::request::{Refusal, Request};

/// What a restriction is given.
pub struct Context<'a> {
    /// The list it stands in.
    pub stage: Stage,
    /// What the client has said.
    pub request: &'a Request<'a>,
    /// The service's settings.
    pub settings: &'a Postfix,
    /// Where recipients go.
    pub router: &'a Router,
}

/// A restriction.
pub type Restriction = fn(&Context<'_>) -> Verdict;

/// Every restriction, by its name in main.cf.
pub const RESTRICTIONS: &[(&str, Restriction)] = &[
    ("permit", generic::permit),
    ("reject", generic::reject),
    ("defer", generic::defer),
    ("defer_if_permit", generic::defer),
    ("permit_mynetworks", permit_mynetworks::permit_mynetworks),
    (
        "permit_sasl_authenticated",
        permit_sasl_authenticated::permit_sasl_authenticated,
    ),
    (
        "permit_auth_destination",
        reject_unauth_destination::permit_auth_destination,
    ),
    (
        "reject_unauth_destination",
        reject_unauth_destination::reject_unauth_destination,
    ),
    (
        "defer_unauth_destination",
        reject_unauth_destination::defer_unauth_destination,
    ),
    ("reject_unlisted_recipient", unlisted::reject_unlisted_recipient),
    ("reject_unlisted_sender", unlisted::reject_unlisted_sender),
    ("check_recipient_maps", unlisted::reject_unlisted_recipient),
    (
        "reject_non_fqdn_recipient",
        fully_qualified::reject_non_fqdn_recipient,
    ),
    ("reject_non_fqdn_sender", fully_qualified::reject_non_fqdn_sender),
    (
        "reject_non_fqdn_helo_hostname",
        fully_qualified::reject_non_fqdn_helo_hostname,
    ),
    (
        "reject_non_fqdn_hostname",
        fully_qualified::reject_non_fqdn_helo_hostname,
    ),
    (
        "reject_invalid_helo_hostname",
        fully_qualified::reject_invalid_helo_hostname,
    ),
    (
        "reject_invalid_hostname",
        fully_qualified::reject_invalid_helo_hostname,
    ),
];

/// The restriction of that name.
pub fn find(name: &str) -> Option<Restriction> {
    RESTRICTIONS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, restriction)| *restriction)
}

impl Context<'_> {
    /// What a generic refusal of this list is about: the client, the HELO name, the sender or the recipient.
    pub fn subject(&self) -> String {
        let request = self.request;
        match self.stage {
            Stage::Client => format!("<{}>", request.client),
            Stage::Helo => request
                .helo
                .map_or_else(|| format!("<{}>", request.client), |helo| format!("<{helo}>")),
            Stage::Sender => shown(request.sender.flatten()),
            Stage::Relay | Stage::Recipient => shown(request.recipient),
            Stage::Data => "<DATA>".to_owned(),
            Stage::EndOfData => "<END-OF-MESSAGE>".to_owned(),
            Stage::Etrn => "<ETRN>".to_owned(),
        }
    }
}

/// An address as replies show it.
fn shown(address: Option<&Address>) -> String {
    address.map_or_else(|| "<>".to_owned(), |address| format!("<{address}>"))
}

/// A refusal about `subject`.
fn refuse(code: u16, status: StatusCode, subject: &str, text: &str) -> Verdict {
    Verdict::Refuse(Refusal {
        code,
        status,
        text: format!("{subject}: {text}"),
    })
}

/// What is said when a table or a directory cannot be asked: never "not found".
fn lookup_failed(subject: &str) -> Verdict {
    refuse(
        451,
        StatusCode::temporary(3, 0),
        subject,
        "Temporary lookup failure",
    )
}
